"""A scale of colours for errors, made in a perceptual colour space."""

import math

import numpy as np
from jaxtyping import Float

from isofield.mesh.color import to_srgb

# OKLab lightness, chroma and hue (degrees) from nothing to the limit: ivory, amber, red, deep violet
LIGHTNESS = (0.95, 0.82, 0.62, 0.30)
CHROMA = (0.03, 0.14, 0.20, 0.12)
TINY = 1e-30  # the scale of no error at all
HUE = (95.0, 75.0, 30.0, -40.0)


def ramp(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """sRGB in [0, 1] for values in [0, 1]; lightness falls steadily, so it reads in grey as well."""
    knots = np.linspace(0, 1, len(LIGHTNESS))
    lightness, chroma, hue = (np.interp(values, knots, column) for column in (LIGHTNESS, CHROMA, HUE))
    angle = np.deg2rad(hue)
    return oklab_to_srgb(np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1))


def error_colors(distances: Float[np.ndarray, " n"], limit: float) -> Float[np.ndarray, "n 3"]:
    """sRGB in [0, 1] for distances from 0 to `limit`; what lies beyond takes the last colour."""
    return ramp(np.clip(np.asarray(distances, np.float64) / limit, 0, 1))


def oklab_to_srgb(lab: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """OKLab (Ottosson 2020) to sRGB, clipped to the gamut."""
    to_cones = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return to_srgb(np.clip((lab @ to_cones.T) ** 3 @ to_rgb.T, 0, 1))


def round_limit(distances: Float[np.ndarray, " n"], share: float = 0.99) -> float:
    """An upper end for the scale: the `share` quantile rounded up to 1, 2 or 5 times a power of ten."""
    value = max(float(np.quantile(distances, share)), TINY)
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))
