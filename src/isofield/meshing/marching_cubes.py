"""Marching cubes (Lorensen and Cline 1987) on a list of cells; closed and manifold on any signs, by construction.

Why it holds, whatever the values:

1. Inside is `value < level`; equality is outside, so every lattice point has a side and no vertex is ever "on" a point.
2. The lattice is wrapped in a layer of outside points, so every crossed edge has all four cells around it.
3. A vertex belongs to a crossed lattice edge and is shared by the four cells around that edge: nothing is welded.
4. On each face the rule of `cases.segments` puts each crossing into exactly one segment, and depends only on the face:
   the two cells beside it use the same segment, once in each direction. So each segment borders exactly two triangles.
5. In a cell the segments form disjoint loops, each triangulated as a disc. A diagonal never joins two vertices of one
   face, so no other cell can contain it: it borders exactly two triangles of its own loop.
6. Around a vertex the four cells give one fan each, joined by the four faces between them: one closed fan, a disc.
7. Vertices keep a distance from the lattice points, so they are distinct. A line meets the border of a cube in two
points or
   runs within a face, and no triangle has three vertices in a face: no face has zero area.

4 and 5 make every edge carry two triangles of opposite direction (closed, oriented), 6 makes every vertex manifold.
"""

import numpy as np
from jaxtyping import Float, Int, Shaped

from isofield.errors import IsofieldError
from isofield.meshing.cases import CASES, CORNERS, EDGE_AXIS, EDGE_HIGH, EDGE_LOW

Vertices = Float[np.ndarray, "v 3"]
Faces = Int[np.ndarray, "f 3"]

NEAREST = 1e-3  # how close to a lattice point a vertex may come, in edge lengths
OUTSIDE = np.inf  # the value of the layer around the lattice: no place between the two ends is better than another


def marching_cubes(values: Shaped[np.ndarray, "nx ny nz"], level: float = 0.0) -> tuple[Vertices, Faces]:
    """The surface `values == level` in lattice coordinates, faces turned towards the larger values.

    A surface that leaves the lattice is closed by a cap beside the boundary points. Without any crossing both arrays
    are empty. Raises IsofieldError when a value is not finite.
    """
    require_finite(values)
    padded = np.pad(np.asarray(values, np.float64) - level, 1, constant_values=OUTSIDE)
    cells = np.argwhere(crossed_mask(padded < 0))
    corners = padded[tuple((cells[:, None] + CORNERS).transpose(2, 0, 1))]
    return polygonise(cells - 1, corners)


def polygonise(
    cells: Int[np.ndarray, "n 3"], corners: Float[np.ndarray, "n 8"], nearest: float = NEAREST
) -> tuple[Vertices, Faces]:
    """Vertices (v, 3) in lattice coordinates and faces of distinct cells, given values minus level at their corners.

    A corner that ends no crossed edge only needs the right sign; plus infinity stands for the layer around the lattice.
    The result is closed when, with each face that has both signs, both cells beside it are in the list.
    Vertices stay `nearest` edge lengths away from the lattice points.
    """
    case = case_numbers(corners < 0)
    cell, edge = np.nonzero(CASES.cut[case])
    first, number = _number(_edge_keys(cells)[cell, edge])
    vertex_of = np.empty((len(cells), 12), np.int64)
    vertex_of[cell, edge] = number
    return _place(cells, corners, cell[first], edge[first], nearest), _faces(case, vertex_of)


def case_numbers(inside: Shaped[np.ndarray, "n 8"]) -> Int[np.ndarray, " n"]:
    """The case of each cell, 0 (all outside) to 255 (all inside)."""
    return np.packbits(inside, axis=1, bitorder="little")[:, 0].astype(np.int64)


def require_finite(values: Shaped[np.ndarray, "..."]) -> None:
    """Raises IsofieldError saying how many values are not finite and where the first one is."""
    bad = ~np.isfinite(values)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise IsofieldError(f"{int(bad.sum())} of {values.size} values are not finite, the first at index {where}")


def crossed_mask(inside: np.ndarray) -> np.ndarray:
    """For each cell of the lattice: are its corners on different sides?"""
    every, some = inside, inside
    for axis in range(3):
        low = [slice(None)] * 3
        high = list(low)
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        every, some = every[tuple(low)] & every[tuple(high)], some[tuple(low)] | some[tuple(high)]
    return some & ~every


def _number(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct key stands first, in ascending order, and for each key its rank among the distinct ones."""
    order = np.argsort(keys, kind="stable")
    new = np.diff(keys[order], prepend=-1) > 0
    number = np.empty(len(keys), np.int64)
    number[order] = np.cumsum(new) - 1
    return order[new], number


def _edge_keys(cells: np.ndarray) -> np.ndarray:
    """(n, 12) numbers of the lattice edges around each cell; equal exactly for the same edge."""
    origin = cells.min(0, initial=0)
    _, ny, nz = cells.max(0, initial=0) - origin + 2
    cell = cells - origin
    point = (cell[:, 0] * ny + cell[:, 1]) * nz + cell[:, 2]
    step = CORNERS[EDGE_LOW] @ (ny * nz, nz, 1)
    return 3 * (point[:, None] + step) + EDGE_AXIS


def crossing(low: Shaped[np.ndarray, " n"], high: Shaped[np.ndarray, " n"], nearest: float) -> Float[np.ndarray, " n"]:
    """Where the linear interpolant between two values of opposite sides is zero, 0 to 1, kept away from the ends."""
    with np.errstate(invalid="ignore", over="ignore"):
        inner = np.clip(low / (low - high), nearest, 1 - nearest)
    return np.where(high == OUTSIDE, nearest, np.where(low == OUTSIDE, 1 - nearest, inner))


def _place(cells: np.ndarray, corners: np.ndarray, cell: np.ndarray, edge: np.ndarray, nearest: float) -> np.ndarray:
    low, high = corners[cell, EDGE_LOW[edge]], corners[cell, EDGE_HIGH[edge]]
    vertices = (cells[cell] + CORNERS[EDGE_LOW[edge]]).astype(np.float64)
    vertices[np.arange(len(edge)), EDGE_AXIS[edge]] += crossing(low, high, nearest)
    return vertices


def _faces(case: np.ndarray, vertex_of: np.ndarray) -> np.ndarray:
    count = CASES.start[case + 1] - CASES.start[case]
    cell = np.repeat(np.arange(len(case)), count)
    within = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
    triangles = CASES.triangles[CASES.start[case][cell] + within]
    return vertex_of[cell[:, None], triangles]
