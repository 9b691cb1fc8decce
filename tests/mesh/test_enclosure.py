"""Which triangles bound an inside: closed forms of the winding number."""

import numpy as np
import pytest
import trimesh

from isofield.mesh.area import face_normals
from isofield.mesh.distance import MeshDistance
from isofield.mesh.enclosure import Sides, sides


def asked(mesh: trimesh.Trimesh) -> Sides:
    surface = MeshDistance(mesh.vertices, mesh.faces)
    return sides(surface, mesh.triangles_center, face_normals(mesh.vertices, mesh.faces), 1e-4)


def test_a_closed_ball_has_one_behind_and_zero_in_front():
    both = asked(trimesh.creation.icosphere(3))
    np.testing.assert_allclose(both.behind, 1, atol=0.01)
    np.testing.assert_allclose(both.front, 0, atol=0.01)
    assert both.encloses.all()
    assert not both.inner.any()


def test_a_flat_sheet_has_two_equal_sides():
    square = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    both = asked(square)
    np.testing.assert_allclose(both.behind, 0.5, atol=1e-3)
    np.testing.assert_allclose(both.front, -0.5, atol=1e-3)
    assert not both.encloses.any()


def test_the_pole_of_a_hemisphere_lacks_the_solid_angle_of_its_opening():
    ball = trimesh.creation.icosphere(5)
    bowl = trimesh.Trimesh(ball.vertices, ball.faces[ball.triangles_center[:, 2] < 0], process=False)
    surface = MeshDistance(bowl.vertices, bowl.faces)
    both = sides(surface, np.array([[0, 0, -0.999]]), np.array([[0, 0, -1.0]]), 0.02)
    assert both.behind + both.front == pytest.approx(1 - (1 - 0.5**0.5), abs=0.02)  # 2 pi (1 - cos 45°) of 4 pi, twice
    assert asked(bowl).encloses.mean() > 0.5


def test_a_wall_within_a_solid_is_inner():
    ball = trimesh.creation.icosphere(3)
    doubled = trimesh.util.concatenate([ball, trimesh.Trimesh(ball.vertices * 0.9, ball.faces, process=False)])
    both = asked(doubled)
    np.testing.assert_array_equal(both.inner, np.arange(len(doubled.faces)) >= len(ball.faces))
