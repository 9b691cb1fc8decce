"""A wall of even thickness around triangles, whether they have an inside or not."""

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.field import Field
from isofield.frame import UnitFrame
from isofield.mesh.distance import MeshDistance


class ShellField(Field):
    """Unsigned distance to a mesh minus half the thickness; lengths in the unit frame, rims rounded."""

    lipschitz = 1.0

    def __init__(self, mesh_distance: MeshDistance, thickness: float, frame: UnitFrame | None = None):
        self.mesh_distance, self.thickness = mesh_distance, thickness
        self.frame = frame or UnitFrame()

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        distance = self.mesh_distance.closest(points.detach().cpu().numpy()).distance - self.thickness / 2
        return torch.as_tensor(distance, dtype=points.dtype, device=points.device)
