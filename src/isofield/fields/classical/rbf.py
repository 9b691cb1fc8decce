"""Radial basis functions: biharmonic splines through points on and beside the surface."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.linalg import solve
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from torch import Tensor

from isofield.fields.classical.field import PointsField
from isofield.fields.classical.points import OrientedPoints
from isofield.fields.classical.winding import Inside

MOST_POINTS = 20_000  # of more, those of a cell of a lattice are averaged
PATCH = 64  # surface points at the core of a patch, at most
OFF_SURFACE = 1.5  # spacings from the surface to the points beside it
REACH = 2.0  # spacings from the points to where the winding number takes over


class RbfField(PointsField):
    """Carr et al. 2001: s(x) = p(x) + sum l_i |x - x_i|, p linear, with s = 0 at the points and s = d beside them.

    One system of all centres would take their cube in time, so boxes of few points are solved with their neighbourhood
    and blended by weights that fall to zero at the border of each (partition of unity, Wendland 2004, ch. 29). Beyond
    `reach` of the points, where splines are free to oscillate, the sign is that of the points' winding number and the
    value the distance to the nearest point: this removes stray pieces.
    """

    prefix = "cloud."

    def __init__(self, cloud: OrientedPoints, patches: "Patches"):
        super().__init__(cloud)
        self.patches = patches
        self.inside, self.reach = Inside(cloud), REACH * cloud.spacing

    @classmethod
    def over(cls, cloud: OrientedPoints, *, smoothing: float = 0.0) -> "RbfField":
        """smoothing: added to the diagonal, in spacings; 0 goes through every point, more goes past noisy ones.

        Of more than 20,000 points, those close together are averaged first.
        """
        cloud = thinned(cloud, MOST_POINTS)
        centers, values = off_surface(cloud)
        return cls(cloud, Patches.fit(cloud, centers, values, smoothing * cloud.spacing))

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        at = points.detach().cpu().numpy().astype(np.float64)
        value, weight = np.zeros(len(at)), np.zeros(len(at))
        far = np.clip(self.cloud.distance(at) / self.reach - 1, 0, 1)
        close = np.flatnonzero(far < 1)
        if len(close):
            value[close], weight[close] = self.patches.blend(at[close])
        far[weight == 0] = 1
        away = far > 0
        if away.any():
            value[away] = (1 - far[away]) * value[away] + far[away] * self.inside.far_distance(at[away])
        return torch.as_tensor(value, dtype=points.dtype, device=points.device)

    def tensors(self) -> dict[str, Tensor]:
        """The cloud's tensors and those of the patches."""
        return super().tensors() | self.patches.tensors()

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "RbfField":
        """The inverse of `spec` and `tensors`."""
        return cls(cls.restored_cloud(spec, tensors), Patches.restore(tensors))


class Patches:
    """Splines of overlapping balls: ball k holds the rows `first[k] : first[k + 1]` of members and weights.

    members: numbers of centres; weights: l_i of each; linear: the four coefficients of 1, x - c of each ball.
    """

    def __init__(
        self,
        centers: Float[np.ndarray, "c 3"],
        middle: Float[np.ndarray, "k 3"],
        radius: Float[np.ndarray, " k"],
        first: Int[np.ndarray, " k+1"],
        members: Int[np.ndarray, " m"],
        weights: Float[np.ndarray, " m"],
        linear: Float[np.ndarray, "k 4"],
    ):
        self.centers, self.middle, self.radius = centers, middle, radius
        self.first, self.members, self.weights, self.linear = first, members, weights, linear

    @classmethod
    def fit(
        cls,
        cloud: OrientedPoints,
        centers: Float[np.ndarray, "c 3"],
        values: Float[np.ndarray, " c"],
        smoothing: float,
    ) -> "Patches":
        boxes = [cloud.points[rows] for rows in _leaves(cloud.points, np.arange(len(cloud)))]
        middle = np.array([(box.min(0) + box.max(0)) / 2 for box in boxes])
        core = np.array([np.linalg.norm(box - m, axis=1).max() for box, m in zip(boxes, middle, strict=True)])
        radius = core + 2 * REACH * cloud.spacing
        members = [np.sort(rows) for rows in cKDTree(centers).query_ball_point(middle, radius)]
        fits = [biharmonic(centers[rows] - m, values[rows], smoothing) for rows, m in zip(members, middle, strict=True)]
        first = np.concatenate([[0], np.cumsum([len(rows) for rows in members])])
        weights, linear = np.concatenate([w for w, _ in fits]), np.array([p for _, p in fits])
        return cls(centers, middle, radius, first, np.concatenate(members), weights, linear)

    def blend(self, points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Weighted mean of the splines of all balls around each point, and the sum of the weights (0: in none)."""
        value, total = np.zeros(len(points)), np.zeros(len(points))
        around = cKDTree(points).query_ball_point(self.middle, self.radius)
        for k, rows in enumerate(around):
            if not rows:
                continue
            at, held = points[rows] - self.middle[k], slice(self.first[k], self.first[k + 1])
            spline = cdist(at, self.centers[self.members[held]] - self.middle[k]) @ self.weights[held]
            spline += self.linear[k, 0] + at @ self.linear[k, 1:]
            weight = wendland(np.linalg.norm(at, axis=1) / self.radius[k])
            value[rows] += weight * spline
            total[rows] += weight
        return value / np.maximum(total, 1e-300), total

    def tensors(self) -> dict[str, Tensor]:
        return {name: torch.as_tensor(value) for name, value in vars(self).items()}

    @classmethod
    def restore(cls, tensors: dict[str, Tensor]) -> "Patches":
        names = ("centers", "middle", "radius", "first", "members", "weights", "linear")
        return cls(*(tensors[name].numpy() for name in names))


def biharmonic(
    centers: Float[np.ndarray, "m 3"], values: Float[np.ndarray, " m"], smoothing: float = 0.0
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "4"]]:
    """l and p of Carr et al. 2001, Eq. 10: (A - smoothing) l + P p = values, P^T l = 0, with A_ij = |x_i - x_j|.

    -|x| is conditionally positive definite, so smoothing is taken from the diagonal.
    """
    count = len(centers)
    system = np.zeros((count + 4, count + 4))
    system[:count, :count] = cdist(centers, centers) - smoothing * np.eye(count)
    system[:count, count:] = np.concatenate([np.ones((count, 1)), centers], axis=1)
    system[count:, :count] = system[:count, count:].T
    found = solve(system, np.concatenate([values, np.zeros(4)]), assume_a="sym", check_finite=False)
    return found[:count], found[count:]


def wendland(distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """(1 - r)^4 (4 r + 1) for r < 1, else 0: twice differentiable (Wendland 1995)."""
    return np.clip(1 - distance, 0, None) ** 4 * (4 * distance + 1)


def off_surface(cloud: OrientedPoints) -> tuple[Float[np.ndarray, "c 3"], Float[np.ndarray, " c"]]:
    """Every point with value 0 and, in turn on the outer and the inner side, one along its normal with value +-d.

    A point beside the surface must be nearest to its own origin (Carr et al. 2001, section 3) and farther from any that
    look the other way, else it may lie beyond another sheet: d is halved until that holds, at most three times, and
    the point given up then.
    """
    side = np.where(np.arange(len(cloud)) % 2, -1.0, 1.0)
    length = np.full(len(cloud), OFF_SURFACE * cloud.spacing)
    for attempt in range(4):
        beside = cloud.points + (side * length)[:, None] * cloud.normals
        distance, near = cloud.tree.query(beside, k=8, workers=torch.get_num_threads())
        opposite = np.einsum("nkd,nd->nk", cloud.normals[near], cloud.normals) < 0
        wrong = (distance[:, 0] < 0.9 * length) | (opposite & (distance < 1.5 * length[:, None])).any(1)
        if attempt < 3:
            length = np.where(wrong, length / 2, length)
    centers = np.concatenate([cloud.points, beside[~wrong]])
    return centers, np.concatenate([np.zeros(len(cloud)), (side * length)[~wrong]])


def thinned(cloud: OrientedPoints, most: int) -> OrientedPoints:
    """At most about `most` points: means of position, normal and colour over the cells of a lattice, by side."""
    if len(cloud) <= most:
        return cloud
    size = float(np.sqrt(cloud.areas.sum() / most)) * 0.9
    while True:
        way = np.abs(cloud.normals).argmax(1)
        side = 2 * way + (np.take_along_axis(cloud.normals, way[:, None], 1)[:, 0] > 0)
        cells = np.column_stack([np.floor(cloud.points / size).astype(np.int64), side])
        _, owner, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
        if len(count) <= most:
            break
        size *= 1.1
    columns = [cloud.points, cloud.normals, *([] if cloud.colors is None else [cloud.colors.astype(np.float64)])]
    means = [np.column_stack([np.bincount(owner.ravel(), axis) for axis in c.T]) / count[:, None] for c in columns]
    return OrientedPoints.of(means[0], means[1], np.round(means[2]) if len(means) > 2 else None, cloud.frame)


def _leaves(points: Float[np.ndarray, "n 3"], rows: Int[np.ndarray, " m"]) -> list[Int[np.ndarray, " k"]]:
    """Rows in boxes of at most PATCH points, each box halved at the median of its longest side."""
    if len(rows) <= PATCH:
        return [rows]
    axis = int(np.ptp(points[rows], axis=0).argmax())
    half = len(rows) // 2
    order = rows[np.argpartition(points[rows, axis], half)]
    return _leaves(points, order[:half]) + _leaves(points, order[half:])
