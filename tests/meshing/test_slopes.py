import numpy as np
import pytest

from isofield.meshing.slopes import ROUNDING, SAFETY, SlopeBound


def test_a_stated_constant_gives_the_sphere_without_a_zero() -> None:
    bound = SlopeBound(2.0)
    reach = bound.reach(np.array([0.5, -3.0, 0.0, np.nan, np.inf]), 8)
    assert np.allclose(reach, np.array([0.25, 1.5, 0, 0, 0]) / ROUNDING)


def test_slopes_count_for_values_at_least_as_large() -> None:
    """As for d^2: steep where large, flat near zero."""
    bound = SlopeBound(None)
    bound.see(4, np.array([0.01, 0.3]), np.array([0.2, 5.0]))
    assert bound.reach(np.array([0.02]), 4) == pytest.approx(0.02 / (0.2 * SAFETY))
    assert bound.reach(np.array([-0.6]), 4) == pytest.approx(0.6 / (5.0 * SAFETY))
    assert bound.reach(np.array([0.001]), 4) == np.inf
    assert bound.reach(np.array([0.0]), 4) == 0


def test_roughness_over_a_cell_does_not_count_for_a_large_block() -> None:
    bound = SlopeBound(None)
    bound.see(16, np.zeros(1), np.ones(1))
    bound.see(1, np.zeros(1), np.full(1, 7.0))
    assert bound.reach(np.ones(1), 16) == pytest.approx(1 / SAFETY)
    assert bound.reach(np.ones(1), 2) == pytest.approx(1 / (7 * SAFETY))


def test_a_decision_is_broken_by_a_steeper_slope_over_its_own_scale() -> None:
    bound = SlopeBound(None)
    bound.rely(8, np.array([0.5]), np.array([0.25]))  # holds while slopes stay at 2 or below
    bound.see(1, np.zeros(1), np.full(1, 9.0))
    bound.see(4, np.zeros(1), np.full(1, 1.9))
    assert not bound.broken()
    bound.see(4, np.zeros(1), np.full(1, 2.1))
    assert bound.broken()
    bound.renew()
    assert not bound.broken()


def test_flat_samples_tell_nothing() -> None:
    bound = SlopeBound(None)
    bound.see(4, np.ones(10), np.zeros(10), flat=10)
    assert bound.mostly_flat
    assert not SlopeBound(1.0).mostly_flat
