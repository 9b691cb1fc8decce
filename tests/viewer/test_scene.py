from dataclasses import replace

import numpy as np
import pytest

from isofield.errors import InputError
from isofield.mesh.read import read_mesh
from isofield.render.shade import CLAY
from isofield.viewer.drawn import INVENTED, SEEN
from isofield.viewer.items import read_items
from isofield.viewer.layout import view_axes
from isofield.viewer.scene import AXES, UPS, Choice, check_choice, compose, offer

GREY = np.round(np.array(CLAY) * 255).astype(np.uint8)


def items(*paths, truth=None):
    return read_items(paths, truth)


def test_every_item_is_drawn_once_under_its_name(files):
    scene = compose(items(files / "unit.ply", files / "run", files / "cloud.xyz"), Choice(resolution=24))
    assert [solid.name for solid in scene.solids] == ["/0/surface", "/1/surface"]
    assert [dots.name for dots in scene.dots] == ["/2/points"]
    assert [text for text, _ in scene.labels] == ["unit.ply", "run", "cloud.xyz"]
    assert scene.slices == []
    assert scene.limit is None
    assert [note.split(": ")[0] for note in scene.notes] == ["unit.ply", "run", "cloud.xyz"]
    assert "1,280 triangles, closed" in scene.notes[0]
    assert "642 points" in scene.notes[2]


@pytest.mark.parametrize("up", ["y", "z"])
def test_names_stand_above_their_items_in_the_start_view(files, up):
    scene = compose(items(files / "unit.ply", files / "moved.ply"), Choice(up=up))
    axes = view_axes(UPS[up])
    assert len(scene.solids) == 2
    for solid, (_, position) in zip(scene.solids, scene.labels, strict=True):
        seen, label = solid.vertices @ axes, np.array(position) @ axes
        assert label[1] < seen[:, 1].min()
        assert label[0] == pytest.approx((seen[:, 0].min() + seen[:, 0].max()) / 2, abs=1e-6)


def test_the_scene_is_to_scale_and_says_when_it_is_not(files, tmp_path):
    scene = compose(items(files / "unit.ply", files / "moved.ply"), Choice())
    small, large = (np.ptp(solid.vertices, axis=0) for solid in scene.solids)
    assert large == pytest.approx(1.1 * small, rel=1e-5)
    np.savetxt(tmp_path / "far.xyz", 1e6 + 1e4 * np.random.default_rng(0).normal(size=(50, 3)))
    assert "too much" in compose(items(files / "unit.ply", tmp_path / "far.xyz"), Choice()).notes[-1]


def test_a_level_above_zero_is_a_larger_surface_and_moves_nothing_else(files):
    shown = items(files / "run", files / "unit.ply")
    low, high = (compose(shown, Choice(resolution=32, level=level)) for level in (-0.1, 0.0))
    middle = low.solids[0].vertices.mean(0)
    radii = [np.linalg.norm(scene.solids[0].vertices - middle, axis=1).mean() for scene in (low, high)]
    assert radii[1] - radii[0] == pytest.approx(0.1, abs=0.01)
    assert np.array_equal(low.solids[1].vertices, high.solids[1].vertices)


def test_a_level_without_surface_is_said_and_the_rest_is_shown(files):
    scene = compose(items(files / "run", files / "unit.ply"), Choice(resolution=24, level=-3.0))
    assert [solid.name for solid in scene.solids] == ["/1/surface"]
    assert "no surface at level -3" in scene.notes[0]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("up", ["y", "z"])
def test_what_lies_before_a_slice_is_cut_away_and_what_lies_behind_stays(files, axis, up):
    k = AXES.index(axis)
    scene = compose(items(files / "unit.ply"), Choice(slice=axis, at=0.2, up=up))
    whole, solid = compose(items(files / "unit.ply"), Choice(up=up)).solids[0], scene.solids[0]
    (_, piece) = scene.slices[0]
    normal = np.eye(3)[k] * -np.sign(view_axes(UPS[up])[k, 2])  # towards the eye
    height = (solid.vertices - piece.origin) @ normal
    assert height[solid.faces].max() <= 1e-9
    moved = solid.vertices[0] - whole.vertices[0]
    assert np.ptp(solid.vertices - whole.vertices, axis=0) == pytest.approx(0, abs=1e-12)
    everything = (whole.vertices + moved - piece.origin) @ normal
    assert len(solid.faces) == (everything[whole.faces] <= 1e-12).all(1).sum()
    assert 0.2 < len(solid.faces) / len(whole.faces) < 0.8
    assert len(solid.normals) == len(solid.faces)


def test_a_slice_lies_in_its_item_and_shows_its_inside(files):
    scene = compose(items(files / "unit.ply", files / "cloud.xyz", files / "run"), Choice(slice="z", resolution=24))
    assert [name for name, _ in scene.slices] == ["/0/slice", "/2/slice"]
    for (_, piece), solid in zip(scene.slices, scene.solids, strict=True):
        middle = piece.origin + piece.along / 2 + piece.across / 2
        center = solid.vertices[:, :2].min(0) / 2 + solid.vertices[:, :2].max(0) / 2
        assert middle[:2] == pytest.approx(center, abs=0.02)
        height, width, _ = piece.image.shape
        assert piece.image[height // 2, width // 2, 2] > piece.image[height // 2, width // 2, 0]
        assert piece.image[0, 0, 0] > piece.image[0, 0, 2]


def test_error_colours_have_one_scale_and_only_where_there_is_a_truth(files):
    both = items(files / "larger.ply", files / "unit.ply", truth=files / "unit.ply")
    scene = compose(both, Choice(colors="error"))
    assert scene.limit == 20
    off, same = (solid.colors.astype(int).sum(1) for solid in scene.solids)
    assert off.max() < same.min() - 200  # dark is far
    assert "0" in scene.notes[1].split(";")[1]
    alone = [replace(both[0], truth=None), both[1]]
    assert (compose(alone, Choice(colors="error")).solids[0].colors == GREY).all()


def test_a_run_is_measured_against_its_input(files):
    scene = compose(items(files / "run"), Choice(colors="error", resolution=48))
    assert 0 < scene.limit < 1


def test_what_was_invented_has_another_colour(files):
    solid = compose(items(files / "seen.ply"), Choice(colors="seen")).solids[0]
    x = solid.vertices[:, 0] - solid.vertices[:, 0].min() / 2 - solid.vertices[:, 0].max() / 2
    for side, color in ((x > 0.2, SEEN), (x < -0.2, INVENTED)):
        assert (solid.colors[side] == np.round(np.array(color) * 255)).all()


def test_colours_of_the_file_are_shown_and_can_be_left_off(files, tmp_path):
    mesh = read_mesh(files / "unit.ply")
    mesh.visual.vertex_colors = np.tile([200, 30, 60, 255], (len(mesh.vertices), 1))
    (tmp_path / "red.ply").write_bytes(mesh.export(file_type="ply"))
    shown = items(tmp_path / "red.ply", files / "unit.ply")
    assert (compose(shown, Choice()).solids[0].colors == (200, 30, 60)).all()
    assert (compose(shown, Choice()).solids[1].colors == GREY).all()
    assert (compose(shown, Choice(colors="plain")).solids[0].colors == GREY).all()
    assert offer(shown).colors == ("own", "plain")


def test_a_choice_that_shows_nothing_is_refused(files):
    cloud, mesh = items(files / "cloud.xyz"), items(files / "unit.ply")
    with pytest.raises(InputError, match="--truth"):
        check_choice(mesh, Choice(colors="error"))
    with pytest.raises(InputError, match="seen"):
        check_choice(mesh, Choice(colors="seen"))
    with pytest.raises(InputError, match="cloud"):
        check_choice(cloud, Choice(slice="x"))
    check_choice(items(files / "run"), Choice(colors="error", slice="x"))
    check_choice(items(files / "seen.ply"), Choice(colors="seen"))
    check_choice(items(files / "scanned"), Choice(colors="seen"))


def test_points_without_colours_are_paler_upwards(files):
    shown = items(files / "cloud.xyz")
    for up, axis in (("y", 1), ("z", 2)):
        dots = compose(shown, Choice(up=up)).dots[0]
        order = np.argsort(dots.points[:, axis])
        assert (np.diff(dots.colors[order, 0].astype(int)) >= 0).all()
        assert np.ptp(dots.colors[:, 0].astype(int)) > 80
