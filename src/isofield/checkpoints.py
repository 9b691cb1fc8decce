"""Checkpoint folders: staged whole, and verified before they are used.

Nothing but a digest tells damage: safetensors and torch.load both accept flipped bits.
"""

import hashlib
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isofield.errors import InputError
from isofield.files import check_plain, read_json, replacing_folder, write_json

if TYPE_CHECKING:
    from torch import Tensor

    from isofield.fields.saved import Saveable

FORMAT = 1  # of run folders and checkpoints
NAME = re.compile(r"checkpoint-(\d{8,})")
_MODEL, _STATE, _SEAL = "model.safetensors", "state.safetensors", "sha256_of_the_above"


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: the field's description and tensors, and the state that training goes on from."""

    folder: Path
    step: int
    spec: dict[str, Any]
    tensors: "dict[str, Tensor]"
    state: "dict[str, Tensor]"

    def field(self) -> "Saveable":
        """The field, or the space of many, that it holds."""
        from isofield.fields.saved import CLASSES, restore

        return restore(self.spec, self.tensors, str(self.folder), {**CLASSES, "GeoGen": _geogen})


def _geogen() -> "type[Saveable]":
    from isofield.models.geogen import GeoGen

    return GeoGen  # type: ignore[return-value]  # each of its latents is a field


def save_checkpoint(
    folder: str | Path, step: int, spec: dict[str, Any], tensors: "dict[str, Tensor]", state: "dict[str, Tensor]"
) -> None:
    """Write config.json (field, step, format, SHA-256 of each file), model.safetensors and state.safetensors.

    The folder appears whole or not at all. Raises as `isofield.files.replacing_folder` does.
    """
    with replacing_folder(folder) as staged:
        digests = {name: _write_tensors(staged / name, part) for name, part in ((_MODEL, tensors), (_STATE, state))}
        content = _as_read({"format": FORMAT, "step": step, "field": spec, "sha256": digests})
        write_json(staged / "config.json", {**content, _SEAL: _seal(content)})


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a checkpoint after verifying all of its files; raises InputError when one is damaged or missing."""
    folder = Path(folder)
    content = _verified_content(folder)
    parts = {name: _tensors(folder / name, content["sha256"][name]) for name in (_MODEL, _STATE)}
    return Checkpoint(folder, content["step"], content["field"], parts[_MODEL], parts[_STATE])


def list_checkpoints(run: Path) -> list[tuple[int, Path]]:
    """(step, folder) of each checkpoint of a run, oldest first; not verified."""
    found = ((NAME.fullmatch(path.name), path) for path in run.glob("checkpoint-*"))
    return sorted((int(match[1]), path) for match, path in found if match)


def newest_checkpoint(run: Path) -> Checkpoint | None:
    """The newest undamaged checkpoint of a run, None where there is none yet.

    A damaged one is reported as a warning and the one before is used. Raises InputError when all are damaged.
    """
    errors = []
    for _, path in reversed(list_checkpoints(run)):
        try:
            return load_checkpoint(path)
        except InputError as error:
            errors.append(error)
            warnings.warn(f"{error.where}: {error.fault}; the checkpoint before it is tried", stacklevel=2)
    if errors:
        raise InputError(run, f"no checkpoint is whole ({errors[0].fault})", "begin anew with --restart")
    return None


def digest_of(folder: Path) -> str:
    """SHA-256 of the newest checkpoint's description, which seals its tensors; folder: a run, or a checkpoint."""
    known = list_checkpoints(folder)
    return hashlib.sha256(((known[-1][1] if known else folder) / "config.json").read_bytes()).hexdigest()


def check_format(path: Path, version: Any) -> None:
    """Raise InputError for another format version than this one."""
    if version != FORMAT:
        fault = f"has format version {version!r}, and this isofield reads {FORMAT}"
        raise InputError(path, fault, "use the version of isofield that wrote it")


def _verified_content(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    content = read_json(path)
    if not isinstance(content, dict) or content.pop(_SEAL, None) != _seal(content):
        raise InputError(path, "is damaged (its SHA-256 differs)", "use another checkpoint")
    check_format(path, content.get("format"))
    step, digests = content.get("step"), content.get("sha256")
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise InputError(path, f"its step is {step!r}, no number of steps", "use another checkpoint")
    if not isinstance(content.get("field"), dict):
        raise InputError(path, "its description of the field is no object", "use another checkpoint")
    if (
        not isinstance(digests, dict)
        or set(digests) != {_MODEL, _STATE}
        or not all(isinstance(digest, str) for digest in digests.values())
    ):
        raise InputError(path, f"lists other files than {_MODEL} and {_STATE}", "use another checkpoint")
    return content


def _tensors(path: Path, digest: str) -> "dict[str, Tensor]":
    """The tensors of a verified file; those with one name twice are refused, since one of them would be lost."""
    from safetensors.torch import load

    data = _verified_bytes(path, digest)
    try:
        names = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")], object_pairs_hook=_without_repeats)
        tensors = load(data)
    except Exception as error:  # SafetensorError, and whatever else a file meets that another program wrote
        fault = f"is no safetensors file ({' '.join(str(error).split())[:100]})"
        raise InputError(path, fault, "use another checkpoint") from error
    assert len(tensors) == len(names.keys() - {"__metadata__"})
    return tensors


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name occurs twice")
    return names


def _verified_bytes(path: Path, digest: str) -> bytes:
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise InputError(path, "is a link that leads out of the checkpoint", "copy the file it leads to here")
    check_plain(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "use another checkpoint") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(path, "is damaged (its SHA-256 differs)", "use another checkpoint")
    return content


def _as_read(content: dict) -> dict:
    """As JSON gives it back: lists for tuples, names for keys."""
    return json.loads(json.dumps(content, allow_nan=False))


def _seal(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write_tensors(path: Path, tensors: "dict[str, Tensor]") -> str:
    from safetensors.torch import save

    content = save({name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()})
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
