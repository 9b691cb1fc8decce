"""DeepSDF's .npz: the samples outside (`pos`) and inside (`neg`), a row each.

Columns: x y z distance; and in the layout with colour also r g b (sRGB in [0, 1]) theta phi: the view direction, from
the camera to the point, with theta from +y (up) and phi from +z (front) towards +x, in radians.
"""

import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from isofield.cloud.npz import MAX_BYTES, array_of, opened, shape_of
from isofield.errors import InputError
from isofield.files import replacing
from isofield.samples.store import Columns

NAMES = ("pos", "neg")
WIDTHS = (4, 7, 9)  # x y z distance; and r g b; and theta phi
REMEDY = "store two arrays `pos` and `neg` of rows x y z distance [r g b [theta phi]]"


def write_npz(path: Path, columns: Columns) -> None:
    """Write samples as DeepSDF's archive, with colours and view angles where both are known."""
    rows = [columns["points"], columns["sdf"][:, None]]
    if "colors" in columns:
        rows.append(columns["colors"] / np.float32(255))
        if "directions" in columns:
            rows.append(angles_of(columns["directions"]))
    table = np.concatenate(rows, axis=1).astype(np.float32)
    inside = columns["sdf"] < 0
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, pos=table[~inside], neg=table[inside])


def read_npz(path: Path, seed: int = 0) -> dict[str, np.ndarray]:
    """The columns of a store, in random order, the same for the same seed; rows with NaN are left out, as DeepSDF does.

    Raises InputError for anything but two arrays of numbers.
    """
    parts = _arrays(path)
    width = parts[0].shape[1]
    table = np.concatenate([part.reshape(-1, width) for part in parts]).astype(np.float32)
    table = table[np.isfinite(table).all(1)]
    if not len(table):
        raise InputError(path, "has no row of numbers", REMEDY)
    table = np.random.default_rng(seed).permutation(table)
    columns = {"points": table[:, :3], "sdf": table[:, 3]}
    if width >= 7:
        columns["colors"] = np.round(table[:, 4:7].clip(0, 1) * 255).astype(np.uint8)
    if width >= 9:
        columns["directions"] = directions_of(table[:, 7:9])
    return columns


def _arrays(path: Path) -> list[np.ndarray]:
    """`pos` and `neg`, each (n, width); what they claim to be is compared with what is there before they are read."""
    if not zipfile.is_zipfile(path):
        raise InputError(path, "is no .npz archive", REMEDY)
    with opened(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if missing := [name for name in NAMES if f"{name}.npy" not in entries]:
            raise InputError(path, f"has no array `{missing[0]}`, only {', '.join(entries)[:80]}", REMEDY)
        found = [entries[f"{name}.npy"] for name in NAMES]
        shapes = [shape_of(path, archive, entry) for entry in found]
        if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1] or shapes[0][1] not in WIDTHS:
            raise InputError(path, f"its arrays have the shapes {shapes[0]} and {shapes[1]}", REMEDY)
        if max(entry.file_size for entry in found) > MAX_BYTES:
            raise InputError(path, "unpacks to more than a machine should be asked to hold", "store fewer samples")
        return [array_of(path, archive, entry) for entry in found]


def angles_of(directions: Num[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    """theta = arccos y, phi = atan2(x, z) of unit vectors."""
    x, y, z = np.asarray(directions, np.float64).T
    return np.stack([np.arccos(y.clip(-1, 1)), np.arctan2(x, z)], 1)


def directions_of(angles: Num[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """The inverse of `angles_of`, float32."""
    theta, phi = np.asarray(angles, np.float64).T
    return np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], 1).astype(np.float32)
