"""The compiled hash grid against its plain PyTorch twin: points a second of whole training steps, and of the look-up.

python benchmarks/hash_kernel.py [--threads 1 2] [--repeats 15]
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from accuracy import PlainHashGrid
from common import table, write_result
from isofield import losses
from isofield.fields.hash_grid import HashGrid
from isofield.fields.neural import NeuralField

POINTS = 8192
STEPS = 25  # one after another before it is the other's turn: training runs thousands in a row, with warm caches


def training_step(encoding: HashGrid) -> Callable[[], None]:
    field = NeuralField(encoding)
    adam = torch.optim.Adam(field.parameters(), lr=1e-3, fused=True)
    points = shell()
    truth = points.norm(dim=1) - 0.6

    def step() -> None:
        adam.zero_grad()
        losses.relative_l1(field.sdf(points), truth).backward()
        adam.step()

    return step


def look_up_step(encoding: HashGrid) -> Callable[[], None]:
    points, upstream = shell(), torch.randn(POINTS, encoding.width)

    def step() -> None:
        encoding.table.grad = None
        encoding(points).backward(upstream)

    return step


def shell() -> torch.Tensor:
    """Points near a sphere, as samples near a surface are."""
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(POINTS, 3, generator=generator), dim=1) * 0.6
    return points + 0.01 * torch.randn(POINTS, 3, generator=generator)


def rates(a: Callable[[], None], b: Callable[[], None], repeats: int) -> tuple[float, float, float]:
    """Points a second of both, run in turn for some steps each, and the median of the ratios pair by pair."""
    seconds(a), seconds(b)
    times = [(seconds(a), seconds(b)) for _ in range(repeats)]
    points = STEPS * POINTS
    return points / median(t for t, _ in times), points / median(t for _, t in times), median(t / s for s, t in times)


def seconds(step: Callable[[], None]) -> float:
    begun = time.perf_counter()
    for _ in range(STEPS):
        step()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    rows = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        for name, make in (("training step, Adam included", training_step), ("look-up and its gradient", look_up_step)):
            compiled, plain, ratio = rates(make(HashGrid()), make(PlainHashGrid()), options.repeats)
            rows.append([name, threads, compiled / 1e3, plain / 1e3, ratio])
            print(rows[-1], flush=True)
    columns = ["what", "threads", "compiled, thousand points a second", "plain PyTorch", "ratio"]
    notes = [
        "5 levels to 256, tables of 2^17 rows of 2, two layers of 32; both in turn in one process, 25 steps each,"
        " median ratio."
    ]
    write_result("hash_kernel", "Compiled hash grid against its plain twin", [table("Speed", columns, rows)], notes)


if __name__ == "__main__":
    main()
