"""A marching-cubes mesh seen cell by cell: the discs that its faces form in each cell, and the segments between them.

A disc with a border of k segments may be cut into any triangles, among them a fan around a new vertex; and the two fan
triangles on both sides of a segment may be cut along the other diagonal, if no edge joins their tips yet. Neither
changes what is closed or manifold.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from isofield.mesh.audit import edges_of, linked
from isofield.meshing.lattice import Lattice


@dataclass(frozen=True)
class Patches:
    """Discs of faces within one cell, and the directed segments on their borders.

    of_face (f,): patch of each face; cell (p, 3): lattice index of each patch's cell; start, end (s,): vertices of each
    segment, as its patch's face runs along it; patch (s,): whose border it is on; twin (s,): the same segment seen from
    the patch beside it.
    """

    of_face: Int[np.ndarray, " f"]
    cell: Int[np.ndarray, "p 3"]
    start: Int[np.ndarray, " s"]
    end: Int[np.ndarray, " s"]
    patch: Int[np.ndarray, " s"]
    twin: Int[np.ndarray, " s"]


def patches(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], lattice: Lattice) -> Patches:
    """The patches of a mesh that marching cubes made on this lattice, vertices in the unit frame."""
    cell = np.floor((vertices[faces].mean(1) - lattice.origin) / lattice.spacing).astype(np.int64)
    key, edges = lattice.keys(cell), edges_of(faces, len(vertices))
    one, other = np.argsort(edges.of_corner, kind="stable").reshape(-1, 2).T  # both sides of each edge
    within = key[one // 3] == key[other // 3]
    of_face = linked(one[within] // 3, other[within] // 3, len(faces))
    sides = np.concatenate([one[~within], other[~within]])
    count = len(sides) // 2
    start, end = faces.reshape(-1)[sides], np.roll(faces, -1, axis=1).reshape(-1)[sides]
    first = np.unique(of_face, return_index=True)[1]
    twin = np.concatenate([np.arange(count) + count, np.arange(count)])
    return Patches(of_face, cell[first], start, end, of_face[sides // 3], twin)
