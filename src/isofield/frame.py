"""The unit frame: the one place where a shape's scale and position are kept."""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Shaped

MARGIN = 1.03  # DeepSDF's: the farthest vertex comes to lie at radius 1 / 1.03


@dataclass(frozen=True)
class UnitFrame:
    """A uniform scaling and a translation between the user's coordinates and the unit frame; axes are left alone.

    center: the user-space point at the unit frame's origin; scale: user units per unit length.
    """

    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0

    @classmethod
    def of(cls, vertices: Shaped[np.ndarray, "n 3"]) -> "UnitFrame":
        """Centre of the bounding box to the origin, farthest vertex to radius 1/1.03 (DeepSDF's normalisation)."""
        vertices = np.asarray(vertices, np.float64)
        center = vertices.min(0) / 2 + vertices.max(0) / 2
        radius = float(np.linalg.norm(vertices - center, axis=1).max())
        return cls((float(center[0]), float(center[1]), float(center[2])), radius * MARGIN or 1.0)

    def to_unit(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return (np.asarray(points, np.float64) - self.center) / self.scale

    def to_user(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return np.asarray(points, np.float64) * self.scale + self.center

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict) -> "UnitFrame":
        x, y, z = value["center"]
        return cls((float(x), float(y), float(z)), float(value["scale"]))
