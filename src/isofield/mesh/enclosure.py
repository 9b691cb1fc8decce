"""Does a set of triangles enclose anything, and where? Asked of the winding number on both sides of points on it."""

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Shaped

from isofield.frame import UnitFrame
from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.cleanup import clean_faces
from isofield.mesh.distance import MeshDistance

PROBES, STEP = 2000, 1e-4  # points on a mesh, and how far from it their sides are asked


@dataclass(frozen=True)
class Sides:
    """Generalised winding numbers a small step behind and in front of points (n,), by the way their faces look.

    Behind and in front: 1 and 0 on a closed surface, +-0.5 on a flat sheet, 2 and 1 on a wall within a solid.
    """

    behind: Float[np.ndarray, " n"]
    front: Float[np.ndarray, " n"]

    @property
    def encloses(self) -> Bool[np.ndarray, " n"]:
        """Where the mesh around a point bounds an inside, rather than being a sheet with two equal sides.

        The sum of both sides is 1 on a closed surface and 0 on a flat sheet; a hemisphere has 0.5 to 0.7.
        """
        return self.behind + self.front > 0.5

    @property
    def inner(self) -> Bool[np.ndarray, " n"]:
        """Where both sides are inside: doubled walls, parts that run into each other."""
        return (self.behind > 0.5) & (self.front > 0.5)


def sides(
    surface: MeshDistance, points: Shaped[np.ndarray, "n 3"], normals: Shaped[np.ndarray, "n 3"], step: float
) -> Sides:
    """Winding numbers at points moved by `step` against and along the normals."""
    return Sides(surface.winding_number(points - step * normals), surface.winding_number(points + step * normals))


def enclosed_share(mesh: trimesh.Trimesh, seed: int = 0) -> float:
    """Share of a mesh's area, by 2,000 points, around which it bounds an inside: 1 of a closed one, 0 of a sheet."""
    frame = UnitFrame.of(np.asarray(mesh.vertices)[np.unique(mesh.faces)])
    vertices = frame.to_unit(mesh.vertices)
    faces = clean_faces(vertices, np.asarray(mesh.faces))[0]
    if not len(faces):
        return 0.0
    points, face = sample_surface(trimesh.Trimesh(vertices, faces, process=False), PROBES, seed)
    both = sides(MeshDistance(vertices, faces), points, face_normals(vertices, faces)[face], STEP)
    return float(both.encloses.mean())
