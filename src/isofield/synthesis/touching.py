"""Which parts of a shape hold each other."""

from collections.abc import Sequence

import numpy as np

from isofield.mesh.distance import MeshDistance
from isofield.synthesis.parts import Part

REACH = 2e-3  # parts nearer than this, in the unit frame, touch


def touching(parts: Sequence[Part], reach: float = REACH) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of parts of which a vertex of one lies within the other, or nearer to it than `reach`."""
    surfaces = [MeshDistance(part.solid.vertices, part.solid.faces) for part in parts]
    low = np.array([part.solid.vertices.min(0) for part in parts]) - reach
    high = np.array([part.solid.vertices.max(0) for part in parts]) + reach
    overlap = np.triu(((low[:, None] <= high[None]) & (low[None] <= high[:, None])).all(2), 1)
    return [
        (int(i), int(j))
        for i, j in np.argwhere(overlap)
        if _reaches(surfaces[i], surfaces[j], reach) or _reaches(surfaces[j], surfaces[i], reach)
    ]


def _reaches(one: MeshDistance, other: MeshDistance, reach: float) -> bool:
    """Whether a vertex of `one` lies within `other` or near to it."""
    low, high = other.vertices.min(0) - reach, other.vertices.max(0) + reach
    points = one.vertices[((one.vertices >= low) & (one.vertices <= high)).all(1)]
    return bool(len(points)) and bool((other.signed(points) < reach).any())
