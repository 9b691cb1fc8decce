"""Normals, noise and orientation on surfaces known in closed form; a wrong sign anywhere shows as a cosine of -1."""

import numpy as np
import pytest

from isofield.cloud.cloud import Cloud
from isofield.cloud.normals import estimate_normals, noise_level
from isofield.cloud.orient import _Dipoles, _right_side_out, agreeing_signs, orient_normals, with_normals

RNG = np.random.default_rng(7)


def sphere(count, radius=1.0):
    normals = np.random.default_rng(0).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return radius * normals, normals


def torus(count, major=1.0, minor=0.4):
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 2 * np.pi, (2, 4 * count))
    keep = rng.uniform(size=4 * count) < (major + minor * np.cos(v)) / (major + minor)
    u, v = u[keep][:count], v[keep][:count]
    normals = np.stack([np.cos(u) * np.cos(v), np.sin(u) * np.cos(v), np.sin(v)], 1)
    return np.stack([np.cos(u), np.sin(u), 0 * u], 1) * major + minor * normals, normals


def box(count, half=(1.0, 0.6, 0.4)):
    rng, sides = np.random.default_rng(0), np.array(half)
    areas = sides.prod() / sides
    axis, side = rng.choice(3, count, p=areas / areas.sum()), rng.choice([-1.0, 1.0], count)
    points, normals = rng.uniform(-1, 1, (count, 3)) * sides, np.zeros((count, 3))
    points[np.arange(count), axis] = side * sides[axis]
    normals[np.arange(count), axis] = side
    return points, normals


SHAPES = {"sphere": sphere, "torus": torus, "box": box}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01])
def test_the_noise_is_found_and_curvature_is_not_taken_for_noise(shape, noise):
    points, _ = SHAPES[shape](6000)
    found = noise_level(points + noise * RNG.normal(size=points.shape))
    assert found == pytest.approx(noise, rel=0.15, abs=4e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("noise", "aim"), [(0.0, 0.99), (0.01, 0.97)])
def test_normals_point_outward_on_closed_shapes(shape, noise, aim):
    points, truth = SHAPES[shape](1600)
    points = points + noise * RNG.normal(size=points.shape)
    found = orient_normals(points, estimate_normals(points) * RNG.choice([-1, 1], (1600, 1)))
    cosine = (found.normals * truth).sum(1)
    assert (cosine > 0).mean() >= aim
    assert np.median(cosine) > 0.99
    assert found.by == "winding number"
    assert found.confidence.min() >= 0
    assert found.confidence[cosine > 0.5].mean() > 0.8
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=1), 1)


def test_units_and_place_do_not_matter():
    points, truth = torus(1200)
    for scale, offset in ((1e-9, 0.0), (1e9, 1e10), (1.0, 1e5)):
        moved = points * scale + offset
        found = orient_normals(moved, estimate_normals(moved)).normals
        assert ((found * truth).sum(1) > 0.5).mean() > 0.99
        assert noise_level(moved) < 0.01 * scale


def test_thin_plates_have_two_sides():
    points, truth = box(2000, (1.0, 1.0, 0.08))
    found = orient_normals(points, estimate_normals(points)).normals
    flat = np.abs(truth[:, 2]) == 1
    assert ((found * truth).sum(1)[flat] > 0).mean() > 0.99


def test_two_balls_both_look_outward_and_a_ball_in_a_ball_is_a_cavity():
    (one, normals), (inner, _) = sphere(1200), sphere(600, 0.5)
    apart = np.concatenate([one, one + np.array([3, 1, 0])])
    found = orient_normals(apart, estimate_normals(apart)).normals
    assert ((found * np.tile(normals, (2, 1))).sum(1) > 0).all()
    nested = np.concatenate([one, inner])
    found = orient_normals(nested, estimate_normals(nested)).normals
    assert ((found * nested).sum(1)[:1200] > 0).all()
    assert ((found * nested).sum(1)[1200:] < 0).all()


def test_a_cloud_beyond_the_number_of_dipoles_follows_them(monkeypatch):
    monkeypatch.setattr("isofield.cloud.orient.DIPOLES", 800)
    points, truth = torus(4000)
    found = orient_normals(points, estimate_normals(points))
    assert ((found.normals * truth).sum(1) > 0).mean() > 0.999


def test_a_part_on_a_neck_is_turned_right_side_out():
    """Two balls that overlap a little, one of them inside out: hardly any of its normals disagree with a neighbour."""
    points, normals = sphere(1500)
    aside = np.array([0.97, 0, 0])
    left, right = points - aside, points + aside
    kept = np.concatenate([left[:, 0] < 0, right[:, 0] > 0])
    both, outward = np.concatenate([left, right])[kept] / 2, np.tile(normals, (2, 1))[kept]
    signs = np.where(both[:, 0] < 0, 1.0, -1.0)
    assert (_right_side_out(_Dipoles(both, outward), signs) == 1).mean() > 0.97
    cavity = np.concatenate([points, 0.5 * points])
    signs = np.repeat([1.0, -1.0], 1500)
    np.testing.assert_array_equal(_right_side_out(_Dipoles(cavity, np.tile(normals, (2, 1))), signs), signs)


def test_sensors_decide_where_they_are_known():
    points, truth = sphere(2000)
    found = orient_normals(points, truth * RNG.choice([-1, 1], (2000, 1)), np.zeros_like(points))
    np.testing.assert_allclose(found.normals, -truth)  # seen from within
    assert found.by == "sensors"
    outside = points + 0.5 * truth + 0.6 * np.cross(truth, [1.0, 0, 0])
    cloud, found = with_normals(Cloud(points, sensors=outside))
    assert ((cloud.normals * truth).sum(1) > 0.9).all()
    assert found.confidence.min() > 0.3


def test_grazing_sensors_ask_the_neighbours():
    points = np.concatenate([RNG.uniform(-1, 1, (500, 2)), np.zeros((500, 1))], 1)
    normals = np.tile([0.0, 0, 1], (500, 1))
    sensors = np.tile([0.0, 0, 1], (500, 1))
    sensors[::5] = points[::5] + np.array([1, 0, -0.01])
    found = orient_normals(points, -normals, sensors)
    np.testing.assert_array_equal(found.normals, normals)


def test_signs_of_a_small_energy_are_the_best_of_all():
    rng = np.random.default_rng(3)
    truth = rng.choice([-1.0, 1.0], 12)
    energy = -np.outer(truth, truth) * rng.uniform(0.2, 1, (12, 12)) + rng.normal(0, 0.1, (12, 12))
    energy = energy + energy.T
    np.fill_diagonal(energy, 0)
    every = np.array(np.meshgrid(*[[-1.0, 1.0]] * 11)).reshape(11, -1).T
    every = np.concatenate([np.ones((len(every), 1)), every], 1)
    best = every[np.einsum("si,ij,sj->s", every, energy, every).argmin()]
    found = agreeing_signs(energy)
    np.testing.assert_array_equal(found * found[0], best)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 20])
def test_few_points_are_no_fault(count):
    points = RNG.normal(size=(count, 3))
    cloud, found = with_normals(Cloud(points))
    assert np.isfinite(cloud.normals).all()
    assert np.isfinite(found.confidence).all()


def test_points_in_a_line_or_a_plane_are_no_fault():
    for axes in (1, 2):
        points = np.zeros((300, 3))
        points[:, :axes] = RNG.uniform(size=(300, axes))
        cloud, _ = with_normals(Cloud(points))
        assert np.isfinite(cloud.normals).all()
        np.testing.assert_allclose(np.linalg.norm(cloud.normals, axis=1), 1)
        assert axes == 1 or np.allclose(np.abs(cloud.normals[:, 2]), 1)
