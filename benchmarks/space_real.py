"""Spaces of models as they are found: `python benchmarks/space_real.py FOLDER... [--raw FOLDER]`.

FOLDER: of meshes, open, soup or textured, its sub-folders being classes. Each becomes a store and a space by the
commands, without any choice but the budget (and --color directed where every mesh has colours), and
docs/images/space_NAME.jpg: some models and, below them, the meshes of their codes. Raw: a folder whose meshes become
clouds of points without normals first, so that nothing tells inside from outside. What is in the work folder is not
made again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

from common import ROOT, table, write_result
from isofield.errors import IsofieldError
from isofield.fields.space import ShapeSpace
from isofield.mesh.area import sample_surface
from isofield.mesh.read import read_mesh
from isofield.meshing.extract import extract
from isofield.metrics.distances import point_to_surface
from isofield.metrics.surface import Surface, both_ways
from isofield.render.sheet import contact_sheet
from isofield.samples.store import SampleStore, Shape
from shape_spaces import run

CLOUD, CLOUDS = 20_000, "-clouds"  # points of a raw scan; of the name of a folder of them
RESOLUTION, SAMPLES, ACROSS, PICTURE, AROUND = 128, 20_000, 12, 110, ((35.0, 20.0),)
COLUMNS = (
    "folder", "shapes", "left out", "classes", "without sign", "of these without an inside", "steps",
    "training, CPU-s", "at samples near the surface x1e3, mean", "median", "p95", "meshes compared", "no surface",
    "point_to_surface x1e3, mean", "median",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--work", type=Path, default=Path("space-real"))
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--budget", type=float, default=120.0)
    parser.add_argument("--shown", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for folder in [*options.folders, *([clouds(options.raw, options)] if options.raw else [])]:
        rows.append(row(folder, options))
        print(*rows[-1], sep=" | ", flush=True)
    notes = [
        f"`isofield sample FOLDER --count {options.count}`, then `isofield train auto-decoder STORE --budget "
        f"{options.budget:g}`, with `--color directed` where all have colours. Nothing was mended, chosen or turned.",
        "At samples near the surface: mean error of the distance (without sign: of its absolute value) nearer than "
        f"0.05, in the unit frame. The last columns: {options.shown} shapes, evenly taken from the list, the mesh of "
        f"each code at {RESOLUTION}^3 against the model.",
        f"NAME-clouds: {CLOUD:,} points of each of the meshes, without normals; compared with the meshes themselves.",
        "Pictures: [the command](command.md#shape-spaces).",
    ]
    write_result("space_real", "Spaces of models as they are found", [table("Folders", COLUMNS, rows)], notes)


def stored(folder: Path, options: argparse.Namespace) -> Path:
    store = options.work / f"{folder.name}-store"
    if not (store / "manifest.json").exists():
        run("sample", folder, "-o", store, "--count", options.count, "--jobs", 1)
    return store


def clouds(folder: Path, options: argparse.Namespace) -> Path:
    """A folder of points alone, each cloud with the name that its mesh has in the store."""
    made = options.work / f"{folder.name}{CLOUDS}"
    made.mkdir(parents=True, exist_ok=True)
    for shape in SampleStore(stored(folder, options)).shapes:
        if not (made / f"{shape.name}.xyz").exists():
            points, _ = sample_surface(read_mesh(shape.source), CLOUD, 0)
            np.savetxt(made / f"{shape.name}.xyz", points, "%.7g")
    return made


def true_meshes(folder: Path, shapes: list[Shape], options: argparse.Namespace) -> list[trimesh.Trimesh]:
    """What the shapes of a store were made of, or the meshes that their points are from."""
    known = {shape.name: shape for shape in shapes}
    if folder.name.endswith(CLOUDS):
        known = {
            shape.name: shape for shape in SampleStore(options.work / f"{folder.name[: -len(CLOUDS)]}-store").shapes
        }
    return [read_mesh(known[shape.name].source) for shape in shapes]


def row(folder: Path, options: argparse.Namespace) -> list:
    store, out = stored(folder, options), options.work / f"{folder.name}-run"
    shapes, manifest = SampleStore(store).shapes, json.loads((store / "manifest.json").read_text())
    colors = ["--color", "directed"] if all("colors" in shape.columns for shape in shapes) else []
    if not (out / "report.json").exists():
        run("train", "auto-decoder", store, "-o", out, "--budget", options.budget, "--draw", 0, *colors)
    report = json.loads((out / "report.json").read_text())
    near = [1e3 * report[f"sdf_error_near{part}"] for part in ("", "_median", "_95")]
    some = shapes[:: max(len(shapes) // options.shown, 1)][: options.shown]
    meshes = [mesh_of(ShapeSpace.load(out), shape) for shape in some]
    truth = true_meshes(folder, some, options)
    sheet(folder, truth, meshes)
    errors = [error(*three) for three in zip(meshes, some, truth, strict=True) if three[0]]
    return [
        folder.name, len(shapes), len(manifest["failed"]), len({shape.label for shape in shapes if shape.label}),
        sum(not shape.signed for shape in shapes), len(report.get("signs_failed", [])),
        report["steps"], report["cpu_seconds"], *near, len(some), len(some) - len(errors),
        float(np.mean(errors)), float(np.median(errors)),
    ]  # fmt: skip


def mesh_of(space: ShapeSpace, shape: Shape) -> trimesh.Trimesh | None:
    try:
        return extract(space.field(shape.name), RESOLUTION).mesh
    except IsofieldError as fault:
        print(shape.name, fault, flush=True)
        return None


def error(mesh: trimesh.Trimesh, shape: Shape, truth: trimesh.Trimesh) -> float:
    pair = (Surface.of(mesh, shape.frame, "prediction"), Surface.of(truth, shape.frame, "truth"))
    return 1e3 * point_to_surface(both_ways(*pair, SAMPLES, 0))


def sheet(folder: Path, models: list[trimesh.Trimesh], meshes: list[trimesh.Trimesh | None]) -> None:
    """Rows of models, and below each row the meshes of their codes; a speck where there is none."""
    speck = trimesh.creation.icosphere(1, 1e-3)
    cells: list[trimesh.Trimesh] = []
    for start in range(0, len(models), ACROSS):
        for row in (models, [mesh or speck for mesh in meshes]):
            some = row[start : start + ACROSS]
            cells += some + [speck] * (ACROSS - len(some))
    made = contact_sheet(cells, AROUND, PICTURE, ACROSS)
    Image.fromarray(made).save(ROOT / "docs" / picture(folder), quality=85)


def picture(folder: Path) -> str:
    return f"images/space_{folder.name}.jpg"


if __name__ == "__main__":
    main()
