"""The shading of samples compiled for processors by numba; `render.shade_torch` is its plain twin and its definition.

Annotations of shapes are checked by wrapping functions, which numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from numba import njit

TINY = 1e-12


@njit(inline="always")
@no_type_check
def _mixed(a, b, c, corners, f, value):
    """value (k,) <- the mean of what the corners of face f have, weighted by a, b, c."""
    for k in range(len(value)):
        value[k] = a * corners[f, 0, k] + b * corners[f, 1, k] + c * corners[f, 2, k]


@njit(inline="always")
@no_type_check
def _look_up(texels, start, width, height, place, value):
    """value (3,) <- sRGB in [0, 1] of a picture, bilinear, repeating."""
    u, v = place[0], 1 - place[1]
    x, y = (u - np.floor(u)) * width - 0.5, (v - np.floor(v)) * height - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    left, right = x0 % width, (x0 + 1) % width
    above, below = start + (y0 % height) * width, start + ((y0 + 1) % height) * width
    for k in range(3):
        top = texels[above + left, k] * (1 - fx) + texels[above + right, k] * fx
        bottom = texels[below + left, k] * (1 - fx) + texels[below + right, k] * fx
        value[k] = (top * (1 - fy) + bottom * fy) / 255


@njit(inline="always")
@no_type_check
def _unit_towards(normal, x, y, rays):
    """Scale a normal to length one, turned against the ray of a pixel position."""
    length = max(np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2), TINY)
    along = 0.0
    for k in range(3):
        along += normal[k] * (rays[k, 0] * x + rays[k, 1] * y + rays[k, 2])
    scale = -1 / length if along > 0 else 1 / length
    for k in range(3):
        normal[k] *= scale


@njit(inline="always")
@no_type_check
def _lit(normal, slope, even, lamps, strengths, light):
    """light (3,) <- what falls on a surface with this normal."""
    for k in range(3):
        light[k] = even[k] + slope[0, k] * normal[0] + slope[1, k] * normal[1] + slope[2, k] * normal[2]
    for lamp in range(len(lamps)):
        facing = lamps[lamp, 0] * normal[0] + lamps[lamp, 1] * normal[1] + lamps[lamp, 2] * normal[2]
        if facing > 0:
            for k in range(3):
                light[k] += facing * strengths[lamp, k]


@njit(nogil=True, cache=True)
@no_type_check
def shade(
    face, barycentric, depth, rays, focal, normals, base, tint, picture, uv, density, texels, starts, widths, heights,
    levels, table, slope, even, lamps, strengths, background, samples, color, center,
):  # fmt: skip
    """color (h, w, 3) <- mean linear light of each pixel's samples; center (h, w, 3) <- normal at its middle."""
    value, light, normal, place = np.empty(3), np.empty(3), np.empty(3), np.empty(2)
    middle, fine, share = samples // 2, len(table) - 1, 1 / (samples * samples)
    for y in range(color.shape[0]):
        for x in range(color.shape[1]):
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    f = face[row, column]
                    if f < 0:
                        for k in range(3):
                            color[y, x, k] += background[k]
                        continue
                    a, b, c = barycentric[row, column, 0], barycentric[row, column, 1], barycentric[row, column, 2]
                    _mixed(a, b, c, normals, f, normal)
                    _unit_towards(normal, column + 0.5, row + 0.5, rays)
                    if row - y * samples == middle and column - x * samples == middle:
                        for k in range(3):
                            center[y, x, k] = normal[k]
                    if len(picture) and picture[f] >= 0:
                        p, size = picture[f], density[f] * depth[row, column] / focal
                        level = min(int(np.log2(max(size, 1.0))), levels[p] - 1)
                        _mixed(a, b, c, uv, f, place)
                        _look_up(texels, starts[p, level], widths[p, level], heights[p, level], place, value)
                    else:
                        _mixed(a, b, c, base, f, value)
                    _lit(normal, slope, even, lamps, strengths, light)
                    for k in range(3):
                        shown = table[int(min(max(value[k], 0.0), 1.0) * fine + 0.5)] * light[k]
                        if len(tint):
                            shown *= a * tint[f, 0, k] + b * tint[f, 1, k] + c * tint[f, 2, k]
                        color[y, x, k] += min(max(shown, 0.0), 1.0)
            for k in range(3):
                color[y, x, k] *= share
