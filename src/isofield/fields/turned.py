"""A field turned about the origin of the unit frame."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.field import Field
from isofield.fields.saved import Saveable, restore
from isofield.frame import UnitFrame


class TurnedField(nn.Module, Field):
    """f(rotation x), and likewise its colour: shapes of a space that lie turned where they were scanned.

    The way back to the user's coordinates is its own, not that of the field which it turns.
    """

    rotation: Tensor

    def __init__(self, inner: Field, rotation: Float[Tensor, "3 3"], frame: UnitFrame):
        super().__init__()
        self.inner, self.frame, self.has_color, self.lipschitz = inner, frame, inner.has_color, inner.lipschitz
        self.register_buffer("rotation", rotation)

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.inner.sdf(points @ self.rotation.T)

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        seen = None if directions is None else directions @ self.rotation.T
        return self.inner.color(points @ self.rotation.T, seen)

    def spec(self) -> dict[str, Any]:
        assert isinstance(self.inner, Saveable)
        return {"type": "TurnedField", "frame": self.frame.to_json(), "inner": self.inner.spec()}

    def tensors(self) -> dict[str, Tensor]:
        assert isinstance(self.inner, Saveable)
        return {"rotation": self.rotation, **{f"inner.{name}": t for name, t in self.inner.tensors().items()}}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "TurnedField":
        inner = restore(
            spec["inner"], {k.removeprefix("inner."): t for k, t in tensors.items() if k.startswith("inner.")}
        )
        assert isinstance(inner, Field)
        return cls(inner, tensors["rotation"].to(torch.float32), UnitFrame.from_json(spec["frame"]))
