"""Ask every lattice point, layer by layer, and keep only the crossed cells."""

import numpy as np

from isofield.meshing.cases import CORNERS
from isofield.meshing.lattice import Samples
from isofield.meshing.marching_cubes import OUTSIDE, crossed_mask
from isofield.meshing.search import Crossed

SLAB = 1 << 21  # lattice points held at a time


def all_crossed_cells(samples: Samples) -> Crossed:
    """The crossed cells of the whole lattice, the layer around it included."""
    nx, ny, nz = samples.lattice.shape
    depth = max(1, SLAB // (ny * nz))
    last = np.full((1, ny + 2, nz + 2), OUTSIDE)
    cells, corners = [], []
    for x in range(0, nx + 1, depth):
        slab = np.concatenate([last, *_layers(samples, x, min(x + depth, nx + 1))])
        found = np.argwhere(crossed_mask(slab < 0))
        corners.append(slab[tuple((found[:, None] + CORNERS).transpose(2, 0, 1))])
        cells.append(found + np.array([x - 1, -1, -1]))
        last = slab[-1:]
    return Crossed(np.concatenate(cells), np.concatenate(corners))


def _layers(samples: Samples, start: int, stop: int) -> list[np.ndarray]:
    """Values minus level on the layers start .. stop - 1, each wrapped in outside points; all beyond is outside."""
    nx, ny, nz = samples.lattice.shape
    y, z = np.indices((ny, nz)).reshape(2, -1)
    layers = []
    for x in range(start, stop):
        layer = np.full((1, ny + 2, nz + 2), OUTSIDE)
        if x < nx:
            layer[0, 1:-1, 1:-1] = samples.values_at(np.stack([np.full(len(y), x), y, z], axis=1)).reshape(ny, nz)
        layers.append(layer)
    return layers
