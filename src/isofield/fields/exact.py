"""The exact distance to a mesh, as a field."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from isofield.fields.field import Field
from isofield.frame import UnitFrame
from isofield.mesh.distance import MeshDistance


class ExactField(Field):
    """Signed distance to triangles given in the unit frame; exact to float32, not differentiable."""

    lipschitz = 1.0  # holds for closed meshes; where the winding number is unsure the sign may jump

    def __init__(
        self, vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"], frame: UnitFrame | None = None
    ):
        self.mesh_distance = MeshDistance(vertices, faces)
        self.frame = frame or UnitFrame()

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        distance = self.mesh_distance.signed(points.detach().cpu().numpy())
        return torch.as_tensor(distance, dtype=points.dtype, device=points.device)

    def spec(self) -> dict[str, Any]:
        """What beside `tensors()` describes this field, as JSON."""
        return {"type": "ExactField", "frame": self.frame.to_json(), "bounds": self.bounds}

    def tensors(self) -> dict[str, Tensor]:
        """Vertices (v, 3), float64 in the unit frame, and faces (f, 3), int64."""
        mesh = self.mesh_distance
        return {"vertices": torch.as_tensor(mesh.vertices), "faces": torch.as_tensor(mesh.faces)}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "ExactField":
        """The inverse of `spec` and `tensors`."""
        field = cls(tensors["vertices"].numpy(), tensors["faces"].numpy(), UnitFrame.from_json(spec["frame"]))
        low, high = spec["bounds"]
        field.bounds = (tuple(low), tuple(high))
        return field
