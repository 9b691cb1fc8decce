"""Where things stand in the scene, and where it is looked at from: side by side across the start view."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from isofield.frame import UnitFrame
from isofield.render.camera import Camera, Vector, look_at, orbit
from isofield.render.pictures import AZIMUTH, ELEVATION

FOV = np.deg2rad(28.0)  # field of view along the longer side: a row of items is seen from nearly one direction
FILLED = 0.9  # share of the picture that the scene fills at most
GAP = 0.35  # between neighbours, in scene units: the largest item has radius 1
ALIKE = 5.0  # items whose sizes differ by a larger factor are not shown to scale
WIDEST = 3.0  # of a picture, in its heights


@dataclass(frozen=True)
class Place:
    """Takes an item's user coordinates to the scene: scaled about its centre, then moved."""

    frame: UnitFrame
    offset: tuple[float, float, float]

    def to_scene(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return self.frame.to_unit(points) + self.offset

    def turned(self, vectors: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Differences of points: scaled and not moved."""
        return np.asarray(vectors, np.float64) / self.frame.scale


@dataclass(frozen=True)
class View:
    """A camera by where it is and what it looks at; fov: vertical, in radians."""

    eye: Vector
    target: Vector
    up: Vector
    fov: float

    def camera(self, width: int, height: int) -> Camera:
        focal = height / (2 * np.tan(self.fov / 2))
        intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return Camera(look_at(self.eye, self.target, self.up), intrinsics, width, height)


def to_scale(outlines: list[Float[np.ndarray, "_ 3"]]) -> bool:
    """Whether sizes are near enough for all to be shown in one scale."""
    radii = [_radius(outline) for outline in outlines]
    return max(radii) <= ALIKE * min(radii)


def side_by_side(
    outlines: list[Float[np.ndarray, "_ 3"]], up: Vector, reaches: list[Float[np.ndarray, "_ 3"]] | None = None
) -> list[Place]:
    """A row along the picture's horizontal in which no two overlap, centred at the origin; the largest has radius 1.

    outlines: points of each item in its own coordinates, which decide the scale; reaches: points that must not overlap,
    where these are others.
    """
    common = max(map(_radius, outlines)) if to_scale(outlines) else None
    frames = [UnitFrame(UnitFrame.of(outline).center, common or _radius(outline)) for outline in outlines]
    right = view_axes(up)[:, 0]
    spans = [frame.to_unit(reach) @ right for frame, reach in zip(frames, reaches or outlines, strict=True)]
    widths = np.array([np.ptp(span) for span in spans])
    start = np.concatenate([[0.0], np.cumsum(widths + GAP)[:-1]]) - (widths.sum() + GAP * (len(widths) - 1)) / 2
    shifts = [float(begin - span.min()) for begin, span in zip(start, spans, strict=True)]
    return [Place(frame, _vector(shift * right)) for frame, shift in zip(frames, shifts, strict=True)]


def view_axes(up: Vector) -> Float[np.ndarray, "3 3"]:
    """Columns: right, down and forward of the start view."""
    return orbit(AZIMUTH, ELEVATION, 1.0, up=up).camera_to_world[:3, :3]


def start_view(points: Float[np.ndarray, "n 3"], up: Vector, aspect: float) -> View:
    """From the front, a little to the right and above, as near as shows every point; aspect: width over height."""
    axes = view_axes(up)
    local = points @ axes
    middle = (local.min(0) + local.max(0)) / 2
    x, y, z = np.abs(local - middle)[:, 0], np.abs(local - middle)[:, 1], (local - middle)[:, 2]
    half = np.tan(FOV / 2) / max(aspect, 1.0)  # half the picture's height, at distance 1
    distance = max(float((x / (FILLED * half * aspect) - z).max()), float((y / (FILLED * half) - z).max()), 0.1)
    target = axes @ middle
    return View(_vector(target - distance * axes[:, 2]), _vector(target), up, float(2 * np.arctan(half)))


def natural_aspect(points: Float[np.ndarray, "n 3"], up: Vector) -> float:
    """Width over height of the picture that the points fill."""
    width, height, _ = np.ptp(points @ view_axes(up), axis=0)
    return float(np.clip(width / max(height, 1e-9), 1.0, WIDEST))


def _radius(outline: np.ndarray) -> float:
    return UnitFrame.of(outline).scale


def _vector(values: np.ndarray) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
