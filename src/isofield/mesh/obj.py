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
    materials, absent = _materials(path, document.libraries)
    pairs = np.array(list(document.corners), np.int64).reshape(-1, 2)
    order = np.lexsort(pairs.T[::-1])  # vertices in the file's order, whatever the order of the faces
    rank = np.argsort(order)
    pairs = pairs[order]
    uv = np.array([*document.uv, (0.0, 0.0)])
    parts = []
    for name, triangles in document.groups.items():
        used, faces = np.unique(rank[np.array(triangles, np.int64)], return_inverse=True)
        vertex, texel = pairs[used].T
        image, diffuse, missing = materials.get(name, (None, None, absent))
        part = Part(table[vertex], faces.reshape(-1, 3), diffuse=diffuse, missing=missing)
        part.colors = None if colors is None else colors[vertex]
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


Material = tuple[Image.Image | None, np.ndarray | None, str | None]  # picture, sRGB diffuse, file that is missing


def _materials(path: Path, libraries: list[str]) -> tuple[dict[str, Material], str | None]:
    """Materials by name of all libraries, and the name of a library that is missing."""
    found: dict[str, Material] = {}
    absent = None
    for name in libraries:
        library = _beside(path, name)
        if library is None:
            absent = name
        else:
            found |= _read_mtl(path, library)
    return found, absent


def _read_mtl(path: Path, library: Path) -> dict[str, Material]:
    """Materials by name; a picture that is missing leaves its part uncoloured."""
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
    found: dict[str, Material] = {}
    for material, color in diffuse.items():
        image, missing = _picture(path, images.get(material))
        found[material] = image, color, missing
    return found


def _picture(path: Path, name: str | None) -> tuple[Image.Image | None, str | None]:
    """(picture, None), or (None, its name) if it is missing; the name may follow options such as -s 1 1 1."""
    if not name:
        return None, None
    file = _beside(path, name) or _beside(path, name.split()[-1])
    return (Image.open(file).convert("RGB"), None) if file else (None, name)


def _beside(path: Path, name: str) -> Path | None:
    """The named file, if it lies in the folder of the .obj or below."""
    folder = path.parent.resolve()
    file = (folder / name.replace("\\", "/")).resolve()
    return file if file.is_relative_to(folder) and file.is_file() else None
