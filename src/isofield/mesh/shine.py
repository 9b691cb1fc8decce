"""Colours as a camera sees them: one lamp fixed in the world, diffuse light and highlights (Blinn 1977)."""

import numpy as np
from jaxtyping import Float

from isofield.mesh.color import to_linear, to_srgb

LAMP = (0.4, 0.8, 0.45)  # towards the lamp: above, before and to the right of a shape with y up and its front to +z
AMBIENT, DIFFUSE = 0.45, 0.55  # shares of the surface's own colour
SHARPNESS = 24.0  # exponent of the highlights


def seen_colors(
    colors: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    directions: Float[np.ndarray, "n 3"],
    shine: float,
) -> Float[np.ndarray, "n 3"]:
    """sRGB in [0, 1] of points with sRGB `colors` and unit `normals`, seen along the unit view `directions`.

    In linear light: colour (0.45 + 0.55 max(n l, 0)) + shine max(n h, 0)^24, h the unit vector halfway between the lamp
    l and the camera. Normals that look away from the camera are turned. No shadows.
    """
    facing = np.where(np.einsum("nd,nd->n", normals, directions)[:, None] > 0, -normals, normals)
    lamp = np.array(LAMP) / np.linalg.norm(LAMP)
    half = lamp - directions
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-12)
    diffuse = AMBIENT + DIFFUSE * np.maximum(facing @ lamp, 0)
    highlight = shine * np.maximum(np.einsum("nd,nd->n", facing, half), 0) ** SHARPNESS * (facing @ lamp > 0)
    return to_srgb(np.clip(to_linear(np.clip(colors, 0, 1)) * diffuse[:, None] + highlight[:, None], 0, 1))
