"""Sets made of sets: mirrored, balanced, cropped, turned. Only names and cameras change; pixels follow when read."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from isofield.errors import InputError
from isofield.render.camera import Camera
from isofield.views.image_set import ImageSet, View
from isofield.views.regions import Region

MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
Z_TO_Y = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # x stays, z becomes y, y becomes -z


def mirrored(views: ImageSet) -> ImageSet:
    """The set as seen in a mirror at x = 0: pictures flipped, cameras moved to where the flipped picture is true.

    Reflecting the world and the camera's own x axis leaves a proper camera: R' = M R M, t' = M t, cx' = width - cx.
    The shapes shown are the mirror images of the true ones.
    """
    return replace(
        views,
        views=tuple(
            replace(view, camera=mirrored_camera(view.camera), flipped=not view.flipped) for view in views.views
        ),
    )


def mirrored_camera(camera: Camera) -> Camera:
    """Its pose reflected at x = 0 and at its own x axis, so that it is a rotation again."""
    intrinsics = camera.intrinsics.copy()
    intrinsics[0, 2] = camera.width - intrinsics[0, 2]
    intrinsics[0, 1] = -intrinsics[0, 1]
    return Camera(MIRROR @ camera.camera_to_world @ MIRROR, intrinsics, camera.width, camera.height)


def joined(first: ImageSet, second: ImageSet) -> ImageSet:
    """Both sets of views of one store."""
    return replace(first, views=(*first.views, *second.views))


def directions(views: ImageSet) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Azimuth (from +z towards +x) and elevation of each camera as seen from the origin, y up, in degrees."""
    eyes = np.array([view.camera.eye for view in views.views]).reshape(-1, 3)
    azimuth = np.rad2deg(np.arctan2(eyes[:, 0], eyes[:, 2]))
    return azimuth, np.rad2deg(np.arctan2(eyes[:, 1], np.hypot(eyes[:, 0], eyes[:, 2])))


def balanced(views: ImageSet, bins: int = 12, most: int = 8) -> ImageSet:
    """Views from rare azimuths repeated, so that all azimuths weigh about alike.

    A view in a bin of c comes round(largest bin / c) times, at least once and no more than `most` times.
    """
    part = np.floor((directions(views)[0] % 360) / (360 / bins)).astype(int) % bins
    counts = np.bincount(part, minlength=bins)
    copies = np.clip(np.round(counts.max() / np.maximum(counts, 1)), 1, most).astype(int)
    return views.chosen([index for index in range(len(views)) for _ in range(copies[part[index]])])


def cropped(views: ImageSet, size: int, margin: float = 0.1) -> ImageSet:
    """Square pictures of the shape alone: its mask's box, with a margin on each side in parts of the box.

    What lies beyond the old picture is background. Raises InputError for a view without a mask, or with an empty one.
    """
    return replace(views, views=tuple(_cropped(views, index, size, margin) for index in range(len(views))))


def crop_camera(camera: Camera, region: Region, width: int, height: int) -> Camera:
    """The camera of a region of the picture, brought to another size."""
    left, top, right, bottom = region
    x, y = width / (right - left), height / (bottom - top)
    crop = np.array([[x, 0, -x * left], [0, y, -y * top], [0, 0, 1]])
    return Camera(camera.camera_to_world, crop @ camera.intrinsics, width, height)


def y_up(views: ImageSet) -> ImageSet:
    """A world with z up, as Blender's, turned so that y is up."""
    turned = [replace(view.camera, camera_to_world=Z_TO_Y @ view.camera.camera_to_world) for view in views.views]
    changed = tuple(replace(view, camera=camera) for view, camera in zip(views.views, turned, strict=True))
    return replace(views, views=changed, turn=Z_TO_Y[:3, :3] @ views.turn)


def _cropped(views: ImageSet, index: int, size: int, margin: float) -> View:
    view, mask = views.views[index], views.mask(index)
    where = f"{views.store.path}/{view.name}"
    if mask is None:
        raise InputError(where, "has no mask to crop to", "add NAME.mask.png, or pictures with transparency")
    if not mask.any():
        raise InputError(where, "its mask is empty", "take it out of the set")
    region = _square(mask, margin)
    camera = crop_camera(view.camera, region, size, size)
    if view.flipped:  # regions are counted in the file's own picture
        region = (view.camera.width - region[2], region[1], view.camera.width - region[0], region[3])
    if view.region is not None:
        left, top, right, bottom = view.region
        x, y = (right - left) / view.camera.width, (bottom - top) / view.camera.height
        region = (left + x * region[0], top + y * region[1], left + x * region[2], top + y * region[3])
    return replace(view, camera=camera, region=region)


def _square(mask: Bool[np.ndarray, "h w"], margin: float) -> Region:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = math.ceil(max(bottom - top, right - left) * (1 + 2 * margin))
    x, y = math.floor((left + right - side) / 2), math.floor((top + bottom - side) / 2)
    return float(x), float(y), float(x + side), float(y + side)
