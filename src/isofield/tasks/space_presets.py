"""What a shape space is made of: presets, the options that change them, and a fresh space for a store."""

from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from isofield.errors import InputError
from isofield.fields.activations import Activation, Relu, Sine, Softplus
from isofield.fields.classes import ClassTable
from isofield.fields.decoder import ColorBranch, LatentDecoder
from isofield.fields.descriptors import Ngrams, text_model
from isofield.fields.encodings import Encoding, FourierFeatures, Identity, PositionalCode
from isofield.fields.mlp import MLP, deepsdf_decoder
from isofield.fields.space import Member, ShapeSpace
from isofield.samples.store import SampleStore
from isofield.settings.families import TrainSpaceSettings
from isofield.tasks.choice import ACTIVATIONS, ENCODINGS
from isofield.tasks.raw_shapes import unsigned_shapes
from isofield.tasks.sample import read_table
from isofield.tasks.space_objectives import (
    SharedDistances,
    deepsdf_recipe,
    seed_recipe,
    sign_agnostic_recipe,
)

WAVE_RATE = 5e-4  # of networks of waves
HUES = 16  # numbers in a code of colour


@dataclass(frozen=True)
class Preset:
    """What a shape space is made of, and how it is trained."""

    encoding: Encoding
    activation: Activation
    width: int
    depth: int
    code: int
    recipe: SharedDistances
    modulated: bool = True

    def decoder(self, latent: int) -> LatentDecoder:
        """latent: numbers that the decoder is given: code and vector of the class."""
        inputs = self.encoding.width + latent * (not self.modulated)
        skip = () if self.modulated or inputs >= self.width or self.depth < 2 else (self.depth // 2,)
        coordinates = self.encoding.coordinates
        network = MLP(inputs, 1, self.width, self.depth, deepcopy(self.activation), skip=skip, coordinates=coordinates)
        return LatentDecoder(self.encoding, network, latent, self.modulated)


@dataclass(frozen=True)
class DeepSdf(Preset):
    """With weight norm, dropout and tanh, as published, where width and depth are its own."""

    def decoder(self, latent: int) -> LatentDecoder:
        spec = deepsdf_decoder(3 + latent).spec()
        skip = [self.depth // 2] if self.depth > 1 and 3 + latent < self.width else []
        network = MLP.restore({**spec, "width": self.width, "depth": self.depth, "skip": skip})
        return LatentDecoder(self.encoding, network, latent, self.modulated)


def preset(name: str) -> Preset:
    """default, deepsdf, seed or sal."""
    if name == "deepsdf":
        return DeepSdf(Identity(), Relu(), 512, 8, 256, deepsdf_recipe(), modulated=False)
    if name == "seed":
        return Preset(FourierFeatures(), Sine(), 256, 4, 256, seed_recipe())
    if name == "sal":
        return Preset(PositionalCode(5), Softplus(), 128, 4, 64, sign_agnostic_recipe())
    return Preset(PositionalCode(5), Relu(), 192, 4, 64, SharedDistances(), modulated=False)


def chosen(settings: TrainSpaceSettings, store: SampleStore) -> Preset:
    """The preset of the options, with the parts that they change; `sal` by default where most shapes have no sign."""
    base = preset(preset_name(settings, store))
    if settings.encoding is not None:
        base = replace(base, encoding=ENCODINGS[settings.encoding]())
    if settings.activation is not None:
        base = replace(base, activation=ACTIVATIONS[settings.activation]())
    sizes = {name: getattr(settings, name) for name in ("width", "depth", "code")}
    parts = {name: getattr(settings, name) for name in ("shapes", "points", "balance")}
    parts |= {"normal_weight": settings.normals, "eikonal_weight": settings.eikonal}
    if settings.activation in ("sine", "hosc"):
        parts |= {"rate": WAVE_RATE}
    recipe = replace(base.recipe, **{name: value for name, value in parts.items() if value is not None})
    return replace(base, recipe=recipe, **{name: value for name, value in sizes.items() if value is not None})


def preset_name(settings: TrainSpaceSettings, store: SampleStore) -> str:
    mostly_unsigned = 2 * len(unsigned_shapes(store)) > len(store)
    return "sal" if settings.preset == "default" and mostly_unsigned else settings.preset


def new_space(made: Preset, store: SampleStore, classes: ClassTable | None = None, color: str = "none") -> ShapeSpace:
    """The space of a preset for the shapes of a store, drawn from torch's global generator.

    color: none, plain or directed. Raises InputError where no shape of the store has colours.
    """
    members = [Member(shape.name, shape.label, shape.frame) for shape in store.shapes]
    decoder = made.decoder(made.code + (classes.width if classes else 0))
    painter = None
    if color != "none":
        if not any("colors" in shape.columns for shape in store.shapes):
            raise InputError(
                "--color", f"no shape of {store.folder} has colours", "train without, or sample coloured ones"
            )
        painter = ColorBranch(decoder.network.width, HUES, directed=color == "directed")
    return ShapeSpace(decoder, members, classes=classes, painter=painter)


def class_table(store: SampleStore, settings: TrainSpaceSettings) -> ClassTable | None:
    """What the options tell a decoder of the classes in a store; learned vectors are drawn from torch's generator.

    Raises InputError where a shape has no class, a class no description, or a text model cannot be loaded.
    """
    if settings.classes == "none":
        return None
    if bare := [shape.name for shape in store.shapes if shape.label is None]:
        raise InputError("--classes", f"{bare[0]} has none", "sample with --classes, or from a folder for each class")
    labels = sorted({str(shape.label) for shape in store.shapes})
    if settings.classes == "text":
        texts = _texts(labels, settings.descriptions)
        describe = text_model(settings.text_model) if settings.text_model else Ngrams()
        return ClassTable.described(labels, lambda label: describe(texts[label]))
    return ClassTable.one_hot(labels) if settings.classes == "one-hot" else ClassTable.embedded(labels)


def _texts(labels: list[str], descriptions: Path | None) -> dict[str, str]:
    """The name of each class, and its description where there is a file of them."""
    if descriptions is None:
        return {label: label for label in labels}
    given = read_table(descriptions)
    if missing := [label for label in labels if label not in given]:
        raise InputError(descriptions, f"does not describe {missing[0]}", "add a line for each class")
    return {label: f"{label}, {given[label]}" for label in labels}
