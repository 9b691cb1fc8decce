"""GeoGen's Table 2: what density, distance, positional code and the loss of depth do to pictures and to shapes.

    python benchmarks/geogen_ablation.py [--work FOLDER] [--kimg 55] [--seeds 2] [--family heads] [--rows PATTERN]
                                         [--inverted 8]

Each row and seed is a generator of the preset `toy`, trained on pictures of 992 synthetic shapes for the same number of
pictures. Then one picture of each of 8 other shapes, or fewer, is inverted (`isofield invert`) and the mesh compared
with the true one by GeoGen's protocol. Everything is kept in the work folder: a command that was stopped goes on where
it was, and rows are stored as they finish, in a table for each length. --rows: a regular expression that the name must
match whole; without it the four rows of the table. The short studies, by their names: 'no code', 'beta 0.03',
'beta 0.1', 'beta 0.3' (fixed, without the loss of depth), 'lambda from 0' and 'lambda from 3/4' (of the run; the
table's from 1/2), 'along' (from 0, and at four further points of each ray), 'stylesdf', 'finished' (geogen, its last
tenth with finer rays and a sharper beta, as the preset has it; the table goes without, as published).
"""

import argparse
import json
import os
import re
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from common import ROOT, table, write_result
from isofield.cli import main as isofield
from isofield.errors import InputError, IsofieldError
from isofield.files import write_json
from isofield.mesh.outer import boundary_mesh
from isofield.mesh.read import read_mesh
from isofield.metrics.evaluate import geogen_protocol
from isofield.metrics.features import random_features
from isofield.models.presets import PRESETS, Preset, Variant, stored, varied
from isofield.render.pictures import view
from isofield.render.sheet import captioned
from isofield.runs import load_generator, open_run
from isofield.settings.families import InvertSettings
from isofield.tasks.gan import KIMG, Contest
from isofield.tasks.generator_numbers import drawn_shapes, picture_numbers, surface_numbers
from isofield.tasks.invert import run_invert
from isofield.tasks.train_geogen import train_geogen
from isofield.views.lessons import Lessons
from isofield.views.read import read_views

TRAINED, HELD, VIEWS = 992, 8, 10  # shapes; pictures of each
NEVER = 1e9  # kimg
PICTURES, SURFACES = 1000, 16  # of a generator, measured
SHOWN, CELL, SIDE = (0, 2, 3, 5), 200, (40.0, 10.0)  # held-out shapes of the picture; pixels; azimuth and elevation
TITLE = "Table 2 of GeoGen, in small"
GEOMETRY = ("chamfer_l1", "mse", "hausdorff", "emd", "msd")
COLUMNS = ["row", "seed", "kimg", "CPU-min", "Frechet", "kernel x1e3", "depth gap", "PSNR, dB",
           *GEOMETRY, "no surface"]  # fmt: skip


@dataclass(frozen=True)
class Row:
    """variant: of the table; architecture, recipe: what else is changed. settle: share of the run until which beta is
    fixed and the loss of depth is off."""

    name: str
    variant: Variant = "geogen"
    architecture: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    settle: float = 0.5

    def preset(self, kimg: float) -> Preset:
        """The spans of the recipe fit into the run."""
        made = varied(PRESETS["toy"], self.variant)
        recipe = made.recipe
        spans = {
            "finish": 0.0,
            "settle": self.settle * kimg,
            "sharp": min(recipe.sharp, kimg / 2),
            "half_life": min(recipe.half_life, kimg / 8),
        }
        return Preset(replace(made.architecture, **self.architecture), replace(recipe, **(spans | self.recipe)))


TABLE = [Row("eg3d", "eg3d"), Row("density", "density"), Row("sdf", "sdf"), Row("geogen")]
STUDIES = [
    Row("no code", architecture={"octaves": 0}),
    *(Row(f"beta {beta:g}", "sdf", recipe={"beta": beta}, settle=NEVER) for beta in (0.03, 0.1, 0.3)),
    Row("lambda from 0", settle=0.0),
    Row("lambda from 3/4", settle=0.75),
    Row("along", settle=0.0, recipe={"along": 4}),
    Row("stylesdf", "stylesdf", settle=0.0),
    Row("finished", recipe={"finish": 0.1}),
]
ORDER = [row.name for row in (*TABLE, *STUDIES)]


def prepare(work: Path, family: str) -> None:
    """Shapes, and pictures of those to learn from and of those held out, by the commands."""
    if not (work / family / "manifest.json").exists():
        run("synthesize", family, "-n", TRAINED + HELD, "-o", work / family)
    meshes = sorted((work / family).glob(f"{family}_*.ply"))
    for part, chosen in (("train", meshes[:TRAINED]), ("held", meshes[TRAINED : TRAINED + HELD])):
        (work / part).mkdir(exist_ok=True)
        for mesh in chosen:
            if not (work / part / mesh.name).exists():
                os.link(mesh, work / part / mesh.name)
        if not (work / f"{part}-views" / "dataset.json").exists():
            run("render", work / part, "-o", work / f"{part}-views", "--views", VIEWS)


def run(*arguments: Any) -> None:
    if isofield([*map(str, arguments)]):
        raise SystemExit(f"isofield {arguments[0]} failed")


def trained(row: Row, seed: int, kimg: float, lessons: Lessons, folder: Path) -> dict[str, Any]:
    """Cost of the run, which is made, or gone on with, unless it is there."""
    done = folder / "cost.json"
    if not done.exists():
        preset = row.preset(kimg)
        with open_run(folder, {"seed": seed, "kimg": kimg, **stored(preset)}, length=("kimg",)) as opened:
            steps = round(kimg * KIMG / preset.recipe.batch)
            cost = train_geogen(Contest(preset, lessons, seed), steps, opened, silent=False)
        write_json(done, {"cpu_seconds": cost.cpu_seconds, "seconds": cost.seconds})
    return json.loads(done.read_text())


def inverted(options: argparse.Namespace, prior: Path) -> list[dict[str, Any]]:
    """Of each held-out shape one picture, from another side each: how like it is, and its mesh against the true one."""
    shapes = [f"{options.family}_{TRAINED + k:05d}" for k in range(options.inverted)]
    return [one_inverted(options, shape, k % VIEWS, prior) for k, shape in enumerate(shapes)]


def one_inverted(options: argparse.Namespace, shape: str, view: int, prior: Path) -> dict[str, Any]:
    work, steps = options.work, options.steps
    out = prior.with_name(f"{prior.name}-{shape}")
    found = out / "measured.json"
    if not found.exists():
        picture = work / "held-views" / shape / f"{view:03d}.png"
        try:
            report = run_invert(InvertSettings((picture,), prior, out, steps=steps, tune=steps, resolution=128))
        except InputError:
            raise
        except IsofieldError:  # no surface
            return {}
        truth = boundary_mesh(read_mesh(work / "held" / f"{shape}.ply"))
        numbers = geogen_protocol(read_mesh(out / "mesh.ply"), truth, repeats=options.repeats, emd_repeats=3)
        write_json(found, {"psnr": report["psnr"], **numbers})
    return json.loads(found.read_text())


def name_of(row: Row, seed: int, options: argparse.Namespace) -> str:
    return f"{row.name.replace(' ', '-').replace('/', '-')}-{seed}-{options.kimg:g}"


def measured(row: Row, seed: int, options: argparse.Namespace, lessons: Lessons) -> list[Any]:
    """Cells of the table; stored in the work folder."""
    folder = options.work / name_of(row, seed, options)
    path = folder.with_suffix(folder.suffix + ".json")
    if not path.exists():
        cost = trained(row, seed, options.kimg, lessons, folder)
        generator = load_generator(folder)
        seen = picture_numbers(generator, lessons, PICTURES, random_features(), seed=0)
        shapes = surface_numbers(generator, drawn_shapes(generator, SURFACES, 0), lessons.labels)
        found = inverted(options, folder)
        whole = [numbers for numbers in found if numbers]
        means = [float(np.mean([n[key] for n in whole])) if whole else None for key in ("psnr", *GEOMETRY)]
        lost = len(found) - len(whole) if found else None
        cells = [row.name, seed, options.kimg, cost["cpu_seconds"] / 60, seen["frechet_distance"],
                 1e3 * seen["kernel_distance"], shapes["depth_gap"], *means, lost]  # fmt: skip
        floor = [seen["frechet_distance_floor"], 1e3 * seen["kernel_distance_floor"]]
        write_json(path, {"cells": cells, "floor": floor})
    return json.loads(path.read_text())["cells"]


def keep(options: argparse.Namespace) -> None:
    """Store all rows that are there, the longest runs first."""
    results = {}
    for path in options.work.glob("*.json"):
        found = json.loads(path.read_text())
        if "cells" in found:
            name, seed, kimg = found["cells"][:3]
            results[-kimg, ORDER.index(name), seed] = found
    tables = [
        table(f"{options.family}, {-length:g} kimg", COLUMNS, [results[key]["cells"] for key in sorted(keys)])
        for length, keys in groupby(sorted(results), key=lambda key: key[0])
    ]
    write_result("geogen_ablation", TITLE, tables, notes(options, next(iter(results.values()))["floor"]))


def draw(options: argparse.Namespace) -> None:
    """docs/images/ablation.jpg: some held-out shapes, and what each row of the table makes of a picture of them."""
    cells, titles = [], []
    for shape in (f"{options.family}_{TRAINED + k:05d}" for k in SHOWN):
        meshes = {row.name: options.work / f"{name_of(row, 0, options)}-{shape}" / "mesh.ply" for row in TABLE}
        for name, path in {"true": options.work / "held" / f"{shape}.ply", **meshes}.items():
            there = path.exists()
            cells.append(view(read_mesh(path), CELL, *SIDE, up=(0, 1, 0)) if there else np.full_like(cells[0], 255))
            titles.append(name if there else f"{name}: none")
    Image.fromarray(captioned(cells, titles, 1 + len(TABLE))).save(ROOT / "docs/images/ablation.jpg", quality=88)


def notes(options: argparse.Namespace, floor: list[float]) -> list[str]:
    return [
        f"Preset toy (32 pixels) on {VIEWS} pictures of each of {TRAINED} synthetic {options.family}, so many kimg for "
        "each row; blur, average and the second half of the recipe fitted into the run. eg3d: density without "
        "positional code; density: with it; sdf: signed distance with eikonal loss; geogen: with the loss of depth, "
        "too, from half of the run on. The other rows are geogen's, or (beta) sdf's, with one thing changed.",
        f"Frechet, kernel: `random-conv-0` distances of {PICTURES:,} drawn pictures to as many real ones (no FID, no "
        f"KID); between two halves of the real ones {floor[0]:.3g} and {floor[1]:.3g}. depth gap: between rendered "
        f"depth and surface, of {SURFACES} drawn shapes.",
        f"PSNR and geometry, where they were measured: one picture of each of {HELD} held-out shapes inverted with its "
        f"camera, {options.steps} + {options.steps} steps; means over them, by GeoGen's protocol (each mesh in a unit "
        "sphere of its own, the boundary alone of the true one) with "
        f"{options.repeats} repeats of 20,000 samples, EMD of 2,048 points 3 times.",
        "Some of the inverted shapes, of the first seed: docs/images/ablation.jpg.",
        "A row that is missing has not been run yet; running the command again runs what is missing.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("geogen-ablation"))
    parser.add_argument("--family", default="heads")
    parser.add_argument("--kimg", type=float, default=55.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--inverted", type=int, default=HELD, help="held-out shapes, 0 for none")
    parser.add_argument("--rows", default="|".join(row.name for row in TABLE))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    prepare(options.work, options.family)
    lessons = Lessons(read_views(options.work / "train-views"), PRESETS["toy"].architecture.size)
    for seed in range(options.seeds):
        for row in (*TABLE, *STUDIES):
            if re.fullmatch(options.rows, row.name):
                print(*measured(row, seed, options, lessons), flush=True)
                keep(options)
    if options.inverted > max(SHOWN):
        draw(options)


if __name__ == "__main__":
    main()
