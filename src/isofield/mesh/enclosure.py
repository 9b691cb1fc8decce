"""Does a set of triangles enclose anything, and where? Asked of the winding number on both sides of points on it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from isofield.mesh.distance import MeshDistance


@dataclass(frozen=True)
class Sides:
    """Generalised winding numbers a small step behind and in front of points (n,), by the way their faces look.

    Behind and in front: 1 and 0 on a closed surface, +-0.5 on a flat sheet, 2 and 1 on a wall within a solid.
    """

    behind: Float[np.ndarray, " n"]
    front: Float[np.ndarray, " n"]

    @property
    def encloses(self) -> Bool[np.ndarray, " n"]:
        """Where the mesh around a point bounds an inside, rather than being a sheet with two equal sides.

        The sum of both sides is 1 on a closed surface and 0 on a flat sheet; a hemisphere has 0.5 to 0.7.
        """
        return self.behind + self.front > 0.5

    @property
    def inner(self) -> Bool[np.ndarray, " n"]:
        """Where both sides are inside: doubled walls, parts that run into each other."""
        return (self.behind > 0.5) & (self.front > 0.5)


def sides(
    surface: MeshDistance, points: Shaped[np.ndarray, "n 3"], normals: Shaped[np.ndarray, "n 3"], step: float
) -> Sides:
    """Winding numbers at points moved by `step` against and along the normals."""
    return Sides(surface.winding_number(points - step * normals), surface.winding_number(points + step * normals))
