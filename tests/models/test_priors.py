"""Priors over codes: they find the distribution that codes were drawn from, and draw from it."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from isofield.errors import InputError
from isofield.models.priors import Mixture, Normals, _best_number, _shrunk

COVARIANCE = torch.tensor([[1.0, 0.6, 0.0], [0.6, 0.5, 0.0], [0.0, 0.0, 0.1]], dtype=torch.float64)


def normal_codes(count: int, mean: tuple[float, ...] = (1.0, -2.0, 3.0), seed: int = 0) -> torch.Tensor:
    noise = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise @ torch.linalg.cholesky(COVARIANCE).T + torch.tensor(mean)


def two_hills(count: int) -> torch.Tensor:
    """Far apart in the first number."""
    return torch.cat([normal_codes(count, (-10, 0, 0), 1), normal_codes(count, (10, 0, 0), 2)]).float()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_a_gaussian_has_mean_and_covariance_of_its_codes_and_draws_with_them():
    prior = Mixture(1)
    prior.fit(normal_codes(4000).float())
    drawn = prior.sample(20_000, generator=generator()).double()
    torch.testing.assert_close(drawn.mean(0), torch.tensor([1.0, -2.0, 3.0]).double(), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), COVARIANCE, atol=0.06, rtol=0)
    halved = prior.sample(20_000, truncation=0.5, generator=generator()).double()
    torch.testing.assert_close(halved.T.cov(), COVARIANCE / 4, atol=0.03, rtol=0)
    still = prior.sample(3, truncation=0.0, generator=generator())
    assert still.std(0).max() < 1e-6


def test_densities_are_those_of_scipy_and_their_slopes_lead_to_the_mean():
    means, weights = torch.tensor([[0.0, 1, 2], [3, 3, 3]]).double(), torch.tensor([0.3, 0.7]).double()
    found = Normals(weights, means, torch.stack([COVARIANCE, 2 * COVARIANCE]))
    codes = normal_codes(50)
    expected = np.log(
        0.3 * multivariate_normal(means[0], COVARIANCE).pdf(codes)
        + 0.7 * multivariate_normal(means[1], 2 * COVARIANCE).pdf(codes)
    )
    np.testing.assert_allclose(found.log_density(codes), expected, rtol=1e-9)
    prior = Mixture(1)
    prior.fit(normal_codes(500))
    code = torch.tensor([[5.0, 5.0, 5.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(prior.log_density(code).sum(), code)
    assert (slope @ (torch.tensor([1.0, -2.0, 3.0]) - code.detach()[0])).item() > 0


def test_codes_of_fewer_shapes_than_numbers_still_make_a_distribution_near_the_true_one():
    """20 codes of 64 numbers; the shrunken covariance is nearer to the true one than that of the sample."""
    torch.manual_seed(0)
    codes = torch.randn(20, 64).double() * torch.linspace(0.5, 1.5, 64).double()
    true = torch.diag(torch.linspace(0.5, 1.5, 64).double() ** 2)
    apart = codes - codes.mean(0)
    shrunk = _shrunk(apart)
    assert torch.linalg.eigvalsh(shrunk)[0] > 0.1
    assert (shrunk - true).norm() < 0.5 * (apart.T @ apart / 20 - true).norm()
    prior = Mixture()
    prior.fit(codes.float())
    assert prior.sample(5, generator=generator()).isfinite().all()
    assert prior.log_density(codes).isfinite().all()


def test_with_many_codes_the_covariance_is_hardly_shrunk():
    codes = normal_codes(20_000)
    torch.testing.assert_close(_shrunk(codes - codes.mean(0)), COVARIANCE, atol=0.03, rtol=0)


def test_hills_are_counted_and_drawn_from_and_not_the_valley_between():
    codes = two_hills(100)
    prior = Mixture()
    prior.fit(codes)
    assert len(prior.parts[0].weights) >= 2
    drawn = prior.sample(400, generator=generator())
    assert (drawn[:, 0].abs() > 5).all()
    assert 0.4 < (drawn[:, 0] > 0).float().mean() < 0.6
    assert _best_number(normal_codes(200), COVARIANCE) == 1


def test_each_class_has_a_distribution_of_its_own():
    codes, classes = two_hills(100), torch.arange(2).repeat_interleave(100)
    for components in (1, None):
        prior = Mixture(components)
        prior.fit(codes, classes)
        drawn = prior.sample(100, torch.ones(100, dtype=torch.long), generator=generator())
        assert (drawn[:, 0] > 5).all()
        both = prior.sample(400, generator=generator())
        assert 0.4 < (both[:, 0] > 0).float().mean() < 0.6
        right, wrong = prior.log_density(codes[:100], classes[:100]), prior.log_density(codes[:100], 1 - classes[:100])
        assert (right > wrong + 50).all()
        assert (prior.log_density(codes[:100]) < right).all()


def test_what_is_known_of_a_code_is_kept_and_the_rest_goes_with_it():
    """Of two correlated numbers the second follows the first; of hills the one that the known number lies on."""
    prior = Mixture(1)
    prior.fit(normal_codes(5000).float())
    known = torch.tensor([3.0, float("nan"), float("nan")])
    drawn = prior.sample(5000, known=known, generator=generator())
    assert (drawn[:, 0] == 3.0).all()
    assert drawn[:, 1].mean().item() == pytest.approx(-2 + 0.6 * (3 - 1), abs=0.05)
    assert drawn[:, 1].var().item() == pytest.approx(0.5 - 0.36, abs=0.02)
    hills = Mixture(2)
    hills.fit(two_hills(100) * torch.tensor([1.0, 1, 1]) + torch.arange(2).repeat_interleave(100)[:, None] * 20)
    drawn = hills.sample(100, known=torch.tensor([float("nan"), 20.0, 20.0]), generator=generator())
    assert (drawn[:, 0] > 5).all()


def test_the_same_generator_gives_the_same_codes_and_one_code_is_no_distribution():
    prior = Mixture()
    prior.fit(two_hills(30))
    assert torch.equal(prior.sample(7, generator=generator()), prior.sample(7, generator=generator()))
    with pytest.raises(InputError, match="tells of no spread"):
        prior.fit(torch.zeros(1, 3))
