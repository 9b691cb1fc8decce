"""Colours of a mesh at points of its surface, whatever way they are stored: texture, vertex, face or material."""

from typing import Literal

import numpy as np
import trimesh
from jaxtyping import Float, Integer, Num, Shaped
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import Material, MultiMaterial, PBRMaterial, SimpleMaterial, color_image

ColorKind = Literal["none", "vertex", "face", "texture"]
TINT = "color"  # TextureVisuals.vertex_attributes[TINT]: linear RGB that multiplies the texture (glTF's COLOR_0)
UNPAINTED = 0.5  # sRGB grey of a mesh or part without any colour


def to_linear(srgb: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s"]:
    """sRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Float[np.ndarray, "*s"]) -> Float[np.ndarray, "*s"]:
    """Linear light in [0, 1] to sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def color_kind(mesh: trimesh.Trimesh) -> ColorKind:
    """How the mesh stores its colour; a plain coloured material counts as "face"."""
    visual = mesh.visual
    if isinstance(visual, ColorVisuals):
        return {"vertex": "vertex", "face": "face"}.get(visual.kind or "", "none")  # type: ignore[return-value]
    if not isinstance(visual, TextureVisuals):
        return "none"
    if (
        visual.uv is not None
        and len(visual.uv)
        and any(image_of(material) is not None for material in materials_of(visual))
    ):
        return "texture"
    return "face" if any(_is_painted(material) for material in materials_of(visual)) else "none"


def surface_colors(
    mesh: trimesh.Trimesh, face_index: Integer[np.ndarray, " n"], points: Num[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """sRGB in [0, 1] at surface points, each on the given face of `mesh.faces`; grey where the mesh has no colour.

    Textures are read bilinearly and repeat; corner values are weighted with the barycentric coordinates of the point.
    """
    visual = mesh.visual
    if isinstance(visual, ColorVisuals) and visual.kind == "face":
        return np.asarray(visual.face_colors)[face_index, :3] / 255.0
    corners = np.asarray(mesh.faces)[face_index]
    weights = barycentric(np.asarray(mesh.vertices)[corners], points)
    if isinstance(visual, ColorVisuals) and visual.kind == "vertex":
        return np.einsum("nk,nkc->nc", weights, np.asarray(visual.vertex_colors)[corners, :3] / 255.0)
    if isinstance(visual, TextureVisuals):
        return _material_colors(visual, face_index, corners, weights)
    return np.full((len(points), 3), UNPAINTED)


def barycentric(triangles: Float[np.ndarray, "n 3 3"], points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Barycentric coordinates of points on their triangles, clipped to them; the first corner if there is no area."""
    a, u, v = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    w = points - a
    uu, uv, vv = (np.einsum("nd,nd->n", *pair) for pair in ((u, u), (u, v), (v, v)))
    wu, wv = np.einsum("nd,nd->n", w, u), np.einsum("nd,nd->n", w, v)
    area = uu * vv - uv * uv
    safe = np.where(area > 0, area, 1)
    second, third = (vv * wu - uv * wv) / safe, (uu * wv - uv * wu) / safe
    second, third = np.where(area > 0, second, 0), np.where(area > 0, third, 0)
    weights = np.clip(np.stack([1 - second - third, second, third], 1), 0, 1)
    return weights / weights.sum(1, keepdims=True)


def bilinear(image: Shaped[np.ndarray, "h w c"], uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n c"]:
    """Texture look-up with repeat wrap; (0, 0) is the image's lower left corner, texel centres lie at half integers."""
    height, width = image.shape[:2]
    position = np.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height], 1) - 0.5
    low = np.floor(position).astype(np.int64)
    fraction = (position - low)[:, :, None]
    x0, x1 = low[:, 0] % width, (low[:, 0] + 1) % width
    y0, y1 = low[:, 1] % height, (low[:, 1] + 1) % height
    top = image[y0, x0] * (1 - fraction[:, 0]) + image[y0, x1] * fraction[:, 0]
    bottom = image[y1, x0] * (1 - fraction[:, 0]) + image[y1, x1] * fraction[:, 0]
    return top * (1 - fraction[:, 1]) + bottom * fraction[:, 1]


def _material_colors(
    visual: TextureVisuals, face_index: np.ndarray, corners: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    colors = np.full((len(face_index), 3), UNPAINTED)
    uv = None if visual.uv is None or not len(visual.uv) else np.einsum("nk,nkd->nd", weights, visual.uv[corners])
    which = np.zeros(len(face_index), int)
    if isinstance(visual.material, MultiMaterial):
        which = np.asarray(visual.face_materials)[face_index]
    for index, material in enumerate(materials_of(visual)):
        rows = which == index
        if rows.any():
            colors[rows] = _one_material(material, None if uv is None else uv[rows], int(rows.sum()))
    tint = visual.vertex_attributes.get(TINT)
    if tint is not None and len(tint):
        linear_tint = np.einsum("nk,nkc->nc", weights, np.asarray(tint, np.float64)[corners, :3])
        colors = to_srgb(to_linear(colors) * linear_tint)
    return np.clip(colors, 0, 1)


def _one_material(material: Material, uv: np.ndarray | None, count: int) -> np.ndarray:
    image = image_of(material)
    if image is None or uv is None:
        return np.tile(base_color(material), (count, 1))
    color = bilinear(np.asarray(image if image.mode == "RGB" else image.convert("RGB")), uv) / 255.0
    if isinstance(material, PBRMaterial) and material.baseColorFactor is not None:
        color = to_srgb(to_linear(color) * (np.asarray(material.baseColorFactor)[:3] / 255.0))
    return color


def base_color(material: Material) -> np.ndarray:
    """sRGB colour of a material without texture: MTL's Kd is sRGB, glTF's baseColorFactor is linear."""
    if not _is_painted(material):
        return np.full(3, UNPAINTED)
    if isinstance(material, PBRMaterial):
        return to_srgb(np.asarray(material.baseColorFactor)[:3] / 255.0)
    return np.asarray(material.diffuse)[:3] / 255.0  # type: ignore[attr-defined]


def _is_painted(material: Material) -> bool:
    if isinstance(material, PBRMaterial):
        return material.baseColorFactor is not None
    return isinstance(material, SimpleMaterial) and not np.array_equal(material.diffuse, SimpleMaterial().diffuse)


def image_of(material: Material) -> Image.Image | None:
    """The picture, unless it is the grey 2 x 2 one that trimesh puts where a file names none."""
    image = material.baseColorTexture if isinstance(material, PBRMaterial) else getattr(material, "image", None)
    placeholder = image is not None and image.size == (2, 2) and np.array_equal(image, color_image())
    return None if placeholder else image


def materials_of(visual: TextureVisuals) -> list[Material]:
    """One, or those that `face_materials` counts."""
    return list(visual.material.materials) if isinstance(visual.material, MultiMaterial) else [visual.material]
