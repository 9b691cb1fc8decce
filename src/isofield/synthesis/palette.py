"""Colours of materials: sRGB, 0 .. 255, drawn with a little variation."""

import colorsys

import numpy as np
from jaxtyping import Float

Color = Float[np.ndarray, "3"]
Rgb = tuple[int, int, int]

WOODS = ((196, 154, 108), (160, 112, 70), (120, 76, 44), (84, 52, 34), (214, 182, 138), (170, 96, 58), (226, 208, 178))
METALS = ((46, 46, 50), (28, 28, 30), (150, 154, 160), (190, 194, 198), (176, 144, 84), (112, 78, 54))
FABRICS = ((70, 84, 104), (122, 122, 118), (176, 164, 146), (92, 40, 42), (46, 82, 74), (196, 120, 60), (58, 54, 56))
PLASTICS = (
    (236, 234, 228),
    (34, 34, 36),
    (200, 60, 48),
    (238, 186, 52),
    (62, 130, 140),
    (120, 160, 96),
    (230, 130, 60),
)
SHADES = (
    (246, 238, 220),
    (238, 226, 200),
    (224, 206, 178),
    (250, 248, 244),
    (214, 180, 150),
    (182, 196, 200),
    (150, 60, 50),
)
BULB: Rgb = (255, 246, 206)
GLASS: Rgb = (168, 200, 206)
RUBBER: Rgb = (30, 30, 32)


def one_of(rng: np.random.Generator, colors: tuple[Rgb, ...], spread: float = 0.06) -> Color:
    """One of the colours, a little lighter or darker, a little warmer or colder."""
    color = np.array(colors[rng.integers(len(colors))], np.float64)
    return np.clip(color * (1 + spread * rng.normal()) + 40 * spread * rng.normal(size=3), 8, 248)


def vivid(rng: np.random.Generator, saturation: tuple[float, float] = (0.35, 0.85)) -> Color:
    """Any hue."""
    hue, depth, value = rng.random(), rng.uniform(*saturation), rng.uniform(0.35, 0.92)
    return 255 * np.array(colorsys.hsv_to_rgb(hue, depth, value))


def cloth(rng: np.random.Generator) -> Color:
    """Upholstery: most often a quiet colour."""
    return one_of(rng, FABRICS) if rng.random() < 0.6 else vivid(rng, (0.2, 0.6))


def shaded(color: Color, factor: float) -> Color:
    """Lighter (above 1) or darker."""
    return np.clip(np.asarray(color, np.float64) * factor, 4, 252)


def exact(color: Rgb) -> Color:
    return np.array(color, np.float64)
