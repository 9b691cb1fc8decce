import numpy as np
import pytest
import torch

from isofield.fields.analytic import Sphere
from isofield.fields.field import Field
from isofield.frame import UnitFrame
from isofield.viewer.slices import INK, distance_image, signed_colors, slice_of

BOX = (-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)


class Ramp(Field):
    """Distance to the plane x + 2y + 4z = 0: every axis can be told from the others."""

    frame = UnitFrame((10.0, 20.0, 30.0), 2.0)

    def sdf(self, points):
        return points @ torch.tensor([1.0, 2.0, 4.0]) / 21**0.5


def is_ink(image: np.ndarray) -> np.ndarray:
    return (np.abs(image / 255 - INK) < 0.05).all(-1)


def test_inside_is_blue_outside_is_amber_and_depth_is_darker():
    colors = signed_colors(np.array([-0.4, -0.05, 0.05, 0.4]))
    assert (colors[:2, 2] > colors[:2, 0]).all()
    assert (colors[2:, 0] > colors[2:, 2]).all()
    assert colors[0].sum() < colors[1].sum()
    assert colors[3].sum() < colors[2].sum()


@pytest.mark.parametrize("level", [0.0, 0.23])
def test_the_dark_line_is_where_the_distance_is_the_level(level):
    y, x = np.mgrid[-1:1:200j, -1:1:200j]
    radius = np.hypot(x, y)
    ink = is_ink(distance_image(radius - 0.5, level))
    assert np.abs(radius[ink] - 0.5 - level).max() < 0.02
    angle = np.arctan2(y[ink], x[ink])
    assert len(np.unique(np.round(angle, 1))) > 60  # all around


def test_a_line_has_the_same_width_whatever_the_slope():
    x = np.tile(np.linspace(-1, 1, 101), (11, 1))
    widths = [is_ink(distance_image(slope * (x - 0.03)))[5].sum() for slope in (0.2, 1.0, 5.0)]
    assert len(set(widths)) == 1
    assert 1 <= widths[0] <= 4


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rows_and_columns_lie_in_space_where_they_say(axis):
    field, low, high = Ramp(), np.array([-1.0, -0.5, -0.8]), np.array([0.5, 1.0, 0.9])
    piece = slice_of(field, axis, 0.2, low, high, 64)
    height, width, _ = piece.image.shape
    rows, columns = np.mgrid[:height, :width]
    u, v = (columns + 0.5) / width, 1 - (rows + 0.5) / height
    points = piece.origin + u[..., None] * piece.along + v[..., None] * piece.across
    unit = field.frame.to_unit(points.reshape(-1, 3))
    assert unit[:, axis] == pytest.approx(0.2)
    values = (unit @ [1, 2, 4] / 21**0.5).reshape(height, width)
    assert np.array_equal(piece.image, distance_image(values.astype(np.float32).astype(np.float64)))
    normal = np.cross(piece.along, piece.across)
    assert normal[axis] > 0
    assert np.count_nonzero(np.abs(normal) > 1e-9) == 1


def test_a_sphere_is_a_disc_of_its_size():
    piece = slice_of(Sphere(0.6), 2, 0.3, *map(np.array, BOX), 300)
    blue = piece.image[..., 2].astype(int) > piece.image[..., 0].astype(int) + 3
    assert blue.mean() * 4 == pytest.approx(np.pi * (0.6**2 - 0.3**2), rel=0.05)
