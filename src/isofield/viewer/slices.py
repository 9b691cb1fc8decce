"""A plane section of a signed distance as a picture: blue inside, amber outside, a dark line where it is zero."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from isofield.demo.display import to_uint8
from isofield.fields.field import Field, sdf_numpy
from isofield.render.colormap import oklab_to_srgb

REACH = 0.5  # unit lengths at which the colours are full
STEP = 0.1  # unit lengths between the faint lines
INSIDE, OUTSIDE = 255.0, 75.0  # hues in degrees of OKLab
LINE, FAINT = 1.3, 0.6  # half widths in pixels
INK = np.array([0.08, 0.09, 0.12])


@dataclass(frozen=True, eq=False)
class Slice:
    """A picture on a rectangle in space: `origin` is the corner at the lower left, `along` and `across` its sides."""

    origin: Float[np.ndarray, "3"]
    along: Float[np.ndarray, "3"]
    across: Float[np.ndarray, "3"]
    image: UInt8[np.ndarray, "h w 3"]


def slice_of(
    field: Field,
    axis: int,
    offset: float,
    low: Shaped[np.ndarray, "3"],
    high: Shaped[np.ndarray, "3"],
    resolution: int = 256,
    level: float = 0.0,
) -> Slice:
    """The section of a box (unit frame) by the plane on which coordinate `axis` is `offset`; placed in user space.

    Seen from the positive end of the axis: columns run along the next axis, rows from the top down the one after that.
    `level` is where the dark line goes.
    """
    u, v = (axis + 1) % 3, (axis + 2) % 3
    low, high = np.array(low, np.float64), np.array(high, np.float64)
    pixel = (high - low)[[u, v]].max() / resolution
    width, height = (max(2, round((high - low)[k] / pixel)) for k in (u, v))
    points = np.empty((height, width, 3))
    points[..., axis] = offset
    points[..., u] = low[u] + (np.arange(width) + 0.5) / width * (high - low)[u]
    points[..., v] = (high[v] - (np.arange(height) + 0.5) / height * (high - low)[v])[:, None]
    values = sdf_numpy(field, points.reshape(-1, 3)).reshape(height, width)
    corner, scale = low.copy(), field.frame.scale
    corner[axis] = offset
    sides = np.eye(3)[[u, v]] * (high - low)[[u, v], None] * scale
    return Slice(field.frame.to_user(corner[None])[0], sides[0], sides[1], distance_image(values, level))


def distance_image(values: Float[np.ndarray, "h w"], level: float = 0.0) -> UInt8[np.ndarray, "h w 3"]:
    """sRGB of signed distances (unit lengths), with lines at `level` and, fainter, at every multiple of STEP."""
    image = signed_colors(values.reshape(-1)).reshape(*values.shape, 3)
    rise = np.maximum(np.hypot(*np.gradient(values)), 1e-12)  # per pixel
    faint = np.abs(values / STEP - np.round(values / STEP)) * STEP / rise
    for distance, width, ink in ((faint, FAINT, 0.25), (np.abs(values - level) / rise, LINE, 1.0)):
        share = ink * np.clip(width + 0.5 - distance, 0, 1)[..., None]
        image = (1 - share) * image + share * INK
    return to_uint8(image.reshape(-1, 3)).reshape(image.shape)


def signed_colors(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """sRGB in [0, 1]: blue inside, amber outside, the deeper the farther; pale at the surface."""
    depth = np.sqrt(np.clip(np.abs(values) / REACH, 0, 1))
    angle = np.deg2rad(np.where(values < 0, INSIDE, OUTSIDE))
    lightness, chroma = 0.96 - 0.38 * depth, 0.02 + 0.11 * depth
    return oklab_to_srgb(np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1))
