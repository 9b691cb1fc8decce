"""Points on a ball in every format, byte by byte, so that a case can spoil any of them."""

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

COUNT = 300
CENTER = np.array([1.0, 2.0, 3.0])


def _directions() -> np.ndarray:
    """Evenly on the unit sphere, by the golden angle."""
    k = np.arange(COUNT) + 0.5
    z, turn = 1 - 2 * k / COUNT, k * np.pi * (3 - np.sqrt(5))
    return np.stack([np.cos(turn) * np.sqrt(1 - z**2), np.sin(turn) * np.sqrt(1 - z**2), z], 1)


NORMALS = np.round(_directions(), 4)
BALL = np.round(CENTER + 2 * _directions(), 4)
COLORS = np.stack([np.arange(COUNT) % 256, np.full(COUNT, 200), np.zeros(COUNT, int)], 1)
Rows = Sequence[Sequence[object]] | np.ndarray


def lines(*tables: Rows, separator: str = " ", end: str = "\n") -> str:
    """Tables side by side, as text."""
    rows = [[value for part in row for value in part] for row in zip(*tables, strict=True)]
    return "".join(separator.join(str(value) for value in row) + end for row in rows)


def replaced(row: int, column: int, value: object, table: np.ndarray = BALL) -> list[list[object]]:
    """The ball's points, one number replaced."""
    rows = table.tolist()
    rows[row][column] = value
    return rows


def ply_head(encoding: str = "ascii", count: object = COUNT, columns: str = "float x float y float z") -> str:
    words = columns.split()
    properties = "".join(f"property {kind} {name}\n" for kind, name in zip(words[::2], words[1::2], strict=True))
    return f"ply\nformat {encoding} 1.0\nelement vertex {count}\n{properties}end_header\n"


def ply_points(points: Rows = BALL) -> str:
    return ply_head(count=len(points)) + lines(points)


def ply_binary_points(points: np.ndarray = BALL, order: str = "<", kind: str = "f4") -> bytes:
    encoding = "binary_little_endian" if order == "<" else "binary_big_endian"
    name = {"f4": "float", "f8": "double", "i4": "int"}[kind]
    head = ply_head(encoding, len(points), f"{name} x {name} y {name} z")
    return head.encode() + points.astype(order + kind).tobytes()


def pcd_head(data: str = "ascii", **entries: object) -> str:
    words = {
        "VERSION": "0.7", "FIELDS": "x y z", "SIZE": "4 4 4", "TYPE": "F F F", "COUNT": "1 1 1", "WIDTH": COUNT,
        "HEIGHT": 1, "VIEWPOINT": "0 0 0 1 0 0 0", "POINTS": COUNT, "DATA": data,
    }  # fmt: skip
    return "# .PCD\n" + "".join(f"{key} {value}\n" for key, value in (words | entries).items() if value is not None)


def pcd(points: Rows = BALL, **entries: object) -> str:
    return pcd_head(**entries) + lines(points)


def pcd_binary(points: np.ndarray = BALL, **entries: object) -> bytes:
    return pcd_head("binary", **entries).encode() + points.astype("<f4").tobytes()


def pcd_compressed(packed: bytes | None = None, sizes: tuple[int, int] | None = None) -> bytes:
    """Literal runs alone, unless the packed bytes are given."""
    raw = BALL.T.astype("<f4").tobytes()
    runs = (raw[at : at + 32] for at in range(0, len(raw), 32))
    packed = b"".join(bytes([len(run) - 1]) + run for run in runs) if packed is None else packed
    return pcd_head("binary_compressed").encode() + struct.pack("<II", *(sizes or (len(packed), len(raw)))) + packed


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def npy_head(header: str, body: bytes = b"") -> bytes:
    """An array file with whatever header."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + body


def npz(files: Mapping[str, bytes | np.ndarray], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive; arrays are written under NAME.npy."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else npy(content)
            entry = zipfile.ZipInfo(name if isinstance(content, bytes) else f"{name}.npy")
            archive.writestr(entry, data, packing, 9)
    return stream.getvalue()


def las(points: np.ndarray = BALL, point_format: int = 2, *, version: int = 2, **changes: object) -> bytes:
    """Coordinates in ten-thousandths, colours where the format has them; `changes`: of its header."""
    length = {0: 20, 1: 28, 2: 26, 3: 34, 6: 30, 7: 36}[point_format]
    colored = {2: 20, 3: 28, 7: 30}.get(point_format)
    rows = np.zeros(len(points), np.dtype((np.void, length)))
    body = rows.view(np.uint8).reshape(len(points), length)
    body[:, :12] = np.rint(points * 1e4).astype("<i4").view(np.uint8).reshape(len(points), 12)
    if colored is not None:
        body[:, colored : colored + 6] = (COLORS * 257).astype("<u2").view(np.uint8).reshape(-1, 6)[: len(points)]
    size = 227 if version < 3 else 235 if version == 3 else 375
    head = {
        "magic": b"LASF", "version": version, "header_size": size, "offset": size, "records": 0,
        "point_format": point_format, "length": length, "count": len(points), "scale": 1e-4, "origin": 0.0,
    } | changes  # fmt: skip
    count = head["count"] if version < 4 else 0
    box = np.stack([points.max(0), points.min(0)], 1).reshape(-1).tolist() if len(points) else [0.0] * 6
    data = struct.pack(
        "<4sHH16sBB64xHHHIIBHI20x6d6d", head["magic"], 0, 0, bytes(16), 1, version, 1, 2026, head["header_size"],
        head["offset"], head["records"], head["point_format"], head["length"], count,
        *[head["scale"]] * 3, *[head["origin"]] * 3, *box,
    )  # fmt: skip
    if version >= 3:
        data += bytes(8)
    if version >= 4:
        data += struct.pack("<QIQ", 0, 0, head["count"]) + bytes(120)
    return data + body.tobytes()
