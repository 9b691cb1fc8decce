"""How the pictures were taken that a generator learned from. (Imports no torch.)"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from isofield.render.camera import DISTANCE, FOCAL, Camera, orbit
from isofield.render.rig import ELEVATIONS, FULL, Span, around


@dataclass(frozen=True)
class Studio:
    """Cameras around the origin, y up: spans of azimuth and elevation in degrees, as in `orbit`; median distance in the
    generator's unit frame and median focal length in picture widths. background: sRGB in [0, 1].

    The default is what `isofield render` does.
    """

    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    azimuth: Span = FULL
    elevation: Span = ELEVATIONS
    distance: float = DISTANCE
    focal: float = FOCAL

    @classmethod
    def of(cls, labels: Float[np.ndarray, "n 25"], background: tuple[float, float, float]) -> "Studio":
        """From EG3D's labels in the unit frame."""
        x, y, z = labels[:, [3, 7, 11]].T.astype(np.float64)
        azimuth, elevation = np.rad2deg(np.arctan2(x, z)), np.rad2deg(np.arctan2(y, np.hypot(x, z)))
        distance, focal = np.median(np.sqrt(x**2 + y**2 + z**2)), np.median(labels[:, 16])
        return cls(background, _span(azimuth), _span(elevation), float(distance), float(focal))

    @classmethod
    def restore(cls, stored: dict[str, Any]) -> "Studio":
        """The inverse of `asdict`, also after JSON."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in stored.items()}
        return cls(**values)

    def front(self) -> Camera:
        """As near to the front (+z) as cameras stood, half-way up."""
        low, high = self.azimuth
        return orbit(min(max(0.0, low), high), sum(self.elevation) / 2, self.distance, self.focal)

    def cameras(self, count: int, size: int, seed: int) -> list[Camera]:
        """As in `around`, by chance."""
        rng = np.random.default_rng(seed)
        spans = {"azimuth": self.azimuth, "elevation": self.elevation}
        return around(rng, count, size, **spans, distance=self.distance, focal=self.focal)


def _span(angles: Float[np.ndarray, " n"]) -> Span:
    return float(angles.min()), float(angles.max())
