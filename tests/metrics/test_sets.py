"""Sets of shapes beside each other: alike, apart, copied, collapsed."""

import numpy as np
import pytest

from isofield.metrics.clouds import chamfer_l1
from isofield.metrics.sets import (
    compare_sets,
    coverage,
    diversity,
    minimum_matching_distance,
    nearest_neighbor_accuracy,
    pairwise_chamfer,
)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a[:, None] - b[None]).astype(float)


def accuracy(new: np.ndarray, real: np.ndarray) -> float:
    return nearest_neighbor_accuracy(distances(new, new), distances(real, real), distances(new, real))


def test_chamfer_of_all_pairs_is_that_of_each():
    rng = np.random.default_rng(0)
    first, second = [rng.random((30, 3)) for _ in range(3)], [rng.random((20, 3)) for _ in range(2)]
    expected = [[chamfer_l1(a, b) for b in second] for a in first]
    np.testing.assert_allclose(pairwise_chamfer(first, second), expected)


def test_numbers_on_a_line_where_the_answers_are_known():
    real = np.array([0.0, 10, 20, 30])
    assert accuracy(real + 100, real) == 1.0  # apart: always told
    assert accuracy(real + 1e-3, real) == 0.0  # copies: never
    rng = np.random.default_rng(1)
    assert accuracy(rng.random(2000), rng.random(2000)) == pytest.approx(0.5, abs=0.05)  # one distribution
    copied, collapsed = distances(real + 1, real), distances(np.full(4, 9.0), real)
    assert (coverage(copied), coverage(collapsed)) == (1.0, 0.25)
    assert minimum_matching_distance(copied) == 1.0
    assert minimum_matching_distance(collapsed) == (9 + 1 + 11 + 21) / 4


def test_diversity_is_the_mean_over_different_pairs():
    assert diversity(distances(np.array([0.0, 1, 3]), np.array([0.0, 1, 3]))) == 2.0  # of 1, 2 and 3
    assert diversity(np.zeros((4, 4))) == 0.0


def test_sets_of_clouds():
    real = [np.full((5, 3), [10.0 * k, 0, 0]) for k in range(4)]
    found = compare_sets([real[1] + 1e-3, real[1]], real)
    assert found["coverage"] == 0.25
    assert found["mmd"] == pytest.approx((10 + 0 + 10 + 20) / 4, abs=2e-3)
    assert found["diversity"] == pytest.approx(1e-3 * 3**0.5)
    assert found["diversity_real"] == pytest.approx((3 * 10 + 2 * 20 + 30) / 6)
    assert found["compared"] == [2, 4]
