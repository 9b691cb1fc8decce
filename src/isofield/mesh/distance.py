"""Exact signed distance to any set of triangles, closed or not."""

from typing import TYPE_CHECKING, NamedTuple

import igl
import numpy as np
from jaxtyping import Float, Int, Shaped

if TYPE_CHECKING:
    from isofield.mesh.distance_warp import WarpMeshDistance

CHUNK = 1 << 18  # queries at a time: bounds the memory, whatever the number of points


class Closest(NamedTuple):
    """For each query: unsigned distance (n,), index of the closest face (n,), closest point (n, 3)."""

    distance: Float[np.ndarray, " n"]
    face: Int[np.ndarray, " n"]
    point: Float[np.ndarray, "n 3"]


class MeshDistance:
    """Distance to the nearest triangle (bounding-volume hierarchy) and generalised winding number; built once.

    The sign comes from the winding number at one half (Jacobson et al. 2013; Barill et al. 2018), so holes, soups and
    overlapping parts still have an inside. libigl's own `signed_distance` is not used: it scales the distance by
    1 - 2|w| and so returns no distance near imperfect meshes.
    """

    def __init__(self, vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"]):
        self.vertices = np.ascontiguousarray(vertices, np.float64)
        self.faces = np.ascontiguousarray(faces, np.int64)
        self._tree = igl.AABB()
        self._tree.init(self.vertices, self.faces)
        self._winding = igl.FastWindingNumberBVH()
        self._winding.init(self.vertices, self.faces)

    def closest(self, points: Shaped[np.ndarray, "n 3"]) -> Closest:
        """Unsigned distance, nearest face and nearest surface point of each query."""
        parts = [self._tree.squared_distance(self.vertices, self.faces, chunk) for chunk in _chunks(points)]
        squared, face, point = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Closest(np.sqrt(squared), face.astype(np.int64), point)

    def winding_number(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """1 inside a closed outward-facing mesh, 0 outside; in between where the mesh has holes."""
        return np.concatenate([self._winding.winding_number(chunk) for chunk in _chunks(points)])

    def sign(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """-1 inside, +1 outside."""
        return np.where(self.winding_number(points) > 0.5, -1.0, 1.0)

    def signed(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Signed distance, negative inside, in the units of the vertices."""
        return self.sign(points) * self.closest(points).distance


def mesh_distance(
    vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"], *, device: str = "cpu"
) -> "MeshDistance | WarpMeshDistance":
    """The same distance on the processor, or with the extra `[gpu]` on a device such as "cuda" or "cuda:1".

    Raises IsofieldError where Warp, or the device, is missing.
    """
    if device == "cpu":
        return MeshDistance(vertices, faces)
    from isofield.mesh.distance_warp import WarpMeshDistance

    return WarpMeshDistance(vertices, faces, device)


def _chunks(points: np.ndarray) -> list[np.ndarray]:
    points = np.ascontiguousarray(points, np.float64)
    return [points[i : i + CHUNK] for i in range(0, max(len(points), 1), CHUNK)]
