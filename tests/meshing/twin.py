"""An audit of index triangles written independently of the package: plain dictionaries, one face at a time."""

from collections import Counter, defaultdict

import numpy as np


def faults(vertices: np.ndarray, faces: np.ndarray) -> list[str]:
    """What keeps a mesh from being closed, oriented, manifold, without degenerate faces and repeated vertices."""
    found = []
    directed = Counter((int(face[i]), int(face[(i + 1) % 3])) for face in faces for i in range(3))
    if any(count > 1 for count in directed.values()):
        found.append("an edge is used twice in one direction")
    if any((b, a) not in directed for a, b in directed):
        found.append("an edge has no opposite")
    if any(not _one_fan(edges) for edges in _links(faces).values()):
        found.append("the faces around a vertex are no single fan")
    single = vertices.astype(np.float32)
    if len(np.unique(single, axis=0)) != len(single):
        found.append("vertices coincide in float32")
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    if len(faces) and np.linalg.norm(np.cross(b - a, c - a), axis=1).min() <= 0:
        found.append("a face has no area")
    if set(faces.ravel().tolist()) != set(range(len(vertices))):
        found.append("a vertex is not used")
    return found


def _links(faces: np.ndarray) -> dict[int, dict[int, int]]:
    """For each vertex the edges opposite to it, as start -> end."""
    links: dict[int, dict[int, int]] = defaultdict(dict)
    for a, b, c in faces.tolist():
        links[a][b], links[b][c], links[c][a] = c, a, b
    return links


def _one_fan(edges: dict[int, int]) -> bool:
    first = next(iter(edges))
    steps, walk = 1, edges[first]
    while walk != first and walk in edges and steps <= len(edges):
        walk, steps = edges[walk], steps + 1
    return walk == first and steps == len(edges)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)
