"""Sampling: right places, right distances, right signs, the same every time."""

import numpy as np
import pytest
import trimesh

from isofield.errors import InputError
from isofield.mesh.area import sample_surface
from isofield.mesh.sample import DEEPSDF_NEAR, sample, view_directions

BALL = trimesh.creation.icosphere(4)


def painted_ball() -> trimesh.Trimesh:
    """A ball of radius 50 far off the origin; red above, blue below."""
    ball = trimesh.Trimesh(BALL.vertices * 50 + [1000, 0, -500], BALL.faces, process=False)
    above = BALL.triangles_center[:, 2:] > 0
    ball.visual.face_colors = np.where(above, [[255, 0, 0, 255]], [[0, 0, 255, 255]])
    return ball


def test_distances_of_a_ball_are_those_of_the_unit_frame():
    samples = sample(painted_ball(), 20_000)
    radius = np.linalg.norm(samples.points, axis=1)
    np.testing.assert_allclose(
        samples.sdf, radius - 1 / 1.03, atol=2e-3
    )  # the facets lie up to 1.6e-3 below the sphere
    assert samples.frame.scale == pytest.approx(51.5)
    assert samples.frame.center == pytest.approx((1000, 0, -500))
    np.testing.assert_allclose(np.linalg.norm(samples.points - samples.closest, axis=1), np.abs(samples.sdf), atol=1e-6)
    assert all(a.dtype == np.float32 for a in (samples.points, samples.sdf, samples.closest, samples.normals))
    assert len(samples) == 20_000


def test_normals_and_colours_are_those_of_the_nearest_face():
    samples = sample(painted_ball(), 5000)
    outward = samples.closest / np.linalg.norm(samples.closest, axis=1, keepdims=True)
    assert np.einsum("nd,nd->n", samples.normals, outward).min() > 0.995
    clear = np.abs(samples.closest[:, 2]) > 0.06
    expected = np.where(samples.closest[:, 2:] > 0, [1, 0, 0], [0, 0, 1])
    np.testing.assert_array_equal(samples.colors[clear], expected[clear])


def test_colours_follow_the_faces_through_the_clean_up():
    """Dropped and turned faces shift the numbering; the colours must not shift with it."""
    ball, rng = painted_ball(), np.random.default_rng(0)
    extra = np.concatenate([[[0, 0, 1]], ball.faces[:200], ball.faces])
    turned = np.where(rng.random(len(extra))[:, None] < 0.3, extra[:, ::-1], extra)
    colors = np.concatenate([[[0, 255, 0, 255]], ball.visual.face_colors[:200], ball.visual.face_colors])
    broken = trimesh.Trimesh(ball.vertices, turned, process=False)
    broken.visual.face_colors = colors
    samples, clean = sample(broken, 3000), sample(ball, 3000)
    clear = np.abs(samples.closest[:, 2]) > 0.06
    expected = np.where(samples.closest[:, 2:] > 0, [1, 0, 0], [0, 0, 1])
    np.testing.assert_array_equal(samples.colors[clear], expected[clear])
    assert (np.sign(samples.sdf) == np.sign(np.linalg.norm(samples.points, axis=1) - 1 / 1.03)).mean() > 0.99
    assert clean.colors is not None


def test_mixture_has_deepsdfs_proportions():
    samples = sample(BALL, 40_000, near=(1e-4, 1e-3), near_fraction=0.5)
    close, closer = (np.abs(samples.sdf) < limit for limit in (0.02, 5e-4))
    shell = 4 * np.pi / 1.03**2 * 0.04 / 8  # of the cube's volume
    assert close.mean() == pytest.approx(0.5 + 0.5 * shell, abs=0.005)
    assert closer[close].mean() > 0.6  # all of the narrow Gaussian, a third of the other
    volume = samples.points[~close]
    np.testing.assert_allclose(volume.mean(0), 0, atol=0.03)
    assert np.abs(volume).max() <= 1
    assert np.abs(volume).max() > 0.999
    assert pytest.approx(np.sqrt([0.005, 0.0005]), abs=5e-5) == DEEPSDF_NEAR


def test_only_uniform_and_only_near():
    assert np.abs(sample(BALL, 1000, near_fraction=0.0).points).max() <= 1
    assert np.abs(sample(BALL, 1000, near=(1e-3,), near_fraction=1.0).sdf).max() < 0.01


def test_same_seed_same_samples_other_seed_other_samples():
    first, again, other = (sample(BALL, 500, seed=seed, directions=True) for seed in (3, 3, 4))
    for name in ("points", "sdf", "normals", "directions"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.points != other.points).any()


def test_a_mesh_without_any_area_is_refused():
    line = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], process=False)
    with pytest.raises(InputError, match="area"):
        sample(line, 10)


def test_unused_vertices_do_not_move_the_frame():
    more = trimesh.Trimesh(np.concatenate([BALL.vertices, [[99, 99, 99]]]), BALL.faces, process=False)
    assert sample(more, 10).frame == sample(BALL, 10).frame


def test_surface_samples_are_even_over_the_area():
    """Two squares of areas 1 and 9: a tenth of the points on the first, and even within (mean, variance of uniform)."""
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    both = trimesh.Trimesh(
        np.concatenate([square, square * 3 + [5, 0, 0]]), np.concatenate([faces, faces + 4]), process=False
    )
    points, index = sample_surface(both, 100_000)
    assert (index < 2).mean() == pytest.approx(0.1, abs=0.004)
    large = (points[index >= 2] - [5, 0, 0]) / 3
    np.testing.assert_allclose(large.mean(0), [0.5, 0.5, 0], atol=0.005)
    np.testing.assert_allclose(large.var(0), [1 / 12, 1 / 12, 0], atol=0.001)
    np.testing.assert_allclose(np.cov(large[:, :2].T)[0, 1], 0, atol=0.001)
    np.testing.assert_array_equal(sample_surface(both, 100_000)[0], points)


def test_surface_samples_lie_on_their_faces():
    points, index = sample_surface(BALL, 1000, seed=5)
    offset = np.einsum("nd,nd->n", points - BALL.triangles_center[index], BALL.face_normals[index])
    np.testing.assert_allclose(offset, 0, atol=1e-12)
    assert (trimesh.triangles.points_to_barycentric(BALL.triangles[index], points) > -1e-9).all()


def test_view_directions_look_at_the_front_of_the_surface():
    normals = np.tile([0.0, 0, 1], (20_000, 1))
    directions = view_directions(np.random.default_rng(0), normals)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert directions[:, 2].max() <= 0
    np.testing.assert_allclose(
        directions.mean(0), [0, 0, -0.5], atol=0.02
    )  # a uniform half sphere has its centroid there
    samples = sample(BALL, 100, directions=True)
    assert np.einsum("nd,nd->n", samples.directions, samples.normals).max() <= 1e-6
    assert sample(BALL, 10).directions is None
