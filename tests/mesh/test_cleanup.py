"""Face clean-up: what spoils the winding number goes, cavities and shared walls stay."""

import numpy as np
import pytest
import trimesh

from isofield.mesh.cleanup import clean_faces
from isofield.mesh.distance import MeshDistance

BALL = trimesh.creation.icosphere(3)
HALF, DEEP = 0.5, 1.5


def winding(vertices, faces, points) -> np.ndarray:
    return MeshDistance(vertices, faces).winding_number(np.asarray(points, float))


def scrambled(faces: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """A share of the faces reversed."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(faces))[:, None] < share, faces[:, ::-1], faces)


def shells(*radii_and_senses: tuple[float, int]) -> tuple[np.ndarray, np.ndarray]:
    vertices = np.concatenate([BALL.vertices * radius for radius, _ in radii_and_senses])
    faces = [BALL.faces[:, ::sense] + k * len(BALL.vertices) for k, (_, sense) in enumerate(radii_and_senses)]
    return vertices, np.concatenate(faces)


def test_a_clean_mesh_comes_back_unchanged():
    faces, report = clean_faces(BALL.vertices, BALL.faces)
    np.testing.assert_array_equal(faces, BALL.faces)
    np.testing.assert_array_equal(report.kept, np.arange(len(BALL.faces)))
    assert str(report) == "nothing to do"


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_flipped_faces_are_turned_back(share):
    broken = scrambled(BALL.faces, share)
    faces, report = clean_faces(BALL.vertices, broken)
    assert set(map(tuple, np.sort(faces, 1))) == set(map(tuple, np.sort(BALL.faces, 1)))
    points = [[0, 0, 0], [0.9, 0, 0], [1.1, 0, 0], [3, 0, 0]]
    assert np.abs(winding(BALL.vertices, broken, points)[0] - 1) > 0.05
    np.testing.assert_allclose(winding(BALL.vertices, faces, points), [1, 1, 0, 0], atol=0.02)
    np.testing.assert_array_equal(report.turned, (broken != BALL.faces).any(1))


def test_cavity_of_a_hollow_ball_survives():
    vertices, faces = shells((1.0, 1), (HALF, -1))
    cleaned, report = clean_faces(vertices, faces)
    np.testing.assert_array_equal(cleaned, faces)
    assert not report.turned.any()
    np.testing.assert_allclose(winding(vertices, cleaned, [[0, 0, 0], [0.75, 0, 0]]), [0, 1], atol=0.02)


def test_cavity_survives_flips_of_the_outer_shell():
    vertices, faces = shells((1.0, 1), (HALF, -1))
    broken = np.concatenate([scrambled(faces[: len(BALL.faces)], 0.3), faces[len(BALL.faces) :]])
    np.testing.assert_allclose(
        winding(vertices, clean_faces(vertices, broken)[0], [[0, 0, 0], [0.75, 0, 0]]), [0, 1], atol=0.02
    )


def test_a_ball_inside_out_is_turned_and_so_is_a_hollow_one():
    faces, _ = clean_faces(BALL.vertices, BALL.faces[:, ::-1])
    np.testing.assert_allclose(winding(BALL.vertices, faces, [[0, 0, 0]]), 1, atol=0.02)
    vertices, faces = shells((1.0, -1), (HALF, 1))
    faces, _ = clean_faces(vertices, faces)
    np.testing.assert_allclose(winding(vertices, faces, [[0, 0, 0], [0.75, 0, 0]]), [0, 1], atol=0.02)


def test_a_part_inside_out_beside_a_sound_one_is_turned():
    vertices, faces = shells((1.0, 1), (1.0, -1))
    vertices[len(BALL.vertices) :] += [4, 0, 0]
    faces, report = clean_faces(vertices, faces)
    np.testing.assert_allclose(winding(vertices, faces, [[0, 0, 0], [4, 0, 0]]), 1, atol=0.02)
    assert report.turned.sum() == len(BALL.faces)


def test_repeated_faces_are_dropped_whatever_their_sense_and_vertices():
    doubled = np.concatenate([BALL.faces, np.roll(BALL.faces[:100], 1, axis=1), BALL.faces[50:60, ::-1]])
    faces, report = clean_faces(BALL.vertices, doubled)
    np.testing.assert_array_equal(faces, BALL.faces)
    assert report.repeated == 110
    soup_vertices = np.concatenate([BALL.vertices, BALL.vertices])
    faces, report = clean_faces(soup_vertices, np.concatenate([BALL.faces, BALL.faces + len(BALL.vertices)]))
    assert len(faces) == report.repeated == len(BALL.faces)
    np.testing.assert_allclose(winding(soup_vertices, faces, [[0, 0, 0]]), 1, atol=0.02)


def test_a_wall_shared_by_two_boxes_stays_shut():
    left, right = trimesh.creation.box(), trimesh.creation.box()
    right = trimesh.Trimesh(right.vertices * [-1, 1, 1] + [1, 0, 0], right.faces[:, ::-1], process=False)
    vertices = np.concatenate([left.vertices, right.vertices])
    faces, report = clean_faces(vertices, np.concatenate([left.faces, right.faces + 8]))
    assert report.repeated == 0
    np.testing.assert_allclose(
        winding(vertices, faces, [[0, 0, 0], [0.45, 0, 0], [0.55, 0, 0], [1, 0, 0]]), 1, atol=0.05
    )


def test_faces_without_area_are_dropped_and_the_map_back_is_right():
    needle = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 0]], float)
    vertices = np.concatenate([BALL.vertices, needle])
    n = len(BALL.vertices)
    faces = np.concatenate([[[n, n + 1, n + 2], [n, n + 3, n + 1]], BALL.faces])
    cleaned, report = clean_faces(vertices, faces)
    np.testing.assert_array_equal(cleaned, BALL.faces)
    np.testing.assert_array_equal(report.kept, np.arange(len(BALL.faces)) + 2)
    assert report.degenerate == 2


def test_tiny_shapes_keep_their_faces():
    assert len(clean_faces(BALL.vertices * 1e-200, BALL.faces)[0]) == len(BALL.faces)


def test_two_patches_around_one_nonmanifold_edge_do_not_count_as_flipped():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    vertices = np.vstack([corners, corners * [-1, -1, 1]])
    faces = np.vstack([tetrahedron, tetrahedron + 4])
    cleaned, report = clean_faces(vertices, faces)
    np.testing.assert_array_equal(cleaned, faces)
    assert not report.turned.any()
