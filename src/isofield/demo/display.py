"""Meshes made ready for the page: coloured at vertices, small enough to embed, and normals that keep sharp edges."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int, Shaped, UInt8
from scipy.spatial import cKDTree

from isofield.mesh.color import color_kind, surface_colors

FACES = 60_000  # of one embedded mesh: a megabyte or less on the page
CELLS, TEXTURE_CELLS = 80, 400  # edges of an input longer than its longest side over this are cut for display
CREASE = np.cos(np.radians(40))  # faces that meet at a sharper angle keep an edge between them


@dataclass(frozen=True)
class View:
    """One mesh to turn: its label, triangles, unit normals at their corners, and named colourings of the vertices."""

    label: str
    mesh: trimesh.Trimesh
    normals: Float[np.ndarray, "f 3 3"]
    layers: dict[str, UInt8[np.ndarray, "v 3"]] = field(default_factory=dict)


class Shown(NamedTuple):
    """A mesh as it is embedded: unit normals at corners (f, 3, 3), and sRGB at vertices (v, 3) if it has colours."""

    mesh: trimesh.Trimesh
    normals: np.ndarray
    colors: np.ndarray | None


def to_uint8(colors: Float[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "n 3"]:
    """sRGB in [0, 1] as bytes."""
    return (np.clip(colors, 0, 1) * 255).round().astype(np.uint8)


def refined(mesh: trimesh.Trimesh, faces: int = FACES) -> Shown:
    """The mesh cut finer, up to that many faces, with its colours or texture looked up at the new vertices.

    Where only one of two neighbours is cut, a vertex lies on the other's edge: good to look at, not to compute with.
    Equal corners of equal colour are one vertex, so a texture seam stays a seam.
    """
    vertices, kind = np.asarray(mesh.vertices, np.float64), color_kind(mesh)
    corners = np.concatenate([vertices[mesh.faces], creased_normals(vertices, mesh.faces)], -1)  # (f, 3, 6)
    length = float(mesh.extents.max()) / (TEXTURE_CELLS if kind == "texture" else CELLS)
    corners, parent = _cut(corners, length, faces)
    points = corners[..., :3].reshape(-1, 3)
    colors = surface_colors(mesh, np.repeat(parent, 3), points) if kind != "none" else np.zeros_like(points)
    colors = to_uint8(colors)
    rows, index = np.unique(np.concatenate([points, colors], 1), axis=0, return_inverse=True)
    fine = trimesh.Trimesh(rows[:, :3], index.reshape(-1, 3), process=False)
    return Shown(fine, _unit(corners[..., 3:]), None if kind == "none" else rows[:, 3:].astype(np.uint8))


def decimated(mesh: trimesh.Trimesh, faces: int = FACES) -> Shown:
    """The mesh with about that many faces at most (whole where fast-simplification is missing), and its colours."""
    colors = None
    if color_kind(mesh) == "vertex":
        colors = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(np.uint8)  # type: ignore[union-attr]
    if len(mesh.faces) > faces and find_spec("fast_simplification") is not None:
        small = _simplified(mesh, faces)
        nearest = cKDTree(mesh.vertices).query(small.vertices)[1]
        mesh, colors = small, None if colors is None else colors[nearest]
    return Shown(mesh, creased_normals(np.asarray(mesh.vertices, np.float64), mesh.faces), colors)


def creased_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "f 3 3"]:
    """Unit normal of every corner: the area-weighted mean over the faces around it within the crease angle."""
    weighted = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    unit = _unit(weighted)
    point = np.unique(vertices, axis=0, return_inverse=True)[1].reshape(-1)[faces].reshape(-1)
    left, right = _neighbours(point)
    close = np.einsum("ij,ij->i", unit[left // 3], unit[right // 3]) > CREASE
    left, right = left[close], right[close] // 3
    total = np.stack([np.bincount(left, weighted[right, k], len(point)) for k in range(3)], -1)
    return _unit(total).reshape(-1, 3, 3)


def _neighbours(point: Shaped[np.ndarray, " c"]) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of corners at the same point, a corner and itself among them."""
    count = np.bincount(point)
    order, start = np.argsort(point, kind="stable"), np.cumsum(count) - count
    many = count[point]
    left = np.repeat(np.arange(len(point)), many)
    rank = np.arange(len(left)) - np.repeat(np.cumsum(many) - many, many)
    return left, order[np.repeat(start[point], many) + rank]


def _cut(corners: np.ndarray, length: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (n, 3, k) cut in four until no edge is longer or there are `most`; and the row each came from."""
    parent = np.arange(len(corners))
    while len(corners) < most:
        longest = np.linalg.norm(corners[..., :3] - np.roll(corners[..., :3], 1, axis=1), axis=-1).max(1)
        chosen = np.argsort(-longest)[: max((most - len(corners)) // 3, 0)]
        chosen = chosen[longest[chosen] > length]
        if not len(chosen):
            break
        rest = np.setdiff1d(np.arange(len(corners)), chosen)
        corners = np.concatenate([corners[rest], _quarters(corners[chosen])])
        parent = np.concatenate([parent[rest], np.tile(parent[chosen], 4)])
    return corners, parent


def _quarters(corners: np.ndarray) -> np.ndarray:
    """Each triangle (n, 3, k) as four; the j-th quarter of the result holds one of the four of each."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([np.stack(part, 1) for part in parts])


def _simplified(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    import fast_simplification

    vertices, small = fast_simplification.simplify(
        np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), target_count=faces
    )
    return trimesh.Trimesh(vertices, small, process=False)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-300)
