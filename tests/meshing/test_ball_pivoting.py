"""The explicit baseline: a ball's points, joined."""

import numpy as np
import pytest

from isofield.mesh.audit import audit
from isofield.meshing.ball_pivoting import ball_pivoting, border_edges


def even_ball(count: int = 1500, radius: float = 0.7) -> np.ndarray:
    """Points of a spiral, about evenly spread."""
    height = 1 - 2 * (np.arange(count) + 0.5) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    across = np.sqrt(1 - height**2)
    return radius * np.column_stack([across * np.cos(angle), height, across * np.sin(angle)])


def test_even_points_of_a_ball_are_closed_and_its_faces_look_outward() -> None:
    points = even_ball()
    mesh = ball_pivoting(points, points, np.full((1500, 3), 9))
    found = audit(mesh)
    assert (found.watertight, found.manifold, found.components, found.euler) == (True, True, 1, 2)
    assert found.volume == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=0.01)
    assert mesh.metadata == {"border_edges": 0, "loose_points": 0}
    assert len(mesh.faces) == 2 * 1500 - 4
    assert (np.asarray(mesh.visual.vertex_colors) == [9, 9, 9, 255]).all()


def test_inside_out_normals_give_inside_out_faces() -> None:
    points = even_ball(800)
    assert ball_pivoting(points, -points).volume == pytest.approx(-4 / 3 * np.pi * 0.7**3, rel=0.02)


def test_a_hole_stays_open_and_its_border_is_counted() -> None:
    points = even_ball()
    points = points[points[:, 1] < 0.5]
    mesh = ball_pivoting(points, points, radii=(0.07,))
    found = audit(mesh)
    assert not found.watertight
    assert found.euler == 1
    assert found.nonmanifold_edges == 0
    assert 30 < mesh.metadata["border_edges"] == found.boundary_edges == border_edges(np.asarray(mesh.faces))
