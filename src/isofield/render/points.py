"""Points as something to look at: a small square for each, in the plane of its neighbours."""

import numpy as np
import trimesh
from jaxtyping import Shaped

from isofield.mesh.paint import CLAY
from isofield.mesh.surfels import Surfels

MOST = 40_000


def squares(
    points: Shaped[np.ndarray, "n 3"], colors: Shaped[np.ndarray, "n 3"] | None = None, seed: int = 0
) -> trimesh.Trimesh:
    """A mesh of one square per point, as wide as the points are apart; of more than 40,000 points a random part.

    colors: sRGB in 0 .. 255.
    """
    points, first = np.unique(np.asarray(points, np.float64), axis=0, return_index=True)
    rows = np.random.default_rng(seed).permutation(len(points))[:MOST]
    surfels = Surfels(points[rows])  # sorted again as np.unique does
    rows = rows[np.lexsort(points[rows].T[::-1])]
    across = np.cross(surfels.normals, np.eye(3)[np.abs(surfels.normals).argmin(1)])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(surfels.normals, across)
    half = 0.4 * np.minimum(surfels.radius, 2 * np.median(surfels.radius))[:, None]
    corners = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    vertices = np.stack([surfels.points + half * (a * across + b * along) for a, b in corners], 1).reshape(-1, 3)
    faces = (4 * np.arange(len(rows))[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    shown = np.tile(np.round(np.array(CLAY) * 255), (len(rows), 1)) if colors is None else colors[first[rows]]
    rgba = np.repeat(np.column_stack([shown, np.full(len(rows), 255)]).astype(np.uint8), 4, axis=0)
    return trimesh.Trimesh(vertices, faces, process=False, vertex_colors=rgba)
