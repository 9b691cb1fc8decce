"""The light of a scene: a soft sky and a few lamps, fixed in the world, so that a point looks alike from all sides."""

from dataclasses import dataclass

import numpy as np

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    """A light at infinity. direction: unit vector towards it; color: linear light on a surface that faces it."""

    direction: Color
    color: Color


@dataclass(frozen=True)
class Light:
    """Linear light on a white surface with normal n: a mix of sky and ground by n's height, and what lamps add.

    up: unit vector. No shadows are cast.
    """

    sky: Color
    ground: Color
    lamps: tuple[Lamp, ...] = ()
    up: Color = (0.0, 1.0, 0.0)


ONES: Color = (1.0, 1.0, 1.0)
FLAT = Light(ONES, ONES)  # colours as they are stored


def studio() -> Light:
    """White and even: a lamp over the left shoulder of the front view, a weaker one at the back."""
    return Light(
        (0.58, 0.58, 0.60), (0.30, 0.30, 0.29), (_lamp(-35.0, 40.0, ONES, 0.52), _lamp(150.0, 30.0, ONES, 0.38))
    )  # fmt: skip


def varied(rng: np.random.Generator) -> Light:
    """An environment by chance: one to three lamps anywhere in the upper half, brightness and tints that vary."""
    sky, ground = rng.uniform(0.4, 0.7), rng.uniform(0.2, 0.4)
    lamps = []
    for strength in rng.dirichlet(np.ones(int(rng.integers(1, 4)))) * rng.uniform(0.4, 0.7):
        lamps.append(_lamp(rng.uniform(-180, 180), rng.uniform(10, 70), _tint(rng), float(strength)))
    return Light(_times(_tint(rng), sky), _times(_tint(rng), ground), tuple(lamps))


def _lamp(azimuth: float, elevation: float, color: Color, strength: float) -> Lamp:
    """Angles in degrees as in `orbit` with y up."""
    a, e = np.deg2rad([azimuth, elevation])
    return Lamp((np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)), _times(color, strength))


def _tint(rng: np.random.Generator) -> Color:
    """White made a little warmer or colder, of the same brightness."""
    warmth = rng.normal(scale=0.06)
    r, g, b = np.array([1 + warmth, 1.0, 1 - warmth]) * 3 / 3.0
    return float(r), float(g), float(b)


def _times(color: Color, factor: float) -> Color:
    return color[0] * factor, color[1] * factor, color[2] * factor
