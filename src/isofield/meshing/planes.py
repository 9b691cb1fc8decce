"""What a surface says about itself close by: on which side a point is, and which plane it touches there."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped

from isofield.fields.field import CHUNK, Field, gradient, sdf_numpy
from isofield.mesh.area import face_normals
from isofield.mesh.distance import MeshDistance
from isofield.mesh.enclosure import sides

STEP = 1e-4  # of the mesh's size: how far beside a face its two sides are asked
NEARLY = 0.1  # of the way from a corner of a face to its middle


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
        self.inner = _inner_faces(mesh, self.normals)

    def inside(self, points: Shaped[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        return self.mesh.sign(points) < 0

    def planes(self, points: Shaped[np.ndarray, "n 3"]) -> Planes:
        near = self.mesh.closest(points)
        distance = np.where(self.inner[near.face], np.inf, near.distance)
        return Planes(near.point, self.normals[near.face], distance)


def _inner_faces(mesh: MeshDistance, normals: np.ndarray) -> Bool[np.ndarray, " f"]:
    """Faces with the inside on both sides, in their middle and near their corners."""
    corners = mesh.vertices[mesh.faces]
    center = corners.mean(1)
    rows = np.arange(len(center))
    step = STEP * float(np.ptp(mesh.vertices, axis=0).max())
    for points in (center, *np.moveaxis(corners + NEARLY * (center[:, None] - corners), 1, 0)):
        rows = rows[sides(mesh, points[rows], normals[rows], step).inner]
    inner = np.zeros(len(center), bool)
    inner[rows] = True
    return inner


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
