"""Run folders: resuming, refusing, surviving."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from isofield.checkpoints import list_checkpoints, load_checkpoint
from isofield.environment import commit
from isofield.errors import InputError, IsofieldError
from isofield.fields.exact import ExactField
from isofield.frame import UnitFrame
from isofield.runs import load, open_run, read_config

CONFIG = {"input": "a.ply", "seed": 0, "steps": 100, "budget": None}
SPEC = {"type": "ExactField", "frame": {"center": [0.0, 0.0, 0.0], "scale": 1.0}, "bounds": [[-1.0] * 3, [1.0] * 3]}


@pytest.fixture
def tetrahedron() -> ExactField:
    vertices = np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    return ExactField(vertices, faces, UnitFrame((10.0, -3.0, 0.25), 250.0))


def save(run, *steps: int) -> None:
    for step in steps:
        run.save(step, SPEC, {"w": torch.full((4,), float(step))}, {"rng": torch.arange(5)})


def steps(folder: Path) -> list[int]:
    return [step for step, _ in list_checkpoints(folder)]


def flip(path: Path, byte: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)


def test_a_field_comes_back_the_same(tmp_path, tetrahedron):
    with open_run(tmp_path / "run", CONFIG) as run:
        run.save(7, tetrahedron.spec(), tetrahedron.tensors())
    points = torch.rand(1000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for place in ("run", "run/checkpoint-00000007"):
        again = load(tmp_path / place)
        assert isinstance(again, ExactField)
        assert torch.equal(again.sdf(points), tetrahedron.sdf(points))
        assert again.frame == tetrahedron.frame
        assert again.bounds == tetrahedron.bounds
    inside = torch.tensor([[0.1, 0.1, 0.1]])
    assert torch.allclose(again.sdf(inside), torch.tensor([-0.1]))


def test_settings_and_environment_are_written(tmp_path):
    with open_run(tmp_path, CONFIG):
        pass
    assert read_config(tmp_path) == CONFIG
    environment = json.loads((tmp_path / "env.json").read_text())
    assert environment["seed"] == 0
    assert environment["versions"]["torch"] == torch.__version__
    assert environment["threads"] == torch.get_num_threads()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "env.json"]


def test_commit_is_none_outside_a_checkout(tmp_path):
    assert commit(tmp_path) is None


def test_last_two_are_kept_and_the_newest_returned(tmp_path):
    with open_run(tmp_path, CONFIG) as run:
        assert run.latest() is None
        save(run, 1, 5, 20)
        checkpoint = run.latest()
    assert steps(tmp_path) == [5, 20]
    assert checkpoint is not None
    assert checkpoint.step == 20
    assert torch.equal(checkpoint.tensors["w"], torch.full((4,), 20.0))
    assert torch.equal(checkpoint.state["rng"], torch.arange(5))
    assert checkpoint.spec == SPEC


def test_difference_is_shown_key_by_key(tmp_path):
    with open_run(tmp_path, CONFIG):
        pass
    before = (tmp_path / "config.json").read_bytes()
    changed = {"input": "b.ply", "seed": 0, "steps": 50, "budget": None, "width": 8}
    with pytest.raises(InputError) as caught, open_run(tmp_path, changed):
        pass
    for part in ('input "a.ply" -> "b.ply"', "steps 100 -> 50 (may only grow)", "width absent -> 8", "--restart"):
        assert part in str(caught.value)
    assert "seed" not in str(caught.value)
    assert (tmp_path / "config.json").read_bytes() == before


def test_of_settings_within_settings_those_that_differ_are_named_in_whatever_order_they_stand(tmp_path):
    recipe = {"rate": 0.1, "blur": {"size": 2}, "batch": 8}
    with open_run(tmp_path, {**CONFIG, "recipe": recipe}):
        pass
    with open_run(tmp_path, {**CONFIG, "recipe": dict(reversed(recipe.items()))}):
        pass
    with (
        pytest.raises(InputError, match=r"settings: recipe.batch 8 -> 9, recipe.blur.size 2 -> 3;"),
        open_run(tmp_path, {**CONFIG, "recipe": {"batch": 9, "blur": {"size": 3}, "rate": 0.1, "late": False}}),
    ):
        pass


def test_what_is_refused_before_anything_is_made_may_be_told_something_else(tmp_path):
    def refused(steps: int, log: bool) -> None:
        with open_run(tmp_path / "run", {"steps": steps}) as run:
            if log:
                run.log(step=1)
            raise InputError("--color", "the store has no colours", "leave it out")

    with pytest.raises(InputError, match="no colours"):
        refused(5, log=False)
    assert list((tmp_path / "run").iterdir()) == []
    for log in (True, False):
        with pytest.raises(InputError, match="no colours"):
            refused(3, log)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"config.json", "env.json", "log.jsonl"}


def test_settings_that_a_later_version_has_and_nobody_gives_are_no_difference(tmp_path):
    with open_run(tmp_path, CONFIG):
        pass
    with open_run(tmp_path, {**CONFIG, "bold": False, "name": None}) as run:
        assert run.config["bold"] is False
    with pytest.raises(InputError, match="bold false -> true"), open_run(tmp_path, {**CONFIG, "bold": True}):
        pass
    with pytest.raises(InputError, match="count absent -> 0"), open_run(tmp_path, {**CONFIG, "count": 0}):
        pass


def test_length_grows_is_settled_and_taken_up_again(tmp_path):
    timed = {**CONFIG, "steps": None, "budget": 30.0}
    with open_run(tmp_path, timed) as run:
        assert run.previous is None
        run.settle(steps=1234)
    with open_run(tmp_path, timed) as run:
        assert run.config["steps"] == 1234
    with open_run(tmp_path, {**timed, "budget": 60.0}) as run:
        assert run.previous is not None
        assert (run.previous["budget"], run.config["budget"], run.config["steps"]) == (30.0, 60.0, 1234)
    with open_run(tmp_path, {**timed, "budget": None, "steps": 2000}) as run:
        assert (run.config["budget"], run.config["steps"]) == (60.0, 2000)
    again = {**timed, "budget": None}
    with open_run(tmp_path, again) as run:
        run.settle(settled={"steps": 2000, "samples": 9})
    with open_run(tmp_path, again, length=("steps", "budget", "settled")) as run:
        assert run.config["settled"] == {"steps": 2000, "samples": 9}
    with pytest.raises(InputError, match="steps 2000 -> 1999"), open_run(tmp_path, {**timed, "steps": 1999}):
        pass


def test_other_peoples_folders_are_refused_and_left_alone(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file; choose"), open_run(tmp_path / "file", CONFIG):
        pass
    assert (tmp_path / "file").read_text() == "x"
    for name, content in (("notes.txt", "x"), ("config.json", '{"model_type": "t5"}')):
        folder = tmp_path / name[:2]
        folder.mkdir()
        (folder / name).write_text(content)
        for restart in (False, True):
            with pytest.raises(InputError, match="no isofield run"), open_run(folder, CONFIG, restart=restart):
                pass
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_text() == content


def test_restart_removes_the_run_and_nothing_else(tmp_path):
    with open_run(tmp_path, CONFIG) as run:
        save(run, 1)
        run.log(step=1)
    for name in ("report.json", "mesh.ply", "notes.txt", "checkpoint-mine"):
        (tmp_path / name).write_text("x")
    with open_run(tmp_path, {**CONFIG, "seed": 1}, restart=True) as run:
        assert run.previous is None
        assert run.latest() is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-mine", "config.json", "env.json", "notes.txt"]


def test_two_writers(tmp_path):
    with open_run(tmp_path, CONFIG):
        with pytest.raises(InputError, match="another isofield process writes here"), open_run(tmp_path, CONFIG):
            pass
        with pytest.raises(InputError, match="another"), open_run(tmp_path, CONFIG, restart=True):
            pass
    with open_run(tmp_path, CONFIG):
        pass


def test_log_is_cut_to_the_step_resumed_from(tmp_path):
    with open_run(tmp_path, CONFIG) as run:
        for step in range(1, 8):
            run.log(step=step, loss=1 / step)
            if step == 4:
                save(run, step)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 8, "lo')
    with open_run(tmp_path, CONFIG) as run:
        run.latest()
        run.log(step=5, loss=0.0)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    with open_run(tmp_path, CONFIG) as run, pytest.raises(ValueError, match="JSON compliant"):
        run.log(step=6, loss=float("nan"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "state.safetensors"])
def test_flipped_bits_are_noticed(tmp_path, name):
    with open_run(tmp_path, CONFIG) as run:
        save(run, 3)
    folder = tmp_path / "checkpoint-00000003"
    size = (folder / name).stat().st_size
    random = np.random.default_rng(0)
    for byte in range(0, size, 2):
        bit = int(random.integers(8))
        flip(folder / name, byte, bit)
        with pytest.raises(InputError):
            load_checkpoint(folder)
        flip(folder / name, byte, bit)
    assert load_checkpoint(folder).step == 3


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "state.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_cut_and_missing_files_are_noticed(tmp_path, name, damage):
    with open_run(tmp_path, CONFIG) as run:
        save(run, 3)
    path = tmp_path / "checkpoint-00000003" / name
    path.write_bytes(path.read_bytes()[:-1].rstrip(b"}")) if damage == "cut" else path.unlink()
    with pytest.raises(InputError, match=name):
        load_checkpoint(path.parent)


def test_damaged_newest_is_reported_and_the_one_before_used(tmp_path):
    with open_run(tmp_path, CONFIG) as run:
        save(run, 10, 20)
    flip(tmp_path / "checkpoint-00000020" / "model.safetensors", -1)
    with open_run(tmp_path, CONFIG) as run:
        with pytest.warns(UserWarning, match=r"00000020.*is damaged.*the checkpoint before it is tried"):
            checkpoint = run.latest()
        assert checkpoint is not None
        assert checkpoint.step == 10
        save(run, 15)
        assert steps(tmp_path) == [10, 15]
        assert run.latest().step == 15
    for step in (10, 15):
        flip(tmp_path / f"checkpoint-{step:08d}" / "state.safetensors", 100)
    with pytest.warns(UserWarning, match="is damaged"), pytest.raises(InputError, match="no checkpoint is whole"):
        load(tmp_path)


def test_full_disk_keeps_the_checkpoints(tmp_path, monkeypatch):
    with open_run(tmp_path, CONFIG) as run:
        save(run, 1, 2)

        def full(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            with pytest.raises(IsofieldError, match="no space left on the disk"):
                save(run, 3)
        assert steps(tmp_path) == [1, 2]
        assert not list(tmp_path.glob(".isofield-tmp-*"))
        save(run, 3)
        assert run.latest().step == 3


def test_kill_in_the_middle_of_a_save(tmp_path):
    program = """
import os, signal, sys, torch
from isofield import checkpoints
from isofield.runs import open_run
with open_run(sys.argv[1], {"seed": 0}) as run:
    run.save(1, {}, {"w": torch.zeros(2)})
    checkpoints.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    run.save(2, {}, {"w": torch.zeros(2)})
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, capture_output=True)
    assert done.returncode == -9
    assert list(tmp_path.glob(".isofield-tmp-*/model.safetensors"))
    with open_run(tmp_path, {"seed": 0}) as run:
        assert run.latest().step == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-00000001", "config.json", "env.json"]


def test_unknown_versions_and_types_are_refused(tmp_path, monkeypatch):
    with open_run(tmp_path, CONFIG) as run:
        assert run.folder == tmp_path
        with pytest.raises(InputError, match="has no checkpoint yet"):
            load(tmp_path)
        run.save(1, {**SPEC, "type": "os.system"}, {})
    with pytest.raises(InputError, match=r"unknown type 'os\.system'"):
        load(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"isofield_run": 1', '"isofield_run": 999'))
    with pytest.raises(InputError, match="has format version 999, and this isofield reads 1"):
        load(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("isofield.checkpoints.FORMAT", 2)
        with pytest.raises(InputError, match="has format version 1, and this isofield reads 2"):
            load_checkpoint(tmp_path / "checkpoint-00000001")
    for path in (tmp_path / "none", config):
        with pytest.raises(InputError, match="name the folder of a run"):
            load(path)


def test_tensors_of_any_layout_and_type_round_trip(tmp_path):
    base = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    tensors = {
        "view": base.T,
        "shared": base,
        "half": base.bfloat16(),
        "flag": base > 3,
        "scalar": torch.tensor(2**40),
        "empty": torch.zeros(0, 3),
    }
    with open_run(tmp_path, CONFIG) as run:
        run.save(0, SPEC, tensors)
        saved = run.latest().tensors
    assert all(torch.equal(saved[name], value) and saved[name].dtype == value.dtype for name, value in tensors.items())


def test_equal_content_is_equal_bytes(tmp_path):
    for name in "ab":
        with open_run(tmp_path / name, CONFIG) as run:
            save(run, 1)
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*") if path.is_file()]
    assert len(files) == 5
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
