"""What a reader finds in a file, part by part, and how the parts become one mesh without losing a colour."""

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, Integer
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import MultiMaterial, SimpleMaterial

from isofield.mesh.color import TINT, UNPAINTED, to_linear, to_srgb


@dataclass
class Part:
    """One piece of geometry with one material.

    vertices (v, 3) float64; faces (f, 3); uv (v, 2), origin at the lower left; image: sRGB texture;
    diffuse: sRGB in [0, 1] of the untextured material; colors (v, 3): sRGB in [0, 1], multiplied (in linear light) with
    image or diffuse; missing: name of a picture or material file that is not there; face_colors (f, 3): in the place of
    diffuse; dropped: how many faces with fewer than three corners were left out.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Integer[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "v 2"] | None = None
    image: Image.Image | None = None
    diffuse: Float[np.ndarray, " 3"] | None = None
    colors: Float[np.ndarray, "v 3"] | None = None
    missing: str | None = None
    face_colors: Float[np.ndarray, "f 3"] | None = None
    dropped: int = 0


class TintedTexture(TextureVisuals):
    """A texture multiplied with linear vertex colours; unlike its parent, copies keep the vertex colours."""

    def copy(self, uv: np.ndarray | None = None) -> "TintedTexture":
        copied = TintedTexture(self.uv if uv is None else uv, self.material.copy(), face_materials=self.face_materials)
        copied.vertex_attributes[TINT] = self.vertex_attributes[TINT].copy()
        return copied


def assemble(parts: list[Part]) -> trimesh.Trimesh:
    """One mesh of all parts: textures stay textures, otherwise vertex colours, otherwise one colour per face.

    `mesh.metadata["missing"]` lists the names of pictures and material files that are not there, "dropped" counts faces
    with fewer than three corners that were left out.
    """
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts])
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + offset for part, offset in zip(parts, offsets[:-1], strict=True)])
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    mesh.metadata["missing"] = sorted({part.missing for part in parts if part.missing})
    mesh.metadata["dropped"] = sum(part.dropped for part in parts)
    if any(part.image is not None for part in parts):
        mesh.visual = _textures(parts)
    elif any(part.colors is not None for part in parts):
        mesh.visual = ColorVisuals(mesh, vertex_colors=_bytes(np.concatenate([_vertex_colors(p) for p in parts])))
    elif any(part.diffuse is not None or part.face_colors is not None for part in parts):
        rows = [_face_colors(part) for part in parts]
        mesh.visual = ColorVisuals(mesh, face_colors=_bytes(np.concatenate(rows)))
    return mesh


def _textures(parts: list[Part]) -> TextureVisuals:
    uv = np.concatenate([np.zeros((len(p.vertices), 2)) if p.uv is None else p.uv for p in parts])
    keys = [("image", id(p.image)) if p.image is not None else ("plain", *_diffuse(p)) for p in parts]
    first = dict(reversed(list(zip(keys, parts, strict=True))))
    materials = [SimpleMaterial(image=p.image, diffuse=_bytes(_diffuse(p))) for p in first.values()]
    number = {key: index for index, key in enumerate(first)}
    chosen = np.concatenate([np.full(len(p.faces), number[key]) for key, p in zip(keys, parts, strict=True)])
    material, face_materials = (materials[0], None) if len(materials) == 1 else (MultiMaterial(materials), chosen)
    if all(p.colors is None or np.all(p.colors > 0.999) for p in parts):
        return TextureVisuals(uv, material, face_materials=face_materials)
    visual = TintedTexture(uv, material, face_materials=face_materials)
    visual.vertex_attributes[TINT] = np.concatenate([_tint(part) for part in parts])
    return visual


def _diffuse(part: Part) -> np.ndarray:
    if part.diffuse is not None:
        return part.diffuse
    return np.ones(3) if part.image is not None or part.colors is not None else np.full(3, UNPAINTED)


def _face_colors(part: Part) -> np.ndarray:
    return np.tile(_diffuse(part), (len(part.faces), 1)) if part.face_colors is None else part.face_colors


def _vertex_colors(part: Part) -> np.ndarray:
    if part.colors is None:
        return np.tile(_diffuse(part), (len(part.vertices), 1))
    return part.colors if part.diffuse is None else to_srgb(to_linear(part.colors) * to_linear(part.diffuse))


def _tint(part: Part) -> np.ndarray:
    return np.ones((len(part.vertices), 3)) if part.colors is None else to_linear(part.colors)


def _bytes(colors: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8)
