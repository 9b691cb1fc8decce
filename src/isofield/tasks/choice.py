"""Which field a fit trains, from the options of the command line, and why."""

from isofield.fields.activations import Activation, Hosc, Relu, Sine, Softplus
from isofield.fields.encodings import Encoding, FourierFeatures, Identity, PositionalCode
from isofield.fields.hash_grid import HashGrid
from isofield.fields.neural import NeuralField, default_color
from isofield.settings.shapes import FitSettings
from isofield.tasks.objectives import Distances

ENCODINGS: dict[str, type[Encoding]] = {
    "hash": HashGrid, "fourier": FourierFeatures, "positional": PositionalCode, "none": Identity,
}  # fmt: skip
ACTIVATIONS: dict[str, type[Activation]] = {"relu": Relu, "softplus": Softplus, "sine": Sine, "hosc": Hosc}

WAVE_RATE = 1e-4  # SIREN's own (Sitzmann et al. 2020); at our usual one, waves of coordinates collapse to f = 0


def network(settings: FitSettings, colored: bool) -> NeuralField:
    """The field that the options describe, freshly initialised from torch's global generator."""
    width, depth = (32, 2) if settings.encoding == "hash" else (128, 4)
    return NeuralField(
        ENCODINGS[settings.encoding](),
        None if settings.activation == "relu" else ACTIVATIONS[settings.activation](),
        width=settings.width or width,
        depth=depth if settings.depth is None else settings.depth,
        color=default_color() if colored else None,
    )


def recipe(settings: FitSettings) -> Distances:
    """The recipe for that field: ours, slower where waves meet coordinates."""
    waves = settings.activation in ("sine", "hosc") and settings.encoding != "hash"
    return Distances(rate=WAVE_RATE) if waves else Distances()


def why(settings: FitSettings, colored: bool) -> str:
    """One sentence: what is fitted and what speaks for it."""
    color = "with colour, since the input has it" if colored else "without colour, since the input has none"
    if settings.method == "exact":
        return f"the exact distance itself, {color}: nothing is more accurate, but the mesh is stored with it"
    if settings.method == "grid":
        return f"a sparse grid of exact distances, {color}: no training, but megabytes, and accurate to its spacing"
    if settings.method == "sal":
        return f"a network by sign-agnostic learning, {color}, as asked: the faces need not agree about their sides"
    if settings.encoding == "hash":
        return f"a hash grid before a small network, {color}: the most accurate learned field for its time and size"
    return f"a network on {settings.encoding} encoding with {settings.activation}, {color}: as asked"
