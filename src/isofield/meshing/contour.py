"""A plane section of a field, as closed curves."""

import numpy as np
from jaxtyping import Float

from isofield.fields.field import Field, sdf_numpy
from isofield.meshing.marching_squares import marching_squares


def extract_contour(
    field: Field, axis: int = 2, offset: float = 0.0, resolution: int = 256, *, level: float = 0.0
) -> list[Float[np.ndarray, "k 3"]]:
    """Where `field == level` meets the plane on which coordinate `axis` (0, 1 or 2) is `offset` in the unit frame.

    Closed curves in the user's frame, the last point joined to the first; looking down the axis from its positive end,
    the inside is on the left. The plane is sampled on `resolution` points a side; no curve where nothing is inside.
    Raises IsofieldError where the field is not finite.
    """
    low, high = np.array(field.bounds, np.float64)
    spacing = (high - low) / (resolution - 1)
    steps = np.indices((resolution, resolution)).reshape(2, -1).T
    values = sdf_numpy(field, _lift(steps, axis, offset, low, spacing)).reshape(resolution, resolution)
    curves = marching_squares(values, level)
    return [field.frame.to_user(_lift(curve, axis, offset, low, spacing)) for curve in curves]


def _lift(plane: np.ndarray, axis: int, offset: float, low: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Lattice coordinates (n, 2) of the plane to points (n, 3) of the unit frame."""
    index = np.zeros((len(plane), 3))
    index[:, [(axis + 1) % 3, (axis + 2) % 3]] = plane
    points = low + index * spacing
    points[:, axis] = offset
    return points
