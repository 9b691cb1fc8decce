"""The hash grid's look-up compiled for processors by numba; `hash_grid.look_up` is its plain twin and its definition.

Points are (n, 3) in [0, 1], a table is (entries, features), features are (n, levels * features), all float32. A layout
is (levels, 4) int64: resolution, first row, rows, and whether every lattice point has a row of its own.

Each kernel does a range of its work and holds no lock, so Python's threads share it out: look-ups by points, the
table's gradient by levels. No two threads ever add to one number, and sums run in a fixed order whatever their count.
(numba's own parallel loops bring a second OpenMP pool beside torch's; on a busy machine the two spin each other to
six times the processor time.) Annotations of shapes are checked by wrapping functions, which numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from numba import njit

PRIME_Y, PRIME_Z = 2654435761, 805459861  # Müller et al. 2022, Eq. 4; the prime of x is 1

_ZERO, _ONE = np.float32(0), np.float32(1)
_PRIME_Y, _PRIME_Z = np.uint32(PRIME_Y), np.uint32(PRIME_Z)


@njit(inline="always", fastmath=True)
@no_type_check
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
@no_type_check
def _weigh(place, weights):
    """Trilinear weights (8,) of the corners."""
    for corner in range(8):
        u = place[0] if corner & 1 else _ONE - place[0]
        v = place[1] if corner & 2 else _ONE - place[1]
        w = place[2] if corner & 4 else _ONE - place[2]
        weights[corner] = u * v * w


@njit(nogil=True, fastmath=True, cache=True)
@no_type_check
def features(points, table, layout, out, start, stop):
    """out[start:stop] <- the features of these points."""
    width = table.shape[1]
    rows, place, weights = np.empty(8, np.int64), np.empty(3, np.float32), np.empty(8, np.float32)
    for level in range(len(layout)):
        for i in range(start, stop):
            _locate(points[i], layout[level], rows, place)
            _weigh(place, weights)
            for f in range(width):
                total = _ZERO
                for corner in range(8):
                    total += weights[corner] * table[rows[corner], f]
                out[i, level * width + f] = total


@njit(nogil=True, fastmath=True, cache=True)
@no_type_check
def table_gradient(points, upstream, layout, out, start, stop):
    """out <- gradient with respect to the rows of levels [start, stop), given that with respect to the features."""
    width = out.shape[1]
    rows, place, weights = np.empty(8, np.int64), np.empty(3, np.float32), np.empty(8, np.float32)
    for level in range(start, stop):
        out[layout[level, 1] : layout[level, 1] + layout[level, 2]] = _ZERO
        for i in range(len(points)):
            _locate(points[i], layout[level], rows, place)
            _weigh(place, weights)
            for corner in range(8):
                for f in range(width):
                    out[rows[corner], f] += weights[corner] * upstream[i, level * width + f]


@njit(nogil=True, fastmath=True, cache=True)
@no_type_check
def point_gradient(points, table, upstream, layout, out, start, stop):
    """out[start:stop] <- gradient with respect to these points, given that with respect to their features."""
    width = table.shape[1]
    rows, place = np.empty(8, np.int64), np.empty(3, np.float32)
    for i in range(start, stop):
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
