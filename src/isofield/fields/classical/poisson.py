"""Screened Poisson surface reconstruction as a field."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt, map_coordinates
from torch import Tensor

from isofield.errors import InputError
from isofield.fields.classical.field import PointsField
from isofield.fields.classical.points import OrientedPoints
from isofield.fields.classical.poisson_solver import HALF, Box, solve
from isofield.fields.field import Field
from isofield.fields.grid import SparseGrid

SCREENING = 4.0  # Kazhdan and Hoppe 2013, section 6
FAR_CELLS = 64  # along the cube: the lattice on which distances far from the surface are taken
MOST_PARTS = 32  # a point in a sparse region is spread over at most so many parts of its disc
GOLDEN = np.pi * (3 - np.sqrt(5))
UNIT_BOUNDS = ((-1.0,) * 3, (1.0,) * 3)


class PoissonField(PointsField):
    """Screened Poisson (Kazhdan and Hoppe 2013) on a lattice, scaled to be a distance near the surface.

    The indicator-like solution is divided by its gradient's length at the points, which makes it a signed distance
    within about a cell; beyond, it turns into the distance to the sign changes of a coarser lattice. It is closed:
    where points are missing a smooth membrane spans the gap, and `seen` tells it from what was measured. Memory:
    about 500 MB at 256 cells.
    """

    prefix = "cloud."

    def __init__(self, grid: SparseGrid, cloud: OrientedPoints):
        super().__init__(cloud)
        self.grid, self.bounds, self.lipschitz = grid, grid.bounds, grid.lipschitz

    @classmethod
    def over(cls, cloud: OrientedPoints, *, cells: int | None = None, screening: float = SCREENING) -> "PoissonField":
        """cells: along the cube [-1, 1]^3, a multiple of 64 (by default as fine as the points, 256 at most).

        screening: how strongly the surface is drawn to the points. Raises InputError for points beyond the cube.
        """
        if np.abs(cloud.points).max() > 1.05:
            raise InputError("points", "some lie beyond the unit frame", "give points of the unit frame")
        cells = cells or cells_of_size(cloud.spacing)
        if cells % 64 or cells < 64:
            raise InputError("cells", f"{cells} is no multiple of 64", "give 64, 128, 192, 256 ...")
        solution = _Solution(cloud, cells, screening)
        grid = SparseGrid.bake(solution, cells + 1, band=4 * 2 / cells)
        return cls(grid, cloud)

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.grid.sdf(points)

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "grid": self.grid.spec()}

    def tensors(self) -> dict[str, Tensor]:
        """The grid's tensors and the cloud's."""
        return self.grid.tensors() | super().tensors()

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "PoissonField":
        """The inverse of `spec` and `tensors`."""
        return cls(SparseGrid.restore(spec["grid"], tensors), cls.restored_cloud(spec, tensors))


def cells_of_size(size: float) -> int:
    """64, 128, 192 or 256: how many cells along the cube [-1, 1]^3 come nearest to this size."""
    return int(np.clip(64 * round(2 / size / 64), 64, 256))


class _Solution(Field):
    """The solution on its lattices, to be asked where the sparse grid needs it."""

    def __init__(self, cloud: OrientedPoints, cells: int, screening: float):
        self.frame, self.bounds = cloud.frame, UNIT_BOUNDS
        box = Box(round(cells * HALF))
        border = 0.5 * np.sign((cloud.areas @ (cloud.points * cloud.normals)).sum() or 1.0)  # of the volume, by Gauss
        points, weighted = spread(cloud, box.spacing)
        self.chi = solve(
            points, weighted, cloud.points, cloud.areas, cells=box.cells, screening=screening, border=border
        )
        self.chi -= _weighted_mean(self._value(self.chi, cloud.points), cloud.areas)
        self.chi /= _slope(self.chi, cloud, box)
        stride = cells // FAR_CELLS
        self.far_spacing = stride * box.spacing
        self.far = _distance_to_sign_change(self.chi[::stride, ::stride, ::stride]) * self.far_spacing

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        at = points.cpu().numpy().astype(np.float64)
        near, far = self._value(self.chi, at), self._value(self.far, at)
        part = np.clip(np.abs(far) / self.far_spacing / 1.5 - 1, 0, 1)
        return torch.as_tensor((1 - part) * near + part * far, dtype=points.dtype)

    @staticmethod
    def _value(values: np.ndarray, points: np.ndarray) -> np.ndarray:
        return _trilinear(values, points)


def _trilinear(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    place = (points + HALF) * ((len(values) - 1) / (2 * HALF))
    return map_coordinates(values, place.T, order=1, mode="nearest")


def _slope(chi: np.ndarray, cloud: OrientedPoints, box: Box) -> float:
    """Median increase of chi across the points, along their normals, per unit length; always positive."""
    step = 0.5 * box.spacing * cloud.normals
    rise = _trilinear(chi, cloud.points + step) - _trilinear(chi, cloud.points - step)
    return max(abs(float(np.median(rise))) / box.spacing, 1e-6)


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(values @ weights / weights.sum())


def _distance_to_sign_change(values: np.ndarray) -> np.ndarray:
    """In cells, half a cell less than to the nearest node of the other sign; negative where values are."""
    inside = values < 0
    if inside.all() or not inside.any():
        return np.where(inside, -1.0, 1.0) * len(values)
    outward = distance_transform_edt(~inside) - 0.5
    inward = distance_transform_edt(inside) - 0.5
    return np.where(inside, -inward, outward)


def spread(cloud: OrientedPoints, spacing: float) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, "m 3"]]:
    """Points and normals times area, sparse points replaced by several on their discs, about `spacing` apart."""
    parts = np.clip(np.ceil(cloud.areas / spacing**2), 1, MOST_PARTS).astype(np.int64)
    owner = np.repeat(np.arange(len(cloud)), parts)
    turn = np.arange(len(owner)) - np.repeat(np.cumsum(parts) - parts, parts)
    radius = np.sqrt(cloud.areas[owner] / np.pi * (turn + 0.5) / parts[owner]) * (parts[owner] > 1)
    across, along = tangents(cloud.normals)
    shift = np.cos(GOLDEN * turn)[:, None] * across[owner] + np.sin(GOLDEN * turn)[:, None] * along[owner]
    weighted = (cloud.areas / parts)[owner, None] * cloud.normals[owner]
    return np.clip(cloud.points[owner] + radius[:, None] * shift, -1.05, 1.05), weighted


def tangents(normals: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Two unit vectors orthogonal to each unit normal and to each other."""
    axis = np.eye(3)[np.abs(normals).argmin(1)]
    across = np.cross(normals, axis)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return across, np.cross(normals, across)
