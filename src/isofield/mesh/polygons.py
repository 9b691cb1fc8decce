"""Polygons cut into triangles that stay inside of them."""

import numpy as np
from jaxtyping import Float, Integer

MOST_TRIES = 30  # ears looked at per corner; a polygon that wants more is no simple one


def fans(sizes: Integer[np.ndarray, " p"]) -> Integer[np.ndarray, "t 3"]:
    """Corner numbers of the triangle fans of polygons with the given numbers of corners; fewer than 3 give none."""
    inner = np.maximum(sizes - 2, 0)
    starts, before = np.cumsum(sizes) - sizes, np.cumsum(inner) - inner
    owner = np.repeat(np.arange(len(sizes)), inner)
    step = np.arange(len(owner)) - np.repeat(before, inner)
    return np.stack([starts[owner], starts[owner] + step + 1, starts[owner] + step + 2], 1)


def triangulate(points: Float[np.ndarray, "c 3"], sizes: Integer[np.ndarray, " p"]) -> Integer[np.ndarray, "t 3"]:
    """Corner numbers of triangles; points: the polygons' corners one after the other, as many as sizes sum to.

    Convex polygons become fans; where the fan would leave the polygon, ears are cut (Meisters 1975). A polygon of n
    corners gives n - 2 triangles, in the order of the polygons.
    """
    triangles = fans(sizes)
    if not len(triangles) or sizes.max() <= 3:
        return triangles
    with np.errstate(all="ignore"):
        a, b, c = np.moveaxis(points[triangles], 1, 0)
        area = np.cross(b - a, c - a)
        owner = np.repeat(np.arange(len(sizes)), np.maximum(sizes - 2, 0))
        normal = np.stack([np.bincount(owner, area[:, axis], len(sizes)) for axis in range(3)], 1)  # Newell's, doubled
        leaves = np.einsum("td,td->t", area, normal[owner]) < -1e-9 * np.einsum("td,td->t", normal, normal)[owner]
    first = np.cumsum(np.maximum(sizes - 2, 0)) - np.maximum(sizes - 2, 0)
    for polygon in np.unique(owner[leaves]):
        start, size = int(triangles[first[polygon], 0]), int(sizes[polygon])
        flat = _flattened(points[start : start + size], normal[polygon])
        triangles[first[polygon] : first[polygon] + size - 2] = start + _ears(flat)
    return triangles


def _flattened(points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(n, 2), seen from the side that the normal looks to: the corners run counter-clockwise."""
    axis = int(np.argmax(np.abs(normal)))
    rest = [(1, 2), (2, 0), (0, 1)][axis]
    return points[:, rest] * [1, 1 if normal[axis] > 0 else -1]


def _ears(points: np.ndarray) -> np.ndarray:
    """(n - 2, 3) corners of triangles: a convex corner with no other corner in its triangle is cut off, and again."""
    ring, triangles, at, tries = list(range(len(points))), [], 0, 0
    while len(ring) > 3 and tries < MOST_TRIES * len(points):
        at, tries = at % len(ring), tries + 1
        ear = (ring[at - 1], ring[at], ring[(at + 1) % len(ring)])
        if _is_ear(points, ear, ring):
            triangles.append(ear)
            del ring[at]
        else:
            at += 1
    triangles += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
    return np.array(triangles)


def _is_ear(points: np.ndarray, ear: tuple[int, int, int], ring: list[int]) -> bool:
    a, b, c = points[list(ear)]
    if _turn(a, b, c) <= 0:
        return False
    others = points[ring]
    others = others[~((others == a).all(1) | (others == b).all(1) | (others == c).all(1))]
    inside = (_turn(a, b, others) >= 0) & (_turn(b, c, others) >= 0) & (_turn(c, a, others) >= 0)
    return not bool(np.any(inside))


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray | np.floating:
    """Twice the signed area of the triangle; positive counter-clockwise."""
    u, v = b - a, c - a
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
