"""Do pictures and cameras belong together? Judged by silhouettes: all of them must be shadows of one shape.

Points that lie inside (nearly) all silhouettes form the visual hull (Laurentini 1994); where cameras are right its
shadow covers every silhouette, where they are wrong it is too small. So each known way to get cameras wrong is tried.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8
from scipy.ndimage import maximum_filter

from isofield.render.camera import Camera
from isofield.views.change import crop_camera
from isofield.views.image_set import ImageSet
from isofield.views.poses import nearest_point

LEAST = 4  # views of one shape from which silhouettes can contradict each other
CELLS = 44  # points along each side of the hull's box
COARSE = 32  # pixels along the longer side of a silhouette's box
GAPS, FEWER = 0.015, 0.5  # uncovered share from which another convention is named, if it leaves so much less of it
ODD = 0.06  # cover that a single view must lack against the others to be called mislabelled
RAYS, STEPS = 500, 160  # of a silhouette that is suspected, and of each ray through the cube
EDGE = 12  # levels from the background's colour

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])


class Silhouette(NamedTuple):
    """cut: it goes on beyond the picture, where nothing is known."""

    mask: Bool[np.ndarray, "h w"]
    camera: Camera
    cut: bool = False


def _posed(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Silhouette], Silhouette]:
    def changed(seen: Silhouette) -> Silhouette:
        camera = seen.camera
        pose = change(camera.camera_to_world)
        return seen._replace(camera=Camera(pose, camera.intrinsics, camera.width, camera.height))

    return changed


AS_GIVEN = "as given"
CONVENTIONS: dict[str, Callable[[Silhouette], Silhouette]] = {
    AS_GIVEN: lambda seen: seen,
    "y and z of the cameras point the other way (OpenGL's axes in the place of OpenCV's, or the reverse)": _posed(
        lambda pose: pose @ OPENGL
    ),
    "poses are inverted (world-to-camera in the place of cam-to-world, or the reverse)": _posed(np.linalg.inv),
    "poses are inverted, and of OpenGL's axes": _posed(lambda pose: np.linalg.inv(OPENGL @ pose)),
    "pictures are mirrored left to right, or the cameras are those of a left-handed world": (
        lambda seen: seen._replace(mask=seen.mask[:, ::-1])
    ),
    "pictures are upside down": lambda seen: seen._replace(mask=seen.mask[::-1]),
    "pictures are turned by half a turn (x left, y up)": _posed(lambda pose: pose @ HALF_TURN),
}


def silhouette(views: ImageSet, index: int, picture: UInt8[np.ndarray, "h w 3"]) -> Silhouette | None:
    """From its mask, or from a picture with an even background; None where there is neither, or nothing is seen."""
    mask = views.mask(index)
    if mask is None:
        mask = foreground(picture)
    if mask is None or not mask.any() or mask.all():
        return None
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return Silhouette(mask, views.views[index].camera, bool(rim.mean() > 0.01))


def foreground(picture: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"] | None:
    """What differs from the colour of the rim; None where the rim has many colours."""
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).astype(int)
    color = np.median(rim, axis=0)
    if (np.abs(rim - color).max(1) <= EDGE).mean() < 0.8:
        return None
    return np.abs(picture.astype(int) - color).max(2) > EDGE


def covers(seen: list[Silhouette], dissent: int = 0) -> Float[np.ndarray, " n"]:
    """Share of each silhouette that the shadow of the hull lies on; of each point so many views may disagree."""
    coarse = [_coarse(one) for one in seen]
    points = _box(coarse)
    against = np.zeros(len(points), int)
    for one in coarse:
        within, row, column = _places(one, points)
        inside = np.full(len(points), one.cut)
        inside[within] = one.mask[row, column]
        against += ~inside
        points, against = points[against <= dissent], against[against <= dissent]
    return np.array([_cover(one.mask, *_places(one, points)[1:]) for one in coarse])


def judge(shapes: list[list[Silhouette]]) -> dict[str, float]:
    """Mean cover under each convention, over all shapes; every shape needs at least `LEAST` silhouettes."""
    return {
        name: float(np.mean([covers([change(one) for one in seen]).mean() for seen in shapes]))
        for name, change in CONVENTIONS.items()
    }


def named_fault(scores: dict[str, float]) -> str | None:
    """The convention that fits clearly better than the one given."""
    best = max(scores, key=lambda name: scores[name])
    gaps = 1 - scores[AS_GIVEN]
    return best if gaps > GAPS and 1 - scores[best] < FEWER * gaps else None


def odd_ones(seen: list[Silhouette]) -> list[int]:
    """Views whose silhouette the hull of the others does not cover: most likely they have another picture's camera.

    What is thinner than the hull's cells (legs, wires) is missed there: those suspected are looked at ray by ray.
    """
    cover = covers(seen, dissent=1)
    least = np.median(cover) - ODD
    return [index for index in range(len(seen)) if cover[index] < least and _cover_by_rays(seen, index) < least]


def _cover_by_rays(seen: list[Silhouette], index: int, dissent: int = 1) -> float:
    """Share of a silhouette's rays that somewhere are within the silhouettes of the others, but for `dissent`."""
    one = seen[index]
    rows, columns = np.nonzero(one.mask)
    some = np.linspace(0, len(rows) - 1, min(RAYS, len(rows))).astype(int)
    pixels = np.stack([columns[some] + 0.5, rows[some] + 0.5, np.ones(len(some))], axis=1)
    rays = pixels @ np.linalg.inv(one.camera.intrinsics).T @ one.camera.camera_to_world[:3, :3].T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    center, half = _cube(seen)
    along = (rays @ (center - one.camera.eye))[:, None] + np.linspace(-half, half, STEPS)
    points = (one.camera.eye + along[..., None] * rays[:, None]).reshape(-1, 3)
    against = np.zeros(len(points), int)
    for other in seen[:index] + seen[index + 1 :]:
        scale = other.camera.intrinsics[0, 0] / np.linalg.norm(other.camera.eye - center)
        thick = maximum_filter(other.mask, 2 * int(np.ceil(half / STEPS * scale)) + 1)  # no step leaps over it
        within, row, column = _places(other, points)
        inside = np.full(len(points), other.cut)
        inside[within] = thick[row, column]
        against += ~inside
    return float((against.reshape(along.shape) <= dissent).any(1).mean())


def _coarse(seen: Silhouette) -> Silhouette:
    """The silhouette's box in few pixels, each what lies at its centre, with the camera for it."""
    mask, camera = seen.mask, seen.camera
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    step = max(bottom - top, right - left) / COARSE
    height, width = (max(1, round(side / step)) for side in (bottom - top, right - left))
    y = np.floor(top + (np.arange(height) + 0.5) * (bottom - top) / height).astype(int)
    x = np.floor(left + (np.arange(width) + 0.5) * (right - left) / width).astype(int)
    region = (float(left), float(top), float(right), float(bottom))
    return Silhouette(mask[y[:, None], x[None]], crop_camera(camera, region, width, height), seen.cut)


def _box(seen: list[Silhouette]) -> Float[np.ndarray, "n 3"]:
    """Points of the cube."""
    center, half = _cube(seen)
    side = np.linspace(-half, half, CELLS)
    return center + np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)


def _cube(seen: list[Silhouette]) -> tuple[Float[np.ndarray, "3"], float]:
    """What all cameras look at, and half the side of a cube around it that holds what the pictures show."""
    eyes = np.array([one.camera.eye for one in seen])
    axes = np.array([_middle(one.camera) for one in seen])
    center = nearest_point(eyes, axes)
    distance = np.linalg.norm(eyes - center, axis=1)
    reach = [d * max(o.camera.width / o.camera.intrinsics[0, 0], o.camera.height / o.camera.intrinsics[1, 1]) / 2
             for d, o in zip(distance, seen, strict=True)]  # fmt: skip
    return center, max(float(np.median(reach)) * 1.5, 1e-9)


def _middle(camera: Camera) -> Float[np.ndarray, "3"]:
    """Unit direction of the ray through the picture's middle."""
    ray = np.linalg.inv(camera.intrinsics) @ (camera.width / 2, camera.height / 2, 1)
    return camera.camera_to_world[:3, :3] @ ray / np.linalg.norm(ray)


def _places(seen: Silhouette, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which points lie before the camera and inside the picture (p,), and row and column of each of those."""
    pixels, depth = seen.camera.project(points)
    camera = seen.camera
    within = (depth > 0) & (pixels >= 0).all(1) & (pixels[:, 0] < camera.width) & (pixels[:, 1] < camera.height)
    column, row = pixels[within].astype(int).T
    return within, row, column


def _cover(mask: Shaped[np.ndarray, "h w"], row: np.ndarray, column: np.ndarray) -> float:
    """Share of the silhouette's coarse pixels that have a hull point in them or beside them."""
    hits = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    hits[row + 1, column + 1] = True
    wide = hits[1:-1, 1:-1].copy()
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        wide |= hits[dy : dy + mask.shape[0], dx : dx + mask.shape[1]]
    return float((wide & mask).sum() / mask.sum())
