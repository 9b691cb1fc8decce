"""What the cameras of a set say by themselves: where they look, how far away they are, which way is up."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from isofield.render.camera import Camera

AXES = {"+x": (1, 0, 0), "-x": (-1, 0, 0), "+y": (0, 1, 0), "-y": (0, -1, 0), "+z": (0, 0, 1), "-z": (0, 0, -1)}
UPRIGHT = 0.8  # cosine between the mean of what is up in the pictures and an axis, from which the axis is called up


@dataclass(frozen=True, eq=False)
class Poses:
    """target: the point nearest to all optical axes; spread: their mean distance from it; facing: share of cameras that
    have it before them; distances of the eyes from it; focals in picture widths; up: an axis, or None."""

    target: Float[np.ndarray, "3"]
    spread: float
    facing: float
    distances: Float[np.ndarray, " n"]
    focals: Float[np.ndarray, " n"]
    up: str | None


def poses_of(cameras: list[Camera]) -> Poses:
    """Statistics of at least one camera."""
    eyes = np.array([camera.eye for camera in cameras])
    axes = np.array([camera.camera_to_world[:3, 2] for camera in cameras])
    target = nearest_point(eyes, axes)
    along = np.einsum("nd,nd->n", target - eyes, axes)
    distances = np.linalg.norm(eyes - target, axis=1)
    off = np.linalg.norm(target - eyes - along[:, None] * axes, axis=1)
    up = -np.array([camera.camera_to_world[:3, 1] for camera in cameras]).mean(0)
    named = {name: float(up @ axis) / max(float(np.linalg.norm(up)), 1e-9) for name, axis in AXES.items()}
    best = max(named, key=lambda name: named[name])
    return Poses(
        target,
        float(off.mean()),
        float((along > 0).mean()),
        distances,
        np.array([camera.intrinsics[0, 0] / camera.width for camera in cameras]),
        best if named[best] >= UPRIGHT and np.linalg.norm(up) > 0.2 else None,
    )


def nearest_point(eyes: Float[np.ndarray, "n 3"], axes: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "3"]:
    """The point with the least sum of squared distances to the lines; of all such, the one nearest to the origin."""
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    return np.linalg.lstsq(across.sum(0), np.einsum("nij,nj->i", across, eyes), rcond=1e-6)[0]


def bearings(
    cameras: list[Camera], target: Float[np.ndarray, "3"], up: str | None
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Azimuth and elevation of the eyes about the target in degrees, as in `orbit`."""
    axis = np.array(AXES[up or "+y"], np.float64)
    back = np.array([0.0, -1.0, 0.0]) if abs(axis[2]) > 0.5 else np.array([0.0, 0.0, 1.0])
    offset = np.array([camera.eye for camera in cameras]) - target
    height, x, z = offset @ axis, offset @ np.cross(axis, back), offset @ back
    return np.rad2deg(np.arctan2(x, z)), np.rad2deg(np.arctan2(height, np.hypot(x, z)))
