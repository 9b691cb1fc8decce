"""Pixels to colours: what a mesh looks like in soft studio light, on white. (Imports torch.)"""

from typing import NamedTuple

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Shaped, UInt8
from scipy.ndimage import uniform_filter

from isofield.frame import UnitFrame
from isofield.mesh.color import color_kind, surface_colors, to_linear, to_srgb
from isofield.mesh.paint import CLAY
from isofield.render.camera import Camera
from isofield.render.normals import corner_normals, flat_normals
from isofield.render.rasterize import Fragments, rasterize

SUPERSAMPLE = 3
KEY = (-0.45, -0.65, -0.62)  # towards the main light, in camera axes: over the left shoulder


def picture(
    mesh: trimesh.Trimesh,
    camera: Camera,
    *,
    frame: UnitFrame | None = None,
    colors: Shaped[np.ndarray, "v 3"] | None = None,
    flat: bool = False,
    supersample: int = SUPERSAMPLE,
) -> UInt8[np.ndarray, "h w 3"]:
    """A shaded sRGB picture on white; both sides of each face are lit.

    frame: takes the mesh to the camera's world (default: it is there already). colors: sRGB in [0, 1] per vertex, in
    place of the mesh's own. flat: every face in one tone. supersample: samples per pixel along each side.
    """
    return paint(mesh, look(mesh, camera, frame or UnitFrame(), flat=flat, supersample=supersample), colors)


class Look(NamedTuple):
    """A mesh seen and lit, not yet coloured: samples of the enlarged picture, and the light on those that hit."""

    fragments: Fragments
    light: Float[np.ndarray, " n"]
    supersample: int


def look(
    mesh: trimesh.Trimesh, camera: Camera, frame: UnitFrame, *, flat: bool = False, supersample: int = SUPERSAMPLE
) -> Look:
    """What `paint` needs: made once for several pictures of one mesh from one side."""
    large = camera.enlarged(supersample)
    fragments = draw(mesh, large, frame)
    return Look(fragments, lighting(mesh, fragments, large, flat), supersample)


def paint(
    mesh: trimesh.Trimesh, seen: Look, colors: Shaped[np.ndarray, "v 3"] | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Colours times light on white, averaged over the samples of each pixel, all in linear light."""
    hit = seen.fragments.face.numpy() >= 0
    image = np.ones((*hit.shape, 3))
    if hit.any():
        image[hit] = np.clip(to_linear(_albedo(mesh, seen.fragments, colors)) * seen.light[:, None], 0, 1)
    k = seen.supersample
    blocks = image.reshape(hit.shape[0] // k, k, hit.shape[1] // k, k, 3).mean((1, 3))
    return np.round(to_srgb(blocks) * 255).astype(np.uint8)


def draw(mesh: trimesh.Trimesh, camera: Camera, frame: UnitFrame) -> Fragments:
    """The mesh's faces at each pixel, seen in the unit frame."""
    vertices, faces = frame.to_unit(mesh.vertices), np.array(mesh.faces, np.int64).reshape(-1, 3)
    return rasterize(torch.as_tensor(vertices), torch.as_tensor(faces), camera)


def normals_seen(
    mesh: trimesh.Trimesh, fragments: Fragments, camera: Camera, flat: bool = False
) -> Float[np.ndarray, "n 3"]:
    """World normal at each pixel that sees something, turned towards the camera."""
    hit = fragments.face.numpy() >= 0
    corners = (flat_normals if flat else corner_normals)(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    weights = fragments.barycentric.numpy()[hit]
    normals = np.einsum("nk,nkd->nd", weights, corners[fragments.face.numpy()[hit]])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    away = np.einsum("nd,nd->n", normals, camera.rays()[hit]) > 0
    return np.where(away[:, None], -normals, normals)


def lighting(mesh: trimesh.Trimesh, fragments: Fragments, camera: Camera, flat: bool) -> Float[np.ndarray, " n"]:
    """Light at each pixel that sees something: main light, head light and sky, less in crevices."""
    hit = fragments.face.numpy() >= 0
    local = normals_seen(mesh, fragments, camera, flat) @ camera.camera_to_world[:3, :3]
    key = np.clip(local @ (np.array(KEY) / np.linalg.norm(KEY)), 0, 1)
    head = np.clip(-local[:, 2], 0, 1)
    sky = 0.5 - 0.5 * local[:, 1]
    return (0.80 * key + 0.25 * head + 0.42 * sky) * _openness(fragments.depth.numpy())[hit]


def _openness(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Less than 1 where a pixel lies behind its surroundings (depth buffer unsharp masking, Luft et al. 2006)."""
    hit = np.isfinite(depth)
    if not hit.any():
        return np.ones(depth.shape)
    spread = np.ptp(depth[hit]) + 1e-9
    filled, openness = np.where(hit, depth, 0).astype(np.float64), np.ones(depth.shape)
    for share in (0.015, 0.05):
        size = max(3, int(share * depth.shape[1]))
        around = uniform_filter(filled, size) / np.maximum(uniform_filter(hit.astype(np.float64), size), 1e-9)
        openness -= 0.35 * np.clip((filled - around) / (0.06 * spread), 0, 1)
    return np.clip(openness, 0.3, 1)


def _albedo(mesh: trimesh.Trimesh, fragments: Fragments, colors: np.ndarray | None) -> Float[np.ndarray, "n 3"]:
    hit = fragments.face.numpy() >= 0
    face, weights = fragments.face.numpy()[hit], fragments.barycentric.numpy()[hit].astype(np.float64)
    corners = np.asarray(mesh.faces)[face]
    if colors is not None:
        return np.einsum("nk,nkc->nc", weights, np.asarray(colors, np.float64)[corners])
    if color_kind(mesh) == "none":
        return np.tile(CLAY, (len(face), 1))
    return surface_colors(mesh, face, np.einsum("nk,nkd->nd", weights, np.asarray(mesh.vertices)[corners]))
