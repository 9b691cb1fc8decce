"""Any mesh file -> one triangle mesh in the user's coordinates, or one clear sentence why not."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np
import trimesh

from isofield.errors import InputError, IsofieldError
from isofield.files import check_plain
from isofield.mesh.collada import read_dae
from isofield.mesh.gltf import read_gltf
from isofield.mesh.obj import read_obj
from isofield.mesh.off import read_off
from isofield.mesh.parts import assemble
from isofield.mesh.ply_mesh import read_ply
from isofield.mesh.stl import read_stl

READERS = {
    ".obj": read_obj, ".ply": read_ply, ".off": read_off, ".stl": read_stl, ".glb": read_gltf, ".gltf": read_gltf,
    ".dae": read_dae,
}  # fmt: skip
READABLE = tuple(READERS)
LARGEST, SMALLEST = 1e37, 1e-100  # meshes are written in float32; below, the cubes of float64 numbers vanish
FOREIGN = {
    b"PK\3\4": "a zip archive", b"\x1f\x8b": "gzip data", b"BZh9": "bzip2 data", b"\xfd7zXZ": "xz data",
    b"\x89PNG": "a PNG picture", b"\xff\xd8\xff": "a JPEG picture", b"\x7fELF": "a program", b"%PDF-": "a PDF",
    b"<!doctype html": "a web page", b"<html": "a web page",
    b"version https://git-lfs": "a pointer to a file that was not fetched (Git LFS)",
}  # fmt: skip
ZIPPED = (".npz",)
POINTS_ONLY = (".xyz", ".txt", ".pcd", ".npz", ".las", ".laz")
MAKE_A_MESH = "give a mesh, or make one of the points with isofield fit"
EXPORT_AGAIN = "open it in the program that made it and export it again"


@contextmanager
def only_input_errors(path: Path) -> Iterator[None]:
    """Around readers, which meet arbitrary bytes: whatever they stumble over is a fault of the file."""
    try:
        yield
    except (IsofieldError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:120] or type(error).__name__
        reason = f"lacks {said}" if isinstance(error, KeyError) else said
        raise InputError(path, f"is no readable {path.suffix.lower()[1:]} file ({reason})", EXPORT_AGAIN) from error


def read_mesh(path: str | PathLike) -> trimesh.Trimesh:
    """Read .obj .ply .off .stl .glb .gltf .dae into one mesh: user's units and axes, float64, colours kept.

    Scene transforms are applied and polygons cut into triangles. One texture stays a `TextureVisuals`; several
    materials share one with a `MultiMaterial`; look colours up with `surface_colors`. Nothing is merged or repaired,
    see `weld`. Raises InputError for whatever is not a mesh.
    """
    path = Path(path)
    check_file(path, READABLE)
    with only_input_errors(path), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        mesh = _read(path)
    _check_mesh(path, mesh)
    if mesh.metadata["dropped"]:
        count = mesh.metadata["dropped"]
        what = "1 face was left out: it has" if count == 1 else f"{count} faces were left out: they have"
        warnings.warn(f"{path}: {what} fewer than three corners", stacklevel=2)
    return mesh


def weld(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The same triangles with bitwise equal vertices merged (never a tolerance) and unused ones dropped; no colours.

    Face i of the result is face i of the input, so `surface_colors(input, face_index, points)` still fits.
    """
    vertices, faces = weld_arrays(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    return trimesh.Trimesh(vertices, faces, process=False)


def weld_arrays(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`weld` for arrays: (v, 3) and (f, 3) -> merged vertices in the file's order, re-indexed faces."""
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    kept = np.asarray(vertices[used], np.float64) + 0.0  # + 0.0: -0.0 equals 0.0
    order = np.lexsort(kept.T)
    fresh = np.ones(len(kept), bool)
    fresh[1:] = (kept[order[1:]] != kept[order[:-1]]).any(1)
    first = np.minimum.reduceat(order, np.flatnonzero(fresh))  # of each group of equal vertices, the earliest one
    chosen = np.sort(first)
    new_index = np.empty(len(kept), np.int64)
    new_index[order] = np.searchsorted(chosen, first)[np.cumsum(fresh) - 1]
    return kept[chosen], new_index[(np.cumsum(used) - 1)[faces]]


def check_file(path: Path, readable: tuple[str, ...]) -> None:
    """InputError unless the path is a file that can be opened, holds something and has one of the extensions."""
    check_plain(path)
    if path.suffix.lower() in POINTS_ONLY and path.suffix.lower() not in readable:
        raise InputError(path, f"is a file of points by its extension {path.suffix!r}", MAKE_A_MESH)
    if path.suffix.lower() not in readable:
        raise InputError(
            path, f"has an unknown extension {path.suffix!r}", f"convert it to one of {' '.join(readable)}"
        )
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})", "check its permissions") from error
    if not head:
        raise InputError(path, "is empty (0 bytes)", "fetch or export it again")
    for magic, kind in FOREIGN.items():
        if head.lstrip()[: len(magic)].lower() == magic.lower() and path.suffix.lower() not in ZIPPED:
            raise InputError(path, f"is {kind}, whatever its name says", "unpack or fetch the file that was meant")


def _read(path: Path) -> trimesh.Trimesh:
    parts = READERS[path.suffix.lower()](path)
    shown = [part for part in parts if len(part.faces)] or parts  # points beside triangles play no part
    mesh = assemble(shown) if shown else trimesh.Trimesh(process=False)
    mesh.metadata["dropped"] = sum(part.dropped for part in parts)
    return mesh


def _check_mesh(path: Path, mesh: trimesh.Trimesh) -> None:
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    if not len(faces):
        _refuse_without_faces(path, len(vertices))
    if faces.min() < 0 or faces.max() >= len(vertices):
        wrong = faces.min() if faces.min() < 0 else faces.max()
        raise InputError(path, f"a face uses vertex {wrong} of {len(vertices)} (counted from 0)", EXPORT_AGAIN)
    corners = vertices[faces.reshape(-1)]
    bad = np.flatnonzero(~np.isfinite(vertices).all(1))
    if len(bad):
        raise InputError(
            path, f"{len(bad)} vertices are not finite numbers, the first is vertex {bad[0]}", EXPORT_AGAIN
        )
    extent = np.ptp(corners, axis=0).max()
    if not extent:
        raise InputError(path, "all its triangles lie in one point (extent 0)", EXPORT_AGAIN)
    if np.abs(corners).max() > LARGEST or extent < SMALLEST:
        size = "large" if extent > 1 else "small"
        raise InputError(path, f"its coordinates are too {size} to compute with (extent {extent:.3g})", "scale it")


def _refuse_without_faces(path: Path, points: int) -> None:
    if points:
        raise InputError(path, f"is a point cloud ({points} points, no faces)", MAKE_A_MESH)
    raise InputError(path, "holds no triangles", EXPORT_AGAIN)
