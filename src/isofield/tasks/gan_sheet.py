"""A sheet to see by how a generator is getting on: samples from several sides, their depth, normals and meshes."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from isofield.errors import IsofieldError
from isofield.frame import UnitFrame
from isofield.meshing.extract import extract
from isofield.models.geogen import GeoGen
from isofield.models.pictures import Shots, photographed
from isofield.render.camera import Camera
from isofield.render.colormap import ramp
from isofield.render.shade import picture
from isofield.render.volume import surface_normals

CELL, TAKEN = 96, 64  # pixels of a picture in the sheet, and as it is rendered where nothing refines it
SEEN = 0.5  # opacity from which a pixel has a depth and a normal
LATTICE = 48  # of the meshes
EDGE = 2  # white pixels between cells
Picture = UInt8[np.ndarray, "_ _ 3"]


def sheet(
    generator: GeoGen,
    cameras: list[Camera],
    labels: Float[Tensor, "v 25"],
    seeds: list[int],
    background: Float[Tensor, "3"],
    real: UInt8[np.ndarray, "s p p 3"] | None = None,
    truncation: float = 1.0,
) -> Picture:
    """A column for each seed; rows: pictures by each of the cameras, then depth, normals and mesh by the first.

    cameras and labels: the same ones, in the generator's unit frame. real: pictures to compare with, a row above all
    others. White where there is no surface.
    """
    columns = [_column(generator, cameras, labels, seed, background, truncation) for seed in seeds]
    if real is not None:
        columns = [[_resized(first), *column] for first, column in zip(real, columns, strict=True)]
    return np.concatenate([_stacked(column) for column in columns], axis=1)


@torch.no_grad()
def _column(
    generator: GeoGen, cameras: list[Camera], labels: Tensor, seed: int, background: Tensor, truncation: float
) -> list[Picture]:
    w = generator.latent(seed, truncation, labels[0])[None]
    scenes = generator.scenes(w)
    size = max(generator.architecture.raw, TAKEN) if generator.refine is None else None
    shots = [photographed(generator, scenes, w, label[None], background, jitter=False, raw=size) for label in labels]
    seen = [_resized(_bytes(shot.picture[0].permute(1, 2, 0))) for shot in shots]
    front = shots[0]
    side = front.raw.shape[-1]
    hit = (front.opacity[0] > SEEN).view(side, side)[..., None].cpu().numpy()
    normal = surface_normals(scenes, front.rays, front.depth)[0].view(side, side, 3).cpu().numpy()
    return [
        *seen,
        _resized(np.where(hit, _depth_colors(front, side), 255).astype(np.uint8)),
        _resized(np.where(hit, (normal + 1) * 127.5, 255).astype(np.uint8)),
        _mesh(generator, w[0], cameras[0]),
    ]


def _depth_colors(shots: Shots, side: int) -> Float[np.ndarray, "r r 3"]:
    """Near is dark; the scale goes through the unit ball."""
    depth = shots.depth[0].cpu().numpy()
    near = np.linalg.norm(shots.rays.origins[0, 0].cpu().numpy()) - 1
    return 255 * ramp(np.clip(1 - (depth - near) / 2, 0, 1)).reshape(side, side, 3)


def _mesh(generator: GeoGen, w: Tensor, camera: Camera) -> Picture:
    field = generator.scenes(w[None]).field(0, UnitFrame())
    try:
        mesh = extract(field, LATTICE).mesh
    except IsofieldError:  # no surface yet, or no longer
        return np.full((CELL, CELL, 3), 255, np.uint8)
    return picture(mesh, camera.resized(CELL, CELL), frame=UnitFrame())


def _bytes(values: Float[Tensor, "h w 3"]) -> Picture:
    return ((values.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()


def _resized(image: Picture) -> Picture:
    return np.asarray(Image.fromarray(image).resize((CELL, CELL), Image.Resampling.BICUBIC))


def _stacked(cells: list[Picture]) -> Picture:
    """One above the other."""
    framed = [np.pad(cell, ((EDGE, EDGE), (EDGE, EDGE), (0, 0)), constant_values=255) for cell in cells]
    return np.concatenate(framed)
