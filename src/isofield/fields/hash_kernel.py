"""The hash grid's look-up compiled for processors by numba; `hash_grid.look_up` is its plain twin and its definition.

Points are (n, 3) in [0, 1], a table is (entries, features), features are (n, levels * features), all float32. A layout
is (levels, 4) int64: resolution, first row, rows, and whether every lattice point has a row of its own. Sums run in a
fixed order whatever the number of threads: look-ups share out the points, the table's gradient the levels, so no two
threads ever add to one number.
"""

import numpy as np
from numba import njit, prange

BLOCK = 256  # points a thread takes at a time, level by level, so that a level's rows stay in its cache
PRIME_Y, PRIME_Z = 2654435761, 805459861  # Müller et al. 2022, Eq. 4; the prime of x is 1

_ZERO, _ONE = np.float32(0), np.float32(1)
_PRIME_Y, _PRIME_Z = np.uint32(PRIME_Y), np.uint32(PRIME_Z)


@njit(inline="always", fastmath=True)
def _locate(point, level, rows, place):
    """Table rows (8,) of the corners of the point's cell; position (3,) in the cell."""
    resolution = level[0]
    scale = np.float32(resolution)
    x, y, z = (min(max(point[0], _ZERO), _ONE) * scale, min(max(point[1], _ZERO), _ONE) * scale,
               min(max(point[2], _ZERO), _ONE) * scale)  # fmt: skip
    i, j, k = (np.uint32(min(np.int64(x), resolution - 1)), np.uint32(min(np.int64(y), resolution - 1)),
               np.uint32(min(np.int64(z), resolution - 1)))  # fmt: skip
    place[0], place[1], place[2] = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    side = np.uint32(resolution + 1)
    for corner in range(8):
        a, b, c = i + np.uint32(corner & 1), j + np.uint32((corner >> 1) & 1), k + np.uint32(corner >> 2)
        if level[3]:
            rows[corner] = level[1] + np.int64(a + side * (b + side * c))
        else:
            rows[corner] = level[1] + np.int64((a ^ (b * _PRIME_Y) ^ (c * _PRIME_Z)) & np.uint32(level[2] - 1))


@njit(inline="always", fastmath=True)
def _weigh(place, weights):
    """Trilinear weights (8,) of the corners."""
    for corner in range(8):
        u = place[0] if corner & 1 else _ONE - place[0]
        v = place[1] if corner & 2 else _ONE - place[1]
        w = place[2] if corner & 4 else _ONE - place[2]
        weights[corner] = u * v * w


@njit(parallel=True, fastmath=True, cache=True)
def features(points, table, layout, out):
    """out <- the features of each point."""
    count, width = len(points), table.shape[1]
    for block in prange((count + BLOCK - 1) // BLOCK):
        rows, place, weights = np.empty(8, np.int64), np.empty(3, np.float32), np.empty(8, np.float32)
        for level in range(len(layout)):
            for i in range(block * BLOCK, min(count, (block + 1) * BLOCK)):
                _locate(points[i], layout[level], rows, place)
                _weigh(place, weights)
                for f in range(width):
                    total = _ZERO
                    for corner in range(8):
                        total += weights[corner] * table[rows[corner], f]
                    out[i, level * width + f] = total


@njit(parallel=True, fastmath=True, cache=True)
def table_gradient(points, upstream, layout, out):
    """out <- gradient with respect to the table, given the gradient with respect to the features."""
    width = out.shape[1]
    for level in prange(len(layout)):
        rows, place, weights = np.empty(8, np.int64), np.empty(3, np.float32), np.empty(8, np.float32)
        out[layout[level, 1] : layout[level, 1] + layout[level, 2]] = _ZERO
        for i in range(len(points)):
            _locate(points[i], layout[level], rows, place)
            _weigh(place, weights)
            for corner in range(8):
                for f in range(width):
                    out[rows[corner], f] += weights[corner] * upstream[i, level * width + f]


@njit(parallel=True, fastmath=True, cache=True)
def point_gradient(points, table, upstream, layout, out):
    """out <- gradient with respect to the points, given the gradient with respect to the features."""
    count, width = len(points), table.shape[1]
    for block in prange((count + BLOCK - 1) // BLOCK):
        rows, place = np.empty(8, np.int64), np.empty(3, np.float32)
        for i in range(block * BLOCK, min(count, (block + 1) * BLOCK)):
            out[i] = _ZERO
            for level in range(len(layout)):
                _locate(points[i], layout[level], rows, place)
                for corner in range(8):
                    pull = _ZERO
                    for f in range(width):
                        pull += table[rows[corner], f] * upstream[i, level * width + f]
                    pull *= np.float32(layout[level, 0])
                    u = place[0] if corner & 1 else _ONE - place[0]
                    v = place[1] if corner & 2 else _ONE - place[1]
                    w = place[2] if corner & 4 else _ONE - place[2]
                    out[i, 0] += (pull if corner & 1 else -pull) * v * w
                    out[i, 1] += (pull if corner & 2 else -pull) * u * w
                    out[i, 2] += (pull if corner & 4 else -pull) * u * v
