"""Implicit moving least squares."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from isofield.cloud.normals import noise_level
from isofield.fields.classical.field import PointsField
from isofield.fields.classical.points import OrientedPoints
from isofield.fields.classical.winding import Inside
from isofield.fields.field import CHUNK

SUPPORTS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # numbers of neighbours to choose from
TRIALS = 1500  # points left out in turn to choose among them
STEEP, ABOVE, NOISE = 0.5, 2.0, 4.0  # a neighbour's height over the tangent plane: per length, in spacings, in noise
REACH = 3.0  # spacings, or supports if these are wider, from the points to where the winding number takes over
FEW_NEIGHBOURS = 1 << 20  # neighbours at a time: bounds the memory


class MlsField(PointsField):
    """Signed distance to planes through the nearest points, averaged with weights that fall to zero at the last one.

    Kolluri 2008's f = sum w_i n_i . (x - p_i) / sum w_i lies beside curved surfaces by a part of the squared support.
    Here (n_i + n) / 2 stands for n_i, n being the averaged normal: on a sphere (n_i + n) . (x - p_i) = 0 exactly, so
    the error is of third order, as that of algebraic point set surfaces. Points that look the other way do not count.
    Farther from the points than `reach` the sign is that of their winding number and the value the distance to the
    nearest point, so no stray sheets appear.
    """

    def __init__(self, cloud: OrientedPoints, neighbours: int):
        super().__init__(cloud)
        self.neighbours = min(neighbours, len(cloud))
        self.inside = Inside(cloud)
        self.support = float(np.sqrt(self.neighbours / np.pi)) * cloud.spacing  # radius over which is averaged
        self.reach = max(REACH * cloud.spacing, self.support)

    @classmethod
    def over(cls, cloud: OrientedPoints, *, neighbours: int | None = None) -> "MlsField":
        """neighbours: how many make the surface at a point; more smooth out more noise and more detail.

        By default the number that best foretells points left out.
        """
        return cls(cloud, neighbours or best_support(cloud))

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        at = points.detach().cpu().numpy().astype(np.float64)
        value = np.empty(len(at))
        for start in range(0, len(at), size := max(1, min(CHUNK, FEW_NEIGHBOURS // self.neighbours))):
            value[start : start + size] = self._values(at[start : start + size])
        return torch.as_tensor(value, dtype=points.dtype, device=points.device)

    def near_surface(
        self, points: Float[np.ndarray, "n 3"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
        """Value and averaged unit normal by the nearest points alone, however far they are."""
        values, normals = np.empty(len(points)), np.empty((len(points), 3))
        size = max(1, FEW_NEIGHBOURS // self.neighbours)
        for start in range(0, len(points), size):
            rows = slice(start, start + size)
            _, near = self._nearest(points[rows])
            values[rows], normals[rows] = implicit(points[rows], self.cloud.points[near], self.cloud.normals[near])
        return values, normals

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "neighbours": self.neighbours}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "MlsField":
        """The inverse of `spec` and `tensors`."""
        return cls(cls.restored_cloud(spec, tensors), spec["neighbours"])

    def _values(self, points: np.ndarray) -> np.ndarray:
        distance = self.cloud.distance(points)
        far = np.clip(distance / self.reach - 1, 0, 1)
        value = np.zeros(len(points))
        if (close := far < 1).any():
            value[close] = self.near_surface(points[close])[0]
        if (away := far > 0).any():
            value[away] = (1 - far[away]) * value[away] + far[away] * self.inside.far_distance(points[away])
        return value

    def _nearest(self, points: np.ndarray) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
        return self.cloud.tree.query(points, k=self.neighbours, workers=torch.get_num_threads())


def implicit(
    points: Float[np.ndarray, "n 3"],
    near: Float[np.ndarray, "n k 3"],
    normals: Float[np.ndarray, "n k 3"],
    squared: Float[np.ndarray, "n k"] | None = None,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Value and unit normal at each point from its k nearest neighbours, the farthest last.

    squared: the squared distances that weigh the neighbours, if not those to the point.
    """
    away = points[:, None] - near
    squared = np.einsum("nkd,nkd->nk", away, away) if squared is None else squared
    weight = np.clip(1 - squared / (squared[:, -1:] * 1.02 + 1e-30), 1e-9, 1) ** 3
    mean = _unit(np.einsum("nk,nkd->nd", weight, normals))
    weight = weight * np.clip(np.einsum("nkd,nd->nk", normals, mean), 1e-3, 1) ** 2
    mean = _unit(np.einsum("nk,nkd->nd", weight, normals))
    height = np.einsum("nkd,nkd->nk", away, normals) + np.einsum("nkd,nd->nk", away, mean)
    return (weight * height).sum(1) / (2 * weight.sum(1)), mean


def best_support(cloud: OrientedPoints) -> int:
    """The number of neighbours for which points left out of the cloud lie nearest to the surface of the others.

    Leave-one-out cross-validation: noise asks for many neighbours, detail for few. Neighbours are taken along the
    tangent plane, since the nearest ones in space share the noise of the point left out. What lies above or below it,
    by more than noise and curvature lift a point of the same sheet, comes last.
    """
    some = np.random.default_rng(0).permutation(len(cloud))[:TRIALS]
    supports = [k for k in SUPPORTS if k < len(cloud)]
    _, near = cloud.tree.query(cloud.points[some], k=min(2 * supports[-1], len(cloud)), workers=torch.get_num_threads())
    near = near[:, 1:]
    away, normals = cloud.points[near] - cloud.points[some, None], cloud.normals[some]
    height = np.abs(np.einsum("nkd,nd->nk", away, normals))
    along = ((away**2).sum(2) - height**2).clip(0)
    lift = STEEP * np.sqrt(along) + ABOVE * cloud.spacing + NOISE * noise_level(cloud.points)
    other = (height > lift) | (np.einsum("nkd,nd->nk", cloud.normals[near], normals) < 0)
    along[other] = 4.0  # of another sheet: beyond all others
    order = np.argsort(along, axis=1)
    near, along = np.take_along_axis(near, order, 1), np.take_along_axis(along, order, 1)
    errors = []
    for k in supports:
        value, _ = implicit(cloud.points[some], cloud.points[near[:, :k]], cloud.normals[near[:, :k]], along[:, :k])
        errors.append(np.sort(value**2)[: int(0.98 * len(value))].mean())  # without the worst, which may be outliers
    return supports[int(np.argmin(errors))]


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
