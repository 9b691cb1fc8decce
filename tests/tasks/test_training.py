"""The loop: exact in (seed, step), whatever stops it and however it goes on."""

import json
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from isofield.checkpoints import load_checkpoint
from isofield.errors import IsofieldError
from isofield.fields.activations import Relu, Tanh
from isofield.fields.encodings import Identity
from isofield.fields.hash_grid import HashGrid
from isofield.fields.mlp import MLP
from isofield.fields.neural import ColorHead, NeuralField
from isofield.interrupt import Interrupted, Interruption
from isofield.progress import progress
from isofield.runs import list_checkpoints, load, open_run
from isofield.tasks import training
from isofield.tasks.fit import fit
from isofield.tasks.objectives import Distances, TrainingData
from isofield.tasks.training import FINAL, HASTE, HOLD, SAMPLES_PER_STEP, Cost, Length, Training

STEPS = 20


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    monkeypatch.setattr(training, "FEWEST", 3000)


@pytest.fixture(scope="module")
def mesh() -> trimesh.Trimesh:
    """A box, coloured by position."""
    box = trimesh.creation.box((3, 2, 1)).subdivide().subdivide()
    share = (box.vertices - box.bounds[0]) / box.extents
    box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.round(share * 255).astype(np.uint8))
    return box


def small(seed: int = 0, dropout: float = 0.1) -> NeuralField:
    """Tables, weight norm, dropout and colour: all that has a state or draws numbers."""
    torch.manual_seed(seed)
    encoding = HashGrid(levels=2, base=8, log2_entries=10)
    network = MLP(4, 1, 16, 2, Relu(), weight_norm=True, dropout=dropout, final=Tanh())
    return NeuralField(encoding, network=network, color=ColorHead.over(HashGrid(levels=1, base=8, seed=1), width=8))


RECIPE = Distances(batch=256)


@dataclass(frozen=True)
class Stopping(Distances):
    """Asks to stop, as Ctrl-C does, in the middle of step `at`."""

    batch: int = 256
    at: tuple[int, ...] = ()
    signum: int = signal.SIGINT

    def loss(self, field, data):
        COUNTER.append(1)
        if len(COUNTER) in self.at:
            signal.raise_signal(self.signum)
        return super().loss(field, data)


COUNTER: list[int] = []


def trained(folder: Path, mesh, steps: int | None = STEPS, objective=RECIPE, field=None, seed: int = 0, budget=30.0):
    COUNTER.clear()
    config = {"seed": seed, "steps": steps, "budget": None if steps else budget}
    with open_run(folder, config) as run:
        return fit(mesh, field or small(), objective, steps=run.config["steps"], budget=budget, seed=seed, run=run)


def model(folder: Path) -> bytes:
    return (list_checkpoints(folder)[-1][1] / "model.safetensors").read_bytes()


def moments(folder: Path) -> dict[str, bytes]:
    """The training state, but for the times in it."""
    from safetensors.torch import load_file

    state = load_file(list_checkpoints(folder)[-1][1] / "state.safetensors")
    return {name: value.numpy().tobytes() for name, value in state.items() if name != "cost"}


def losses_of(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, mesh) -> Path:
    """A run that nothing disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "FEWEST", 3000)
        folder = tmp_path_factory.mktemp("runs") / "whole"
        trained(folder, mesh)
    return folder


def test_same_seed_same_bytes_and_the_random_numbers_of_others_are_left_alone(whole, tmp_path, mesh):
    torch.manual_seed(99)
    field = small()
    torch.manual_seed(77)
    before = torch.random.get_rng_state()
    trained(tmp_path / "again", mesh, field=field)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model(tmp_path / "again") == model(whole)
    assert moments(tmp_path / "again") == moments(whole)
    assert losses_of(tmp_path / "again") == losses_of(whole)
    trained(tmp_path / "other", mesh, seed=1)
    assert model(tmp_path / "other") != model(whole)


def test_the_fitted_field_is_the_one_that_is_stored(tmp_path, mesh):
    """In its rounding, too: what is measured is what is saved; and the field given is trained in place."""
    given = small()
    fitted = trained(tmp_path / "run", mesh, field=given)
    stored = load(tmp_path / "run")
    points = torch.rand(500, 3) * 2 - 1
    with torch.no_grad():
        assert torch.equal(fitted.field.sdf(points), stored.sdf(points))
        assert torch.equal(fitted.field.color(points), stored.color(points))
        assert torch.allclose(given.eval().sdf(points), stored.sdf(points), atol=1e-3)
    assert not fitted.field.training
    assert fitted.cost.steps == STEPS
    assert fitted.cost.seconds > 0
    assert fitted.cost.cpu_seconds > 0


def test_the_loss_falls(whole):
    values = [loss for _, loss in losses_of(whole)]
    assert len(values) == STEPS
    assert np.mean(values[-4:]) < 0.9 * np.mean(values[:4])


INTERRUPTED = [(stops, signal.SIGINT) for stops in ((7,), (1,), (4, 5), (STEPS - 1,))]


@pytest.mark.parametrize(("stops", "signum"), [*INTERRUPTED, ((7,), signal.SIGTERM)])
def test_stopped_and_gone_on_with_is_the_same_as_never_stopped(whole, tmp_path, mesh, stops, signum):
    folder, done = tmp_path / "run", 0
    for at in stops:
        with pytest.raises(Interrupted, match=rf"stopped at step {at} of {STEPS} and saved in .*; run the same"):
            trained(folder, mesh, objective=Stopping(at=(at - done,), signum=signum))
        done = at
        assert list_checkpoints(folder)[-1][0] == at
        assert losses_of(folder)[-1][0] == at
    fitted = trained(folder, mesh, field=small(seed=5) if len(stops) == 1 else None)  # its weights come from the run
    assert fitted.cost.steps == STEPS
    assert model(folder) == model(whole)
    assert moments(folder) == moments(whole)
    assert losses_of(folder) == losses_of(whole)


def test_a_request_in_the_last_step_lets_the_run_finish(whole, tmp_path, mesh):
    trained(tmp_path / "run", mesh, objective=Stopping(at=(STEPS,)))
    assert model(tmp_path / "run") == model(whole)


def test_a_request_while_the_log_is_written_waits_for_a_save(tmp_path, mesh, monkeypatch):
    """Whenever it comes: what the message calls saved is saved."""
    report = training._report

    def late(loss, done, *others):
        report(loss, done, *others)
        if done == 6:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "_report", late)
    with pytest.raises(Interrupted, match=rf"stopped at step (\d+) of {STEPS} and saved") as stopped:
        trained(tmp_path / "run", mesh)
    assert list_checkpoints(tmp_path / "run")[-1][0] == int(str(stopped.value).split()[3])


def test_a_finished_run_is_not_trained_again(whole, tmp_path, mesh):
    folder = tmp_path / "run"
    first = trained(folder, mesh)
    again = trained(folder, mesh, objective=Stopping())
    assert COUNTER == []
    assert again.cost == first.cost
    assert model(folder) == model(whole)
    assert all(torch.equal(value, first.field.tensors()[name]) for name, value in again.field.tensors().items())


def test_a_damaged_newest_checkpoint_costs_time_and_nothing_else(whole, tmp_path, mesh):
    folder = tmp_path / "run"
    trained(folder, mesh)
    newest = list_checkpoints(folder)[-1][1] / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"\x55")
    with pytest.warns(UserWarning, match="is damaged"):
        trained(folder, mesh)
    assert model(folder) == model(whole)
    assert losses_of(folder) == losses_of(whole)


def test_a_grown_run_goes_on_exactly_after_a_stop(tmp_path, mesh):
    for name in ("whole", "stopped"):
        trained(tmp_path / name, mesh, steps=8)
    with pytest.raises(Interrupted):
        trained(tmp_path / "stopped", mesh, steps=13, objective=Stopping(at=(2,)))
    for name in ("whole", "stopped"):
        assert trained(tmp_path / name, mesh, steps=13).cost.steps == 13
    settled = json.loads((tmp_path / "whole" / "config.json").read_text())["settled"]
    assert settled == {"ends": [8, 13], "samples": 13 * SAMPLES_PER_STEP}
    assert model(tmp_path / "whole") == model(tmp_path / "stopped")


def test_rates_are_held_then_fall_and_rise_again_by_what_a_run_grew():
    length = Length((100, 500), samples=1)
    rates = [length.rate(step) for step in range(501)]
    assert rates[: int(100 * HOLD)] == [1.0] * int(100 * HOLD)
    falling = np.array(rates[int(100 * HOLD) : 100])
    assert np.allclose(falling[1:] / falling[:-1], FINAL ** (1 / (100 * (1 - HOLD))))
    assert rates[100:220] == pytest.approx([400 / 500] * 120)
    assert np.all(np.diff(rates[220:]) <= 0)
    assert rates[500] == pytest.approx(FINAL)
    assert (length.haste(99), length.haste(100), Length((5000,), 1).haste(0)) == (HASTE, 1200 / 500, 1.0)


def test_a_length_only_grows():
    length = Length((100,), samples=1)
    assert length.grown(100) is length.grown(7) is length
    assert length.grown(300).ends == (100, 300)
    assert length.grown(300).samples == Length.of_steps(300).samples


def test_length_of_steps(monkeypatch):
    monkeypatch.setattr(training, "FEWEST", 100_000)
    assert Length.of_steps(1) == Length((1,), 100_000)
    assert Length.of_steps(1000) == Length((1000,), 256_000)
    assert Length.of_steps(10**6).samples == 2_000_000


def test_a_budget_is_turned_into_steps_by_the_clock(mesh):
    """A clock that gains a second at every look: 50,000 samples cost 1 s, a step 1 s."""
    ticks = iter(range(10**6))
    field = small()
    before = [weight.clone() for weight in field.parameters()]
    length = Length.affordable(mesh, field, RECIPE, 1000.0, clock=lambda: float(next(ticks)))
    per_step = 1 + 256 / 50_000
    assert length.steps == round(1000 / per_step)
    assert all(torch.equal(a, b) for a, b in zip(before, field.parameters(), strict=True))  # a copy was timed


def test_a_budget_is_settled_once_and_kept(tmp_path, mesh, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr(Length, "affordable", classmethod(lambda cls, *_: cls.of_steps(STEPS)))
    with pytest.raises(Interrupted):
        trained(folder, mesh, steps=None, objective=Stopping(at=(7,)))
    settled = json.loads((folder / "config.json").read_text())["settled"]
    assert settled["ends"] == [STEPS]
    monkeypatch.setattr(Length, "affordable", classmethod(lambda cls, *_: pytest.fail("timed again")))
    assert trained(folder, mesh, steps=None).cost.steps == STEPS
    assert json.loads((folder / "config.json").read_text())["settled"] == settled
    assert trained(folder, mesh, steps=None, budget=45.0).cost.steps == STEPS * 3 // 2
    assert json.loads((folder / "config.json").read_text())["settled"] == {
        "ends": [STEPS, STEPS * 3 // 2],
        "samples": STEPS * 3 // 2 * SAMPLES_PER_STEP,
    }


def test_a_budget_run_resumed_is_one_of_so_many_steps(whole, tmp_path, mesh, monkeypatch):
    monkeypatch.setattr(Length, "affordable", classmethod(lambda cls, *_: cls.of_steps(STEPS)))
    with pytest.raises(Interrupted):
        trained(tmp_path / "run", mesh, steps=None, objective=Stopping(at=(3,)))
    trained(tmp_path / "run", mesh, steps=None)
    assert model(tmp_path / "run") == model(whole)


@dataclass(frozen=True)
class Exploding(Distances):
    batch: int = 256
    at: int = 6
    by: float = float("nan")

    def loss(self, field, data):
        COUNTER.append(1)
        loss = super().loss(field, data)
        return loss * self.by if len(COUNTER) >= self.at else loss


@pytest.mark.parametrize("by", [float("nan"), float("inf")])
@pytest.mark.parametrize("steps", [20, 1000])
def test_divergence_is_one_line_and_spoils_no_checkpoint(tmp_path, mesh, by, steps, monkeypatch):
    """Even where a save is due before the loss is looked at: it is looked at every tenth step of 1,000."""
    monkeypatch.setattr(training, "SAVES", 500)  # a save every second step of 1,000
    folder = tmp_path / "run"
    with pytest.raises(IsofieldError, match=r"at step \d+: training diverged; lower the objective's rates") as error:
        trained(folder, mesh, steps=steps, objective=Exploding(by=by))
    assert "\n" not in str(error.value)
    assert type(error.value) is IsofieldError
    assert [step for step, _ in list_checkpoints(folder)] in ([4], [4, 5], [2, 4])
    assert all(torch.isfinite(value).all() for value in load(folder).state_dict().values())
    if (folder / "log.jsonl").exists():
        assert all(np.isfinite(loss) for _, loss in losses_of(folder))


def test_weights_that_overflow_at_the_end_are_no_result(mesh):
    with pytest.raises(IsofieldError, match=r"table holds no finite numbers at step 1: training diverged"):
        fit(mesh, small(), replace(RECIPE, table_rate=1e6), steps=1)


def test_a_colour_head_that_no_loss_meets_is_no_obstacle(tmp_path):
    """The mesh has no colour, the field has: going on works and the head stays as it was."""
    plain, field = trimesh.creation.box(), small()
    before = field.color_head.encoding.table.detach().clone()
    with pytest.raises(Interrupted):
        trained(tmp_path / "run", plain, objective=Stopping(at=(3,)), field=field)
    field = small()
    trained(tmp_path / "run", plain, field=field)
    trained(tmp_path / "at once", plain)
    assert torch.equal(field.color_head.encoding.table.detach(), before)
    assert model(tmp_path / "run") == model(tmp_path / "at once")


def test_state_and_restore_are_inverse(mesh):
    data = TrainingData(RECIPE.samples(mesh, 2000, 0))
    first = Training(small(), RECIPE, data, Length((10,), 2000), 3)
    for step in range(3):
        first.step(step)
    state = {name: value.clone() for name, value in first.state(Cost(3, 1.5, 2.5)).items()}
    assert state["cost"].tolist() == [3, 1.5, 2.5]
    second = Training(small(seed=8), RECIPE, data, Length((10,), 2000), 3)
    second.restore(state)
    again = second.state(Cost(3, 1.5, 2.5))
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)
    assert torch.equal(first.step(3), second.step(3))
    assert all(torch.equal(a, b) for a, b in zip(first.field.parameters(), second.field.parameters(), strict=True))


def test_a_step_depends_on_seed_and_number_alone(mesh):
    data = TrainingData(RECIPE.samples(mesh, 2000, 0))
    losses = {}
    for seed, step, noise in ((0, 4, 0), (0, 4, 1), (0, 5, 0), (1, 4, 0)):
        trainee = Training(small(), RECIPE, data, Length((10,), 2000), seed)
        torch.manual_seed(noise)
        losses.setdefault((seed, step), set()).add(trainee.step(step).item())
    assert [len(found) for found in losses.values()] == [1, 1, 1]
    assert len(set.union(*losses.values())) == 3


def test_tables_and_networks_have_rates_of_their_own(mesh):
    recipe = replace(RECIPE, rate=0.0, table_rate=1e-2)
    field = small()
    before = {name: value.clone() for name, value in field.state_dict().items()}
    data = TrainingData(recipe.samples(mesh, 2000, 0))
    Training(field, recipe, data, Length((10,), 2000), 0).step(0)
    moved = {name for name, value in field.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"encoding.table", "color_head.encoding.table"}


def test_networks_without_tables_train_too(mesh):
    torch.manual_seed(0)
    fitted = fit(mesh, NeuralField(Identity(), width=8), RECIPE, steps=2)
    assert fitted.cost.steps == 2


def test_costs_add_up_over_sessions(tmp_path, mesh):
    with pytest.raises(Interrupted):
        trained(tmp_path / "run", mesh, objective=Stopping(at=(10,)))
    before = Cost.restore(load_checkpoint(list_checkpoints(tmp_path / "run")[-1][1]).state)
    after = trained(tmp_path / "run", mesh).cost
    assert (before.steps, after.steps) == (10, STEPS)
    assert after.seconds > before.seconds > 0
    assert after.cpu_seconds > before.cpu_seconds > 0


def test_checkpoints_are_five_of_which_two_stay(tmp_path, mesh, monkeypatch):
    saved = []
    save = training.Run.save
    monkeypatch.setattr(training.Run, "save", lambda run, step, *rest: (saved.append(step), save(run, step, *rest))[1])
    trained(tmp_path / "run", mesh, steps=12)
    assert saved == [3, 6, 9, 12]
    assert [step for step, _ in list_checkpoints(tmp_path / "run")] == [9, 12]


def test_the_loop_without_a_run_stops_too(mesh):
    interruption = Interruption()
    data = TrainingData(RECIPE.samples(mesh, 2000, 0))
    trainee = Training(small(), RECIPE, data, Length((10,), 2000), 0)
    interruption.signum = signal.SIGINT
    with progress("fit", 10, silent=True) as advance, pytest.raises(Interrupted, match=r"^stopped at step 1 of 10$"):
        training.train(trainee, training.Clock(Cost()), None, interruption, advance)
