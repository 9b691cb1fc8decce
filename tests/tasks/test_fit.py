"""`isofield fit`: what it writes, what it refuses, and that every option leads to a field."""

import dataclasses
import functools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from isofield.cli import main
from isofield.errors import InputError
from isofield.fields.exact import ExactField
from isofield.fields.field import sdf_numpy
from isofield.fields.grid import SparseGrid
from isofield.fields.neural import NeuralField
from isofield.mesh.audit import audit_file
from isofield.mesh.color import color_kind
from isofield.mesh.read import read_mesh
from isofield.metrics.evaluate import evaluate, evaluate_field
from isofield.render.pictures import preview
from isofield.runs import list_checkpoints, load
from isofield.settings.shapes import FitSettings
from isofield.tasks import choice, training
from isofield.tasks import fit as fit_module
from isofield.tasks.choice import why
from isofield.tasks.fit import run_fit
from isofield.tasks.objectives import Distances
from isofield.tasks.results import described
from needs import posix

FILES = {"mesh.ply", "mesh.glb", "report.json", "preview.png", "config.json", "env.json", "log.jsonl"}
LENGTHS = {
    "point_to_surface", "pred_to_truth", "truth_to_pred", "chamfer_l1", "chamfer_floor", "hausdorff", "msd", "emd",
}  # fmt: skip
NUMBERS = LENGTHS | {
    "chamfer_l2_squared", "mse", "emd_points", "normal_consistency", "f_score", "iou", "sdf_error_near",
    "sdf_error_volume", "eikonal_error", "ghost_components", "components", "euler", "volume", "parameters", "bytes",
    "seconds", "cpu_seconds", "steps", "queries", "dense_queries",
}  # fmt: skip
CENTER, SIZE = np.array([40.0, -10.0, 5.0]), np.array([6.0, 4.0, 2.0])


def colored_box() -> trimesh.Trimesh:
    """Red grows with x."""
    box = trimesh.creation.box(SIZE).subdivide().subdivide().apply_translation(CENTER)
    red = np.round((box.vertices[:, 0] - box.bounds[0, 0]) / SIZE[0] * 255)
    colors = np.column_stack([red, np.full((len(red), 2), 40), np.full(len(red), 255)])
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=colors.astype(np.uint8))
    return box


@pytest.fixture
def box(tmp_path) -> Path:
    trimesh.creation.box(SIZE).apply_translation(CENTER).export(tmp_path / "box.ply")
    return tmp_path / "box.ply"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Small batches, few samples, small measurements."""
    shrink(monkeypatch)


def shrink(patch: pytest.MonkeyPatch) -> None:
    quick_recipe = functools.partial(Distances, batch=1024, near_fraction=0.6)
    patch.setattr(choice, "Distances", lambda rate=5e-3: quick_recipe(rate=rate, table_rate=1e-2))
    patch.setattr(training, "FEWEST", 20_000)
    patch.setattr(training, "HASTE", 1.0)
    patch.setattr("isofield.tasks.results.evaluate_field", functools.partial(evaluate_field, count=4000))
    patch.setattr("isofield.tasks.results.preview", functools.partial(preview, size=120))
    patch.setattr("isofield.tasks.results.evaluate", functools.partial(evaluate, samples=4000))


@pytest.fixture
def unmeasured(monkeypatch):
    """Meshes are written, but not measured and not drawn."""
    monkeypatch.setattr("isofield.tasks.results.evaluate", lambda *_, **__: {})
    monkeypatch.setattr("isofield.tasks.results.evaluate_field", lambda *_, **__: {})
    monkeypatch.setattr("isofield.tasks.results.preview", lambda *_: np.zeros((2, 2, 3), np.uint8))


@pytest.fixture
def unextracted(monkeypatch):
    """Only fitted."""
    monkeypatch.setattr(fit_module, "write_results", lambda *_: {})


def bytes_of(folder: Path) -> bytes:
    return (list_checkpoints(folder)[-1][1] / "model.safetensors").read_bytes()


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Path:
    """A whole run on a coloured box, measured and drawn."""
    folder = tmp_path_factory.mktemp("fit")
    colored_box().export(folder / "box.ply")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        assert main(["fit", str(folder / "box.ply"), "-o", str(folder / "run"), "--steps", "150",
                     "--resolution", "48", "--class", "brick", "--json"]) == 0  # fmt: skip
    return folder / "run"


def test_it_writes_all_that_the_contract_lists_and_nothing_else(learned):
    names = {path.name for path in learned.iterdir()}
    checkpoints = {name for name in names if name.startswith("checkpoint-")}
    assert names - checkpoints - {".lock"} == FILES
    assert checkpoints == {"checkpoint-00000120", "checkpoint-00000150"}
    assert {p.name for p in (learned / "checkpoint-00000150").iterdir()} == {
        "config.json", "model.safetensors", "state.safetensors",
    }  # fmt: skip


def test_the_report_has_every_key_and_sane_values(learned):
    report = json.loads((learned / "report.json").read_text())
    assert not (NUMBERS | {f"{key}_user" for key in LENGTHS} | {"watertight", "manifold", "guard"}) - set(report)
    assert all(isinstance(report[key], int | float) and np.isfinite(report[key]) for key in NUMBERS)
    assert (report["watertight"], report["manifold"]) == (True, True)
    assert report["guard"] in ("proven", "estimated", "dense")
    whole = ("ghost_components", "components", "euler", "parameters", "bytes", "steps")
    assert all(type(report[key]) is int for key in whole)
    assert (report["steps"], report["resolution"], report["class"], report["emd_points"]) == (150, 48, "brick", 2048)
    assert report["volume"] == pytest.approx(SIZE.prod(), rel=0.1)
    assert report["point_to_surface"] < 0.01
    assert report["point_to_surface_user"] == pytest.approx(
        report["point_to_surface"] * 1.03 * np.linalg.norm(SIZE / 2), rel=1e-6
    )
    assert report["normal_consistency"] > 0.9
    assert report["iou"] > 0.9
    assert report["bytes"] == (learned / "checkpoint-00000150" / "model.safetensors").stat().st_size <= 4_000_000
    assert report["parameters"] == sum(value.numel() for value in load(learned).tensors().values())
    assert "with colour" in report["choice"]
    assert report["dense_queries"] == 48**3


def test_the_report_is_about_the_file(learned):
    """The same numbers from the file as read back, so also from `isofield evaluate`."""
    report = json.loads((learned / "report.json").read_text())
    again = evaluate(read_mesh(learned / "mesh.ply"), colored_box(), samples=4000)
    assert report["point_to_surface"] == pytest.approx(again["point_to_surface"], rel=1e-4)
    field = evaluate_field(load(learned), colored_box())
    assert report["sdf_error_near"] == pytest.approx(field["sdf_error_near"], rel=0.1)


@pytest.mark.parametrize("name", ["mesh.ply", "mesh.glb"])
def test_meshes_are_closed_in_place_and_painted(learned, name):
    found, mesh = audit_file(learned / name), read_mesh(learned / name)
    assert found.watertight
    assert found.manifold
    assert np.abs(mesh.bounds - [CENTER - SIZE / 2, CENTER + SIZE / 2]).max() < 0.15
    assert color_kind(mesh) == "vertex"
    red = np.asarray(mesh.visual.vertex_colors)[:, 0] / 255.0
    assert np.corrcoef(red, mesh.vertices[:, 0])[0, 1] > 0.95


def test_the_picture_is_one(learned):
    with Image.open(learned / "preview.png") as picture:
        assert picture.format == "PNG"
        assert np.asarray(picture).std() > 5


def test_the_last_lines_name_the_files_and_what_is_poor(learned):
    report = json.loads((learned / "report.json").read_text())
    lines = described({**report, "ghost_components": 0}, learned).splitlines()
    assert lines[0] == f"{learned / 'mesh.glb'}, {learned / 'mesh.ply'}: closed, pieces: {report['components']}"
    assert f"{report['point_to_surface_user']:.3g} in the file's units" in lines[1]
    assert str(learned / "preview.png") in lines[-1]
    assert described({**report, "ghost_components": 3}, learned).splitlines()[:-1] == lines
    assert "poor: 3 pieces" in described({**report, "ghost_components": 3}, learned)
    assert ": open, " in described({**report, "watertight": False}, learned)


def test_config_env_and_log_say_what_was_done(learned):
    config, env = config_of(learned), json.loads((learned / "env.json").read_text())
    assert config["settled"] == {"ends": [150], "samples": 38_400}
    assert (config["input"], config["steps"], config["method"], config["seed"]) == ("box.ply", 150, "learned", 0)
    assert len(config["input_sha256"]) == 64
    assert {"torch", "numpy"} <= set(env.get("versions", env))
    lines = [json.loads(line) for line in (learned / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 151))
    assert np.mean([line["loss"] for line in lines[-9:]]) < 0.5 * np.mean([line["loss"] for line in lines[:9]])


def test_same_command_same_bytes(learned, tmp_path, unmeasured):
    settings = FitSettings(learned.parent / "box.ply", tmp_path / "run", steps=150, resolution=48, class_name="brick")
    run_fit(settings)
    assert bytes_of(settings.output) == bytes_of(learned)
    for name in ("mesh.ply", "mesh.glb", "log.jsonl", "config.json"):
        assert (settings.output / name).read_bytes() == (learned / name).read_bytes()


@pytest.mark.parametrize("method", ["exact", "grid"])
def test_other_methods_give_the_shape_too(tmp_path, capsys, unmeasured, method):
    """The run can be meshed later, in place; grids and exact distances are closer than the lattice's cell."""
    colored_box().export(tmp_path / "box.ply")
    settings = FitSettings(tmp_path / "box.ply", tmp_path / "run", method=method, resolution=48)
    report = run_fit(settings)
    assert report["steps"] == 0
    assert report["guard"] == "proven"
    field = load(settings.output)
    assert isinstance(field, {"exact": ExactField, "grid": SparseGrid}[method])
    assert main(["mesh", str(settings.output), "-o", str(tmp_path / "out.glb"), "--resolution", "40"]) == 0
    found = read_mesh(tmp_path / "out.glb")
    assert found.volume == pytest.approx(SIZE.prod(), rel=0.03)
    assert np.abs(found.bounds - [CENTER - SIZE / 2, CENTER + SIZE / 2]).max() < 0.05
    if field.has_color:
        red = np.asarray(found.visual.vertex_colors)[:, 0] / 255.0
        assert red == pytest.approx((found.vertices[:, 0] - CENTER[0]) / SIZE[0] + 0.5, abs=0.05)
    assert method != "exact" or field.has_color


def test_a_learned_run_can_be_meshed_later(learned, tmp_path, capsys):
    assert main(["mesh", str(learned), "-o", str(tmp_path / "out.ply"), "--resolution", "48"]) == 0
    assert (tmp_path / "out.ply").read_bytes() == (learned / "mesh.ply").read_bytes()


@pytest.mark.parametrize("activation", ["relu", "softplus", "sine", "hosc"])
@pytest.mark.parametrize("encoding", ["hash", "fourier", "positional", "none"])
def test_every_encoding_with_every_activation(box, tmp_path, unextracted, monkeypatch, encoding, activation):
    monkeypatch.setattr(training, "FEWEST", 2000)
    run_fit(FitSettings(box, tmp_path / "run", steps=3, encoding=encoding, activation=activation, width=16, depth=2))
    field = load(tmp_path / "run")
    assert isinstance(field, NeuralField)
    assert not field.has_color
    points = np.random.default_rng(0).uniform(-2, 2, (500, 3))
    values = sdf_numpy(field, points)
    assert np.isfinite(values).all()
    assert values.std() > 0
    assert field.network.width == 16
    again = NeuralField.restore(field.spec(), field.tensors())
    assert np.array_equal(sdf_numpy(again, points), values)


@pytest.mark.parametrize(("encoding", "activation"), [("none", "sine"), ("positional", "hosc")])
def test_waves_do_not_collapse_to_zero(box, tmp_path, unextracted, encoding, activation):
    """At the rate of the other networks they do, within a hundred steps, and stay there."""
    run_fit(FitSettings(box, tmp_path / "run", steps=150, encoding=encoding, activation=activation))
    numbers = evaluate_field(load(tmp_path / "run"), read_mesh(box), count=2000)
    assert numbers["eikonal_error"] < 0.8  # of f = 0 it is 1
    assert numbers["sdf_error_near"] < 0.014  # of f = 0 it is 0.018


def test_it_says_what_it_chose(box, tmp_path, capsys, unextracted):
    sentences = set()
    for changes in ({}, {"method": "exact"}, {"method": "grid"}, {"encoding": "none", "activation": "sine"}):
        settings = FitSettings(box, tmp_path / "run", steps=1, **changes)
        sentences |= {why(settings, colored) for colored in (True, False)}
    assert len(sentences) == 8
    assert sum("with colour, since the input has it" in sentence for sentence in sentences) == 4
    run_fit(FitSettings(box, tmp_path / "run", steps=1))
    assert "isofield: a hash grid before a small network, without colour" in capsys.readouterr().err


def test_without_colour_in_none_comes_out(box, tmp_path, unmeasured):
    run_fit(FitSettings(box, tmp_path / "run", method="exact", resolution=24))
    assert color_kind(read_mesh(tmp_path / "run" / "mesh.ply")) == "none"
    assert color_kind(read_mesh(tmp_path / "run" / "mesh.glb")) == "none"


def test_going_on_takes_up_the_run(box, tmp_path, unextracted):
    settings = FitSettings(box, tmp_path / "run", steps=6)
    run_fit(settings)
    before = bytes_of(settings.output)
    run_fit(settings)
    assert bytes_of(settings.output) == before
    run_fit(dataclasses.replace(settings, steps=9))
    assert [step for step, _ in list_checkpoints(settings.output)][-1] == 9
    assert config_of(settings.output)["settled"]["ends"] == [6, 9]
    run_fit(dataclasses.replace(settings, steps=4, restart=True))
    assert [step for step, _ in list_checkpoints(settings.output)][-1] == 4
    assert config_of(settings.output)["settled"]["ends"] == [4]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"steps": 5}, ["steps 6 -> 5", "may only grow"]),
        ({"steps": None, "budget": 9.0}, ["--budget", "6 steps", "give --steps"]),
        ({"seed": 1}, ["seed 0 -> 1"]),
        ({"activation": "sine"}, ['activation "relu" -> "sine"']),
        ({"method": "grid"}, ['method "learned" -> "grid"']),
        ({"resolution": 64}, ["resolution 256 -> 64"]),
    ],
)
def test_another_command_on_the_run_is_refused_and_changes_nothing(box, tmp_path, unextracted, changes, parts):
    settings = FitSettings(box, tmp_path / "run", steps=6)
    run_fit(settings)
    before = {p: p.read_bytes() for p in settings.output.rglob("*") if p.is_file()}
    with pytest.raises(InputError) as error:
        run_fit(dataclasses.replace(settings, **changes))
    assert all(part in str(error.value) for part in parts), error.value
    assert {p: p.read_bytes() for p in settings.output.rglob("*") if p.is_file()} == before


def test_a_changed_input_is_refused(box, tmp_path, unextracted):
    settings = FitSettings(box, tmp_path / "run", steps=3)
    run_fit(settings)
    trimesh.creation.box(SIZE * 2).export(box)
    with pytest.raises(InputError, match="input_sha256"):
        run_fit(settings)
    moved = tmp_path / "elsewhere" / "box.ply"
    moved.parent.mkdir()
    trimesh.creation.box(SIZE).apply_translation(CENTER).export(moved)
    run_fit(dataclasses.replace(settings, input=moved))  # the same file at another place is the same input


def test_a_budget_is_the_default_and_may_only_grow(box, tmp_path, unextracted, monkeypatch):
    budgets = []

    def affordable(cls, mesh, field, objective, budget):
        budgets.append(budget)
        return cls.of_steps(4)

    monkeypatch.setattr(training.Length, "affordable", classmethod(affordable))
    settings = FitSettings(box, tmp_path / "run")
    for changes in ({}, {}, {"budget": 30.0}):
        run_fit(dataclasses.replace(settings, **changes))
    assert budgets == [30.0]
    run_fit(dataclasses.replace(settings, budget=60.0))
    assert config_of(settings.output)["settled"]["ends"] == [4, 8]
    for changes, part in (({"budget": 50.0}, "budget 60.0 -> 50.0"), ({"steps": 7}, "steps 8 -> 7 (may only grow)")):
        with pytest.raises(InputError) as error:
            run_fit(dataclasses.replace(settings, **changes))
        assert part in str(error.value)
    run_fit(dataclasses.replace(settings, steps=9))
    assert list_checkpoints(settings.output)[-1][0] == 9
    run_fit(dataclasses.replace(settings, budget=60.0))
    assert list_checkpoints(settings.output)[-1][0] == 9


BAD = {
    "text.ply": b"no mesh at all\n",
    "empty.obj": b"",
    "line.obj": b"v 0 0 0\nv 1 1 1\nv 2 2 2\nv 5 0 0\nf 1 2 3\n",
    "cloud.obj": b"v 0 0 0\nv 1 1 1\nv 2 0 2\n",
    "mesh.xyz": b"0 0 0\n",
    "index.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("method", ["learned", "exact", "grid"])
def test_a_bad_input_is_one_line_and_leaves_nothing_behind(tmp_path, capsys, name, method):
    (tmp_path / name).write_bytes(BAD[name])
    output = tmp_path / "out" / "run"
    assert main(["fit", str(tmp_path / name), "-o", str(output), "--steps", "2", "--method", method]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert name in err
    assert not output.parent.exists()


def open_ball() -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(3, 2.0)
    return trimesh.Trimesh(ball.vertices, ball.faces[ball.triangles_center[:, 2] < 1.7], process=False)


def soup() -> trimesh.Trimesh:
    """A ball whose triangles share no corners, some of them turned over, some twice."""
    ball = trimesh.creation.icosphere(3, 2.0)
    corners = ball.vertices[np.vstack([ball.faces, ball.faces[:20]])]
    corners[50:60] = corners[50:60, ::-1]
    return trimesh.Trimesh(corners.reshape(-1, 3), np.arange(corners.size // 3).reshape(-1, 3), process=False)


@pytest.mark.parametrize("method", ["learned", "exact", "grid"])
@pytest.mark.parametrize("make", [open_ball, soup])
def test_open_meshes_and_soups_become_closed(tmp_path, unmeasured, make, method):
    make().export(tmp_path / "broken.ply")
    run_fit(FitSettings(tmp_path / "broken.ply", tmp_path / "run", method=method, steps=120, resolution=32))
    found = audit_file(tmp_path / "run" / "mesh.ply")
    assert found.watertight
    assert found.manifold
    assert found.volume == pytest.approx(4 / 3 * np.pi * 8, rel=0.12)


def test_a_sheet_has_no_inside_and_the_error_says_so(tmp_path, unmeasured):
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False).export(tmp_path / "sheet.ply")
    with pytest.raises(InputError, match=r"sheet\.ply: is an open sheet: nothing lies inside it; .*--thickness"):
        run_fit(FitSettings(tmp_path / "sheet.ply", tmp_path / "run", method="exact", resolution=16))
    assert not (tmp_path / "run").exists()


@posix
def test_ctrl_c_in_a_real_process_saves_and_the_same_command_goes_on(box, tmp_path, unextracted):
    """Exit code 130, one line that says how to go on, a checkpoint at the step it names."""
    run = tmp_path / "run"
    options = ["--steps", "400", "--encoding", "none", "--width", "8", "--depth", "1", "--resolution", "16"]
    command = [sys.executable, "-m", "isofield", "fit", str(box), "-o", str(run), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 200
        while not (run / "log.jsonl").exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=200)
    assert (process.returncode, out) == (130, "")
    last = err.splitlines()[-1]
    step = list_checkpoints(run)[-1][0]
    assert last.startswith(f"isofield: stopped at step {step} of 400 and saved in {run}; run the same command again")
    assert "Traceback" not in err
    assert not list(run.glob(".isofield-tmp-*"))
    assert 4 <= step < 400
    with torch.random.fork_rng(devices=[]):
        run_fit(FitSettings(box, run, steps=400, encoding="none", width=8, depth=1, resolution=16))
    assert list_checkpoints(run)[-1][0] == 400
    assert [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()][-1] == 400
