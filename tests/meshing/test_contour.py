import numpy as np
import pytest

from isofield.fields.analytic import Sphere, Torus
from isofield.frame import UnitFrame
from isofield.meshing.contour import extract_contour


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_sphere_is_cut_in_a_circle_with_the_inside_on_the_left(axis: int) -> None:
    ball = Sphere(0.5)
    ball.frame = UnitFrame((10.0, 20.0, 30.0), 2.0)
    (curve,) = extract_contour(ball, axis, 0.3, 101)
    centre = np.array([10.0, 20.0, 30.0])
    centre[axis] += 0.6
    assert np.allclose(curve[:, axis], centre[axis])
    assert np.allclose(np.linalg.norm(curve - centre, axis=1), 2 * 0.4, atol=2e-3)
    area = np.cross(curve - centre, np.roll(curve, -1, axis=0) - centre).sum(axis=0) / 2
    assert area[axis] == pytest.approx(np.pi * 0.8**2, rel=5e-3)


def test_a_ring_is_cut_in_two() -> None:
    assert len(extract_contour(Torus(0.5, 0.2), 1)) == 2  # the plane of the ring: outer and inner circle
    assert len(extract_contour(Torus(0.5, 0.2), 0)) == 2  # across it: two discs
    assert extract_contour(Torus(0.5, 0.2), 1, 0.9) == []
