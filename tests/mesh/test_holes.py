"""Small holes are closed as the surface around them goes on; what is no hole stays open."""

import numpy as np
import pytest
import trimesh

from isofield.mesh.audit import audit_arrays
from isofield.mesh.distance import MeshDistance
from isofield.mesh.holes import Closed, close_holes

BALL = trimesh.creation.icosphere(4)


def closed(mesh: trimesh.Trimesh, keep: np.ndarray) -> Closed:
    return close_holes(np.asarray(mesh.vertices), np.asarray(mesh.faces)[keep])


def test_a_hole_in_a_ball_is_closed_by_a_piece_of_the_ball():
    result = closed(BALL, BALL.triangles_center[:, 2] < 0.95)
    found = audit_arrays(result.vertices, result.faces)
    assert (found.watertight, found.manifold, found.oriented, result.holes) == (True, True, True, 1)
    np.testing.assert_allclose(np.linalg.norm(result.vertices, axis=1), 1, atol=0.006)
    assert result.vertices[:, 2].max() == pytest.approx(1, abs=0.006)  # the rim is at 0.95
    assert found.volume == pytest.approx(BALL.volume, rel=3e-4)


def test_the_faces_of_the_mesh_come_first_and_unchanged():
    keep = BALL.triangles_center[:, 2] < 0.95
    result = closed(BALL, keep)
    own = result.faces[: keep.sum()]
    np.testing.assert_array_equal(result.vertices[own], BALL.vertices[BALL.faces[keep]])


@pytest.mark.parametrize("seed", range(3))
def test_many_ragged_holes_that_touch_each_other(seed):
    keep = np.random.default_rng(seed).random(len(BALL.faces)) > 0.05
    result = closed(BALL, keep)
    found = audit_arrays(result.vertices, result.faces)
    assert found.boundary_edges < 0.02 * (3 * len(BALL.faces) - 3 * keep.sum())  # but for scraps
    assert found.oriented
    assert found.volume == pytest.approx(BALL.volume, rel=1e-3)
    inside = MeshDistance(result.vertices, result.faces).winding_number(
        np.array([[0, 0, 0], [0, 0.95, 0], [0, 1.05, 0]])
    )
    np.testing.assert_allclose(inside, [1, 1, 0], atol=0.1)


def test_large_holes_stay_open():
    assert closed(BALL, BALL.triangles_center[:, 2] < 0).holes == 0


def test_the_end_of_a_tube_is_no_hole():
    tube = trimesh.creation.cylinder(0.3, 3, sections=48).subdivide().subdivide()
    assert closed(tube, np.abs(tube.triangles_center[:, 2]) < 1.49).holes == 0


def test_loose_triangles_and_scraps_are_not_closed():
    soup = trimesh.Trimesh(BALL.triangles.reshape(-1, 3) * 1.001, np.arange(3 * len(BALL.faces)).reshape(-1, 3))
    soup.vertices[::3] *= 0.999
    assert closed(soup, np.arange(100)).holes == 0
    scrap = np.linalg.norm(BALL.triangles_center - [0, 0, 1], axis=1) < 0.2
    ball_and_scrap = np.concatenate([BALL.faces, BALL.faces[scrap] + len(BALL.vertices)])
    result = close_holes(np.concatenate([BALL.vertices, BALL.vertices * 1.1]), ball_and_scrap)
    assert result.holes == 0
    assert len(result.faces) == len(ball_and_scrap)


def test_a_closed_mesh_is_left_alone():
    result = closed(BALL, np.ones(len(BALL.faces), bool))
    np.testing.assert_array_equal(result.faces, BALL.faces)
    assert result.holes == 0
