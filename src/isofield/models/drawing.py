"""What draws the fields of new shapes: a shape space and a prior over its codes; a generator of another kind."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from isofield.errors import InputError
from isofield.fields.field import Field
from isofield.fields.space import ShapeField, ShapeSpace
from isofield.models.geogen import GeoGen
from isofield.models.priors import Mixture, Sampler


class Drawn(NamedTuple):
    """A new shape, its class where there are classes, and its style where a generator can take pictures of it."""

    field: Field
    label: str | None = None
    style: Float[Tensor, " latent"] | None = None


@runtime_checkable
class Generator(Protocol):
    """Draws fields. names: of the shapes it was trained on, whose fields it knows; none where it knows none."""

    names: list[str]

    def draw(self, seeds: Sequence[int], truncation: float) -> Drawn:
        """The same numbers give the same field. truncation: 1 draws all there is, 0 nothing but the mean."""
        ...

    def field(self, name: str) -> Field: ...


class LatentGenerator:
    """Draws latents of a generator that was trained from pictures, and knows the fields of no trained shapes."""

    def __init__(self, generator: GeoGen):
        self.generator = generator
        self.names: list[str] = []

    def field(self, name: str) -> Field:
        raise KeyError(name)

    def draw(self, seeds: Sequence[int], truncation: float) -> Drawn:
        return self.drawn(self.generator.latent(seeds, truncation))

    def drawn(self, style: Float[Tensor, " latent"]) -> Drawn:
        return Drawn(self.generator.field(style), style=style)


class SpaceGenerator:
    """Draws codes of shape and of colour together, of one class or of all, by how many shapes each has.

    A sampler is fitted to each class apart where every shape of the space has one, whether its decoder is told or not.
    Raises InputError for an unknown label.
    """

    def __init__(self, space: ShapeSpace, sampler: Sampler | None = None, label: str | None = None):
        self.space, self.sampler, self.label = space, sampler or Mixture(), label
        labels = [member.label for member in space.members]
        self.labels = [] if None in labels else sorted({str(found) for found in labels})
        if label is not None and label not in self.labels:
            known = f"name one of {', '.join(self.labels)}" if self.labels else "leave it out: this space has none"
            raise InputError("--class", f"{label!r} is unknown here", known)
        self.classes = torch.tensor([self.labels.index(str(found)) for found in labels] if self.labels else [])
        self.names = [member.name for member in space.members if label in (None, member.label)]
        codes = space.codes if space.hues is None else torch.cat([space.codes, space.hues], 1)
        self.sampler.fit(codes.detach(), self.classes if self.labels else None)

    def field(self, name: str) -> ShapeField:
        return self.space.field(name)

    def draw(self, seeds: Sequence[int], truncation: float) -> Drawn:
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seeds).generate_state(1)[0]))
        condition, label = self._class(generator), self.label
        if condition is not None:
            label = self.labels[int(condition)]
        drawn = self.sampler.sample(1, condition, truncation=truncation, generator=generator)[0]
        code, hue = drawn.split([self.space.code, len(drawn) - self.space.code])
        return Drawn(self.space.decode(code, label, hue if self.space.has_color else None), label)

    def _class(self, generator: torch.Generator) -> Tensor | None:
        if not self.labels:
            return None
        if self.label is not None:
            return torch.tensor([self.labels.index(self.label)])
        return self.classes[torch.randint(len(self.classes), (1,), generator=generator)]
