"""Scale, frame and colour: a textured scan in millimetres, off-centre and z up, is fitted by the command's defaults.

    python benchmarks/survival.py [--budget 30]

Writes the numbers, and docs/images/survival.png: input and result in the same picture coordinates.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from common import ROOT, table, write_result
from isofield.data import bundled
from isofield.frame import UnitFrame
from isofield.mesh.area import sample_surface
from isofield.mesh.color import surface_colors
from isofield.mesh.distance import MeshDistance
from isofield.mesh.read import read_mesh
from isofield.render.pictures import framing, side_by_side
from isofield.render.shade import picture
from isofield.settings.shapes import FitSettings
from isofield.tasks.fit import run_fit

PLACE = (1000.0, -500.0, 300.0)
SAMPLES = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=30.0)
    options = parser.parse_args()
    rows, strips = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("lion", "rhino"):
            source = moved(bundled(f"{name}.glb"), Path(folder) / f"{name}.obj")
            report = run_fit(FitSettings(source, Path(folder) / name, budget=options.budget))
            truth = read_mesh(source)
            for file in ("mesh.ply", "mesh.glb"):
                result = read_mesh(Path(folder) / name / file)
                rows.append([name, file, *compared(result, truth), report["point_to_surface_user"], report["steps"]])
                print(rows[-1], flush=True)
            frame = UnitFrame.of(truth.vertices)
            camera = framing(truth, frame, 420, up=(0.0, 0.0, 1.0))
            strips += [picture(mesh, camera, frame=frame) for mesh in (truth, result)]
    titles = ["lion: input, mm, z up", "mesh.glb, same camera", "rhino: input, mm, z up", "mesh.glb, same camera"]
    shown = Image.fromarray(side_by_side(strips, titles)).quantize(256, dither=Image.Dither.NONE)
    shown.save(ROOT / "docs" / "images" / "survival.png", optimize=True)
    columns = [
        "model", "file", "extent, mm", "corners of the box differ by at most, mm", "mean colour difference, sRGB of 1",
        "point_to_surface, mm", "steps",
    ]  # fmt: skip
    notes = [
        f"Bundled scans, scaled to millimetres and moved by {PLACE}, written as textured .obj, then `isofield fit` "
        f"with a budget of {options.budget:g} s. Colours: at {SAMPLES:,} points of the result and the nearest"
        " points of the input's texture.",
        "![Input and result by the same camera](images/survival.png)",
    ]
    write_result("survival", "Scale, frame and colour survive", [table("What came back", columns, rows)], notes)


def moved(model: Path, path: Path) -> Path:
    """The model in millimetres and elsewhere, as .obj with its texture."""
    mesh = read_mesh(model)
    mesh.vertices = np.asarray(mesh.vertices) * 1000 + PLACE
    mesh.export(path)
    return path


def compared(result, truth) -> tuple[float, float, float]:
    """Extent of the truth, largest difference of the bounding boxes' corners, mean difference of colour."""
    points, face = sample_surface(result, SAMPLES, 0)
    near = MeshDistance(truth.vertices, truth.faces).closest(points)
    difference = surface_colors(result, face, points) - surface_colors(truth, near.face, near.point)
    corners = np.abs(np.asarray(result.bounds) - np.asarray(truth.bounds)).max()
    return float(np.ptp(truth.bounds, axis=0).max()), float(corners), float(np.abs(difference).mean())


if __name__ == "__main__":
    main()
