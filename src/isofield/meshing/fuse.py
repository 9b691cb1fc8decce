"""Depth pictures from known cameras to one cloud of oriented points, and to a closed mesh."""

from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Bool, Float, UInt8
from trimesh.visual import ColorVisuals

from isofield.errors import InputError
from isofield.frame import UnitFrame
from isofield.meshing.reconstruct import reconstruct_points
from isofield.render.camera import Camera
from isofield.views.image_set import ImageSet

GRAZING = 0.2  # cosine between normal and ray below which a depth is not believed
TOLERANCE = 3.0  # pixel footprints that a point may lie before what another view sees
CONTRADICTED = 2  # views that must look through a point for it to be dropped


class Fused(NamedTuple):
    """Points of the world, outward unit normals, sRGB; footprint: median width of a pixel at a point."""

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    footprint: float


def reconstruct_views(views: ImageSet, indices: list[int] | None = None) -> trimesh.Trimesh:
    """A closed, coloured mesh of what the depths show, in the world of the set.

    Fused points, screened Poisson, vertices moved onto the points (`reconstruct_points`): where no view looked, the
    surface is a smooth membrane. Raises InputError for views without depth.
    """
    return mesh_of_points(fuse_depths(views, indices))


def mesh_of_points(fused: Fused) -> trimesh.Trimesh:
    """The closed mesh through fused points, with vertex colours."""
    frame = UnitFrame.of(fused.points)
    field = reconstruct_points(frame.to_unit(fused.points), fused.normals, fused.colors, frame=frame)
    surface = field.mesh_distance
    mesh = trimesh.Trimesh(frame.to_user(surface.vertices), surface.faces, process=False)
    rgba = np.full((len(mesh.vertices), 4), 255, np.uint8)
    rgba[np.asarray(mesh.faces).reshape(-1), :3] = np.asarray(field.colors).reshape(-1, 3)
    mesh.visual = ColorVisuals(mesh, vertex_colors=rgba)
    return mesh


def fuse_depths(views: ImageSet, indices: list[int] | None = None) -> Fused:
    """Points of all depth pictures (of those views), in one cloud.

    A pixel is left out where its neighbours lie on another surface, and where it is seen at a grazing angle. A point
    that two or more views look through, onto something behind it, is dropped. What falls into one cube of a pixel's
    footprint becomes one point: the mean, weighted by the cosine of the viewing angle over the squared distance, and so
    are its normal and colour. Raises InputError for a view without depth, or when nothing is left.
    """
    chosen = range(len(views)) if indices is None else indices
    depths = {index: _depth(views, index) for index in chosen}
    seen = [_unprojected(views, index, depth) for index, depth in depths.items()]
    points, normals, colors, weights, footprints = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    if not len(points):
        raise InputError(views.store.path, "its depths show no surface", "check depths and cameras")
    kept = _uncontradicted(points, footprints, [(views.views[index].camera, depth) for index, depth in depths.items()])
    footprint = float(np.median(footprints))
    return _merged(points[kept], normals[kept], colors[kept], weights[kept], footprint)


def _depth(views: ImageSet, index: int) -> Float[np.ndarray, "h w"]:
    depth = views.depth(index)
    if depth is None:
        raise InputError(
            f"{views.store.path}/{views.views[index].name}", "has no depth", "add NAME.depth.npy beside it"
        )
    return depth.astype(np.float64)


def _unprojected(views: ImageSet, index: int, depth: Float[np.ndarray, "h w"]) -> tuple[np.ndarray, ...]:
    """Points, normals, colours, weights and footprints of the pixels that can be believed."""
    camera = views.views[index].camera
    rays = camera.rays()
    with np.errstate(invalid="ignore"):
        points = camera.eye + depth[..., None] * rays
        normals = _normals(points)
        cosine = -np.einsum("hwd,hwd->hw", normals, rays)
        normals, cosine = np.where(cosine[..., None] < 0, -normals, normals), np.abs(cosine)
        given = views.normal(index)
        good = np.isfinite(depth) & (cosine > GRAZING)
    if given is not None:
        normals = given / np.maximum(np.linalg.norm(given, axis=-1, keepdims=True), 1e-9)
    footprint = depth[good] / camera.intrinsics[0, 0]
    return points[good], normals[good], views.picture(index)[good], cosine[good] / depth[good] ** 2, footprint


def _normals(points: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Of the plane through the four neighbours of a pixel; not finite where one of them is missing.

    Where the surface breaks, the plane stands steeply and the grazing angle leaves the pixel out.
    """
    normals = np.full_like(points, np.nan)
    across, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    with np.errstate(invalid="ignore"):
        plane = np.cross(across, down)
        normals[1:-1, 1:-1] = plane / np.linalg.norm(plane, axis=-1, keepdims=True)
    return normals


def _uncontradicted(
    points: Float[np.ndarray, "n 3"], footprints: Float[np.ndarray, " n"], seen: list[tuple[Camera, np.ndarray]]
) -> Bool[np.ndarray, " n"]:
    """Points that fewer than `CONTRADICTED` views look through."""
    through = np.zeros(len(points), int)
    for camera, depth in seen:
        pixels, ahead = camera.project(points)
        inside = (ahead > 0) & (pixels >= 0).all(1) & (pixels < (camera.width, camera.height)).all(1)
        column, row = pixels[inside].astype(int).T
        distance = np.linalg.norm(points[inside] - camera.eye, axis=1)
        through[inside] += distance + TOLERANCE * footprints[inside] < _least_around(depth)[row, column]
    return through < CONTRADICTED


def _least_around(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The nearest of a pixel and its eight neighbours: a point at an edge is not looked through."""
    padded = np.pad(depth, 1, constant_values=np.inf)
    height, width = depth.shape
    return np.min([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)


def _merged(
    points: np.ndarray, normals: np.ndarray, colors: np.ndarray, weights: np.ndarray, footprint: float
) -> Fused:
    """One point for each cube of a footprint and each side that the surface there shows."""
    facing = np.abs(normals).argmax(1)
    side = 2 * facing + (normals[np.arange(len(normals)), facing] > 0)
    cells = np.column_stack([np.floor(points / footprint).astype(np.int64), side])
    _, where = np.unique(cells, axis=0, return_inverse=True)
    where = where.reshape(-1)
    total = np.bincount(where, weights)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(where, weights * values[:, k]) / total for k in range(3)], axis=1)

    average = mean(normals)
    length = np.linalg.norm(average, axis=1, keepdims=True)
    return Fused(mean(points), average / np.maximum(length, 1e-9), np.round(mean(colors)).astype(np.uint8), footprint)
