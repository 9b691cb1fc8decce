"""Any file of points -> one cloud in the user's coordinates, or one clear sentence why not."""

import re
import warnings
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from isofield.cloud.cloud import Cloud
from isofield.cloud.columns import color_bytes
from isofield.cloud.las import is_compressed, read_las
from isofield.cloud.npz import read_npz
from isofield.cloud.pcd import read_pcd
from isofield.cloud.ply import read_ply_cloud
from isofield.cloud.text import counted, number_row, number_table, numbered_content, text_lines
from isofield.errors import InputError
from isofield.mesh.ply import parse_header
from isofield.mesh.read import EXPORT_AGAIN, POINTS_ONLY, check_file, only_input_errors
from isofield.mesh.text import decoded

READABLE = (".ply", ".obj", *POINTS_ONLY)
LARGEST, SMALLEST = 1e100, 1e-100  # coordinates and extents within which squares of float64 neither overflow nor vanish
SPREAD = 1e10  # largest extent over the median distance from the middle: more is a damaged file, or of no precision
OBJ_WIDTHS = (3, 4, 6, 7)  # x y z, then w, r g b, or r g b a
_FACE, _POINT = re.compile(r"(?:^|[\r\n])[ \t]*f[ \t]"), re.compile(r"(?:^|[\r\n])[ \t]*v[ \t]")


class _InVain(UserWarning):
    """What a file carries and nobody can use."""


def read_cloud(path: str | PathLike) -> Cloud:
    """Read .ply .xyz .txt .pcd .npz .obj (without faces) .las .laz: user's units and axes, nothing merged or moved.

    Rows whose coordinates are not finite are left out and counted in `dropped`. Normals get unit length, or zero where
    a row has none; normals that are all zero, and sensors that are not all finite, count as not given. Warns of both.
    Raises InputError for whatever is not a cloud.
    """
    path = Path(path)
    check_file(path, READABLE)
    with only_input_errors(path), warnings.catch_warnings(record=True) as notes, np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", _InVain)
        cloud = _checked(path, _READERS[path.suffix.lower()](path))
    for note in notes:
        warnings.warn(f"{path}: {note.message}", stacklevel=2)
    return cloud


def looks_like_cloud(path: str | PathLike) -> bool:
    """True for a file of points by its extension, and for a .ply or .obj that has points and no faces."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in READABLE or not path.is_file():
        return False
    try:
        if suffix == ".ply":
            counts = parse_header(path).counts
            return counts.get("vertex", 0) > 0 and not counts.get("face") and not counts.get("tristrips")
        return suffix in POINTS_ONLY or _only_points(path)
    except (InputError, OSError):
        return False


def _only_points(path: Path) -> bool:
    text = decoded(path)
    return _POINT.search(text) is not None and _FACE.search(text) is None


def _read_text(path: Path) -> Cloud:
    """x y z, x y z and one more number that is passed over, x y z nx ny nz, x y z r g b, or all nine."""
    rows = numbered_content(text_lines(path))
    if not rows:
        raise InputError(path, "holds no points", EXPORT_AGAIN)
    width = len(number_row(path, *rows[0]))
    if width not in (3, 4, 6, 9):
        where = f"{path}, line {rows[0][0]}"
        raise InputError(where, f"has {counted(width)}", "give x y z, and where known nx ny nz, r g b")
    table = number_table(path, rows)
    points, more = table[:, :3], table[:, 3:]
    if width < 6:
        return Cloud(points)
    if width == 9:
        return Cloud(points, normals=more[:, :3], colors=color_bytes(path, more[:, 3:]))
    if _are_normals(more):
        return Cloud(points, normals=more)
    return Cloud(points, colors=color_bytes(path, more))


def _are_normals(columns: np.ndarray) -> bool:
    """Nearly all rows are of unit length, as no table of colours is."""
    return bool((np.abs(np.linalg.norm(columns, axis=1) - 1) < 0.02).mean() > 0.9)


def _read_obj(path: Path) -> Cloud:
    """Lines `v x y z [r g b]`, and as many `vn x y z` if they are normals of the points."""
    rows: dict[str, list[tuple[int, str]]] = {"v": [], "vn": []}
    for number, line in enumerate(text_lines(path), 1):
        key, _, rest = line.partition("#")[0].strip().replace("\t", " ").partition(" ")
        if key == "f":
            raise InputError(f"{path}, line {number}", "has faces: it is a mesh", "read it as a mesh")
        if key in rows:
            rows[key].append((number, rest))
    if not rows["v"]:
        raise InputError(path, "holds no points", EXPORT_AGAIN)
    table = number_table(path, rows["v"])
    if table.shape[1] not in OBJ_WIDTHS:
        where = f"{path}, line {rows['v'][0][0]}"
        raise InputError(where, f"has {counted(table.shape[1])}", "give x y z, and where known r g b")
    normals = number_table(path, rows["vn"], 3) if len(rows["vn"]) == len(table) else None
    if rows["vn"] and normals is None:
        warnings.warn(f"its {len(rows['vn'])} normals are not those of its {len(table)} points", _InVain, stacklevel=1)
    colors = color_bytes(path, table[:, 3:6]) if table.shape[1] >= 6 else None
    return Cloud(table[:, :3], normals=normals, colors=colors)


def _read_las(path: Path) -> Cloud:
    if path.suffix.lower() == ".las" and not is_compressed(path):
        return read_las(path)
    try:
        import laspy
    except ImportError:
        raise InputError(path, "is compressed and needs the package laspy", "pip install 'isofield[las]'") from None
    with laspy.open(path) as file:
        promised, data = file.header.point_count, file.read()
    if len(data.x) != promised:
        raise InputError(path, f"truncated: it promises {promised} points and has {len(data.x)}", EXPORT_AGAIN)
    columns = np.stack([np.asarray(data.x), np.asarray(data.y), np.asarray(data.z)], 1)
    colors = None
    if {"red", "green", "blue"} <= set(data.point_format.dimension_names):
        stored = np.stack([np.asarray(data[name]) for name in ("red", "green", "blue")], 1)
        colors = color_bytes(path, stored) if stored.any() else None
    return Cloud(columns.astype(np.float64), colors=colors)


_READERS = {
    ".ply": read_ply_cloud, ".obj": _read_obj, ".xyz": _read_text, ".txt": _read_text, ".pcd": read_pcd,
    ".npz": read_npz, ".las": _read_las, ".laz": _read_las,
}  # fmt: skip


def _checked(path: Path, cloud: Cloud) -> Cloud:
    """Finite rows with unit normals; InputError if that leaves nothing to work with."""
    if not len(cloud):
        raise InputError(path, "holds no points", EXPORT_AGAIN)
    finite = np.isfinite(cloud.points).all(1)
    dropped = int((~finite).sum())
    if dropped == len(cloud):
        raise InputError(path, f"none of its {dropped} points has finite coordinates", EXPORT_AGAIN)
    cloud = cloud.take(finite) if dropped else cloud
    low, high = cloud.points.min(0), cloud.points.max(0)
    extent = float((high - low).max())
    if extent == 0:
        raise InputError(path, f"all its {len(cloud)} points lie in one place (extent 0)", EXPORT_AGAIN)
    if max(float(np.abs([low, high]).max()), extent) > LARGEST or extent < SMALLEST:
        raise InputError(path, f"its extent is {extent:.3g}, beyond what can be computed with", "scale it")
    _check_spread(path, cloud.points, extent)
    normals, sensors = _unit(cloud.normals), cloud.sensors
    if sensors is not None and not np.isfinite(sensors).all():
        sensors = None
    _warn_of_unused(cloud, normals, sensors is not None)
    return replace(cloud, normals=normals, sensors=sensors, source=str(path), dropped=dropped)


def _check_spread(path: Path, points: np.ndarray, extent: float) -> None:
    """InputError for what no outlier explains, such as bytes in the wrong order."""
    distance = np.abs(points - np.median(points, 0)).max(1)
    usual = float(np.median(distance[distance > 0]))
    if extent > SPREAD * usual:
        fault = f"it is {extent:.3g} wide, and half of its points lie within {usual:.3g}: its numbers are damaged"
        raise InputError(path, fault, EXPORT_AGAIN)


def _warn_of_unused(cloud: Cloud, normals: np.ndarray | None, sensors: bool) -> None:
    if cloud.sensors is not None and not sensors:
        warnings.warn("its sensor positions are not all finite, so none is used", _InVain, stacklevel=1)
    if cloud.normals is None:
        return
    if normals is None:
        warnings.warn("its normals have no direction, so none is used", _InVain, stacklevel=1)
    elif lacking := int((~normals.any(1)).sum()):
        warnings.warn(f"{lacking} of its {len(cloud)} normals have no direction", _InVain, stacklevel=1)


def _unit(normals: np.ndarray | None) -> np.ndarray | None:
    """Unit length or zero; None if there is no direction at all."""
    if normals is None:
        return None
    largest = np.abs(normals).max(1, keepdims=True)
    usable = np.isfinite(largest) & (largest > 0)
    scaled = np.where(usable, normals, 0) / np.where(usable, largest, 1)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(length > 0, length, 1) if usable.any() else None
