"""Where the cameras of a set stand: all around, spread evenly, by chance."""

import math

import numpy as np

from isofield.render.camera import DISTANCE, FOCAL, Camera, orbit

Span = tuple[float, float]
FULL: Span = (-180.0, 180.0)
ELEVATIONS: Span = (-20.0, 40.0)


def around(
    rng: np.random.Generator,
    count: int,
    size: int,
    *,
    azimuth: Span = FULL,
    elevation: Span = ELEVATIONS,
    distance: float = DISTANCE,
    focal: float = FOCAL,
) -> list[Camera]:
    """Cameras that look at the origin, y up; angles in degrees as in `orbit`, focal in widths.

    Azimuths, and the sines of the elevations, lie one in each of `count` equal parts of their span, so that even few
    views go all around; on a sphere that is uniform.
    """
    turns = np.interp(_spread(rng, count), (0, 1), azimuth)
    heights = np.interp(_spread(rng, count), (0, 1), np.sin(np.deg2rad(elevation)))
    rises = np.rad2deg(np.arcsin(np.clip(heights, -1, 1)))
    return [orbit(float(a), float(e), distance, focal, size=size) for a, e in zip(turns, rises, strict=True)]


def sphere_fits(distance: float, focal: float) -> bool:
    """Whether the whole unit sphere lies inside the picture."""
    return distance > 1 and focal <= 0.5 * math.sqrt(distance**2 - 1)


def _spread(rng: np.random.Generator, count: int) -> np.ndarray:
    """One number in each of `count` equal parts of [0, 1), in random order."""
    return (rng.permutation(count) + rng.uniform(size=count)) / count
