"""The 256 cases of marching cubes, derived rather than listed.

The corner (x, y, z) of the unit cell has the number 4x + 2y + z; bit c of a case is set where corner c is inside.

One rule draws the boundary of the surface on every face: each run of inside corners around the face is cut off by one
segment, so on ambiguous faces the inside corners are always separated. The rule looks at nothing but the four signs of
the face, so the two cells that share the face draw the same segments, in opposite directions.
"""

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

CORNERS = np.array(list(product((0, 1), repeat=3)))  # (8, 3)
STRIDES = (4, 2, 1)  # what a step along x, y, z adds to a corner's number
EDGES = [(c, c + STRIDES[axis]) for axis in range(3) for c in range(8) if not c & STRIDES[axis]]  # edge 4 * axis + i
EDGE_AXIS = np.repeat(np.arange(3), 4)
EDGE_LOW = np.array([low for low, _ in EDGES])
EDGE_HIGH = np.array([high for _, high in EDGES])

Loop = tuple[int, ...]
Triangle = tuple[int, int, int]


class Cases(NamedTuple):
    """All triangles of all cases, one after another; their vertices are the numbers of the edges they lie on."""

    start: Int[np.ndarray, "257"]  # triangles of case m are triangles[start[m] : start[m + 1]]
    triangles: Int[np.ndarray, "t 3"]
    cut: Bool[np.ndarray, "256 12"]  # which edges carry a vertex


def _face_cycles() -> list[tuple[int, ...]]:
    """The corners of the six faces, counter-clockwise as seen from outside the cell."""
    cycles = []
    for axis in range(3):
        b, c = STRIDES[(axis + 1) % 3], STRIDES[(axis + 2) % 3]
        low = (0, c, b + c, b)
        cycles += [low, tuple(STRIDES[axis] + corner for corner in reversed(low))]
    return cycles


FACES = _face_cycles()
EDGE_NUMBER = {frozenset(pair): i for i, pair in enumerate(EDGES)}
EDGE_FACES = [frozenset(i for i, face in enumerate(FACES) if set(pair) <= set(face)) for pair in EDGES]


def segments(case: int) -> list[tuple[int, int]]:
    """Directed segments (from edge, to edge) on the faces of the cell, one for each run of inside corners of a face."""
    found = []
    for face in FACES:
        inside = [bool(case >> corner & 1) for corner in face]
        entering = [i for i in range(4) if inside[i] and not inside[i - 1]]
        for first in entering:
            last = next(i for i in range(first, first + 4) if not inside[(i + 1) % 4])
            before = EDGE_NUMBER[frozenset((face[first - 1], face[first]))]
            after = EDGE_NUMBER[frozenset((face[last % 4], face[(last + 1) % 4]))]
            found.append((before, after))
    return found


def loops(case: int) -> list[Loop]:
    """The segments joined into closed loops: a cut edge starts one segment and ends one, so each lies in one loop."""
    follow, found = dict(segments(case)), []
    while follow:
        loop = [min(follow)]
        while (edge := follow.pop(loop[-1])) != loop[0]:
            loop.append(edge)
        found.append(tuple(loop))
    return found


@cache
def triangulate(loop: Loop) -> tuple[Triangle, ...] | None:
    """Triangles of a loop without a diagonal between two vertices of one face; None where there is no such set.

    Two cells may share a face, so a diagonal within a face could be drawn by both: an edge with four triangles.
    """
    if len(loop) < 3:
        return ()
    for i in range(1, len(loop) - 1):
        if _may_join(loop, 0, i) and _may_join(loop, i, len(loop) - 1):
            left, right = triangulate(loop[: i + 1]), triangulate(loop[i:])
            if left is not None and right is not None:
                return (*left, (loop[0], loop[i], loop[-1]), *right)
    return None


def _may_join(loop: Loop, i: int, j: int) -> bool:
    return abs(i - j) == 1 or not EDGE_FACES[loop[i]] & EDGE_FACES[loop[j]]


def derive() -> Cases:
    """All 256 cases, in about 10 ms. Every loop, of at most 7 vertices, has a triangulation; a cell has 5 at most."""
    start: list[int] = [0]
    triangles: list[Triangle] = []
    cut = np.zeros((256, 12), bool)
    for case in range(256):
        for loop in loops(case):
            cut[case, list(loop)] = True
            triangles += triangulate(loop) or ()
        start.append(len(triangles))
    return Cases(np.array(start), np.array(triangles), cut)


CASES = derive()
