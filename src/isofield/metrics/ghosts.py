"""Pieces of a result that have nothing to do with the truth."""

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from isofield.mesh.distance import MeshDistance
from isofield.metrics.surface import OneWay, Surface

DEPTH = 16  # halvings of a triangle before it is believed to stay away


def ghost_components(pred: Surface, truth: Surface, samples: OneWay | None = None, *, limit: float = 0.05) -> int:
    """Number of connected components of `pred` every point of which is farther than `limit` from `truth`.

    Proven, not sampled: a triangle is far when its centroid's distance less its radius is, and split while undecided.
    samples: the prediction's distances where they are known already; they only save time.
    """
    label = face_components(pred.mesh)
    near = np.zeros(label.max() + 1, bool)
    if samples is not None:
        near[label[samples.face[samples.distance <= limit]]] = True
    faces = np.flatnonzero(~near[label])
    triangles = np.asarray(pred.mesh.vertices)[np.asarray(pred.mesh.faces)[faces]]
    return int((~_coming_near(triangles, label[faces], near, truth.distance, limit)).sum())


def face_components(mesh: trimesh.Trimesh) -> Int[np.ndarray, " f"]:
    """Component of each face; faces hang together where they share a vertex, equal vertices being one."""
    _, merged = np.unique(np.asarray(mesh.vertices), axis=0, return_inverse=True)
    faces = merged.reshape(-1)[np.asarray(mesh.faces)]
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    size = int(faces.max()) + 1
    _, label = connected_components(coo_matrix((np.ones(len(ends), bool), tuple(ends.T)), (size, size)), directed=False)
    return np.unique(label[faces[:, 0]], return_inverse=True)[1].reshape(-1)


def _coming_near(
    triangles: Float[np.ndarray, "n 3 3"], label: np.ndarray, near: np.ndarray, distance: MeshDistance, limit: float
) -> np.ndarray:
    near = near.copy()
    for _ in range(DEPTH):
        if not len(triangles):
            break
        center = triangles.mean(1)
        away = distance.closest(center).distance
        near[label[away <= limit]] = True
        radius = np.linalg.norm(triangles - center[:, None], axis=2).max(1)
        undecided = (away - radius <= limit) & ~near[label]
        triangles, label = _quartered(triangles[undecided]), np.tile(label[undecided], 4)
    return near


def _quartered(triangles: np.ndarray) -> np.ndarray:
    a, b, c = triangles.transpose(1, 0, 2)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    pieces = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([np.stack(piece, axis=1) for piece in pieces])
