"""Distances of points to a surface, and which part of it they saw, against a sphere where both are known."""

import numpy as np
import pytest
import trimesh

from isofield.frame import UnitFrame
from isofield.metrics.residuals import Residuals, area_share

RADIUS, CENTER = 20.0, np.array([7.0, -3.0, 100.0])


def sphere() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(4, RADIUS).apply_translation(CENTER)


def points(radius: float = RADIUS, count: int = 4000) -> np.ndarray:
    directions = np.random.default_rng(0).standard_normal((count, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * radius + CENTER


def test_points_off_by_a_known_distance():
    """All 0.2 outside: that is 0.01 / 1.03 of the unit frame of the points on the surface."""
    frame = UnitFrame.of(sphere().vertices)
    found = Residuals.of(points(RADIUS + 0.2), sphere(), frame).numbers(frame.scale)
    for name in ("mean", "median", "95"):
        assert found[f"residual_{name}_user"] == pytest.approx(0.2, abs=0.05)
        assert found[f"residual_{name}"] * frame.scale == pytest.approx(found[f"residual_{name}_user"])
    assert (found["points_off"], found["seen_share"], found["invented_share"]) == (0, 1, 0)


def test_a_hemisphere_of_points_sees_a_hemisphere():
    mesh, all_points = sphere(), points()
    half = all_points[all_points[:, 0] > CENTER[0]]
    found = Residuals.of(half, mesh, UnitFrame.of(mesh.vertices))
    height = mesh.vertices[:, 0] - CENTER[0]
    assert found.seen[height > 0].all()
    assert not found.seen[height < -0.3 * RADIUS].any()
    assert 0.5 < found.share < 0.62
    assert area_share(mesh, height > 0) == pytest.approx(0.5, abs=0.03)


def test_points_of_another_surface_are_off():
    """A fifth of the points belong to a sphere of half the radius."""
    mesh = sphere()
    both = np.concatenate([points(), points(RADIUS / 2, 1000)])
    found = Residuals.of(both, mesh, UnitFrame.of(mesh.vertices)).numbers(1.0)
    assert found["points_off"] == pytest.approx(0.2)


def test_noise_of_a_dense_cloud_does_not_make_a_surface_invented():
    rng = np.random.default_rng(1)
    noisy = points(count=40_000)
    noisy += (noisy - CENTER) * 0.1 * rng.standard_normal((len(noisy), 1))
    found = Residuals.of(noisy, sphere(), UnitFrame.of(sphere().vertices))
    assert found.share > 0.99
    assert (found.distance > found.limit).mean() < 0.02
