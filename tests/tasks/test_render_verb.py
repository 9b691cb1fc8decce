import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from isofield.cli import main
from isofield.data import bundled
from isofield.errors import InputError
from isofield.frame import UnitFrame
from isofield.render.camera import DISTANCE, FOCAL
from isofield.render.rig import around, sphere_fits
from isofield.settings.pictures import RenderSettings
from isofield.tasks.render import mesh_files, run_render
from isofield.views.change import directions
from isofield.views.image_set import ImageSet, View
from isofield.views.read import read_views
from isofield.views.store import Folder

SMALL = {"views": 4, "size": 24}


@pytest.fixture
def meshes(tmp_path):
    """Two meshes far from the unit frame, one of them red."""
    folder = tmp_path / "meshes"
    (folder / "deep").mkdir(parents=True)
    ball = trimesh.creation.icosphere(3, 40).apply_translation((100, 20, -7))
    ball.visual = ColorVisuals(ball, vertex_colors=np.tile([200, 0, 0, 255], (len(ball.vertices), 1)))
    ball.export(folder / "ball.ply")
    trimesh.creation.box((1, 2, 3)).export(folder / "deep" / "box.obj")
    return folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.*")) if path.is_file()}


def test_a_folder_of_meshes_becomes_an_eg3d_set(meshes, tmp_path):
    report = run_render(RenderSettings(meshes, tmp_path / "views", **SMALL))
    assert (report["shapes"], report["pictures"], report["failed"]) == (2, 8, {})
    content = json.loads((tmp_path / "views/dataset.json").read_text())
    assert [len(label) for _, label in content["labels"]] == [25] * 8
    assert all(label[16:] == [FOCAL, 0, 0.5, 0, FOCAL, 0.5, 0, 0, 1] for _, label in content["labels"])
    views = read_views(tmp_path / "views")
    assert list(views.shapes()) == ["ball", "deep-box"]
    assert views.world.near == pytest.approx(DISTANCE - 1.05)
    assert views.world.far == pytest.approx(DISTANCE + 1.05)
    for index, view in enumerate(views.views):
        pose = np.array(dict(content["labels"])[view.name][:16]).reshape(4, 4)
        assert np.linalg.norm(pose[:3, 3]) == pytest.approx(DISTANCE)
        picture, depth, mask, normal = (part(index) for part in (views.picture, views.depth, views.mask, views.normal))
        assert np.array_equal(mask, np.isfinite(depth))
        assert depth.dtype == np.float32
        assert (picture[~mask][[0, -1]] == 255).all()
        assert np.abs(np.linalg.norm(normal[mask], axis=1) - 1).max() < 0.02
    ball = views.picture(0)[views.mask(0)]
    assert (ball[:, 0] > ball[:, 1] + 60).mean() > 0.9


def test_depth_lands_on_the_surface_in_the_stored_frame(meshes, tmp_path):
    run_render(RenderSettings(meshes, tmp_path / "views", **SMALL))
    shapes = json.loads((tmp_path / "views/dataset.json").read_text())["shapes"]
    frame = UnitFrame.from_json(shapes["ball"]["frame"])
    assert np.allclose(frame.center, (100, 20, -7))
    assert frame.scale == pytest.approx(40 * 1.03, rel=1e-6)
    views = read_views(tmp_path / "views")
    depth, camera = views.depth(1), views.views[1].camera
    points = frame.to_user((camera.eye + depth[..., None] * camera.rays())[np.isfinite(depth)])
    assert np.abs(np.linalg.norm(points - (100, 20, -7), axis=1) - 40).max() < 0.4


def test_running_again_adds_only_what_is_missing(meshes, tmp_path):
    settings = RenderSettings(meshes, tmp_path / "views", **SMALL)
    run_render(settings)
    before = contents(tmp_path / "views")
    shutil.rmtree(tmp_path / "views/ball")
    (tmp_path / "views/dataset.json").unlink()
    assert run_render(settings)["resumed"] == 1
    assert contents(tmp_path / "views") == before
    trimesh.creation.box().export(meshes / "another.stl")
    assert run_render(settings)["resumed"] == 2
    assert len(read_views(tmp_path / "views")) == 12


def test_other_settings_are_refused_until_restart(meshes, tmp_path):
    run_render(RenderSettings(meshes, tmp_path / "views", **SMALL))
    with pytest.raises(InputError, match="size 24 -> 16"):
        run_render(RenderSettings(meshes, tmp_path / "views", views=4, size=16))
    run_render(RenderSettings(meshes, tmp_path / "views", views=2, size=16, restart=True))
    assert len(read_views(tmp_path / "views")) == 4


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_cameras(meshes, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run_render(RenderSettings(meshes, tmp_path / name, light="varied", seed=seed, **SMALL))
    a, b, c = (contents(tmp_path / name) for name in "abc")
    pictures = [path for path in a if path.suffix in (".png", ".npy") or path.name == "dataset.json"]
    assert all(a[path] == b[path] for path in pictures)
    assert a[pictures[0]] != c[pictures[0]]


def test_a_mesh_that_cannot_be_read_is_left_out_and_named(meshes, tmp_path, capsys):
    (meshes / "broken.obj").write_text("v 1 2\n")
    report = run_render(RenderSettings(meshes, tmp_path / "views", **SMALL))
    assert list(report["failed"]) == ["broken"]
    assert report["shapes"] == 2
    assert "left out broken" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"broken\.obj"):
        run_render(RenderSettings(meshes / "broken.obj", tmp_path / "other", **SMALL))
    assert not (tmp_path / "other").exists()
    for name in ("ball.ply", "deep/box.obj"):
        (meshes / name).unlink()
    with pytest.raises(InputError, match="nothing could be rendered"):
        run_render(RenderSettings(meshes, tmp_path / "other", **SMALL))


def test_cameras_of_a_file_are_used_for_every_shape(meshes, tmp_path):
    run_render(RenderSettings(meshes / "ball.ply", tmp_path / "one", **SMALL))
    run_render(RenderSettings(meshes, tmp_path / "two", cameras=tmp_path / "one/dataset.json", size=24))
    one, two = (read_views(tmp_path / name) for name in ("one", "two"))
    assert len(two) == 8
    for index, view in enumerate(two.views):
        assert np.allclose(view.camera.camera_to_world, one.views[index % 4].camera.camera_to_world)
    assert np.array_equal(one.picture(2), two.picture(2))


def test_a_mesh_with_z_up_is_turned(tmp_path):
    column = trimesh.creation.box((0.2, 0.2, 2.0))
    column.export(tmp_path / "column.ply")
    for up in ("y", "z"):
        run_render(
            RenderSettings(tmp_path / "column.ply", tmp_path / up, views=1, size=32, up=up, elevation=(0.0, 0.0))
        )
    rows = [np.flatnonzero(read_views(tmp_path / up).mask(0).any(1)) for up in ("y", "z")]
    assert np.ptp(rows[1]) > 3 * np.ptp(rows[0])


def test_the_frame_may_stay_the_files_own(tmp_path):
    trimesh.creation.icosphere(2, 0.3).apply_translation((0.4, 0, 0)).export(tmp_path / "ball.ply")
    run_render(RenderSettings(tmp_path / "ball.ply", tmp_path / "views", frame="own", **SMALL))
    views = read_views(tmp_path / "views")
    camera = views.views[0].camera
    (x, y), _ = (part[0] for part in camera.project(np.array([[0.4, 0, 0]])))
    rows, columns = np.nonzero(views.mask(0))
    assert abs(columns.mean() + 0.5 - x) < 0.5
    assert abs(rows.mean() + 0.5 - y) < 0.5


def test_views_go_all_around_and_elevations_keep_their_range():
    for seed in range(5):
        views = around(np.random.default_rng(seed), 12, 8, elevation=(-10.0, 30.0))
        found = ImageSet(Folder(Path()), tuple(View(f"{k}.png", camera) for k, camera in enumerate(views)))
        azimuth, elevation = directions(found)
        assert np.array_equal(np.sort((azimuth + 180) // 30), np.arange(12))
        assert elevation.min() >= -10
        assert elevation.max() <= 30
        assert np.ptp(elevation) > 25


def test_the_presets_show_the_whole_unit_sphere():
    assert sphere_fits(DISTANCE, FOCAL)
    assert not sphere_fits(DISTANCE - 0.5, FOCAL)
    assert not sphere_fits(DISTANCE, FOCAL * 1.05)


def test_names_below_a_folder_stay_apart(tmp_path):
    for name in ("a/b.obj", "a-b.ply", "c.ply", "c.stl", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = {name: path.relative_to(tmp_path).as_posix() for name, path in mesh_files(tmp_path).items()}
    assert found == {"a-b.obj": "a/b.obj", "a-b.ply": "a-b.ply", "c.ply": "c.ply", "c.stl": "c.stl"}
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no mesh"):
        mesh_files(tmp_path / "none")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--samples", "2"], "odd"), (["--views", "0"], "too small"), (["--background", "mauvish"], "is no colour"),
        (["--elevation", "40", "10"], "is no range"), (["--focal", "-1"], "is no length"),
    ],
)  # fmt: skip
def test_wrong_flags_are_one_line(tmp_path, capsys, flags, line):
    assert main(["render", str(bundled("torus.obj")), "-o", str(tmp_path / "views"), *flags]) == 2
    assert line in capsys.readouterr().err


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    call = ["render", str(bundled("spot.obj")), "-o", str(tmp_path / "views"), "--views", "2", "--size", "16"]
    assert main([*call, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["shapes"], report["pictures"]) == (1, 2)
    assert main(["convert", str(tmp_path / "views"), "-o", str(tmp_path / "set.zip"), "--mirror", "--color-only"]) == 0
    assert len(read_views(tmp_path / "set.zip")) == 4
    assert main(["convert", str(tmp_path / "views"), "-o", str(tmp_path / "nerf"), "--format", "nerf"]) == 0
    assert read_views(tmp_path / "nerf").kind == "NeRF"
    assert read_views(tmp_path / "nerf").picture(1).shape == (16, 16, 3)
