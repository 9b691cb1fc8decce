"""Each point becomes a square on its surface, in its colour."""

import numpy as np
import pytest

from isofield.render.points import MOST, squares


def sphere_points(count: int = 2000) -> np.ndarray:
    points = np.random.default_rng(0).standard_normal((count, 3))
    return 3 * points / np.linalg.norm(points, axis=1, keepdims=True)


def test_squares_lie_on_the_surface_and_keep_their_colours():
    points = sphere_points()
    mesh = squares(points, np.round((points / 3 + 1) / 2 * 255).astype(np.uint8))
    assert (len(mesh.faces), len(mesh.vertices)) == (4000, 8000)
    centers = np.asarray(mesh.vertices).reshape(-1, 4, 3).mean(1)
    assert {tuple(np.round(p, 6)) for p in centers} == {tuple(np.round(p, 6)) for p in points}
    colors = np.asarray(mesh.visual.vertex_colors)[::4, :3]
    assert np.abs(colors / 255 * 2 - 1 - centers / 3).max() < 0.01
    outward = np.einsum("nd,nd->n", mesh.face_normals[::1], np.asarray(mesh.triangles_center)) / 3
    assert np.abs(outward).min() > 0.9
    assert 0.2 < mesh.area / (4 * np.pi * 9) < 1.5


def test_many_points_are_thinned():
    points = np.random.default_rng(0).random((MOST + 5000, 3))
    assert len(squares(points).faces) == 2 * MOST
    assert len(squares(np.repeat(points[:50], 3, axis=0)).faces) == pytest.approx(100)
