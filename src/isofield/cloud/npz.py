"""Points in a .npz archive of plain arrays."""

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from isofield.cloud.cloud import Cloud
from isofield.cloud.columns import color_bytes
from isofield.errors import InputError

MAX_BYTES = 4 << 30  # of the points, unpacked
SOLID, RATIO = 64 << 20, 100  # unpacked bytes from which on no honest cloud is packed so densely
NAMES = ("points", "normals", "colors", "sensors")
KEYS = "points (n,3), and where known normals (n,3), colors (n,3), sensors (n,3) or (3,)"
STORE = f"store {KEYS} with numpy.savez"


def read_npz(path: Path) -> Cloud:
    """The arrays `points`, `normals`, `colors`, `sensors`; never executes what a file says (no pickles).

    What each array claims to be is compared with what the archive holds before any of it is unpacked.
    """
    with path.open("rb") as file:
        begins = file.read(2)
    if begins != b"PK" or not zipfile.is_zipfile(path):
        raise InputError(path, "is no .npz archive", "store it with numpy.savez")
    with opened(path) as archive:
        entries = _entries(path, archive)
        count = _check_points(path, archive, entries["points"])
        shapes: dict[str, tuple[int, ...]] = {"points": (count, 3)}
        for name in NAMES[1:]:
            if name in entries:
                shapes[name] = shape_of(path, archive, entries[name])
        for name, shape in shapes.items():
            if shape != (count, 3) and not (name == "sensors" and shape == (3,)):
                raise InputError(path, f"its array `{name}` has the shape {shape}", STORE)
        found = {name: array_of(path, archive, entries[name]) for name in shapes}
    sensors = found.get("sensors")
    return Cloud(
        found["points"].astype(np.float64),
        normals=found["normals"].astype(np.float64) if "normals" in found else None,
        colors=color_bytes(path, found["colors"]) if "colors" in found else None,
        sensors=None if sensors is None else np.broadcast_to(sensors, (count, 3)).astype(np.float64),
    )


def opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:  # OSError: offsets before the file's beginning
        reason = " ".join(str(error).split())[:80]
        raise InputError(path, f"its archive is truncated or damaged ({reason})", "fetch or store it again") from None


def _entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of a cloud by name."""
    listed = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
    names = [entry.filename.removesuffix(".npy") for entry in listed]
    if {"pos", "neg"} <= set(names):
        fault = "holds DeepSDF's samples (pos and neg: points in space with their distances), not points on a surface"
        raise InputError(path, fault, "give a mesh or a cloud")
    for name in NAMES:
        if names.count(name) > 1:
            raise InputError(path, f"has {names.count(name)} arrays called `{name}`", STORE)
    if "points" not in names:
        raise InputError(path, f"has no array `points`, only {', '.join(sorted(names))[:100] or 'nothing'}", STORE)
    return {name: entry for name, entry in zip(names, listed, strict=True) if name in NAMES}


def _check_points(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """How many points; InputError if they are none, or unpack to more than a machine should be asked to hold."""
    size, packed = entry.file_size, max(entry.compress_size, 1)
    if size > MAX_BYTES or (size > SOLID and size > RATIO * packed):
        fault = f"its array `points` unpacks from {packed:,} to {size:,} bytes"
        raise InputError(path, fault, "store it without repeated points")
    shape = shape_of(path, archive, entry)
    if len(shape) != 2 or shape[1] != 3:
        raise InputError(path, f"its array `points` has the shape {shape}", STORE)
    return shape[0]


def shape_of(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[int, ...]:
    """What the array's header says, if it is about plain numbers and as long as the array."""
    name = entry.filename.removesuffix(".npy")
    with archive.open(entry) as file:
        try:
            shape, kind = _npy_header(file)
            at = file.tell()
        except Exception as error:  # numpy parses the header as Python source: errors of many kinds
            reason = " ".join(str(error).split())[:80] or type(error).__name__
            raise InputError(path, f"its array `{name}` has a damaged header ({reason})", STORE) from None
    if kind.hasobject:
        fault = f"its array `{name}` holds objects, which only running code could read"
        raise InputError(path, fault, f"{STORE}, as plain numbers")
    if kind.kind not in "fiu":
        raise InputError(path, f"its array `{name}` holds no numbers but {kind}", STORE)
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != entry.file_size - at:
        fault = f"its array `{name}` should have the shape {shape}, and {entry.file_size - at} bytes follow"
        raise InputError(path, fault, STORE)
    return shape


def _npy_header(file: IO[bytes] | zipfile.ZipExtFile) -> tuple[tuple[int, ...], np.dtype]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in readers:
        raise ValueError(f"format version {version[0]}.{version[1]}")
    shape, _, kind = readers[version](file)
    return shape, kind


def array_of(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    try:
        with archive.open(entry) as file:
            return npy.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        name, reason = entry.filename.removesuffix(".npy"), " ".join(str(error).split())[:80]
        raise InputError(path, f"its array `{name}` is damaged ({reason})", STORE) from None
