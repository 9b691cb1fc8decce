"""Wavefront .obj with its .mtl, read strictly: every index is checked and errors name the line."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.beside import beside, picture
from isofield.mesh.color import UNPAINTED
from isofield.mesh.parts import Part
from isofield.mesh.polygons import triangulate
from isofield.mesh.text import bad_line, decoded, floats, integers

_LINES = re.compile("\r\n|\n|\r")


@dataclass
class _Document:
    """vertices: coordinates, then colours; corners: unique (vertex, uv) pairs; groups: by material the corners of
    all polygons, and how many each has; dropped: faces of fewer than three corners."""

    vertices: list[list[float]] = field(default_factory=list)
    uv: list[tuple[float, float]] = field(default_factory=list)
    corners: dict[tuple[int, int], int] = field(default_factory=dict)
    groups: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict)
    dropped: int = 0
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
    for name, (corners, sizes) in document.groups.items():
        ids = rank[np.array(corners, np.int64)]
        triangles = triangulate(table[pairs[ids, 0]], np.array(sizes, np.int64))
        used, faces = np.unique(ids[triangles], return_inverse=True)
        vertex, texel = pairs[used].T
        image, diffuse, missing = materials.get(name, (None, None, absent))
        part = Part(table[vertex], faces.reshape(-1, 3), diffuse=diffuse, missing=missing)
        part.colors = None if colors is None else colors[vertex]
        if image is not None and (texel >= 0).any():
            part.uv, part.image, part.diffuse = uv[texel], image, None
        parts.append(part)
    parts = parts or [Part(table, np.zeros((0, 3), np.int64))]
    parts[0].dropped = document.dropped
    return parts


def _parse(path: Path) -> _Document:
    document = _Document()
    corners, sizes = document.groups.setdefault("", ([], []))
    tokens: dict[str, int] = {}
    text = decoded(path).replace("\\\r\n", " \x1f").replace("\\\n", " \x1f")  # a line that goes on is one
    number = 0
    for line in _LINES.split(text):
        number += 1 + line.count("\x1f")
        words = line.split()
        key = words[0] if words else ""
        words = line.partition("#")[0].split() if "#" in line and key in ("v", "vt", "f") else words
        try:
            if key == "v":
                document.vertices.append(floats(words[1:]))
                if len(words) < 4:
                    raise ValueError("fewer than three coordinates")
            elif key == "vt":
                values = [*floats(words[1:3]), 0.0]
                document.uv.append((values[0], values[1]))
            elif key == "f":
                ids = [_corner(document, tokens, word) for word in words[1:]]
                if len(ids) < 3:
                    document.dropped += 1
                    continue
                corners += ids
                sizes.append(len(ids))
            elif key == "usemtl":
                corners, sizes = document.groups.setdefault(" ".join(words[1:]), ([], []))
            elif key == "mtllib":
                document.libraries.append(line.split(None, 1)[1].strip())
        except (ValueError, IndexError) as error:
            raise bad_line(path, number, line, error) from None
    document.groups = {name: group for name, group in document.groups.items() if group[1]}
    _check_corners(path, document)
    return document


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
    (index,) = integers([text])
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
        library = beside(path, name)
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
    for number, line in enumerate(library.read_text("utf-8", "replace").splitlines(), 1):
        words = line.split()
        key = words[0].lower() if words else ""
        if key == "newmtl":
            current = " ".join(words[1:])
            diffuse[current] = None
        elif key == "kd" and len(words) >= 4:
            try:
                diffuse[current] = np.clip(np.array(floats(words[1:4])), 0, 1)
            except ValueError as error:
                raise bad_line(library, number, line, error) from None
        elif key == "map_kd" and len(words) > 1:
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
    file = beside(path, name) or beside(path, name.split()[-1])
    return (picture(file, file), None) if file else (None, name)
