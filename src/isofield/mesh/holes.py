"""Small holes closed with smooth patches, so that a curved surface stays curved where the file leaves it open."""

from collections.abc import Iterator
from typing import NamedTuple

import igl
import numpy as np
from jaxtyping import Float, Integer

from isofield.mesh.area import face_normals
from isofield.mesh.audit import Edges, edges_of, linked
from isofield.mesh.read import weld_arrays

LARGEST = 0.3  # size of the largest hole that is closed, as a share of the mesh's
SHARE = 0.25  # a patch has at most this share of the area of the piece it closes: the rim of a scrap is no hole
BULGE = 0.1  # a patch rises at most this share of its size from its flat form
ALONG = 0.25  # mean cosine between the faces beside a rim and the plane of the hole; the end of a tube has 0
RAGGED = 0.01  # share of its size that a rim strays from a plane, when faces are missing rather than a tube cut
RINGS = 12  # of triangles between a rim and the middle of its patch, at most


class Closed(NamedTuple):
    """The mesh, equal vertices merged, and behind its own faces those of the patches; how many holes they close."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Integer[np.ndarray, "f 3"]
    holes: int


def close_holes(vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]) -> Closed:
    """Close the holes that a smooth patch can close: biharmonic, its rim and the faces beside the rim held.

    Source: k = 2 of Botsch and Kobbelt, "An intuitive framework for real-time freeform modeling" (2004). Large holes,
    the rims of scraps and the clean ends of tubes stay open.
    """
    points, welded = weld_arrays(vertices, faces)
    edges = edges_of(welded, len(points))
    if (edges.faces == 1).sum() == 3 * len(welded):  # a soup has rims only
        return Closed(points, welded, 0)
    piece = _pieces(edges, len(welded))
    piece_area = np.bincount(piece, _areas(points[welded]))
    beside = _Beside(welded)
    largest = LARGEST * float(np.linalg.norm(np.ptp(points, axis=0)))
    new_vertices, new_faces, count = [points], [welded], len(points)
    for loop, face in _loops(welded, edges):
        rim = points[loop]
        if np.linalg.norm(np.ptp(rim, axis=0)) > largest:
            continue
        flat, triangles = _cone(rim)
        if _areas(np.concatenate([rim, flat])[triangles]).sum() > SHARE * piece_area[piece[face]]:
            continue
        collar = welded[beside.faces(loop)]
        if _cosine(points[collar], rim) < ALONG and _straying(rim) < RAGGED:
            continue
        smooth = _smooth(points, collar, loop, flat, triangles)
        if smooth is not None:
            new_faces.append(np.concatenate([loop, count + np.arange(len(flat))])[triangles])
            new_vertices.append(smooth)
            count += len(smooth)
    return Closed(np.concatenate(new_vertices), np.concatenate(new_faces), len(new_faces) - 1)


def _cone(rim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices within a rim (n, 3) and triangles; numbers below n are the rim's, the others count the new vertices."""
    count = len(rim)
    rings = int(np.clip(round(count / 6), 1, RINGS))
    center = rim.mean(0)
    inner = [center + (1 - k / rings) * (rim - center) for k in range(1, rings)]
    here = np.arange(count)
    there = np.roll(here, -1)
    triangles = []
    for ring in range(rings - 1):
        low, high = ring * count, (ring + 1) * count
        triangles += [np.stack([low + here, low + there, high + here], 1)]
        triangles += [np.stack([low + there, high + there, high + here], 1)]
    last = (rings - 1) * count
    triangles += [np.stack([last + here, last + there, np.full(count, rings * count)], 1)]
    return np.concatenate([*inner, center[None]]), np.concatenate(triangles)


def _cosine(triangles: np.ndarray, rim: np.ndarray) -> float:
    """Mean cosine between the normals of triangles and the vector area of a rim."""
    spokes = rim - rim.mean(0)
    across = np.cross(spokes, np.roll(spokes, -1, axis=0)).sum(0)
    normals = face_normals(triangles.reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3))
    return float((normals @ across).mean() / max(float(np.linalg.norm(across)), np.finfo(float).tiny))


def _straying(rim: np.ndarray) -> float:
    """Root mean square distance of a rim from its best plane, as a share of its size."""
    least = np.linalg.svd(rim - rim.mean(0), compute_uv=False)[2]
    return float(least / np.sqrt(len(rim)) / max(float(np.linalg.norm(np.ptp(rim, axis=0))), np.finfo(float).tiny))


def _smooth(
    points: np.ndarray, collar: np.ndarray, loop: np.ndarray, flat: np.ndarray, triangles: np.ndarray
) -> np.ndarray | None:
    """The new vertices, moved so that the patch continues the faces beside it; None where that bulges or fails."""
    held, around = np.unique(collar, return_inverse=True)
    numbers = np.concatenate([np.searchsorted(held, loop), len(held) + np.arange(len(flat))])
    local = np.concatenate([around.reshape(-1, 3), numbers[triangles]])
    start = np.concatenate([points[held], flat])
    try:
        smooth = igl.harmonic(start, local, np.arange(len(held)), start[: len(held)], 2)[len(held) :]
    except RuntimeError:  # faces without area have no cotangents
        return None
    size = np.linalg.norm(np.ptp(points[loop], axis=0))
    moved = np.linalg.norm(smooth - flat, axis=1)
    return smooth if np.isfinite(moved).all() and moved.max() <= BULGE * size else None


class _Beside:
    """The faces around each vertex."""

    def __init__(self, faces: np.ndarray):
        corners = faces.reshape(-1)
        self._order = np.argsort(corners, kind="stable")
        self._sorted = corners[self._order]

    def faces(self, vertices: np.ndarray) -> np.ndarray:
        first, last = (np.searchsorted(self._sorted, vertices, side=side) for side in ("left", "right"))
        return np.unique(np.concatenate([self._order[a:b] for a, b in zip(first, last, strict=True)]) // 3)


def _loops(faces: np.ndarray, edges: Edges) -> Iterator[tuple[np.ndarray, int]]:
    """Closed chains of boundary edges that pass no vertex twice, against the sense of the faces; a face beside each."""
    rim = np.flatnonzero(edges.faces[edges.of_corner] == 1)
    start, end = faces.reshape(-1)[rim], np.roll(faces, -1, axis=1).reshape(-1)[rim]
    leaving: dict[int, list[tuple[int, int]]] = {}
    for a, b, corner in zip(start.tolist(), end.tolist(), rim.tolist(), strict=True):
        leaving.setdefault(b, []).append((a, corner // 3))
    for first in list(leaving):
        path, place = [first], {first: 0}
        while leaving.get(path[-1]):
            following, face = leaving[path[-1]].pop()
            if following not in place:
                place[following] = len(path)
                path.append(following)
                continue
            loop = path[place[following] :]
            if len(loop) > 2:
                yield np.array(loop), face
            for vertex in loop[1:]:
                del place[vertex]
            del path[place[following] + 1 :]


def _pieces(edges: Edges, faces: int) -> np.ndarray:
    """(f,) label of the piece of each face; pieces share no edge."""
    order = np.argsort(edges.of_corner, kind="stable")
    same = edges.of_corner[order[1:]] == edges.of_corner[order[:-1]]
    return linked(order[1:][same] // 3, order[:-1][same] // 3, faces)


def _areas(triangles: np.ndarray) -> np.ndarray:
    a, b, c = np.moveaxis(triangles, 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
