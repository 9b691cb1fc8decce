import numpy as np
import pytest

from isofield.metrics.clouds import chamfer_l1, chamfer_l2_squared, emd, nearest, sliced_emd

SHIFT = np.array([0.3, -0.4, 1.2])


@pytest.fixture
def cloud():
    return np.random.default_rng(0).normal(size=(300, 3))


def test_two_points_at_distance_three():
    a, b = np.zeros((1, 3)), np.array([[0.0, 3.0, 0.0]])
    assert chamfer_l1(a, b) == 3
    assert chamfer_l2_squared(a, b) == 18
    assert emd(a, b) == 3


def test_both_directions_count_alike():
    a, b = np.zeros((1, 3)), np.array([[1.0, 0, 0], [5.0, 0, 0]])
    assert chamfer_l1(a, b) == chamfer_l1(b, a) == (1 + 3) / 2
    assert chamfer_l2_squared(a, b) == chamfer_l2_squared(b, a) == 1 + 13


def test_nearest_is_the_smallest_of_all_pairs(cloud):
    other = cloud[::-3] * 1.1 + 0.05
    assert np.allclose(nearest(cloud, other), np.linalg.norm(cloud[:, None] - other, axis=2).min(1))


def test_emd_of_a_permuted_set_is_zero(cloud):
    shuffled = np.random.default_rng(1).permutation(cloud)
    assert emd(cloud, shuffled) == 0
    assert sliced_emd(cloud, shuffled) == 0


def test_emd_of_a_translated_set_is_the_length_of_the_translation(cloud):
    moved = np.random.default_rng(1).permutation(cloud + SHIFT)
    assert emd(cloud, moved) == pytest.approx(1.3)


def test_sliced_emd_of_a_translated_set_is_half_of_it(cloud):
    moved = np.random.default_rng(1).permutation(cloud + SHIFT)
    assert sliced_emd(cloud, moved, directions=4000) == pytest.approx(0.65, rel=0.02)


def test_sliced_emd_is_never_above_emd_and_repeats(cloud):
    other = np.random.default_rng(2).exponential(size=cloud.shape)
    assert 0 < sliced_emd(cloud, other) < emd(cloud, other)
    assert sliced_emd(cloud, other, seed=3) == sliced_emd(cloud, other, seed=3) != sliced_emd(cloud, other, seed=4)


@pytest.mark.parametrize("distance", [emd, sliced_emd])
def test_sets_of_different_sizes_are_refused(distance, cloud):
    with pytest.raises(ValueError, match="one size"):
        distance(cloud, cloud[1:])
