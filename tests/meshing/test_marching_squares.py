import numpy as np
import pytest

from isofield.errors import IsofieldError
from isofield.meshing.marching_squares import marching_squares


def area(curve: np.ndarray) -> float:
    after = np.roll(curve, -1, axis=0)
    return float((curve[:, 0] * after[:, 1] - curve[:, 1] * after[:, 0]).sum() / 2)


def plane(n: int = 65) -> tuple[np.ndarray, np.ndarray]:
    axis = np.linspace(-1, 1, n)
    return np.meshgrid(axis, axis, indexing="ij")


def test_ring_has_two_curves_of_opposite_direction() -> None:
    x, y = plane()
    curves = marching_squares(np.abs(np.hypot(x, y) - 0.6) - 0.2)
    areas = sorted(area(curve) * (2 / 64) ** 2 for curve in curves)
    assert areas == pytest.approx([-np.pi * 0.4**2, np.pi * 0.8**2], rel=4e-3)
    radii = np.hypot(*(np.concatenate(curves) * 2 / 64 - 1).T)
    assert np.minimum(abs(radii - 0.4), abs(radii - 0.8)).max() < 5e-4


@pytest.mark.parametrize("seed", range(40))
def test_any_field_gives_simple_closed_curves_with_the_inside_on_the_left(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-2, 3, rng.integers(1, 12, 2)).astype(float) + (seed % 2) * rng.standard_normal()
    curves = marching_squares(values)
    points = np.concatenate([*curves, np.empty((0, 2))])
    assert len(np.unique(points, axis=0)) == len(points) == crossings(values < 0)
    for curve in curves:
        assert np.abs(curve - np.roll(curve, 1, axis=0)).max() <= 1
    # Green's theorem, for the count of inside points: each has winding number one, each outside point none
    for point in np.argwhere(np.ones(values.shape)):
        assert sum(winding(curve - point) for curve in curves) == (values[tuple(point)] < 0)


def crossings(inside: np.ndarray) -> int:
    padded = np.pad(inside, 1)
    return int((padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum())


def winding(curve: np.ndarray) -> int:
    angle = np.arctan2(curve[:, 1], curve[:, 0])
    turn = (np.roll(angle, -1) - angle + np.pi) % (2 * np.pi) - np.pi
    return round(turn.sum() / (2 * np.pi))


def test_no_surface_no_curve_and_no_nan() -> None:
    assert marching_squares(np.zeros((3, 3))) == []
    assert len(marching_squares(-np.ones((3, 3)))) == 1
    with pytest.raises(IsofieldError, match="1 of 4 values"):
        marching_squares(np.array([[0.0, 1.0], [np.nan, 1.0]]))
