"""Point Cloud Library's .pcd: ascii, binary and binary_compressed."""

import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from isofield.cloud.cloud import Cloud
from isofield.cloud.columns import cloud_of_columns
from isofield.cloud.text import number_table
from isofield.errors import InputError
from isofield.mesh.text import integers

MAX_HEADER = 1 << 16
KNOWN = ("VERSION", "FIELDS", "COLUMNS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS", "DATA")
KINDS = ("F4", "F8", "I1", "I2", "I4", "I8", "U1", "U2", "U4", "U8")
EXPORT_AGAIN = "fetch or export it again"


@dataclass(frozen=True)
class _Header:
    """layout: one point as stored; viewpoint: where the sensor stood; body: byte and lines before the data."""

    layout: np.dtype
    points: int
    viewpoint: tuple[float, float, float]
    encoding: str
    body: int
    lines: int


def read_pcd(path: Path) -> Cloud:
    """All points with their normals, colours (packed or apart) and the sensor.

    A viewpoint at the origin is what writers put where they know of none, so it counts as not known.
    """
    data = path.read_bytes()
    header = _header(path, data)
    body = data[header.body :]
    if header.encoding == "ascii":
        table = _ascii(path, header, body)
    else:
        table = _binary(path, header, body) if header.encoding == "binary" else _compressed(path, header, body)
    columns = {name: table[name] for name in table.dtype.names or () if table[name].ndim == 1}
    cloud = cloud_of_columns(path, columns | _unpacked(columns))
    if any(header.viewpoint) and cloud.sensors is None:
        cloud = replace(cloud, sensors=np.tile(header.viewpoint, (len(cloud), 1)).astype(np.float64))
    return cloud


def lzf_decompress(data: bytes, size: int) -> bytes:
    """Marc Lehmann's LZF: literal runs of up to 32 bytes, and copies of 3 to 264 bytes from up to 8192 bytes back.

    Raises ValueError unless exactly `size` bytes come out.
    """
    out, at = bytearray(), 0
    while at < len(data) and len(out) <= size:
        control, at = data[at], at + 1
        if control < 32:
            out += data[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            length, at = 7 + data[at], at + 1
        start, at = len(out) - ((control & 31) << 8) - data[at] - 1, at + 1
        if start < 0:
            raise ValueError("a copy reaches before the beginning")
        length += 2
        piece = out[start : start + length]
        out += (piece * (length // len(piece) + 1))[:length]
    if len(out) != size:
        raise ValueError(f"{len(out)} bytes come out instead of {size}")
    return bytes(out)


def _header(path: Path, data: bytes) -> _Header:
    entries: dict[str, list[str]] = {}
    lines = data[:MAX_HEADER].split(b"\n")
    body = 0
    for number, raw in enumerate(lines, 1):
        body += len(raw) + 1
        words = raw.decode("ascii", "replace").split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] not in KNOWN:
            raise InputError(f"{path}, line {number}", f"unknown header entry {words[0][:30]!r}", "export it again")
        entries[words[0]] = words[1:]
        if words[0] == "DATA":
            return _parsed(path, entries, body, number)
    raise InputError(path, "has no complete PCD header (no DATA line)", EXPORT_AGAIN)


def _parsed(path: Path, entries: dict[str, list[str]], body: int, lines: int) -> _Header:
    try:
        names = entries.get("FIELDS") or entries["COLUMNS"]
        kinds = [kind + size for kind, size in zip(entries["TYPE"], entries["SIZE"], strict=True)]
        counts = [int(word) for word in entries.get("COUNT", ["1"] * len(names))]
        viewpoint = [float(word) for word in entries.get("VIEWPOINT", ["0"] * 7)]
        width, height = integers([entries["WIDTH"][0], entries["HEIGHT"][0]])
        area = width * height
        points = integers(entries["POINTS"][:1])[0] if "POINTS" in entries else area
        layout = _layout(names, kinds, counts)
        x, y, z = viewpoint[:3]
        encoding = entries["DATA"][0]
    except (KeyError, ValueError, IndexError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(path, f"its PCD header cannot be read ({reason})", EXPORT_AGAIN) from None
    if points != area or width < 0 or height < 0:
        raise InputError(path, f"its header promises {points} points in {area} places", EXPORT_AGAIN)
    if encoding not in ("ascii", "binary", "binary_compressed"):
        raise InputError(path, f"unknown PCD data {encoding!r}", "export it as binary")
    return _Header(layout, points, (x, y, z), encoding, body, lines)


def _layout(names: list[str], kinds: list[str], counts: list[int]) -> np.dtype:
    """One point: lower-case names, padding and second fields of one name renamed."""
    columns: list[tuple] = []
    for k, (name, kind, count) in enumerate(zip(names, kinds, counts, strict=True)):
        if kind not in KINDS or not 1 <= count <= 1 << 16:
            raise ValueError(f"field {name} of type {kind} and count {count}")
        taken = name == "_" or name.lower() in (column[0] for column in columns)
        columns.append((f"_{k}" if taken else name.lower(), f"<{kind.lower()}", *([(count,)] if count > 1 else [])))
    return np.dtype(columns)


def _ascii(path: Path, header: _Header, body: bytes) -> np.ndarray:
    lines = enumerate(body.decode("ascii", "replace").splitlines(), header.lines + 1)
    rows = [(number, line) for number, line in lines if line.strip()]
    _check_size(path, header, len(rows), 1, "lines")
    scalars = [(name, *_shape(header.layout[name])) for name in header.layout.names or ()]
    numbers = number_table(path, rows, sum(width for *_, width in scalars))
    table, column = np.zeros(len(rows), header.layout), 0
    for name, kind, width in scalars:
        if width == 1:
            values = numbers[:, column]
            table[name] = _whole(path, rows, name, values, kind) if kind.kind in "iu" else values
        column += width
    return table


def _whole(path: Path, rows: list[tuple[int, str]], name: str, values: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Numbers of text for a column of integers, of absent points 0; InputError for those that do not fit."""
    values, limits = np.where(np.isfinite(values), values, 0), np.iinfo(kind)
    wrong = (values < limits.min) | (values > limits.max)
    if wrong.any():
        line = rows[int(np.argmax(wrong))][0]
        raise InputError(f"{path}, line {line}", f"its {name} is no {kind.name}", "mend or drop the line")
    return values


def _shape(kind: np.dtype) -> tuple[np.dtype, int]:
    return kind.base, kind.shape[0] if kind.shape else 1


def _binary(path: Path, header: _Header, body: bytes) -> np.ndarray:
    _check_size(path, header, len(body), header.layout.itemsize, "bytes")
    return np.frombuffer(body, header.layout, header.points)


def _compressed(path: Path, header: _Header, body: bytes) -> np.ndarray:
    """Two sizes, then LZF data in which every field stands together for all points."""
    size = header.points * header.layout.itemsize
    packed, unpacked = struct.unpack_from("<II", body) if len(body) >= 8 else (0, 0)
    if len(body) < 8 + packed or unpacked != size or size > 88 * packed:
        fault = f"promises {size} bytes of points, {unpacked} of them compressed to {packed}, and {len(body)} follow"
        raise InputError(path, fault, EXPORT_AGAIN)
    try:
        data = lzf_decompress(body[8 : 8 + packed], size)
    except (ValueError, IndexError) as error:
        raise InputError(path, f"its compressed data are damaged ({error})", EXPORT_AGAIN) from None
    table, start = np.empty(header.points, header.layout), 0
    for name in header.layout.names or ():
        end = start + header.points * header.layout[name].itemsize
        table[name] = np.frombuffer(data[start:end], header.layout[name])
        start = end
    return table


def _check_size(path: Path, header: _Header, held: int, each: int, unit: str) -> None:
    needed = header.points * each
    if held < needed:
        fault = f"truncated: its header promises {header.points} points, {needed} {unit}, and {held} follow"
        raise InputError(path, fault, EXPORT_AGAIN)
    if held >= needed + max(each, 2):
        fault = f"its header promises {header.points} points, {needed} {unit}, and {held} follow"
        raise InputError(path, fault, EXPORT_AGAIN)


def _unpacked(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`rgb` or `rgba`: one number of four bytes, 0xAARRGGBB, often declared as a float."""
    packed = columns.get("rgb", columns.get("rgba"))
    if packed is None or packed.dtype.itemsize != 4:
        return {}
    bits = np.ascontiguousarray(packed).view(np.uint32)
    return {name: (bits >> shift & 255).astype(np.uint8) for name, shift in (("red", 16), ("green", 8), ("blue", 0))}
