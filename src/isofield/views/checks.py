"""What a camera must be, whatever file it comes from: one clear line for each way it can be wrong."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from isofield.errors import InputError
from isofield.render.camera import Camera

SKEWED = 1e-3  # largest departure of a rotation from orthonormal: files round
FIX_POSE = "write cam-to-world as a rotation and a translation"
FOCALS = (0.05, 100.0)  # widths: what lies outside is no picture's focal length


def numbers(where: str, value: Any, count: int, what: str) -> Float[np.ndarray, " n"]:
    """A flat or nested list of exactly so many finite numbers; raises InputError."""
    flat = _flat(value)
    wrong = [x for x in flat if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x)]
    if wrong:
        raise InputError(where, f"{what} holds {wrong[0]!r:.40}, which is no finite number", "write plain numbers")
    if len(flat) != count:
        raise InputError(where, f"{what} has {len(flat)} numbers, not {count}", f"write all {count}")
    return np.array(flat, np.float64)


def positive(where: str, value: Any, what: str) -> float:
    number = float(numbers(where, [value], 1, what)[0])
    if number <= 0:
        raise InputError(where, f"{what} is {number:g}", "give a positive one")
    return number


def pose(where: str, matrix: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The matrix, if it is a rigid motion; raises InputError for a mirrored, scaled, skewed or transposed one."""
    rotation, last = matrix[:3, :3], matrix[3]
    if not np.allclose(last, (0, 0, 0, 1), atol=1e-6):
        transposed = np.allclose(matrix[:, 3], (0, 0, 0, 1), atol=1e-6)
        fault = "is transposed (written by columns)" if transposed else f"ends in the row {_shown(last)}, not 0 0 0 1"
        raise InputError(where, f"its pose {fault}", "write the 4 x 4 matrix cam-to-world by rows")
    gram = rotation.T @ rotation
    scale = math.sqrt(max(np.trace(gram) / 3, 0))
    if np.abs(gram - np.eye(3)).max() > SKEWED:
        even = scale > 0 and np.abs(gram / scale**2 - np.eye(3)).max() < SKEWED
        fault = f"is scaled by {scale:.4g}" if even else "is no rotation: its columns are not unit and at right angles"
        raise InputError(where, f"its pose {fault}", FIX_POSE)
    if np.cross(rotation[:, 0], rotation[:, 1]) @ rotation[:, 2] < 0:
        raise InputError(where, "its pose is mirrored (determinant -1: a left-handed camera)", FIX_POSE)
    return matrix


def intrinsics(where: str, matrix: Float[np.ndarray, "3 3"], width: int, height: int) -> Float[np.ndarray, "3 3"]:
    """Intrinsics in pixels, if they can be those of a picture of this size; raises InputError."""
    if not np.allclose(matrix[2], (0, 0, 1), atol=1e-6) or abs(matrix[1, 0]) > 1e-6:
        raise InputError(where, f"its intrinsics end in {_shown(matrix[2])}, not 0 0 1", "write them by rows")
    for focal, size, name in ((matrix[0, 0], width, "width"), (matrix[1, 1], height, "height")):
        if not FOCALS[0] <= focal / size <= FOCALS[1]:
            fault = f"its focal length is {focal / size:.4g} picture {name}s"
            raise InputError(where, fault, "check the unit: pixels or picture sizes")
    center = matrix[:2, 2] / (width, height)
    if not (np.abs(center - 0.5) <= 2).all():
        fault = f"its principal point lies {_shown(center)} picture sizes from the corner"
        raise InputError(where, fault, "check the unit: pixels or picture sizes")
    return matrix


def camera(where: str, cam_to_world: np.ndarray, matrix: np.ndarray, width: int, height: int) -> Camera:
    """A camera that passed both checks."""
    return Camera(pose(where, cam_to_world), intrinsics(where, matrix, width, height), width, height)


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        return [value]
    return [item for part in value for item in (_flat(part) if isinstance(part, list | tuple) else [part])]


def _shown(row: np.ndarray) -> str:
    return " ".join(f"{value:.4g}" for value in row)
