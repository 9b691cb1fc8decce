"""Walls within a solid are no surface: distances are those of the union of its parts."""

import numpy as np
import pytest
import torch
import trimesh

from isofield.fields.exact import ExactField
from isofield.mesh.distance import MeshDistance
from isofield.mesh.outer import FINE, SolidDistance, boundary, boundary_mesh
from isofield.mesh.sample import sample

RNG = np.random.default_rng(0)


def both(a: trimesh.Trimesh, b: trimesh.Trimesh) -> trimesh.Trimesh:
    faces = np.concatenate([a.faces, b.faces + len(a.vertices)])
    return trimesh.Trimesh(np.concatenate([a.vertices, b.vertices]), faces, process=False)


def box(low, high) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=(low, high))


def solid(mesh: trimesh.Trimesh) -> SolidDistance:
    return SolidDistance(mesh.vertices, mesh.faces)


def box_distance(points, low, high):
    """Signed distance to a box (n,), negative inside."""
    off = np.abs(points - (np.add(low, high) / 2)) - np.subtract(high, low) / 2
    return np.linalg.norm(np.maximum(off, 0), axis=1) + np.minimum(off.max(1), 0)


def test_two_boxes_that_touch_are_one():
    """Both walls lie in one plane and cancel: nothing is left of them."""
    one, other = box((-0.8, -0.3, -0.3), (0.1, 0.3, 0.3)), box((0.1, -0.3, -0.3), (0.7, 0.3, 0.3))
    points = RNG.uniform(-1, 1, (5000, 3))
    truth = box_distance(points, (-0.8, -0.3, -0.3), (0.7, 0.3, 0.3))
    assert solid(both(one, other)).signed(points) == pytest.approx(truth, abs=1e-7)
    plain = MeshDistance(*(lambda m: (m.vertices, m.faces))(both(one, other))).signed(points)
    assert np.abs(plain - truth).max() > 0.1


def test_boxes_through_each_other_have_the_distance_of_their_union():
    """A plate and a leg that ends within it: near its hidden end the nearest wall is one of the plate's."""
    plate, leg = box((-0.7, 0.2, -0.7), (0.7, 0.6, 0.7)), box((-0.1, -0.7, -0.1), (0.1, 0.4, 0.1))
    surface = solid(both(plate, leg))
    points = RNG.uniform(-1, 1, (20_000, 3))
    apart = np.minimum(box_distance(points, plate.bounds[0], plate.bounds[1]),
                       box_distance(points, leg.bounds[0], leg.bounds[1]))  # fmt: skip
    outside = apart > 0
    found = surface.signed(points)
    assert found[outside] == pytest.approx(apart[outside], abs=1e-7)
    assert (found[~outside] < 0).all()
    core = (np.abs(points[:, [0, 2]]) < 0.3).all(1) & (np.abs(points[:, 1] - 0.4) < 0.2)
    hole = np.maximum(np.abs(points[:, [0, 2]]).max(1) - 0.1, 0)  # to the column over the opening, where no wall is
    down = np.hypot(points[:, 1] - 0.2, np.maximum(0.1 - np.abs(points[:, [0, 2]]).max(1), 0))
    truth = -np.minimum(0.6 - points[:, 1], np.where(hole > 0, points[:, 1] - 0.2, down))
    assert core.sum() > 100
    assert np.abs(found - truth)[core].max() < FINE
    assert (found >= truth - 1e-7)[core].all()  # too small, never too large


def test_a_wall_of_a_cavity_stays_and_a_wall_within_a_wall_goes():
    ball, hole = trimesh.creation.icosphere(4, 0.9), trimesh.creation.icosphere(4, 0.5)
    cavity = both(ball, trimesh.Trimesh(hole.vertices, hole.faces[:, ::-1], process=False))
    assert boundary(MeshDistance(cavity.vertices, cavity.faces)) is None
    assert solid(cavity).signed(np.zeros((1, 3))) == pytest.approx(0.5, abs=3e-3)
    doubled = both(ball, trimesh.creation.icosphere(4, 0.88))
    surface = solid(doubled)
    assert surface.signed(np.array([[0, 0, 0.88], [0, 0, 0.95]])) == pytest.approx([-0.02, 0.05], abs=3e-3)
    assert set(surface.boundary.origin) == set(range(len(ball.faces)))


def test_a_single_solid_is_left_as_it_is():
    ball = trimesh.creation.icosphere(3, 0.9)
    points = RNG.uniform(-1, 1, (1000, 3))
    plain, surface = MeshDistance(ball.vertices, ball.faces), solid(ball)
    assert boundary(plain) is None
    for a, b in zip(plain.closest(points), surface.closest(points), strict=True):
        np.testing.assert_array_equal(a, b)


def test_faces_and_colours_are_those_of_the_mesh_that_was_given():
    red, green = box((-0.7, -0.2, -0.2), (0.2, 0.2, 0.2)), box((0, -0.3, -0.3), (0.7, 0.3, 0.3))
    red.visual.face_colors, green.visual.face_colors = (255, 0, 0, 255), (0, 255, 0, 255)
    mesh = both(red, green)
    mesh.visual = trimesh.visual.ColorVisuals(mesh, np.repeat([[255, 0, 0, 255], [0, 255, 0, 255]], 12, 0))
    field = ExactField.of(mesh)
    inside_green = torch.from_numpy(field.frame.to_unit(np.array([[0.15, 0.0, 0.19], [-0.5, 0.0, 0.19]]))).float()
    near = field.mesh_distance.closest(inside_green.numpy())
    assert list(near.face // 12) == [1, 0]  # the red wall at z = 0.2 is nearer to the first, and within the green box
    assert field.color(inside_green).round().tolist() == [[0, 1, 0], [1, 0, 0]]
    samples = sample(mesh, 20_000)
    unit = field.frame.to_user(samples.closest)
    assert not ((unit[:, 0] > 0.02) & (np.abs(unit[:, 1:]) < 0.25).all(1) & (unit[:, 0] < 0.65)).any()
    restored = ExactField.restore(field.spec(), field.tensors())
    torch.testing.assert_close(restored.sdf(inside_green), field.sdf(inside_green), rtol=0, atol=0)


def test_the_boundary_of_a_mesh_lies_in_its_own_coordinates():
    mesh = both(box((-40, 10, 0), (20, 30, 20)), box((20, 10, 0), (50, 30, 20)))
    shell = boundary_mesh(mesh)
    assert shell.area == pytest.approx(2 * (90 * 20 + 90 * 20 + 20 * 20))
    np.testing.assert_allclose(shell.bounds, mesh.bounds)
