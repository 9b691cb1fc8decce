"""Ball pivoting: the explicit baseline, which joins points by triangles and promises no closed surface."""

from typing import no_type_check

import numpy as np
import trimesh
from jaxtyping import Float, Int, Shaped
from numba import njit, types
from numba.typed import Dict
from scipy.spatial import cKDTree

from isofield.fields.classical.points import OrientedPoints

RADII = (1.0, 2.0, 3.0)  # spacings
SEEDS = 12  # nearest free neighbours that may make a seed triangle with a point


def ball_pivoting(
    points: Shaped[np.ndarray, "n 3"],
    normals: Shaped[np.ndarray, "n 3"],
    colors: Shaped[np.ndarray, "n 3"] | None = None,
    *,
    radii: tuple[float, ...] | None = None,
) -> trimesh.Trimesh:
    """Triangles that a rolling ball touches without holding another point (Bernardini et al. 1999), radius by radius.

    Faces look to where the normals look. Edges have at most two faces; those with one are left open and counted in
    `mesh.metadata["border_edges"]`, the points of no face in `mesh.metadata["loose_points"]`. colors: sRGB in 0 .. 255.
    radii: ascending, in the unit of the points; by default 1, 2 and 3 spacings. Raises InputError for too few points.
    """
    cloud = OrientedPoints.of(points, normals, colors)
    triangles = np.zeros((0, 3), np.int64)
    for radius in radii or tuple(factor * cloud.spacing for factor in RADII):
        first, near = _neighbours(cloud.points, 2 * radius)
        triangles = _roll(cloud.points, cloud.normals, radius, first, near, triangles)
    mesh = trimesh.Trimesh(cloud.points, triangles, process=False)
    if cloud.colors is not None:
        rgba = np.column_stack([cloud.colors, np.full(len(cloud), 255)]).astype(np.uint8)
        mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=rgba)
    mesh.metadata["border_edges"] = border_edges(triangles)
    mesh.metadata["loose_points"] = len(cloud) - len(np.unique(triangles))
    return mesh


def border_edges(faces: Int[np.ndarray, "f 3"]) -> int:
    """Edges with one face only."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return int((np.unique(edges, axis=0, return_counts=True)[1] == 1).sum())


def _neighbours(points: Float[np.ndarray, "n 3"], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Points nearer than `radius` to each point, nearest first: those of i are near[first[i] : first[i + 1]]."""
    pairs = cKDTree(points).query_pairs(radius, output_type="ndarray")
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    distance = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    pairs = pairs[np.lexsort((distance, pairs[:, 0]))]
    return np.searchsorted(pairs[:, 0], np.arange(len(points) + 1)), np.ascontiguousarray(pairs[:, 1])


@njit(cache=True)
@no_type_check
def _center(a, b, c, radius):
    """Whether a ball of this radius touches the triangle from the side its normal looks to; its centre; the normal."""
    u, v = b - a, c - a
    normal = np.cross(u, v)
    area = normal @ normal
    if area < 1e-24:
        return False, a, normal
    foot = a + (np.cross(normal, u) * (v @ v) + np.cross(v, normal) * (u @ u)) / (2 * area)
    height = radius**2 - (foot - a) @ (foot - a)
    if height < 0:
        return False, a, normal
    normal = normal / np.sqrt(area)
    return True, foot + np.sqrt(height) * normal, normal


@njit(cache=True)
@no_type_check
def _empty(points, center, radius, around, first, near, a, b, c):
    for j in near[first[around] : first[around + 1]]:
        if j != a and j != b and j != c:
            away = points[j] - center
            if away @ away < (radius * (1 - 1e-7)) ** 2:
                return False
    return True


@njit(cache=True)
@no_type_check
def _fits(points, normals, radius, a, b, c):
    """Whether the ball can lie on triangle a, b, c with all three normals on its side; its centre."""
    found, center, normal = _center(points[a], points[b], points[c], radius)
    agrees = normal @ normals[a] > 0 and normal @ normals[b] > 0 and normal @ normals[c] > 0
    return found and agrees, center


@njit(cache=True)
@no_type_check
def _free(apex, a, b, c, open_edges, used, n):
    """Whether face a, b, c can be added without a third face at an edge, or a second fan at an inner vertex."""
    if a * n + b in apex or b * n + c in apex or c * n + a in apex:
        return False
    return not (
        (used[a] and open_edges[a] == 0) or (used[b] and open_edges[b] == 0) or (used[c] and open_edges[c] == 0)
    )


@njit(cache=True)
@no_type_check
def _add(apex, a, b, c, open_edges, used, n):
    """Enter the face; apex tells the third vertex of the face at each directed edge."""
    for u, v, w in ((a, b, c), (b, c, a), (c, a, b)):
        apex[u * n + v] = w
        change = -1 if v * n + u in apex else 1
        open_edges[u] += change
        open_edges[v] += change
        used[u] = True


@njit(cache=True)
@no_type_check
def _pivot(points, normals, radius, first, near, apex, open_edges, used, a, b, start):
    """The vertex that a ball at `start`, rolling over edge a -> b away from its face, touches first; -1 for none."""
    n, middle = len(points), (points[a] + points[b]) / 2
    axis = points[b] - points[a]
    axis = axis / np.sqrt(axis @ axis)
    across = start - middle
    across = across - (across @ axis) * axis
    across = across / max(np.sqrt(across @ across), 1e-300)
    ahead = np.cross(axis, across)
    best, least, where = -1, 10.0, start
    for x in near[first[a] : first[a + 1]]:
        if x == b or x == apex[a * n + b] or not _free(apex, b, a, x, open_edges, used, n):
            continue
        fits, center = _fits(points, normals, radius, b, a, x)
        if not fits:
            continue
        way = center - middle
        angle = np.arctan2(way @ ahead, way @ across)
        angle = angle if angle > -1e-9 else angle + 2 * np.pi
        if angle < least:
            best, least, where = x, angle, center
    if best >= 0 and not _empty(points, where, radius, a, first, near, a, b, best):
        best = -1
    return best, where


@njit(cache=True)
@no_type_check
def _seed(points, normals, radius, first, near, open_edges, used, i):
    """Two free neighbours with which point i makes a face that the ball touches from outside; -1 for none."""
    last = min(first[i + 1], first[i] + SEEDS)
    for p in range(first[i], last):
        for q in range(first[i], last):
            a, b = near[p], near[q]
            if p != q and not used[a] and not used[b]:
                fits, center = _fits(points, normals, radius, i, a, b)
                if fits and _empty(points, center, radius, i, first, near, i, a, b):
                    return a, b, center
    return -1, -1, points[i]


@njit(cache=True)
@no_type_check
def _roll(points, normals, radius, first, near, triangles):
    """Triangles given and those found by rolling a ball over their border, and from every point still free."""
    n = len(points)
    apex = Dict.empty(types.int64, types.int64)
    open_edges, used = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    found = [(np.int64(0), np.int64(0), np.int64(0))]
    front = [(np.int64(0), np.int64(0), points[0])]
    found.clear()
    front.clear()
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        found.append((a, b, c))
        _add(apex, a, b, c, open_edges, used, n)
    for a, b, c in found:
        fits, center = _fits(points, normals, radius, a, b, c)
        if fits and _empty(points, center, radius, a, first, near, a, b, c):
            for u, v in ((a, b), (b, c), (c, a)):
                if v * n + u not in apex:
                    front.append((u, v, center))
    i = 0
    while True:
        while len(front):
            a, b, start = front.pop()
            if b * n + a in apex:
                continue
            x, center = _pivot(points, normals, radius, first, near, apex, open_edges, used, a, b, start)
            if x >= 0:
                _add(apex, b, a, x, open_edges, used, n)
                found.append((b, a, x))
                front.append((a, x, center))
                front.append((x, b, center))
        while i < n and len(front) == 0:
            if not used[i]:
                a, b, center = _seed(points, normals, radius, first, near, open_edges, used, i)
                if a >= 0:
                    _add(apex, np.int64(i), a, b, open_edges, used, n)
                    found.append((np.int64(i), a, b))
                    for u, v in ((np.int64(i), a), (a, b), (b, np.int64(i))):
                        front.append((u, v, center))
            i += 1
        if len(front) == 0:
            break
    faces = np.empty((len(found), 3), np.int64)
    for t in range(len(found)):
        faces[t, 0], faces[t, 1], faces[t, 2] = found[t]
    return faces
