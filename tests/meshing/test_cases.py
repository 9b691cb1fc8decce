from itertools import combinations

import numpy as np
import pytest

from isofield.meshing.cases import CASES, CORNERS, EDGE_FACES, EDGES, FACES, loops, segments, triangulate


@pytest.mark.parametrize("case", range(256))
def test_each_crossing_of_a_face_starts_one_segment_and_ends_one(case: int) -> None:
    cut = {e for e, (a, b) in enumerate(EDGES) if (case >> a ^ case >> b) & 1}
    starts, ends = zip(*segments(case), strict=True) if cut else ((), ())
    assert sorted(starts) == sorted(ends) == sorted(cut)
    assert sorted(edge for loop in loops(case) for edge in loop) == sorted(cut)
    assert set(np.flatnonzero(CASES.cut[case])) == cut


def test_neighbours_draw_the_same_segments_in_opposite_directions() -> None:
    """For all 16 sign patterns of a shared face and both fillings of the rest, along each axis."""
    for axis in range(3):
        low, high = (set(FACES[2 * axis + side]) for side in (0, 1))
        stride = (4, 2, 1)[axis]
        for pattern in range(256):
            mirrored = sum(1 << (c - stride) for c in high if pattern >> c & 1)
            for rest in (0, sum(1 << c for c in high)):
                assert _on_face(pattern, high, -stride) == {(b, a) for a, b in _on_face(mirrored | rest, low, 0)}


def _on_face(case: int, face: set[int], shift: int) -> set:
    def moved(edge: int) -> tuple[int, ...]:
        return tuple(c + shift for c in EDGES[edge])

    return {(moved(a), moved(b)) for a, b in segments(case) if set(EDGES[a]) | set(EDGES[b]) <= face}


def test_inside_corners_of_an_ambiguous_face_are_separated() -> None:
    case = 1 << 0 | 1 << 3  # opposite corners of the face x = 0
    assert len(loops(case)) == 2
    assert len(loops(255 - case)) == 1


@pytest.mark.parametrize("case", range(256))
def test_triangles_fill_the_loops_without_a_diagonal_in_a_face(case: int) -> None:
    triangles = CASES.triangles[CASES.start[case] : CASES.start[case + 1]].tolist()
    assert len(triangles) == sum(len(loop) - 2 for loop in loops(case)) <= 5
    directed = [(t[i], t[(i + 1) % 3]) for t in triangles for i in range(3)]
    assert len(set(directed)) == len(directed)
    border = {edge for edge in directed if edge[::-1] not in directed}
    assert border == set(segments(case))
    for a, b in set(directed) - border:
        assert not EDGE_FACES[a] & EDGE_FACES[b]


@pytest.mark.parametrize("case", range(1, 255))
def test_faces_look_outward(case: int) -> None:
    """With the crossings halfway: from the inside ends of its edges every triangle is seen from behind."""
    middle = np.array([(CORNERS[a] + CORNERS[b]) / 2 for a, b in EDGES])
    outward = np.array([(CORNERS[b] - CORNERS[a]) * (1 if case >> a & 1 else -1) for a, b in EDGES])
    for loop in loops(case):
        for a, b, c in triangulate(loop) or ():
            normal = np.cross(middle[b] - middle[a], middle[c] - middle[a])
            assert sum(outward[[a, b, c]] @ normal) > 0


def test_no_triangle_has_three_vertices_in_a_face() -> None:
    for triangle in CASES.triangles:
        assert not frozenset.intersection(*(EDGE_FACES[e] for e in triangle))
        assert all(a != b for a, b in combinations(triangle, 2))
