"""Pictures at one size with their labels, and the order in which they are shown."""

import numpy as np
import pytest
from geogen_sets import write_set
from sets import cameras, eg3d_folder, odd_camera

from isofield.errors import InputError
from isofield.views import lessons
from isofield.views.lessons import Lessons, draw, seen_radius
from isofield.views.read import read_views


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    return read_views(eg3d_folder(tmp_path_factory.mktemp("set")))


def test_pictures_are_shrunk_and_their_cameras_stay(views):
    small, full = Lessons(views, 16), Lessons(views, 32)
    assert small.pictures(np.arange(3)).shape == (3, 16, 16, 3)
    boxes = full.pictures(np.arange(6)).reshape(6, 16, 2, 16, 2, 3).mean((2, 4))
    assert np.abs(small.pictures(np.arange(6)) - boxes).mean() < 3
    np.testing.assert_array_equal(full.pictures(np.array([2]))[0], views.picture(2))
    np.testing.assert_allclose(small.labels, full.labels)
    assert small.labels[0, 16] == pytest.approx(4.2647, rel=1e-4)


def test_every_picture_tells_its_shape(tmp_path):
    folder = write_set(tmp_path, count=6)
    found = Lessons(read_views(folder), 8)
    assert [view.shape for view in found.views.views] == 3 * ["box0"] + 3 * ["box1"]
    np.testing.assert_array_equal(found.shapes, [0, 0, 0, 1, 1, 1])
    mixed = found.views.chosen([3, 0, 4, 1])
    np.testing.assert_array_equal(Lessons(mixed, 8).shapes, [0, 1, 0, 1])


@pytest.mark.parametrize("held", [lessons.HELD, 0])
def test_glimpses_are_pixels_of_the_files_wherever_they_are_asked_for(views, monkeypatch, held):
    monkeypatch.setattr(lessons, "HELD", held)
    found, whole = Lessons(views, 16), views.picture(3)
    assert found.finest == 32
    x, y = np.meshgrid((np.arange(32) + 0.9) / 32, np.arange(32) / 32)
    anywhere = np.stack([x.ravel(), y.ravel()], 1)[None].astype(np.float32)
    for _ in range(2):
        places, colors = found.glimpses(np.array([3, 1]), anywhere.repeat(2, 0))
        np.testing.assert_array_equal(colors.reshape(2, 32, 32, 3), [whole, views.picture(1)])
    assert (found._kept is None) == (held == 0)
    np.testing.assert_allclose(places[0].reshape(32, 32, 2)[5, 9], [9.5 / 32, 5.5 / 32])
    last = found.glimpses(np.array([0]), np.full((1, 1, 2), np.nextafter(1, 0, dtype=np.float32), np.float32))
    np.testing.assert_allclose(last[0], 31.5 / 32)


def test_the_world_is_scaled_to_the_unit_ball(views):
    """Where its radius is not told, it is that of what the cameras see: nearly one for cameras at nine."""
    found = Lessons(views, 16)
    assert found.radius == pytest.approx(seen_radius(views)) == pytest.approx(1.0477, rel=1e-3)
    eyes = np.array([view.camera.eye for view in views.views])
    np.testing.assert_allclose(found.labels[:, [3, 7, 11]] * found.radius, eyes, rtol=1e-5)


def test_sets_too_large_to_hold_are_read_again(views, monkeypatch):
    held = Lessons(views, 16).pictures(np.arange(4))
    monkeypatch.setattr(lessons, "HELD", 0)
    read = Lessons(views, 16)
    assert read._held is None
    np.testing.assert_array_equal(read.pictures(np.arange(4)), held)


def test_pictures_that_cannot_be_learned_are_refused(views, tmp_path):
    with pytest.raises(InputError, match="fewer than the 64"):
        Lessons(views, 64)
    odd = eg3d_folder(tmp_path / "odd", [*cameras(1), odd_camera()], None)
    with pytest.raises(InputError, match="not square"):
        Lessons(read_views(odd), 16)


def test_all_pictures_are_shown_once_before_any_again():
    steps = [draw(10, 4, step, 0) for step in range(5)]
    assert sorted(np.concatenate(steps)[:10]) == sorted(np.concatenate(steps)[10:]) == list(range(10))
    np.testing.assert_array_equal(draw(10, 4, 3, 0), steps[3])
    assert any(not np.array_equal(draw(10, 4, step, 1), steps[step]) for step in range(5))
