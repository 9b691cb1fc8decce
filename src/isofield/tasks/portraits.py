"""What `isofield invert` reads: single pictures, and where they were taken from."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from isofield.errors import InputError
from isofield.files import check_exists
from isofield.render.camera import orbit
from isofield.tasks.pictures import seen
from isofield.views import eg3d
from isofield.views.image_set import TRUTH, ImageSet, View, World, beside, size_of
from isofield.views.labels import Label, given_labels, nearby_label
from isofield.views.store import Folder


class _Few(Folder):
    """Some files of a folder, the others of which are not looked at."""

    def __init__(self, path: Path, names: frozenset[str]):
        super().__init__(path)
        self._names = names

    @property
    def names(self) -> frozenset[str]:  # type: ignore[override]
        return self._names


def portrait_size(path: Path) -> int:
    """Pixels a side. Raises InputError for what is no picture, or not square."""
    check_exists(path)
    width, height = size_of(_alone(path), path.name)
    if width != height:
        raise InputError(path, f"is {width} x {height}, not square", "crop it, with the object in the middle")
    return width


def read_portrait(path: Path, background: tuple[float, float, float], size: int) -> UInt8[np.ndarray, "size size 3"]:
    """sRGB at this size. Transparency, a NAME.mask.png beside it, or an even rim tell what is laid on the background.

    Raises InputError for what is no picture, or not square.
    """
    width = portrait_size(path)
    region = None if width == size else (0.0, 0.0, float(width), float(width))
    view = View(path.name, orbit(0, 0, size=size), region=region)
    return seen(ImageSet(_alone(path), (view,), World(background=background)), 0)[0]


def _alone(path: Path) -> Folder:
    """A picture, and what is told of it beside it."""
    names = (path.name, *(beside(path.name, suffix) for suffix in TRUTH))
    return _Few(path.parent, frozenset(name for name in names if (path.parent / name).is_file()))


def camera_labels(
    pictures: tuple[Path, ...], camera: str | None, radius: float
) -> list[Float[np.ndarray, "25"] | None]:
    """EG3D's label of each picture with the world scaled by 1 / radius; None where it has to be found.

    camera: "auto", a JSON file, or None for the dataset.json that lies beside a picture or above it, if any.
    Raises InputError for a file that does not say where a picture was taken from.
    """
    if camera == "auto":
        return [None] * len(pictures)
    if camera is None:
        return [None if (label := nearby_label(path)) is None else _scaled(label, radius) for path in pictures]
    return [_scaled(label, radius) for label in given_labels(pictures, Path(camera))]


def _scaled(label: Label, radius: float) -> Float[np.ndarray, "25"]:
    checked = np.array(eg3d.label_of(eg3d.from_label(*label, 1, 1)))
    checked[[3, 7, 11]] /= radius
    return checked
