import json

import numpy as np
import pytest
from sets import cameras, eg3d_folder, nerf_folder, pictures, shape

from isofield.errors import InputError
from isofield.render.camera import orbit
from isofield.render.light import FLAT
from isofield.render.render import Surface, render
from isofield.tasks.render import save_rendering
from isofield.views import eg3d
from isofield.views.change import balanced, cropped, directions, joined, mirrored, y_up
from isofield.views.image_set import View, World
from isofield.views.read import read_views
from isofield.views.write import write_views


@pytest.fixture
def full(tmp_path):
    """A set with all truth beside the pictures."""
    views = cameras(4, 48)
    surface = Surface.of(shape())
    (tmp_path / "full/thing").mkdir(parents=True)
    named = []
    for index, camera in enumerate(views):
        save_rendering(render(surface, camera, light=FLAT), tmp_path / f"full/thing/{index:03}")
        named.append(View(f"thing/{index:03}.png", camera))
    (tmp_path / "full/dataset.json").write_text(eg3d.text_of(named, World(1.0, 7.9, 10.1)))
    return read_views(tmp_path / "full")


def mirror_shape():
    mesh = shape()
    mesh.vertices = mesh.vertices * [-1, 1, 1]
    return mesh


def test_a_mirrored_set_is_the_mirrored_shape_rendered_from_its_cameras(full):
    surface = Surface.of(mirror_shape())
    turned = mirrored(full)
    for index, view in enumerate(turned.views):
        expected = render(surface, view.camera, light=FLAT)
        assert np.linalg.det(view.camera.camera_to_world[:3, :3]) == pytest.approx(1)
        difference = np.abs(turned.picture(index).astype(int) - expected.color).max(-1)
        assert (difference > 8).mean() < 0.005
        assert (turned.mask(index) != expected.mask).mean() < 0.005
        both = turned.mask(index) & expected.mask
        assert np.median(np.abs(turned.depth(index)[both] - expected.depth[both])) < 1e-5
        assert np.median(np.abs(turned.normal(index) - expected.normal)[both]) < 0.01
    azimuth, elevation = directions(full)
    assert np.allclose(directions(turned)[0], -azimuth)
    assert np.allclose(directions(turned)[1], elevation)


def test_mirroring_twice_changes_nothing(full):
    again = mirrored(mirrored(full))
    for index, (view, other) in enumerate(zip(full.views, again.views, strict=True)):
        assert np.allclose(view.camera.camera_to_world, other.camera.camera_to_world)
        assert np.array_equal(full.picture(index), again.picture(index))


def test_a_cropped_picture_shows_what_its_camera_sees(full):
    small = cropped(full, 40, margin=0.1)
    surface = Surface.of(shape())
    for index, view in enumerate(small.views):
        expected = render(surface, view.camera, light=FLAT)
        assert small.picture(index).shape == (40, 40, 3)
        assert (np.abs(small.picture(index).astype(int) - expected.color).max(-1) > 60).mean() < 0.06
        assert (small.mask(index) != expected.mask).mean() < 0.04
        rows, columns = np.flatnonzero(small.mask(index).any(1)), np.flatnonzero(small.mask(index).any(0))
        assert max(np.ptp(rows), np.ptp(columns)) == pytest.approx(40 / 1.2, abs=2)
    other, then = cropped(mirrored(full), 40), mirrored(cropped(full, 40))
    for index in range(4):
        assert np.abs(other.views[index].camera.intrinsics - then.views[index].camera.intrinsics).max() < 1.7
        assert (other.mask(index) != then.mask(index)).mean() < 0.06


def test_cropping_needs_a_mask(tmp_path):
    with pytest.raises(InputError, match=r"thing/000\.png: has no mask"):
        cropped(read_views(eg3d_folder(tmp_path / "set")), 16)


def test_balancing_repeats_the_rare_azimuths(full):
    many = [View(f"{k}.png", orbit(a, 0)) for k, a in enumerate([*np.linspace(-10, 10, 24), 100, 190, 200, 300])]
    even = balanced(type(full)(full.store, tuple(many)))
    before = np.bincount((directions(type(full)(full.store, tuple(many)))[0] % 360 // 30).astype(int), minlength=12)
    after = np.bincount((directions(even)[0] % 360 // 30).astype(int), minlength=12)
    assert before.max() / before[before > 0].min() == 12
    assert after.max() / after[after > 0].min() <= 2
    assert {view.name for view in even.views} == {view.name for view in many}


def test_z_up_becomes_y_up_and_normals_turn_along(full):
    turned = y_up(full)
    point = np.array([[0.1, -0.7, 0.5]])  # in a world with z up
    for one, other in zip(full.views, turned.views, strict=True):
        assert np.allclose(one.camera.project(point)[0], other.camera.project(np.array([[0.1, 0.5, 0.7]]))[0])
    x, y, z = np.moveaxis(full.normal(0), -1, 0)
    assert np.allclose(turned.normal(0), np.stack([x, z, -y], -1))


@pytest.mark.parametrize("layout", ["eg3d", "nerf", "colmap"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_written_is_read_again(full, tmp_path, layout, packed):
    both = joined(full, mirrored(cropped(full, 48)))
    path = tmp_path / ("out.zip" if packed else "out")
    write_views(both, path, layout)
    again = read_views(path)
    assert len(again) == 8
    assert len({view.name for view in again.views}) == 8
    for index in range(8):
        assert np.array_equal(again.picture(index), both.picture(index))
        assert np.array_equal(again.mask(index), both.mask(index))
        assert np.array_equal(again.depth(index), both.depth(index))
        assert np.abs(again.normal(index) - both.normal(index)).max() < 1 / 127
        one, other = again.views[index].camera, both.views[index].camera
        assert np.abs(one.camera_to_world - other.camera_to_world).max() < 1e-6
        assert np.abs(one.intrinsics - other.intrinsics).max() < 1e-4


def test_a_folder_that_holds_something_is_not_replaced(full, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(InputError, match="is not empty"):
        write_views(full, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_without_truth_every_picture_has_a_label(full, tmp_path):
    write_views(full, tmp_path / "out", truth=False)
    labels = json.loads((tmp_path / "out/dataset.json").read_text())["labels"]
    stored = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*") if path.is_file()
    }
    assert stored == {"dataset.json", *(name for name, _ in labels)}


def test_transparent_pictures_lie_on_the_background(tmp_path):
    views = read_views(nerf_folder(tmp_path / "set"))
    mask = views.mask(0)
    assert (views.picture(0)[~mask] == 255).all()
    assert np.array_equal(views.picture(0)[mask], pictures(cameras())[0][0][mask])
