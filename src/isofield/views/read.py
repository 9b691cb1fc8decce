"""Anybody's pictures with cameras -> one `ImageSet`, or one clear sentence why not."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

from isofield.errors import InputError
from isofield.files import check_exists, check_plain
from isofield.render.camera import Camera
from isofield.views import colmap, eg3d, nerf
from isofield.views.image_set import ImageSet, World
from isofield.views.store import Store, open_store

FORMATS = f"{eg3d.FILE} (EG3D), {nerf.FILE} (NeRF) or a COLMAP text model"


def read_views(path: str | PathLike) -> ImageSet:
    """Read a folder or an uncompressed zip in EG3D's, NeRF's or COLMAP's layout, or a transforms.json by its name.

    Strict: raises InputError for the first entry whose picture or camera is wrong, and says how many more there are.
    """
    views, faults = scan(path)
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise InputError(faults[0].where, faults[0].fault + more, faults[0].remedy)
    return views


def scan(path: str | PathLike) -> tuple[ImageSet, list[InputError]]:
    """The good entries of a set, and what is wrong with the others; raises InputError where it is no set at all."""
    path = Path(path)
    if path.suffix.lower() == ".json":
        return _scan_file(path)
    store = open_store(path)
    if eg3d.FILE in store.names:
        views, world, faults = eg3d.read(store, _json(store, eg3d.FILE))
        return ImageSet(store, tuple(views), world, "EG3D"), faults
    files = [nerf.FILE] if nerf.FILE in store.names else [name for name in nerf.SPLITS if name in store.names]
    if files:
        return _nerf(store, files)
    folder = colmap.folder_of(store)
    if folder is None:
        kind = "folder" if path.is_dir() else "zip archive"
        raise InputError(path, f"is a {kind} that holds no {FORMATS}", "add the cameras, or name a file")
    found, faults = colmap.read(store, folder)
    return ImageSet(store, tuple(found), World(), "COLMAP"), faults


def read_cameras(path: str | PathLike, width: int, height: int) -> list[Camera]:
    """Cameras for pictures of this size from a dataset.json, a transforms.json (pictures need not be there) or a set.

    Raises InputError, also where the file's pictures have another shape of rectangle.
    """
    path = Path(path)
    check_exists(path)
    if path.is_dir() or path.suffix.lower() != ".json":
        return [view.camera.resized(width, height) for view in read_views(path).views]
    check_plain(path)
    content = _parsed(str(path), path.read_bytes())
    reader = eg3d.cameras if isinstance(content, dict) and "labels" in content else nerf.cameras
    return reader(str(path), content, width, height)


def is_views(path: Path) -> bool:
    """Whether a path looks like a set of pictures and not like a mesh."""
    return path.is_dir() or path.suffix.lower() in (".zip", ".json")


def holds_views(path: Path) -> bool:
    """Whether a path holds cameras in one of the layouts that `read_views` reads, whatever is wrong with them."""
    if path.suffix.lower() == ".json":
        return True
    if not path.is_dir() and path.suffix.lower() != ".zip":
        return False
    store = open_store(path)
    return bool({eg3d.FILE, nerf.FILE, *nerf.SPLITS} & store.names) or colmap.folder_of(store) is not None


def _scan_file(path: Path) -> tuple[ImageSet, list[InputError]]:
    check_exists(path)
    check_plain(path)
    store = open_store(path.parent)
    content = _json(store, path.name)
    if isinstance(content, dict) and "labels" in content:
        if path.name != eg3d.FILE:
            raise InputError(path, "holds EG3D's labels under another name", f"name it {eg3d.FILE}")
        return scan(path.parent)
    return _nerf(store, [path.name])


def _nerf(store: Store, files: list[str]) -> tuple[ImageSet, list[InputError]]:
    views, faults = nerf.read(store, {name: _json(store, name) for name in files})
    return ImageSet(store, tuple(views), World(), "NeRF"), faults


def _json(store: Store, name: str) -> Any:
    return _parsed(f"{store.path}/{name}", store.read(name))


def _parsed(where: str, content: bytes) -> Any:
    try:
        return json.loads(content.decode(), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise InputError(where, f"is no UTF-8 text: byte {error.start}", "make it again") from None
    except json.JSONDecodeError as error:
        fault = f"is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise InputError(where, fault, "mend the file or make it again") from None
    except (RecursionError, ValueError) as error:
        raise InputError(where, f"is no JSON: {str(error)[:80]}", "mend the file or make it again") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")
