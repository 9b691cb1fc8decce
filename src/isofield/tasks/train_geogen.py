"""`isofield train geogen`: from a set of posed pictures to a generator of shapes."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isofield.checkpoints import NAME, digest_of, load_checkpoint, newest_checkpoint
from isofield.data import located
from isofield.errors import InputError, IsofieldError
from isofield.fields.density import ScaledDensity
from isofield.files import write_json
from isofield.interrupt import Interruption, interruptible
from isofield.models.level import settle_level
from isofield.models.presets import PRESETS, Architecture, Preset, stored, varied
from isofield.progress import progress
from isofield.render.camera import Camera
from isofield.render.pictures import save_png
from isofield.runs import Run, load_generator, open_run, read_config
from isofield.settings.common import config_of
from isofield.settings.families import TrainGeoGenSettings
from isofield.tasks.board import on_board
from isofield.tasks.gan import DIVERGED, KIMG, Contest, Numbers, Start
from isofield.tasks.gan_health import ailments, health, sitters
from isofield.tasks.gan_sheet import sheet
from isofield.tasks.mesh import peak_memory
from isofield.tasks.team import Team, follows
from isofield.tasks.training import Clock, Cost
from isofield.views.lessons import Lessons
from isofield.views.read import read_views

SAMPLES = "samples"  # sub-folder of the sheets
SHOWN, SIDES = 8, 4  # latents and cameras of a sheet
BUDGET = 1800.0  # seconds of a run that is told no length
TRIAL, PATIENCE = 1 << 14, 10.0  # pixels in a step of the estimate, and seconds after which it stops
CRITIC, OWN = "critic.weight.", "own.weight.weight"  # in the state of a run
PERIOD = 1 << 10  # steps after which the kinds of steps come again, at most
LONG = 1 << 30  # steps of a run whose beginning is tried


def run_train_geogen(settings: TrainGeoGenSettings) -> dict[str, Any]:
    """Write the run folder, return what report.json holds. Raises InputError, IsofieldError, Interrupted.

    Of several processes the first one writes; the others return nothing.
    """
    views = read_views(settings.input)
    preset = chosen(settings, min(view.camera.width for view in views.views))
    lessons = Lessons(views, preset.architecture.size)
    start = begun_with(settings.start, preset.architecture, lessons) if settings.start else None
    preset = preset if start is None else going_on(preset, start)
    if preset.recipe.likeness and not lessons.shapes.any():
        fault = f"the pictures of {settings.input} lie in one folder, and so show one shape"
        raise InputError("--likeness", fault, "leave it out, or give each shape a folder of its own")
    if settings.processes > 1 and follows():
        _follow(settings, preset, lessons, start)
    config = {**config_of(settings), "input": settings.input.name, "input_sha256": digest(lessons)}
    if settings.start:
        config |= {"start": settings.start.name, "start_sha256": digest_of(located(settings.start))}
    del config["processes"]
    if settings.precision == "32":
        del config["precision"]  # which runs of earlier versions do not know
    with open_run(
        settings.output, {**config, **stored(preset)}, length=("kimg", "budget"), restart=settings.restart
    ) as run:
        if settings.restart:
            shutil.rmtree(run.folder / SAMPLES, ignore_errors=True)
        team = Team.launch(settings.processes, settings.device, settings.precision)
        contest = new_contest(preset, lessons, settings.seed, team, start)
        with on_board(run, settings.tensorboard):
            cost = train_geogen(contest, team.told(_begun(run, contest)), run, silent=False)
        return _report(run, contest, cost)


def _follow(settings: TrainGeoGenSettings, preset: Preset, lessons: Lessons, start: Start | None) -> None:
    """What the other processes do; where training ends early, the leading one says why."""
    team = Team.launch(settings.processes, settings.device, settings.precision)
    with suppress(IsofieldError):
        contest = new_contest(preset, lessons, settings.seed, team, start)
        train_geogen(contest, team.told(0), folder=settings.output)
    raise SystemExit(0)


def new_contest(preset: Preset, lessons: Lessons, seed: int, team: Team, start: Start | None) -> Contest:
    contest = Contest(preset, lessons, seed, team)
    if start is not None:
        contest.begin_with(start)
    return contest


def _begun(run: Run, contest: Contest) -> int:
    """Steps of the run, after saying how long they will take."""
    if run.config["kimg"] is None and run.config["budget"] is None:
        run.settle(budget=BUDGET)
    pace = estimate(contest.preset, contest.lessons, contest.seed, contest.team)
    pace = pace._replace(seconds=pace.seconds / contest.team.size)
    steps = settled_steps(run, contest.preset, pace)
    run.settle(settled={"steps": steps})
    print(f"isofield: {pace.told(steps * contest.batch)}", file=sys.stderr)
    return steps


def chosen(settings: TrainGeoGenSettings, available: int) -> Preset:
    """The preset as the settings change it. available: pixels a side of the smallest picture."""
    preset = varied(PRESETS[settings.preset], settings.variant)
    architecture, recipe = preset.architecture, preset.recipe
    size = settings.size or min(architecture.size, 1 << (available.bit_length() - 1))
    if size < 8 or size & (size - 1):
        raise InputError("--size", f"{size} is no power of two from 8", "give 32, 64, 128, 256 or 512")
    refined = architecture.size > architecture.raw
    raw = min(architecture.raw, size) if refined else size
    architecture = replace(architecture, size=size, raw=raw, conditioned=settings.conditioned)
    given = {key: getattr(settings, key) for key in ("batch", "r1", "settle", "likeness")}
    given["shares"] = settings.shares or (settings.processes if settings.processes > 1 else None)
    recipe = replace(recipe, **{key: value for key, value in given.items() if value is not None})
    if recipe.batch % recipe.shares or recipe.batch // recipe.shares < 2:
        fault = f"{recipe.batch} pictures cannot be cut into {recipe.shares} parts of two or more"
        raise InputError("--batch, --shares", fault, "give a batch that is a multiple of twice the shares")
    if recipe.shares % settings.processes:
        fault = f"{recipe.shares} cannot be done by {settings.processes} processes"
        raise InputError("--shares", fault, f"give a multiple of {settings.processes}")
    return Preset(architecture, recipe)


def begun_with(folder: Path, architecture: Architecture, lessons: Lessons) -> Start:
    """Raises InputError for a folder without a generator, or with one of another architecture."""
    generator, folder = load_generator(folder), located(folder)
    if generator.architecture != architecture:
        there, here = asdict(generator.architecture), asdict(architecture)
        apart = ", ".join(f"{key} {there[key]} and not {here[key]}" for key in here if there[key] != here[key])
        raise InputError(folder, f"is another generator: {apart}", "give the --preset, --variant and --size it has")
    alone = NAME.fullmatch(folder.name)
    found = load_checkpoint(folder) if alone else newest_checkpoint(folder)
    state = found.state if found else {}
    same = not alone and read_config(folder).get("input_sha256") == digest(lessons)
    critic = {name.removeprefix(CRITIC): value for name, value in state.items() if name.startswith(CRITIC)}
    return Start(generator, critic, state.get(OWN) if same else None)


def going_on(preset: Preset, start: Start) -> Preset:
    """As sharp as the generator is, with nothing of what is for the first of all pictures. Where likeness is asked for
    the contest is over: its gradients keep shapes from coming to rest at their pictures; and while their latents are
    not known, outlines are half a pixel soft, or pictures do not tell them where to go."""
    density, recipe = start.generator.decoder.density, preset.recipe
    beta = float(density.beta) if isinstance(density, ScaledDensity) else recipe.beta
    if recipe.likeness and start.own is None:
        beta = max(beta, 1 / preset.architecture.raw)
    beta = min(beta, recipe.beta)
    return replace(preset, recipe=replace(recipe, beta=beta, settle=0.0, sharp=0.0, seldom=0))


def digest(lessons: Lessons) -> str:
    """Of the names of the pictures and their cameras."""
    names = "\n".join(view.name for view in lessons.views.views).encode()
    return sha256(names + lessons.labels.tobytes()).hexdigest()


class Pace(NamedTuple):
    """seconds: of a picture; memory: bytes, of the whole process."""

    seconds: float
    memory: float

    def told(self, images: int) -> str:
        seconds = images * self.seconds
        size, unit = (1, "seconds") if seconds < 120 else (60, "minutes") if seconds < 7200 else (3600, "hours")
        length = f"{seconds / size:.{int(size == 3600)}f} {unit}"
        return (
            f"{images / KIMG:g} kimg at {1000 * self.seconds:.0f} ms a picture take about {length} "
            f"and {self.memory / 1e9:.1f} GB of memory"
        )


def estimate(preset: Preset, lessons: Lessons, seed: int, team: Team) -> Pace:
    """Of one process, by timing a few steps of few pictures, on networks that are thrown away; the first of each kind
    compiles."""
    alone = replace(team, rank=0, size=1)
    empty, share = _memory(team.device), preset.recipe.batch // preset.recipe.shares
    few, seconds = max(1, min(share, TRIAL // preset.architecture.size**2)), 0.0
    recipe = replace(preset.recipe, batch=few, shares=1)
    finer = Contest(Preset(preset.architecture, recipe), lessons, seed, alone).share_of_finer()
    for part, length, weight in ((0.0, LONG, 1 - finer), (1.0, 1, finer)):
        if weight:
            made = Preset(preset.architecture, replace(recipe, finish=part))
            trial = Contest(made, lessons, seed, alone)
            trial.length = length
            seconds += weight * _seconds_each(trial)
    return Pace(seconds, empty + (_memory(team.device) - empty) * share / few)


def _seconds_each(trial: Contest) -> float:
    """Of a picture."""
    period = next((step for step in range(1, PERIOD) if trial.holds(step) == (True, True)), 1)
    kinds = Counter(map(trial.holds, range(period)))
    places = {kind: next(step for step in range(period) if trial.holds(step) == kind) for kind in kinds}
    times: dict[tuple[bool, bool], list[float]] = {kind: [] for kind in kinds}
    with torch.random.fork_rng(devices=[]):
        for step in places.values():
            trial.step(step)
        begun = time.perf_counter()
        for kind, step in 3 * sorted(places.items()):
            since = time.perf_counter()
            trial.step(step)
            times[kind].append(time.perf_counter() - since)
            if time.perf_counter() - begun > PATIENCE and all(times.values()):
                break
    return sum(min(times[kind]) * number for kind, number in kinds.items()) / period / trial.batch


def settled_steps(run: Run, preset: Preset, pace: Pace) -> int:
    """Steps of the run: of --kimg exactly, or of what the budget bought when the run was begun, grown as it grew."""
    batch, config = preset.recipe.batch, run.config
    before = int((config.get("settled") or {}).get("steps", 0))
    if config["kimg"] is not None:
        return max(before, -(-round(config["kimg"] * KIMG) // batch))
    old = (run.previous or {}).get("budget")
    if before and old:
        return max(before, round(before * config["budget"] / old))
    return max(before, 1, round(config["budget"] / (pace.seconds * batch)))


def train_geogen(
    contest: Contest, steps: int, run: Run | None = None, *, folder: Path | None = None, silent: bool = True
) -> Cost:
    """All steps that are left of so many; logs, saves and draws a sheet at every tick.

    folder: of the run, where another process has it open. Raises IsofieldError when numbers are no longer finite,
    Interrupted (everything saved) when asked to stop.
    """
    checkpoint = run.latest() if run else newest_checkpoint(folder) if folder else None
    before, sums = Cost(), Sums()
    if checkpoint:
        before = Cost.restore(checkpoint.state)
        contest.restore(checkpoint.state, checkpoint.tensors)
        sums.restore(checkpoint.state)
    contest.length = steps
    clock, tick = Clock(before), max(1, round(contest.preset.recipe.tick * KIMG / contest.batch))
    cost, draw = before, _artist(contest, run)
    with (
        torch.random.fork_rng(devices=[]),
        progress("train", steps, silent=silent) as advance,
        interruptible() as interruption,
    ):
        for step in range(before.steps, steps):
            sums.add(contest.step(step))
            done = step + 1
            due = done % tick == 0 or done == steps
            stop = contest.team.any(interruption.requested) and done < steps
            if due or stop:
                settle_level(contest.average, *sitters(contest.average, contest.labels, contest.seed))
            if due and contest.team.leads:
                advance(done, **_tick(contest, done, sums, run))
            if due:
                draw(done)  # before saving: what a crash prevents is done again
            if due or stop:
                cost = clock.read(done)
                _save(contest, done, cost, sums, run)
            if stop:
                raise _stopped(interruption, done, steps, run)
    return cost


class Sums:
    """Means of the numbers of a tick, which may be interrupted."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[Tensor, int]] = {}

    def add(self, numbers: Numbers) -> None:
        for name, value in numbers.items():
            total, count = self.values.get(name, (torch.zeros((), dtype=torch.float64), 0))
            self.values[name] = total + value.double().cpu(), count + 1

    def taken(self) -> dict[str, float]:
        """The means; counting begins anew."""
        means = {name: float(total) / count for name, (total, count) in sorted(self.values.items())}
        self.values = {}
        return means

    def state(self) -> dict[str, Tensor]:
        return {
            f"sum.{name}": torch.stack([total, total.new_tensor(count)]) for name, (total, count) in self.values.items()
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        found = {name.removeprefix("sum."): value for name, value in state.items() if name.startswith("sum.")}
        self.values = {name: (value[0], int(value[1])) for name, value in found.items()}


def _tick(contest: Contest, done: int, sums: Sums, run: Run | None) -> dict[str, float]:
    """Log what happened since the last one and how the average model is; say what is wrong. Returns what to show."""
    means = sums.taken()
    images = done * contest.batch
    numbers = means | health(contest.average, contest.labels, contest.background, contest.seed)
    for ailment in ailments(numbers, early=images < contest.preset.recipe.sharp * KIMG):
        print(f"isofield: at {images / KIMG:g} kimg {ailment}", file=sys.stderr)
    if run:
        run.log(step=done, kimg=images / KIMG, **numbers)
    return {"kimg": images / KIMG, **{name: means[name] for name in ("generator", "critic") if name in means}}


def _save(contest: Contest, done: int, cost: Cost, sums: Sums, run: Run | None) -> None:
    tensors = contest.average.tensors()
    if bad := [name for name, value in tensors.items() if not torch.isfinite(value).all()]:
        raise IsofieldError(f"{bad[0]} holds no finite numbers at step {done}: {DIVERGED}")
    if run:
        spent = torch.tensor([cost.steps, cost.seconds, cost.cpu_seconds], dtype=torch.float64)
        run.save(done, contest.average.spec(), tensors, {**contest.state(), **sums.state(), "cost": spent})


def _stopped(interruption: Interruption, done: int, steps: int, run: Run | None) -> Exception:
    saved = f" and saved in {run.folder}; run the same command again to go on" if run else ""
    return interruption.error(f"stopped at step {done} of {steps}{saved}")


def _artist(contest: Contest, run: Run | None) -> Callable[[int], None]:
    """Draws samples/STEP.png of the average model."""
    if run is None:
        return lambda done: None
    cameras, labels = sides(contest)
    count = len(contest.lessons)
    real = contest.lessons.pictures(np.linspace(0, count - 1, SHOWN).astype(int))

    def draw(done: int) -> None:
        seeds = [contest.seed + k for k in range(SHOWN)]
        picture = sheet(contest.average, cameras, labels, seeds, contest.background, real)
        folder = run.folder / SAMPLES
        folder.mkdir(exist_ok=True)
        save_png(picture, folder / f"{done:08d}.png")
        if run.board:
            run.board.add_image(SAMPLES, picture, done, dataformats="HWC")

    return draw


def sides(contest: Contest) -> tuple[list[Camera], Tensor]:
    """Cameras of the set, as different in azimuth as can be, in the generator's world, with their labels."""
    labels = contest.lessons.labels
    azimuth = np.arctan2(labels[:, 3], labels[:, 11])
    wanted = np.deg2rad(35 + 360 / SIDES * np.arange(SIDES))
    off = np.abs((azimuth[None] - wanted[:, None] + np.pi) % (2 * np.pi) - np.pi)
    rise = np.arctan2(labels[:, 7], np.hypot(labels[:, 3], labels[:, 11]))
    indices = (off + np.abs(rise - np.deg2rad(15))).argmin(1)
    cameras = [contest.lessons.views.views[int(index)].camera for index in indices]
    poses = contest.lessons.labels[indices, :16].reshape(-1, 4, 4).astype(np.float64)
    scaled = [Camera(pose, c.intrinsics, c.width, c.height) for pose, c in zip(poses, cameras, strict=True)]
    return scaled, contest.labels[torch.as_tensor(indices, device=contest.device)]


def _report(run: Run, contest: Contest, cost: Cost) -> dict[str, Any]:
    images = cost.steps * contest.batch
    report = {
        "pictures": len(contest.lessons),
        "kimg": images / KIMG,
        **asdict(cost),
        "parameters": sum(parameter.numel() for parameter in contest.generator.parameters()),
        "critic_parameters": sum(parameter.numel() for parameter in contest.critic.parameters()),
        **health(contest.average, contest.labels, contest.background, contest.seed),
    }
    write_json(run.folder / "report.json", report)
    return report


def _memory(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return float(peak_memory() or 0)
