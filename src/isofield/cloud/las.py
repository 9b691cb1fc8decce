"""Points of a .las file (ASPRS LAS 1.0 to 1.4), uncompressed: scaled coordinates and wide colours."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isofield.cloud.cloud import Cloud
from isofield.cloud.columns import color_bytes
from isofield.errors import InputError

SMALLEST_HEADER = 227
LENGTHS = (20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67)  # bytes of a record, by point format
COLORS = {2: 20, 3: 28, 5: 28, 7: 30, 8: 30, 10: 30}  # byte in the record where red, green and blue begin
COMPRESSED = 0b1100_0000  # bits of the point format that LAZ sets
EXPORT_AGAIN = "fetch or export it again"


@dataclass(frozen=True)
class _Header:
    """body: byte where the records begin; length: bytes of a record; scale, origin: of the stored whole numbers."""

    minor: int
    body: int
    point_format: int
    length: int
    count: int
    scale: np.ndarray
    origin: np.ndarray


def read_las(path: Path) -> Cloud:
    """All records; InputError if the header is damaged or promises more or fewer of them than follow."""
    data = path.read_bytes()
    header = _header(path, data)
    needed, held = header.count * header.length, len(data) - header.body
    if held < needed:
        fault = f"truncated: its header promises {header.count} points, {needed} bytes, and {max(held, 0)} follow"
        raise InputError(path, fault, EXPORT_AGAIN)
    if header.minor < 3 and held >= needed + header.length:  # later versions store more behind their points
        fault = f"its header promises {header.count} points, {needed} bytes, and {held} follow"
        raise InputError(path, fault, EXPORT_AGAIN)
    records = np.frombuffer(data, np.uint8, needed, header.body).reshape(header.count, header.length)
    points = _column(records, 0, "<i4") * header.scale + header.origin
    start = COLORS.get(header.point_format)
    colors = None if start is None else _column(records, start, "<u2")
    return Cloud(points, colors=color_bytes(path, colors) if colors is not None and colors.any() else None)


def is_compressed(path: Path) -> bool:
    """Whether the records are compressed (LAZ), whatever the file's extension."""
    with path.open("rb") as file:
        head = file.read(SMALLEST_HEADER)
    return head[:4] == b"LASF" and len(head) > 104 and bool(head[104] & COMPRESSED)


def _column(records: np.ndarray, start: int, kind: str) -> np.ndarray:
    """Three neighbouring numbers of every record."""
    size = 3 * np.dtype(kind).itemsize
    return np.ascontiguousarray(records[:, start : start + size]).view(kind)


def _header(path: Path, data: bytes) -> _Header:
    if data[:4] != b"LASF":
        raise InputError(path, "is no .las file (it does not begin with LASF)", "check the file's extension")
    if len(data) < SMALLEST_HEADER:
        raise InputError(path, f"truncated: its {len(data)} bytes are less than a header", EXPORT_AGAIN)
    major, minor = data[24], data[25]
    size, body = struct.unpack_from("<HI", data, 94)
    point_format, length, count = struct.unpack_from("<BHI", data, 104)
    numbers = np.array(struct.unpack_from("<6d", data, 131))
    if minor >= 4 and len(data) >= 255:
        count = struct.unpack_from("<Q", data, 247)[0] or count
    faults = {
        f"has version {major}.{minor}": major != 1 or minor > 4,
        f"has unknown point format {point_format}": point_format >= len(LENGTHS),
        f"its points begin at byte {body}, in its header": body < max(size, SMALLEST_HEADER),
        f"has points of an impossible length ({length} bytes)": length < LENGTHS[min(point_format, len(LENGTHS) - 1)],
        f"its scale is {numbers[:3].tolist()}": not np.isfinite(numbers[:3]).all() or not (numbers[:3] > 0).all(),
        f"its origin is {numbers[3:].tolist()}": not np.isfinite(numbers[3:]).all(),
    }
    for fault, found in faults.items():
        if found:
            raise InputError(path, fault, EXPORT_AGAIN)
    return _Header(minor, body, point_format, length, count, numbers[:3], numbers[3:])
