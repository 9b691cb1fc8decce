"""DeepSDF's own experiments (Park et al. 2019, the authors' code) as shape spaces: specs.json, weights and codes."""

from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor

from isofield.errors import InputError
from isofield.fields.activations import Relu, Tanh
from isofield.fields.decoder import LatentDecoder
from isofield.fields.encodings import Identity
from isofield.fields.mlp import MLP
from isofield.fields.space import Member, ShapeSpace
from isofield.files import check_plain, read_json

SPECS, WEIGHTS, CODES = "specs.json", "ModelParameters", "LatentCodes"
WIDEST, DEEPEST = 1 << 14, 256
COPY = "copy the experiment again, or train anew"
NEEDS = f"an experiment of DeepSDF has {SPECS}, {WEIGHTS}/latest.pth and {CODES}/latest.pth"


def is_deepsdf(folder: Path) -> bool:
    """Whether a folder is one of DeepSDF's experiments."""
    return (folder / SPECS).is_file()


def load_deepsdf(folder: Path) -> ShapeSpace:
    """The decoder and the codes of an experiment: of its latest checkpoint, else of the one of most epochs.

    Shapes are named as in its split of training data where that is found, else by their numbers. Nothing that the
    files hold is run. Raises InputError for files that are missing, damaged or hold code, and for networks that are
    not DeepSDF's: those with layer normalisation, with the point at every layer, or with layers of different widths.
    """
    specs, name = _specs(folder / SPECS), _checkpoint(folder)
    parts, code, path = specs["NetworkSpecs"], specs["CodeLength"], folder / WEIGHTS / name
    layers = _layers(path, _tensors(path, "model_state_dict"), _shapes(3 + code, parts["dims"], parts["latent_in"]))
    codes = _codes(folder / CODES / name, code)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network = MLP(
            3 + code, 1, parts["dims"][0], len(parts["dims"]), Relu(), skip=tuple(parts["latent_in"]), final=Tanh()
        )
        decoder = LatentDecoder(Identity(), network, code, modulated=False)
        space = ShapeSpace(decoder, [Member(shape) for shape in _names(folder, specs, len(codes))])
        for number, (layer, (weight, bias)) in enumerate(zip(network.layers, layers, strict=True)):
            enters = number in (0, *network.skip)
            layer.weight.copy_(_points_first(weight, code) if enters else weight)  # type: ignore[operator, union-attr]
            layer.bias.copy_(bias)  # type: ignore[operator, union-attr]
        space.codes.copy_(codes)
    return space.eval().requires_grad_(False)


def _specs(path: Path) -> dict[str, Any]:
    specs = read_json(path)
    parts = specs.get("NetworkSpecs") if isinstance(specs, dict) else None
    if not isinstance(parts, dict) or not _is_size(specs.get("CodeLength"), WIDEST):
        raise InputError(path, "holds no NetworkSpecs or no CodeLength of DeepSDF's", "name an experiment of DeepSDF")
    parts = {**parts, "dims": parts.get("dims"), "latent_in": parts.get("latent_in") or []}
    _check_network(path, parts, 3 + specs["CodeLength"])
    return {**specs, "NetworkSpecs": parts}


def _check_network(path: Path, parts: dict[str, Any], inputs: int) -> None:
    """Raises InputError unless it is a network that can be told of here."""
    unknown = "only DeepSDF's published network is known here"
    widths, skip = parts["dims"], parts["latent_in"]
    if not isinstance(widths, list) or not 0 < len(widths) <= DEEPEST or not all(_is_size(w, WIDEST) for w in widths):
        raise InputError(path, f"its dims are {widths!s:.60}, no widths of layers", "mend the file")
    if not isinstance(skip, list) or not all(_is_size(layer, len(widths) - 1) for layer in skip):
        raise InputError(path, f"its latent_in is {skip!s:.60}, no numbers of hidden layers", "mend the file")
    if len(set(widths)) > 1:
        raise InputError(path, f"has hidden layers of different widths ({widths!s:.60})", unknown)
    if skip and inputs >= widths[0]:
        raise InputError(path, f"its layers of {widths[0]} have no room for {inputs} inputs", "mend the file")
    if not parts.get("weight_norm") and parts.get("norm_layers"):
        raise InputError(path, "has layer normalisation (norm_layers without weight_norm)", unknown)
    if parts.get("xyz_in_all"):
        raise InputError(path, "gives the point to every layer (xyz_in_all)", unknown)
    if parts.get("use_tanh"):
        raise InputError(path, "ends in a tanh of a tanh (use_tanh)", unknown)


def _checkpoint(folder: Path) -> str:
    """The name of the file that both folders hold: latest.pth, or that with the largest number."""
    for part in (WEIGHTS, CODES):
        if not (folder / part).is_dir():
            raise InputError(folder / part, "is missing", NEEDS)
    files = [{path.name for path in (folder / part).glob("*.pth")} for part in (WEIGHTS, CODES)]
    both = files[0] & files[1]
    numbered = sorted((name for name in both if name[:-4].isdigit()), key=lambda name: int(name[:-4]))
    if "latest.pth" in both or not numbered:
        for part in (WEIGHTS, CODES):
            if not (folder / part / "latest.pth").exists():
                raise InputError(folder / part / "latest.pth", "is missing", NEEDS)
        return "latest.pth"
    return numbered[-1]


def _tensors(path: Path, key: str) -> dict[str, Tensor]:
    """The tensors under a key of a file of torch.save; a lone one, or an old list of them, is called "weight"."""
    check_plain(path)
    try:
        with catch_warnings():
            simplefilter("ignore")  # about old formats, which are what is read here
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        reason = (
            "holds code or objects, which are never loaded" if "weights_only" in str(error).lower() else "is damaged"
        )
        raise InputError(path, reason, COPY) from None
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as error:
        raise InputError(path, f"is no file of torch ({' '.join(str(error).split()):.80})", COPY) from None
    found = content.get(key) if isinstance(content, dict) else None
    found = {"weight": found} if isinstance(found, Tensor) else found
    if not isinstance(found, dict) or not found:
        raise InputError(path, f"holds no {key}", COPY)
    return {str(name): _checked(path, str(name), value) for name, value in found.items()}


def _checked(path: Path, name: str, value: Any) -> Tensor:
    """A dense tensor of finite numbers that are all in the file."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or not value.is_floating_point():
        raise InputError(path, f"{name!r:.60} is no tensor of numbers", COPY)
    if value.untyped_storage().nbytes() < value.numel() * value.element_size():
        raise InputError(path, f"{name!r:.60} claims more numbers than the file holds", COPY)
    if not bool(value.isfinite().all()):
        raise InputError(path, f"{name!r:.60} has numbers that are not finite", COPY)
    return value.float()


def _shapes(inputs: int, widths: list[int], skip: list[int]) -> list[tuple[int, int]]:
    """(out, in) of each layer: the one before inputs come again is narrower by them."""
    outs = [width - inputs * (i + 1 in skip) for i, width in enumerate(widths)]
    return list(zip([*outs, 1], [inputs, *widths], strict=True))


def _layers(path: Path, state: dict[str, Tensor], shapes: list[tuple[int, int]]) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of each layer; of a normalised one g v / |v|, row by row (Salimans & Kingma 2016)."""
    state = {name.removeprefix("module."): value for name, value in state.items()}
    if odd := [name for name in state if name.startswith("bn")]:
        raise InputError(path, f"has layer normalisation ({odd[0]})", "only DeepSDF's published network is known here")
    found = []
    for number, shape in enumerate(shapes):
        parts = {part: state.get(f"lin{number}.{part}") for part in ("weight", "weight_g", "weight_v", "bias")}
        weight, g, v, bias = parts.values()
        if weight is None and g is not None and v is not None and v.shape == shape and g.shape == (shape[0], 1):
            weight = g * v / v.norm(dim=1, keepdim=True)
        if weight is None or bias is None or weight.shape != shape or bias.shape != shape[:1]:
            sizes = {part: tuple(value.shape) for part, value in parts.items() if value is not None}
            fault = f"lin{number} is {sizes or 'missing'}, where {SPECS} tells of {shape}"
            raise InputError(path, fault, f"take the {SPECS} that belongs to it")
        found.append((weight, bias))
    return found


def _points_first(weight: Tensor, code: int) -> Tensor:
    """Columns for [hidden, point, code]: DeepSDF has [hidden, code, point]."""
    hidden, of_code, of_point = weight.split([weight.shape[1] - code - 3, code, 3], dim=1)
    return torch.cat([hidden, of_point, of_code], 1)


def _codes(path: Path, width: int) -> Tensor:
    """(n, width), stored as they are, as n rows of one, or as an embedding's weight."""
    codes = _tensors(path, "latent_codes").get("weight")
    if (
        codes is None
        or codes.ndim < 2
        or codes.shape[-1] != width
        or codes.numel() != len(codes) * width
        or not len(codes)
    ):
        shape = None if codes is None else tuple(codes.shape)
        raise InputError(path, f"its codes are {shape}, not (n, {width})", f"take the {SPECS} that belongs to it")
    return codes.reshape(-1, width)


def _names(folder: Path, specs: dict[str, Any], count: int) -> list[str]:
    """As its split of training data lists them, {data set: {class: [shape]}}, looked for around the experiment."""
    split = specs.get("TrainSplit")
    places = [place / split for place in (folder, *folder.resolve().parents)] if isinstance(split, str) else []
    for path in places:
        with suppress(InputError, AttributeError, TypeError):
            names = [str(name) for group in read_json(path).values() for part in group.values() for name in part]
            if len(names) == count == len(set(names)):
                return names
    return [f"{number:05d}" for number in range(count)]


def _is_size(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
