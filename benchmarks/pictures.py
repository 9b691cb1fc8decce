"""One object from its posed pictures: error to the true mesh, and pictures that were held out.

python benchmarks/pictures.py [--steps 400] [--views 40] [--size 128]

Four synthetic shapes and two bundled scans with their textures, rendered from all around with exact masks.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import table, write_result
from isofield.data import bundled
from isofield.frame import UnitFrame
from isofield.mesh.outer import boundary_mesh
from isofield.mesh.read import read_mesh
from isofield.metrics.evaluate import evaluate
from isofield.settings.families import SynthesizeSettings
from isofield.settings.pictures import RenderSettings
from isofield.settings.shapes import FitSettings
from isofield.tasks.fit_views import run_fit_views
from isofield.tasks.render import run_render
from isofield.tasks.synthesize import run_synthesize

COLUMNS = ["object", "PSNR held out, dB", "silhouette IoU", "point_to_surface", "normal_consistency", "f_score",
           "closed", "pieces", "processor s"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("steps", 400), ("views", 40), ("size", 128)):
        parser.add_argument(f"--{name}", type=int, default=default)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [row(title, mesh, folder / title, settings) for title, mesh in objects(folder).items()]
    notes = [
        f"{settings.views} pictures of {settings.size} x {settings.size} pixels each, every eighth held out; "
        f"{settings.steps} steps, {torch.get_num_threads()} threads. Lit by the studio, so that shades are learned as "
        "colours. The truth is the boundary of a shape, without walls within it. "
        "Lengths are of the unit frame; one pixel is about 0.017 wide there at 128 x 128.",
    ]
    write_result("pictures", "One object from posed pictures", [table("isofield fit VIEWS", COLUMNS, rows)], notes)


def objects(folder: Path) -> dict[str, Path]:
    """Name -> mesh file."""
    made = {}
    for family in ("cars", "heads", "chairs", "planes"):
        run_synthesize(SynthesizeSettings(family=family, output=folder / family, count=1, seed=3))
        made[f"synthetic, {family}"] = next((folder / family).glob("*_00000.ply"))
    return {**made, **{f"scan, {name}": bundled(f"{name}.glb") for name in ("lion", "rhino")}}


def row(title: str, mesh: Path, folder: Path, settings: argparse.Namespace) -> list[Any]:
    run_render(RenderSettings(input=mesh, output=folder / "views", views=settings.views, size=settings.size))
    report = run_fit_views(FitSettings(input=folder / "views", output=folder / "run", steps=settings.steps))
    truth = boundary_mesh(read_mesh(mesh))
    truth.vertices = UnitFrame.of(np.asarray(truth.vertices)).to_unit(truth.vertices)
    found = evaluate(read_mesh(folder / "run" / "mesh.ply"), truth)
    closed = report["watertight"] and report["manifold"]
    print(title, report["psnr"], report["silhouette_iou"], found["point_to_surface"], flush=True)
    measured = [found[key] for key in ("point_to_surface", "normal_consistency", "f_score")]
    spent = report["cpu_seconds"]
    return [title, report["psnr"], report["silhouette_iou"], *measured, closed, report["components"], spent]


if __name__ == "__main__":
    main()
