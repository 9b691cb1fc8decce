"""What `isofield invert` reads: single pictures, and where they were taken from."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from isofield.errors import InputError
from isofield.files import check_exists, check_plain, read_json
from isofield.render.camera import orbit
from isofield.tasks.pictures import seen
from isofield.views import eg3d
from isofield.views.image_set import TRUTH, ImageSet, View, World, beside, size_of
from isofield.views.store import Folder

ABOVE = 2  # folders above a picture's own in which its dataset.json is looked for
ONE = "give a dataset.json that names the picture, or the 25 numbers of one label"


class _Few(Folder):
    """Some files of a folder, the others of which are not looked at."""

    def __init__(self, path: Path, names: frozenset[str]):
        super().__init__(path)
        self._names = names

    @property
    def names(self) -> frozenset[str]:  # type: ignore[override]
        return self._names


def read_portrait(path: Path, background: tuple[float, float, float], size: int) -> UInt8[np.ndarray, "size size 3"]:
    """sRGB at this size. Transparency, a NAME.mask.png beside it, or an even rim tell what is laid on the background.

    Raises InputError for what is no picture, or not square.
    """
    check_exists(path)
    name = path.name
    there = frozenset(n for n in (name, *(beside(name, suffix) for suffix in TRUTH)) if (path.parent / n).is_file())
    store = _Few(path.parent, there)
    width, height = size_of(store, name)
    if width != height:
        raise InputError(path, f"is {width} x {height}, not square", "crop it, with the object in the middle")
    region = None if width == size else (0.0, 0.0, float(width), float(height))
    view = View(name, orbit(0, 0, size=size), region=region)
    return seen(ImageSet(store, (view,), World(background=background)), 0)[0]


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
        return [_nearby(path, radius) for path in pictures]
    file = Path(camera)
    check_exists(file)
    if file.is_dir():
        file = file / eg3d.FILE
        check_exists(file)
    content = read_json(file)
    if isinstance(content, dict):
        return [_label(file, path, radius) for path in pictures]
    rows = content if isinstance(content, list) and content and isinstance(content[0], list) else [content]
    if len(rows) != len(pictures):
        raise InputError(file, f"has {len(rows)} cameras for {len(pictures)} pictures", "give one for each, in order")
    return [_scaled(str(file), row, radius) for row in rows]


def _nearby(picture: Path, radius: float) -> Float[np.ndarray, "25"] | None:
    """From the dataset.json of the set that the picture belongs to; None where there is none that names it."""
    folder = picture.absolute().parent
    for place in (folder, *list(folder.parents)[:ABOVE]):
        if (place / eg3d.FILE).is_file():
            return _label(place / eg3d.FILE, picture, radius) if _rows(place / eg3d.FILE, picture) else None
    return None


def _label(file: Path, picture: Path, radius: float) -> Float[np.ndarray, "25"]:
    found = _rows(file, picture)
    if len(found) != 1:
        fault = f"names {picture.name} {'in no label' if not found else f'{len(found)} times'}"
        raise InputError(file, fault, "add its label, or give --camera auto")
    return _scaled(f"{file} ({picture.name})", found[0], radius)


def _rows(file: Path, picture: Path) -> list[Any]:
    """Labels whose name is the end of the picture's path."""
    whole = picture.absolute().as_posix()
    return [row for name, row in _labels(file) if whole.endswith("/" + name)]


def _labels(file: Path) -> list[tuple[str, Any]]:
    check_plain(file)
    content = read_json(file)
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, list):
        raise InputError(file, "holds no labels", ONE)
    rows = []
    for number, entry in enumerate(labels):
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
            raise InputError(f"{file}: label {number}", f"is {entry!r:.60}", eg3d.WRITE_LABELS)
        rows.append((entry[0].replace("\\", "/"), entry[1]))
    return rows


def _scaled(where: str, label: Any, radius: float) -> Float[np.ndarray, "25"]:
    checked = np.array(eg3d.label_of(eg3d.from_label(where, label, 1, 1)))
    checked[[3, 7, 11]] /= radius
    return checked
