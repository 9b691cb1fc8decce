"""From where a picture was taken, when nobody tells: cameras found by the generators that come with the package.

    python benchmarks/found_cameras.py [--count 20] [--seed 2357]

Pictures are of shapes that the generators never saw: `isofield synthesize heads|cars -n COUNT --seed SEED`, made anew.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from common import table, write_result
from isofield.cli import main as isofield
from isofield.data import located
from isofield.mesh.read import read_mesh
from isofield.models.perceptual import pyramid_distance
from isofield.models.pose_search import found_camera
from isofield.render.camera import orbit
from isofield.render.render import Surface, render
from isofield.runs import load_generator

FAMILIES = ("heads", "cars")
SPANS = {"within 60 degrees of the front": 120.0, "from all around": 360.0}
PIXELS, RISE, TURN = 128, 10.0, 137.5  # degrees above the horizon; from each picture's azimuth to the next one's
COLUMNS = [
    "pictures", "median, degrees", "nine of ten, degrees", "within 10", "off by more than 90",
    "the front as a guess: median", "CPU-s a picture",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2357)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for family in FAMILIES for row in rows_of(family, options)]
    notes = [
        f"{options.count} pictures a row, of {PIXELS} pixels a side, from {RISE:.0f} degrees above the horizon, at the "
        "usual distance and focal length; degrees: angle between the true direction to the camera and the one found.",
    ]
    write_result("found_cameras", "Cameras that nobody told", [table("Cameras found", COLUMNS, rows)], notes)


def rows_of(family: str, options: argparse.Namespace) -> list[list]:
    generator = load_generator(located(family))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        isofield(["synthesize", family, "-n", str(options.count), "--seed", str(options.seed), "-o", folder])
        meshes = [read_mesh(path) for path in sorted(Path(folder).glob("*.ply"))]
    for name, span in SPANS.items():
        off, guessed, begun = [], [], time.process_time()
        for index, mesh in enumerate(meshes):
            camera = orbit(index * TURN % span - span / 2, RISE, size=PIXELS)
            seen = torch.tensor(render(Surface.of(mesh), camera).color).permute(2, 0, 1).float() / 127.5 - 1
            found = found_camera(generator, seen, pyramid_distance)[[3, 7, 11]].double().numpy()
            off.append(angle_between(found, camera.eye))
            guessed.append(angle_between(orbit(0, RISE).eye, camera.eye))
            print(family, name, index, round(off[-1], 1), flush=True)
        near, far = sum(angle <= 10 for angle in off), sum(angle > 90 for angle in off)
        seconds = (time.process_time() - begun) / len(off)
        middle, most, guess = float(np.median(off)), float(np.quantile(off, 0.9)), float(np.median(guessed))
        rows.append([f"{family}, {name}", middle, most, near, far, guess, seconds])
    return rows


def angle_between(one: np.ndarray, other: np.ndarray) -> float:
    """Between two directions, in degrees."""
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


if __name__ == "__main__":
    main()
