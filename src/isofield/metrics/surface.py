"""A mesh made ready to be measured, and the exact distances between two of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import trimesh
from jaxtyping import Float, Int

from isofield.errors import InputError
from isofield.frame import UnitFrame
from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.cleanup import clean_faces
from isofield.mesh.distance import MeshDistance


@dataclass(frozen=True, eq=False)
class Surface:
    """A triangle mesh with its distance tree and face normals, each built once and shared by every metric."""

    mesh: trimesh.Trimesh

    @classmethod
    def of(cls, mesh: trimesh.Trimesh, frame: UnitFrame, name: str = "mesh") -> "Surface":
        """The faces of `mesh` as they are, in the coordinates of `frame`. Raises InputError where none has an area."""
        vertices, faces = frame.to_unit(mesh.vertices), np.asarray(mesh.faces, np.int64).reshape(-1, 3)
        faces = faces[np.linalg.norm(_area_vectors(vertices, faces), axis=1) > 0]
        if not len(faces):
            raise InputError(name, "no face has an area, so there is no surface to measure", "give a triangle mesh")
        return cls(trimesh.Trimesh(vertices, faces, process=False))

    @classmethod
    def reference(cls, mesh: trimesh.Trimesh, frame: UnitFrame, name: str = "truth") -> "Surface":
        """As `of`, with contradictory orientations put right first, as `fit` does: a truth may be broken."""
        faces, _ = clean_faces(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64).reshape(-1, 3))
        return cls.of(trimesh.Trimesh(mesh.vertices, faces, process=False), frame, name)

    @cached_property
    def distance(self) -> MeshDistance:
        return MeshDistance(self.mesh.vertices, self.mesh.faces)

    @cached_property
    def normals(self) -> Float[np.ndarray, "f 3"]:
        """Unit normal of each face, by its winding order."""
        return face_normals(np.asarray(self.mesh.vertices), np.asarray(self.mesh.faces))

    def sample(self, count: int, seed: int) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, " n"]]:
        """Area-weighted points and the face of each."""
        points, face = sample_surface(self.mesh, count, seed)
        return np.asarray(points, np.float64), np.asarray(face, np.int64)


@dataclass(frozen=True, eq=False)
class OneWay:
    """Samples of one surface, their faces, their exact distance to another and the signed cosine of the normals."""

    points: Float[np.ndarray, "n 3"]
    face: Int[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]
    cosine: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class BothWays:
    """Samples of each surface, measured against the triangles of the other; the directions kept apart."""

    pred: OneWay  # samples of the prediction, measured against the truth
    truth: OneWay  # samples of the truth, measured against the prediction


def one_way(source: Surface, target: Surface, count: int, seed: int) -> OneWay:
    """Exact point-to-triangle distance, and cosine of the normals, from `count` samples of `source` to `target`."""
    points, face = source.sample(count, seed)
    closest = target.distance.closest(points)
    cosine = np.einsum("nd,nd->n", source.normals[face], target.normals[closest.face])
    return OneWay(points, face, closest.distance, cosine)


def both_ways(pred: Surface, truth: Surface, count: int = 100_000, seed: int = 0) -> BothWays:
    """Exact distances from `count` area-weighted samples each way, different ones on either side."""
    return BothWays(one_way(pred, truth, count, subseed(seed, 0)), one_way(truth, pred, count, subseed(seed, 1)))


def subseed(seed: int, stream: int) -> int:
    """An independent seed for each use that one seed is put to."""
    return int(np.random.SeedSequence((seed, stream)).generate_state(1)[0])


def referenced_frame(mesh: trimesh.Trimesh, name: str = "mesh") -> UnitFrame:
    """The unit frame of the vertices that faces use; stray vertices do not move it. Raises InputError without faces."""
    used = np.unique(np.asarray(mesh.faces, np.int64))
    if not len(used):
        raise InputError(name, "it has no faces, so there is no surface to measure", "give a triangle mesh")
    return UnitFrame.of(np.asarray(mesh.vertices)[used])


def _area_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)
