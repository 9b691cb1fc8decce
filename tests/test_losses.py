"""Losses in closed form: what the exact distance costs, and what every wrong sign costs."""

import math

import pytest
import torch

from isofield.losses import (
    clamped_l1,
    depth_consistency,
    eikonal,
    l1,
    normal_alignment,
    ray_consistency,
    relative_l1,
    sal,
    siren_loss,
    siren_off_surface,
)


@pytest.fixture
def sphere():
    """Points, signed distances and gradients of the sphere of radius 0.5."""
    points = torch.randn(500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius = points.norm(dim=1)
    return points, radius - 0.5, points / radius[:, None]


def test_every_distance_loss_is_zero_at_the_truth_alone(sphere):
    _, distance, _ = sphere
    for loss in (l1, clamped_l1, relative_l1):
        assert loss(distance, distance) == 0
        assert loss(-distance, distance) > 0.05
    torch.testing.assert_close(l1(-distance, distance), 2 * distance.abs().mean())
    torch.testing.assert_close(l1(distance + 0.25, distance), torch.tensor(0.25, dtype=torch.float64))


def test_clamped_l1_is_equation_4():
    predicted, true = torch.tensor([0.05, 0.5, -3.0, -0.3]), torch.tensor([-0.02, 0.09, -0.2, 7.0])
    torch.testing.assert_close(clamped_l1(predicted, true), torch.tensor((0.07 + 0.01 + 0 + 0.2) / 4))
    torch.testing.assert_close(clamped_l1(predicted, true, 0.01), torch.tensor((0.02 + 0 + 0 + 0.02) / 4))


def test_clamped_l1_has_no_gradient_beyond_the_band():
    predicted = torch.tensor([0.05, 0.5, -0.5], requires_grad=True)
    clamped_l1(predicted, torch.zeros(3)).backward()
    torch.testing.assert_close(predicted.grad, torch.tensor([1 / 3, 0, 0]))


def test_relative_l1_weighs_by_the_inverse_true_distance():
    predicted, true = torch.tensor([0.02, 1.5]), torch.tensor([0.0, -0.5])
    torch.testing.assert_close(relative_l1(predicted, true), torch.tensor((0.02 / 0.01 + 2 / 0.51) / 2))


def test_eikonal_of_a_distance_is_zero_and_of_its_multiples_squared(sphere):
    _, _, gradient = sphere
    assert eikonal(gradient) < 1e-25
    for factor in (0.0, 0.5, 3.0):
        expected = torch.tensor((factor - 1) ** 2, dtype=torch.float64)
        torch.testing.assert_close(eikonal(factor * gradient), expected)


def test_normal_alignment_of_the_truth_is_zero_and_of_its_opposite_two(sphere):
    _, _, normal = sphere
    assert normal_alignment(normal, normal) == 0
    torch.testing.assert_close(normal_alignment(-normal, normal), torch.tensor(2.0, dtype=torch.float64))


def test_tau_switches_missing_normals_off(sphere):
    _, _, normal = sphere
    tau = torch.arange(len(normal)) % 4 == 0
    missing = torch.where(tau[:, None], -normal, float("nan"))
    gradient = normal.clone().requires_grad_()
    loss = normal_alignment(gradient, missing, tau)
    torch.testing.assert_close(loss, torch.tensor(2 / 4, dtype=torch.float64))
    loss.backward()
    assert (gradient.grad[~tau] == 0).all()
    torch.testing.assert_close(gradient.grad[tau], normal[tau] / len(normal))


def test_off_surface_term_is_one_at_zero_and_even():
    values = torch.tensor([0.0, 0.01, -0.01])
    torch.testing.assert_close(siren_off_surface(values), torch.tensor((1 + 2 * math.exp(-1)) / 3))
    torch.testing.assert_close(siren_off_surface(values, 200.0), torch.tensor((1 + 2 * math.exp(-2)) / 3))


def test_siren_loss_is_the_weighted_sum(sphere):
    _, distance, normal = sphere
    on = torch.arange(len(distance)) < 200
    values = torch.where(on, torch.full_like(distance, -0.002), torch.full_like(distance, 0.03))
    tilted = torch.stack([normal[:, 1], -normal[:, 0], torch.zeros_like(distance)], 1)  # orthogonal to the normal
    tilted = 2 * tilted / tilted.norm(dim=1, keepdim=True)
    expected = 0.4 * (3e3 * 0.002 + 1e2 * 1) + 0.6 * 1e2 * math.exp(-3) + 5e1 * 1
    normals = torch.where(on[:, None], normal, float("nan"))
    torch.testing.assert_close(siren_loss(values, tilted, normals, on), torch.tensor(expected, dtype=torch.float64))


def test_siren_loss_prefers_the_truth_to_every_flip(sphere):
    points, distance, normal = sphere
    on = torch.arange(len(points)) % 2 == 0
    distance = torch.where(on, 0.0, distance)
    truth = siren_loss(distance, normal, normal, on)
    assert truth < siren_loss(-distance, -normal, normal, on) - 99  # the inside-out field pays twice the cosine
    assert truth < siren_loss(distance, 2 * normal, normal, on) - 49
    assert truth < siren_loss(0 * distance, normal, normal, on)


@pytest.mark.parametrize("only", [True, False])
def test_siren_loss_takes_a_batch_of_one_kind(sphere, only):
    _, distance, normal = sphere
    on = torch.full((len(distance),), only)
    expected = 3e3 * distance.abs().mean() if only else 1e2 * siren_off_surface(distance)
    torch.testing.assert_close(siren_loss(distance, normal, normal, on), expected)


def test_gradients_equal_finite_differences(sphere):
    points, distance, normal = (x[:12] for x in sphere)
    on, values = torch.arange(12) < 5, (distance + 0.03).requires_grad_()
    gradients = (normal + 0.2 * points).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: relative_l1(v, distance), values)
    assert torch.autograd.gradcheck(siren_off_surface, values)
    assert torch.autograd.gradcheck(eikonal, gradients)
    assert torch.autograd.gradcheck(lambda g: normal_alignment(g, normal, on), gradients)
    assert torch.autograd.gradcheck(lambda v, g: siren_loss(v, g, normal, on), (values, gradients), atol=1e-4)


def test_sal_is_the_same_for_a_field_and_its_negative():
    values, unsigned = torch.tensor([0.5, -0.5, 0.1, -0.3]), torch.tensor([0.5, 0.5, 0.0, 0.5])
    assert sal(values, unsigned).item() == pytest.approx((0.1 + 0.2) / 4)
    assert sal(-values, unsigned).item() == sal(values, unsigned).item()
    assert sal(values, unsigned, 2.0).item() == pytest.approx((0.01 + 0.04) / 4)


def test_depth_consistency_is_equation_6_weighted_by_opacity():
    values = torch.tensor([[0.1, -0.3], [0.5, 0.0]], requires_grad=True)
    opacity = torch.tensor([[1.0, 0.5], [0.0, 1.0]], requires_grad=True)
    loss = depth_consistency(values, opacity)
    torch.testing.assert_close(loss, torch.tensor((0.1 + 0.15) / 4))
    loss.backward()
    torch.testing.assert_close(values.grad, torch.tensor([[0.25, -0.125], [0.0, 0.0]]))
    assert opacity.grad is None  # a ray cannot agree by fading


def test_ray_consistency_is_equation_6_where_the_ray_meets_the_surface():
    values, opacity = torch.tensor([[0.1, -0.3], [0.5, 0.0]]), torch.tensor([[1.0, 0.5], [0.0, 1.0]])
    found = ray_consistency(values[..., None], torch.zeros(2, 2, 1), opacity)
    torch.testing.assert_close(found, depth_consistency(values, opacity))


def test_ray_consistency_allows_every_true_distance_and_not_its_negative_nor_its_double():
    """Rays at a sphere of radius 0.5, at all slants."""
    generator = torch.Generator().manual_seed(0)
    origins = 3 * torch.nn.functional.normalize(torch.randn(400, 3, generator=generator, dtype=torch.float64), dim=1)
    aims = 0.5 * torch.nn.functional.normalize(torch.randn(400, 3, generator=generator, dtype=torch.float64), dim=1)
    directions = torch.nn.functional.normalize(aims - origins, dim=1)
    middle = -(origins * directions).sum(1)
    closest = origins + middle[:, None] * directions
    depth = middle - (0.25 - closest.square().sum(1)).clamp_min(0).sqrt()
    offsets = 0.2 * (2 * torch.rand(400, 30, generator=generator, dtype=torch.float64) - 1)
    points = origins[:, None] + (depth[:, None] + offsets)[..., None] * directions[:, None]
    values, opacity = points.norm(dim=-1) - 0.5, torch.ones(400, dtype=torch.float64)
    assert ray_consistency(values, offsets, opacity) < 1e-15
    assert ray_consistency(-values, offsets, opacity) > 0.01
    assert ray_consistency(2 * values, offsets, opacity) > 0.01
    assert ray_consistency(values + 0.05, offsets, opacity) > 0.001
    assert ray_consistency(values - 0.05, offsets, opacity) > 0.001
    assert ray_consistency(-values, offsets, 0 * opacity) == 0


def test_depth_consistency_over_gradients_cannot_be_met_by_shrinking():
    values, opacity = torch.tensor([0.1, -0.2]), torch.ones(2)
    gradients = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    plain = depth_consistency(values, opacity, gradients)
    torch.testing.assert_close(plain, torch.tensor((0.1 + 0.1) / 2))
    torch.testing.assert_close(depth_consistency(values / 50, opacity, gradients / 50), plain)
    assert depth_consistency(values / 50, opacity) < plain / 20
