"""Points in a .npz archive of plain arrays."""

import zipfile
from pathlib import Path

import numpy as np

from isofield.cloud.cloud import Cloud
from isofield.cloud.columns import color_bytes
from isofield.errors import InputError

MAX_BYTES = 4 << 30  # of one array, unpacked
KEYS = "points (n,3), and where known normals (n,3), colors (n,3), sensors (n,3) or (3,)"


def read_npz(path: Path) -> Cloud:
    """The arrays `points`, `normals`, `colors`, `sensors`; never executes what a file says (no pickles)."""
    _check_archive(path)
    with np.load(path, allow_pickle=False) as archive:
        names = set(archive.files)
        if {"pos", "neg"} <= names:
            fault = (
                "holds DeepSDF's samples (pos and neg: points in space with their distances), not points on a surface"
            )
            raise InputError(path, fault, "give a mesh or a cloud")
        if "points" not in names:
            fault = f"has no array `points`, only {', '.join(sorted(names))[:100] or 'nothing'}"
            raise InputError(path, fault, f"store {KEYS}")
        points = _array(path, archive, "points")
        found = {name: _array(path, archive, name) for name in ("normals", "colors", "sensors") if name in names}
    if "sensors" in found and found["sensors"].shape == (3,):
        found["sensors"] = np.tile(found["sensors"], (len(points), 1))
    for name, values in {"points": points, **found}.items():
        if values.shape != (len(points), 3):
            raise InputError(path, f"its array `{name}` has the shape {values.shape}", f"store {KEYS}")
    return Cloud(
        points.astype(np.float64),
        normals=found["normals"].astype(np.float64) if "normals" in found else None,
        colors=color_bytes(path, found["colors"]) if "colors" in found else None,
        sensors=found["sensors"].astype(np.float64) if "sensors" in found else None,
    )


def _check_archive(path: Path) -> None:
    """Refuse what is no archive, and arrays that unpack to more than a machine should be asked to hold."""
    with path.open("rb") as file:
        begins = file.read(2)
    if begins != b"PK" or not zipfile.is_zipfile(path):
        raise InputError(path, "is no .npz archive", "store it with numpy.savez")
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size, default=None)
    if largest is not None and largest.file_size > MAX_BYTES:
        fault = f"its array {largest.filename} unpacks to {largest.file_size:,} bytes"
        raise InputError(path, fault, "thin the cloud first")


def _array(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        values = archive[name]
    except ValueError as error:
        reason = "holds objects, which only running code could read" if "pickle" in str(error) else str(error)[:100]
        raise InputError(path, f"its array `{name}` {reason}", f"store {KEYS} as plain numbers") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(path, f"its array `{name}` holds no numbers", f"store {KEYS}")
    return values
