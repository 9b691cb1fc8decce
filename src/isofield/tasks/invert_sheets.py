"""Pictures of what `isofield invert` found: beside those that were given, and from other sides."""

import math

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from isofield.models.geogen import GeoGen
from isofield.models.inversion import Inversion
from isofield.models.pictures import photographed
from isofield.render.camera import Camera
from isofield.render.pictures import AnyPicture, side_by_side
from isofield.render.shade import picture
from isofield.render.sheet import captioned

CELL, TURN, ROWS = 192, 160, 4  # pixels of a picture in sheets and in the turntable; rows of the preview
SIDES, FRAMES = 8, 24  # pictures all around in a sheet and in the turntable
FINE = 128  # pixels a side of pictures that nothing refines


def compared(inversion: Inversion, generator: GeoGen, mesh: trimesh.Trimesh) -> AnyPicture:
    """Rows of a given picture, what its latent gives, what the tuned generator gives, and the mesh, from one side."""
    rows = []
    labels, tuned = inversion.labels().detach().cpu(), inversion.looks()
    for index, label in list(enumerate(labels))[:ROWS]:
        seen = (inversion.sitting.pictures[index], inversion.found[index], tuned[index])
        rows.append([*(resized(as_bytes(one), CELL) for one in seen), _mesh(generator, mesh, label, CELL)])
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return side_by_side(columns, ["given", "latent", "tuned", "mesh"])


def turned_views(generator: GeoGen, mesh: trimesh.Trimesh, label: Float[Tensor, "25"]) -> AnyPicture:
    """Pictures and meshes from all around, beginning with the camera of the label."""
    labels = [turned(label, 360 * k / SIDES) for k in range(SIDES)]
    seen = [resized(shot, CELL) for shot in photographs(generator, labels)]
    meshes = [_mesh(generator, mesh, one, CELL) for one in labels]
    columns = [np.concatenate(pair) for pair in zip(seen, meshes, strict=True)]
    return captioned(columns, [f"{360 * k / SIDES:.0f}°" for k in range(SIDES)])


def turntable(generator: GeoGen, label: Float[Tensor, "25"]) -> list[AnyPicture]:
    """Pictures of a whole turn."""
    labels = [turned(label, 360 * k / FRAMES) for k in range(FRAMES)]
    return [resized(shot, TURN) for shot in photographs(generator, labels)]


@torch.no_grad()
def photographs(generator: GeoGen, labels: list[Float[Tensor, "25"]]) -> list[AnyPicture]:
    """Of the mean style, which is the one found."""
    a, w = generator.architecture, generator.mapping.mean[None]
    scenes, background = generator.scenes(w), torch.tensor(generator.studio.background)
    raw = max(a.raw, FINE) if generator.refine is None else None
    shots = (photographed(generator, scenes, w, one[None], background, jitter=False, raw=raw) for one in labels)
    return [as_bytes(shot.picture[0]) for shot in shots]


def turned(label: Float[Tensor, "25"], degrees: float) -> Float[Tensor, "25"]:
    """The camera carried around the world's y axis, to the right as the front sees it."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    around = label.new_tensor([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]])
    return torch.cat([(around @ label[:16].view(4, 4)).flatten(), label[16:]])


def _mesh(generator: GeoGen, mesh: trimesh.Trimesh, label: Float[Tensor, "25"], size: int) -> AnyPicture:
    values = label.double().numpy()
    intrinsics = np.diag([size, size, 1.0]) @ values[16:].reshape(3, 3)
    return picture(mesh, Camera(values[:16].reshape(4, 4), intrinsics, size, size), frame=generator.frame)


def as_bytes(values: Float[Tensor, "3 s s"]) -> AnyPicture:
    return ((values.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()


def resized(image: AnyPicture, size: int) -> AnyPicture:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
