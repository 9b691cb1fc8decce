import numpy as np
import pytest

from isofield.viewer.layout import FILLED, FOV, GAP, natural_aspect, side_by_side, start_view, to_scale, view_axes
from isofield.viewer.screenshot import to_pixels

UPS = [(0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]


def outline(seed: int, size: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(60, 3)) * rng.uniform(0.2, 1, 3) * size + rng.normal(size=3) * 100


@pytest.mark.parametrize("up", UPS)
def test_a_row_leaves_a_gap_between_neighbours_and_is_centred(up):
    outlines = [outline(seed, size) for seed, size in ((0, 1.0), (1, 3.0), (2, 0.7))]
    placed = [place.to_scene(points) for place, points in zip(side_by_side(outlines, up), outlines, strict=True)]
    right = view_axes(up)[:, 0]
    spans = [(points @ right).min() for points in placed], [(points @ right).max() for points in placed]
    assert np.allclose(np.array(spans[0][1:]) - spans[1][:-1], GAP)
    assert spans[0][0] == pytest.approx(-spans[1][-1])
    assert abs(right @ np.array(up)) < 1e-12  # the row is level


def test_sizes_keep_their_ratio_unless_it_is_absurd():
    outlines = [outline(0), outline(0) * 4]
    small, large = (
        np.ptp(p.to_scene(o), axis=0) for p, o in zip(side_by_side(outlines, UPS[0]), outlines, strict=True)
    )
    assert to_scale(outlines)
    assert large == pytest.approx(4 * small)
    outlines = [outline(0), outline(0) * 500]
    small, large = (
        np.ptp(p.to_scene(o), axis=0) for p, o in zip(side_by_side(outlines, UPS[0]), outlines, strict=True)
    )
    assert not to_scale(outlines)
    assert large == pytest.approx(small)


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.5])
def test_the_start_view_is_the_nearest_that_shows_everything(up, aspect):
    points, height = outline(3), 400
    camera = start_view(points, up, aspect).camera(round(aspect * height), height)
    reach = np.abs(to_pixels(camera, points) / (camera.width, camera.height) * 2 - 1).max()
    assert reach == pytest.approx(FILLED, abs=1e-6)


@pytest.mark.parametrize("aspect", [0.4, 1.0, 3.0])
def test_the_view_is_as_narrow_along_its_longer_side_whatever_the_shape(aspect):
    camera = start_view(outline(3), UPS[0], aspect).camera(round(aspect * 400), 400)
    across = max(camera.width, camera.height) / camera.intrinsics[0, 0]
    assert across == pytest.approx(2 * np.tan(FOV / 2), rel=1e-3)


def test_up_is_up_and_the_front_is_seen():
    for up, front in zip(UPS, ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0)), strict=True):
        view = start_view(np.random.default_rng(0).normal(size=(50, 3)), up, 1.0)
        low, high = to_pixels(view.camera(100, 100), np.array([np.zeros(3), up]))
        assert high[1] < low[1] - 5
        assert high[0] == pytest.approx(low[0], abs=2)
        towards = np.subtract(view.eye, view.target)
        assert towards @ front > 0
        assert towards @ up > 0


def test_the_aspect_is_that_of_what_is_seen_but_never_extreme():
    row = np.linspace(-1, 1, 50)[:, None] * view_axes(UPS[0])[:, 0]
    assert natural_aspect(row, UPS[0]) == 3.0
    assert natural_aspect(np.linspace(-1, 1, 50)[:, None] * np.array(UPS[0]), UPS[0]) == 1.0
