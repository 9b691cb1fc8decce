"""`isofield train auto-decoder`: a store of samples becomes a shape space."""

import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isofield.errors import InputError, IsofieldError
from isofield.fields.activations import Activation, Relu, Sine, Softplus
from isofield.fields.classes import ClassTable
from isofield.fields.decoder import ColorBranch, LatentDecoder
from isofield.fields.descriptors import Ngrams, text_model
from isofield.fields.encodings import Encoding, FourierFeatures, Identity, PositionalCode
from isofield.fields.mlp import MLP, deepsdf_decoder
from isofield.fields.space import Member, ShapeSpace
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
from isofield.tasks.choice import ACTIVATIONS, ENCODINGS
from isofield.tasks.fit import check_length, seeded, settled_length
from isofield.tasks.raw_shapes import sign_report, start_agnostic, unsigned_shapes
from isofield.tasks.results import size_of
from isofield.tasks.sample import read_table
from isofield.tasks.space_objectives import (
    SharedDistances,
    StoreData,
    deepsdf_recipe,
    seed_recipe,
    sign_agnostic_recipe,
)
from isofield.tasks.team import Team, follows
from isofield.tasks.training import Clock, Cost, Length, Training, train

BUDGET = 300.0  # seconds of a training that is told no length
SAMPLES = "samples"  # pictures of the shapes, made at every checkpoint
DRAWN, PIXELS = 64, 160  # resolution and size of a shape in a picture
NEAR, PROBES = 0.05, 20_000  # samples nearer than this to the surface measure a shape, out of so many
WAVE_RATE = 5e-4  # of networks of waves
HUES = 16  # numbers in a code of colour


@dataclass(frozen=True)
class Preset:
    """What a shape space is made of, and how it is trained."""

    encoding: Encoding
    activation: Activation
    width: int
    depth: int
    code: int
    recipe: SharedDistances
    modulated: bool = True

    def decoder(self, latent: int) -> LatentDecoder:
        """latent: numbers that the decoder is given: code and vector of the class."""
        inputs = self.encoding.width + latent * (not self.modulated)
        skip = () if self.modulated or inputs >= self.width or self.depth < 2 else (self.depth // 2,)
        coordinates = self.encoding.coordinates
        network = MLP(inputs, 1, self.width, self.depth, deepcopy(self.activation), skip=skip, coordinates=coordinates)
        return LatentDecoder(self.encoding, network, latent, self.modulated)


@dataclass(frozen=True)
class DeepSdf(Preset):
    """With weight norm, dropout and tanh, as published, where width and depth are its own."""

    def decoder(self, latent: int) -> LatentDecoder:
        spec = deepsdf_decoder(3 + latent).spec()
        skip = [self.depth // 2] if self.depth > 1 and 3 + latent < self.width else []
        network = MLP.restore({**spec, "width": self.width, "depth": self.depth, "skip": skip})
        return LatentDecoder(self.encoding, network, latent, self.modulated)


def preset(name: str) -> Preset:
    """default, deepsdf, seed or sal."""
    if name == "deepsdf":
        return DeepSdf(Identity(), Relu(), 512, 8, 256, deepsdf_recipe(), modulated=False)
    if name == "seed":
        return Preset(FourierFeatures(), Sine(), 256, 4, 256, seed_recipe())
    if name == "sal":
        return Preset(PositionalCode(5), Softplus(), 128, 4, 64, sign_agnostic_recipe())
    return Preset(PositionalCode(5), Relu(), 192, 4, 64, SharedDistances(), modulated=False)


def chosen(settings: TrainSpaceSettings, store: SampleStore) -> Preset:
    """The preset of the options, with the parts that they change; `sal` by default where distances have no sign."""
    base = preset(preset_name(settings, store))
    if settings.encoding is not None:
        base = replace(base, encoding=ENCODINGS[settings.encoding]())
    if settings.activation is not None:
        base = replace(base, activation=ACTIVATIONS[settings.activation]())
    sizes = {name: getattr(settings, name) for name in ("width", "depth", "code")}
    parts = {name: getattr(settings, name) for name in ("shapes", "points", "balance")}
    parts |= {"normal_weight": settings.normals, "eikonal_weight": settings.eikonal}
    if settings.activation in ("sine", "hosc"):
        parts |= {"rate": WAVE_RATE}
    recipe = replace(base.recipe, **{name: value for name, value in parts.items() if value is not None})
    return replace(base, recipe=recipe, **{name: value for name, value in sizes.items() if value is not None})


def preset_name(settings: TrainSpaceSettings, store: SampleStore) -> str:
    return "sal" if settings.preset == "default" and unsigned_shapes(store) else settings.preset


def run_train(settings: TrainSpaceSettings) -> dict[str, Any]:
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


def new_space(made: Preset, store: SampleStore, classes: ClassTable | None = None, color: str = "none") -> ShapeSpace:
    """The space of a preset for the shapes of a store, drawn from torch's global generator.

    color: none, plain or directed. Raises InputError where the store has no colours.
    """
    members = [Member(shape.name, shape.label, shape.frame) for shape in store.shapes]
    decoder = made.decoder(made.code + (classes.width if classes else 0))
    painter = None
    if color != "none":
        if bare := [shape.name for shape in store.shapes if "colors" not in shape.columns]:
            raise InputError("--color", f"{bare[0]} has no colours", "train without, or on coloured shapes alone")
        painter = ColorBranch(decoder.network.width, HUES, directed=color == "directed")
    return ShapeSpace(decoder, members, classes=classes, painter=painter)


def class_table(store: SampleStore, settings: TrainSpaceSettings) -> ClassTable | None:
    """What the options tell a decoder of the classes in a store; learned vectors are drawn from torch's generator.

    Raises InputError where a shape has no class, a class no description, or a text model cannot be loaded.
    """
    if settings.classes == "none":
        return None
    if bare := [shape.name for shape in store.shapes if shape.label is None]:
        raise InputError("--classes", f"{bare[0]} has none", "sample with --classes, or from a folder for each class")
    labels = sorted({str(shape.label) for shape in store.shapes})
    if settings.classes == "text":
        texts = _texts(labels, settings.descriptions)
        describe = text_model(settings.text_model) if settings.text_model else Ngrams()
        return ClassTable.described(labels, lambda label: describe(texts[label]))
    return ClassTable.one_hot(labels) if settings.classes == "one-hot" else ClassTable.embedded(labels)


def _texts(labels: list[str], descriptions: Path | None) -> dict[str, str]:
    """The name of each class, and its description where there is a file of them."""
    if descriptions is None:
        return {label: label for label in labels}
    given = read_table(descriptions)
    if missing := [label for label in labels if label not in given]:
        raise InputError(descriptions, f"does not describe {missing[0]}", "add a line for each class")
    return {label: f"{label}, {given[label]}" for label in labels}


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
        save_png(picture_of(still, names), run.folder / SAMPLES / f"{step:08d}.png")

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
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "steps": cost.steps,
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
