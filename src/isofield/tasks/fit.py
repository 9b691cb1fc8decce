"""`isofield fit`: a mesh becomes a field, the field a mesh again, and the two are measured against each other."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from isofield.cloud.read import looks_like_cloud
from isofield.errors import InputError
from isofield.fields.exact import ExactField
from isofield.fields.field import Field
from isofield.fields.grid import SparseGrid
from isofield.fields.neural import NeuralField, default_color, default_field
from isofield.files import sha256
from isofield.frame import UnitFrame
from isofield.interrupt import interruptible
from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.color import color_kind
from isofield.mesh.enclosure import sides
from isofield.mesh.read import read_mesh
from isofield.progress import progress
from isofield.runs import Run, open_run, read_config
from isofield.settings.common import BUDGET, config_of
from isofield.settings.families import TrainSpaceSettings
from isofield.settings.shapes import FitSettings
from isofield.tasks.choice import network, recipe, why
from isofield.tasks.objectives import Distances, Objective, TrainingData
from isofield.tasks.results import write_results
from isofield.tasks.sal import SignAgnostic, check_sign, sign_agnostic_start, sign_test, surface_frame
from isofield.tasks.training import Clock, Cost, Length, Training, train
from isofield.views.read import is_views

MESH_METHODS = ("learned", "grid", "exact", "sal")
INSIDE_PROBES, INSIDE_STEP = 2_000, 1e-4  # surface points that are asked for an inside, how far beside it (unit frame)
SIGN_PROBES = 10_000  # surface points at which the sides of a sign-agnostic field are tested


@dataclass(frozen=True)
class Fitted:
    """field: as it is stored, hash tables rounded to float16; cost: of sampling and training."""

    field: NeuralField
    cost: Cost


def fit(
    mesh: trimesh.Trimesh,
    field: NeuralField | None = None,
    objective: Objective | None = None,
    *,
    steps: int | None = None,
    budget: float = BUDGET,
    seed: int = 0,
    run: Run | None = None,
    silent: bool = True,
) -> Fitted:
    """Fit a neural field to the exact distances (and colours) of a mesh, in any units and anywhere in space.

    field: what to train, in place; by default a hash grid before a small network, and a colour head if the mesh has
    colour. steps: exact length; else `budget` seconds are turned into steps by timing a few. run: where to log and
    save, and from where to go on. Raises IsofieldError if training diverges, Interrupted after Ctrl-C.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        objective = objective or Distances()
        field = field or default_field(colored=color_kind(mesh) != "none")
        field.frame = surface_frame(mesh)
        length = settled_length(run, steps, budget) or (
            Length.of_steps(steps) if steps else Length.affordable(mesh, field, objective, budget)
        )
        if run:
            run.settle(settled=vars(length))
        cost = _fit(mesh, field, objective, length, seed, run, silent)
        return Fitted(NeuralField.restore(field.spec(), field.tensors()), cost)


def _fit(
    mesh: trimesh.Trimesh,
    field: NeuralField,
    objective: Objective,
    length: Length,
    seed: int,
    run: Run | None,
    silent: bool,
) -> Cost:
    """Sample, go on from the run's newest checkpoint if there is one, and train."""
    checkpoint = run.latest() if run else None
    before = Cost.restore(checkpoint.state) if checkpoint else Cost()
    if checkpoint and before.steps >= length.steps:
        field.load_state_dict({name: value.float() for name, value in checkpoint.tensors.items()})
        return before
    clock = Clock(before)
    data = TrainingData(objective.samples(mesh, length.samples, seed), next(field.parameters()).device)
    training = Training(field, objective, data, length, seed)
    if checkpoint:
        training.restore(checkpoint.state)
    with progress("fit", length.steps, silent=silent) as advance, interruptible() as interruption:
        return train(training, clock, run, interruption, advance)


def settled_length(run: Run | None, steps: int | None, budget: float) -> Length | None:
    """The length that an earlier call of the run settled, grown if steps or budget did; None at the beginning."""
    if run is None or "settled" not in run.config:
        return None
    try:
        before = Length.restore(run.config["settled"])
    except (TypeError, KeyError, ValueError):
        raise InputError(run.folder / "config.json", "settled is no length", "begin anew with --restart") from None
    old = (run.previous or {}).get("budget")
    grown = round(before.steps * budget / old) if old and steps is None else before.steps
    return before.grown(steps or grown)


def run_fit(settings: FitSettings) -> dict[str, Any]:
    """Write the run folder, return what report.json holds. Raises InputError, IsofieldError, Interrupted."""
    if looks_like_cloud(settings.input):
        from isofield.tasks.fit_cloud import run_fit_cloud

        check_length(settings)
        return run_fit_cloud(settings)
    if is_views(settings.input):
        from isofield.tasks.fit_views import run_fit_views

        check_length(settings)
        return run_fit_views(settings)
    _check_method(settings)
    mesh = read_mesh(settings.input)
    _check_surface(mesh, settings.input)
    if settings.method != "sal":
        _check_inside(mesh, settings.input)
    check_length(settings)
    colored = color_kind(mesh) != "none"
    choice = why(settings, colored)
    config = {**config_of(settings), "input": settings.input.name, "input_sha256": sha256(settings.input)}
    with open_run(settings.output, config, length=("steps", "budget"), restart=settings.restart) as run:
        print(f"isofield: {choice}", file=sys.stderr)
        field: Field
        if settings.method in ("learned", "sal"):
            field, cost = _learned(mesh, settings, run, colored)
        else:
            field, cost = _computed(mesh, settings, run)
        facts = {"input": str(settings.input), "class": settings.class_name, "choice": choice}
        return write_results(run.folder, mesh, field, cost, settings.resolution, settings.seed, facts)


def _check_method(settings: FitSettings) -> None:
    if settings.method not in MESH_METHODS:
        fault = f"{settings.method} needs points, and {settings.input} has triangles"
        raise InputError("--method", fault, f"choose one of {', '.join(MESH_METHODS)}")
    if settings.close:
        raise InputError("--close", f"is about points, and {settings.input} has triangles", "leave it out")


def _check_surface(mesh: trimesh.Trimesh, path: Path) -> None:
    a, b, c = np.moveaxis(UnitFrame.of(mesh.vertices).to_unit(mesh.vertices)[mesh.faces], 1, 0)
    if not np.cross(b - a, c - a).any():
        raise InputError(path, "none of its triangles has an area", "give a mesh with a surface")


def _check_inside(mesh: trimesh.Trimesh, path: Path) -> None:
    """InputError for an open sheet: no field that is learned or computed from it has an inside to extract."""
    bare = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    surface = ExactField.of(bare).mesh_distance
    points, face = sample_surface(trimesh.Trimesh(surface.vertices, surface.faces, process=False), INSIDE_PROBES, 0)
    normals = face_normals(surface.vertices, surface.faces)[face]
    if not sides(surface, points, normals, INSIDE_STEP).encloses.any():
        fault = "is an open sheet: nothing lies inside it"
        raise InputError(path, fault, "build a wall around it with isofield repair --thickness T")


def check_length(settings: FitSettings | TrainSpaceSettings) -> None:
    """What the run in the output folder settled may only grow, and in the unit that it was begun with."""
    if settings.restart or not (settings.output / "config.json").exists():
        return
    before = read_config(settings.output)
    settled = max((before.get("settled") or {}).get("ends", []), default=None)
    if settings.steps and settled and settings.steps < settled:
        fault = f"this run was begun with other settings: steps {settled} -> {settings.steps} (may only grow)"
        raise InputError(settings.output, fault, f"give --steps {settled} or more, or begin anew with --restart")
    if settings.budget != before.get("budget") and settings.budget and before.get("steps"):
        raise InputError(
            "--budget", f"this run has {before['steps']} steps", "give --steps, or begin anew with --restart"
        )


def _learned(mesh: trimesh.Trimesh, settings: FitSettings, run: Run, colored: bool) -> tuple[Field, Cost]:
    if run.config["steps"] is None and run.config["budget"] is None:
        run.settle(budget=BUDGET)
    sided = settings.method == "learned"
    with seeded(settings.seed):
        color = default_color() if colored else None
        field = network(settings, colored) if sided else sign_agnostic_start(mesh, color, settings.seed)
    objective: Objective = recipe(settings) if sided else SignAgnostic()
    steps, budget = run.config["steps"], run.config["budget"] or BUDGET
    fitted = fit(mesh, field, objective, steps=steps, budget=budget, seed=settings.seed, run=run, silent=False)
    if not sided:
        surface = sample_surface(mesh, SIGN_PROBES, settings.seed)[0]
        check_sign(sign_test(fitted.field, fitted.field.frame.to_unit(surface)), str(settings.input))
    return fitted.field, fitted.cost


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's global generator starts from the seed in the block, and goes on as before after it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _computed(mesh: trimesh.Trimesh, settings: FitSettings, run: Run) -> tuple[Field, Cost]:
    """The exact distance, as it is or baked into a grid of the resolution that is extracted."""
    clock = Clock(Cost())
    field: ExactField | SparseGrid = ExactField.of(mesh)
    if settings.method == "grid":
        field = SparseGrid.bake(field, settings.resolution)
    run.save(0, field.spec(), field.tensors())
    return field, clock.read(0)
