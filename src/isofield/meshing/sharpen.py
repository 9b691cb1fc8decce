"""Sharp edges and corners that a grid cuts off, put back into a closed mesh that stays closed and manifold.

After extended marching cubes (Kobbelt, Botsch, Schwanecke, Seidel 2001): where the planes around a cell's piece of the
surface differ, the piece becomes a fan around the point where they meet (the quadric error function of dual contouring,
Ju, Losasso, Schaefer, Warren 2002), and the diagonals between neighbouring fans run along the edge. See `patches` for
why that cannot open the mesh.
"""

from dataclasses import dataclass, replace

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from trimesh.visual import ColorVisuals

from isofield.fields.field import Field, color_numpy
from isofield.mesh.audit import audit
from isofield.meshing.extract import Extraction, nearest, rgba
from isofield.meshing.lattice import Lattice
from isofield.meshing.patches import Patches, patches
from isofield.meshing.planes import Planes, Surface

COSINE = 0.9  # planes that differ by more than 26 degrees make an edge
RANK = 0.03  # share of the largest eigenvalue below which a direction is not decided by the planes
OFF = 0.02  # cells: vertices farther from the surface are brought onto it along their lattice edge
CLOSE = 0.1  # cells: planes farther away say nothing; a point farther from the surface is no feature
REACH = 0.5  # cells: how far beside its cell a feature may lie where the grid saw its two sides and missed it
HALVINGS = 8


@dataclass(frozen=True)
class Sharpened:
    """extraction: the mesh with its features; features: how many vertices were put on edges and corners."""

    extraction: Extraction
    features: int


def sharpen(extraction: Extraction, field: Field, resolution: int, surface: Surface) -> Sharpened:
    """Put back the edges and corners of `surface` that extracting `field` at this resolution (level 0) cut off.

    Vertices first move along their lattice edges onto the surface. New vertices lie within their cells and on the
    surface; no triangle looks away from the surface it approximates, or its cell is left as it was.
    """
    lattice = Lattice.over(field, resolution)
    faces = np.asarray(extraction.mesh.faces, np.int64)
    margin = nearest(lattice, field)
    vertices, planes = onto_surface(extraction.vertices_unit, lattice, surface, margin)
    vertices, faces = with_features(vertices, faces, planes, lattice, surface, margin)
    mesh = trimesh.Trimesh(field.frame.to_user(vertices), faces, process=False)
    if field.has_color:
        mesh.visual = ColorVisuals(mesh, vertex_colors=rgba(color_numpy(field, vertices)))
    found = audit(mesh)
    if not (found.watertight and found.manifold):
        return Sharpened(extraction, 0)
    result = replace(extraction, mesh=mesh, vertices_unit=vertices, watertight=True, manifold=True)
    return Sharpened(result, len(vertices) - len(extraction.vertices_unit))


def onto_surface(
    vertices: Float[np.ndarray, "v 3"], lattice: Lattice, surface: Surface, margin: float
) -> tuple[Float[np.ndarray, "v 3"], Planes]:
    """Vertices moved along their lattice edges to where the side changes, and the planes there.

    Only those that lie off the surface move, and they stay `margin` edge lengths away from the lattice points.
    """
    planes = surface.planes(vertices)
    off = np.flatnonzero(planes.distance > OFF * lattice.spacing)
    index = (vertices[off] - lattice.origin) / lattice.spacing
    axis = np.abs(index - np.round(index)).argmax(1)
    rows = np.arange(len(off))
    low, high = np.round(index), np.round(index)
    low[rows, axis] = np.floor(index[rows, axis])
    high[rows, axis] = low[rows, axis] + 1
    side = surface.inside(lattice.points(low))
    crossed = side != surface.inside(lattice.points(high))
    off, low, high, side, axis = off[crossed], low[crossed], high[crossed], side[crossed], axis[crossed]
    begin = low.copy()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        same = (surface.inside(lattice.points(middle)) == side)[:, None]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    middle = begin + np.clip((low + high) / 2 - begin, margin, 1 - margin) * (np.arange(3) == axis[:, None])
    moved = vertices.copy()
    moved[off] = lattice.points(middle)
    fresh = surface.planes(moved[off])
    for old, new in zip(planes, fresh, strict=True):
        old[off] = new
    return moved, planes


def with_features(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    planes: Planes,
    lattice: Lattice,
    surface: Surface,
    margin: float,
) -> tuple[Float[np.ndarray, "_ 3"], Int[np.ndarray, "_ 3"]]:
    """The mesh with a fan around each feature point that is found, and diagonals along the features.

    `planes`: one for each vertex; `margin`: how far, in cells, new vertices stay away from the borders of their cells.
    """
    cut = patches(vertices, faces, lattice)
    weight = (planes.distance <= CLOSE * lattice.spacing).astype(float)
    sharp = _spread(cut, planes.normal, weight) < COSINE
    tips = np.full((len(cut.cell), 3), np.nan)
    tips[sharp] = _feature_points(cut, planes, weight, lattice, margin)[sharp]
    tips[_too_far(tips, surface, CLOSE * lattice.spacing)] = np.nan
    tips[_crowded(tips, vertices, margin * lattice.spacing)] = np.nan
    flips = _settled(cut, vertices, tips, planes.normal, surface)
    return _rebuilt(cut, vertices, faces, tips, flips)


def _spread(cut: Patches, normal: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(p,) cosine between two normals of each patch's border that differ most, found by walking to the farthest twice.

    Normals of weight zero are left out.
    """
    count = len(cut.cell)
    order = np.argsort(cut.patch, kind="stable")
    patch, border = cut.patch[order], cut.start[order]
    begin = np.flatnonzero(np.diff(patch, prepend=-1))
    own, heavy = normal[border], weight[border] > 0
    far = own[begin][patch]
    for _ in range(3):
        cosine = np.where(heavy, np.einsum("nd,nd->n", own, far), 2.0)
        least = np.minimum.reduceat(cosine, begin)
        at = np.full(count, len(border), np.int64)
        np.minimum.at(at, patch, np.where(cosine == least[patch], np.arange(len(border)), len(border)))
        far = own[at][patch]
    return np.minimum(least, 1.0)


def _feature_points(cut: Patches, planes: Planes, weight: np.ndarray, lattice: Lattice, margin: float) -> np.ndarray:
    """(p, 3) where the planes at each patch's border meet, within its cell; NaN where they do not."""
    border, w = cut.start, weight[cut.start]
    normal, point = planes.normal[border], planes.point[border]
    total = np.maximum(_sum(cut, w), 1e-9)
    center = _sum(cut, w[:, None] * point) / total[:, None]
    offset = np.einsum("nd,nd->n", normal, point - center[cut.patch])
    matrix = _sum(cut, (w[:, None, None] * normal[:, :, None] * normal[:, None]).reshape(-1, 9)).reshape(-1, 3, 3)
    values, axes = np.linalg.eigh(matrix)
    right = np.einsum("pdk,pd->pk", axes, _sum(cut, (w * offset)[:, None] * normal))
    low = lattice.points(cut.cell + margin)
    high = lattice.points(cut.cell + 1 - margin)
    decided = np.asarray(values > RANK * values[:, 2:])
    corner = _solve(values, axes, right, center, decided[:, 0])
    edge = _solve(values, axes, right, center, np.zeros(len(center), bool))
    within = _clipped(edge, axes[:, :, 0], low, high)
    beside = _clipped(edge, axes[:, :, 0], low - REACH * lattice.spacing, high + REACH * lattice.spacing)
    found = np.where(np.isfinite(within), within, beside)
    held = np.all((corner >= low) & (corner <= high), axis=1, keepdims=True)
    found = np.where(held, corner, found)
    found[~decided[:, 1]] = np.nan
    return found


def _solve(values: np.ndarray, axes: np.ndarray, right: np.ndarray, center: np.ndarray, full: np.ndarray) -> np.ndarray:
    """The point nearest to `center` with the least quadric, in its two steepest directions or, where `full`, in all."""
    inverse = np.divide(1, values, out=np.zeros_like(values), where=values > 1e-12)
    inverse[~full, 0] = 0
    return center + np.einsum("pdk,pk->pd", axes, inverse * right)


def _clipped(point: np.ndarray, direction: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The point of the line nearest to the given one within the box; NaN where the line misses the box."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - point) / direction, (high - point) / direction
    enter, leave = np.nanmax(np.fmin(a, b), axis=1), np.nanmin(np.fmax(a, b), axis=1)
    hits = enter <= leave
    step = np.where(hits, np.clip(0, enter, np.maximum(enter, leave)), 0)
    return np.where(hits[:, None], np.clip(point + step[:, None] * direction, low, high), np.nan)


def _too_far(tips: np.ndarray, surface: Surface, limit: float) -> np.ndarray:
    """(p,) bool: candidates that do not lie on the surface."""
    rows = _set(tips)
    far = np.zeros(len(tips), bool)
    far[rows] = surface.planes(tips[rows]).distance > limit
    return far


def _crowded(tips: np.ndarray, vertices: np.ndarray, apart: float) -> np.ndarray:
    """(p,) bool: candidates that nearly coincide with a vertex, or with another candidate."""
    rows = _set(tips)
    nearest_two = KDTree(np.concatenate([vertices, tips[rows]])).query(tips[rows], k=2)[0]
    crowded = np.zeros(len(tips), bool)
    crowded[rows[nearest_two[:, 1] < apart]] = True
    return crowded


def _settled(cut: Patches, vertices: np.ndarray, tips: np.ndarray, normal: np.ndarray, surface: Surface) -> np.ndarray:
    """(s,) bool: the segments to flip; works in place on `tips`: fans with a folded triangle are given up.

    normal (v, 3): of the surface at the vertices on it.
    """
    flips = _flips(cut, vertices, tips, normal, surface)
    while True:
        fans = np.isfinite(tips[cut.patch, 0])
        rows = np.flatnonzero(fans & ~(flips & fans[cut.twin]))
        start, end = cut.start[rows], cut.end[rows]
        triangles = np.stack([vertices[start], vertices[end], tips[cut.patch[rows]]], 1)
        folded = rows[~_looks_along(triangles, normal[start] + normal[end])]
        if not len(folded):
            return flips & fans & fans[cut.twin]
        tips[cut.patch[folded]] = np.nan


def _flips(cut: Patches, vertices: np.ndarray, tips: np.ndarray, normal: np.ndarray, surface: Surface) -> np.ndarray:
    """(s,) bool: segments between two fans where an edge from tip to tip is closer to the surface; twins agree."""
    here, there = cut.patch, cut.patch[cut.twin]
    rows = np.flatnonzero(np.isfinite(tips[here, 0]) & np.isfinite(tips[there, 0]) & (here < there))
    _, once = np.unique(here[rows] * len(tips) + there[rows], return_index=True)  # tips are joined once at most
    rows = rows[once]
    start, end = cut.start[rows], cut.end[rows]
    a, b, p, q = vertices[start], vertices[end], tips[here[rows]], tips[there[rows]]
    better = surface.planes((p + q) / 2).distance < surface.planes((a + b) / 2).distance
    better &= _looks_along(np.stack([a, q, p], 1), normal[start]) & _looks_along(np.stack([b, p, q], 1), normal[end])
    flips = np.zeros(len(here), bool)
    flips[rows[better]] = flips[cut.twin[rows[better]]] = True
    return flips


def _looks_along(triangles: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """(n,) bool: triangles with an area that look to the same side as their direction."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    return np.einsum("nd,nd->n", np.cross(b - a, c - a), direction) > 0


def _rebuilt(
    cut: Patches, vertices: np.ndarray, faces: np.ndarray, tips: np.ndarray, flips: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fans in the place of the patches that have a tip, with the flipped diagonals."""
    rows = _set(tips)
    number = np.full(len(tips), -1, np.int64)
    number[rows] = np.arange(len(rows)) + len(vertices)
    fan = number[cut.patch] >= 0
    own = np.stack([cut.start, cut.end, number[cut.patch]], 1)
    across = np.stack([cut.start, number[cut.patch[cut.twin]], number[cut.patch]], 1)
    fans = np.where(flips[:, None], across, own)[fan]
    return np.concatenate([vertices, tips[rows]]), np.concatenate([faces[number[cut.of_face] < 0], fans])


def _sum(cut: Patches, values: np.ndarray) -> np.ndarray:
    """Sums over each patch's border."""
    count = len(cut.cell)
    if values.ndim == 1:
        return np.bincount(cut.patch, values, count)
    return np.stack([np.bincount(cut.patch, column, count) for column in values.T], 1)


def _set(tips: Float[np.ndarray, "p 3"]) -> Int[np.ndarray, " _"]:
    return np.flatnonzero(np.isfinite(tips[:, 0]))
