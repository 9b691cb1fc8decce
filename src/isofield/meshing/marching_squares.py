"""Marching squares: the plane's twin of marching cubes, with the same rules and the same guarantee of closed curves."""

from itertools import product

import numpy as np
from jaxtyping import Float, Shaped

from isofield.meshing.marching_cubes import NEAREST, OUTSIDE, crossing, require_finite

CORNERS = np.array(list(product((0, 1), repeat=2)))  # corner (x, y) has the number 2x + y
EDGES = [(0, 2), (1, 3), (0, 1), (2, 3)]  # two along x, two along y
EDGE_AXIS = np.array([0, 0, 1, 1])
EDGE_LOW, EDGE_HIGH = np.array(EDGES).T
CYCLE = (0, 2, 3, 1)  # counter-clockwise


def marching_squares(values: Shaped[np.ndarray, "nx ny"], level: float = 0.0) -> list[Float[np.ndarray, "k 2"]]:
    """Closed curves of `values == level` in lattice coordinates, the inside (value < level) on the left; none cross.

    The last point of a curve is joined to its first. A curve that leaves the lattice is closed along its border.
    Raises IsofieldError when a value is not finite.
    """
    require_finite(values)
    padded = np.pad(np.asarray(values, np.float64) - level, 1, constant_values=OUTSIDE)
    inside = padded < 0
    mixed = inside[:-1] != inside[1:]
    cells = np.argwhere(mixed[:, :-1] | mixed[:, 1:] | (inside[:-1, :-1] != inside[:-1, 1:]))
    corners = padded[tuple((cells[:, None] + CORNERS).transpose(2, 0, 1))]
    start, end = _segments(cells, corners < 0, padded.shape[1])
    low = np.stack(np.divmod(start // 2, padded.shape[1]), axis=1)
    step = np.stack([start % 2 == 0, start % 2 == 1], axis=1).astype(np.int64)
    points = low + step * crossing(padded[tuple(low.T)], padded[tuple((low + step).T)], NEAREST)[:, None]
    return [points[loop] - 1 for loop in _loops(start, end)]


def _segments(cells: np.ndarray, inside: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Lattice edges (numbered 2 * point + axis) from which and to which the segments of all cells run."""
    case = inside @ (1 << np.arange(4))
    low = cells[:, None] + CORNERS[EDGE_LOW]
    edges = 2 * (low[..., 0] * width + low[..., 1]) + EDGE_AXIS
    runs = [(case == m, edge) for m in range(16) for edge in _case_segments(m)]
    start = [edges[chosen, a] for chosen, (a, _) in runs]
    return np.concatenate(start), np.concatenate([edges[chosen, b] for chosen, (_, b) in runs])


def _case_segments(case: int) -> list[tuple[int, int]]:
    """One segment around each run of inside corners: ambiguous cells separate them."""
    inside = [bool(case >> corner & 1) for corner in CYCLE]
    found = []
    for first in (i for i in range(4) if inside[i] and not inside[i - 1]):
        last = next(i for i in range(first, first + 4) if not inside[(i + 1) % 4])
        found.append((_edge(last % 4, (last + 1) % 4), _edge(first - 1, first)))
    return found


def _edge(i: int, j: int) -> int:
    a, b = sorted((CYCLE[i], CYCLE[j]))
    return EDGES.index((a, b))


def _loops(start: np.ndarray, end: np.ndarray) -> list[list[int]]:
    """Every point starts one segment and ends one: follow them around. Positions in `start`."""
    order = np.argsort(start)
    follow = order[np.searchsorted(start, end, sorter=order)].tolist()
    seen, found = [False] * len(follow), []
    for first in range(len(follow)):
        loop, at = [], first
        while not seen[at]:
            seen[at] = True
            loop.append(at)
            at = follow[at]
        if loop:
            found.append(loop)
    return found
