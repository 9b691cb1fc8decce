"""The Field interface on a field with known gradient, and the exact field on meshes with known distance."""

import json

import numpy as np
import pytest
import torch
import trimesh

from isofield.fields import field as field_module
from isofield.fields.exact import ExactField
from isofield.fields.field import Field, color_numpy, gradient, sdf_numpy
from isofield.frame import MARGIN, UnitFrame


class Ball(Field):
    """A ball of radius 0.5; its colour is its position."""

    has_color = True

    def sdf(self, points):
        return points.norm(dim=1) - 0.5

    def color(self, points, directions=None):
        return points / 2 + 0.5


class Colorless(Field):
    def sdf(self, points):
        return points[:, 0]


@pytest.fixture
def points():
    return torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_gradient_of_a_ball_points_outward_with_length_one(points):
    torch.testing.assert_close(gradient(Ball(), points), points / points.norm(dim=1, keepdim=True))
    assert not points.requires_grad


def test_gradient_works_where_gradients_are_off(points):
    with torch.no_grad():
        assert (gradient(Ball(), points) * points).sum(1).min() > 0


def test_gradient_is_differentiable_in_turn(points):
    """The divergence of the gradient of |x| is 2 / |x|."""
    points.requires_grad_()
    first = gradient(Ball(), points)
    divergence = sum(torch.autograd.grad(first[:, i].sum(), points, retain_graph=True)[0][:, i] for i in range(3))
    torch.testing.assert_close(divergence, 2 / points.detach().norm(dim=1), rtol=1e-4, atol=1e-4)


def test_numpy_calls_are_chunked_and_change_nothing(points, monkeypatch):
    sizes = []

    class Counting(Ball):
        def sdf(self, points):
            assert points.dtype == torch.float32
            assert not torch.is_grad_enabled()
            sizes.append(len(points))
            return super().sdf(points)

    monkeypatch.setattr(field_module, "CHUNK", 64)
    values = sdf_numpy(Counting(), points.double().numpy())
    assert sizes == [64, 64, 64, 8]
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, Ball().sdf(points).numpy())
    np.testing.assert_array_equal(color_numpy(Ball(), points.numpy()), Ball().color(points).numpy())


def test_no_points_are_no_values():
    assert sdf_numpy(Ball(), np.zeros((0, 3))).shape == (0,)
    assert color_numpy(Ball(), np.zeros((0, 3))).shape == (0, 3)


def test_a_field_without_colour_says_so(points):
    assert not Colorless.has_color
    with pytest.raises(AttributeError, match="Colorless has no colour"):
        Colorless().color(points)


def box_distance(points: torch.Tensor, half: float) -> torch.Tensor:
    """Signed distance to a cube, written out."""
    outside = points.abs() - half
    return outside.clamp(min=0).norm(dim=1) + outside.amax(1).clamp(max=0)


def test_exact_field_of_a_cube_is_its_formula(points):
    cube = trimesh.creation.box((1, 1, 1))
    exact = ExactField(cube.vertices, cube.faces)
    truth = box_distance(points, 0.5)
    assert (truth < 0).any()
    assert (truth > 0).any()
    torch.testing.assert_close(exact.sdf(points), truth, atol=1e-6, rtol=0)
    assert exact.sdf(points.double()).dtype == torch.float64


@pytest.mark.parametrize("faces_lost", [0, 40])
def test_exact_field_is_negative_inside_whole_and_holed_balls(points, faces_lost):
    ball = trimesh.creation.icosphere(4, 0.7)
    exact = ExactField(ball.vertices, ball.faces[faces_lost:])
    radius = points.norm(dim=1)
    inside, outside = points[radius < 0.5], points[radius > 0.9]
    assert (exact.sdf(inside) < 0).all()
    assert (exact.sdf(outside) > 0).all()


def test_exact_field_of_a_closed_mesh_keeps_its_lipschitz_bound(points):
    knot = trimesh.creation.torus(0.6, 0.25)
    exact = ExactField(knot.vertices, knot.faces)
    near = points + 0.01 * torch.randn(points.shape, generator=torch.Generator().manual_seed(1))
    slope = (exact.sdf(points) - exact.sdf(near)).abs() / (points - near).norm(dim=1)
    assert slope.max() <= exact.lipschitz + 1e-4


def test_exact_field_carries_the_way_back_to_the_users_frame():
    """A ball of 30 mm at (100, 200, 300): the unit frame holds it at radius 1 / 1.03, `to_user` returns it."""
    ball = trimesh.creation.icosphere(4, 30.0)
    place = np.array([100, 200, 300])
    vertices = ball.vertices + place
    frame = UnitFrame.of(vertices)
    exact = ExactField(frame.to_unit(vertices), ball.faces, frame)
    directions = np.eye(3)
    zero = exact.sdf(torch.as_tensor(directions / MARGIN))
    torch.testing.assert_close(zero, torch.zeros_like(zero), atol=1e-3, rtol=0)
    np.testing.assert_allclose(exact.frame.to_user(directions / MARGIN), 30 * directions + place)
    depth = -float(exact.sdf(torch.zeros(1, 3))[0]) * exact.frame.scale
    assert depth == pytest.approx(30, rel=5e-3)


def test_exact_field_survives_its_own_saving(points):
    ball = trimesh.creation.icosphere(2, 0.7)
    exact = ExactField(ball.vertices, ball.faces, UnitFrame((1.0, 2.0, 3.0), 4.0))
    again = ExactField.restore(json.loads(json.dumps(exact.spec())), exact.tensors())
    assert torch.equal(again.sdf(points), exact.sdf(points))
    assert (again.frame, again.bounds) == (exact.frame, exact.bounds)
