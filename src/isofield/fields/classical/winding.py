"""The winding number of oriented points: inside and outside, and a field made of it."""

from functools import cached_property
from typing import Any

import igl
import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from isofield.fields.classical.field import PointsField
from isofield.fields.classical.points import OrientedPoints

ORDER, ACCURACY = 2, 2.0  # Barill et al. 2018: Taylor order, and the ratio of distance to size from which it is used
TRANSITION = 0.125  # far away the sign turns over where the winding number is within this of a half
PROBES = 2000
SOFTENING = 2.0  # spacings within which dipoles are blunt
BLUNTED = 64  # so many nearest dipoles are made blunt one by one
STEEPEST = 0.97  # of 1 - 2w: what is nearer to 1 says no more than that the point is far


class Inside:
    """Winding number of oriented points (Barill et al. 2018, Eq. 5): 1 inside, 0 outside, reliable beyond 2 spacings.

    Areas of points are only estimated, so they are scaled until the number changes by one across the points.
    """

    def __init__(self, cloud: OrientedPoints):
        self.cloud, self.areas = cloud, cloud.areas
        some = np.random.default_rng(0).permutation(len(cloud))[:PROBES]
        at, step = cloud.points[some], 3 * cloud.spacing * cloud.normals[some]
        rise = float(np.median(self.winding(at - step) - self.winding(at + step)))
        self.__dict__.pop("_tree")
        self.areas = self.areas / (rise if rise > 0.1 else 1.0)

    @cached_property
    def _tree(self) -> tuple:
        rows, children, *_ = igl.octree(self.cloud.points)
        expansion = igl.fast_winding_number_precompute(
            self.cloud.points, self.cloud.normals, self.areas, rows, children, ORDER
        )
        return rows, children, *expansion

    def winding(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        at, cloud = np.ascontiguousarray(points, np.float64), self.cloud
        return igl.fast_winding_number(cloud.points, cloud.normals, self.areas, *self._tree, at, ACCURACY)

    def far_distance(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Distance to the nearest point of the cloud, negative inside, going through zero where the winding number is a
        half: of use away from the points, where it spans their gaps."""
        turned = np.clip((0.5 - self.winding(points)) / TRANSITION, -1, 1)
        return turned * self.cloud.distance(points)


class WindingField(PointsField):
    """The winding number of the points themselves, made a distance near the surface.

    Its dipoles are made blunt within e = 2 spacings, (d^2 + e^2) in place of d^2. In front of a plane it is then
    w = (1 - d / sqrt(d^2 + e^2)) / 2, which is solved for the distance: d = e u / sqrt(1 - u^2) with u = 1 - 2w.
    """

    def __init__(self, cloud: OrientedPoints, level: float | None = None):
        super().__init__(cloud)
        self.inside = Inside(cloud)
        self.softening = SOFTENING * cloud.spacing
        self.level = self._level_at_points() if level is None else level

    @classmethod
    def over(cls, cloud: OrientedPoints) -> "WindingField":
        """It has no options."""
        return cls(cloud)

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        at = points.detach().cpu().numpy().astype(np.float64)
        u = 2 * (self.level - self._blunt(at))
        near = np.clip(u, -STEEPEST, STEEPEST)
        value = self.softening * near / np.sqrt(1 - near**2)
        far = np.abs(u) > STEEPEST / 2
        distance = np.maximum(np.abs(value), self.cloud.distance(at) - self.softening)
        value = np.where(far, np.sign(u) * distance, value)
        return torch.as_tensor(value, dtype=points.dtype, device=points.device)

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "level": self.level}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "WindingField":
        """The inverse of `spec` and `tensors`."""
        return cls(cls.restored_cloud(spec, tensors), spec["level"])

    def _level_at_points(self) -> float:
        """Median of the number close to both sides of the points; it is a half only where the surface is flat."""
        some = np.random.default_rng(0).permutation(len(self.cloud))[:PROBES]
        at, step = self.cloud.points[some], 0.25 * self.cloud.spacing * self.cloud.normals[some]
        return float(np.median((self._blunt(at + step) + self._blunt(at - step)) / 2))

    def _blunt(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """The winding number with the nearest dipoles made blunt."""
        winding = self.inside.winding(points)
        distance, near = self.cloud.tree.query(points, k=min(BLUNTED, len(self.cloud)), workers=torch.get_num_threads())
        away = self.cloud.points[near] - points[:, None]
        dipole = self.inside.areas[near] * np.einsum("nkd,nkd->nk", away, self.cloud.normals[near]) / (4 * np.pi)
        tiny = np.finfo(float).tiny ** 0.25
        blunt, sharp = (distance**2 + self.softening**2) ** -1.5, np.maximum(distance, tiny) ** -3.0
        return winding + (dipole * (blunt - np.where(distance > tiny, sharp, 0))).sum(1)
