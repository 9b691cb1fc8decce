"""`isofield train auto-decoder`: a family of ellipsoids is learned, gone on with, and meshed."""

import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from safetensors.torch import load_file

from isofield.cli import main
from isofield.errors import InputError
from isofield.fields.activations import Relu, Sine
from isofield.fields.classes import ClassTable
from isofield.fields.decoder import ColorBranch, LatentDecoder
from isofield.fields.encodings import Identity, PositionalCode
from isofield.fields.field import gradient
from isofield.fields.mlp import MLP, deepsdf_decoder
from isofield.fields.space import Member, ShapeField, ShapeSpace
from isofield.frame import UnitFrame
from isofield.locking import locked
from isofield.mesh.read import read_mesh
from isofield.runs import list_checkpoints, load_space
from isofield.samples.store import SampleStore
from isofield.settings.families import TrainSpaceSettings
from isofield.tasks import train_space
from isofield.tasks.space_objectives import SharedDistances, StoreData
from isofield.tasks.space_presets import chosen, new_space
from isofield.tasks.train_space import near_errors
from needs import posix

SMALL = (
    "--steps", "20", "--code", "4", "--width", "16", "--depth", "2", "--shapes", "3", "--points", "64", "--draw", "1",
)  # fmt: skip
HEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the ellipsoids, whose other axes are 1


def ellipsoid(height: float) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(3)
    return trimesh.Trimesh(ball.vertices * (1, height, 1), ball.faces, process=False)


def run(*arguments: object) -> int:
    return main([*map(str, arguments)])


@pytest.fixture(scope="module", autouse=True)
def small_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_space, "picture_of", partial(train_space.picture_of, resolution=16))
        patch.setattr(train_space, "PIXELS", 16)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    for height in HEIGHTS:
        mesh = ellipsoid(height)
        mesh.apply_translation((5, 0, 0))
        mesh.export(folder / f"h{round(height * 100):03d}.ply")
    assert run("sample", folder, "-o", folder / "store", "--count", 6000, "--jobs", 1) == 0
    return folder / "store"


@pytest.fixture(scope="module")
def space_run(store, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "run"
    flags = ("--steps", "400", "--code", "8", "--width", "64", "--depth", "3", "--points", "192", "--draw", "1")
    assert run("train", "auto-decoder", store, "-o", folder, *flags) == 0
    return folder


def left_behind(folder: Path) -> tuple[bytes, dict[str, bytes], list]:
    newest = list_checkpoints(folder)[-1][1]
    state = {name: value.numpy().tobytes() for name, value in load_file(newest / "state.safetensors").items()}
    del state["cost"]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return (newest / "model.safetensors").read_bytes(), state, log


@pytest.mark.parametrize("modulated", [True, False])
@pytest.mark.parametrize("weight_norm", [True, False])
def test_the_factored_decoder_is_the_plain_network_on_points_beside_codes(modulated, weight_norm):
    """The plain twin repeats the code at every point and joins it to the features."""
    torch.manual_seed(0)
    encoding, code = PositionalCode(2), 5
    network = MLP(encoding.width + code * (not modulated), 1, 40, 4, Relu(), skip=(2,), weight_norm=weight_norm)
    decoder = LatentDecoder(encoding, network, code, modulated)
    points, codes = torch.rand(3, 7, 3) * 2 - 1, torch.randn(3, code)
    found = decoder(points, codes)
    for shape in range(3):
        features, repeated = encoding(points[shape]), codes[shape].expand(7, -1)
        if not modulated:
            plain = network(torch.cat([features, repeated], 1))[:, 0]
        else:
            hidden = features
            for i, layer in enumerate(network.layers):
                hidden = layer(torch.cat([hidden, features], 1) if i in network.skip else hidden)
                if i < 4:
                    hidden = torch.relu(hidden + decoder.shifts[i](repeated))
            plain = hidden[:, 0]
        torch.testing.assert_close(found[shape], plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "softplus", "sine", "hosc"])
def test_every_activation_can_be_chosen(store, tmp_path, activation):
    settings = TrainSpaceSettings(store, tmp_path, encoding="none", activation=activation, width=8, depth=1)
    decoder = new_space(chosen(settings, SampleStore(store)), SampleStore(store)).decoder
    assert type(decoder.network.activations[0]).__name__ == activation.capitalize()


def test_deepsdf_has_the_papers_size():
    decoder = LatentDecoder(Identity(), deepsdf_decoder(), 256, modulated=False)
    weights = sum(p.numel() for name, p in decoder.named_parameters() if "original0" not in name)  # g of weight norm
    assert weights == pytest.approx(1.84e6, rel=0.01)


def test_a_coloured_shape_of_a_class_comes_back_and_depends_on_class_colour_and_direction():
    torch.manual_seed(0)
    members, classes = [Member("a", "chair"), Member("b", "lamp")], ClassTable.one_hot(["chair", "lamp"])
    decoder = LatentDecoder(PositionalCode(2), MLP(15, 1, 16, 2, Relu()), 6, modulated=True)
    space = ShapeSpace(decoder, members, classes=classes, painter=ColorBranch(16, 5, directed=True)).eval()
    back = ShapeSpace.restore(json.loads(json.dumps(space.spec())), space.tensors())
    points, ahead = torch.rand(50, 3) * 2 - 1, torch.tensor([[0.0, 0.0, 1.0]]).expand(50, -1)
    field, own = back.field("b"), space.field("b")
    torch.testing.assert_close(field.color(points, ahead), own.color(points, ahead))
    again = ShapeField.restore(json.loads(json.dumps(field.spec())), field.tensors())
    torch.testing.assert_close(again.color(points, ahead), own.color(points, ahead))
    other = space.decode(space.codes[1], "chair", space.hues[0])
    assert not torch.allclose(other.sdf(points), own.sdf(points))
    assert not torch.allclose(space.decode(space.codes[1], "lamp", space.hues[0]).color(points), own.color(points))
    assert not torch.allclose(own.color(points, -ahead), own.color(points, ahead))
    (slope,) = torch.autograd.grad(other.color(points, ahead).sum() + other.sdf(points).sum(), space.codes)
    assert (slope[1] != 0).all()
    assert not slope[0].any()
    with pytest.raises(InputError, match="'sofa' is unknown here; name one of chair, lamp"):
        space.decode(space.codes[0], "sofa")


@pytest.mark.parametrize("activation", [Relu(), Sine()])
def test_a_shape_of_a_space_comes_back_from_its_description(activation):
    torch.manual_seed(0)
    members = [Member("a", "round"), Member("b", None, UnitFrame((1.0, 2.0, 3.0), 4.0))]
    network = MLP(3, 1, 16, 2, activation)
    space = ShapeSpace(LatentDecoder(Identity(), network, 4, modulated=True), members).eval()
    back = ShapeSpace.restore(json.loads(json.dumps(space.spec())), space.tensors())
    field = back.field("b")
    assert (back.members, field.frame.scale) == (members, 4.0)
    points = torch.rand(50, 3) * 2 - 1
    expected = space(points[None], torch.tensor([1]))[0]
    torch.testing.assert_close(field.sdf(points), expected)
    again = ShapeField.restore(json.loads(json.dumps(field.spec())), field.tensors())
    torch.testing.assert_close(again.sdf(points), expected)
    far = torch.tensor([[3.0, 0.2, 0.1]])
    torch.testing.assert_close(again.sdf(far), again.sdf(far.clamp(-1, 1)) + 2)
    assert gradient(again, points).shape == (50, 3)


def test_a_family_is_learned_and_every_shape_is_meshed_in_its_own_place(space_run, store, tmp_path):
    report = json.loads((space_run / "report.json").read_text())
    assert report["steps"] == 400
    assert report["sdf_error_near"] < 0.01
    assert len(list((space_run / "samples").glob("*.png"))) == 5
    for name, height in (("h050", 0.5), ("h100", 1.0)):
        assert run("mesh", space_run, "--shape", name, "-o", tmp_path / "out.ply", "--resolution", 48) == 0
        low, high = read_mesh(tmp_path / "out.ply").bounds
        np.testing.assert_allclose((low + high) / 2, (5, 0, 0), atol=0.05)
        np.testing.assert_allclose(high - low, (2, 2 * height, 2), atol=0.1)


def test_shapes_are_asked_for_by_name(space_run, tmp_path, capsys):
    assert run("mesh", space_run, "-o", tmp_path / "out.ply") == 2
    assert "space of 6 shapes; name one with --shape: h050, h060, h070 ..." in capsys.readouterr().err
    assert run("mesh", space_run, "--shape", "h055", "-o", tmp_path / "out.ply") == 2
    assert "'h055'" in capsys.readouterr().err


@pytest.mark.parametrize("preset", ["default", "deepsdf", "seed"])
def test_more_steps_later_are_the_same_as_all_at_once(store, tmp_path, preset):
    """Bit for bit: weights, codes, Adam's moments, running losses, log."""
    command = ("train", "auto-decoder", store, *SMALL, "--preset", preset)
    assert run(*command, "-o", tmp_path / "whole") == 0
    first = tmp_path / "parts"
    assert run(*command, "-o", first) == 0
    newest = list_checkpoints(first)[-1][1]
    shutil.rmtree(newest)
    assert list_checkpoints(first)[-1][0] == 16
    assert run(*command, "-o", first) == 0
    assert left_behind(first) == left_behind(tmp_path / "whole")


@posix
def test_interrupted_and_gone_on_with_in_another_process_is_the_same(store, tmp_path):
    command = ["train", "auto-decoder", str(store), *SMALL, "--steps", "100"]
    assert run(*command, "-o", tmp_path / "whole") == 0
    call = [sys.executable, "-m", "isofield", *command, "-o", str(tmp_path / "parts")]
    process = subprocess.Popen(call, stderr=subprocess.PIPE, text=True)
    while not list_checkpoints(tmp_path / "parts") and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert run(*command, "-o", tmp_path / "parts") == 0
    assert left_behind(tmp_path / "parts") == left_behind(tmp_path / "whole")


def test_two_writers_and_another_store_are_refused(store, tmp_path, capsys):
    command = ("train", "auto-decoder", store, "-o", tmp_path / "run", *SMALL)
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        assert run(*command) == 2
    assert "another isofield process writes here" in capsys.readouterr().err
    assert run(*command) == 0
    manifest = json.loads((store / "manifest.json").read_text())
    other = shutil.copytree(store, tmp_path / "other" / "store")
    (other / "manifest.json").write_text(json.dumps({**manifest, "shapes": manifest["shapes"][1:]}))
    assert run("train", "auto-decoder", other, *command[3:]) == 2
    assert "input_sha256" in capsys.readouterr().err
    assert run("train", "auto-decoder", tmp_path, "-o", tmp_path / "none") == 2
    assert "isofield sample MESHES -o STORE" in capsys.readouterr().err


def test_batches_are_runs_of_rows_of_the_shapes_asked_for(store):
    data = StoreData(SampleStore(store))
    torch.manual_seed(0)
    batch = data.draw(torch.tensor([4, 1]), 100)
    for shape, points, sdf in zip((4, 1), batch.points, batch.sdf, strict=True):
        rows = data.store.rows(shape, 0, 6000)
        start = int(np.flatnonzero((rows["points"] == points[0].numpy()).all(1))[0])
        np.testing.assert_array_equal(rows["points"][start : start + 100], points)
        np.testing.assert_array_equal(rows["sdf"][start : start + 100], sdf)


def test_hard_shapes_are_drawn_more_often_and_easy_ones_not_forgotten():
    torch.manual_seed(0)
    difficulty = torch.tensor([1.0] * 9 + [9.0])

    def share(balance: float) -> torch.Tensor:
        recipe = SharedDistances(shapes=1, balance=balance)
        return torch.bincount(torch.cat([recipe._choose(difficulty) for _ in range(2000)]), minlength=10) / 2000

    torch.testing.assert_close(share(0.0), torch.full((10,), 0.1), atol=0.03, rtol=0)
    hard = share(0.5)
    assert hard[9] == pytest.approx(0.5 * 0.1 + 0.5 * 0.5, abs=0.04)
    assert hard[:9].min() > 0.04


@pytest.mark.parametrize("weight", ["eikonal_weight", "normal_weight"])
def test_slope_terms_vanish_on_a_true_distance_and_not_on_its_double(store, weight):
    class Ball(LatentDecoder):
        def __init__(self, factor: float):
            super().__init__(Identity(), MLP(4, 1, 8, 1, Relu()), 1, modulated=False)
            self.factor = factor

        def forward(self, points, codes):
            return self.factor * (points.norm(dim=2) - 1 / 1.03)

    data = StoreData(SampleStore(store))
    recipe = SharedDistances(lambda f, s: (f - f).sum(), shapes=1, balance=1.0, code_weight=0.0, **{weight: 1.0})
    losses = []
    for factor in (1.0, 2.0):
        space = ShapeSpace(Ball(factor), [Member(shape.name) for shape in data.store.shapes])
        space.difficulty = torch.tensor([1e-30] * 5 + [1.0])  # the ball among the ellipsoids
        losses.append(recipe.loss(space, data).item())
    assert losses[0] == pytest.approx(0, abs=0.1)
    assert losses[1] == pytest.approx(1, abs=0.1)


def test_errors_are_measured_where_the_surface_is(space_run, store):
    space = load_space(space_run)
    errors = near_errors(space, SampleStore(store))
    assert list(errors) == space.names
    with torch.no_grad():
        space.codes[0] += 3.0
    assert near_errors(space, SampleStore(store))["h050"] > 2 * errors["h050"]
