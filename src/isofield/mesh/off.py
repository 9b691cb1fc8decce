"""Object File Format (.off), with the vertex colours of COFF."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from isofield.errors import InputError
from isofield.mesh.parts import Part
from isofield.mesh.polygons import triangulate
from isofield.mesh.text import bad_line, decoded, floats, integers

Row = tuple[int, list[str]]  # number of the line, its words


def read_off(path: Path) -> list[Part]:
    """One part; polygons as triangles, colours of COFF vertices in [0, 1]; face colours are passed over."""
    numbered = enumerate(decoded(path).splitlines(), 1)
    rows = [(number, words) for number, line in numbered if (words := line.partition("#")[0].split())]
    keyword = rows[0][1].pop(0) if rows and not rows[0][1][0].lstrip("-").isdigit() else "OFF"
    if keyword not in ("OFF", "COFF", "NOFF", "CNOFF"):
        raise InputError(path, f"begins with {keyword[:20]!r} instead of OFF", "check the file's extension")
    rows = rows if rows and rows[0][1] else rows[1:]
    if not rows:
        raise InputError(path, "truncated: it has no counts of vertices and faces", "fetch or export it again")
    vertices, faces = _row(path, rows[0], integers, 2)[:2]
    if vertices < 0 or faces < 0 or len(rows) < 1 + vertices + faces:
        fault = f"truncated: it promises {vertices} vertices and {faces} faces and has {len(rows) - 1} lines for them"
        raise InputError(path, fault, "fetch or export it again")
    width = 3 + 3 * ("N" in keyword)
    points = [_row(path, row, floats, width) for row in rows[1 : 1 + vertices]]
    least = min(map(len, points), default=3)
    table = np.array([row[:least] for row in points], np.float64).reshape(-1, least)
    sizes, corners = _polygons(path, rows[1 + vertices : 1 + vertices + faces], vertices)
    part = Part(table[:, :3], corners[triangulate(table[corners, :3], sizes)], dropped=int((sizes < 3).sum()))
    colors = table[:, 6 if "N" in keyword else 3 :][:, :3] if keyword.startswith("C") else table[:, :0]
    if colors.shape[1] == 3:
        part.colors = np.clip(colors / (255 if colors.max() > 1.001 else 1), 0, 1)
    return [part]


def _polygons(path: Path, rows: list[Row], vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of each face, and all of them in a row."""
    sizes, corners = [], []
    for row in rows:
        number, words = row
        size = _row(path, (number, words[:1]), integers, 1)[0]
        if size < 1:
            raise bad_line(path, number, " ".join(words), f"a face cannot have {size} corners")
        face = _row(path, (number, words[1 : 1 + size]), integers, size)
        wrong = next((index for index in face if not 0 <= index < vertices), None)
        if wrong is not None:
            raise bad_line(path, number, " ".join(words), f"uses vertex {wrong} of {vertices} (counted from 0)")
        sizes.append(size)
        corners += face
    return np.array(sizes, np.int64), np.array(corners, np.int64)


def _row(path: Path, row: Row, convert: Callable[[list[str]], list], least: int) -> list:
    number, words = row
    try:
        values = convert(words)
        if len(values) < least:
            raise ValueError(f"has {len(values)} numbers instead of {least}")
    except ValueError as error:
        raise bad_line(path, number, " ".join(words), error) from None
    return values
