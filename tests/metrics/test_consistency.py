"""Views of one shape, depths of one surface, balls and bowls."""

import numpy as np
import pytest

from isofield.metrics.consistency import bulge, depth_gap, hollow_fraction, view_consistency


def test_view_consistency_is_the_mean_cosine():
    first = np.array([[1.0, 0], [2, 0], [0, 1]])
    second = np.array([[3.0, 0], [0, 1], [0, -1]])
    assert view_consistency(first, second) == pytest.approx((1 + 0 - 1) / 3)
    away = np.array([5.0, 5])
    assert view_consistency(first + away, second + away) > 0.9
    assert view_consistency(first + away, second + away, away) == pytest.approx((1 + 0 - 1) / 3)


def test_depths_are_compared_where_both_are():
    inf = np.inf
    rendered = np.array([[1.0, 2.0, inf], [3.0, inf, inf]])
    surface = np.array([[1.5, 1.75, 4.0], [inf, inf, inf]])
    found = depth_gap(rendered, surface)
    assert found.gap == pytest.approx((0.5 + 0.25) / 2)
    assert found.missed == pytest.approx(2 / 4)
    empty = depth_gap(np.full((2, 2), inf), np.full((2, 2), inf))
    assert np.isnan(empty.gap)
    assert empty.missed == 0


def ball(side: int, sign: float) -> np.ndarray:
    """Depth of a unit ball from far away, or with sign -1 of the bowl that it fits in."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2.4 - 1.2
    square = x**2 + y**2
    return np.where(square < 1, 10 - sign * np.sqrt(np.maximum(1 - square, 0)), np.inf)


def test_a_ball_bulges_and_a_bowl_is_hollow():
    """Rim beyond 2/3 of the radius, middle within 1/3: their medians halve the areas, at radii^2 of 13/18 and 1/18."""
    expected = np.sqrt(17 / 18) - np.sqrt(5 / 18)
    assert bulge(ball(300, 1)) == pytest.approx(expected, abs=0.01)
    assert bulge(ball(300, -1)) == pytest.approx(-expected, abs=0.01)
    assert bulge(ball(32, 1)) == pytest.approx(expected, abs=0.1)
    assert np.isnan(bulge(np.full((8, 8), np.inf)))


def test_hollow_fraction_is_of_those_that_are_seen():
    assert hollow_fraction(np.array([0.1, -0.1, -0.2, 0.3, np.nan])) == 0.5
    assert np.isnan(hollow_fraction(np.array([np.nan])))
