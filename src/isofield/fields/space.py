"""Shape spaces: one decoder for a family of shapes, a code for each, and every code a field."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from isofield.errors import InputError
from isofield.fields.classes import ClassTable
from isofield.fields.decoder import ColorBranch, LatentDecoder
from isofield.fields.field import Field
from isofield.frame import UnitFrame

if TYPE_CHECKING:
    from isofield.tasks.reconstruct import Reconstruction


@dataclass(frozen=True)
class Member:
    """A shape of the space: its name, its class where it has one, and the way back to its own coordinates."""

    name: str
    label: str | None = None
    frame: UnitFrame = field(default_factory=UnitFrame)


class ShapeField(nn.Module, Field):
    """One code of a shape space; outside its box, plus the distance to the box.

    latent (c,): what the decoder is given: the code of the shape and, in spaces with classes, the vector of its class.
    hue (k,): its code of colour, empty in spaces without. Both may require gradients: the field is differentiable by
    them.
    """

    latent: Tensor
    hue: Tensor

    def __init__(
        self,
        decoder: LatentDecoder,
        latent: Float[Tensor, " c"],
        painter: ColorBranch | None = None,
        hue: Float[Tensor, " k"] | None = None,
        frame: UnitFrame | None = None,
    ):
        super().__init__()
        self.decoder, self.painter, self.frame = decoder, painter, frame or UnitFrame()
        self.register_buffer("latent", latent)
        self.register_buffer("hue", latent[:0] if hue is None else hue)

    @property
    def has_color(self) -> bool:  # type: ignore[override]
        return self.painter is not None

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        inside = points.clamp(-1, 1)
        value = self.decoder(inside[None], self.latent[None])[0]
        outside = (points != inside).any(1)
        if not bool(outside.any()):
            return value
        return value.index_add(0, outside.nonzero()[:, 0], (points - inside)[outside].norm(dim=1))

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        if self.painter is None:
            return super().color(points, directions)
        features = self.decoder.decode(points.clamp(-1, 1)[None], self.latent[None]).features
        return self.painter(features, self.hue[None], None if directions is None else directions[None])[0]

    def spec(self) -> dict[str, Any]:
        painter = self.painter.spec() if self.painter else None
        return {
            "type": "ShapeField",
            "frame": self.frame.to_json(),
            "decoder": self.decoder.spec(),
            "painter": painter,
        }

    def tensors(self) -> dict[str, Tensor]:
        return _stored(self)

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "ShapeField":
        painter = ColorBranch(**spec["painter"]) if spec["painter"] else None
        frame = UnitFrame.from_json(spec["frame"])
        shape = cls(LatentDecoder.restore(spec["decoder"]), tensors["latent"], painter, tensors["hue"], frame)
        shape.load_state_dict(tensors)
        return shape.eval().requires_grad_(False)


class ShapeSpace(nn.Module):
    """A decoder and the codes of the shapes that it was trained on.

    codes (n, c), hues (n, k): of shape and of colour. classes: a vector for each class, which the decoder is given
    beside the code. difficulty (n,): running mean of the loss of each shape, by which hard ones are drawn more often.
    """

    difficulty: Tensor

    def __init__(
        self,
        decoder: LatentDecoder,
        members: Sequence[Member],
        *,
        classes: ClassTable | None = None,
        painter: ColorBranch | None = None,
    ):
        super().__init__()
        self.decoder, self.members, self.classes, self.painter = decoder, list(members), classes, painter
        count, self.code = len(self.members), decoder.code - (classes.width if classes else 0)
        self.codes = nn.Parameter(torch.randn(count, self.code) / math.sqrt(self.code))
        self.hues = nn.Parameter(torch.randn(count, painter.code) / math.sqrt(painter.code)) if painter else None
        self.register_buffer("difficulty", torch.zeros(count))
        kinds = classes.labels if classes else ()
        if unknown := [m.name for m in self.members if classes and m.label not in kinds]:
            raise ValueError(f"{unknown[0]} is of none of the classes {kinds}")
        self._class_of = torch.tensor([kinds.index(m.label) for m in self.members if m.label in kinds])

    @classmethod
    def load(cls, run: str | Path) -> "ShapeSpace":
        """The space of a run of `isofield train auto-decoder`, or of an experiment of DeepSDF; raises InputError."""
        from isofield.runs import load_space

        return load_space(run)

    def __len__(self) -> int:
        return len(self.members)

    @property
    def names(self) -> list[str]:
        return [member.name for member in self.members]

    @property
    def has_color(self) -> bool:
        return self.painter is not None

    def latents(self, shapes: Int[Tensor, " s"]) -> Float[Tensor, "s c"]:
        """What the decoder is given for trained shapes: their codes and, where there are classes, those's vectors."""
        codes = self.codes[shapes]
        return codes if self.classes is None else torch.cat([codes, self.classes(self._class_of[shapes])], 1)

    def latent(self, code: Float[Tensor, " c"], label: str | None = None) -> Float[Tensor, " l"]:
        """The same for any code, and any class by its name. Raises InputError for an unknown or missing class."""
        return code if self.classes is None else torch.cat([code, self.classes.vector(label)])

    def forward(self, points: Float[Tensor, "s p 3"], shapes: Int[Tensor, " s"]) -> Float[Tensor, "s p"]:
        """Signed distance at points of each of the trained shapes, given by their numbers."""
        return self.decoder(points, self.latents(shapes))

    def decode(
        self,
        code: Float[Tensor, " c"],
        label: str | None = None,
        hue: Float[Tensor, " k"] | None = None,
        frame: UnitFrame | None = None,
    ) -> ShapeField:
        """The field of any code, differentiable by it. label: its class, in spaces with classes. hue: its code of
        colour, by default the mean of those of the trained shapes."""
        if hue is None and self.hues is not None:
            hue = self.hues.mean(0).detach()
        return ShapeField(self.decoder, self.latent(code, label), self.painter, hue, frame)

    def number(self, name: str) -> int:
        """Where a shape stands among the trained ones; raises InputError for an unknown name."""
        if name not in self.names:
            some = ", ".join(self.names[:3])
            fault, remedy = "is not in this space", f"name one of its {len(self)}: {some} ..."
            raise InputError(f"shape {name!r}", fault, remedy)
        return self.names.index(name)

    def field(self, name: str) -> ShapeField:
        """The field of a trained shape, in its own coordinates; raises InputError for an unknown name."""
        i = self.number(name)
        hue = None if self.hues is None else self.hues[i].detach()
        return self.decode(self.codes[i].detach(), self.members[i].label, hue, self.members[i].frame)

    def interpolate(self, a: str | ShapeField, b: str | ShapeField, steps: int = 8) -> list[ShapeField]:
        """Fields from one shape to another, both included, their codes on a line. Shapes: fields of this space, or
        names of trained ones."""
        ends = [self.field(end) if isinstance(end, str) else end for end in (a, b)]
        return [combined(ends, (1 - t, t)) for t in np.linspace(0, 1, steps).tolist()]

    def sample(
        self, n: int, *, seed: int = 0, label: str | None = None, truncation: float = 0.7, sampler: Any = None
    ) -> list[Field]:
        """Fields of new shapes, in the unit frame: what `isofield generate --seed` draws.

        label: of one class only. sampler: a prior, not yet fitted; by default `isofield.models.priors.Mixture()`.
        """
        from isofield.models.drawing import SpaceGenerator

        generator = SpaceGenerator(self, sampler, label)
        return [generator.draw((seed, i, 0), truncation).field for i in range(n)]

    def reconstruct(
        self, points: Shaped[np.ndarray, "n 3"], normals: Shaped[np.ndarray, "n 3"] | None = None, **options: Any
    ) -> "Reconstruction":
        """The shape that explains points of its surface, and outward normals there where known, best: see
        `isofield.tasks.reconstruct.reconstruct_points`, which takes the options."""
        from isofield.tasks.reconstruct import reconstruct_points

        return reconstruct_points(self, points, normals, **options)

    def spec(self) -> dict[str, Any]:
        return {
            "type": "ShapeSpace",
            "frame": UnitFrame().to_json(),
            "decoder": self.decoder.spec(),
            "painter": self.painter.spec() if self.painter else None,
            "classes": self.classes.spec() if self.classes else None,
            "shapes": [{"name": m.name, "label": m.label, "frame": m.frame.to_json()} for m in self.members],
        }

    def tensors(self) -> dict[str, Tensor]:
        return _stored(self)

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "ShapeSpace":
        members = [Member(s["name"], s["label"], UnitFrame.from_json(s["frame"])) for s in spec["shapes"]]
        painter = ColorBranch(**spec["painter"]) if spec["painter"] else None
        classes = ClassTable.restore(spec["classes"]) if spec["classes"] else None
        with torch.random.fork_rng(devices=[]):
            space = cls(LatentDecoder.restore(spec["decoder"]), members, classes=classes, painter=painter)
        space.load_state_dict({name: value.float() for name, value in tensors.items()})
        return space.eval().requires_grad_(False)


def combined(shapes: Sequence[ShapeField], weights: Sequence[float | int]) -> ShapeField:
    """The shape whose codes are the sum of those of some shapes of one space, weighted; so is its place, and its size
    is the product of theirs to the power of the weights. Weights that add up to 1 give a shape of the space."""

    def total(vectors: list[Tensor]) -> Tensor:
        return (torch.stack(vectors) * torch.tensor(weights)[:, None]).sum(0)

    x, y, z = (np.array(weights) @ np.array([shape.frame.center for shape in shapes])).tolist()
    frame = UnitFrame((x, y, z), math.prod(shape.frame.scale**w for shape, w in zip(shapes, weights, strict=True)))
    latent, hue = total([shape.latent for shape in shapes]), total([shape.hue for shape in shapes])
    return ShapeField(shapes[0].decoder, latent, shapes[0].painter, hue, frame)


def _stored(module: nn.Module) -> dict[str, Tensor]:
    """Weights as they are stored: hash tables as float16, the rest as they are."""
    return {
        name: (value.half() if name.endswith(".table") else value).detach().cpu().contiguous()
        for name, value in module.state_dict().items()
    }
