"""Face clean-up before distances are asked: what would spoil the winding number, and nothing else."""

from dataclasses import dataclass
from typing import NamedTuple

import igl
import numpy as np
import trimesh
from jaxtyping import Float, Integer, Num

from isofield.errors import InputError
from isofield.frame import UnitFrame
from isofield.mesh.audit import Edges, degenerate_faces, edges_of, face_keys, linked
from isofield.mesh.read import weld_arrays

MAX_WORK = 50_000_000  # closed patches times faces, beyond which patches that are inside out are not looked for


@dataclass(frozen=True)
class CleanUp:
    """What was done: kept (m,): the input face behind each face of the result; counts of faces; turned (m,) bool."""

    kept: Integer[np.ndarray, " m"]
    turned: np.ndarray
    degenerate: int
    repeated: int

    def __str__(self) -> str:
        counts = {
            "without area dropped": self.degenerate,
            "repeated ones dropped": self.repeated,
            "turned": int(self.turned.sum()),
        }
        return ", ".join(f"{count} faces {what}" for what, count in counts.items() if count) or "nothing to do"


class Cleaned(NamedTuple):
    """A mesh in its unit frame, its faces fit for a winding number; done: what was changed for that."""

    frame: UnitFrame
    vertices: Float[np.ndarray, "v 3"]
    faces: Integer[np.ndarray, "f 3"]
    done: CleanUp


def cleaned(mesh: trimesh.Trimesh, name: str = "mesh") -> Cleaned:
    """The vertices that faces use fill the frame. name: what errors call it; InputError where no face has an area."""
    frame = UnitFrame.of(np.asarray(mesh.vertices)[np.unique(mesh.faces)])
    vertices = frame.to_unit(mesh.vertices)
    faces, done = clean_faces(vertices, np.asarray(mesh.faces))
    if not len(faces):
        raise InputError(name, "none of its triangles has an area", "give a mesh with a surface")
    return Cleaned(frame, vertices, faces, done)


def clean_faces(
    vertices: Num[np.ndarray, "v 3"], faces: Integer[np.ndarray, "f 3"]
) -> tuple[Integer[np.ndarray, "m 3"], CleanUp]:
    """Faces fit for a generalised winding number, indexing the same vertices; equal vertices count as one.

    Faces without area and repeated faces are dropped. Patches whose faces disagree with their neighbours are oriented
    consistently and outward (positive signed volume). A consistent patch is left alone, so cavities survive, unless it
    is closed, inside out and enclosed by nothing. Limit: a cavity whose own faces disagree is taken for a solid.
    Source of the orientation: breadth-first over edges with two faces (libigl's bfs_orient).
    """
    points, welded = weld_arrays(vertices, faces)
    kept = np.flatnonzero(~_without_area(points, welded))
    fresh = _not_repeated(welded[kept], len(points))
    degenerate, repeated = len(faces) - len(kept), int((~fresh).sum())
    kept = kept[fresh]
    turned = _to_turn(points, welded[kept])
    result = np.where(turned[:, None], faces[kept][:, ::-1], faces[kept])
    return result, CleanUp(kept, turned, degenerate, repeated)


def _without_area(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    size = np.ptp(vertices, axis=0).max(initial=0)  # products of tiny sides must not vanish
    a, b, c = np.moveaxis((vertices / (size or 1))[faces], 1, 0)
    return degenerate_faces(faces) | ~np.cross(b - a, c - a).any(1)


def _not_repeated(faces: np.ndarray, vertices: int) -> np.ndarray:
    """(f,) bool: the first of all faces with the same corners; a face and its reverse both stay if that keeps walls.

    Two solids that share a wall have it once in each sense: dropping one of them would open a solid.
    """
    keys = face_keys(faces, vertices)
    corner = np.argmin(faces, axis=1)
    sense = faces[np.arange(len(faces)), (corner + 1) % 3] < faces[np.arange(len(faces)), (corner + 2) % 3]
    first = _first_of(keys)
    either = _first_of(np.unique(keys, return_inverse=True)[1] * 2 + sense)
    opens = _imbalance(faces[first], vertices) > _imbalance(faces[either], vertices)
    return either if opens else first


def _first_of(keys: np.ndarray) -> np.ndarray:
    fresh = np.zeros(len(keys), bool)
    fresh[np.unique(keys, return_index=True)[1]] = True
    return fresh


def _imbalance(faces: np.ndarray, vertices: int) -> int:
    edges = edges_of(faces, vertices)
    return int(np.abs(edges.forward - edges.backward).sum())


def _to_turn(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(f,) bool: the faces to reverse."""
    if not len(faces):
        return np.zeros(0, bool)
    edges = edges_of(faces, len(vertices))
    patch = _patches(edges, len(faces))
    torn = np.isin(patch, patch[disagreeing_faces(edges)])
    turned = np.zeros(len(faces), bool)
    if torn.any():
        oriented = igl.bfs_orient(np.ascontiguousarray(faces[torn]))[0]
        turned[torn] = ~_same_sense(oriented, faces[torn])
        volume = _volumes(vertices, oriented, patch[torn], int(patch.max()) + 1)
        turned[torn] ^= volume[patch[torn]] < 0
    return turned ^ _inside_out(vertices, np.where(turned[:, None], faces[:, ::-1], faces), patch)


def disagreeing_faces(edges: Edges) -> np.ndarray:
    """Indices of the faces that run along a common edge in the same direction as their only neighbour there."""
    clash = (edges.faces == 2) & ((edges.forward == 2) | (edges.backward == 2))
    return np.unique(np.flatnonzero(clash[edges.of_corner]) // 3)


def _patches(edges: Edges, faces: int) -> np.ndarray:
    """(f,) label of the patch of each face: faces linked by edges that have exactly two faces."""
    order = np.argsort(edges.of_corner, kind="stable")
    pairs = order[np.isin(edges.of_corner[order], np.flatnonzero(edges.faces == 2))].reshape(-1, 2) // 3
    return linked(pairs[:, 0], pairs[:, 1], faces)


def _same_sense(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether faces with the same corners run round them in the same sense."""
    return (np.roll(a, -1, 1) == b).all(1) | (np.roll(a, 1, 1) == b).all(1) | (a == b).all(1)


def _volumes(vertices: np.ndarray, faces: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """(count,) signed volume of each patch, taken around the patch's own centre."""
    corners = vertices[faces]
    size = np.maximum(np.bincount(patch, minlength=count), 1)
    center = np.stack([np.bincount(patch, corners[..., k].mean(1), count) for k in range(3)], 1) / size[:, None]
    a, b, c = np.moveaxis(corners - center[patch][:, None], 1, 0)
    return np.bincount(patch, np.einsum("nd,nd->n", a, np.cross(b, c)) / 6, count)


def _inside_out(vertices: np.ndarray, faces: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """(f,) bool: faces of closed patches of negative volume that nothing encloses; those that something encloses stay.

    If all outermost patches are inside out, so is the file as a whole, and what they enclose is turned with them.
    """
    count = int(patch.max()) + 1
    edges = edges_of(faces, len(vertices))
    shut = (edges.forward == 1) & (edges.backward == 1)
    closed = np.bincount(patch, ~shut[edges.of_corner].reshape(-1, 3).all(1), count) == 0
    volume = _volumes(vertices, faces, patch, count)
    if not (closed & (volume < 0)).any() or closed.sum() * len(faces) > MAX_WORK:
        return np.zeros(len(faces), bool)
    labels = np.flatnonzero(closed)
    parts = [vertices[faces[patch == label]] for label in labels]
    outermost = labels[_outermost(parts, np.abs(volume[labels]))]
    wrong = np.zeros(count, bool)
    wrong[labels] = (volume[labels] < 0) & (outermost == labels)
    if (volume[outermost] < 0).all():  # the whole file is inside out, cavities included
        wrong[labels] = True
    return wrong[patch]


def _outermost(parts: list[np.ndarray], volume: np.ndarray) -> np.ndarray:
    """For each closed part (triangles (f, 3, 3)) the largest part that encloses it, or itself."""
    low = np.stack([part.min((0, 1)) for part in parts])
    high = np.stack([part.max((0, 1)) for part in parts])
    root = np.arange(len(parts))
    for inner in range(len(parts)):
        probe = parts[inner][0, 0]
        around = np.flatnonzero((low < probe).all(1) & (high > probe).all(1))
        enclosing = [outer for outer in around if outer != inner and abs(_winding(parts[outer], probe)) > 0.5]
        root[inner] = max(enclosing, key=lambda outer: volume[outer], default=inner)
    return root


def _winding(triangles: np.ndarray, point: np.ndarray) -> float:
    """Winding number of one point by solid angles (Van Oosterom and Strackee 1983)."""
    a, b, c = np.moveaxis(triangles - point, 1, 0)
    la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    numerator = np.einsum("nd,nd->n", a, np.cross(b, c))
    dots = [np.einsum("nd,nd->n", *pair) for pair in ((a, b), (b, c), (c, a))]
    return float(np.arctan2(numerator, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb).sum() / (2 * np.pi))
