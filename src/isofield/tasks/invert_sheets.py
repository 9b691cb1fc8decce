"""Pictures of what `isofield invert` found: beside those that were given, and from other sides."""

import numpy as np
import trimesh
from jaxtyping import Float
from torch import Tensor

from isofield.models.geogen import GeoGen
from isofield.models.inversion import Inversion
from isofield.render.camera import Camera
from isofield.render.pictures import AnyPicture, side_by_side
from isofield.render.shade import picture
from isofield.render.sheet import captioned
from isofield.tasks.generator_pictures import as_bytes, photographs, resized, turned

CELL, ROWS, SIDES = 192, 4, 8  # pixels of a picture; rows of the preview; pictures all around


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
    seen = [resized(shot.picture, CELL) for shot in photographs(generator, generator.mapping.mean, labels)]
    meshes = [_mesh(generator, mesh, one, CELL) for one in labels]
    columns = [np.concatenate(pair) for pair in zip(seen, meshes, strict=True)]
    return captioned(columns, [f"{360 * k / SIDES:.0f}°" for k in range(SIDES)])


def _mesh(generator: GeoGen, mesh: trimesh.Trimesh, label: Float[Tensor, "25"], size: int) -> AnyPicture:
    values = label.double().numpy()
    intrinsics = np.diag([size, size, 1.0]) @ values[16:].reshape(3, 3)
    return picture(mesh, Camera(values[:16].reshape(4, 4), intrinsics, size, size), frame=generator.frame)
