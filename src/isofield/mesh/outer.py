"""The boundary of what triangles enclose: walls within it, where parts run into each other or touch, are left out."""

from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int, Shaped

from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.cleanup import cleaned
from isofield.mesh.distance import Closest, MeshDistance
from isofield.mesh.enclosure import STEP

PROBES = 4000  # points on the triangles: if none of them has the inside on both sides, none is taken to have
COARSE, FINE = 0.1, 0.02  # edges, in the unit frame, of pieces that are asked, and of those that lie on both
MOST = 1_000_000  # pieces, about: of many large faces they are longer
NEARLY = 0.1  # of the way from a corner of a piece to its middle


class Boundary(NamedTuple):
    """Triangles, and the index of the face (of those it was made from) that each is a part of."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    origin: Int[np.ndarray, " f"]


class SolidDistance(MeshDistance):
    """Distance to the boundary of what triangles in the unit frame enclose; sign and indices of faces are of them all.

    Of a union of closed parts it is the signed distance, inside too: exact where no part of another's wall was cut,
    elsewhere too small by at most the edge of a piece, 0.02. Triangles without walls within are left as they are.
    """

    def __init__(self, vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "f 3"]):
        super().__init__(vertices, faces)
        found = boundary(self)
        self.boundary = found or Boundary(self.vertices, self.faces, np.arange(len(self.faces)))
        self._outer = MeshDistance(found.vertices, found.faces) if found else None

    def closest(self, points: Shaped[np.ndarray, "n 3"]) -> Closest:
        if self._outer is None:
            return super().closest(points)
        near = self._outer.closest(points)
        return Closest(near.distance, self.boundary.origin[near.face], near.point)


def boundary(surface: MeshDistance) -> Boundary | None:
    """The parts of triangles in the unit frame that do not have the inside on both sides; None where that is all.

    A face that is partly within is cut into pieces, and a piece kept unless it is wholly so. Where all have the inside
    on both sides, nothing is left out.
    """
    normals = face_normals(surface.vertices, surface.faces)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    points, face = sample_surface(mesh, PROBES, 0)
    if not inside_on_both_sides(surface, points, normals[face]).any():
        return None
    pieces, origin = _cut(surface.vertices[surface.faces], np.arange(len(surface.faces)), COARSE)
    hidden, partly = within(surface, pieces, normals[origin])
    small, small_origin = _cut(pieces[partly], origin[partly], FINE)
    pieces, origin = np.concatenate([pieces[~partly], small]), np.concatenate([origin[~partly], small_origin])
    hidden = np.concatenate([hidden[~partly], within(surface, small, normals[small_origin])[0]])
    if hidden.all():
        return None
    torn = np.zeros(len(surface.faces), bool)
    torn[origin[hidden]] = True
    whole, parts = np.flatnonzero(~torn), torn[origin] & ~hidden
    corners = np.concatenate([surface.vertices[surface.faces[whole]], pieces[parts]])
    faces = np.arange(3 * len(corners)).reshape(-1, 3)
    return Boundary(corners.reshape(-1, 3), faces, np.concatenate([whole, origin[parts]]))


def boundary_mesh(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The boundary of what a mesh encloses, without colours, in its own coordinates: what a closed surface can equal.

    Raises InputError where no triangle has an area.
    """
    frame, vertices, faces, _ = cleaned(mesh)
    found = SolidDistance(vertices, faces).boundary
    return trimesh.Trimesh(frame.to_user(found.vertices), found.faces, process=False)


def _cut(
    pieces: Float[np.ndarray, "n 3 3"], origin: Int[np.ndarray, " n"], edge: float
) -> tuple[Float[np.ndarray, "m 3 3"], Int[np.ndarray, " m"]]:
    """Triangles halved across their longest edge until none is longer than `edge`, and the faces they are parts of."""
    longest = np.linalg.norm(np.roll(pieces, -1, 1) - pieces, axis=2).max(1, initial=0)
    edge = max(edge, float(np.sqrt((longest**2).sum() / MOST)))
    done: list[tuple[np.ndarray, np.ndarray]] = []
    while len(pieces):
        lengths = np.linalg.norm(np.roll(pieces, -1, 1) - pieces, axis=2)
        long = lengths.max(1) > edge
        done.append((pieces[~long], origin[~long]))
        first = lengths[long].argmax(1)[:, None]
        a, b, c = (np.take_along_axis(pieces[long], ((first + k) % 3)[..., None], 1)[:, 0] for k in range(3))
        middle = (a + b) / 2
        halves = [np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)]
        pieces, origin = np.concatenate(halves), np.tile(origin[long], 2)
    parts, origins = zip(*done, strict=True) if done else ([pieces], [origin])
    return np.concatenate(parts), np.concatenate(origins)


def within(
    surface: MeshDistance, pieces: Float[np.ndarray, "n 3 3"], normals: Float[np.ndarray, "n 3"]
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Which pieces have the inside on both sides wholly, and which partly: in their middle and near their corners.

    Small ones whose middle is not within are taken to be nowhere so: most of a mesh is asked once.
    """
    center = pieces.mean(1)
    middle = inside_on_both_sides(surface, center, normals)
    large = np.linalg.norm(np.roll(pieces, -1, 1) - pieces, axis=2).max(1) > FINE
    rows = np.flatnonzero(middle | large)
    corners = pieces[rows] + NEARLY * (center[rows, None] - pieces[rows])
    count = middle.astype(int)
    asked = inside_on_both_sides(surface, corners.reshape(-1, 3), np.repeat(normals[rows], 3, 0))
    count[rows] += asked.reshape(-1, 3).sum(1)
    return count == 4, (count > 0) & (count < 4)


def inside_on_both_sides(
    surface: MeshDistance, points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"]
) -> Bool[np.ndarray, " n"]:
    """As `Sides.inner`; behind is asked only where it matters."""
    inner = surface.winding_number(points + STEP * normals) > 0.5
    inner[inner] = surface.winding_number(points[inner] - STEP * normals[inner]) > 0.5
    return inner
