"""Write a mesh for other programs: .ply, .glb, .obj, .stl; whole or not at all."""

import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import trimesh
from jaxtyping import Float, Shaped
from trimesh.visual import ColorVisuals

from isofield.errors import InputError, IsofieldError
from isofield.files import check_plain, real_path, replacing
from isofield.mesh.color import color_kind, surface_colors
from isofield.mesh.glb import glb_bytes

WRITABLE = (".ply", ".glb", ".obj", ".stl")
MARKS = {"seen": ("u1", "uchar"), "deviation": ("<f4", "float")}  # what a .ply says of vertices: see docs/command.md


def write_mesh(mesh: trimesh.Trimesh, path: str | PathLike, *, up: Literal["y", "z"] | None = None) -> None:
    """Write the mesh with normals and vertex colours in its own coordinates, in one step (a crash leaves no half file).

    up="y": the mesh has z up and is turned so that y is up; up="z": the reverse; None leaves the axes alone.
    .ply binary, float32 unless that would merge vertices, with the vertex attributes of MARKS; .glb float32 around the
    centre, moved by its node, linear COLOR_0; .obj `v x y z r g b`; .stl binary float32. Face colours become vertex
    colours, with vertices split where colours meet; textures are looked up at the vertices. Missing folders are made.
    Raises InputError before any work if the extension is unknown or the folder is not writable, IsofieldError if the
    mesh is empty or not finite.
    """
    path = Path(path)
    check_writable(path)
    if not len(mesh.faces) or not np.isfinite(mesh.vertices).all():
        raise IsofieldError(f"{path}: nothing is written, the mesh is empty or has vertices that are not finite")
    vertices, normals = np.asarray(mesh.vertices, np.float64), vertex_normals(mesh)
    faces, colors = np.asarray(mesh.faces), vertex_colors(mesh)
    if isinstance(mesh.visual, ColorVisuals) and mesh.visual.kind == "face":
        chosen, faces, colors = _split_by_color(faces, mesh.visual.face_colors[:, :3])
        vertices, normals = vertices[chosen], normals[chosen]
    whole = len(vertices) == len(mesh.vertices)
    marks = {
        name: np.asarray(mesh.vertex_attributes[name]) for name in MARKS if whole and name in mesh.vertex_attributes
    }
    arguments = (turn(vertices, up), faces, turn(normals, up), colors)
    ply = path.suffix.lower() == ".ply"
    data = _ply(*arguments, marks) if ply else _WRITERS[path.suffix.lower()](*arguments)
    with replacing(path) as temporary:
        Path(temporary).write_bytes(data)


def check_writable(path: str | PathLike) -> None:
    """InputError unless a mesh can be written there: a known extension, a folder that is writable or can be made."""
    path = Path(path)
    if path.suffix.lower() not in WRITABLE:
        raise InputError(path, f"cannot be written as {path.suffix!r}", f"choose one of {' '.join(WRITABLE)}")
    if os.path.lexists(real_path(path)):
        check_plain(path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(path, f"{folder} is no writable folder", "choose another folder")


def turn(vectors: Float[np.ndarray, "n 3"], up: Literal["y", "z"] | None) -> Float[np.ndarray, "n 3"]:
    """A quarter turn about x that brings z up to y up (up="y") or y up to z up (up="z")."""
    if up is None:
        return vectors
    x, y, z = vectors.T
    return np.stack([x, z, -y] if up == "y" else [x, -z, y], 1)


def vertex_normals(mesh: trimesh.Trimesh) -> Float[np.ndarray, "v 3"]:
    """Unit normals, weighted with the angles of the faces around each vertex; z where no face with area is around."""
    triangles = np.asarray(mesh.vertices, np.float64)[mesh.faces]
    face = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    face /= np.maximum(np.linalg.norm(face, axis=1, keepdims=True), np.finfo(float).tiny)
    total = np.zeros((len(mesh.vertices), 3))
    for corner in range(3):
        weighted = face * _angle(triangles, corner)[:, None]
        for axis in range(3):
            total[:, axis] += np.bincount(mesh.faces[:, corner], weighted[:, axis], len(total))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])


def vertex_colors(mesh: trimesh.Trimesh) -> Shaped[np.ndarray, "v 3"] | None:
    """sRGB uint8 at the vertices, whatever the mesh stores; None without colour."""
    if color_kind(mesh) == "none":
        return None
    if isinstance(mesh.visual, ColorVisuals) and mesh.visual.kind == "vertex":
        return np.ascontiguousarray(mesh.visual.vertex_colors[:, :3])
    used, first = np.unique(mesh.faces, return_index=True)
    colors = np.full((len(mesh.vertices), 3), 128, np.uint8)
    colors[used] = np.rint(surface_colors(mesh, first // 3, np.asarray(mesh.vertices)[used]) * 255)
    return colors


def _split_by_color(faces: np.ndarray, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(old vertex of each new vertex, faces, vertex colours) such that each face has its own colour at its corners."""
    packed = colors.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    keys, first, corners = np.unique(
        faces.reshape(-1) * (1 << 24) + np.repeat(packed, 3), return_index=True, return_inverse=True
    )
    return keys >> 24, corners.reshape(-1, 3), np.ascontiguousarray(colors[first // 3])


def _angle(triangles: np.ndarray, corner: int) -> np.ndarray:
    a, b, c = (triangles[:, (corner + k) % 3] for k in range(3))
    cross = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return np.arctan2(cross, np.einsum("nd,nd->n", b - a, c - a))


def _stays_distinct(vertices: np.ndarray) -> bool:
    """Whether float32 keeps apart all vertices that float64 keeps apart."""
    if np.abs(vertices).max() > np.finfo(np.float32).max:
        return False
    rounded = vertices.astype(np.float32)
    order = np.lexsort(rounded.T)
    same = (rounded[order[1:]] == rounded[order[:-1]]).all(1)
    return bool((vertices[order[1:]][same] == vertices[order[:-1]][same]).all())


def _ply(
    vertices: np.ndarray,
    faces: np.ndarray,
    normals: np.ndarray,
    colors: np.ndarray | None,
    marks: dict[str, np.ndarray] | None = None,
) -> bytes:
    kind, name = ("<f4", "float") if _stays_distinct(vertices) else ("<f8", "double")
    columns = [(axis, kind, name) for axis in "xyz"] + [(f"n{axis}", "<f4", "float") for axis in "xyz"]
    columns += [(channel, "u1", "uchar") for channel in ("red", "green", "blue", "alpha")] if colors is not None else []
    columns += [(mark, *MARKS[mark]) for mark in marks or ()]
    rows = np.zeros(len(vertices), [(column, dtype) for column, dtype, _ in columns])
    for k, axis in enumerate("xyz"):
        rows[axis], rows[f"n{axis}"] = vertices[:, k], normals[:, k]
    if colors is not None:
        rows["red"], rows["green"], rows["blue"], rows["alpha"] = *colors.T, 255
    for mark, values in (marks or {}).items():
        rows[mark] = values
    lists = np.empty(len(faces), [("count", "u1"), ("index", "<i4", (3,))])
    lists["count"], lists["index"] = 3, faces
    properties = "".join(f"property {name} {column}\n" for column, _, name in columns)
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(rows)}\n{properties}"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    return header.encode() + rows.tobytes() + lists.tobytes()


def _obj(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, colors: np.ndarray | None) -> bytes:
    """Coordinates with repr's digits: the shortest text that reads back as the same float64."""
    tails = [""] * len(vertices)
    if colors is not None:
        tails = [f" {r:.4f} {g:.4f} {b:.4f}" for r, g, b in (colors / 255).tolist()]
    lines = [f"v {x!r} {y!r} {z!r}{tail}" for (x, y, z), tail in zip(vertices.tolist(), tails, strict=True)]
    lines += [f"vn {x:.5f} {y:.5f} {z:.5f}" for x, y, z in normals.tolist()]
    lines += [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in (faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def _stl(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, colors: np.ndarray | None) -> bytes:
    """Binary .stl: float32 soup with face normals; the format has neither colours nor shared vertices."""
    triangles = vertices[faces]
    face = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    face /= np.maximum(np.linalg.norm(face, axis=1, keepdims=True), np.finfo(float).tiny)
    rows = np.zeros(len(faces), [("normal", "<f4", (3,)), ("corner", "<f4", (3, 3)), ("extra", "<u2")])
    rows["normal"], rows["corner"] = face, triangles
    return b"isofield".ljust(80) + np.uint32(len(faces)).tobytes() + rows.tobytes()


def _glb(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, colors: np.ndarray | None) -> bytes:
    return glb_bytes(vertices, faces, normals, colors)


Writer = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None], bytes]
_WRITERS: dict[str, Writer] = {".ply": _ply, ".glb": _glb, ".obj": _obj, ".stl": _stl}
