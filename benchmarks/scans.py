"""What `isofield fit` makes of raw scans: numbers, and docs/images/scans.png to look at.

    python benchmarks/scans.py [--method exact] [--resolution 192]

Every scan becomes a row and a pair of pictures, or a row with the refusal. Needs the folder of scans beside the
checkout; without it nothing is done.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common import ROOT, table, write_result
from isofield.cloud.clean import clean
from isofield.cloud.cloud import frame_of
from isofield.cloud.read import read_cloud
from isofield.errors import IsofieldError
from isofield.files import replacing
from isofield.mesh.read import read_mesh
from isofield.render.pictures import framing, side_by_side
from isofield.render.points import squares
from isofield.render.shade import picture
from isofield.settings.shapes import FitSettings
from isofield.tasks.fit import run_fit

SCANS = ROOT.parent / "shared" / "data" / "raw"
SIZE, ACROSS, TONES = 190, 3, 96  # pixels of a picture; scans in a row of the sheet; colours of the file
COLUMNS = [
    "scan", "points", "outliers", "normals from", "noise / radius", "residual / radius", "points off %", "open",
    "left out %", "invented %", "pieces", "CPU-s",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="exact")
    parser.add_argument("--resolution", type=int, default=192)
    options = parser.parse_args()
    rows, strips = [], []
    for path in sorted(SCANS.glob("*")):
        with tempfile.TemporaryDirectory() as folder:
            try:
                run, resolution = Path(folder) / "run", options.resolution
                report = run_fit(FitSettings(path, run, method=options.method, resolution=resolution))
            except IsofieldError as error:
                rows.append([path.stem, None, None, f"refused: {error}", *[None] * (len(COLUMNS) - 4)])
                continue
            rows.append(row(path.stem, report))
            strips.append(pair(path, Path(folder) / "run" / "mesh.ply"))
        print(*rows[-1], sep=" | ", flush=True)
    if rows:
        sheet(strips)
        write_result("scans", "Raw scans", [table("What fit made of each", COLUMNS, rows)], notes(options.method))


def row(name: str, report: dict[str, Any]) -> list[Any]:
    percent = (round(100 * report[key], 1) for key in ("points_off", "trimmed_share", "invented_share"))
    off, left_out, invented = percent
    noise = report["noise"] / report["unit_length_user"]
    return [
        name, report["kept"], report["outliers"], report["sides"], noise, report["residual_mean"], off,
        report["trimmed"], left_out, invented, report["components"], round(report["cpu_seconds"], 1),
    ]  # fmt: skip


def pair(path: Path, mesh: Path) -> np.ndarray:
    """The points and what became of them, by one camera."""
    cloud, _ = clean(read_cloud(path))
    shown, frame = squares(cloud.points, cloud.colors), frame_of(cloud)
    camera = framing(shown, frame, SIZE)
    images = [picture(each, camera, frame=frame) for each in (shown, read_mesh(mesh))]
    return side_by_side(images, [path.stem.removeprefix("vscan_")[:24], ""])


def sheet(strips: list[np.ndarray]) -> None:
    blank = np.full_like(strips[0], 255)
    strips = strips + [blank] * (-len(strips) % ACROSS)
    lines = [np.concatenate(strips[k : k + ACROSS], axis=1) for k in range(0, len(strips), ACROSS)]
    image = Image.fromarray(np.concatenate(lines)).quantize(TONES)
    with replacing(ROOT / "docs" / "images" / "scans.png") as temporary:
        image.save(temporary, format="PNG", optimize=True)


def notes(method: str) -> list[str]:
    return [
        f"`isofield fit --method {method}` (exact: the surface that the default learns): real scans of depth cameras, "
        "stereo and lidar, and virtual ones (vscan) from one to three views with noise. Lengths over the radius of the "
        "points; open: what lies far from every point was left out, so much of the closed surface.",
        "Each scan as points and as what became of it:",
        "![Raw scans and the surfaces fitted to them](images/scans.png)",
    ]


if __name__ == "__main__":
    main()
