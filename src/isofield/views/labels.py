"""Where single pictures were taken from: EG3D's 25 numbers from a file that is given, or from the set around them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from isofield.errors import InputError
from isofield.files import check_exists, check_plain, read_json
from isofield.views import eg3d

ONE = "give a dataset.json that names the picture, or the 25 numbers of one label"


class Label(NamedTuple):
    """where: to be named by an error; numbers: as they stand in the file, unchecked."""

    where: str
    numbers: Any


def given_labels(pictures: Sequence[Path], file: Path) -> list[Label]:
    """Of each picture: from a dataset.json that names it, or its folder, or from a JSON file with 25 numbers for each.

    Raises InputError for a file that does not say where each was taken from.
    """
    file = file_of(file)
    content = read_json(file)
    if isinstance(content, dict):
        return [_named(file, path) for path in pictures]
    rows = content if isinstance(content, list) and content and isinstance(content[0], list) else [content]
    if len(rows) != len(pictures):
        raise InputError(file, f"has {len(rows)} cameras for {len(pictures)} pictures", "give one for each, in order")
    return [Label(str(file), row) for row in rows]


def file_of(path: Path) -> Path:
    """Of a folder its dataset.json; raises InputError for what is not there."""
    check_exists(path)
    if path.is_dir():
        path = path / eg3d.FILE
        check_exists(path)
    return path


def nearby_label(picture: Path) -> Label | None:
    """From the nearest dataset.json beside a picture or above it; None where there is none, or it does not name it."""
    for folder in picture.absolute().parents:
        if (folder / eg3d.FILE).is_file():
            return _named(folder / eg3d.FILE, picture) if _rows(folder / eg3d.FILE, picture) else None
    return None


def _named(file: Path, picture: Path) -> Label:
    found = _rows(file, picture)
    if len(found) != 1:
        fault = f"names {picture.name} {'in no label' if not found else f'{len(found)} times'}"
        raise InputError(file, fault, "add its label, or give --camera")
    return Label(f"{file} ({picture.name})", found[0])


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
