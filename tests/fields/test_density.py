"""Densities against the closed forms of their papers."""

import json
import math

import pytest
import torch

from isofield.fields.density import (
    GradualLaplaceDensity,
    LaplaceDensity,
    LogisticDensity,
    SoftplusDensity,
    laplace_density,
    logistic_density,
    restore_density,
    softplus_density,
)

ALL = [
    LaplaceDensity(),
    GradualLaplaceDensity(0.02),
    LogisticDensity(0.03, floor=0.01, learned=False),
    SoftplusDensity(5.0),
]


def test_equation_2_is_volsdfs_at_five_points_dense_inside():
    beta = 0.1
    points = [-0.5, -0.1, 0.0, 0.1, 0.5]
    volsdf = [(0.5 + 0.5 * math.copysign(1, -s) * (1 - math.exp(-abs(s) / beta))) / beta for s in points]
    assert volsdf == pytest.approx([9.966, 8.161, 5.0, 1.839, 0.0337], rel=1e-3)
    found = laplace_density(torch.tensor(points, dtype=torch.float64), beta)
    torch.testing.assert_close(found, torch.tensor(volsdf, dtype=torch.float64))


def test_logistic_and_softplus_by_hand():
    s = torch.tensor([-0.1, 0.0, 0.1], dtype=torch.float64)
    expected = [10 / (1 + math.exp(-1)), 5.0, 10 / (1 + math.exp(1))]
    torch.testing.assert_close(logistic_density(s, 0.1), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(softplus_density(torch.tensor([1.0, 21.0])), torch.tensor([math.log(2), 20.0]))


@pytest.mark.parametrize("formula", [laplace_density, logistic_density])
def test_gradients_hold_everywhere_on_the_surface_too(formula):
    s = torch.tensor([-0.3, -0.01, 0.0, 0.02, 0.4], dtype=torch.float64, requires_grad=True)
    beta = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(formula, (s, beta))
    assert torch.autograd.gradgradcheck(lambda b: formula(s.detach(), b), (beta,))


def test_far_away_nothing_overflows():
    s = torch.tensor([-1e3, 1e3], requires_grad=True)
    density = laplace_density(s, 1e-3)
    assert density.tolist() == pytest.approx([1000.0, 0.0])
    density.sum().backward()
    assert s.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", [LaplaceDensity, GradualLaplaceDensity, LogisticDensity])
def test_sharpened_to_a_beta_that_is_never_below_the_floor(kind):
    density = kind(0.1, floor=2e-3)
    density.sharpen(0.03)
    assert density.beta.item() == pytest.approx(0.03)
    density.sharpen(1e-5)
    assert density.beta.item() == pytest.approx(2e-3)


def test_beta_never_falls_below_its_floor_whatever_is_learned():
    density = LaplaceDensity(0.1, floor=0.01)
    assert density.beta.item() == pytest.approx(0.1)
    for value in (0.0, -0.02, 0.02):
        density.scale.data.fill_(value)
        assert density.beta.item() == pytest.approx(0.01 + abs(value))
    with pytest.raises(ValueError, match="floor"):
        LaplaceDensity(0.01, floor=0.02)


def test_a_gradual_beta_changes_by_a_share_of_itself():
    density = GradualLaplaceDensity(0.1, floor=0.01)
    assert density.beta.item() == pytest.approx(0.1)
    density.scale.data -= 0.5
    assert density.beta.item() == pytest.approx(0.01 + 0.09 * math.exp(-1.5))
    density.scale.data -= 100
    assert density.beta.item() == pytest.approx(0.01)


@pytest.mark.parametrize("kind", [LaplaceDensity, GradualLaplaceDensity, LogisticDensity])
def test_a_beta_that_was_learned_down_to_its_floor_comes_back(kind):
    """Of all floors: rounded to single precision, half of them lie below what they were."""
    for floor in torch.logspace(-6, 0, 101, dtype=torch.float64).tolist():
        density = kind(2 * floor, floor)
        density.scale.data.fill_(-200.0 if kind is GradualLaplaceDensity else 0.0)
        again = restore_density(json.loads(json.dumps(density.spec())))
        again.load_state_dict(density.state_dict())
        assert again.beta.item() == density.beta.item() == pytest.approx(floor)


@pytest.mark.parametrize("density", ALL)
def test_a_density_survives_json_and_is_larger_inside(density):
    again = restore_density(json.loads(json.dumps(density.spec())))
    value = torch.linspace(-20, 20, 41)
    torch.testing.assert_close(again(value), density(value))
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in density.parameters()]
    inside = density.sdf(value) < 0
    assert density(value)[inside].min() >= density(value)[~inside].max()
