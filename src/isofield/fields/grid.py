"""A field baked into samples: fine bricks near the surface, a coarse grid elsewhere, trilinear in between."""

from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from isofield.errors import IsofieldError
from isofield.fields.field import Field, color_numpy, sdf_numpy
from isofield.frame import UnitFrame

BRICK = 8  # fine cells along the side of a brick, which is one cell of the coarse grid
SIDE = BRICK + 1  # fine samples along that side: neighbours repeat those on the face between them
LOCAL = np.array(list(product(range(SIDE), repeat=3)))
CORNERS = np.array(list(product((0, 1), repeat=3)))
SLOPE_SAFETY = 1.5  # on the steepest slope between coarse samples, where the field states no bound

Bricks = Int[np.ndarray, "b 3"]
Corner = tuple[float, float, float]


class SparseGrid(Field):
    """Continuous, piecewise trilinear, differentiable in position; its Lipschitz constant, from its samples, is proven.

    It holds within the bounds; beyond them the distance to the bounds is added to the value on their border.
    table: which bricks (x, y, z) are fine, and where their samples begin in `values`, -1 for coarse ones; the samples
    of the coarse grid come first. colors: sRGB of each sample, if the field had colour.
    """

    def __init__(
        self,
        table: Int[Tensor, "x y z"],
        values: Float[Tensor, " s"],
        colors: UInt8[Tensor, "s 3"] | None,
        *,
        frame: UnitFrame,
        bounds: tuple[Corner, Corner],
        spacing: float,
        lipschitz: float,
    ):
        self.table, self.values, self.colors = table, values, colors
        self.frame, self.spacing, self.lipschitz = frame, spacing, lipschitz
        self.has_color = colors is not None
        self.bounds = bounds

    @classmethod
    def bake(cls, field: Field, resolution: int = 128, *, band: float = 0.05) -> "SparseGrid":
        """Sample a field on `resolution` points along its longest side, finely where |f| < `band` may occur.

        The error near the surface is O(spacing^2) wherever the field is smooth, and none on the lattice on which
        meshing at the same resolution asks. The last bricks may reach beyond the bounds. Colours are taken along.
        Raises IsofieldError where the field is not finite.
        """
        low, high = np.array(field.bounds, np.float64)
        width = BRICK * float((high - low).max()) / (resolution - 1)
        shape = np.maximum(np.ceil((high - low) / width - 1e-6).astype(np.int64), 1)
        spacing = width / BRICK
        coarse = _sample(field, low + width * _indices(shape + 1)).reshape(shape + 1)
        kept = _bricks_near_surface(
            field, coarse, low, width, band + 2 * spacing
        )  # the last layer joins the coarse grid
        points = low + spacing * (BRICK * kept[:, None] + LOCAL)
        fine = _sample(field, points.reshape(-1, 3)).reshape(-1, SIDE, SIDE, SIDE)
        fine = _join_to_coarse(fine, coarse, kept)
        table = np.full(shape, -1)
        table[tuple(kept.T)] = coarse.size + SIDE**3 * np.arange(len(kept))
        everywhere = np.concatenate([low + width * _indices(shape + 1), points.reshape(-1, 3)])
        return cls(
            torch.as_tensor(table, dtype=torch.int32),
            torch.as_tensor(np.concatenate([coarse.ravel(), fine.ravel()]), dtype=torch.float32),
            _bytes(color_numpy(field, everywhere)) if field.has_color else None,
            frame=field.frame,
            bounds=field.bounds,
            spacing=spacing,
            lipschitz=max(_steepest(coarse[None]) / width, _steepest(fine) / spacing, 1e-12),
        )

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        low, high = points.new_tensor(self.bounds)
        within = torch.minimum(torch.maximum(points, low), high)
        sample, weight = self._corners(within)
        beyond = torch.linalg.vector_norm(points - within, dim=1)
        return (self.values.to(points)[sample] * weight).sum(1) + beyond

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        if self.colors is None:
            return super().color(points, directions)
        low, high = points.new_tensor(self.bounds)
        sample, weight = self._corners(torch.minimum(torch.maximum(points, low), high))
        return (self.colors[sample].to(points) * weight[:, :, None]).sum(1) / 255

    def bytes(self) -> int:
        """Size of what is stored."""
        return sum(tensor.nbytes for tensor in self.tensors().values())

    def spec(self) -> dict:
        """All but the tensors, as JSON."""
        described = {
            "type": "SparseGrid",
            "frame": self.frame.to_json(),
            "bounds": [list(corner) for corner in self.bounds],
        }
        return described | {"spacing": self.spacing, "lipschitz": self.lipschitz}

    def tensors(self) -> dict[str, Tensor]:
        return {"table": self.table, "values": self.values} | ({} if self.colors is None else {"colors": self.colors})

    @classmethod
    def restore(cls, spec: dict, tensors: dict[str, Tensor]) -> "SparseGrid":
        low, high = spec["bounds"]
        table, values = tensors["table"], tensors["values"]
        coarse = int(np.prod([side + 1 for side in table.shape]))
        if table.ndim != 3 or max(coarse, int(table.max()) + SIDE**3 if (table >= 0).any() else 0) > len(values):
            raise ValueError(f"a table {tuple(table.shape)} does not fit {len(values)} values")
        return cls(
            table,
            values,
            tensors.get("colors"),
            frame=UnitFrame.from_json(spec["frame"]),
            bounds=(tuple(low), tuple(high)),
            spacing=spec["spacing"],
            lipschitz=spec["lipschitz"],
        )

    def _corners(self, points: Float[Tensor, "n 3"]) -> tuple[Int[Tensor, "n 8"], Float[Tensor, "n 8"]]:
        """Numbers and trilinear weights of the eight samples around each point."""
        shape = torch.tensor(self.table.shape, device=points.device)
        place = (points - points.new_tensor(self.bounds[0])) / (BRICK * self.spacing)
        brick = torch.minimum(place.detach().floor().long().clamp(min=0), shape - 1)
        begin = self.table[brick.unbind(1)].long()
        coarse = (begin < 0)[:, None]
        inner = torch.where(coarse, place - brick, BRICK * (place - brick))
        cell = torch.where(coarse, 0, inner.detach().floor().long().clamp(0, BRICK - 1))
        part = inner - cell
        strides = torch.where(coarse, _strides(shape + 1), _strides(torch.full_like(shape, SIDE)))
        first = begin.clamp(min=0) + (torch.where(coarse, brick, cell) * strides).sum(1)
        corners = torch.as_tensor(CORNERS, device=points.device)
        weight = torch.where(corners == 1, part[:, None], 1 - part[:, None]).prod(2)
        return first[:, None] + (corners * strides[:, None]).sum(2), weight


def _strides(shape: Tensor) -> Tensor:
    return torch.stack([shape[1] * shape[2], shape[2], torch.ones_like(shape[2])])


def _indices(shape: np.ndarray) -> np.ndarray:
    return np.indices(tuple(shape)).reshape(3, -1).T


def _sample(field: Field, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    values = sdf_numpy(field, points)
    if not np.isfinite(values).all():
        raise IsofieldError(f"the field is not finite at {int((~np.isfinite(values)).sum())} of {len(values)} samples")
    return values.astype(np.float32).astype(np.float64)  # as stored


def _bytes(colors: Float[np.ndarray, "s 3"]) -> UInt8[Tensor, "s 3"]:
    return torch.as_tensor(np.clip(np.round(255 * colors), 0, 255).astype(np.uint8))


def _bricks_near_surface(field: Field, coarse: np.ndarray, low: np.ndarray, width: float, band: float) -> Bricks:
    """Bricks that may hold a point with |f| < band, by the Lipschitz bound at centres and the signs at corners."""
    shape = np.array(coarse.shape) - 1
    bricks = _indices(shape)
    centre = _sample(field, low + width * (bricks + 0.5))
    slope = field.lipschitz if field.lipschitz is not None else SLOPE_SAFETY * _steepest(coarse[None]) / width
    inside = np.stack([coarse[tuple((bricks + corner).T)] < 0 for corner in CORNERS], axis=1)
    mixed = inside.any(axis=1) & ~inside.all(axis=1)
    return bricks[mixed | (np.abs(centre) < slope * (width * np.sqrt(3) / 2 + band))]


def _join_to_coarse(fine: np.ndarray, coarse: np.ndarray, kept: Bricks) -> np.ndarray:
    """Give samples on faces towards coarse bricks the value that the coarse grid has there, so that nothing jumps."""
    shape = np.array(coarse.shape) - 1
    is_fine = np.zeros(shape + 2, bool)
    is_fine[tuple((kept + 1).T)] = True
    for axis in range(3):  # beyond the bounds there is nothing to join to
        np.moveaxis(is_fine, axis, 0)[[0, -1]] = True
    hanging = np.zeros((len(kept), len(LOCAL)), bool)
    for step in product((-1, 0, 1), repeat=3):
        touches = (((np.array(step) * BRICK + BRICK) // 2 == LOCAL) | (np.array(step) == 0)).all(axis=1)
        hanging |= ~is_fine[tuple((kept + 1 + step).T)][:, None] & touches
    part = LOCAL / BRICK
    weights = np.stack([np.where(corner == 1, part, 1 - part).prod(1) for corner in CORNERS])
    around = np.stack([coarse[tuple((kept + corner).T)] for corner in CORNERS], axis=1)
    return (
        np.where(hanging, around @ weights, fine.reshape(len(kept), -1))
        .astype(np.float32)
        .astype(np.float64)
        .reshape(fine.shape)
    )


def _steepest(values: Float[np.ndarray, "b x y z"]) -> float:
    """Largest gradient norm, per cell width, of the trilinear interpolant.

    The gradient is affine in each coordinate within a cell, and the norm is convex: it is largest at a corner of a
    cell, where its components are the differences along the three edges that meet there.
    """
    if not values.size:
        return 0.0
    x, y, z = (np.diff(values, axis=axis) for axis in (1, 2, 3))
    squares = 0.0
    for i, j, k in product((slice(None, -1), slice(1, None)), repeat=3):
        squares = max(squares, float((x[:, :, j, k] ** 2 + y[:, i, :, k] ** 2 + z[:, i, j, :] ** 2).max()))
    return squares**0.5
