"""What may be called closed, manifold and oriented: one audit, on triangles, with equal vertices merged."""

from dataclasses import asdict, dataclass
from os import PathLike

import numpy as np
import trimesh
from jaxtyping import Float, Integer
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from isofield.mesh.read import read_mesh, weld_arrays


@dataclass(frozen=True)
class Audit:
    """Topology of a triangle mesh after merging bitwise equal vertices.

    watertight: every directed edge occurs once and its reverse once, and no face is degenerate; manifold: every edge
    has at most two faces and the faces around every vertex form one fan; oriented: no directed edge occurs twice;
    components: pieces connected by shared vertices; euler: V - E + F; volume: signed, positive if faces look outward
    (user units cubed; meaningful for closed meshes); the rest are counts.
    """

    watertight: bool
    manifold: bool
    oriented: bool
    components: int
    euler: int
    volume: float
    vertices: int
    faces: int
    boundary_edges: int
    nonmanifold_edges: int
    nonmanifold_vertices: int
    degenerate_faces: int
    duplicate_faces: int

    def to_json(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Edges:
    """Undirected edges of a mesh: `ends` (e, 2), and for each edge the number of faces that run along it up and down.

    of_corner (3 f,): edge that starts at each corner of each face, row by row; up (3 f,): it runs to the larger vertex.
    """

    ends: Integer[np.ndarray, "e 2"]
    forward: Integer[np.ndarray, " e"]
    backward: Integer[np.ndarray, " e"]
    of_corner: Integer[np.ndarray, " c"]
    up: np.ndarray

    @property
    def faces(self) -> Integer[np.ndarray, " e"]:
        """Number of faces at each edge."""
        return self.forward + self.backward


def audit(mesh: trimesh.Trimesh) -> Audit:
    """Audit the mesh with bitwise equal vertices merged; its colours and unused vertices play no part."""
    return audit_arrays(*weld_arrays(np.asarray(mesh.vertices), np.asarray(mesh.faces)))


def audit_file(path: str | PathLike) -> Audit:
    """Audit what a reader finds in the file; raises InputError as `read_mesh` does."""
    return audit(read_mesh(path))


def audit_arrays(vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]) -> Audit:
    """Audit triangles whose equal vertices are already merged; every vertex is used."""
    degenerate = degenerate_faces(faces)
    duplicates = len(faces) - len(np.unique(face_keys(faces, len(vertices))))
    edges = edges_of(faces[~degenerate], len(vertices))
    pinched = _pinched_vertices(faces[~degenerate], edges, len(vertices))
    used, count = len(np.unique(faces)), edges.faces
    twice = np.maximum(edges.forward, edges.backward) > 1
    return Audit(
        watertight=bool(
            len(faces) and not degenerate.any() and (edges.forward == 1).all() and (edges.backward == 1).all()
        ),
        manifold=bool(len(faces) and not degenerate.any() and (count <= 2).all() and not pinched),
        oriented=not bool(twice.any()),
        components=len(np.unique(vertex_components(faces, len(vertices))[faces[:, 0]])),
        euler=used - len(edges.ends) + int((~degenerate).sum()),
        volume=signed_volume(vertices, faces),
        vertices=used,
        faces=len(faces),
        boundary_edges=int((count == 1).sum()),
        nonmanifold_edges=int((count > 2).sum()),
        nonmanifold_vertices=pinched,
        degenerate_faces=int(degenerate.sum()),
        duplicate_faces=duplicates,
    )


def degenerate_faces(faces: Integer[np.ndarray, "f 3"]) -> np.ndarray:
    """(f,) bool: faces with two equal corners."""
    a, b, c = faces.T
    return (a == b) | (b == c) | (c == a)


def face_keys(faces: Integer[np.ndarray, "f 3"], vertices: int) -> np.ndarray:
    """One value per set of three corners, whatever their order: equal for repeated faces, turned ones too."""
    low, middle, high = np.sort(faces.astype(np.int64), axis=1).T
    if vertices < 1 << 21:
        return (low << 42) | (middle << 21) | high
    return np.ascontiguousarray(np.stack([low, middle, high], 1)).view("V24").reshape(-1)


def edges_of(faces: Integer[np.ndarray, "f 3"], vertices: int) -> Edges:
    """The undirected edges of faces without equal corners."""
    start, end = faces.reshape(-1).astype(np.int64), np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)
    up = start < end
    key = np.where(up, start, end) * vertices + np.where(up, end, start)
    unique, of_corner = np.unique(key, return_inverse=True)
    forward = np.bincount(of_corner[up], minlength=len(unique))
    backward = np.bincount(of_corner[~up], minlength=len(unique))
    return Edges(np.stack(np.divmod(unique, max(vertices, 1)), 1), forward, backward, of_corner, up)


def vertex_components(faces: Integer[np.ndarray, "f 3"], vertices: int) -> np.ndarray:
    """(v,) label of the piece that each vertex belongs to; pieces touch in no vertex."""
    ends = np.concatenate([faces[:, :2], faces[:, 1:]])
    return linked(ends[:, 0], ends[:, 1], vertices)


def signed_volume(vertices: Float[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]) -> float:
    """Sum of signed tetrahedra over the centre of the vertices (the divergence theorem)."""
    a, b, c = np.moveaxis((vertices - vertices.mean(0))[faces], 1, 0)
    return float(np.einsum("nd,nd->", a, np.cross(b, c)) / 6)


def linked(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """(count,) label of the group of each of `count` things, when first[i] and second[i] belong together."""
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _pinched_vertices(faces: np.ndarray, edges: Edges, vertices: int) -> int:
    """Number of vertices whose corners do not form one fan; corners at a vertex are linked across the edges there."""
    corners = faces.reshape(-1)
    own, following = np.arange(len(corners)), np.roll(np.arange(len(corners)).reshape(-1, 3), -1, axis=1).reshape(-1)
    smaller, larger = np.where(edges.up, own, following), np.where(edges.up, following, own)
    order = np.argsort(edges.of_corner)
    same = edges.of_corner[order[1:]] == edges.of_corner[order[:-1]]
    one, other = order[1:][same], order[:-1][same]  # corners where neighbours begin a common edge
    first, second = (np.concatenate([smaller[side], larger[side]]) for side in (one, other))
    fans = linked(first, second, len(corners))
    vertex_of_fan = np.zeros(fans.max(initial=-1) + 1, np.int64)
    vertex_of_fan[fans] = corners
    return int((np.bincount(vertex_of_fan, minlength=vertices) > 1).sum())
