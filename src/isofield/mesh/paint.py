"""The colours of a mesh, whatever way they are stored, as what a renderer wants: values at corners, and pictures."""

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import MultiMaterial, PBRMaterial

from isofield.mesh.color import TINT, base_color, color_kind, image_of, materials_of

CLAY = (0.74, 0.76, 0.80)  # sRGB of a mesh without colours


@dataclass(frozen=True, eq=False)
class Paint:
    """Colour of a surface point: picture (or, without one, base) in linear light times tint.

    base (f, 3, 3): sRGB in [0, 1] at the corners of each face; tint (f, 3, 3): linear factors, None for 1; picture
    (f,): number of the picture, -1 for none; uv (f, 3, 2): origin at the picture's lower left, repeating; pictures:
    sRGB.
    """

    base: Float[np.ndarray, "f 3 3"]
    tint: Float[np.ndarray, "f 3 3"] | None = None
    picture: Int[np.ndarray, " f"] | None = None
    uv: Float[np.ndarray, "f 3 2"] | None = None
    pictures: tuple[UInt8[np.ndarray, "_ _ 3"], ...] = ()


def paint_of(mesh: trimesh.Trimesh, plain: tuple[float, float, float] = CLAY) -> Paint:
    """What `surface_colors` would look up, taken apart; `plain` (sRGB) for a mesh without any colour."""
    visual, faces = mesh.visual, np.asarray(mesh.faces)
    kind = color_kind(mesh)
    if kind == "none":
        return Paint(np.tile(np.array(plain, np.float32), (len(faces), 3, 1)))
    if isinstance(visual, TextureVisuals):
        return _material_paint(visual, faces, kind == "texture")
    assert isinstance(visual, ColorVisuals)
    if kind == "face":
        colors = np.asarray(visual.face_colors)[:, None, :3]
        return Paint(np.repeat(colors, 3, axis=1).astype(np.float32) / 255)
    return Paint(np.asarray(visual.vertex_colors)[faces][..., :3].astype(np.float32) / 255)


def _material_paint(visual: TextureVisuals, faces: np.ndarray, textured: bool) -> Paint:
    materials = materials_of(visual)
    which = np.zeros(len(faces), np.int64)
    if isinstance(visual.material, MultiMaterial):
        which = np.asarray(visual.face_materials, np.int64)
    images = [image_of(material) if textured else None for material in materials]
    number = np.cumsum([image is not None for image in images]) - 1
    picture = np.where([image is not None for image in images], number, -1)[which]
    base = np.array(
        [np.ones(3) if image else base_color(m) for m, image in zip(materials, images, strict=True)], np.float32
    )
    factor = np.array(
        [_factor(m) if image else np.ones(3) for m, image in zip(materials, images, strict=True)], np.float32
    )
    tint = np.repeat(factor[which][:, None], 3, axis=1)
    painted = visual.vertex_attributes.get(TINT)
    if painted is not None and len(painted):
        tint = tint * np.asarray(painted, np.float32)[faces][..., :3]
    return Paint(
        np.repeat(base[which][:, None], 3, axis=1),
        None if (tint == 1).all() else tint,
        picture,
        np.asarray(visual.uv, np.float32)[faces] if textured else np.zeros((len(faces), 3, 2), np.float32),
        tuple(np.asarray(image.convert("RGB")) for image in images if image is not None),
    )


def _factor(material: object) -> np.ndarray:
    """Linear factor on a material's picture (glTF's baseColorFactor)."""
    if isinstance(material, PBRMaterial) and material.baseColorFactor is not None:
        return np.asarray(material.baseColorFactor)[:3] / 255.0
    return np.ones(3)
