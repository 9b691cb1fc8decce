"""What is known of a shape before its code is."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Colors(NamedTuple):
    """sRGB in [0, 1] at points, and the view directions they were seen in, where known."""

    points: Float[Tensor, "k 3"]
    rgb: Float[Tensor, "k 3"]
    directions: Float[Tensor, "k 3"] | None


@dataclass(frozen=True)
class Observations:
    """Points with the signed distance there: zero on a surface that was seen; free points are only known to be outside.

    clearance: of each free point, how far around it all is free: no less is the distance there; 0 where not known.
    noise: standard deviation of the distances, as far as known.
    """

    points: Float[Tensor, "n 3"]
    sdf: Float[Tensor, " n"]
    free: Float[Tensor, "m 3"]
    noise: float = 0.0
    colors: Colors | None = None
    clearance: Float[Tensor, " m"] | None = None

    @property
    def least(self) -> Float[Tensor, " m"]:
        """The least distance that each free point can have."""
        return self.free.new_zeros(len(self.free)) if self.clearance is None else self.clearance

    @classmethod
    def of_surface(
        cls,
        points: Float[Tensor, "n 3"],
        normals: Float[Tensor, "n 3"] | None = None,
        free: Float[Tensor, "m 3"] | None = None,
        noise: float = 0.0,
        colors: Colors | None = None,
        clearance: Float[Tensor, " m"] | None = None,
    ) -> "Observations":
        """Of points on the surface, and of its outward unit normals where known: zeros on the points, and a little
        before and behind them the distance to them."""
        free = points[:0] if free is None else free
        places, sdf = [points], [points.new_zeros(len(points))]
        if normals is not None:
            step = max(OFFSET, 3 * noise)
            for side in (step, -step):
                places.append(points + side * normals)
                sdf.append(torch.full_like(sdf[0], side))
        return cls(torch.cat(places), torch.cat(sdf), free, noise, colors, clearance)

    def take(self, count: int, generator: torch.Generator) -> "Observations":
        """At most so many with distances, and half as many free ones, drawn evenly."""
        rows, others = some(len(self.points), count, generator), some(len(self.free), count // 2, generator)
        least = self.least[others]
        return Observations(self.points[rows], self.sdf[rows], self.free[others], self.noise, clearance=least)


OFFSET = 0.01  # of points on either side of a scanned one, along its normal, at distances that are then known


def some(total: int, count: int, generator: torch.Generator) -> Int[Tensor, " k"]:
    """Different rows, drawn evenly."""
    return torch.randperm(total, generator=generator)[:count]
