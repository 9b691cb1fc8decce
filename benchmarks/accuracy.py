"""Accuracy at equal cost: learned fields against the exact distance, on one lattice, after 60 CPU-seconds each.

    python benchmarks/accuracy.py [--seconds 60] [--shapes 8] [--jobs 2]

Every job runs on one thread, so CPU-seconds are seconds of one core. The plain hash grid, SIREN and DeepSDF run on the
first three shapes.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import trimesh
from joblib import Parallel, delayed
from torch import Tensor

from common import ROOT, table, write_result
from isofield.errors import IsofieldError
from isofield.fields.encodings import Identity
from isofield.fields.exact import ExactField
from isofield.fields.field import Field
from isofield.fields.grid import SparseGrid
from isofield.fields.hash_grid import HashGrid, look_up
from isofield.fields.mlp import deepsdf_decoder, siren_decoder
from isofield.fields.neural import NeuralField, default_field
from isofield.mesh.audit import audit_file
from isofield.mesh.color import color_kind
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.meshing.extract import extract
from isofield.metrics import distances
from isofield.metrics.evaluate import evaluate_field
from isofield.metrics.ghosts import ghost_components
from isofield.metrics.surface import Surface, both_ways, referenced_frame
from isofield.tasks.fit import fit
from isofield.tasks.objectives import Distances, Objective, OrientedPoints, deepsdf_distances
from isofield.tasks.training import Length

SHARED = ROOT.parent / "shared" / "data"
NAMES = (
    "classic/koala_low_resolution.obj",
    "scans/Schleich_Lion_Action_Figure.glb",
    "classic/featuretype.STL",
    "classic/nefertiti-lowres.ply",
    "classic/skull_low_resolution.obj",
    "scans/Dino_3.glb",
    "classic/penguin.obj",
    "scans/ycb_003_cracker_box.glb",
    "classic/boat.ply",
    "scans/Cole_Hardware_Hammer_Black/model.obj",
)
BUNDLED = ("lion.glb", "rhino.glb", "featuretype.stl", "octagonal_pocket.ply", "penguin.obj", "spot.obj", "torus.obj")
RESOLUTION = 256
SAMPLES = 100_000


class PlainHashGrid(HashGrid):
    """The hash grid by its plain PyTorch twin, for comparison."""

    def forward(self, points: Tensor) -> Tensor:
        return look_up(points * 0.5 + 0.5, self.table, self.layout)


@dataclass(frozen=True)
class Method:
    """field and objective as functions without arguments, since each job makes its own; field gets `colored`."""

    name: str
    field: Callable[[bool], NeuralField]
    objective: Callable[[], Objective] = Distances
    resolution: int = RESOLUTION
    shapes: int = 100


METHODS = (
    Method("learned (default)", default_field),
    Method("compact (<= 200 kB)", lambda _: NeuralField(HashGrid(log2_entries=13))),
    Method("hash grid, plain PyTorch", lambda _: NeuralField(PlainHashGrid()), shapes=3),
    Method("SIREN and its recipe", lambda _: NeuralField(Identity(), network=siren_decoder()), OrientedPoints, 256, 3),
    Method(
        "DeepSDF and its recipe",
        lambda colored: NeuralField(Identity(), network=deepsdf_decoder(3)),
        deepsdf_distances,
        resolution=128,  # it answers 25,000 points a second
        shapes=3,
    ),
)  # fmt: skip
COMPUTED: dict[str, Callable[[trimesh.Trimesh], ExactField | SparseGrid]] = {
    "exact distance": ExactField.of,
    "sparse grid, 256": lambda mesh: SparseGrid.bake(ExactField.of(mesh), 256),
}
COMPUTED_SHAPES = {"exact distance": 100, "sparse grid, 256": 100}
COLUMNS = (
    "shape", "point_to_surface x1e3", "times exact", "normal consistency", "below exact", "ghosts", "closed, manifold",
    "near error x1e3", "eikonal", "kB", "steps", "CPU-s",
)  # fmt: skip


def paths(count: int) -> list[Path]:
    found = [SHARED / name for name in NAMES if (SHARED / name).exists()]
    return (found or [ROOT / "src/isofield/data" / name for name in BUNDLED])[:count]


class Shifted(Field):
    """A field whose box is moved by a random fraction of a lattice cell along each axis, and so its lattice."""

    def __init__(self, field: Field, resolution: int, seed: int):
        self.field, self.frame, self.lipschitz = field, field.frame, field.lipschitz
        low, high = np.array(field.bounds)
        cell = (high - low).max() / (resolution - 1)
        offset = (np.random.default_rng(seed).uniform(0, 1, 3) - 1) * cell
        self.bounds = (tuple((low + offset).tolist()), tuple((high + offset).tolist()))

    def sdf(self, points: Tensor) -> Tensor:
        return self.field.sdf(points)


def measured(field: Field, path: Path, resolution: int) -> dict[str, Any]:
    mesh = read_mesh(path)
    errors = evaluate_field(field, mesh)
    frame = referenced_frame(mesh, "truth")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mesh.ply"
        write_mesh(extract(Shifted(field, resolution, 1), resolution).mesh, file)
        verdict = audit_file(file)
        pred, truth = Surface.of(read_mesh(file), frame, "prediction"), Surface.reference(mesh, frame)
    both = both_ways(pred, truth, SAMPLES, 0)
    return {
        "p2s": distances.point_to_surface(both),
        "nc": distances.normal_consistency(both),
        "ghosts": ghost_components(pred, truth, both.pred),
        "closed": verdict.watertight and verdict.manifold,
        "near": errors["sdf_error_near"],
        "eikonal": errors["eikonal_error"],
    }


def learned_row(number: int, path: Path, seconds: float) -> dict[str, Any]:
    torch.set_num_threads(1)
    method = METHODS[number]
    mesh = read_mesh(path)
    torch.manual_seed(0)
    field, objective = method.field(color_kind(mesh) != "none"), method.objective()
    field.frame = referenced_frame(mesh, "truth")
    length = Length.affordable(mesh, field, objective, seconds, clock=time.process_time)
    fitted = fit(mesh, field, objective, steps=length.steps)
    size = sum(tensor.numel() * tensor.element_size() for tensor in fitted.field.tensors().values())
    cost = {"bytes": size, "steps": length.steps, "cpu": fitted.cost.cpu_seconds}
    try:
        return measured(fitted.field, path, method.resolution) | cost
    except IsofieldError as error:  # no surface: a result too
        print(error, flush=True)
        return dict.fromkeys(("p2s", "nc", "ghosts", "closed", "near", "eikonal")) | cost


def computed_row(name: str, path: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    begun = time.process_time()
    field = COMPUTED[name](read_mesh(path))
    cost = time.process_time() - begun
    size = sum(tensor.numel() * tensor.element_size() for tensor in field.tensors().values())
    return measured(field, path, RESOLUTION) | {"bytes": size, "steps": 0, "cpu": cost}


def times(row: dict[str, Any], key: str, factor: float) -> float | None:
    return None if row[key] is None else row[key] * factor


def cells(shape: str, row: dict[str, Any], exact: dict[str, Any]) -> list[Any]:
    return [
        shape, times(row, "p2s", 1e3), times(row, "p2s", 1 / exact["p2s"]), row["nc"],
        None if row["nc"] is None else exact["nc"] - row["nc"], row["ghosts"],
        row["closed"], times(row, "near", 1e3), row["eikonal"], row["bytes"] // 1000, row["steps"], row["cpu"],
    ]  # fmt: skip


def summary(name: str, rows: list[dict[str, Any]], exact: list[dict[str, Any]]) -> list[Any]:
    if any(row["p2s"] is None for row in rows):
        return [name, len(rows), *[None] * 6, rows[0]["bytes"] // 1000, rows[0]["steps"], rows[0]["cpu"]]
    return [
        name, len(rows), median(row["p2s"] for row in rows) * 1e3,
        median(row["p2s"] / e["p2s"] for row, e in zip(rows, exact, strict=False)),
        median(row["p2s"] for row in rows) / median(e["p2s"] for e in exact[: len(rows)]),
        max(e["nc"] - row["nc"] for row, e in zip(rows, exact, strict=False)),
        sum(row["ghosts"] for row in rows), all(row["closed"] for row in rows),
        median(row["bytes"] for row in rows) // 1000, median(row["steps"] for row in rows),
        median(row["cpu"] for row in rows),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--shapes", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--methods", type=int, nargs="*", default=range(len(METHODS)))
    options = parser.parse_args()
    shapes = paths(options.shapes)
    learned_row(0, shapes[0], 1.0)  # compiles the kernels into their cache
    jobs = [
        (name, path, delayed(computed_row)(name, path))
        for name, most in COMPUTED_SHAPES.items()
        for path in shapes[:most]
    ]
    for number in options.methods:
        method = METHODS[number]
        jobs += [(method.name, p, delayed(learned_row)(number, p, options.seconds)) for p in shapes[: method.shapes]]
    rows: dict[str, list[dict[str, Any]]] = {}
    done = Parallel(n_jobs=options.jobs, return_as="generator")(job for _, _, job in jobs)
    for (name, path, _), row in zip(jobs, done, strict=True):
        rows.setdefault(name, []).append(row)
        print(f"{name:26} {path.stem[:24]:24} {row}", flush=True)
    exact = rows["exact distance"]
    columns = ["method", "shapes", "median point_to_surface x1e3", "median ratio to exact", "ratio of medians",
               "worst loss of normal consistency", "ghosts", "closed, manifold", "kB", "steps", "CPU-s"]  # fmt: skip
    tables = [table("Summary", columns, [summary(name, r, exact) for name, r in rows.items()])]
    for name, found in rows.items():
        shown = [cells(path.stem, row, e) for path, row, e in zip(shapes, found, exact, strict=False)]
        tables.append(table(name, list(COLUMNS), shown))
    write_result("accuracy", f"Accuracy after {options.seconds:g} CPU-seconds", tables, NOTES)


NOTES = [
    "Each learned field had the same CPU-seconds of sampling and training on one thread; imports, kernel compilation, "
    "extraction and metrics are not counted. Coloured shapes learn their colour in that time too.",
    "All are extracted on the same 256^3 lattice, moved by a random fraction of a cell (DeepSDF's decoder on 128^3, "
    "where its error is far above the lattice's), written to a file, read back, and measured by 100,000 samples.",
    "Lengths are in the unit frame, farthest vertex at radius 1/1.03.",
]

if __name__ == "__main__":
    main()
