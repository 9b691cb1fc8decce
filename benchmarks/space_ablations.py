"""What parts of a shape space's training bring: `python benchmarks/space_ablations.py TABLE [--work F]`.

outliers: shapes drawn by how badly they fit, or evenly, and codes found with and without the loss for thin parts;
others: the same, without the quarter, on ten other shapes of each class, by which nothing was chosen; --tuned adds
what tuning the network to each shape brings to the default's trainings;
classes: what the decoder is told of them. Each training has the steps of the row of shape_spaces.py that it is compared
with, whose shapes, samples and runs are used; what is in the work folder is not made again.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import table, write_result
from shape_spaces import CLASSES, FEWER, HELD, HELD_COUNT, Space, measured, prepare, run, spaces, trained

SECONDS = 30.0  # T of shape_spaces.py
SLATTED = ("slats", "ladder", "spindles", "cross")  # backs of chairs
WAYS = {
    "half of them by their loss": {},
    "a quarter of them by their loss": {"balance": 0.25},
    "drawn evenly": {"balance": 0.0},
}
THIN, TUNING = 5.0, 300  # weight of the loss for thin parts; steps of the network
CODINGS = (("without", 0.0, 0), ("with", THIN, 0), ("with, then the network tuned", THIN, TUNING))
FRESH, EACH = 20_261_122, 10  # seed of the other shapes, and how many of each class
TOLD = ("none", "one-hot", "learned", "text")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=("outliers", "others", "classes"))
    parser.add_argument("--work", type=Path, default=Path("shape-spaces"))
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each kind in the tables of outliers")
    parser.add_argument("--tuned", action="store_true", help="tune the network, too; half an hour more")
    parser.add_argument("--steps", type=int, help="of a training, where none is there to take them from")
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepare(options.work)
    if options.table == "classes":
        classes(options.work, options.steps)
    else:
        outliers(options.work, options.seeds, options.steps, fresh=options.table == "others", tuned=options.tuned)


def outliers(work: Path, seeds: int, steps: int | None, fresh: bool, tuned: bool) -> None:
    if fresh:
        prepare_others(work)
    ways = {name: flags for name, flags in WAYS.items() if not fresh or "quarter" not in name}
    store, made, count = ("other-store", work / "other", EACH) if fresh else ("held-store", work, HELD)
    groups, parts = ("never seen", "thin ones of these", "trained"), ("mean", "median", "p95", "mean / median - 1")
    columns = ["shapes of a step", "loss for thin parts", "seed", "CPU-s"]
    columns += [f"{group}: {part}" for group in groups for part in parts]
    errors: dict[tuple[str, str], list[list[np.ndarray]]] = {}
    rows = []
    for seed, (name, flags), (coding, thin, tuning) in product(range(seeds), ways.items(), CODINGS):
        if tuning and (flags or not tuned):
            continue  # of the default's trainings, for its costs
        way = name, coding
        seeded = flags | ({"seed": seed} if seed else {})
        report = trained_as(work, "default, 4 T", f"{name}, {seed}", seeded, steps)
        shapes = measured(report, work / store, count, thin, tuning)
        slender = [shape for shape in shapes if is_thin(made, shape["name"])]
        trained_on = 1e3 * np.array(list(report["shapes"].values()))
        errors.setdefault(way, []).append([values(shapes), values(slender), trained_on])
        rows.append([*way, str(seed), report["cpu_seconds"], *summaries(errors[way][-1])])
        print(*rows[-1], flush=True)
    for way, found in errors.items() if seeds > 1 else ():
        together = [np.concatenate(group) for group in zip(*found, strict=True)]
        rows.append([*way, "all", None, *summaries(together)])
    notes = [
        f"The default preset, {report['steps']:,} steps, on the shapes of the table of shape spaces; {len(shapes)} "
        "never seen: point_to_surface x1e3. Trained: mean error x1e3 of the distance at samples nearer than 0.05.",
        f"Thin: lamps, and chairs with a back of slats, spindles or rungs; {len(slender)} of those never seen. all: "
        "the errors of all trainings taken together. The loss for thin parts (`isofield reconstruct --thin "
        f"{THIN:g}`) is of samples near the surface on its wrong side, when codes of shapes never seen are found.",
    ]
    if tuned:
        notes.append(f"The network tuned: `isofield reconstruct --finetune {TUNING}`.")
    if fresh:
        name, title = "space_outliers_others", "Shapes that a space neglects, tried on others"
        notes.append("Those never seen were made by a seed of their own, after everything else had been chosen.")
    else:
        name, title = "space_outliers", "Shapes that a space neglects"
    write_result(name, title, [table("Outliers", columns, rows)], notes)


def prepare_others(work: Path) -> None:
    """Shapes of all classes that neither a training nor a choice has met, and their samples."""
    for family in CLASSES:
        if not (work / "other" / family / "manifest.json").exists():
            run("synthesize", family, "-n", EACH, "-o", work / "other" / family, "--seed", FRESH)
    if not (work / "other-store" / "manifest.json").exists():
        run("sample", work / "other", "-o", work / "other-store", "--count", HELD_COUNT)


def classes(work: Path, steps: int | None) -> None:
    columns = ["classes", "parameters", "CPU-s", "point_to_surface x1e3, mean", "median", "p95", "mean / median - 1"]
    columns, rows = [*columns, "class told right", "evaluations a code"], []
    for told in TOLD:
        flags = {} if told == "none" else {"classes": told}
        report = trained_as(work, "default, 1 T", f"classes {told}", flags, steps)
        shapes = measured(report, work / "held-store", FEWER)
        right = float(np.mean([shape["name"].startswith(str(shape["label"])) for shape in shapes]))
        cost = round(float(np.median([shape["evaluations"] for shape in shapes])))
        rows.append([told, report["parameters"], report["cpu_seconds"], *summary(values(shapes)), right, cost])
        print(*rows[-1], flush=True)
    notes = [
        f"The default preset, {report['steps']:,} steps, one decoder for five classes; {len(shapes)} shapes never "
        "seen. Their class is not given: it is the one whose code explains the samples best, under the Gaussian of "
        "the trained codes of that class.",
    ]
    write_result("space_classes", "Classes of shape spaces", [table("Classes", columns, rows)], notes)


def trained_as(work: Path, base: str, name: str, flags: dict[str, Any], steps: int | None) -> dict[str, Any]:
    """The report of a training with as many steps as the base; without flags that of the base."""
    known = {space.name: space for space in spaces()}[base]
    begun = trained(known, work, SECONDS, steps)
    return trained(Space(f"{base}, {name}", flags), work, SECONDS, begun["steps"]) if flags else begun


def values(shapes: list[dict[str, Any]]) -> np.ndarray:
    return np.array([shape["error"] for shape in shapes if shape["error"] is not None])


def summaries(groups: list[np.ndarray]) -> list[float]:
    return [part for group in groups for part in summary(group)]


def summary(errors: np.ndarray) -> list[float]:
    """Mean, median, p95, mean / median - 1."""
    median = float(np.median(errors))
    return [float(errors.mean()), median, float(np.quantile(errors, 0.95)), float(errors.mean()) / median - 1]


def is_thin(work: Path, name: str) -> bool:
    """By what made it: NAME is CLASS-CLASS_00044."""
    family, stem = name.split("-")
    parameters = json.loads((work / family / f"{stem}.json").read_text())["parameters"]
    return family == "lamps" or parameters.get("back") in SLATTED


if __name__ == "__main__":
    main()
