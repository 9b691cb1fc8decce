"""What a surface says about itself close by: on which side a point is, and which plane it touches there."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped

from isofield.fields.field import CHUNK, Field, gradient, sdf_numpy
from isofield.mesh.area import face_normals
from isofield.mesh.distance import MeshDistance
from isofield.mesh.outer import within


class Planes(NamedTuple):
    """Tangent planes near points: a point (n, 3) of each, its unit normal (n, 3), how far the point asked was (n,)."""

    point: Float[np.ndarray, "n 3"]
    normal: Float[np.ndarray, "n 3"]
    distance: Float[np.ndarray, " n"]


class Surface(ABC):
    """Lengths in the unit frame."""

    @abstractmethod
    def inside(self, points: Shaped[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]: ...

    @abstractmethod
    def planes(self, points: Shaped[np.ndarray, "n 3"]) -> Planes: ...


class MeshSurface(Surface):
    """The triangles themselves: the closest point of the mesh and the normal of its face.

    Next to a wall within the solid there is no surface: planes there are infinitely far away.
    """

    def __init__(self, mesh: MeshDistance):
        self.mesh = mesh
        self.normals = face_normals(mesh.vertices, mesh.faces)
        self.inner = within(mesh, mesh.vertices[mesh.faces], self.normals)[0]

    def inside(self, points: Shaped[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        return self.mesh.sign(points) < 0

    def planes(self, points: Shaped[np.ndarray, "n 3"]) -> Planes:
        near = self.mesh.closest(points)
        distance = np.where(self.inner[near.face], np.inf, near.distance)
        return Planes(near.point, self.normals[near.face], distance)


class FieldSurface(Surface):
    """The zero level of a differentiable field: one Newton step along its gradient."""

    def __init__(self, field: Field):
        self.field = field

    def inside(self, points: Shaped[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        return sdf_numpy(self.field, points) < 0

    def planes(self, points: Shaped[np.ndarray, "n 3"]) -> Planes:
        slope = np.empty((len(points), 3))
        for i in range(0, len(points), CHUNK):
            part = torch.as_tensor(np.ascontiguousarray(points[i : i + CHUNK], np.float32))
            slope[i : i + CHUNK] = gradient(self.field, part).detach().cpu().numpy()
        length = np.maximum(np.linalg.norm(slope, axis=1), 1e-12)
        normal = slope / length[:, None]
        distance = sdf_numpy(self.field, points) / length
        return Planes(points - distance[:, None] * normal, normal, np.abs(distance))
