"""Triangles to pixels: a z-buffer in plain torch for any device, and compiled for processors. (Imports torch.)"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from isofield.render import raster_kernel
from isofield.render.camera import Camera

NEAR = 1e-2
FACES = 1 << 17  # faces at a time, and candidate (face, pixel) pairs at a time: bounds the memory
PAIRS = 1 << 17
EMPTY = torch.iinfo(torch.int64).max


class Fragments(NamedTuple):
    """What each pixel sees: face (h, w), -1 for nothing; barycentric coordinates in it (h, w, 3); distance along the
    ray (h, w), infinite for nothing."""

    face: Int[Tensor, "h w"]
    barycentric: Float[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]


def rasterize(
    vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], camera: Camera, *, near: float = NEAR
) -> Fragments:
    """Nearest face at each pixel centre; both sides of a face are seen, what is nearer than `near` is cut away.

    Homogeneous edge functions (Olano and Greer 1997): with corners a, b, c in camera space, the ray d through a pixel
    meets the plane at barycentric coordinates proportional to d.(b x c), d.(c x a), d.(a x b). No projection, so faces
    that cross the camera's plane need no splitting, and an edge shared by two faces leaves no gap: its two values are
    exact opposites. Ties go to the lower face index; the result does not depend on the order of execution.

    What lies on a processor is drawn by the compiled twin of `rasterize_torch`.
    """
    if vertices.device.type == "cpu":
        return _rasterize_compiled(vertices, faces, camera, near)
    return rasterize_torch(vertices, faces, camera, near=near)


def rasterize_torch(
    vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], camera: Camera, *, near: float = NEAR
) -> Fragments:
    """`rasterize` in plain torch, on any device."""
    local, rays = _to_camera(vertices, camera), _pixel_rays(camera, vertices)
    keys = torch.full((camera.height * camera.width,), EMPTY, device=vertices.device)
    for start in range(0, len(faces), FACES):
        corners = local[faces[start : start + FACES]]
        boxes = _pixel_boxes(corners, camera, near)
        busy = (boxes[:, 2] * boxes[:, 3]).nonzero()[:, 0]
        edges, determinant = _edge_functions(corners[busy], rays)
        _draw(keys, edges, determinant, boxes[busy], busy + start, camera, near)
    return _fragments(keys, local, faces, rays, camera)


def _rasterize_compiled(vertices: Tensor, faces: Tensor, camera: Camera, near: float) -> Fragments:
    points, corners = vertices.double().contiguous().numpy(), faces.contiguous().numpy()
    pose, shape = np.asarray(camera.camera_to_world, np.float64), (camera.height, camera.width)
    intrinsics = np.ascontiguousarray(camera.intrinsics, np.float64)
    local, seen, rays = np.empty_like(points), np.empty_like(points), np.linalg.inv(intrinsics)
    eye, rotation = pose[:3, 3].copy(), pose[:3, :3].copy()
    nearest, face = np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int64)
    barycentric, depth = np.zeros((*shape, 3), np.float32), np.full(shape, np.inf, np.float32)
    if raster_kernel.project(points, eye, rotation, intrinsics, float(near), local, seen):
        raster_kernel.draw(seen, corners, nearest, face)
        raster_kernel.look_closer(local, seen, corners, face, barycentric, depth)
    else:
        raster_kernel.draw_clipped(local, seen, corners, intrinsics, rays, float(near), nearest, face)
        raster_kernel.look_closer_clipped(local, corners, rays, face, barycentric, depth)
    return Fragments(torch.from_numpy(face), torch.from_numpy(barycentric), torch.from_numpy(depth))


def _to_camera(vertices: Tensor, camera: Camera) -> Tensor:
    rotation = torch.as_tensor(camera.camera_to_world[:3, :3], dtype=torch.float64, device=vertices.device)
    eye = torch.as_tensor(camera.camera_to_world[:3, 3], dtype=torch.float64, device=vertices.device)
    return (vertices.double() - eye) @ rotation


def _pixel_rays(camera: Camera, like: Tensor) -> Tensor:
    """(3, 3): maps (x, y, 1) in pixels to the direction whose forward component is 1."""
    return torch.linalg.inv(torch.as_tensor(camera.intrinsics, dtype=torch.float64)).to(like.device)


def _edge_functions(corners: Tensor, rays: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients (f, 3, 3) such that edge = coefficients @ (x, y, 1), all positive inside; |determinant| (f,)."""
    a, b, c = corners.unbind(1)
    normals = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=1)
    determinant = (a * normals[:, 0]).sum(1)
    return normals @ rays * determinant.sign()[:, None, None], determinant.abs()


def _pixel_boxes(corners: Tensor, camera: Camera, near: float) -> Tensor:
    """First column and row, number of columns and rows (f, 4) of the pixel centres that each clipped face may cover."""
    points = torch.cat([corners, _near_crossings(corners, near)], dim=1)
    visible = points[..., 2] >= near * (1 - 1e-9)
    projected = points @ torch.as_tensor(camera.intrinsics, dtype=torch.float64, device=points.device).T
    pixels = projected[..., :2] / projected[..., 2:].clamp_min(near / 2)
    size = torch.tensor([camera.width, camera.height], dtype=torch.float64, device=points.device)
    low = pixels.masked_fill(~visible[..., None], torch.inf).amin(1)
    high = pixels.masked_fill(~visible[..., None], -torch.inf).amax(1)
    first = (low - 0.5 - 1e-6).ceil().clamp_min(0).minimum(size)
    last = (high - 0.5 + 1e-6).floor().minimum(size - 1).clamp_min(-1)
    return torch.cat([first, (last - first + 1).clamp_min(0)], dim=1).long()


def _near_crossings(corners: Tensor, near: float) -> Tensor:
    """Where the three edges meet the near plane (f, 3, 3); behind the camera where they do not."""
    start, end = corners, corners.roll(-1, dims=1)
    rise = end[..., 2] - start[..., 2]
    t = (near - start[..., 2]) / torch.where(rise == 0, torch.ones_like(rise), rise)
    crosses = (start[..., 2] < near) != (end[..., 2] < near)
    points = start + t[..., None] * (end - start)
    return torch.where(crosses[..., None], points, torch.full_like(points, -1.0))


def _draw(
    keys: Tensor, edges: Tensor, determinant: Tensor, boxes: Tensor, names: Tensor, camera: Camera, near: float
) -> None:
    """Lower each pixel's key to the smallest (depth, face), packed into one integer: floats sort as their bits."""
    counts = boxes[:, 2] * boxes[:, 3]
    ends = counts.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, PAIRS):
        index = torch.arange(start, min(start + PAIRS, total), device=keys.device)
        row = torch.searchsorted(ends, index, right=True)
        within = index - ends[row] + counts[row]
        x = boxes[row, 0] + within % boxes[row, 2]
        y = boxes[row, 1] + within // boxes[row, 2]
        weights = _weights(edges[row], x, y)
        z = determinant[row] / weights.sum(1)
        seen = (weights >= 0).all(1) & (z >= near) & (z < torch.inf)
        key = (z[seen].float().view(torch.int32).long() << 32) | names[row[seen]]
        keys.scatter_reduce_(0, (y * camera.width + x)[seen], key, "amin")


def _weights(edges: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return edges[..., 0] * (x + 0.5)[:, None] + edges[..., 1] * (y + 0.5)[:, None] + edges[..., 2]


def _fragments(keys: Tensor, local: Tensor, faces: Tensor, rays: Tensor, camera: Camera) -> Fragments:
    hit = (keys != EMPTY).nonzero()[:, 0]
    seen = keys[hit] & 0xFFFFFFFF
    corners = local[faces[seen]]
    weights = _weights(_edge_functions(corners, rays)[0], hit % camera.width, hit // camera.width)
    weights = weights / weights.sum(1, keepdim=True)
    distance = (weights[..., None] * corners).sum(1).norm(dim=1)
    shape = (camera.height, camera.width)
    face = torch.full_like(keys, -1).index_copy(0, hit, seen)
    barycentric = local.new_zeros((len(keys), 3)).index_copy(0, hit, weights).float()
    depth = local.new_full((len(keys),), torch.inf).index_copy(0, hit, distance).float()
    return Fragments(face.view(shape), barycentric.view(*shape, 3), depth.view(shape))
