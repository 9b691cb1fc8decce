"""Exact signed distance to any set of triangles, closed or not."""

from collections.abc import Iterator
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
        _check(self.vertices, self.faces)
        self._tree = igl.AABB()
        self._tree.init(self.vertices, self.faces)
        self._winding = igl.FastWindingNumberBVH()
        self._winding.init(self.vertices, self.faces)

    def closest(self, points: Shaped[np.ndarray, "n 3"]) -> Closest:
        """Unsigned distance, nearest face and nearest surface point of each query."""
        squared, face, point = np.empty(len(points)), np.empty(len(points), np.int64), np.empty((len(points), 3))
        for rows, chunk in _chunks(points):
            squared[rows], face[rows], point[rows] = self._tree.squared_distance(self.vertices, self.faces, chunk)
        return Closest(np.sqrt(squared), face, point)

    def winding_number(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """1 inside a closed outward-facing mesh, 0 outside; in between where the mesh has holes."""
        winding = np.empty(len(points))
        for rows, chunk in _chunks(points):
            winding[rows] = self._winding.winding_number(chunk)
        return winding

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


def _check(vertices: np.ndarray, faces: np.ndarray) -> None:
    """The library below does not check its arguments and would end the process."""
    if not len(faces):
        raise ValueError("a mesh without triangles has no distance")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"a triangle uses vertex {faces.max()} (or {faces.min()}) of {len(vertices)}")
    if not np.isfinite(vertices).all():
        raise ValueError("vertices are not finite numbers")


def morton_order(points: Shaped[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
    """Order along a Z-curve of 1024^3 cells: points that are close in space follow each other, good for the cache."""
    low, extent = points.min(0), np.ptp(points, axis=0)
    cells = ((points - low) / np.where(extent > 0, extent, 1) * 1023).astype(np.int64)
    for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
        cells = (cells | (cells << shift)) & mask  # spreads ten bits to every third place
    return np.argsort(cells @ np.array([1, 2, 4]), kind="stable")


def _chunks(points: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, points[rows]) at most CHUNK at a time, each in Morton order: that nearly halves the time of a query."""
    for start in range(0, len(points), CHUNK):
        chunk = np.asarray(points[start : start + CHUNK], np.float64)
        if not np.isfinite(chunk).all():
            raise ValueError("the distance is asked at points that are not finite numbers")
        order = morton_order(chunk)
        yield start + order, np.ascontiguousarray(chunk[order])
