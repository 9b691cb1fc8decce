"""Shape spaces of 100 and of 1,000 shapes, from a store that does not fit into the memory that training is allowed.

    python benchmarks/space_sizes.py [--work FOLDER] [--seconds 30]

Lamps, all thin; what is in the work folder is not made again. Linux only: the limit is RLIMIT_DATA.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from common import table, write_result
from isofield.samples.store import SampleStore
from isofield.settings.families import TrainSpaceSettings
from shape_spaces import HELD_COUNT, measured, run, seconds_a_step

FAMILY, COUNT, HELD, SEED = "lamps", 10_000, 20, 11  # samples of each; shapes never seen
TRAININGS = ((100, 1), (1000, 1), (1000, 10))  # shapes, and how many times the seconds
ALLOWED = 200 << 20  # bytes beyond what the interpreter has once all is imported
COLUMNS = (
    "shapes", "store, MB", "steps", "CPU-s", "allowed, MB", "most memory, MB", "its own, MB",
    "point_to_surface x1e3, mean", "median", "p95", "normals", "no surface", "trained, near, x1e3",
)  # fmt: skip
PROGRAM = """
import json, resource, sys
import torch
from isofield.cli import main
import isofield.tasks.train_space

def known(name):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(name))

torch.set_num_threads(1)
allowed = known("VmData") + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
if main(sys.argv[3:]):
    sys.exit(1)
open(sys.argv[2], "w").write(json.dumps({"allowed": allowed, "most": known("VmHWM"), "own": known("RssAnon")}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("space-sizes"))
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepare(options.work, max(count for count, _ in TRAININGS))
    rows = []
    for count, longer in TRAININGS:
        store = SampleStore(sampled(options.work, f"{count}", range(HELD, HELD + count), COUNT))
        report = trained(options.work, store, options.seconds * longer)
        rows.append([count, *numbers(options.work, store, report)])
        print(*rows[-1], flush=True)
    notes = [
        f"{FAMILY}, {COUNT:,} samples of each; {HELD} others, never seen, are measured as in the table of spaces. "
        f"Default preset; steps for {options.seconds:g} seconds of processor time, in the last row for ten times as "
        "many, so that each shape is drawn about as often as in the first.",
        f"Allowed: data (RLIMIT_DATA), {ALLOWED >> 20} MB more than the interpreter has when all is imported. Rows of "
        "a store are read as they are needed. Most memory counts the pages of the store that the system keeps because "
        "there is room; its own are those that it could not take back.",
    ]
    write_result("space_sizes", "A hundred shapes or a thousand", [table("Sizes", COLUMNS, rows)], notes)


def prepare(work: Path, most: int) -> None:
    run("synthesize", FAMILY, "-n", HELD + most, "-o", work / FAMILY, "--seed", SEED, "--jobs", 1)


def sampled(work: Path, name: str, numbers: range, count: int) -> Path:
    """The store of these shapes."""
    part, store = work / f"meshes-{name}" / FAMILY, work / f"store-{name}"
    part.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        shutil.copy(work / FAMILY / f"{FAMILY}_{number:05d}.ply", part)
    run("sample", part.parent, "-o", store, "--count", count, "--jobs", 1)
    return store


def trained(work: Path, store: SampleStore, seconds: float) -> dict:
    """The report of the run, with its folder and the memory that it took."""
    name = f"{len(store)}-{seconds:g}"
    folder, memory = work / f"run-{name}", work / f"memory-{name}.json"
    if not memory.exists():
        steps = round(seconds / seconds_a_step(TrainSpaceSettings(store.folder, work, steps=1, draw=0)))
        flags = ["train", "auto-decoder", store.folder, "-o", folder, "--steps", steps, "--draw", 0, "--restart"]
        call = [sys.executable, "-c", PROGRAM, ALLOWED, memory, *flags]
        subprocess.run([*map(str, call)], check=True)
    return json.loads((folder / "report.json").read_text()) | json.loads(memory.read_text()) | {"folder": folder}


def numbers(work: Path, store: SampleStore, report: dict) -> list:
    held = sampled(work, "held", range(HELD), HELD_COUNT)
    shapes = measured(report, held, HELD)
    errors = [shape["error"] for shape in shapes if shape["error"] is not None]
    normals = [shape["normals"] for shape in shapes if shape["error"] is not None]
    size = sum(shape.path.stat().st_size for shape in store.shapes)
    return [
        round(size / 1e6), report["steps"], report["cpu_seconds"],
        *(round(report[name] / 1e6) for name in ("allowed", "most", "own")),
        float(np.mean(errors)), float(np.median(errors)), float(np.quantile(errors, 0.95)),
        float(np.mean(normals)), len(shapes) - len(errors), 1e3 * report["sdf_error_near"],
    ]  # fmt: skip


if __name__ == "__main__":
    main()
