import numpy as np
import pytest

from isofield.render.colormap import error_colors, oklab_to_srgb, ramp, round_limit


def test_oklab_of_known_colors():
    lab = np.array([[1, 0, 0], [0, 0, 0], [0.62795536, 0.22486306, 0.1258463]])
    assert np.allclose(oklab_to_srgb(lab), [[1, 1, 1], [0, 0, 0], [1, 0, 0]], atol=1e-3)


def test_the_ramp_darkens_steadily():
    colors = ramp(np.linspace(0, 1, 101))
    luminance = np.where(colors > 0.04045, ((colors + 0.055) / 1.055) ** 2.4, colors / 12.92) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) < 0).all()
    assert luminance[0] > 0.8
    assert luminance[-1] < 0.06


def test_beyond_the_limit_the_last_color_stays():
    colors = error_colors(np.array([0.0, 1.0, 2.0, 50.0]), 2.0)
    assert np.allclose(colors, ramp(np.array([0, 0.5, 1, 1])))


@pytest.mark.parametrize(
    ("value", "limit"), [(0.9, 1), (1.0, 1), (1.1, 2), (2.3, 5), (5.1, 10), (0.00031, 0.0005), (0, 1e-30)]
)
def test_the_limit_is_a_round_number(value, limit):
    assert round_limit(np.full(10, float(value))) == pytest.approx(limit)


def test_the_limit_ignores_the_worst_hundredth():
    values = np.full(1000, 0.9)
    values[:5] = 100
    assert round_limit(values) == 1
