"""The hash grid's look-up compiled for processors by numba; `hash_grid.look_up` is its plain twin and its definition.

Points are (n, 3) float32 in [0, 1]. A layout is (levels, 4) int64: resolution, first row, rows, and whether every
lattice point has a row of its own. A table is (entries, words), features and their gradients (n, levels * words): a
word is two float32 features as one complex64 number, which moves through memory at once, or one float32.

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
def _locate(x, y, z, resolution):
    """Lattice indices of the point's cell; position in it."""
    scale, last = np.float32(resolution), np.int32(resolution - 1)
    x, y, z = min(max(x, _ZERO), _ONE) * scale, min(max(y, _ZERO), _ONE) * scale, min(max(z, _ZERO), _ONE) * scale
    i = max(np.int32(0), min(np.int32(x), last))  # from below too: what is no number has no integer
    j = max(np.int32(0), min(np.int32(y), last))
    k = max(np.int32(0), min(np.int32(z), last))
    return i, j, k, x - np.float32(i), y - np.float32(j), z - np.float32(k)


@njit(inline="always", fastmath=True)
@no_type_check
def _corners(i, j, k, resolution, first, rows, dense):
    """Table rows of the eight corners of a cell, x fastest."""
    if dense:
        y = resolution + 1
        z = y * y
        a = first + i + j * y + k * z
        return a, a + 1, a + y, a + y + 1, a + z, a + z + 1, a + z + y, a + z + y + 1
    mask = np.uint32(rows - 1)
    a, b, c = np.uint32(i), np.uint32(j) * _PRIME_Y, np.uint32(k) * _PRIME_Z
    p, q, r = a + np.uint32(1), b + _PRIME_Y, c + _PRIME_Z
    return (
        first + np.int64((a ^ b ^ c) & mask),
        first + np.int64((p ^ b ^ c) & mask),
        first + np.int64((a ^ q ^ c) & mask),
        first + np.int64((p ^ q ^ c) & mask),
        first + np.int64((a ^ b ^ r) & mask),
        first + np.int64((p ^ b ^ r) & mask),
        first + np.int64((a ^ q ^ r) & mask),
        first + np.int64((p ^ q ^ r) & mask),
    )


@njit(inline="always", fastmath=True)
@no_type_check
def _bilinear(u, v):
    """Weights of the four corners of a square, u fastest."""
    return (_ONE - u) * (_ONE - v), u * (_ONE - v), (_ONE - u) * v, u * v


@njit(inline="always", fastmath=True)
@no_type_check
def _weights(u, v, w):
    """Trilinear weights of the eight corners."""
    a, b, c, d = _bilinear(v, w)
    t = _ONE - u
    return t * a, u * a, t * b, u * b, t * c, u * c, t * d, u * d


@njit(nogil=True, fastmath=True, cache=True)
@no_type_check
def features(points, table, layout, out, start, stop):
    """out[start:stop] <- the features of these points."""
    words = table.shape[1]
    for column in range(out.shape[1]):
        level, f = column // words, column % words
        resolution, first, rows, dense = layout[level, 0], layout[level, 1], layout[level, 2], layout[level, 3]
        for n in range(start, stop):
            i, j, k, u, v, w = _locate(points[n, 0], points[n, 1], points[n, 2], resolution)
            row, weight = _corners(i, j, k, resolution, first, rows, dense), _weights(u, v, w)
            out[n, column] = (
                (table[row[0], f] * weight[0] + table[row[1], f] * weight[1])
                + (table[row[2], f] * weight[2] + table[row[3], f] * weight[3])
            ) + (
                (table[row[4], f] * weight[4] + table[row[5], f] * weight[5])
                + (table[row[6], f] * weight[6] + table[row[7], f] * weight[7])
            )


@njit(nogil=True, fastmath=True, cache=True)
@no_type_check
def table_gradient(points, upstream, layout, out, start, stop):
    """out <- gradient with respect to the rows of levels [start, stop), given that with respect to the features."""
    words = out.shape[1]
    for column in range(start * words, stop * words):
        level, f = column // words, column % words
        resolution, first, rows, dense = layout[level, 0], layout[level, 1], layout[level, 2], layout[level, 3]
        out[first : first + rows, f] = 0
        for n in range(len(points)):
            i, j, k, u, v, w = _locate(points[n, 0], points[n, 1], points[n, 2], resolution)
            row, weight = _corners(i, j, k, resolution, first, rows, dense), _weights(u, v, w)
            pull = upstream[n, column]
            out[row[0], f] += pull * weight[0]
            out[row[1], f] += pull * weight[1]
            out[row[2], f] += pull * weight[2]
            out[row[3], f] += pull * weight[3]
            out[row[4], f] += pull * weight[4]
            out[row[5], f] += pull * weight[5]
            out[row[6], f] += pull * weight[6]
            out[row[7], f] += pull * weight[7]


@njit(inline="always", fastmath=True)
@no_type_check
def _dot(a, b):
    """Of the features in two words."""
    return (a * np.conj(b)).real


@njit(inline="always", fastmath=True)
@no_type_check
def _slope(weights, a, b, c, d):
    return weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d


@njit(nogil=True, fastmath=True, cache=True)
@no_type_check
def point_gradient(points, table, upstream, layout, out, start, stop):
    """out[start:stop] <- gradient with respect to these points, given that with respect to their features."""
    words = table.shape[1]
    out[start:stop] = _ZERO
    for column in range(upstream.shape[1]):
        level, f = column // words, column % words
        resolution, first, rows, dense = layout[level, 0], layout[level, 1], layout[level, 2], layout[level, 3]
        scale = np.float32(resolution)
        for n in range(start, stop):
            i, j, k, u, v, w = _locate(points[n, 0], points[n, 1], points[n, 2], resolution)
            row = _corners(i, j, k, resolution, first, rows, dense)
            up = upstream[n, column]
            a, b = _dot(table[row[0], f], up), _dot(table[row[1], f], up)
            c, d = _dot(table[row[2], f], up), _dot(table[row[3], f], up)
            p, q = _dot(table[row[4], f], up), _dot(table[row[5], f], up)
            r, s = _dot(table[row[6], f], up), _dot(table[row[7], f], up)
            out[n, 0] += scale * _slope(_bilinear(v, w), b - a, d - c, q - p, s - r)
            out[n, 1] += scale * _slope(_bilinear(u, w), c - a, d - b, r - p, s - q)
            out[n, 2] += scale * _slope(_bilinear(u, v), p - a, q - b, r - c, s - d)
