"""Where a picture is taken from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from isofield.errors import InputError

Number = float | int
Vector = tuple[Number, Number, Number]

FOCAL = 4.2647  # widths; with the distance below the unit sphere fills the picture but for a small margin
DISTANCE = 9.0


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, OpenCV axes: x right, y down, z forward; the centre of the first pixel is at (0.5, 0.5).

    camera_to_world: rigid motion from camera to world coordinates; intrinsics: in pixels.
    """

    camera_to_world: Float[np.ndarray, "4 4"]
    intrinsics: Float[np.ndarray, "3 3"]
    width: int
    height: int

    @property
    def eye(self) -> Float[np.ndarray, "3"]:
        return self.camera_to_world[:3, 3]

    def rays(self) -> Float[np.ndarray, "h w 3"]:
        """Unit view direction of each pixel centre, from the camera to the world, in world axes."""
        y, x = np.mgrid[: self.height, : self.width] + 0.5
        pixels = np.stack([x, y, np.ones_like(x)], axis=-1)
        directions = pixels @ np.linalg.inv(self.intrinsics).T @ self.camera_to_world[:3, :3].T
        return directions / np.linalg.norm(directions, axis=-1, keepdims=True)

    def resized(self, width: int, height: int) -> "Camera":
        """The same field of view in other pixels; raises InputError for another shape of rectangle."""
        if self.width * height != self.height * width:
            fault = f"are of {self.width} x {self.height}, which {width} x {height} would distort"
            raise InputError("cameras", fault, "choose a size of the same proportions")
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return Camera(self.camera_to_world, scale @ self.intrinsics, width, height)

    def project(self, points: Shaped[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
        """Where points of the world come to lie, in pixels, and their distance along the axis, negative behind."""
        local = (np.asarray(points, np.float64) - self.eye) @ self.camera_to_world[:3, :3]
        with np.errstate(divide="ignore", invalid="ignore"):
            return (local @ self.intrinsics.T)[:, :2] / local[:, 2:], local[:, 2]

    def enlarged(self, factor: int) -> "Camera":
        """The same picture with `factor` times as many pixels along each side."""
        intrinsics = np.diag([factor, factor, 1.0]) @ self.intrinsics
        return Camera(self.camera_to_world, intrinsics, self.width * factor, self.height * factor)


def look_at(eye: Vector, target: Vector = (0, 0, 0), up: Vector = (0, 1, 0)) -> Float[np.ndarray, "4 4"]:
    """Camera to world for an eye that looks at a target, with `up` pointing up in the picture."""
    forward = np.subtract(target, eye).astype(np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-9:  # looking along `up`: any right will do
        right = np.cross(forward, np.roll(up, 1))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    return pose


def pinhole(width: int, height: int, focal: Number = FOCAL) -> Float[np.ndarray, "3 3"]:
    """Intrinsics in pixels with the principal point in the middle; focal in picture widths."""
    return np.array([[focal * width, 0, width / 2], [0, focal * width, height / 2], [0, 0, 1]], np.float64)


def orbit(
    azimuth: Number,
    elevation: Number,
    distance: Number = DISTANCE,
    focal: Number = FOCAL,
    *,
    size: int = 256,
    target: Vector = (0.0, 0.0, 0.0),
    up: Vector = (0.0, 1.0, 0.0),
) -> Camera:
    """A square picture from a sphere around the target.

    azimuth: degrees to the right of the front, which is +z where y is up and -y where z is; elevation: degrees above.
    """
    back = np.array([0.0, -1.0, 0.0]) if abs(up[2]) > 0.5 else np.array([0.0, 0.0, 1.0])
    right = np.cross(up, back)
    a, e = np.deg2rad([azimuth, elevation])
    offset = np.cos(e) * (np.cos(a) * back + np.sin(a) * right) + np.sin(e) * np.asarray(up, np.float64)
    x, y, z = np.asarray(target) + distance * offset
    return Camera(look_at((x, y, z), target, up), pinhole(size, size, focal), size, size)
