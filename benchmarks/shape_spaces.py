"""Shape spaces of five classes, on shapes they were not trained on: encodings, activations, normals, DeepSDF beside.

    python benchmarks/shape_spaces.py [--work FOLDER] [--seconds 30] [--only PATTERN] [--again]

A row is one space, trained by the command for about so many CPU-seconds of one core. Rows are run one by one and stored
as they finish; those that are there are left as they are unless --again. --only: a regular expression that the name
must match. Shapes, samples and runs are kept in the work folder, and what is there is used again.
"""

import argparse
import json
import re
import shutil
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from common import RESULTS, table, write_result
from isofield.cli import main as isofield
from isofield.errors import IsofieldError
from isofield.fields.codes.fit import Options, fit_code
from isofield.fields.codes.observations import Observations
from isofield.fields.codes.tune import tuned_decoder
from isofield.files import write_json
from isofield.frame import UnitFrame
from isofield.mesh.outer import boundary_mesh
from isofield.mesh.read import read_mesh, weld
from isofield.meshing.extract import extract
from isofield.metrics import distances
from isofield.metrics.clouds import chamfer_l1
from isofield.metrics.surface import Surface, both_ways
from isofield.runs import load_space
from isofield.samples.store import SampleStore
from isofield.settings.families import TrainSpaceSettings
from isofield.tasks.space_objectives import StoreData
from isofield.tasks.space_presets import chosen, new_space
from isofield.tasks.training import Length, Training

CLASSES = ("chairs", "lamps", "planes", "sofas", "tables")
TRAINED, HELD, FEWER, FEWEST = 44, 5, 2, 1  # shapes of each class: to train on; never seen; of these, to save time
SEED, COUNT, HELD_COUNT = 7, 100_000, 40_000  # of the shapes; samples of each
RESOLUTION, COARSE, SAMPLES, OBSERVED, TIMED = 128, 64, 30_000, 4096, 3
TITLE, WAY = "Shapes never seen", "On the way: the first held-out shape of each class"
COLUMNS = (
    "space", "parameters", "steps", "CPU-s", "shapes", "point_to_surface x1e3, mean", "median", "p95",
    "chamfer_l1 x1e3", "its floor", "normals", "no surface", "CPU-s a code", "evaluations a code",
    "trained, near, x1e3",
)  # fmt: skip


@dataclass(frozen=True)
class Space:
    """flags: of `isofield train auto-decoder`; times: T, how often; measured: shapes of each class."""

    name: str
    flags: dict[str, Any]
    times: float = 1.0
    measured: int = HELD


def spaces() -> list[Space]:
    deepsdf = {"preset": "deepsdf", "shapes": 16, "points": 64}
    found = [Space(f"default, {times} T", {}, times) for times in (1, 4, 10)]
    found += [
        Space(f"deepsdf, {times} T", deepsdf, times, count) for times, count in ((1, FEWEST), (3, FEWEST), (10, HELD))
    ]
    found += [Space("seed", {"preset": "seed", "shapes": 16, "points": 128})]
    for normals in (None, 0.01):
        for encoding in ("none", "fourier", "hash"):
            for activation in ("relu", "sine", "hosc"):
                flags = {"encoding": encoding, "activation": activation, "normals": normals}
                name = f"{activation}, {encoding}" + (", normals" if normals else "")
                found.append(Space(name, flags, measured=FEWER))
    return found


def prepare(work: Path) -> None:
    """Shapes and samples, by the commands."""
    for family in CLASSES:
        made = work / family
        if not (made / "manifest.json").exists():
            run("synthesize", family, "-n", TRAINED + HELD, "-o", made, "--seed", SEED)
        for part, numbers in (("train", range(TRAINED)), ("held", range(TRAINED, TRAINED + HELD))):
            (work / part / family).mkdir(parents=True, exist_ok=True)
            for name in (f"{family}_{number:05d}.ply" for number in numbers):
                if not (work / part / family / name).exists():
                    shutil.copy(made / name, work / part / family / name)
    if not (work / "store" / "manifest.json").exists():
        run("sample", work / "train", "-o", work / "store", "--count", COUNT)
    if not (work / "held-store" / "manifest.json").exists():
        run("sample", work / "held", "-o", work / "held-store", "--count", HELD_COUNT)


def run(*arguments: Any) -> None:
    if isofield([*map(str, arguments)]):
        raise SystemExit(f"isofield {arguments[0]} failed")


def trained(space: Space, work: Path, seconds: float, steps: int | None = None) -> dict[str, Any]:
    """The report of the run, which is made unless it is there; steps: in the place of so many seconds."""
    folder = folder_of(space, work)
    if not (folder / "report.json").exists():
        given = {key: value for key, value in space.flags.items() if value is not None}
        settings = replace(TrainSpaceSettings(work / "store", folder, steps=1, draw=0), **given)
        if (folder / "config.json").exists():
            steps = json.loads((folder / "config.json").read_text())["steps"]
        steps = steps or max(round(seconds * space.times / seconds_a_step(replace(settings, output=work))), 1)
        flags = [f"--{key}={value}" for key, value in given.items()]
        run("train", "auto-decoder", work / "store", "-o", folder, "--steps", steps, "--draw", 0, *flags)
    return {**json.loads((folder / "report.json").read_text()), "folder": folder}


def folder_of(space: Space, work: Path) -> Path:
    return work / "runs" / re.sub(r"\W+", "-", space.name)


@cache
def seconds_a_step(settings: TrainSpaceSettings) -> float:
    """Of one core; the quickest of some timings, since what else runs only adds to them."""
    store = SampleStore(settings.input)
    made = chosen(settings, store)
    with torch.random.fork_rng(devices=[]):
        trial = Training(deepcopy(new_space(made, store)), made.recipe, StoreData(store), Length.of_steps(1), 0)
        return min(trial.seconds_per_step(time.process_time) for _ in range(TIMED))


def measured(
    report: dict[str, Any], store: Path, count: int, thin: float = 0.0, tuning: int = 0
) -> list[dict[str, Any]]:
    """Of so many shapes of each class in a store: its code from samples, the mesh of that against the true one. thin:
    weight of the loss for thin parts; tuning: steps of the network itself after that.

    Kept beside the run."""
    how = (f"-thin-{thin:g}" if thin else "") + (f"-tuned-{tuning}" if tuning else "")
    kept = report["folder"] / f"{store.name}-{count}{how}.json"
    if not kept.exists():
        space, held = load_space(report["folder"]), SampleStore(store)
        write_json(kept, {"shapes": [one(space, held, number, thin, tuning) for number in first(held, count)]})
    return json.loads(kept.read_text())["shapes"]


def first(held: SampleStore, count: int) -> list[int]:
    """So many of each class."""
    classes: dict[str | None, list[int]] = {}
    for number, shape in enumerate(held.shapes):
        classes.setdefault(shape.label, []).append(number)
    return [number for numbers in classes.values() for number in numbers[:count]]


def one(space: Any, held: SampleStore, number: int, thin: float = 0.0, tuning: int = 0) -> dict[str, Any]:
    shape, rows = held.shapes[number], held.rows(number, 0, OBSERVED)
    begun = time.process_time()
    points, sdf = (torch.from_numpy(np.ascontiguousarray(rows[name])) for name in ("points", "sdf"))
    seen = Observations(points, sdf, points[:0])
    found = fit_code(space, seen, Options(thin=thin))
    if tuning:
        decoder, _ = tuned_decoder(space.decoder, space.latent(found.code, found.label), seen, tuning)
        space = deepcopy(space)
        space.decoder = decoder
    field = space.decode(found.code, found.label)
    row = {"name": shape.name, "label": found.label, "cpu": time.process_time() - begun}
    row |= {"evaluations": found.evaluations, "error": None}
    truth = Truth.of(shape.source, shape.frame)
    try:
        coarse = extract(field, COARSE)
        mesh = coarse.mesh if coarse.guard == "dense" else extract(field, RESOLUTION).mesh
    except IsofieldError:
        return row
    both = both_ways(Surface.of(mesh, UnitFrame(), "prediction"), truth.surface, SAMPLES, 0)
    return row | {
        "error": 1e3 * distances.point_to_surface(both),
        "chamfer": 1e3 * chamfer_l1(both.pred.points, both.truth.points),
        "floor": 1e3 * truth.floor,
        "normals": distances.normal_consistency(both),
    }


@dataclass(frozen=True)
class Truth:
    """A true surface in its unit frame, and the chamfer_l1 of two samplings of it."""

    surface: Surface
    floor: float

    @classmethod
    @cache
    def of(cls, source: str, frame: UnitFrame) -> "Truth":
        read = weld(boundary_mesh(read_mesh(Path(source))))
        mesh = trimesh.Trimesh(frame.to_unit(read.vertices), read.faces, process=False)
        real, other = Surface.reference(mesh, UnitFrame()), Surface.reference(mesh, UnitFrame())
        floor = both_ways(other, real, SAMPLES, 1)
        return cls(real, chamfer_l1(floor.pred.points, floor.truth.points))


def cells(space: Space, report: dict[str, Any], shapes: list[dict[str, Any]]) -> list[Any]:
    whole = [shape for shape in shapes if shape["error"] is not None]
    means = [average([shape[name] for shape in whole]) for name in ("chamfer", "floor", "normals")]
    errors = [shape["error"] for shape in whole]
    spread = [average(errors), average(errors, np.median), average(errors, partial(np.quantile, q=0.95))]
    codes = [float(np.median([shape[name] for shape in shapes])) for name in ("cpu", "evaluations")]
    return [
        space.name, report["parameters"], report["steps"], report["cpu_seconds"], len(shapes), *spread, *means,
        len(shapes) - len(whole), codes[0], round(codes[1]), 1e3 * report["sdf_error_near"],
    ]  # fmt: skip


def average(values: list[float], how: Callable = np.mean) -> float | None:
    return float(how(values)) if values else None


def stored() -> dict[str, list[Any]]:
    path = RESULTS / "shape_spaces.json"
    tables = json.loads(path.read_text())["tables"] if path.exists() else []
    return {row[0]: row for found in tables if found["title"] == TITLE for row in found["rows"]}


def keep(rows: dict[str, list[Any]], work: Path, seconds: float) -> None:
    order = [space for space in spaces() if space.name in rows]
    tables = [table(TITLE, COLUMNS, [rows[space.name] for space in order])]
    if way := [space for space in order if space.name.startswith(("default", "deepsdf"))]:
        tables.append(
            table(
                WAY,
                ["space", "step", "loss", *COLUMNS[5:7], "worst", "no surface"],
                [on_the_way(each, work) for each in way],
            )
        )
    write_result("shape_spaces", "Shape spaces", tables, notes(seconds))


def on_the_way(space: Space, work: Path) -> list[Any]:
    """The loss at the end of a training, the mean of four entries of its log, and errors of shapes never seen."""
    log = [json.loads(line) for line in (folder_of(space, work) / "log.jsonl").read_text().splitlines()]
    loss = float(np.mean([entry["loss"] for entry in log[-4:]]))
    shapes = measured({"folder": folder_of(space, work)}, work / "held-store", space.measured)
    few = [shape for number, shape in enumerate(shapes) if number % space.measured < FEWEST]
    errors = [shape["error"] for shape in few if shape["error"] is not None]
    spread = [average(errors), average(errors, np.median), average(errors, np.max)]
    return [space.name, log[-1]["step"], loss, *spread, len(few) - len(errors)]


def notes(seconds: float) -> list[str]:
    return [
        f"{TRAINED} shapes of each of {', '.join(CLASSES)} to train on; measured are others, never seen: "
        f"the code is found from {OBSERVED:,} samples of distances as `isofield reconstruct --thin 0` does; its mesh "
        f"at {RESOLUTION}^3 is compared with the true one, {SAMPLES:,} samples each way, in the unit frame. Where its "
        f"slopes are such that all of a lattice must be asked, the mesh is that at {COARSE}^3, and where that shows "
        "nothing there is no surface.",
        f"Each space was trained for about T = {seconds:g} CPU-seconds of one core, or as many times that as it says; "
        "the machine was shared, and steps were settled by the quickest of some timings. Parameters: with the codes of "
        "all trained shapes. Trained, near: mean error of the distance at samples nearer than 0.05 to trained shapes.",
        "default: octaves along the axes and ReLU. normals: weight 0.01. deepsdf: its network, losses and rates, in "
        "steps of 16 shapes of 64 samples: one of its own, 64 times 16,384, takes two minutes here, and steps of 64 "
        "times 64, four times as dear, had no surface after 3 T.",
        "A row that is missing has not been run yet; running the command again runs what is missing.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("shape-spaces"))
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepare(options.work)
    for space in spaces():
        if re.search(options.only, space.name) and (options.again or space.name not in stored()):
            report = trained(space, options.work, options.seconds)
            row = cells(space, report, measured(report, options.work / "held-store", space.measured))
            keep(stored() | {row[0]: row}, options.work, options.seconds)
            print(*row, flush=True)
    keep(stored(), options.work, options.seconds)


if __name__ == "__main__":
    main()
