"""Parts of pictures, brought to another size: colours smoothly, exact values by their nearest pixel."""

import math

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

Region = tuple[float, float, float, float]  # left, top, right, bottom in pixels; may reach beyond the picture


def smooth_part(
    pixels: UInt8[np.ndarray, "_ _ 3"], region: Region, width: int, height: int, fill: tuple[int, int, int]
) -> UInt8[np.ndarray, "_ _ 3"]:
    """The region in so many pixels, antialiased; fill: sRGB beyond the picture."""
    left, top, right, bottom = region
    x, y = math.floor(left), math.floor(top)
    canvas = Image.new("RGB", (math.ceil(right) - x, math.ceil(bottom) - y), fill)
    canvas.paste(Image.fromarray(pixels), (-x, -y))
    box = (left - x, top - y, right - x, bottom - y)
    return np.asarray(canvas.resize((width, height), Image.Resampling.LANCZOS, box=box))


def nearest_part(
    values: Shaped[np.ndarray, "h w *c"], region: Region, width: int, height: int, fill: float | bool | bool
) -> Shaped[np.ndarray, "_ _ *c"]:
    """The region in so many pixels, each with the value at its centre; fill: beyond the picture."""
    left, top, right, bottom = region
    columns = np.floor(left + (np.arange(width) + 0.5) * (right - left) / width).astype(int)
    rows = np.floor(top + (np.arange(height) + 0.5) * (bottom - top) / height).astype(int)
    x, y = np.clip(columns, 0, values.shape[1] - 1), np.clip(rows, 0, values.shape[0] - 1)
    part = values[y[:, None], x[None]].copy()
    part[(rows != y)[:, None] | (columns != x)[None]] = fill
    return part
