"""Wavefront .obj with its .mtl, read strictly: every index is checked and errors name the line."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.color import UNPAINTED
from isofield.mesh.parts import Part


@dataclass
class _Document:
    """vertices: coordinates, then colours; corners: unique (vertex, uv) pairs; groups: triangles by material."""

    vertices: list[list[float]] = field(default_factory=list)
    uv: list[tuple[float, float]] = field(default_factory=list)
    corners: dict[tuple[int, int], int] = field(default_factory=dict)
    groups: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)


def read_obj(path: Path) -> list[Part]:
    """One part per material, polygons as fans, `v x y z r g b` as colours; a cloud is one part without faces."""
    document = _parse(path)
    if not document.vertices:
        return []
    table = np.array([row[:3] for row in document.vertices], np.float64)
    colors = _colors(document.vertices)
    materials = {name: value for library in document.libraries for name, value in _read_mtl(path, library).items()}
    pairs = np.array(list(document.corners), np.int64).reshape(-1, 2)
    order = np.lexsort(pairs.T[::-1])  # vertices in the file's order, whatever the order of the faces
    rank = np.argsort(order)
    pairs = pairs[order]
    uv = np.array([*document.uv, (0.0, 0.0)])
    parts = []
    for name, triangles in document.groups.items():
        used, faces = np.unique(rank[np.array(triangles, np.int64)], return_inverse=True)
        vertex, texel = pairs[used].T
        image, diffuse = materials.get(name, (None, None))
        part = Part(
            table[vertex], faces.reshape(-1, 3), diffuse=diffuse, colors=None if colors is None else colors[vertex]
        )
        if image is not None and (texel >= 0).any():
            part.uv, part.image, part.diffuse = uv[texel], image, None
        parts.append(part)
    return parts or [Part(table, np.zeros((0, 3), np.int64))]


def _parse(path: Path) -> _Document:
    document = _Document()
    triangles: list[tuple[int, int, int]] = document.groups.setdefault("", [])
    tokens: dict[str, int] = {}
    for number, line in enumerate(_lines(path), 1):
        words = line.split()
        key = words[0] if words else ""
        words = line.partition("#")[0].split() if "#" in line and key in ("v", "vt", "f") else words
        try:
            if key == "v":
                document.vertices.append([float(word) for word in words[1:]])
                if len(words) < 4:
                    raise ValueError("fewer than three coordinates")
            elif key == "vt":
                document.uv.append((float(words[1]), float(words[2]) if len(words) > 2 else 0.0))
            elif key == "f":
                ids = [_corner(document, tokens, word) for word in words[1:]]
                triangles.extend((ids[0], ids[k], ids[k + 1]) for k in range(1, len(ids) - 1))
            elif key == "usemtl":
                triangles = document.groups.setdefault(" ".join(words[1:]), [])
            elif key == "mtllib":
                document.libraries.append(line.split(None, 1)[1].strip())
        except (ValueError, IndexError) as error:
            raise InputError(
                f"{path}, line {number}", f"{line.strip()[:60]!r}: {error}", "mend or drop the line"
            ) from None
    document.groups = {name: group for name, group in document.groups.items() if group}
    _check_corners(path, document)
    return document


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        raise InputError(path, "is binary data, not Wavefront text", "check the file's extension")
    return data.decode("utf-8", "replace").replace("\\\r\n", " ").replace("\\\n", " ").splitlines()


def _corner(document: _Document, tokens: dict[str, int], token: str) -> int:
    """Number of the corner "v/vt/vn"; negative indices count back from the latest line."""
    if token in tokens:
        return tokens[token]
    v, vt, *_ = [*token.split("/"), "", ""]
    pair = (_absolute(v, len(document.vertices)), _absolute(vt, len(document.uv)) if vt else -1)
    number = document.corners.setdefault(pair, len(document.corners))
    if "-" not in token:
        tokens[token] = number
    return number


def _absolute(text: str, count: int) -> int:
    index = int(text)
    if index == 0 or index < -count:
        raise ValueError(f"index {index} does not exist")
    return index - 1 if index > 0 else count + index


def _check_corners(path: Path, document: _Document) -> None:
    if not document.corners:
        return
    vertex, texel = np.array(list(document.corners)).max(0)
    if vertex >= len(document.vertices):
        raise InputError(
            path, f"a face uses vertex {vertex + 1} of {len(document.vertices)}", "the file is cut or damaged"
        )
    if texel >= len(document.uv):
        raise InputError(
            path, f"a face uses texture point {texel + 1} of {len(document.uv)}", "the file is cut or damaged"
        )


def _colors(rows: list[list[float]]) -> np.ndarray | None:
    """`v x y z r g b` of every vertex, in [0, 1], damaged ones grey; None unless all vertices have one."""
    if any(len(row) < 6 for row in rows):
        return None
    colors = np.array([row[3:6] for row in rows], np.float64)
    top = np.nanmax(np.where(np.isfinite(colors), colors, 0))
    return np.clip(np.where(np.isfinite(colors), colors / (255 if top > 1.001 else 1), UNPAINTED), 0, 1)


def _read_mtl(path: Path, name: str) -> dict[str, tuple[Image.Image | None, np.ndarray | None]]:
    """Material name -> (picture or None, sRGB diffuse or None); files that are missing leave the part uncoloured."""
    library = _beside(path, name)
    if library is None:
        return {}
    images: dict[str, str] = {}
    diffuse: dict[str, np.ndarray | None] = {}
    current = ""
    for line in library.read_text("utf-8", "replace").splitlines():
        words = line.split()
        key = words[0].lower() if words else ""
        if key == "newmtl":
            current = " ".join(words[1:])
            diffuse[current] = None
        elif key == "kd" and len(words) >= 4:
            diffuse[current] = np.clip(np.array(words[1:4], float), 0, 1)
        elif key == "map_kd":
            images[current] = line.split(None, 1)[1].strip()
    return {material: (_picture(path, images.get(material)), color) for material, color in diffuse.items()}


def _picture(path: Path, name: str | None) -> Image.Image | None:
    file = _beside(path, name) or _beside(path, name.split()[-1]) if name else None
    return Image.open(file).convert("RGB") if file else None


def _beside(path: Path, name: str) -> Path | None:
    """The named file, if it lies in the folder of the .obj or below."""
    folder = path.parent.resolve()
    file = (folder / name.replace("\\", "/")).resolve()
    return file if file.is_relative_to(folder) and file.is_file() else None
