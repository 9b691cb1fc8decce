"""A mesh to pictures with exact truth: colour, depth, normals, mask; the same code on any device. (Imports torch.)"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from isofield.frame import UnitFrame
from isofield.mesh.color import to_linear, to_srgb
from isofield.mesh.paint import CLAY, Paint, paint_of
from isofield.render import shade_kernel
from isofield.render.camera import Camera
from isofield.render.light import Light, studio
from isofield.render.normals import corner_normals
from isofield.render.rasterize import Fragments, rasterize
from isofield.render.textures import Textures, by_table, linear_table, look_up, pack

WHITE = (1.0, 1.0, 1.0)
SAMPLES = 3  # per pixel along each side
STUDIO = studio()
TINY = 1e-12
LEVELS = 65535
BYTES = np.round(255 * to_srgb(np.linspace(0, 1, LEVELS + 1))).astype(np.uint8)  # of linear light in so many levels


class Rendering(NamedTuple):
    """What a camera sees.

    color: sRGB; depth: distance along the ray through the pixel's centre, float32, infinite where nothing is hit;
    normal: of the world, unit, towards the camera, zero where nothing is hit; mask: what is hit.
    """

    color: UInt8[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    normal: Float[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"]


class Skin(NamedTuple):
    """Pictures on faces. picture: its number, -1 for none; density: texels per unit of length."""

    picture: Int[Tensor, " f"]
    uv: Float[Tensor, "f 3 2"]
    density: Float[Tensor, " f"]
    textures: Textures


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh made ready once, to be drawn from many sides.

    Per face and corner: normals, base colours (sRGB), tint (linear factors); table: sRGB to linear light.
    """

    vertices: Float[Tensor, "v 3"]
    faces: Int[Tensor, "f 3"]
    normals: Float[Tensor, "f 3 3"]
    base: Float[Tensor, "f 3 3"]
    tint: Float[Tensor, "f 3 3"] | None
    skin: Skin | None
    table: Float[Tensor, " n"]

    @classmethod
    def of(
        cls,
        mesh: trimesh.Trimesh,
        frame: UnitFrame | None = None,
        *,
        device: str = "cpu",
        plain: tuple[float, float, float] = CLAY,
    ) -> "Surface":
        """frame: takes the mesh to the cameras' world (default: it is there already); plain: sRGB of a mesh without."""
        vertices, where = (frame or UnitFrame()).to_unit(mesh.vertices), torch.device(device)
        faces, paint = np.array(mesh.faces, np.int64).reshape(-1, 3), paint_of(mesh, plain)
        return cls(
            torch.as_tensor(vertices, device=where),
            torch.as_tensor(faces, device=where),
            torch.as_tensor(corner_normals(vertices, faces), dtype=torch.float32, device=where),
            torch.as_tensor(paint.base, dtype=torch.float32, device=where),
            None if paint.tint is None else torch.as_tensor(paint.tint, device=where),
            _skin(vertices[faces], paint, where),
            linear_table(where),
        )


def render(
    surface: Surface,
    camera: Camera,
    *,
    light: Light = STUDIO,
    background: tuple[float, float, float] = WHITE,
    samples: int = SAMPLES,
) -> Rendering:
    """Both sides of each face are seen and lit. background: sRGB in [0, 1].

    samples: per pixel along each side, odd, so that one lies at the pixel's centre: depth, normal and mask are taken
    there, the colour is the mean in linear light.
    """
    if samples < 1 or samples % 2 == 0:
        raise ValueError(f"samples must be odd, not {samples}")
    large = camera.enlarged(samples)
    fragments = rasterize(surface.vertices, surface.faces, large)
    shade = _shade_compiled if surface.vertices.device.type == "cpu" else shade_torch
    color, normal = shade(surface, fragments, large, light, to_linear(np.array(background)), samples)
    middle = samples // 2
    depth = fragments.depth[middle::samples, middle::samples].contiguous().cpu().numpy()
    return Rendering(BYTES[np.round(color * LEVELS).astype(np.uint16)], depth, normal, np.isfinite(depth))


def shade_torch(
    surface: Surface,
    fragments: Fragments,
    camera: Camera,
    light: Light,
    background: Float[np.ndarray, "3"],
    samples: int,
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"]]:
    """Mean linear light of each pixel's samples, and the normal at its middle, on any device.

    camera: of the samples; background: linear.
    """
    hit = (fragments.face.reshape(-1) >= 0).nonzero()[:, 0]
    face, weights = fragments.face.reshape(-1)[hit], fragments.barycentric.reshape(-1, 3)[hit]
    normals = _normals(surface, face, weights, hit, camera)
    shaded = _colors(surface, face, weights, fragments.depth.reshape(-1)[hit], camera) * _light(normals, light)
    empty = torch.as_tensor(background, dtype=torch.float32, device=hit.device).repeat(camera.height * camera.width, 1)
    shape = (camera.height // samples, samples, camera.width // samples, samples, 3)
    color = empty.index_copy(0, hit, shaded.clamp(0, 1)).view(shape).mean((1, 3))
    spread = torch.zeros_like(empty).index_copy(0, hit, normals).view(shape)
    return color.cpu().numpy(), spread[:, samples // 2, :, samples // 2].contiguous().cpu().numpy()


def _shade_compiled(
    surface: Surface, fragments: Fragments, camera: Camera, light: Light, background: np.ndarray, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    skin, none = surface.skin, np.zeros((0, 3, 3), np.float32)
    pictured = (none[:, 0, 0].astype(np.int64), none[:, :, :2], none[:, 0, 0], np.zeros((0, 3), np.uint8),
                *[np.zeros((0, 1), np.int64)] * 3, np.zeros(0, np.int64))  # fmt: skip
    if skin is not None:
        pictured = tuple(part.numpy() for part in (skin.picture, skin.uv, skin.density, *skin.textures))
    sky, ground = np.array(light.sky), np.array(light.ground)
    lamps = np.array([lamp.direction for lamp in light.lamps]).reshape(-1, 3)
    strengths = np.array([lamp.color for lamp in light.lamps]).reshape(-1, 3)
    color = np.zeros((camera.height // samples, camera.width // samples, 3))
    normal = np.zeros(color.shape, np.float32)
    shade_kernel.shade(
        *(part.numpy() for part in fragments), camera.camera_to_world[:3, :3] @ np.linalg.inv(camera.intrinsics),
        float(camera.intrinsics[0, 0]), surface.normals.numpy(), surface.base.numpy(),
        none if surface.tint is None else surface.tint.numpy(), *pictured, surface.table.numpy(),
        np.outer(light.up, 0.5 * (sky - ground)), 0.5 * (sky + ground), lamps, strengths, background, samples,
        color, normal,
    )  # fmt: skip
    return color, normal


def _normals(surface: Surface, face: Tensor, weights: Tensor, hit: Tensor, camera: Camera) -> Tensor:
    """Unit normal at each sample, turned towards the camera."""
    normals = (weights[:, None] @ surface.normals[face])[:, 0]
    normals = normals / normals.norm(dim=1, keepdim=True).clamp_min(TINY)
    pixels = torch.stack([hit % camera.width + 0.5, hit.div(camera.width, rounding_mode="floor") + 0.5], dim=1)
    towards = camera.camera_to_world[:3, :3] @ np.linalg.inv(camera.intrinsics)
    rays = torch.as_tensor(towards, dtype=torch.float32, device=hit.device)
    away = (normals * (pixels.float() @ rays[:, :2].T + rays[:, 2])).sum(1, keepdim=True) > 0
    return torch.where(away, -normals, normals)


def _colors(surface: Surface, face: Tensor, weights: Tensor, depth: Tensor, camera: Camera) -> Tensor:
    """Linear light that a white light would bring back."""
    srgb = (weights[:, None] @ surface.base[face])[:, 0].clamp(0, 1)
    if surface.skin is not None:
        rows = (surface.skin.picture[face] >= 0).nonzero()[:, 0]
        on, uv = face[rows], (weights[rows, None] @ surface.skin.uv[face[rows]])[:, 0]
        texels = surface.skin.density[on] * depth[rows] / float(camera.intrinsics[0, 0])
        level = texels.clamp_min(1).log2().floor().long()
        srgb = srgb.index_copy(0, rows, look_up(surface.skin.textures, surface.skin.picture[on], uv, level))
    linear = by_table(surface.table, srgb)
    return linear if surface.tint is None else linear * (weights[:, None] @ surface.tint[face])[:, 0]


def _light(normals: Tensor, light: Light) -> Tensor:
    sky, ground, up = (normals.new_tensor(value) for value in (light.sky, light.ground, light.up))
    total = (normals @ up)[:, None] * (0.5 * (sky - ground)) + 0.5 * (sky + ground)
    for lamp in light.lamps:
        total += (normals @ normals.new_tensor(lamp.direction)).clamp_min(0)[:, None] * normals.new_tensor(lamp.color)
    return total


def _skin(corners: Float[np.ndarray, "f 3 3"], paint: Paint, device: torch.device) -> Skin | None:
    if paint.picture is None or paint.uv is None or not paint.pictures:
        return None
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    u, v = paint.uv[:, 1] - paint.uv[:, 0], paint.uv[:, 2] - paint.uv[:, 0]
    size = np.array([picture.shape[0] * picture.shape[1] for picture in paint.pictures] + [0])[paint.picture]
    texels = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) * size
    density = np.sqrt(texels / np.maximum(area, TINY)).astype(np.float32)
    picture, uv, dense = (torch.as_tensor(part, device=device) for part in (paint.picture, paint.uv, density))
    return Skin(picture, uv, dense, pack(paint.pictures, device))
