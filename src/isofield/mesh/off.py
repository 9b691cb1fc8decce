"""Object File Format (.off), with the vertex colours of COFF."""

from pathlib import Path

import numpy as np

from isofield.errors import InputError
from isofield.mesh.parts import Part


def read_off(path: Path) -> list[Part]:
    """One part; polygons as fans, colours of COFF vertices in [0, 1]; face colours are passed over."""
    lines = [line.split("#")[0].split() for line in path.read_text("utf-8", "replace").splitlines()]
    rows = [words for words in lines if words]
    keyword = rows[0].pop(0) if rows and not rows[0][0].lstrip("-").isdigit() else "OFF"
    if keyword not in ("OFF", "COFF", "NOFF", "CNOFF"):
        raise InputError(path, f"begins with {keyword[:20]!r} instead of OFF", "check the file's extension")
    rows = rows if rows[0] else rows[1:]
    vertices, faces = int(rows[0][0]), int(rows[0][1])
    if vertices < 0 or faces < 0 or len(rows) < 1 + vertices + faces:
        fault = f"truncated: it promises {vertices} vertices and {faces} faces and has {len(rows) - 1} lines for them"
        raise InputError(path, fault, "fetch or export it again")
    table = np.array([[float(word) for word in row] for row in rows[1 : 1 + vertices]], np.float64)
    part = Part(table[:, :3].reshape(-1, 3), _fans(path, rows[1 + vertices : 1 + vertices + faces]))
    colors = table[:, 6 if "N" in keyword else 3 :][:, :3] if keyword.startswith("C") else table[:, :0]
    if colors.shape[1] == 3:
        part.colors = np.clip(colors / (255 if colors.max() > 1.001 else 1), 0, 1)
    return [part]


def _fans(path: Path, rows: list[list[str]]) -> np.ndarray:
    triangles = []
    for row in rows:
        size = int(row[0])
        corners = [int(word) for word in row[1 : 1 + size]]
        if len(corners) < size:
            raise InputError(path, f"the face {' '.join(row)[:60]!r} lacks corners", "fetch or export it again")
        triangles += [(corners[0], corners[k], corners[k + 1]) for k in range(1, size - 1)]
    return np.array(triangles, np.int64).reshape(-1, 3)
