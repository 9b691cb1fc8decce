"""A generator that has learned nothing makes balls: what its numbers must be; and the verb."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from geogen_sets import contest, write_set

from isofield.cli import main
from isofield.console import rendered
from isofield.errors import InputError
from isofield.fields.density import LaplaceDensity
from isofield.metrics.features import random_features
from isofield.models.geogen import GeoGen
from isofield.runs import open_run
from isofield.settings.shapes import EvaluateSettings
from isofield.tasks import evaluate_generator as task
from isofield.tasks import generator_numbers as numbers
from isofield.tasks.evaluate import run_evaluate, table
from isofield.views.eg3d import label_of
from isofield.views.lessons import Lessons
from isofield.views.read import read_views

RADIUS = 0.5  # of the ball


@pytest.fixture(scope="module", autouse=True)
def _coarse():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "LATTICE", 24)
        patch.setattr(numbers, "CLOUD", 200)
        yield


@pytest.fixture(scope="module")
def views(tmp_path_factory) -> Path:
    return write_set(tmp_path_factory.mktemp("views"))


@pytest.fixture(scope="module")
def run(views, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    average = contest(views).average
    with open_run(folder, {"seed": 0, "kimg": 0.0}, length=("kimg",)) as opened:
        opened.save(0, average.spec(), average.tensors())
    return folder


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("meshes")
    trimesh.creation.icosphere(3, radius=7.0).export(folder / "ball.ply")
    trimesh.creation.box((3.0, 1.0, 1.0)).export(folder / "box.ply")
    ball = trimesh.creation.icosphere(4)
    behind = ball.triangles_center[:, 2] < 0  # of the camera's side nothing: the open side of a bowl
    trimesh.Trimesh(ball.vertices, ball.faces[behind], process=False).export(folder / "bowl.ply")
    return folder


def sharp(views: Path) -> GeoGen:
    generator = contest(views).average
    generator.decoder.density = LaplaceDensity(0.003)
    return generator


def test_depths_of_the_ball(views, monkeypatch):
    generator = sharp(views)
    label = np.array(label_of(numbers.orbit(20, 10)), np.float32)
    generator.architecture = replace(generator.architecture, coarse=48, fine=48)
    monkeypatch.setattr(numbers, "LATTICE", 64)
    shape = numbers.drawn_shapes(generator, 1, 0)[0]
    by_volume, by_mesh = numbers.rendered_depth(generator, shape.style, label), numbers.mesh_depth(shape.mesh, label)
    assert by_mesh.min() == pytest.approx(9 - RADIUS, abs=2e-3)
    assert by_volume.min() == pytest.approx(9 - RADIUS, abs=1e-2)
    found = numbers.surface_numbers(generator, [shape, numbers.Shape(shape.style, None)], label[None])
    assert found["depth_gap"] < 0.01
    assert found["depth_missed"] < 0.05
    assert (found["shapes"], found["empty"], found["hollow"]) == (2, 1, 0.0)


def test_sets_in_frames_of_their_own(meshes):
    ball, box, bowl = (trimesh.load_mesh(meshes / f"{name}.ply") for name in ("ball", "box", "bowl"))
    small = trimesh.creation.icosphere(3, radius=0.01)
    small.apply_translation((5, 0, 0))
    found = numbers.set_numbers([small, small], [ball, box])
    assert found["coverage"] == 0.5
    assert found["diversity"] == 0
    assert found["diversity_real"] > 0.2
    assert found["hollow_real"] == 0.0
    assert numbers.hollow([ball, bowl]) == 0.5
    assert list(numbers.set_numbers([ball, box], [])) == ["diversity"]
    assert numbers.set_numbers([ball], [ball, box]) == {}


def test_pictures_of_the_set_itself_are_as_near_as_the_floor(views, monkeypatch):
    lessons = Lessons(read_views(views), 8)
    order = np.random.default_rng(0).permutation(len(lessons))
    monkeypatch.setattr(numbers, "drawn_pictures", lambda *_: lessons.pictures(order[:5]))
    found = numbers.picture_numbers(sharp(views), lessons, 5, random_features())
    assert found["pictures"] == 5
    assert found["frechet_distance"] == pytest.approx(0, abs=1e-5)
    assert found["frechet_distance_floor"] > 0.01
    assert found["kernel_distance"] < 0  # of a set with itself: unbiased, so below zero


def test_the_numbers_of_a_run(run, views, meshes):
    found = run_evaluate(EvaluateSettings(run, views, shapes=3, meshes=meshes))
    assert found["features"] == "random-conv-0"
    assert found["pictures"] == 6  # half of the set
    assert found["frechet_distance"] > 0
    assert not {"fid", "kid", "identity"} & set(found)
    assert -1 <= found["view_consistency"] <= 1
    assert found["view_consistency_real"] is not None
    assert (found["shapes"], found["empty"], found["hollow"], found["diversity"]) == (3, 0, 0.0, 0.0)
    assert found["hollow_real"] == pytest.approx(1 / 3)
    assert found["coverage"] == pytest.approx(1 / 3)
    text = rendered(table(found))
    assert "random-conv-0 Frechet distance" in text
    assert "FID" not in text
    assert found == run_evaluate(EvaluateSettings(run, views, shapes=3, meshes=meshes))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_networks_of_the_user(run, views, tmp_path, monkeypatch):
    class Means(torch.nn.Module):
        def forward(self, x: torch.Tensor, return_features: bool = True) -> torch.Tensor:
            return x.mean(dim=(2, 3))

    path = tmp_path / "arcface.pt"
    torch.jit.script(Means()).save(str(path))
    asked = EvaluateSettings(run, views, count=4, shapes=1, features=path, identity=path)
    found = run_evaluate(asked)
    assert (found["features"], found["identity_features"]) == ("arcface", "arcface")
    assert -1 <= found["identity"] <= 1
    assert "arcface identity" in rendered(table(found))
    from isofield.metrics import features

    monkeypatch.setattr(features, "INCEPTION", features.sha256(path.read_bytes()).hexdigest())
    found = run_evaluate(asked)
    assert found["fid"] > 0
    assert "frechet_distance" not in found
    assert "FID" in rendered(table(found))


def test_the_command(run, views, capfd):
    assert main(["evaluate", str(run), str(views), "-n", "2", "--shapes", "2", "--json"]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["pictures"] == 2
    assert "shapes: 2/2" in captured.err


def test_what_is_bad_input(run, views, meshes, tmp_path):
    with pytest.raises(InputError, match="holds no isofield run"):
        run_evaluate(EvaluateSettings(meshes, views))
    with pytest.raises(InputError, match="--shapes"):
        run_evaluate(EvaluateSettings(meshes, meshes, shapes=3))
    with pytest.raises(InputError, match="--preset"):
        run_evaluate(EvaluateSettings(run, views, preset="geogen"))
    with pytest.raises(InputError, match="at least 2"):
        EvaluateSettings(run, views, count=1)
    with pytest.raises(InputError, match="holds 0 meshes"):
        task.true_meshes(tmp_path, 3, 0)
