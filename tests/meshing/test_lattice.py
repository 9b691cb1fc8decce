import numpy as np
import pytest
import torch
from hard_fields import Wrapped

from isofield.errors import IsofieldError
from isofield.fields.analytic import Sphere
from isofield.meshing.lattice import Lattice, Samples, among, distinct

LATTICE = Lattice(np.array([-1.0, -2.0, -3.0]), 0.5, (4, 5, 6))


def test_keys_number_the_points_and_the_layer_around_them() -> None:
    index = np.array(list(np.ndindex(6, 7, 8))) - 1
    keys = LATTICE.keys(index)
    assert len(np.unique(keys)) == len(index)
    assert np.all(np.diff(keys) > 0)
    assert np.array_equal(LATTICE.index(keys), index)
    assert LATTICE.outside(index).sum() == 6 * 7 * 8 - 4 * 5 * 6
    step = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert np.array_equal(LATTICE.keys(index[:1] + step), keys[0] + LATTICE.steps(step))


def test_it_covers_the_bounds() -> None:
    lattice = Lattice.over(Sphere(), 9)
    assert lattice.shape == (9, 9, 9)
    assert lattice.size == 729
    assert np.allclose(lattice.points(np.array([[0, 0, 0], [8, 8, 8]])), [[-1] * 3, [1] * 3])


def test_each_point_is_asked_once() -> None:
    calls: list[int] = []

    def count(points: torch.Tensor) -> torch.Tensor:
        calls.append(len(points))
        return Sphere(0.5).sdf(points)

    samples = Samples(Wrapped(count), Lattice.over(Sphere(), 9), 0.0)
    keys = samples.lattice.keys(np.array([[4, 4, 4], [0, 0, 0], [4, 4, 4], [8, 4, 4]]))
    assert np.allclose(samples.ask(keys), [-0.5, 3**0.5 - 0.5, -0.5, 0.5])
    samples.ask(keys[::-1])
    assert (calls, samples.queries) == ([3], 3)
    assert (samples.low, samples.high) == (-0.5, pytest.approx(3**0.5 - 0.5))


def test_assumptions_hold_until_asked_and_are_counted_where_wrong() -> None:
    samples = Samples(Sphere(0.5), Lattice.over(Sphere(), 9), 0.0)
    centre, corner, beyond, unknown = samples.lattice.keys(np.array([[4, 4, 4], [0, 0, 0], [-1, 3, 3], [2, 2, 2]]))
    samples.assume(np.array([corner, centre]), np.array([False, False]))
    known = samples.known(np.array([centre, corner, beyond, unknown]))
    assert np.array_equal(known[:3], [np.inf] * 3)
    assert np.isnan(known[3])
    assert samples.queries == 0
    samples.ask(np.array([centre, corner]))
    assert np.array_equal(samples.contradicted, [centre])
    samples.forget_assumptions()
    assert samples.known(np.array([centre]))[0] == -0.5


def test_not_finite_is_an_error_with_a_place() -> None:
    samples = Samples(Wrapped(lambda p: torch.where(p[:, 0] > 0.9, torch.nan, 1.0)), Lattice.over(Sphere(), 3), 0.0)
    with pytest.raises(IsofieldError, match=r"1 of 2 points asked, the first at \[1.0, 0.0, 0.0\]"):
        samples.values_at(np.array([[0, 0, 0], [2, 1, 1]]))


def test_sorted_sets() -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 50, 200)
    assert np.array_equal(distinct(keys), np.unique(keys))
    other = distinct(rng.integers(0, 90, 40))
    assert np.array_equal(among(keys, other), np.isin(keys, other))
    assert not among(keys, np.empty(0, np.int64)).any()
