"""Points spread over the area of triangles, and their normals."""

import numpy as np
import trimesh
from jaxtyping import Float, Integer, Num


def sample_surface(
    mesh: trimesh.Trimesh, count: int, seed: int = 0
) -> tuple[Float[np.ndarray, "n 3"], Integer[np.ndarray, " n"]]:
    """Points spread evenly over the area of the mesh, and the face of each; the same for the same seed."""
    return spread(np.random.default_rng(seed), np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces), count)


def face_normals(vertices: Num[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]) -> Float[np.ndarray, "f 3"]:
    """Unit normals by the right-hand rule; zero where a face has no area."""
    a, b, c = np.moveaxis(np.asarray(vertices, np.float64)[faces], 1, 0)
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(float).tiny)


def spread(
    rng: np.random.Generator,
    vertices: Num[np.ndarray, "v 3"],
    faces: Integer[np.ndarray, "f 3"],
    count: int,
) -> tuple[Float[np.ndarray, "n 3"], Integer[np.ndarray, " n"]]:
    """Points of random faces, as `sample_surface` returns them.

    Area-weighted; the square root makes the two barycentric coordinates uniform over the triangle (Turk 1990)."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    area = np.cumsum(np.linalg.norm(np.cross(b - a, c - a), axis=1))
    face = np.minimum(np.searchsorted(area, rng.random(count) * area[-1], side="right"), len(faces) - 1)
    root, along = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return a[face] * (1 - root) + b[face] * (root * (1 - along)) + c[face] * (root * along), face
