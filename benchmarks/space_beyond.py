"""Shapes of kinds that a space was never trained on: `python benchmarks/space_beyond.py --prior RUN FOLDER...`.

FOLDER: of meshes of one kind; its name is that of the row. Of each the first few, by `isofield reconstruct`, with the
network as it is and tuned to the shape. What is in the work folder is not made again.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from common import table, write_result
from shape_spaces import run

SUFFIXES = {".ply", ".glb", ".obj", ".off", ".stl"}
RESOLUTION = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--prior", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("space-beyond"))
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--finetune", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for folder in options.folders:
        meshes = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES][: options.count]
        for name, steps in (("code alone", 0), (f"{options.finetune} steps of the network", options.finetune)):
            reports = [report(options, mesh, steps) for mesh in meshes]
            off = [1e3 * each["point_to_surface"] for each in reports]
            cost = [np.median([each[key] for each in reports]) for key in ("cpu_seconds", "evaluations")]
            rows.append([folder.name, len(meshes), name, float(np.mean(off)), float(np.median(off)), max(off)])
            rows[-1] += [float(cost[0]), round(float(cost[1]))]
            print(*rows[-1], flush=True)
    columns = ["kind", "shapes", "fitted", "point_to_surface x1e3, mean", "median", "worst", "CPU-s", "evaluations"]
    classes = sorted(json.loads((options.prior / "report.json").read_text())["shapes"])
    kinds = ", ".join(sorted({name.split("-")[0] for name in classes}))
    notes = [
        f"`isofield reconstruct MESH --prior RUN --finetune STEPS` at {RESOLUTION}^3; RUN: trained on {len(classes)} "
        f"shapes: {kinds}. Lengths in the unit frame of each mesh.",
    ]
    write_result("space_beyond", "Beyond the kinds trained on", [table("Kinds", columns, rows)], notes)


def report(options: argparse.Namespace, mesh: Path, steps: int) -> dict:
    """What `isofield reconstruct` says of a mesh, which is not asked again."""
    out = options.work / f"{mesh.parent.name}-{mesh.stem}-{steps}"
    flags = ("--finetune", steps) if steps else ()
    if not (out / "report.json").exists():
        run("reconstruct", mesh, "--prior", options.prior, "-o", out, "--resolution", RESOLUTION, "--restart", *flags)
    return json.loads((out / "report.json").read_text())


if __name__ == "__main__":
    main()
