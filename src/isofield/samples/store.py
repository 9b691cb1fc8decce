"""A store of samples: one safetensors file per shape, read a run of rows at a time, and a manifest.

STORE/manifest.json         settings, and of each shape its file, sha256, label, source, frame and number of samples
STORE/SHAPE.safetensors     float32 points (n, 3), sdf (n,), and where known closest, normals, directions (n, 3); uint8
                            colors (n, 3). In the shape's unit frame, in random order: any run of rows is a fair draw
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from isofield.errors import InputError
from isofield.files import check_plain, read_json, replacing
from isofield.frame import UnitFrame
from isofield.mesh.sample import SdfSamples

FORMAT = 1
MANIFEST, SUFFIX = "manifest.json", ".safetensors"
COLUMNS = ("points", "sdf", "closest", "normals", "colors", "directions")
OPEN_FILES = 256  # kept open, so that a store of any size can be read
_ABOUT = "isofield"

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Shape:
    """What the manifest says of one shape; signed: whether its distances tell inside from outside."""

    name: str
    path: Path
    count: int
    columns: tuple[str, ...]
    frame: UnitFrame
    label: str | None
    source: str
    signed: bool = True


def columns_of(samples: SdfSamples) -> dict[str, np.ndarray]:
    """The arrays of some samples as a store holds them."""
    found = {name: getattr(samples, name) for name in COLUMNS if getattr(samples, name) is not None}
    if "colors" in found:
        found["colors"] = np.round(found["colors"] * 255).astype(np.uint8)
    return found


def write_shape(path: Path, columns: Columns, about: dict[str, Any]) -> None:
    """Write the samples of one shape, whole or not at all, with JSON about it in the header."""
    arrays = {name: np.ascontiguousarray(columns[name]) for name in COLUMNS if name in columns}
    content = save(arrays, {_ABOUT: json.dumps({"format": FORMAT, **about}, allow_nan=False)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_about(path: Path) -> dict[str, Any]:
    """What `write_shape` stored about a shape; its `columns` and `count` too. Raises InputError."""
    file = _opened(path)
    try:
        about = json.loads((file.metadata() or {})[_ABOUT])
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (KeyError, ValueError):
        raise InputError(path, "holds no samples of isofield", "make the store again") from None
    if about.get("format") != FORMAT:
        raise InputError(path, f"has format {about.get('format')!r}, this isofield reads {FORMAT}", "sample again")
    count = shapes.get("sdf", (0,))[0]
    wrong = [name for name, shape in shapes.items() if shape != ((count,) if name == "sdf" else (count, 3))]
    if wrong or not count or "points" not in shapes:
        raise InputError(path, f"holds no whole samples ({wrong or 'none'})", "sample again")
    return {**about, "columns": [name for name in COLUMNS if name in shapes], "count": count}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All columns of one shape's file. Raises InputError, for numbers that are not finite too."""
    about, file = read_about(path), _opened(path)
    arrays = {name: file.get_tensor(name) for name in about["columns"]}
    if bad := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise InputError(path, f"has {bad[0]} that are not finite numbers", "sample again")
    return arrays


class SampleStore:
    """The shapes of a store; nothing of a file is read before its rows are asked for."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.shapes = _shapes(self.folder)

    def __len__(self) -> int:
        return len(self.shapes)

    def rows(self, shape: int, start: int, count: int) -> dict[str, np.ndarray]:
        """Samples start .. start + count of one shape, as they are stored; fewer at its end."""
        asked = self.shapes[shape]
        file, stop = _opened(asked.path), min(start + count, asked.count)
        return {name: file.get_slice(name)[start:stop] for name in asked.columns}


def _shapes(folder: Path) -> list[Shape]:
    path = folder / MANIFEST
    if not path.exists():
        raise InputError(folder, "holds no samples", "make some with `isofield sample MESHES -o STORE`")
    content = read_json(path)
    try:
        if content["format"] != FORMAT:
            raise InputError(path, f"has format {content['format']!r}, this isofield reads {FORMAT}", "sample again")
        shapes = [_shape(folder, entry) for entry in content["shapes"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"is no manifest of samples ({error!r:.60})", "sample again") from None
    if not shapes:
        raise InputError(path, "lists no shape", "sample some meshes first")
    return shapes


def _shape(folder: Path, entry: dict[str, Any]) -> Shape:
    if Path(entry["file"]).suffix != SUFFIX:
        raise InputError(folder, "holds DeepSDF's files, which are not memory-mapped", "sample them into a store first")
    return Shape(
        entry["name"], folder / Path(entry["file"]).name, int(entry["count"]), tuple(entry["columns"]),
        UnitFrame.from_json(entry["frame"]), entry["label"], entry["source"],
        bool(entry.get("signed", True)),
    )  # fmt: skip


@lru_cache(OPEN_FILES)
def _opened_as(path: Path, stamp: tuple[int, int]) -> Any:
    try:
        return safe_open(path, "numpy")
    except (SafetensorError, OSError) as error:
        raise InputError(path, f"is damaged ({' '.join(str(error).split())[:80]})", "sample it again") from None


def _opened(path: Path) -> Any:
    """The file, opened once for as long as it stays the same; memory-mapped by the library."""
    check_plain(path)
    known = path.stat()
    return _opened_as(path, (known.st_mtime_ns, known.st_size))
