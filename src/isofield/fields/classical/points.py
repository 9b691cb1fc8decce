"""Oriented points of the unit frame, and what every classical reconstruction asks of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from scipy.spatial import cKDTree
from torch import Tensor

from isofield.errors import InputError
from isofield.frame import UnitFrame

AREA_NEIGHBOURS = 12  # the disc of a point's area reaches to this neighbour
COLOR_NEIGHBOURS = 4  # a colour is the mean of so many points, nearer ones counting more
SEEN_SPACINGS = 3.0  # farther than so many spacings from every point, a surface is invented rather than seen
FEWEST = 16
UNIT = UnitFrame()


@dataclass(frozen=True, eq=False)
class OrientedPoints:
    """Points (n, 3) in the unit frame, unit normals (n, 3) that look outward, and any sRGB colours (n, 3) in 0 .. 255.

    frame: from the unit frame back to the user's coordinates.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    colors: Shaped[np.ndarray, "n 3"] | None = None
    frame: UnitFrame = UNIT

    @classmethod
    def of(
        cls,
        points: Shaped[np.ndarray, "n 3"],
        normals: Shaped[np.ndarray, "n 3"],
        colors: Shaped[np.ndarray, "n 3"] | None = None,
        frame: UnitFrame | None = None,
    ) -> "OrientedPoints":
        """Checked: finite, repeated points dropped, normals of length one. Raises InputError where that cannot be."""
        points, normals = np.asarray(points, np.float64), np.asarray(normals, np.float64)
        if not (np.isfinite(points).all() and np.isfinite(normals).all()):
            raise InputError("points", "coordinates or normals are not finite numbers", "clean the cloud first")
        length = np.linalg.norm(normals, axis=1)
        _, first = np.unique(points, axis=0, return_index=True)
        kept = np.sort(first[length[first] > 0])
        if len(kept) < FEWEST:
            raise InputError("points", f"only {len(kept)} points with a normal", f"give at least {FEWEST}")
        colors = None if colors is None else np.ascontiguousarray(colors[kept]).astype(np.uint8)
        return cls(points[kept], normals[kept] / length[kept, None], colors, frame or UNIT)

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def tree(self) -> cKDTree:
        return cKDTree(self.points)

    @cached_property
    def radius(self) -> Float[np.ndarray, " n"]:
        """Of the disc around each point that holds its AREA_NEIGHBOURS nearest."""
        count = min(AREA_NEIGHBOURS, len(self) - 1)
        return np.maximum(self.tree.query(self.points, k=[count + 1], workers=torch.get_num_threads())[0][:, 0], 1e-9)

    @cached_property
    def areas(self) -> Float[np.ndarray, " n"]:
        """The part of the surface that each point stands for: its disc shared with the points in it."""
        return np.pi * self.radius**2 / min(AREA_NEIGHBOURS, len(self) - 1)

    @cached_property
    def spacing(self) -> float:
        """Median distance of neighbours, were the points on a square lattice of the surface."""
        return float(np.median(np.sqrt(self.areas)))

    def distance(self, points: Shaped[np.ndarray, "m 3"]) -> Float[np.ndarray, " m"]:
        """To the nearest point of the cloud."""
        return self.tree.query(points, workers=torch.get_num_threads())[0]

    def seen(self, points: Shaped[np.ndarray, "m 3"]) -> Bool[np.ndarray, " m"]:
        """Whether a point of the cloud is near, by the cloud's own local spacing; the others lie where it has a gap."""
        distance, nearest = self.tree.query(points, workers=torch.get_num_threads())
        return distance <= SEEN_SPACINGS * np.maximum(np.sqrt(self.areas[nearest]), self.spacing)

    def color(self, points: Float[Tensor, "m 3"]) -> Float[Tensor, "m 3"]:
        """sRGB in 0 .. 1: the mean of the nearest points, weighted by inverse squared distance."""
        mixed = self.color_numpy(points.detach().cpu().numpy())
        return torch.as_tensor(mixed, dtype=points.dtype, device=points.device)

    def color_numpy(self, points: Shaped[np.ndarray, "m 3"]) -> Float[np.ndarray, "m 3"]:
        """As `color`."""
        assert self.colors is not None
        distance, near = self.tree.query(points, k=min(COLOR_NEIGHBOURS, len(self)), workers=torch.get_num_threads())
        weight = 1 / (distance**2 + (0.5 * self.spacing) ** 2)
        return np.einsum("mk,mkc->mc", weight / weight.sum(1, keepdims=True), self.colors[near] / 255.0)

    def tensors(self) -> dict[str, Tensor]:
        """Points and normals, float64, and any colours, uint8."""
        tensors = {"points": torch.as_tensor(self.points), "normals": torch.as_tensor(self.normals)}
        return tensors if self.colors is None else {**tensors, "colors": torch.as_tensor(self.colors)}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "OrientedPoints":
        colors = tensors["colors"].numpy() if "colors" in tensors else None
        frame = UnitFrame.from_json(spec["frame"])
        return cls(tensors["points"].numpy(), tensors["normals"].numpy(), colors, frame)
