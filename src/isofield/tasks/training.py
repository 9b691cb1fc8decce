"""The steps of a fit: one loop, exact in (seed, step), that can stop, save and go on."""

import time
from bisect import bisect_right
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import trimesh
from torch import Tensor

from isofield.errors import IsofieldError
from isofield.fields.neural import NeuralField
from isofield.fields.rendered import RenderedField
from isofield.fields.space import ShapeSpace
from isofield.interrupt import Interruption
from isofield.runs import Run
from isofield.tasks.objectives import Objective, TrainingData
from isofield.tasks.team import Team

Learned = NeuralField | ShapeSpace | RenderedField

SAMPLES_PER_STEP = 256  # so that each sample is seen about 16 times
FEWEST, MOST = 100_000, 2_000_000  # samples
HOLD, FINAL = 0.3, 0.02  # the rates stay for this share of the schedule, then fall exponentially to this share
QUICK, HASTE = 1200, 4.0  # hash grids learn faster in schedules of fewer steps, by their ratio and at most so much
LEAST = 600  # steps
TABLE, CODES = ".table", ("codes", "hues")  # how names of hash tables end; names of codes
SAVES, LOGS = 5, 100  # checkpoints of a run; lines of its log
DIVERGED = "training diverged; lower the objective's rates"


@dataclass(frozen=True)
class Length:
    """How long to train: settled once, so that nothing of it depends on the clock when a run goes on.

    ends: steps after which the learning rates have fallen, the last one being the end; a run that grows gets one more.
    """

    ends: tuple[int, ...]
    samples: int

    @property
    def steps(self) -> int:
        return self.ends[-1]

    @classmethod
    def of_steps(cls, steps: int) -> "Length":
        return cls((steps,), int(np.clip(SAMPLES_PER_STEP * steps, FEWEST, MOST)))

    @classmethod
    def affordable(
        cls,
        mesh: trimesh.Trimesh,
        field: NeuralField,
        objective: Objective,
        budget: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> "Length":
        """What takes about `budget` seconds of the clock, by timing a copy of the field on a few samples and steps.

        A hash grid gets the steps without which it leaves specks far from the shape, however slow they are.
        """
        count = 50_000
        begun = clock()
        samples = objective.samples(mesh, count, 0)
        per_sample = (clock() - begun) / count
        trial = Training(deepcopy(field), objective, TrainingData(samples), cls.of_steps(1), 0)
        per_step = trial.seconds_per_step(clock)
        steps = budget / (per_step + SAMPLES_PER_STEP * per_sample)
        steps = max(steps, (budget - MOST * per_sample) / per_step)  # where the samples are capped
        return cls.of_steps(max(LEAST if tables(field) else 1, round(steps)))

    @classmethod
    def restore(cls, stored: dict[str, Any]) -> "Length":
        """The inverse of `vars`. Raises KeyError, TypeError or ValueError for anything else."""
        ends, samples = tuple(map(int, stored["ends"])), int(stored["samples"])
        if not ends or min(np.diff(ends, prepend=0)) < 1 or samples < 1:
            raise ValueError(f"{stored} is no length")
        return cls(ends, samples)

    def grown(self, steps: int) -> "Length":
        """The same, going on to so many steps if these are more."""
        if steps <= self.steps:
            return self
        return Length((*self.ends, steps), max(self.samples, self.of_steps(steps).samples))

    def rate(self, step: int) -> float:
        """Share of the full learning rate: what a run grew by begins with its share of all steps till then."""
        begin, end = self._part(step)
        done = min((step - begin) / (end - begin), 1.0)
        return max((1 - begin / end) * (1.0 if done < HOLD else FINAL ** ((done - HOLD) / (1 - HOLD))), FINAL)

    def haste(self, step: int) -> float:
        """By how much the rates of a field with hash tables, which start from nothing, rise in a short schedule."""
        return min(max(QUICK / self._part(step)[1], 1.0), HASTE)

    def _part(self, step: int) -> tuple[int, int]:
        """Where the falling of the rates to which this step belongs begins and ends."""
        number = min(bisect_right(self.ends, step), len(self.ends) - 1)
        return (self.ends[number - 1] if number else 0), self.ends[number]


@dataclass(frozen=True)
class Cost:
    """Of sampling and training; seconds by the wall clock and by the processors."""

    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @classmethod
    def restore(cls, state: dict[str, Tensor]) -> "Cost":
        """What `Training.state` stored."""
        steps, seconds, cpu_seconds = state["cost"].tolist()
        return cls(int(steps), seconds, cpu_seconds)


class Clock:
    """Reads the cost of what was done before and since, by all processes of a team."""

    def __init__(self, before: Cost, team: Team | None = None):
        self.before, self.wall, self.cpu = before, time.perf_counter(), time.process_time()
        self.team = team or Team()

    def read(self, steps: int) -> Cost:
        wall, own = time.perf_counter() - self.wall, time.process_time() - self.cpu
        cpu = self.team.total(torch.tensor(own, dtype=torch.float64, device=self.team.device)).item()
        return Cost(steps, self.before.seconds + wall, self.before.cpu_seconds + cpu)


def tables(field: Learned) -> list[Tensor]:
    """The hash tables among its parameters."""
    return [parameter for name, parameter in field.named_parameters() if name.endswith(TABLE)]


class Training:
    """A field or a shape space, its objective, what that draws from, and Adam (Kingma & Ba 2015).

    Networks, hash tables and codes have a rate each. team: the processes whose losses and gradients are added up.
    """

    def __init__(self, field: Learned, objective: Any, data: Any, length: Length, seed: int, team: Team | None = None):
        self.field, self.objective, self.data, self.length, self.seed = field, objective, data, length, seed
        self.team = team or Team()
        hashed, named = tables(field), dict(field.named_parameters())
        codes = [named.pop(name) for name in CODES if name in named]
        networks = [parameter for name, parameter in named.items() if not name.endswith(TABLE)]
        groups = [
            {"params": networks, "rate": objective.rate},
            {"params": hashed, "rate": objective.table_rate},
            {"params": codes, "rate": objective.code_rate if codes else 0.0},
        ]
        self.haste = length.haste if hashed else lambda _: 1.0
        self.adam = torch.optim.Adam([g for g in groups if g["params"]], betas=(0.9, 0.99), eps=1e-15, fused=True)
        field.train()

    def step(self, step: int) -> Tensor:
        """One step, whose randomness comes from (seed, step) alone; returns the loss, or this process's part of it."""
        torch.manual_seed(int(np.random.SeedSequence([self.seed, step]).generate_state(1)[0]))
        for group in self.adam.param_groups:
            group["lr"] = group["rate"] * self.haste(step) * self.length.rate(step)
        self.adam.zero_grad()
        with self.team.precision():
            loss = self.objective.loss(self.field, self.data)
        loss.backward()
        self.team.add_up(self.field.parameters())
        self.adam.step()
        return loss.detach()

    def seconds_per_step(self, clock: Callable[[], float], repeats: int = 10) -> float:
        """By doing some: after three that compile the kernels, the median of ten."""
        for step in range(3):
            self.step(step)
        times = [clock(), *(self.step(step) is None or clock() for step in range(repeats))]
        return float(np.median(np.diff(times)))

    def state(self, cost: Cost) -> dict[str, Tensor]:
        """All that going on needs: weights in full precision, Adam's moments, the cost so far."""
        state = {f"weight.{name}": value for name, value in self.field.state_dict().items()}
        for name, parameter in self.field.named_parameters():
            state |= {f"adam.{key}.{name}": value for key, value in self.adam.state.get(parameter, {}).items()}
        state["cost"] = torch.tensor([cost.steps, cost.seconds, cost.cpu_seconds], dtype=torch.float64)
        return {name: value.detach().cpu().contiguous() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`; weights that no loss has met yet have no moments."""
        self.field.load_state_dict({k.removeprefix("weight."): v for k, v in state.items() if k.startswith("weight.")})
        for name, parameter in self.field.named_parameters():
            if f"adam.step.{name}" in state:
                moments = {key: state[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
                self.adam.state[parameter] = {key: value.to(parameter.device) for key, value in moments.items()}


def train(
    training: Training,
    clock: Clock,
    run: Run | None,
    interruption: Interruption,
    advance: Callable[..., None],
    draw: Callable[[int], None] | None = None,
) -> Cost:
    """All steps that are left; logs and saves on the way, and draws when all is saved.

    Raises IsofieldError when loss or weights are no numbers, Interrupted (everything saved) when asked to stop.
    """
    steps, cost, team = training.length.steps, clock.before, training.team
    log_every, save_every = max(1, steps // LOGS), -(-steps // SAVES)
    for step in range(clock.before.steps, steps):
        loss = training.step(step)
        done = step + 1
        stop = team.any(interruption.requested) and done < steps  # asked once: a later request waits for a step
        last = done == steps or stop
        if last or done % log_every == 0:
            _report(team.total(loss).item(), done, training.length.rate(step), run, advance)
        if last or ((run or team.size > 1) and done % save_every == 0):
            cost = clock.read(done)
            _save(training, done, cost, run)
            if draw and not stop:
                draw(done)
        if stop:
            saved = f" and saved in {run.folder}; run the same command again to go on" if run else ""
            raise interruption.error(f"stopped at step {done} of {steps}{saved}")
    return cost


def _report(loss: float, done: int, rate: float, run: Run | None, advance: Callable[..., None]) -> None:
    if not np.isfinite(loss):
        raise IsofieldError(f"the loss is {loss} at step {done}: {DIVERGED}")
    advance(done, loss=loss)
    if run:
        run.log(step=done, loss=loss, rate=rate)


def _save(training: Training, done: int, cost: Cost, run: Run | None) -> None:
    """Never what cannot be gone on from: the last good checkpoint stays."""
    tensors = training.field.tensors()
    if bad := [name for name, value in tensors.items() if not torch.isfinite(value).all()]:
        raise IsofieldError(f"{bad[0]} holds no finite numbers at step {done}: {DIVERGED}")
    if run:
        run.save(done, training.field.spec(), tensors, training.state(cost))
