"""Colours under a lamp: diffuse light is the same from everywhere, highlights are where the mirror says."""

import numpy as np

from isofield.mesh.color import to_linear
from isofield.mesh.shine import AMBIENT, DIFFUSE, LAMP, seen_colors

UP = np.array(LAMP) / np.linalg.norm(LAMP)


def unit(n: int) -> np.ndarray:
    points = np.random.default_rng(0).standard_normal((n, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_without_shine_colours_do_not_depend_on_the_camera():
    normals, colors = unit(200), np.full((200, 3), 0.5)
    one, other = (-(normals + 0.5 * turned) for turned in (unit(200), unit(200)[::-1]))
    one, other = (d / np.linalg.norm(d, axis=1, keepdims=True) for d in (one, other))
    np.testing.assert_allclose(
        seen_colors(colors, normals, one, 0.0), seen_colors(colors, normals, other, 0.0), atol=1e-12
    )


def test_a_face_towards_the_lamp_shows_its_colour_and_one_away_from_it_less():
    colors = np.full((2, 3), 0.6)
    normals = np.stack([UP, -UP])
    seen = to_linear(seen_colors(colors, normals, -normals, 0.0))
    np.testing.assert_allclose(seen[0], to_linear(np.full(3, 0.6)) * (AMBIENT + DIFFUSE), atol=1e-9)
    np.testing.assert_allclose(seen[1], to_linear(np.full(3, 0.6)) * AMBIENT, atol=1e-9)


def test_a_highlight_is_seen_from_where_the_lamp_is_mirrored_and_not_from_aside():
    normal = np.array([0.0, 1.0, 0.0])
    mirrored = 2 * (normal @ UP) * normal - UP  # towards the camera that sees the lamp in the surface
    aside = np.array([1.0, 0.2, -1.0]) / np.linalg.norm([1.0, 0.2, -1.0])
    directions = -np.stack([mirrored, aside])
    colors, normals = np.zeros((2, 3)), np.tile(normal, (2, 1))
    seen = to_linear(seen_colors(colors, normals, directions, 0.5))
    np.testing.assert_allclose(seen[0], 0.5, atol=1e-9)
    assert seen[1].max() < 0.05
