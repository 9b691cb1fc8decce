"""Named columns of a point file -> a cloud: which names mean what, in which ranges."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from isofield.cloud.cloud import Cloud
from isofield.errors import InputError

NORMALS = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))
COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
SENSORS = (("vp_x", "vp_y", "vp_z"), ("sensor_x", "sensor_y", "sensor_z"))


def cloud_of_columns(path: Path, columns: Mapping[str, np.ndarray]) -> Cloud:
    """Columns (n,) by lower-case name -> a cloud, not yet checked; InputError if x, y or z is missing."""
    if not {"x", "y", "z"} <= columns.keys():
        absent = next(name for name in "xyz" if name not in columns)
        raise InputError(path, f"its points have no {absent}", "export it with the properties x, y and z")
    colors = _triple(columns, COLORS)
    return Cloud(
        np.stack([columns[name].astype(np.float64) for name in "xyz"], 1),
        normals=_floats(_triple(columns, NORMALS)),
        colors=None if colors is None else color_bytes(path, colors),
        sensors=_floats(_triple(columns, SENSORS)),
    )


def color_bytes(path: Path, colors: np.ndarray) -> np.ndarray:
    """(n, 3) colours as uint8: floats in [0, 1] or [0, 255], wider integers by their upper byte; others grow black."""
    if colors.dtype == np.uint8:
        return colors
    if colors.dtype.kind in "iu" and colors.dtype.itemsize == 2 and colors.max(initial=0) > 255:
        return (colors.astype(np.uint16) >> 8).astype(np.uint8)
    values = np.nan_to_num(colors.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if values.min(initial=0) < 0 or values.max(initial=0) > 255:
        span = f"from {values.min():.6g} to {values.max():.6g}"
        raise InputError(path, f"its colours reach {span}", "give them in [0, 1] or in 0 to 255")
    scale = 255 if colors.dtype.kind == "f" and values.max(initial=0) <= 1 else 1
    return np.rint(values * scale).astype(np.uint8)


def _triple(columns: Mapping[str, np.ndarray], choices: tuple[tuple[str, ...], ...]) -> np.ndarray | None:
    for names in choices:
        if all(name in columns for name in names):
            return np.stack([columns[name] for name in names], 1)
    return None


def _floats(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else values.astype(np.float64)
