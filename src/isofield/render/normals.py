"""Normals to shade with: smooth where a surface is smooth, broken at its edges."""

import numpy as np
from jaxtyping import Float, Int, Shaped

CREASE = 40.0  # degrees between two faces from which their common edge looks sharp
ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)  # these two mix bits
SHIFT = np.uint64(29)
CROWD = 64  # faces at one vertex beyond which a sharp vertex is shaded flat


def corner_normals(
    vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"], crease: float = CREASE
) -> Float[np.ndarray, "f 3 3"]:
    """Unit normal of each corner: the area-weighted mean over the faces around it that bend away by less than `crease`.

    Equal vertices count as one, so the seams of a texture do not show. Faces without an area get zeros.
    """
    area, face_normal = _area_vectors(np.asarray(vertices, np.float64), np.asarray(faces))
    vertex = _places(np.asarray(vertices, np.float64))[np.asarray(faces)].reshape(-1)
    corner_area, own = np.repeat(area, 3, axis=0), np.repeat(face_normal, 3, axis=0)
    total = np.stack([np.bincount(vertex, corner_area[:, k]) for k in range(3)], axis=1)
    normals = _unit(total)[vertex]
    bent = np.einsum("nd,nd->n", normals, own) < np.cos(np.deg2rad(crease / 2))
    sharp = np.flatnonzero(np.isin(vertex, vertex[bent]))
    normals[sharp] = _broken(vertex[sharp], own[sharp], corner_area[sharp], np.cos(np.deg2rad(crease)))
    return normals.reshape(-1, 3, 3)


def flat_normals(vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"]) -> Float[np.ndarray, "f 3 3"]:
    """Unit normal of the face at each of its corners."""
    return np.repeat(_area_vectors(np.asarray(vertices, np.float64), np.asarray(faces))[1][:, None], 3, axis=1)


def _places(vertices: Float[np.ndarray, "v 3"]) -> Int[np.ndarray, " v"]:
    """One number for all vertices at one place: by sums of their bits, which sort fast, if these tell places apart."""
    bits = np.ascontiguousarray(vertices + 0.0).view(np.uint64)  # + 0.0: -0.0 equals 0.0
    _, first, place = np.unique(((bits ^ bits >> SHIFT) * ODD).sum(1), return_index=True, return_inverse=True)
    if np.array_equal(vertices[first[place]], vertices):
        return place
    return np.unique(vertices, axis=0, return_inverse=True)[1].reshape(-1)


def _broken(vertex: Int[np.ndarray, " n"], own: np.ndarray, area: np.ndarray, cosine: float) -> np.ndarray:
    """For each corner, the mean over the corners at its vertex whose face normal is close to its own."""
    order = np.argsort(vertex, kind="stable")
    vertex, own, area = vertex[order], own[order], area[order]
    first = np.searchsorted(vertex, vertex, "left")
    degree = np.searchsorted(vertex, vertex, "right") - first
    degree[degree > CROWD] = 0
    one = np.repeat(np.arange(len(vertex)), degree)
    other = np.repeat(first - np.cumsum(degree) + degree, degree) + np.arange(len(one))
    alike = np.einsum("nd,nd->n", own[one], own[other]) > cosine
    sums = [np.bincount(one[alike], area[other[alike], k], len(vertex)) for k in range(3)]
    normals = np.empty_like(own)
    normals[order] = np.where((degree > 0)[:, None], _unit(np.stack(sums, axis=1)), own)
    return normals


def _area_vectors(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    return area, _unit(area)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
