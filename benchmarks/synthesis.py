"""CPU time of making shapes, family by family: `python benchmarks/synthesis.py [--count 40]`."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from common import table, write_result
from isofield.files import read_json
from isofield.synthesis.families import FAMILIES
from isofield.tasks.synthesize import Order, make

FEW = 3  # united heads


def cpu_seconds(order: Order) -> float:
    """CPU time of all threads while one shape is made and written."""
    start = time.process_time()
    make(order)
    return time.process_time() - start


def family_row(folder: Path, family: str, count: int) -> list:
    """Median CPU time, faces, parts; the first shape, which loads what the family needs, is not counted."""
    orders = [Order(folder, family, 0, index, None) for index in range(count + 1)]
    seconds = [cpu_seconds(order) for order in orders][1:]
    parts = [read_json(order.about)["parts"] for order in orders]
    faces = int(statistics.median(part[-1]["faces"][1] for part in parts))
    middle = statistics.median(seconds)
    return [
        family,
        round(middle, 3),
        round(max(seconds), 3),
        round(3600 / middle),
        faces,
        int(statistics.median(map(len, parts))),
    ]


def union_row(folder: Path, resolution: int) -> list:
    seconds = [cpu_seconds(Order(folder, "heads", 1, index, resolution)) for index in range(FEW + 1)][1:]
    return [f"a head, {resolution} points along its longest side", round(statistics.median(seconds), 2)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    arguments = parser.parse_args()
    columns = ["family", "CPU seconds a shape, median", "most", "shapes per CPU hour", "faces", "parts"]
    with tempfile.TemporaryDirectory() as name:
        rows = [family_row(Path(name), family, arguments.count) for family in FAMILIES]
        united = [union_row(Path(name), resolution) for resolution in (128, 256)]
    tables = [
        table(f"Shapes with parts, boxes, tree and neighbours, written: {arguments.count} of each", columns, rows),
        table("One closed surface (`--union`)", ["shape", "CPU seconds"], united),
    ]
    notes = [
        "In one process; CPU seconds hold on a busy machine too. The contact sheet comes on top: 60 to 90 pictures."
    ]
    path = write_result("synthesis", "Making shapes", tables, notes)
    print(path.read_text())


if __name__ == "__main__":
    main()
