"""Contact sheets: many shapes in one picture. (Imports torch.)"""

from collections.abc import Iterable, Sequence
from os import PathLike

import numpy as np
import trimesh
from PIL import Image

from isofield.files import replacing
from isofield.render.pictures import AnyPicture, Picture, side_by_side, view

Views = Sequence[tuple[float, float]]


def contact_sheet(
    meshes: Iterable[trimesh.Trimesh], views: Views = ((35.0, 15.0),), size: int = 160, columns: int = 12
) -> Picture:
    """Rows of square pictures, each mesh (y up) seen from all `views`: (azimuth, elevation) in degrees."""
    cells = [
        np.concatenate([view(mesh, size, azimuth, elevation, up=(0, 1, 0)) for azimuth, elevation in views], axis=1)
        for mesh in meshes
    ]
    return _tiled(cells, max(columns // len(views), 1))


def captioned(pictures: Sequence[Picture], titles: Sequence[str], columns: int = 12) -> AnyPicture:
    """Rows of pictures of one size, each under its title."""
    return _tiled([side_by_side([image], [title]) for image, title in zip(pictures, titles, strict=True)], columns)


def save_gif(frames: Sequence[Picture], path: str | PathLike, seconds: float = 0.08) -> None:
    """Write pictures as an animation without end, whole or not at all; seconds: of each."""
    images = [Image.fromarray(frame) for frame in frames]
    with replacing(path) as temporary:
        images[0].save(temporary, "GIF", save_all=True, append_images=images[1:], duration=1000 * seconds, loop=0)


def _tiled(cells: list[AnyPicture], columns: int) -> AnyPicture:
    wide = min(columns, len(cells))
    blank = [np.full_like(cells[0], 255)] * (-len(cells) % wide)
    filled = cells + blank
    rows = [np.concatenate(filled[start : start + wide], axis=1) for start in range(0, len(filled), wide)]
    return np.concatenate(rows)
