"""Distances between sets of features where the answers are known."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from isofield.metrics.picture_sets import frechet_distance, kernel_distance, squared_mmd


def normal(count: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) @ rng.normal(size=(width, width))


def test_frechet_of_a_set_that_was_moved_and_scaled():
    """Covariances C and s^2 C commute: |t|^2 + (1 - s)^2 tr C."""
    a, shift = normal(200, 5), np.array([1.0, -2, 0, 0, 0.5])
    middle = a.mean(0)
    moved = middle + 3 * (a - middle) + shift
    expected = shift @ shift + 4 * np.trace(np.cov(a.T))
    assert frechet_distance(a, moved) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_frechet_of_covariances_that_do_not_commute():
    a, b = normal(300, 4, 1), normal(250, 4, 2) + 0.3
    c, d = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c + d - 2 * sqrtm(c @ d).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_frechet_with_fewer_pictures_than_features():
    a = normal(10, 40)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 40, rel=1e-6)


def test_squared_mmd_against_a_plain_loop():
    a, b = normal(6, 3, 3), normal(5, 3, 4)

    def k(x, y):
        return (x @ y / 3 + 1) ** 3

    within = [np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]) for x in (a, b)]
    between = np.mean([k(x, y) for x in a for y in b])
    assert squared_mmd(a, b) == pytest.approx(sum(within) - 2 * between)


def test_squared_mmd_of_points_of_two_places():
    """k(x, x) + k(y, y) - 2 k(x, y) with x = 0 and y = (1, 1): 1 + 8 - 2."""
    assert squared_mmd(np.zeros((4, 2)), np.ones((3, 2))) == pytest.approx(7.0)


def test_the_kernel_distance_of_one_distribution_is_zero_on_average_and_not_beyond():
    rng = np.random.default_rng(5)
    same = [squared_mmd(rng.normal(size=(40, 4)), rng.normal(size=(40, 4))) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(300)
    a, b, c = rng.normal(size=(300, 4)), rng.normal(size=(300, 4)), 1.5 * rng.normal(size=(300, 4))
    assert kernel_distance(a, c, subsets=20, size=100) > 10 * abs(kernel_distance(a, b, subsets=20, size=100))
    assert kernel_distance(a, c, size=1000) == squared_mmd(a, c)
