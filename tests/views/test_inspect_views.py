import json
import shutil

import numpy as np
import pytest
import trimesh
from PIL import Image
from sets import cameras, eg3d_folder, nerf_folder, pictures

from isofield.cli import main
from isofield.errors import InputError
from isofield.render.camera import Camera, orbit
from isofield.render.light import FLAT
from isofield.render.render import Surface, render
from isofield.views.chart import chart
from isofield.views.consistency import foreground
from isofield.views.inspect import inspect_views
from isofield.views.poses import nearest_point, poses_of
from isofield.views.read import read_views

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def seen():
    """Eight cameras and what they see."""
    views = cameras(8, 48, seed=3)
    return views, pictures(views)[0]


def posed(camera, pose):
    return Camera(pose, camera.intrinsics, camera.width, camera.height)


def test_a_sound_set_is_described_and_not_blamed(tmp_path, seen):
    found = inspect_views(eg3d_folder(tmp_path / "set", *seen))
    assert (found.pictures, found.shapes, found.layout, found.judged) == (8, 1, "EG3D", 1)
    assert found.sizes == {"48x48": 8}
    assert found.focals == pytest.approx((4.2647, 4.2647))
    assert found.distances == pytest.approx((9, 9))
    assert np.allclose(found.target, 0, atol=1e-9)
    assert found.spread < 1e-9
    assert found.up == "+y"
    assert (sum(found.azimuths), sum(found.elevations)) == (8, 8)
    assert found.problems == ()
    assert found.convention is None
    assert "belong together" in str(found)


WRONG = [
    (lambda c: posed(c, c.camera_to_world @ OPENGL), lambda p: p, "OpenGL's axes in the place of OpenCV's"),
    (lambda c: posed(c, np.linalg.inv(c.camera_to_world)), lambda p: p, "poses are inverted (world-to-camera"),
    (lambda c: posed(c, np.linalg.inv(c.camera_to_world @ OPENGL)), lambda p: p, "inverted, and of OpenGL's axes"),
    (lambda c: c, lambda p: p[:, ::-1], "pictures are mirrored left to right"),
    (
        lambda c: posed(c, np.diag([-1.0, 1, 1, 1]) @ c.camera_to_world @ np.diag([-1.0, 1, 1, 1])),
        lambda p: p,
        "left-handed world",
    ),
    (lambda c: c, lambda p: p[::-1], "upside down"),
    (lambda c: posed(c, c.camera_to_world @ np.diag([-1.0, -1, 1, 1])), lambda p: p, "half a turn"),
]


@pytest.mark.parametrize(("camera", "picture", "line"), WRONG, ids=[line for *_, line in WRONG])
def test_wrong_conventions_are_named(tmp_path, seen, camera, picture, line):
    views, images = seen
    folder = eg3d_folder(tmp_path / "set", [camera(view) for view in views], [picture(image) for image in images])
    found = inspect_views(folder)
    assert found.convention is not None
    assert line in found.convention
    assert any("silhouettes fit only if" in problem for problem in found.problems)


def test_a_picture_with_another_ones_camera_is_found(tmp_path, seen):
    views, images = seen
    folder = eg3d_folder(tmp_path / "set", views, [*images[:5], images[1], *images[6:]])
    found = inspect_views(folder)
    assert found.mislabelled == ("thing/005.png",)
    assert found.duplicates == (("thing/001.png", "thing/005.png"),)
    assert found.convention is None


def test_thin_legs_are_no_wrong_cameras(tmp_path):
    parts = [trimesh.creation.box((1.0, 0.06, 0.7)).apply_translation((0, 0.45, 0))]
    for x, z in ((-0.45, -0.3), (-0.45, 0.3), (0.45, -0.3), (0.4, 0.3)):
        parts.append(trimesh.creation.cylinder(0.015, segment=[(x, 0.45, z), (1.1 * x, -0.5, 1.1 * z)], sections=8))
    surface, views = Surface.of(trimesh.util.concatenate(parts)), cameras(8, 96, seed=5)
    images = [render(surface, view, light=FLAT, samples=1).color for view in views]
    assert inspect_views(eg3d_folder(tmp_path / "set", views, images)).mislabelled == ()


def test_damaged_blank_and_unlabelled_pictures_are_named(tmp_path, seen):
    views, images = seen
    folder = eg3d_folder(tmp_path / "set", views, [images[0], np.full((48, 48, 3), 255, np.uint8), *images[2:]])
    content = (folder / "thing/003.png").read_bytes()
    (folder / "thing/003.png").write_bytes(content[: len(content) // 2])
    (folder / "thing/004.png").write_bytes(b"text")
    shutil.copy(folder / "thing/000.png", folder / "thing/stray.png")
    found = inspect_views(folder)
    assert found.blank == ("thing/001.png",)
    assert len(found.faults) == 3
    for name in ("003.png: is no readable picture", "004.png: is no readable picture", "stray.png: has no label"):
        assert any(name in fault for fault in found.faults)
    with pytest.raises(InputError):
        read_views(folder)


def test_uneven_azimuths_and_mixed_sizes_are_said(tmp_path):
    views = [*(orbit(a, 0, size=16) for a in np.linspace(-10, 10, 60)), orbit(100, 0, size=16), orbit(200, 0, size=32)]
    images = [np.full((view.height, view.width, 3), k, np.uint8) for k, view in enumerate(views)]
    lines = " ".join(inspect_views(eg3d_folder(tmp_path / "set", views, images)).problems)
    assert "--balance" in lines
    assert "2 sizes" in lines
    assert "nothing is seen from 8 of 12 directions" in lines


def test_a_world_with_z_up_is_told_how_to_turn(tmp_path):
    views = [orbit(a, 20, size=32, up=(0, 0, 1)) for a in range(0, 360, 60)]
    found = inspect_views(nerf_folder(tmp_path / "set", views))
    assert found.up == "+z"
    assert any("convert --up z" in line for line in found.problems)
    assert main(["convert", str(tmp_path / "set"), "-o", str(tmp_path / "turned"), "--up", "z"]) == 0
    turned = inspect_views(tmp_path / "turned")
    assert turned.up == "+y"
    assert turned.convention is None
    assert np.array_equal(turned.azimuths, found.azimuths)


def test_cameras_that_look_away_are_noticed_without_silhouettes(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (32, 32, 3)).astype(np.uint8) for _ in range(6)]
    views = [posed(view, view.camera_to_world @ OPENGL) for view in cameras(6)]
    found = inspect_views(eg3d_folder(tmp_path / "set", views, noise))
    assert (found.judged, found.convention) == (0, None)
    assert any("look away" in line for line in found.problems)


def test_the_nearest_point_to_lines_is_where_they_meet():
    point, rng = np.array([0.3, -2.0, 1.0]), np.random.default_rng(0)
    axes = rng.normal(size=(5, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    assert np.allclose(nearest_point(point - axes * rng.uniform(1, 3, (5, 1)), axes), point)
    assert poses_of([orbit(0, 0), orbit(0, 0)]).facing in (0.0, 1.0)  # parallel: any point of the line


def test_an_even_background_gives_the_silhouette_and_a_lively_one_none(seen):
    _, masks = pictures(seen[0])
    assert (foreground(seen[1][0]) == masks[0]).all()
    assert foreground(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)) is None


def test_the_chart_draws_the_cube_where_the_cameras_see_it(tmp_path, seen):
    views = [orbit(0, 0, size=200)] * 2
    white = [np.full((200, 200, 3), 255, np.uint8)] * 2
    image = chart(read_views(eg3d_folder(tmp_path / "set", views, white)))
    tile = image[:213, 640:853].astype(int)
    red = (tile[..., 0] > tile[..., 1] + 60) & (tile[..., 0] > tile[..., 2] + 60)
    green = (tile[..., 1] > tile[..., 0] + 40) & (tile[..., 1] > tile[..., 2] + 40)
    half = 0.55 * 9 / 4.2647 / 2
    near = 213 / 2 + np.array([-1, 1]) * half * 4.2647 * 213 / (9 - half)  # the near face is the larger square
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(green.any(0))
    assert np.allclose([rows[0], rows[-1]], near, atol=3)
    assert np.allclose([columns[0], columns[-1]], near, atol=3)


def test_the_command_inspects_sets_and_draws_them(tmp_path, seen, capsys):
    folder = eg3d_folder(tmp_path / "set", *seen)
    assert main(["inspect", str(folder), "--json", "-o", str(tmp_path / "chart.png")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pictures"] == 8
    assert report["problems"] == []
    with Image.open(tmp_path / "chart.png") as image:
        assert image.width > 600
    (tmp_path / "empty").mkdir()
    assert main(["inspect", str(tmp_path / "empty")]) == 2
    assert "holds no dataset.json" in capsys.readouterr().err
