"""The exact distance to a mesh, as a field."""

from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from isofield.errors import InputError
from isofield.fields.field import Field
from isofield.frame import UnitFrame
from isofield.mesh.cleanup import clean_faces
from isofield.mesh.color import barycentric, color_kind, surface_colors
from isofield.mesh.distance import MeshDistance

INSET = 1e-3  # corner colours are taken so far inside their face, where no other chart of the texture is met


class ExactField(Field):
    """Signed distance to triangles given in the unit frame; exact to float32, not differentiable.

    colors: sRGB of each face's corners, interpolated over the face.
    """

    lipschitz = 1.0  # holds for closed meshes; where the winding number is unsure the sign may jump

    def __init__(
        self,
        vertices: Shaped[np.ndarray, "v 3"],
        faces: Shaped[np.ndarray, "f 3"],
        frame: UnitFrame | None = None,
        colors: UInt8[np.ndarray, "f 3 3"] | None = None,
    ):
        self.mesh_distance = MeshDistance(vertices, faces)
        self.frame = frame or UnitFrame()
        self.colors = colors
        self.has_color = colors is not None

    @classmethod
    def of(cls, mesh: trimesh.Trimesh) -> "ExactField":
        """The distance to a mesh in the user's coordinates, its faces cleaned (`clean_faces`).

        Raises InputError where no triangle has an area.
        """
        frame = UnitFrame.of(np.asarray(mesh.vertices)[np.unique(mesh.faces)])
        vertices = frame.to_unit(mesh.vertices)
        faces, cleaned = clean_faces(vertices, np.asarray(mesh.faces))
        if not len(faces):
            raise InputError("mesh", "none of its triangles has an area", "give a mesh with a surface")
        if color_kind(mesh) == "none":
            return cls(vertices, faces, frame)
        corners = np.asarray(mesh.vertices)[faces]
        corners = corners + INSET * (corners.mean(1, keepdims=True) - corners)
        colors = surface_colors(mesh, np.repeat(cleaned.kept, 3), corners.reshape(-1, 3)).reshape(-1, 3, 3)
        return cls(vertices, faces, frame, np.round(colors * 255).astype(np.uint8))

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        distance = self.mesh_distance.signed(points.detach().cpu().numpy())
        return torch.as_tensor(distance, dtype=points.dtype, device=points.device)

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        if self.colors is None:
            return super().color(points, directions)
        near = self.mesh_distance.closest(points.detach().cpu().numpy())
        corners = self.mesh_distance.vertices[self.mesh_distance.faces[near.face]]
        mixed = np.einsum("nc,ncd->nd", barycentric(corners, near.point), self.colors[near.face] / 255.0)
        return torch.as_tensor(mixed.clip(0, 1), dtype=points.dtype, device=points.device)

    def spec(self) -> dict[str, Any]:
        """What beside `tensors()` describes this field, as JSON."""
        return {"type": "ExactField", "frame": self.frame.to_json(), "bounds": self.bounds}

    def tensors(self) -> dict[str, Tensor]:
        """Vertices (v, 3), float64 in the unit frame, faces (f, 3), int64, and any colours (f, 3, 3), uint8."""
        mesh = self.mesh_distance
        tensors = {"vertices": torch.as_tensor(mesh.vertices), "faces": torch.as_tensor(mesh.faces)}
        return tensors if self.colors is None else {**tensors, "colors": torch.as_tensor(self.colors)}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "ExactField":
        """The inverse of `spec` and `tensors`."""
        colors = tensors["colors"].numpy() if "colors" in tensors else None
        vertices, faces = tensors["vertices"].numpy(), tensors["faces"].numpy()
        if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
            raise ValueError(f"vertices {vertices.shape} and faces {faces.shape} are no triangles")
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise ValueError(f"its faces use vertex {faces.max()} of {len(vertices)}")
        if colors is not None and colors.shape != (len(faces), 3, 3):
            raise ValueError(f"colors {colors.shape} are not those of {len(faces)} faces")
        field = cls(vertices, faces, UnitFrame.from_json(spec["frame"]), colors)
        low, high = spec["bounds"]
        field.bounds = (tuple(low), tuple(high))
        return field
