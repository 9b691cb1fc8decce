"""Where sign-agnostic learning starts: a solid wrapped loosely around points or triangles."""

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage

from isofield import losses
from isofield.fields.neural import NeuralField
from isofield.mesh.distance import MeshDistance
from isofield.mesh.surfels import Surfels

CELLS = 56  # grid points along a side of the box
REACH = 1.6  # the wrap keeps so many spacings, at least so many cells, from the surface
ENCLOSED = 0.02  # cells enclosed for each cell of the wrap: fewer, and the surface is taken for open
STEPS, BATCH, RATE = 120, 2048, 2e-3


def wrap(surface: Surfels | MeshDistance, spacing: float) -> Float[np.ndarray, "k k k"] | None:
    """Signed distance, on a grid of [-1, 1]^3, of all that air cannot reach from the border of the box.

    Air keeps away from the surface (unit frame) by a few spacings, so gaps narrower than that are closed. None where
    nothing is enclosed: the surface is open, or thinner than a cell.
    """
    axis = np.linspace(-1, 1, CELLS)
    cell = axis[1] - axis[0]
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    free = (surface.closest(grid).distance > REACH * max(spacing, cell)).reshape(CELLS, CELLS, CELLS)
    parts, _ = ndimage.label(free)
    border = np.ones_like(free)
    border[1:-1, 1:-1, 1:-1] = False
    air = np.isin(parts, np.setdiff1d(parts[border], 0))
    enclosed = free & ~air
    if enclosed.sum() < ENCLOSED * (~free).sum():
        return None
    return (ndimage.distance_transform_edt(air) - ndimage.distance_transform_edt(~air)) * cell


def start_wrapped(field: NeuralField, wrapped: Float[np.ndarray, "k k k"], seed: int = 0) -> None:
    """Bring a fresh field near the distance that `wrap` returned, in place; the same for the same seed."""
    values = torch.as_tensor(wrapped, dtype=torch.float32).flatten()
    axis = torch.linspace(-1, 1, CELLS)
    draw = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(field.parameters(), RATE)
    for _ in range(STEPS):
        row = torch.randint(len(values), (BATCH,), generator=draw)
        at = torch.stack([axis[row // CELLS**2], axis[row // CELLS % CELLS], axis[row % CELLS]], 1)
        adam.zero_grad()
        losses.l1(field.sdf(at), values[row]).backward()
        adam.step()
