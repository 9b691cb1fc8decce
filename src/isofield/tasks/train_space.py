"""`isofield train auto-decoder`: a store of samples becomes a shape space (DeepSDF, Park et al. 2019)."""

import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from isofield.errors import InputError, IsofieldError
from isofield.fields.space import ShapeSpace
from isofield.files import sha256, write_json
from isofield.interrupt import interruptible
from isofield.meshing.extract import extract
from isofield.progress import progress
from isofield.render.pictures import save_png
from isofield.render.sheet import contact_sheet
from isofield.runs import Run, list_checkpoints, open_run
from isofield.samples.store import MANIFEST, SampleStore
from isofield.settings.common import config_of
from isofield.settings.families import TrainSpaceSettings
from isofield.tasks.board import on_board
from isofield.tasks.fit import check_length, seeded, settled_length
from isofield.tasks.raw_shapes import sign_report, start_agnostic, unsigned_shapes
from isofield.tasks.results import size_of
from isofield.tasks.space_objectives import (
    SharedDistances,
    StoreData,
)
from isofield.tasks.space_presets import chosen, class_table, new_space, preset_name
from isofield.tasks.team import Team, follows
from isofield.tasks.training import Clock, Cost, Length, Training, train

BUDGET = 300.0  # seconds of a training that is told no length
SAMPLES = "samples"  # pictures of the shapes, made at every checkpoint
DRAWN, PIXELS = 64, 160  # resolution and size of a shape in a picture
NEAR, PROBES = 0.05, 4_000  # samples nearer than this to the surface measure a shape, out of so many


def run_train_space(settings: TrainSpaceSettings) -> dict[str, Any]:
    """Write the run folder, return what report.json holds. Raises InputError, IsofieldError, Interrupted."""
    store = SampleStore(settings.input)
    if settings.processes > 1:
        _check_processes(settings, store)
        if follows():
            return _follow(settings, store)
    check_length(settings)
    config = {**config_of(settings), "input": settings.input.name, "input_sha256": sha256(store.folder / MANIFEST)}
    del config["draw"]
    if settings.descriptions is not None:
        config["descriptions"] = sha256(settings.descriptions)
    made = chosen(settings, store)
    with open_run(settings.output, config, restart=settings.restart) as run:
        if settings.restart:
            shutil.rmtree(run.folder / SAMPLES, ignore_errors=True)
        if run.config["steps"] is None and run.config["budget"] is None:
            run.settle(budget=BUDGET)
        with seeded(settings.seed):
            space = new_space(made, store, class_table(store, settings), settings.color)
        if unsigned_shapes(store) and not list_checkpoints(run.folder):
            start_agnostic(space, store, settings.seed)
        steps, budget = run.config["steps"], run.config["budget"] or BUDGET
        team = Team.launch(settings.processes, settings.device, settings.precision)
        with on_board(run, settings.tensorboard):
            cost = train_space(
                space, store, made.recipe, steps=steps, budget=budget, seed=settings.seed, run=run, silent=False,
                draw=settings.draw, team=team,
            )  # fmt: skip
        return _report(run, space, store, cost, settings)


def _check_processes(settings: TrainSpaceSettings, store: SampleStore) -> None:
    most = min(chosen(settings, store).recipe.shapes, len(store))
    if settings.processes > most:
        fault = f"{settings.processes} are more than the {most} shapes of a step"
        raise InputError("--processes", fault, f"give at most {most}")


def _follow(settings: TrainSpaceSettings, store: SampleStore) -> dict[str, Any]:
    """What the other processes do; where training ends early, the leading one says why."""
    made = chosen(settings, store)
    with seeded(settings.seed):
        space = new_space(made, store, class_table(store, settings), settings.color)
    team = Team.launch(settings.processes, settings.device, settings.precision)
    with suppress(IsofieldError):
        train_space(space, store, made.recipe, seed=settings.seed, team=team)
    raise SystemExit(0)


def train_space(
    space: ShapeSpace,
    store: SampleStore,
    objective: SharedDistances | None = None,
    *,
    steps: int | None = None,
    budget: float = BUDGET,
    seed: int = 0,
    run: Run | None = None,
    silent: bool = True,
    draw: int = 0,
    team: Team | None = None,
) -> Cost:
    """Train a space on a store, in place: decoder and codes together; leaves it ready for use.

    steps: exact length; else `budget` seconds are turned into steps by timing a few. run: where to log and save, and
    from where to go on. draw: of how many shapes a picture is made at every checkpoint of the run. team: the processes
    that train together; run and length are those of the one that leads. Raises IsofieldError if training diverges,
    Interrupted after Ctrl-C.
    """
    team = team or Team()
    objective, data = objective or SharedDistances(), StoreData(store, team)
    space.to(team.device)
    with torch.random.fork_rng(devices=[]):
        steps, budget, length = team.told((steps, budget, settled_length(run, steps, budget)))
        length = length or team.told(_length(space, objective, data, steps, budget))
        if run:
            run.settle(settled=vars(length))
        checkpoint = run.latest() if run else None
        state = team.told(checkpoint.state if checkpoint else None)
        before = Cost.restore(state) if state else Cost()
        clock, training = Clock(before, team), Training(space, objective, data, length, seed, team)
        training.restore(state or team.told(training.state(before)))
        pictures = _artist(space, run, draw) if run and draw else None
        with progress("train", length.steps, silent=silent) as advance, interruptible() as interruption:
            cost = train(training, clock, run, interruption, advance, pictures)
    space.cpu().eval().requires_grad_(False)
    return cost


def _length(space: ShapeSpace, objective: SharedDistances, data: StoreData, steps: int | None, budget: float) -> Length:
    if steps:
        return Length.of_steps(steps)
    trial = Training(deepcopy(space), objective, data, Length.of_steps(1), 0, data.team)
    return Length.of_steps(max(1, round(budget / trial.seconds_per_step(time.perf_counter))))


def _artist(space: ShapeSpace, run: Run, count: int) -> Callable[[int], None]:
    """Makes SAMPLES/STEP.png of shapes spread over the store."""

    def draw(step: int) -> None:
        still = ShapeSpace.restore(space.spec(), space.tensors())
        names = [still.names[i] for i in np.linspace(0, len(still) - 1, min(count, len(still))).round().astype(int)]
        picture = picture_of(still, names)
        save_png(picture, run.folder / SAMPLES / f"{step:08d}.png")
        if run.board:
            run.board.add_image(SAMPLES, picture, step, dataformats="HWC")

    return draw


def picture_of(space: ShapeSpace, names: list[str], resolution: int = DRAWN) -> np.ndarray:
    """Shapes of the space, each from two sides; those that have no surface yet are left out."""
    meshes = []
    for name in names:
        with suppress(IsofieldError):
            meshes.append(extract(space.field(name), resolution).mesh)
    if not meshes:
        return np.full((PIXELS, PIXELS, 3), 255, np.uint8)
    return contact_sheet(meshes, ((35.0, 15.0), (215.0, 15.0)), PIXELS)


def _report(
    run: Run, space: ShapeSpace, store: SampleStore, cost: Cost, settings: TrainSpaceSettings
) -> dict[str, Any]:
    errors = near_errors(space, store)
    worst = max(errors, key=lambda name: errors[name])
    values = np.array(list(errors.values()))
    report = {
        "input": str(settings.input),
        "preset": preset_name(settings, store),
        "count": len(store),
        "sdf_error_near": float(values.mean()),
        "sdf_error_near_median": float(np.median(values)),
        "sdf_error_near_95": float(np.quantile(values, 0.95)),
        "worst": worst,
        **size_of(run.folder, space),
        **asdict(cost),
        **sign_report(space, store),
        "shapes": errors,
    }
    if failed := report.get("signs_failed"):
        some = ", ".join(failed[:3])
        warnings.warn(f"{len(failed)} shapes found no inside ({some}): more --steps, or leave them out", stacklevel=2)
    write_json(run.folder / "report.json", report)
    return report


@torch.no_grad()
def near_errors(space: ShapeSpace, store: SampleStore) -> dict[str, float]:
    """Of each shape the mean absolute error of the distance at its samples nearer than 0.05 to the surface; where it
    has no sign, of its absolute value."""
    errors = {}
    for number, shape in enumerate(store.shapes):
        rows = store.rows(number, 0, min(PROBES, shape.count))
        near = np.abs(rows["sdf"]) < NEAR
        found = space.field(shape.name).sdf(torch.from_numpy(rows["points"][near])).numpy()
        found = found if shape.signed else np.abs(found)
        errors[shape.name] = float(np.abs(found - rows["sdf"][near]).mean()) if near.any() else 0.0
    return errors
