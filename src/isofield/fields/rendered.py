"""The field that is learned from pictures: a ball and what a hash grid adds to it, a colour, and a density."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.density import Density, GradualLaplaceDensity, restore_density
from isofield.fields.field import Field
from isofield.fields.hash_grid import HashGrid
from isofield.fields.neural import NeuralField, default_color
from isofield.frame import UnitFrame


class RenderedField(nn.Module, Field):
    """|p| - radius + residual(p), the residual zero at the start; nothing is outside the unit ball.

    residual: its `sdf` is the residual, its `color` the colour; density: for volume rendering, learned with it.
    """

    has_color = True

    def __init__(
        self,
        residual: NeuralField | None = None,
        density: Density | None = None,
        *,
        radius: float = 0.5,
        frame: UnitFrame | None = None,
    ):
        super().__init__()
        self.residual = residual or NeuralField(HashGrid(log2_entries=15), color=default_color())
        self.density = density or GradualLaplaceDensity(0.05, floor=5e-4)
        self.radius, self.frame = radius, frame or UnitFrame()
        if residual is None:
            for parameter in self.residual.network.layers[-1].parameters():
                nn.init.zeros_(parameter)

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        length = points.norm(dim=1)
        return torch.maximum(self.residual.sdf(points.clamp(-1, 1)) + (length - self.radius), length - 1)

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        return self.residual.color(points, directions)

    def spec(self) -> dict[str, Any]:
        return {
            "type": "RenderedField",
            "frame": self.frame.to_json(),
            "radius": self.radius,
            "residual": self.residual.spec(),
            "density": self.density.spec(),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Weights as they are stored: hash tables as float16, the rest as float32."""
        stored = {f"residual.{name}": value for name, value in self.residual.tensors().items()}
        scales = {f"density.{name}": value for name, value in self.density.state_dict().items()}
        return stored | {name: value.detach().cpu().contiguous() for name, value in scales.items()}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "RenderedField":
        parts: dict[str, dict[str, Tensor]] = {"residual": {}, "density": {}}
        for name, value in tensors.items():
            part, own = name.split(".", 1)
            parts[part][own] = value
        residual = NeuralField.restore(spec["residual"], parts["residual"])
        density = restore_density(spec["density"])
        density.load_state_dict(parts["density"])
        return cls(residual, density, radius=spec["radius"], frame=UnitFrame.from_json(spec["frame"])).eval()
