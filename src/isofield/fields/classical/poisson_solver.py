"""Screened Poisson on nested lattices: the whole box coarsely, then only the band around the points, ever finer.

Kazhdan and Hoppe 2013, Eq. 3, in trilinear finite elements: the sought function grows by one across the surface,

    min  integral |grad chi - V|^2  +  alpha sum_p a_p chi(p)^2,

where V is the field of normals, each weighted with the area a_p of its point. Lattices halve their spacing from level
to level; a level starts from the coarser solution, which also gives the values at the border of its band.
"""

from dataclasses import dataclass
from itertools import product
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped
from numba import njit
from scipy.ndimage import maximum_filter
from scipy.sparse import csr_array

from isofield.fields.threads import shared_out

HALF = 1.125  # the box reaches so far to each side: the surface keeps away from its border
DENSE_CELLS = 80  # up to so many cells a side the whole box is solved
BAND_BLOCKS = 2  # the band reaches so many blocks of 2 x 2 x 2 cells beyond those that hold points
TOLERANCE, MOST_STEPS = 1e-4, 200  # of conjugate gradients

OFFSETS = np.array(list(product((-1, 0, 1), repeat=3)))
CORNERS = np.array(list(product((0, 1), repeat=3)))
MASS, STIFF, SLOPE = np.array([1, 4, 1]) / 6, np.array([-1, 2, -1.0]), np.array([0.5, 0, -0.5])


@dataclass(frozen=True)
class Box:
    """A lattice of (cells + 1)^3 nodes over [-HALF, HALF]^3."""

    cells: int

    @property
    def spacing(self) -> float:
        return 2 * HALF / self.cells

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.cells + 1,) * 3

    @property
    def strides(self) -> Int[np.ndarray, "3"]:
        return np.array([(self.cells + 1) ** 2, self.cells + 1, 1])

    def corners(self, points: Float[np.ndarray, "n 3"]) -> tuple[Int[np.ndarray, "n 8"], Float[np.ndarray, "n 8"]]:
        """Node numbers and trilinear weights of the cell around each point."""
        place = (points + HALF) / self.spacing
        cell = np.clip(place.astype(np.int64), 0, self.cells - 1)
        part = (place - cell)[:, None]
        return (cell[:, None] + CORNERS) @ self.strides, np.where(CORNERS == 1, part, 1 - part).prod(2)


def solve(
    points: Float[np.ndarray, "n 3"],
    weighted_normals: Float[np.ndarray, "n 3"],
    anchors: Float[np.ndarray, "m 3"],
    areas: Float[np.ndarray, " m"],
    *,
    cells: int,
    screening: float,
    border: float,
) -> Float32[np.ndarray, "x y z"]:
    """chi at the nodes of `Box(cells)`: V is splatted from points (n, 3), chi is drawn to 0 at anchors (m, 3).

    screening: alpha in units of 1 / spacing, so that it means the same at every level (section 4.2 of the paper).
    border: value of chi on the border of the box.
    """
    levels = [cells]
    while levels[-1] > DENSE_CELLS // 2 and levels[-1] % 2 == 0:
        levels.append(levels[-1] // 2)
    divergence = [_divergence(Box(cells), points, weighted_normals)]
    for _ in levels[1:]:
        divergence.append(_restrict(divergence[-1]))
    chi = np.full(Box(levels[-1]).shape, border, np.float32)
    for level, right in zip(reversed(levels), reversed(divergence), strict=True):
        box = Box(level)
        chi = chi if chi.shape == box.shape else prolong(chi)
        nodes = _interior(box) if level <= DENSE_CELLS else _band(box, anchors)
        _relax(box, chi.reshape(-1), right.reshape(-1), nodes, anchors, areas * screening / box.spacing)
    return chi


def prolong(values: Float32[np.ndarray, "x y z"]) -> Float32[np.ndarray, "u v w"]:
    """The same trilinear function on the lattice of half the spacing."""
    for axis in range(3):
        values = np.moveaxis(values, axis, 0)
        fine = np.empty((2 * len(values) - 1, *values.shape[1:]), np.float32)
        fine[::2], fine[1::2] = values, (values[:-1] + values[1:]) / 2
        values = np.moveaxis(fine, 0, axis)
    return np.ascontiguousarray(values)


def _restrict(values: np.ndarray) -> np.ndarray:
    """The transpose of `prolong`: integrals against the coarser basis functions."""
    for axis in range(3):
        values = np.moveaxis(values, axis, 0)
        coarse = values[::2].copy()
        coarse[:-1] += values[1::2] / 2
        coarse[1:] += values[1::2] / 2
        values = np.moveaxis(coarse, 0, axis)
    return np.ascontiguousarray(values)


def _divergence(box: Box, points: np.ndarray, weighted_normals: np.ndarray) -> np.ndarray:
    """Integrals of V . grad B over the box for each node's basis function B."""
    near, weights = box.corners(points)
    nodes, place = np.unique(near, return_inverse=True)
    place = place.reshape(near.shape)
    total = np.zeros(box.shape, np.float32).reshape(-1)
    for axis in range(3):
        value = (weights * weighted_normals[:, axis, None]).ravel() / box.spacing**3
        splat = np.bincount(place.ravel(), value, len(nodes))
        for offset, weight in zip(OFFSETS, _stencil(axis, box.spacing), strict=True):
            total[nodes - offset @ box.strides] += (weight * splat).astype(np.float32)
    return total.reshape(box.shape)


def _stencil(axis: int, h: float) -> Float[np.ndarray, "27"]:
    """For each offset j - i: integral of (derivative of B_i along the axis) times B_j."""
    factors = [h * MASS] * 3
    factors[axis] = SLOPE
    return np.einsum("i,j,k->ijk", *factors).ravel()


def _stiffness(h: float) -> Float[np.ndarray, "27"]:
    """For each offset j - i: integral of grad B_i . grad B_j."""
    terms = []
    for axis in range(3):
        factors = [h * MASS] * 3
        factors[axis] = STIFF / h
        terms.append(np.einsum("i,j,k->ijk", *factors).ravel())
    return np.sum(terms, axis=0)


def _interior(box: Box) -> Int[np.ndarray, " k"]:
    inner = np.arange(1, box.cells)
    return np.stack(np.meshgrid(inner, inner, inner, indexing="ij"), -1).reshape(-1, 3) @ box.strides


def _band(box: Box, points: np.ndarray) -> Int[np.ndarray, " k"]:
    """Inner nodes of the blocks of 2 x 2 x 2 cells around the points, in ascending order."""
    blocks = np.zeros((box.cells // 2,) * 3, bool)
    blocks[tuple(np.clip(((points + HALF) / (2 * box.spacing)).astype(np.int64), 0, box.cells // 2 - 1).T)] = True
    blocks = maximum_filter(blocks, 2 * BAND_BLOCKS + 1)
    nodes = (2 * np.argwhere(blocks)[:, None] + CORNERS).reshape(-1, 3)
    return np.sort(nodes[(nodes > 0).all(1)] @ box.strides)


def _relax(
    box: Box, chi: np.ndarray, right: np.ndarray, nodes: np.ndarray, anchors: np.ndarray, pull: np.ndarray
) -> None:
    """Solve for chi at `nodes` with all others held; works in place."""
    steps, stencil = OFFSETS @ box.strides, _stiffness(box.spacing).astype(np.float32)
    near, weights = box.corners(anchors)
    inner = np.zeros(chi.size, np.float32)  # what is sought, and zero at all other nodes

    def stretched(values: np.ndarray) -> np.ndarray:
        out = np.empty(len(nodes), np.float32)
        shared_out(_gather, len(nodes), nodes, steps, stencil, values, out)
        return out

    at_anchors = csr_array((weights.ravel(), near.ravel(), np.arange(0, near.size + 1, 8)), (len(anchors), chi.size))
    at_anchors = at_anchors[:, nodes]
    back = at_anchors.T.tocsr()
    residual = right[nodes] - stretched(chi) - back @ (pull * np.einsum("mk,mk->m", chi[near], weights))

    def apply(x: np.ndarray) -> np.ndarray:
        inner[nodes] = x
        return stretched(inner) + back @ (pull * (at_anchors @ x))

    diagonal = stencil[13] + back.power(2) @ pull
    chi[nodes] += conjugate_gradients(apply, residual, diagonal).astype(np.float32)


def conjugate_gradients(apply, right: Shaped[np.ndarray, " n"], diagonal: Shaped[np.ndarray, " n"]) -> np.ndarray:
    """x with apply(x) = right, for a symmetric positive operator, preconditioned with its diagonal; from zero."""
    x, residual = np.zeros_like(right), right.copy()
    scaled = residual / diagonal
    step, now = scaled.copy(), residual @ scaled
    enough = TOLERANCE**2 * now
    for _ in range(MOST_STEPS):
        if now <= enough:
            break
        image = apply(step)
        length = now / (step @ image)
        x += length * step
        residual -= length * image
        scaled = residual / diagonal
        before, now = now, residual @ scaled
        step = scaled + (now / before) * step
    return x


@njit(nogil=True, fastmath=True, cache=True)
@no_type_check
def _gather(nodes, steps, stencil, values, out, start, stop):
    """out[i] <- sum of stencil[o] * values[nodes[i] + steps[o]]."""
    for i in range(start, stop):
        total = np.float32(0)
        for o in range(27):
            total += stencil[o] * values[nodes[i] + steps[o]]
        out[i] = total
