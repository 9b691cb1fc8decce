"""One shape alone: encodings and activations of a network that learns nothing else.

    python benchmarks/one_shape.py [MESH...] [--budget 20]

By default a chair that `isofield synthesize` makes.
"""

import argparse
import json
import tempfile
from itertools import product
from pathlib import Path

import torch

from common import table, write_result
from shape_spaces import run

ENCODINGS, ACTIVATIONS, RESOLUTION = ("none", "fourier", "hash"), ("relu", "sine", "hosc"), 128
COLUMNS = ("shape", "encoding", "activation", "point_to_surface x1e3", "normals", "kB", "steps", "CPU-s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", nargs="*", type=Path)
    parser.add_argument("--budget", type=float, default=20.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        meshes = options.meshes or [made(Path(folder), "chairs")]
        for mesh, encoding, activation in product(meshes, ENCODINGS, ACTIVATIONS):
            rows.append([mesh.stem, encoding, activation, *fitted(mesh, encoding, activation, options.budget)])
            print(*rows[-1], sep=" | ", flush=True)
    notes = [
        f"`isofield fit MESH --encoding E --activation A --budget {options.budget:g} --resolution {RESOLUTION}`, all "
        "else by default.",
    ]
    write_result("one_shape", "One shape alone", [table("Encodings and activations", list(COLUMNS), rows)], notes)


def made(folder: Path, family: str) -> Path:
    run("synthesize", family, "-n", 1, "-o", folder / family, "--jobs", 1)
    return folder / family / f"{family}_00000.ply"


def fitted(mesh: Path, encoding: str, activation: str, budget: float) -> list:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        flags = ["--encoding", encoding, "--activation", activation, "--budget", budget, "--resolution", RESOLUTION]
        run("fit", mesh, "-o", out, *flags)
        report = json.loads((out / "report.json").read_text())
        return [
            1e3 * report["point_to_surface"], report["normal_consistency"], round(report["bytes"] / 1e3),
            report["steps"], report["cpu_seconds"],
        ]  # fmt: skip


if __name__ == "__main__":
    main()
