"""What parts of a shape space's training bring: `python benchmarks/space_ablations.py TABLE [--work F]`.

outliers: shapes drawn by how badly they fit, or evenly, and codes found with and without the loss for thin parts;
classes: what the decoder is told of them. Each training has
the steps of the row of shape_spaces.py that it is compared with, whose shapes, samples and runs are used; what is in
the work folder is not made again.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import table, write_result
from shape_spaces import FEWER, HELD, Space, measured, spaces, trained

SECONDS = 30.0  # T of shape_spaces.py
SLATTED = ("slats", "ladder", "spindles", "cross")  # backs of chairs
WAYS = {
    "half of them by their loss": {},
    "a quarter of them by their loss": {"balance": 0.25},
    "drawn evenly": {"balance": 0.0},
}
THIN = 5.0  # weight of the loss for thin parts
TOLD = ("none", "one-hot", "learned", "text")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=("outliers", "classes"))
    parser.add_argument("--work", type=Path, default=Path("shape-spaces"))
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each kind in the table of outliers")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.table == "outliers":
        outliers(options.work, options.seeds)
    else:
        classes(options.work)


def outliers(work: Path, seeds: int) -> None:
    groups, parts = ("never seen", "thin ones of these", "trained"), ("mean", "median", "p95", "mean / median - 1")
    columns = ["shapes of a step", "loss for thin parts", "seed", "CPU-s"]
    columns += [f"{group}: {part}" for group in groups for part in parts]
    errors: dict[tuple[str, str], list[list[np.ndarray]]] = {}
    rows = []
    for seed, (name, flags), weight in product(range(seeds), WAYS.items(), (0.0, THIN)):
        way = name, "with" if weight else "without"
        seeded = flags | ({"seed": seed} if seed else {})
        report, shapes = varied(work, "default, 4 T", f"{name}, {seed}", seeded, HELD, weight)
        thin = [shape for shape in shapes if is_thin(work, shape["name"])]
        trained_on = 1e3 * np.array(list(report["shapes"].values()))
        errors.setdefault(way, []).append([values(shapes), values(thin), trained_on])
        rows.append([*way, str(seed), report["cpu_seconds"], *summaries(errors[way][-1])])
        print(*rows[-1], flush=True)
    for way, found in errors.items() if seeds > 1 else ():
        together = [np.concatenate(group) for group in zip(*found, strict=True)]
        rows.append([*way, "all", None, *summaries(together)])
    notes = [
        f"The default preset, {report['steps']:,} steps, on the shapes of the table of shape spaces; {len(shapes)} "
        "never seen: point_to_surface x1e3. Trained: mean error x1e3 of the distance at samples nearer than 0.05.",
        f"Thin: lamps, and chairs with a back of slats, spindles or rungs; {len(thin)} of those never seen. all: the "
        "errors of all trainings taken together. The loss for thin parts (`isofield reconstruct --thin "
        f"{THIN:g}`) is of samples near the surface on its wrong side, when codes of shapes never seen are found.",
    ]
    write_result("space_outliers", "Shapes that a space neglects", [table("Outliers", columns, rows)], notes)


def classes(work: Path) -> None:
    columns = ["classes", "parameters", "CPU-s", "point_to_surface x1e3, mean", "median", "p95", "mean / median - 1"]
    columns, rows = [*columns, "class told right", "evaluations a code"], []
    for told in TOLD:
        flags = {} if told == "none" else {"classes": told}
        report, shapes = varied(work, "default, 1 T", f"classes {told}", flags, FEWER)
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


def varied(
    work: Path, base: str, name: str, flags: dict[str, Any], count: int, thin: float = 0.0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report of a training with as many steps as the base, and so many held-out shapes of each class; without flags
    those of the base. thin: see `measured`."""
    known = {space.name: space for space in spaces()}[base]
    space = Space(f"{base}, {name}", flags) if flags else known
    begun = trained(known, work, SECONDS)
    report = trained(space, work, SECONDS, begun["steps"]) if flags else begun
    return report, measured(report, work / "held-store", count, thin)


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
