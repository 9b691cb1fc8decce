"""`isofield fit` of posed pictures: a closed mesh where the object is, exact repetition, and refusals in one line."""

import json
import shutil

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from isofield.cli import main
from isofield.mesh.distance import MeshDistance
from isofield.mesh.read import read_mesh
from isofield.runs import load
from isofield.tasks.fit_views import digest, split
from isofield.tasks.pictures import frame_of_views, seen, still
from isofield.views.read import read_views

RADIUS = 0.45


def two_balls() -> trimesh.Trimesh:
    """A red ball, and a smaller blue one to its right."""
    parts = [trimesh.creation.icosphere(3, RADIUS), trimesh.creation.icosphere(3, 0.25).apply_translation((0.6, 0, 0))]
    for part, color in zip(parts, ((220, 40, 40), (40, 60, 220)), strict=True):
        part.visual = ColorVisuals(part, vertex_colors=np.tile([*color, 255], (len(part.vertices), 1)))
    return trimesh.util.concatenate(parts)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    two_balls().export(folder / "balls.ply")
    size = ("--views", "18", "--size", "32", "--light", "flat")
    assert main(["render", str(folder / "balls.ply"), "-o", str(folder / "views"), "--frame", "own", *size]) == 0
    return folder / "views"


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["fit", str(pictures), "-o", str(out), "--steps", "100", "--resolution", "64"]) == 0
    return out


def test_the_mesh_is_closed_coloured_and_where_the_object_is(run):
    report = json.loads((run / "report.json").read_text())
    mesh = read_mesh(run / "mesh.ply")
    assert (report["watertight"], report["manifold"], report["components"]) == (True, True, 1)
    assert report["psnr"] > 17
    assert report["silhouette_iou"] > 0.85
    balls = two_balls()
    away = MeshDistance(np.asarray(balls.vertices), np.asarray(balls.faces)).closest(np.asarray(mesh.vertices)).distance
    assert away.mean() < 0.06
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(int)
    left, right = mesh.vertices[:, 0] < 0.2, mesh.vertices[:, 0] > 0.65
    assert (colors[left, 0] - colors[left, 2]).mean() > 50
    assert (colors[right, 2] - colors[right, 0]).mean() > 50


def test_pictures_held_out_are_not_learned_from_and_each_is_reported(run, pictures):
    report = json.loads((run / "report.json").read_text())
    learned, held = split(18)
    assert held == [3, 11]
    assert report["pictures"] == len(learned) == 16
    assert list(report["held_out"]) == [read_views(pictures).views[index].name for index in held]
    assert (run / "preview.png").exists()


def test_the_run_is_a_field_that_renders_as_it_was_seen(run, pictures):
    views, field = read_views(pictures), load(run)
    camera = views.views[3].camera
    ours = still(field, camera, (1.0, 1.0, 1.0))
    assert ours.color.shape == (32, 32, 3)
    assert np.abs(ours.color.numpy() - views.picture(3) / 255).mean() < 0.1


def test_the_same_steps_give_the_same_bytes_also_after_a_stop(run, pictures, tmp_path):
    out = tmp_path / "again"
    shutil.copytree(run, out)
    newest = max(out.glob("checkpoint-*"))
    assert newest.name == "checkpoint-00000100"
    expected = (newest / "model.safetensors").read_bytes()
    shutil.rmtree(newest)
    assert main(["fit", str(pictures), "-o", str(out), "--steps", "100", "--resolution", "64"]) == 0
    assert (newest / "model.safetensors").read_bytes() == expected


def test_other_pictures_masks_or_cameras_are_another_input(pictures, tmp_path):
    def changed(name: str, change) -> str:
        folder = shutil.copytree(pictures, tmp_path / name)
        change(folder)
        return digest(read_views(folder))

    whole = digest(read_views(pictures))
    picture = sorted(pictures.rglob("000.png"))[0].relative_to(pictures)
    mask = picture.with_suffix(".mask.png")
    other = picture.with_name("001.mask.png")
    assert changed("same", lambda folder: None) == whole
    found = [
        changed("picture", lambda folder: shutil.copy(folder / picture.with_name("001.png"), folder / picture)),
        changed("mask", lambda folder: shutil.copy(folder / other, folder / mask)),
        changed("unmasked", lambda folder: (folder / mask).unlink()),
    ]
    assert len({whole, *found}) == 4


def test_silhouettes_say_where_an_object_of_unknown_scale_is(pictures, tmp_path):
    """Cameras of a world ten times as large and moved; nothing but NeRF's file, which knows no scale."""
    assert main(["convert", str(pictures), "-o", str(tmp_path / "nerf"), "--format", "nerf"]) == 0
    file = tmp_path / "nerf" / "transforms.json"
    content = json.loads(file.read_text())
    for frame in content["frames"]:
        pose = np.array(frame["transform_matrix"])
        pose[:3, 3] = 10 * pose[:3, 3] + (5, -3, 2)
        frame["transform_matrix"] = pose.tolist()
    file.write_text(json.dumps(content))
    frame = frame_of_views(read_views(tmp_path / "nerf"))
    vertices = frame.to_unit(10 * two_balls().vertices + (5, -3, 2))
    radius = np.linalg.norm(vertices, axis=1).max()
    assert 0.7 < radius < 1


def test_an_even_background_of_another_colour_becomes_that_of_the_set(pictures, tmp_path):
    """Black pictures, and a file that says nothing about it: else a black shell would be learned around the object."""
    size = ("--views", "3", "--size", "24", "--light", "flat", "--color-only")
    mesh, out = str(pictures.parent / "balls.ply"), tmp_path / "black"
    assert main(["render", mesh, "-o", str(out), "--background", "black", *size]) == 0
    content = json.loads((out / "dataset.json").read_text())
    assert seen(read_views(out), 0)[0][0, 0].tolist() == [0, 0, 0]
    (out / "dataset.json").write_text(json.dumps({"labels": content["labels"]}))
    views = read_views(out)
    picture, mask = seen(views, 0)
    assert mask is None
    assert picture[0, 0].tolist() == [255, 255, 255]
    middle = views.picture(0)[12, 12]
    assert middle.max() > 50
    assert picture[12, 12].tolist() == middle.tolist()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 40])
def test_splits(count):
    learned, held = split(count)
    assert sorted(learned + held) == list(range(count))
    assert len(held) == (0 if count <= 3 else 1 if count == 4 or count == 5 else 5)


def test_what_is_no_set_of_one_object_is_refused(pictures, tmp_path, capsys):
    def refused(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["fit", *arguments, "-o", str(tmp_path / "run"), "--steps", "1"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "--method" in refused(str(pictures), "--method", "exact")
    assert "--encoding" in refused(str(pictures), "--encoding", "none")
    several = tmp_path / "several"
    content = json.loads((pictures / "dataset.json").read_text())
    for index, label in enumerate(content["labels"]):
        name = f"{'one' if index < 9 else 'two'}/{index}.png"
        (several / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pictures / label[0], several / name)
        label[0] = name
    (several / "dataset.json").write_text(json.dumps(content))
    assert "holds 2 shapes" in refused(str(several))
    (few := tmp_path / "few").mkdir()
    for name, _ in content["labels"][:2]:
        shutil.copy(several / name, few / name.replace("/", "-"))
    labels = [[name.replace("/", "-"), label] for name, label in content["labels"][:2]]
    (few / "dataset.json").write_text(json.dumps({**content, "labels": labels}))
    assert "holds 2 pictures; give at least 3" in refused(str(few))
    (tmp_path / "empty").mkdir()
    assert "holds no" in refused(str(tmp_path / "empty"))
    assert not (tmp_path / "run").exists()
