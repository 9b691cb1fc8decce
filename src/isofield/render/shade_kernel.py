"""The shading of samples compiled for processors by numba; `render.shade_torch` is its plain twin and its definition.

Annotations of shapes are checked by wrapping functions, which numba cannot compile. All is scalars: small arrays would
live in memory.
"""

from typing import no_type_check

import numpy as np
from numba import njit

TINY = 1e-12


@njit(inline="always")
@no_type_check
def _clamped(value):
    return min(value, 1.0) if value > 0 else 0.0


@njit(inline="always")
@no_type_check
def _mixed(a, b, c, corners, f, k):
    """Mean of value k at the corners of face f, weighted by a, b, c."""
    return a * corners[f, 0, k] + b * corners[f, 1, k] + c * corners[f, 2, k]


@njit(inline="always")
@no_type_check
def _three(a, b, c, corners, f):
    return _mixed(a, b, c, corners, f, 0), _mixed(a, b, c, corners, f, 1), _mixed(a, b, c, corners, f, 2)


@njit(inline="always")
@no_type_check
def _between(texels, above, below, left, right, fx, fy, k):
    top = texels[above + left, k] * (1 - fx) + texels[above + right, k] * fx
    bottom = texels[below + left, k] * (1 - fx) + texels[below + right, k] * fx
    return (top * (1 - fy) + bottom * fy) / 255


@njit(inline="always")
@no_type_check
def _look_up(texels, start, width, height, u, v):
    """sRGB in [0, 1] of a picture, bilinear, repeating."""
    v = 1 - v
    x, y = (u - np.floor(u)) * width - 0.5, (v - np.floor(v)) * height - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    left, right = x0 % width, (x0 + 1) % width
    above, below = start + (y0 % height) * width, start + ((y0 + 1) % height) * width
    return (
        _between(texels, above, below, left, right, fx, fy, 0),
        _between(texels, above, below, left, right, fx, fy, 1),
        _between(texels, above, below, left, right, fx, fy, 2),
    )


@njit(inline="always")
@no_type_check
def _unit_towards(nx, ny, nz, x, y, rays):
    """A normal of length one, turned against the ray of a pixel position."""
    along = nx * (rays[0, 0] * x + rays[0, 1] * y + rays[0, 2])
    along += ny * (rays[1, 0] * x + rays[1, 1] * y + rays[1, 2])
    along += nz * (rays[2, 0] * x + rays[2, 1] * y + rays[2, 2])
    scale = 1 / max(np.sqrt(nx * nx + ny * ny + nz * nz), TINY)
    if along > 0:
        scale = -scale
    return nx * scale, ny * scale, nz * scale


@njit(inline="always")
@no_type_check
def _lit(nx, ny, nz, slope, even, lamps, strengths):
    """What falls on a surface with this normal."""
    red = even[0] + slope[0, 0] * nx + slope[1, 0] * ny + slope[2, 0] * nz
    green = even[1] + slope[0, 1] * nx + slope[1, 1] * ny + slope[2, 1] * nz
    blue = even[2] + slope[0, 2] * nx + slope[1, 2] * ny + slope[2, 2] * nz
    for lamp in range(len(lamps)):
        facing = max(lamps[lamp, 0] * nx + lamps[lamp, 1] * ny + lamps[lamp, 2] * nz, 0.0)
        red += facing * strengths[lamp, 0]
        green += facing * strengths[lamp, 1]
        blue += facing * strengths[lamp, 2]
    return red, green, blue


@njit(inline="always")
@no_type_check
def _linear(table, srgb):
    return table[np.uint32(_clamped(srgb) * (len(table) - 1) + 0.5)]


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def shade(
    face, barycentric, depth, rays, focal, normals, base, tint, picture, uv, density, texels, starts, widths, heights,
    levels, table, slope, even, lamps, strengths, background, samples, color, center,
):  # fmt: skip
    """color (h, w, 3) <- mean linear light of each pixel's samples; center (h, w, 3) <- normal at its middle."""
    middle, share = samples // 2, 1 / (samples * samples)
    for y in range(color.shape[0]):
        for x in range(color.shape[1]):
            red, green, blue, empty = 0.0, 0.0, 0.0, 0
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    if face[row, column] < 0:
                        empty += 1
                        continue
                    f = np.uint32(face[row, column])
                    a, b, c = barycentric[row, column, 0], barycentric[row, column, 1], barycentric[row, column, 2]
                    nx, ny, nz = _three(a, b, c, normals, f)
                    nx, ny, nz = _unit_towards(nx, ny, nz, column + 0.5, row + 0.5, rays)
                    if row - y * samples == middle and column - x * samples == middle:
                        center[y, x, 0], center[y, x, 1], center[y, x, 2] = nx, ny, nz
                    if len(picture) and picture[f] >= 0:
                        p, size = picture[f], density[f] * depth[row, column] / focal
                        level = min(int(np.log2(max(size, 1.0))), levels[p] - 1)
                        u, v = _mixed(a, b, c, uv, f, 0), _mixed(a, b, c, uv, f, 1)
                        r, g, h = _look_up(texels, starts[p, level], widths[p, level], heights[p, level], u, v)
                    else:
                        r, g, h = _three(a, b, c, base, f)
                    r, g, h = _linear(table, r), _linear(table, g), _linear(table, h)
                    if len(tint):
                        i, j, k = _three(a, b, c, tint, f)
                        r, g, h = r * i, g * j, h * k
                    i, j, k = _lit(nx, ny, nz, slope, even, lamps, strengths)
                    red, green, blue = red + _clamped(r * i), green + _clamped(g * j), blue + _clamped(h * k)
            color[y, x, 0] = (red + empty * background[0]) * share
            color[y, x, 1] = (green + empty * background[1]) * share
            color[y, x, 2] = (blue + empty * background[2]) * share
