"""Contact sheets: many shapes in one picture. (Imports torch.)"""

from collections.abc import Iterable, Sequence

import numpy as np
import trimesh

from isofield.render.pictures import Picture, view

Views = Sequence[tuple[float, float]]


def contact_sheet(
    meshes: Iterable[trimesh.Trimesh], views: Views = ((35.0, 15.0),), size: int = 160, columns: int = 12
) -> Picture:
    """Rows of square pictures, each mesh (y up) seen from all `views`: (azimuth, elevation) in degrees."""
    cells = [
        np.concatenate([view(mesh, size, azimuth, elevation, up=(0, 1, 0)) for azimuth, elevation in views], axis=1)
        for mesh in meshes
    ]
    wide = min(max(columns // len(views), 1), len(cells))
    blank = [np.full_like(cells[0], 255)] * (-len(cells) % wide)
    filled = cells + blank
    rows = [np.concatenate(filled[start : start + wide], axis=1) for start in range(0, len(filled), wide)]
    return np.concatenate(rows)
