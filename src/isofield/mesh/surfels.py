"""Unoriented points as small discs: a surface to measure distances to before any sign is known."""

import numpy as np
from jaxtyping import Float, Shaped
from scipy.spatial import cKDTree

from isofield.mesh.distance import Closest

PLANE = 12  # neighbours that a tangent plane is fitted to
COVER = 4  # the disc of a point reaches to this neighbour: 98 % of a random sampling is then covered
CHUNK = 1 << 16


class Surfels:
    """Points, each with a disc in the plane fitted to its neighbours (Hoppe et al. 1992), normals without a side.

    The distance to the nearest point alone is never zero between points, half a spacing off; that to its disc is off
    by a spacing squared times the curvature.
    """

    def __init__(self, points: Shaped[np.ndarray, "n 3"]):
        self.points = np.ascontiguousarray(np.unique(np.asarray(points, np.float64), axis=0))
        if len(self.points) < 4:
            raise ValueError(f"{len(self.points)} different points make no surface")
        self.tree = cKDTree(self.points)
        rows = range(0, len(self.points), CHUNK)
        discs = [_discs(self.tree, self.points[i : i + CHUNK]) for i in rows]
        self.normals, self.radius = (np.concatenate(parts) for parts in zip(*discs, strict=True))

    def closest(self, points: Shaped[np.ndarray, "m 3"]) -> Closest:
        """Unsigned distance to the disc of the nearest point, the index of that point, the place on its disc."""
        points = np.asarray(points, np.float64)
        _, index = self.tree.query(points)
        offset, normal = points - self.points[index], self.normals[index]
        lateral = offset - np.einsum("nd,nd->n", offset, normal)[:, None] * normal
        length = np.linalg.norm(lateral, axis=1)
        lateral *= np.minimum(1, self.radius[index] / np.maximum(length, 1e-300))[:, None]
        return Closest(np.linalg.norm(offset - lateral, axis=1), index, self.points[index] + lateral)


def _discs(tree: cKDTree, points: np.ndarray) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Normal (of either side) and radius of each disc."""
    distance, near = tree.query(points, min(PLANE, tree.n - 1) + 1)
    spread = tree.data[near] - tree.data[near].mean(1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))
    return axes[:, :, 0], distance[:, min(COVER, distance.shape[1] - 1)]
