"""The mesh in a .ply file: polygons, vertex or face colours, and the texture that MeshLab names in a comment."""

import re
from pathlib import Path

import numpy as np

from isofield.errors import InputError
from isofield.mesh.beside import beside, picture
from isofield.mesh.color import UNPAINTED
from isofield.mesh.parts import Part
from isofield.mesh.ply import MAX_HEADER, check_ply
from isofield.mesh.ply_rows import CODE, Rows, read_rows
from isofield.mesh.polygons import triangulate

UV = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
EXPORT_AGAIN = "export it again"


def read_ply(path: Path) -> list[Part]:
    """One part; a cloud is one without faces. InputError with line, byte or row where the file is damaged."""
    header = check_ply(path)
    rows = read_rows(path, header)
    vertex, face = rows.get("vertex", Rows()), rows.get("face", Rows())
    if len(vertex.columns) and not {"x", "y", "z"} <= vertex.columns.keys():
        raise InputError(path, f"its vertices have no {'xyz'.strip(''.join(vertex.columns))[:1]}", EXPORT_AGAIN)
    points = _table(vertex, ("x", "y", "z"))
    sizes, corners = _polygons(face)
    _check_corners(path, corners, len(points))
    triangles = triangulate(points[corners], sizes)
    polygon = np.repeat(np.arange(len(sizes)), np.maximum(sizes - 2, 0))
    part = Part(points, corners[triangles])
    part.dropped = int((sizes < 3).sum())
    if "tristrips" in rows:
        part.faces = np.concatenate([part.faces, _strips(path, rows["tristrips"], len(points))])
    elif (colors := _colors(face, dict(header.columns.get("face", [])))) is not None:
        part.face_colors = colors[polygon]
    part.colors = _colors(vertex, dict(header.columns.get("vertex", [])))
    _texture(path, part, vertex, face, sizes, corners, triangles)
    return [part]


def _table(rows: Rows, names: tuple[str, ...]) -> np.ndarray:
    if not rows.columns:
        return np.zeros((0, len(names)))
    return np.stack([rows.columns[name].astype(np.float64) for name in names], 1)


def _polygons(face: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Corners of each polygon, and all of them in a row."""
    found = next((face.lists[name] for name in ("vertex_indices", "vertex_index") if name in face.lists), None)
    return (np.zeros(0, np.int64), np.zeros(0, np.int64)) if found is None else (found[0], found[1].astype(np.int64))


def _check_corners(path: Path, corners: np.ndarray, count: int) -> None:
    wrong = corners[(corners < 0) | (corners >= count)]
    if len(wrong):
        raise InputError(path, f"a face uses vertex {wrong[0]} of {count} (counted from 0)", EXPORT_AGAIN)


def _strips(path: Path, rows: Rows, count: int) -> np.ndarray:
    """Triangle strips; -1 begins a new one, and triangles with a corner twice only join two of them."""
    lengths, items = next(iter(rows.lists.values()), (np.zeros(0, np.int64), np.zeros(0)))
    triangles = []
    for run in np.split(items.astype(np.int64), np.cumsum(lengths)[:-1]):
        for strip in np.split(run, np.flatnonzero(run == -1)):
            strip = strip[strip != -1]
            cut = np.stack([strip[:-2], strip[1:-1], strip[2:]], 1) if len(strip) > 2 else np.zeros((0, 3), np.int64)
            cut[1::2] = cut[1::2, [1, 0, 2]]
            triangles.append(cut[(cut[:, 0] != cut[:, 1]) & (cut[:, 1] != cut[:, 2]) & (cut[:, 2] != cut[:, 0])])
    faces = np.concatenate([np.zeros((0, 3), np.int64), *triangles])
    _check_corners(path, faces.reshape(-1), count)
    return faces


def _colors(rows: Rows, kinds: dict[str, str]) -> np.ndarray | None:
    """(n, 3) sRGB in [0, 1]: integers by the range of their type, floats of [0, 1] as they are; damaged ones grey."""
    names = next((n for n in (("red", "green", "blue"), ("r", "g", "b")) if set(n) <= rows.columns.keys()), None)
    if names is None:
        return None
    table, code = _table(rows, names), CODE[kinds[names[0]]]
    finite = np.isfinite(table)
    largest = 255 if np.where(finite, table, 0).max(initial=0) > 1.001 else 1
    top = largest if code[0] == "f" else np.iinfo(code).max
    return np.clip(np.where(finite, table / top, UNPAINTED), 0, 1)


def _texture(
    path: Path, part: Part, vertex: Rows, face: Rows, sizes: np.ndarray, corners: np.ndarray, triangles: np.ndarray
) -> None:
    with path.open("rb") as file:
        named = re.search(rb"^comment TextureFile[ \t]+(.+?)[ \t]*\r?$", file.read(MAX_HEADER), re.M)
    if not named:
        return
    name = named[1].decode("utf-8", "replace")
    pair = next((names for names in UV if set(names) <= vertex.columns.keys()), None)
    lengths, wedge = face.lists.get("texcoord", (np.zeros(0, np.int64), np.zeros(0)))
    if pair is not None:
        part.uv = _table(vertex, pair)
    elif len(sizes) and np.array_equal(lengths, 2 * sizes):
        part.uv, part.colors = wedge.reshape(-1, 2).astype(np.float64), None
        part.vertices, part.faces = part.vertices[corners], triangles
    else:
        return
    found = beside(path, name)
    if found is None:
        part.uv, part.missing = None, name
        return
    part.image, part.face_colors = picture(found, found), None
