"""An `ImageSet` to files: a folder or an uncompressed zip, with EG3D's, NeRF's or COLMAP's cameras."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from isofield.errors import InputError
from isofield.files import replacing, replacing_folder
from isofield.views import colmap, eg3d, nerf
from isofield.views.image_set import ImageSet, View, beside

Layout = Literal["eg3d", "nerf", "colmap"]


def write_views(views: ImageSet, path: Path, layout: Layout = "eg3d", *, truth: bool = True) -> None:
    """Write the set whole or not at all; a path that ends in .zip becomes an uncompressed zip, any other one a folder.

    truth: with the depth, normals and masks beside the pictures. A view that comes more than once gets a name of its
    own each time. Raises InputError for a set that cannot be read or that the layout cannot hold, and for a folder
    that holds something already.
    """
    check_vacant(path)
    named = _named(views)
    if path.suffix.lower() == ".zip":
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, content in _files(views, named, layout, truth):
                archive.writestr(zipfile.ZipInfo(name), content)
        return
    with replacing_folder(path) as folder:
        for name, content in _files(views, named, layout, truth):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def check_vacant(path: Path) -> None:
    """InputError for a folder that is not empty: a set replaces a folder as a whole."""
    if path.is_dir() and any(path.iterdir()):
        raise InputError(path, "is not empty", "choose another output, or remove it first")


def _files(views: ImageSet, named: tuple[View, ...], layout: Layout, truth: bool) -> Iterator[tuple[str, bytes]]:
    root = "images/" if layout == "colmap" else ""
    for name, text in _cameras(views, named, layout).items():
        yield name, text.encode()
    for index, view in enumerate(named):
        yield root + view.name, _encoded(views, index)
        if truth:
            yield from ((root + name, content) for name, content in _truth(views, index, view.name))


def _cameras(views: ImageSet, named: tuple[View, ...], layout: Layout) -> dict[str, str]:
    if not named:
        raise InputError(views.store.path, "holds no picture", "name another set")
    if layout == "eg3d":
        return {eg3d.FILE: eg3d.text_of(named, views.world)}
    if layout == "nerf":
        return {nerf.FILE: nerf.text_of(named)}
    return {f"sparse/0/{name}": text for name, text in colmap.text_of(named).items()}


def _named(views: ImageSet) -> tuple[View, ...]:
    """The views under names of their own, as PNG wherever pixels change."""
    taken: set[str] = set()
    named = []
    for view in views.views:
        path = PurePosixPath(view.name)
        stem = str(path.with_suffix("")) + ("-mirrored" if view.flipped else "")
        suffix = path.suffix if _as_stored(view) else ".png"
        name, count = stem + suffix, 1
        while name in taken:
            count += 1
            name = f"{stem}-{count}{suffix}"
        taken.add(name)
        named.append(View(name, view.camera))
    return tuple(named)


def _as_stored(view: View) -> bool:
    return not view.flipped and view.region is None


def _encoded(views: ImageSet, index: int) -> bytes:
    if _as_stored(views.views[index]):
        return views.store.read(views.views[index].name)
    return _png(views.picture(index))


def _truth(views: ImageSet, index: int, name: str) -> Iterator[tuple[str, bytes]]:
    depth, normal, mask = views.depth(index), views.normal(index), views.mask(index)
    if depth is not None:
        buffer = io.BytesIO()
        np.save(buffer, depth)
        yield beside(name, ".depth.npy"), buffer.getvalue()
    if normal is not None:
        yield beside(name, ".normal.png"), _png(np.round((normal + 1) * 127.5).astype(np.uint8))
    if mask is not None:
        yield beside(name, ".mask.png"), _png(mask.astype(np.uint8) * 255)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
