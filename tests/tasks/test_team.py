"""Processes that train together: what they add up to is what one does alone."""

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
from safetensors.torch import load_file

from isofield.cli import main
from isofield.errors import InputError, IsofieldError
from isofield.fields.activations import Relu
from isofield.fields.decoder import LatentDecoder
from isofield.fields.encodings import PositionalCode
from isofield.fields.mlp import MLP
from isofield.fields.space import Member, ShapeSpace
from isofield.runs import list_checkpoints
from isofield.samples.store import SampleStore
from isofield.tasks.space_objectives import SharedDistances, StoreData
from isofield.tasks.space_presets import new_space, preset
from isofield.tasks.team import Team
from isofield.tasks.training import Length, Training
from needs import no_gpu, posix

SMALL = ("--code", "4", "--width", "16", "--depth", "2", "--shapes", "3", "--points", "64", "--draw", "1")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    for k in range(5):
        ball = trimesh.creation.icosphere(2)
        trimesh.Trimesh(ball.vertices * (1, 0.5 + 0.1 * k, 1), ball.faces, process=False).export(folder / f"{k}.ply")
    assert main(["sample", str(folder), "-o", str(folder / "store"), "--count", "2000", "--jobs", "1"]) == 0
    return folder / "store"


def command(store: Path, run: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "isofield", "train", "auto-decoder", str(store), "-o", str(run), *SMALL, *more]


def state(run: Path) -> dict[str, torch.Tensor]:
    found = load_file(list_checkpoints(run)[-1][1] / "state.safetensors")
    return {name: value for name, value in found.items() if name != "cost"}


def fresh(store: SampleStore) -> ShapeSpace:
    torch.manual_seed(0)
    decoder = LatentDecoder(PositionalCode(2), MLP(15, 1, 16, 2, Relu()), 4, modulated=True)
    return ShapeSpace(decoder, [Member(shape.name) for shape in store.shapes])


def test_losses_and_gradients_of_all_shares_add_up_to_those_of_the_whole_batch(store):
    """Without other processes: two teams of which each plays one part of three shapes, so unequal ones."""
    samples, parts = SampleStore(store), []
    for team in (Team(), Team(0, 2), Team(1, 2)):
        space, recipe = fresh(samples), SharedDistances(shapes=3, points=64, normal_weight=0.1, eikonal_weight=0.1)
        torch.manual_seed(1)
        mine = Told(team.rank, team.size) if team.size > 1 else team
        loss = recipe.loss(space, StoreData(samples, mine))
        loss.backward()
        parts.append((loss.detach(), torch.cat([p.grad.flatten() for p in space.parameters()])))
    whole, one, other = parts
    torch.testing.assert_close(one[0] + other[0], whole[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(one[1] + other[1], whole[1], atol=1e-6, rtol=1e-5)


def test_a_share_without_colours_adds_up_with_one_that_has_them(tmp_path):
    """Every process has every gradient, or sums over processes would not match."""
    for k in range(3):
        ball = trimesh.creation.icosphere(2)
        mesh = trimesh.Trimesh(ball.vertices * (1, 0.5 + 0.1 * k, 1), ball.faces, process=False)
        if k == 0:
            mesh.visual.vertex_colors = np.tile(np.array([[200, 30, 60, 255]], np.uint8), (len(mesh.vertices), 1))
        mesh.export(tmp_path / f"{k}.ply")
    assert main(["sample", str(tmp_path), "-o", str(tmp_path / "store"), "--count", "500", "--jobs", "1"]) == 0
    samples, parts = SampleStore(tmp_path / "store"), []
    for team in (Team(), Told(0, 3), Told(1, 3), Told(2, 3)):
        torch.manual_seed(0)
        space = new_space(preset("default"), samples, color="directed")
        torch.manual_seed(1)
        SharedDistances(shapes=3, points=64).loss(space, StoreData(samples, team)).backward()
        parts.append(torch.cat([parameter.grad.flatten() for parameter in space.parameters()]))
    torch.testing.assert_close(sum(parts[1:]), parts[0], atol=1e-6, rtol=1e-4)


class Told(Team):
    """A member whose partner says nothing."""

    def total(self, values):
        return values


def test_one_process_alone_needs_no_fabric():
    alone = Team.launch(1)
    assert (alone.rank, alone.size, alone.leads, alone.fabric) == (0, 1, True, None)
    values = torch.arange(5.0)
    assert alone.share(values) is not values
    torch.testing.assert_close(alone.share(values), values)
    assert alone.joined(values, 5) is values
    assert alone.told("x") == "x"


@no_gpu
def test_gpus_that_are_not_there_are_said():
    with pytest.raises(InputError, match="--device cuda"):
        Team.launch(1, "cuda")


def test_what_cannot_be_launched_is_said(store, tmp_path, monkeypatch, capsys):
    with pytest.raises(IsofieldError, match="give the training a team"):  # the command line here is pytest's
        Team.launch(2)
    monkeypatch.setattr(sys, "argv", ["isofield", "train"])
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(InputError, match=r"isofield\[train\]"):
        Team.launch(2)
    call = [*command(store, tmp_path / "run")[3:], "--processes"]
    assert main([*call, "4"]) == 2
    assert "more than the 3 shapes of a step" in capsys.readouterr().err


def test_that_another_process_has_gone_is_said(monkeypatch):
    def closed(*_):
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(torch.distributed, "all_reduce", closed)
    monkeypatch.setattr(torch.distributed, "all_gather_object", closed)
    for call in (lambda: Team(0, 2).total(torch.ones(2)), lambda: Team(0, 2).any(False)):
        with pytest.raises(IsofieldError, match="run the same command again"):
            call()


def test_two_processes_equal_one(store, tmp_path):
    """On the union batch, but for rounding."""
    both, samples = tmp_path / "both", SampleStore(store)
    done = subprocess.run(command(store, both, "--steps", "3", "--processes", "2"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    alone = tmp_path / "alone"
    assert main([*command(store, alone, "--steps", "3")[3:]]) == 0
    for name, value in state(alone).items():
        torch.testing.assert_close(state(both)[name], value, atol=1e-5, rtol=1e-5, msg=name)
    assert len((both / "log.jsonl").read_text().splitlines()) == 3
    assert Training(fresh(samples), SharedDistances(), StoreData(samples), Length.of_steps(1), 0).team.size == 1


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@posix
def test_killed_three_times_and_gone_on_with_is_the_same(store, tmp_path, processes):
    """Bit for bit, whenever the kills come; and nobody is left behind."""
    length = ("--steps", "400", "--processes", str(processes))
    assert subprocess.run(command(store, tmp_path / "whole", *length), capture_output=True).returncode == 0
    parts, log = command(store, tmp_path / "parts", *length), tmp_path / "parts" / "log.jsonl"
    for _ in range(3):
        process, before = subprocess.Popen(parts, stderr=subprocess.PIPE, start_new_session=True), written(log)
        while written(log) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(float(np.random.default_rng().uniform(0, 0.7)))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)  # until the other one has closed its end too
    assert subprocess.run(parts, capture_output=True).returncode == 0
    whole, other = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert all(torch.equal(whole[name], other[name]) for name in whole)
    assert log.read_text() == (tmp_path / "whole" / "log.jsonl").read_text()


def written(log: Path) -> float:
    return log.stat().st_mtime if log.exists() else 0.0


def test_half_the_bits_teach_nearly_as_well(store, tmp_path, capsys):
    errors, states = [], []
    for precision in ("32", "bf16"):
        run = tmp_path / precision
        assert main([*command(store, run, "--steps", "150", "--precision", precision, "--json")[3:]]) == 0
        errors.append(json.loads(capsys.readouterr().out)["sdf_error_near"])
        states.append(state(run))
    assert errors[1] < 1.5 * errors[0] < 0.15
    weight = next(name for name in states[0] if states[0][name].numel() > 50)
    assert states[0][weight].dtype == states[1][weight].dtype == torch.float32
    assert (states[0][weight] - states[1][weight]).abs().max() > 0
