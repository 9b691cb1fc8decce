"""Pictures on surfaces: packed with their reductions, looked up bilinearly. (Imports torch.)"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from isofield.mesh.color import to_linear, to_srgb

FINE = 4096  # entries of the table from sRGB to linear light
LEAST = 4  # texels along the shorter side of the smallest reduction


class Textures(NamedTuple):
    """All reductions of all pictures in one row of texels.

    texels (n, 3): sRGB; start, width, height (pictures, levels): where each reduction lies; levels (pictures,).
    """

    texels: UInt8[Tensor, "n 3"]
    start: Int[Tensor, "p l"]
    width: Int[Tensor, "p l"]
    height: Int[Tensor, "p l"]
    levels: Int[Tensor, " p"]


def pack(pictures: tuple[UInt8[np.ndarray, "_ _ 3"], ...], device: torch.device) -> Textures:
    """Pictures and their halvings, each the mean of 2 x 2 texels in linear light (mip maps, Williams 1983)."""
    pyramids = [_reductions(picture) for picture in pictures]
    most = max(map(len, pyramids))
    table = np.ones((3, len(pictures), most), np.int64)  # start, width, height
    position = 0
    for p, pyramid in enumerate(pyramids):
        for level, picture in enumerate(pyramid):
            table[:, p, level] = position, picture.shape[1], picture.shape[0]
            position += picture.shape[0] * picture.shape[1]
    texels = np.concatenate([picture.reshape(-1, 3) for pyramid in pyramids for picture in pyramid])
    counts = torch.tensor([len(pyramid) for pyramid in pyramids], device=device)
    start, width, height = torch.as_tensor(table, device=device)
    return Textures(torch.as_tensor(texels, device=device), start, width, height, counts)


def look_up(
    textures: Textures, picture: Int[Tensor, " n"], uv: Float[Tensor, "n 2"], level: Int[Tensor, " n"]
) -> Float[Tensor, "n 3"]:
    """sRGB in [0, 1], with repeat wrap; (0, 0) is a picture's lower left corner, texel centres lie at half integers."""
    level = level.clamp_min(0).minimum(textures.levels[picture] - 1)
    start, width, height = (part[picture, level] for part in textures[1:4])
    x, y = uv[:, 0].remainder(1) * width - 0.5, (1 - uv[:, 1]).remainder(1) * height - 0.5
    x0, y0 = x.floor(), y.floor()
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    left, right = x0.long().remainder(width), (x0.long() + 1).remainder(width)
    above, below = start + y0.long().remainder(height) * width, start + (y0.long() + 1).remainder(height) * width
    texels = textures.texels
    top = torch.lerp(texels[above + left].float(), texels[above + right].float(), fx)
    bottom = torch.lerp(texels[below + left].float(), texels[below + right].float(), fx)
    return torch.lerp(top, bottom, fy) / 255


def linear_table(device: torch.device) -> Float[Tensor, " n"]:
    """Linear light of sRGB 0, 1 / n, ..., 1: far finer than 8 bits."""
    return torch.as_tensor(to_linear(np.linspace(0, 1, FINE + 1)), dtype=torch.float32, device=device)


def by_table(table: Float[Tensor, " n"], srgb: Float[Tensor, "m 3"]) -> Float[Tensor, "m 3"]:
    return table[(srgb * FINE).round().long()]


def _reductions(picture: UInt8[np.ndarray, "h w 3"]) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    pyramid = [np.ascontiguousarray(picture)]
    light = to_linear(np.arange(256) / 255).astype(np.float32)[picture]
    while min(light.shape[:2]) >= 2 * LEAST:
        h, w = light.shape[0] // 2, light.shape[1] // 2
        light = light[: 2 * h, : 2 * w].reshape(h, 2, w, 2, 3).mean((1, 3))
        pyramid.append(np.round(to_srgb(light.astype(np.float64)) * 255).astype(np.uint8))
    return pyramid
