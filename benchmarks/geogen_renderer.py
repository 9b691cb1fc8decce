"""The volume renderer against the plain one of `plain_renderer.py`: pictures, gradients, and processor time.

python benchmarks/geogen_renderer.py [--repeats 9] [--threads 1]
"""

import argparse
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

import plain_renderer
from common import table, write_result
from isofield.fields.density import LaplaceDensity
from isofield.fields.triplane import TriplaneDecoder, Triplanes
from isofield.render.camera import orbit
from isofield.render.rays import Rays, rays_of
from isofield.render.volume import March, render_volume

CHANNELS, OUTPUTS, MARGIN = 32, 32, 1.05
NOTES = [
    "One thread. Times: processor time of forward and backward pass, with gradients to planes and decoder; the two "
    "renderers in turn, each in a process of its own, so that neither finds memory that the other has freed; ratios: "
    "the median of pairs. Samples counted: those of the plain one, both passes and all rays.",
    "The plain renderer is EG3D as its paper describes it, with our planes, decoder weights and rays, in plain torch: "
    "`benchmarks/plain_renderer.py`.",
    "Differences without jitter. Pictures: the largest of any channel to the plain renderer's, colours in [0, 1]; "
    "gradients: of a random projection of the picture to the planes, norm of the difference over the norm.",
    "Converged: a picture of 256 + 256 samples a ray and its gradient; root mean square difference to the picture. It "
    "tells what sampling itself costs: where a row is nearer to it than the plain renderer is, that row is no worse.",
    "Each row after the exact one adds to, or takes the place of, the one before; above 1e-3 is the usual.",
]


class Case(NamedTuple):
    """What is rendered: b scenes of planes of `size`, `pixels` squared rays each, `samples` in each of both passes."""

    name: str
    scenes: int
    size: int
    pixels: int
    samples: int
    beta: float


CASES = (
    Case("planes 64, 32 x 32 rays, 24 + 24 samples, beta 0.1", 2, 64, 32, 24, 0.1),
    Case("planes 64, 32 x 32 rays, 24 + 24 samples, beta 0.02", 2, 64, 32, 24, 0.02),
    Case("planes 256, 64 x 64 rays, 48 + 48 samples, beta 0.05", 1, 256, 64, 48, 0.05),
)


class Setting:
    """Planes, decoder, rays and the projection of the picture that is differentiated."""

    def __init__(self, case: Case):
        torch.manual_seed(0)
        self.case = case
        self.decoder = TriplaneDecoder(CHANNELS, outputs=OUTPUTS, density=LaplaceDensity(case.beta))
        torch.nn.init.normal_(self.decoder.shape_net[2].weight, 0, 0.05)
        coarse = torch.randn(case.scenes * 3, CHANNELS, case.size // 8, case.size // 8)
        smooth = torch.nn.functional.interpolate(coarse, size=(case.size, case.size), mode="bicubic")
        self.planes = smooth.view(case.scenes, 3, CHANNELS, case.size, case.size).requires_grad_()
        self.clipped = rays_of([orbit(30 + 90 * k, 10, size=case.pixels) for k in range(case.scenes)])
        self.rays = self.clipped.between(9 - MARGIN, 9 + MARGIN)
        self.pull = torch.randn(case.scenes, case.pixels**2, OUTPUTS)

    def plain(self, jitter: bool = True) -> Tensor:
        n = self.case.samples
        return plain_renderer.render(self.planes, self.decoder, self.rays, n, n, jitter)[0]

    def ours(self, rays: Rays, march: March) -> Tensor:
        return render_volume(Triplanes(self.planes, self.decoder), rays, march).color

    def gradient(self, picture: Tensor) -> Tensor:
        return torch.autograd.grad((picture * self.pull).sum(), self.planes)[0]

    def step(self, picture: Callable[[], Tensor]) -> float:
        """Processor seconds of picture and gradients."""
        for parameter in (self.planes, *self.decoder.parameters()):
            parameter.grad = None
        begun = time.process_time()
        (picture() * self.pull).sum().backward()
        return time.process_time() - begun


class Apart:
    """A process with a setting of its own, which measures one march, or the plain renderer."""

    def __init__(self, case: Case, clip: bool = False, march: March | None = None):
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        given = (other, case, clip, march, torch.get_num_threads())
        self.process = context.Process(target=_measure_when_asked, args=given, daemon=True)
        self.process.start()

    def step(self) -> float:
        """Processor seconds of picture and gradients."""
        self.pipe.send(True)
        return self.pipe.recv()

    def end(self) -> None:
        self.pipe.send(False)
        self.process.join()


def _measure_when_asked(pipe: Connection, case: Case, clip: bool, march: March | None, threads: int) -> None:
    torch.set_num_threads(threads)
    setting = Setting(case)
    rays = setting.clipped if clip else setting.rays
    picture = setting.plain if march is None else lambda: setting.ours(rays, march)
    for _ in range(2):  # compiles, and finds its memory
        setting.step(picture)
    while pipe.recv():
        pipe.send(setting.step(picture))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    write_result(
        "geogen_renderer",
        "Volume rendering of triplanes",
        [measured(Setting(case), settings.repeats) for case in CASES],
        NOTES,
    )


def rows_of(n: int) -> list[tuple[str, bool, March]]:
    """Name, whether rays are clipped to the ball, march."""
    return [
        ("exact: both passes, every sample", False, March(n, n, both=True, above=0.0)),
        ("colour and gradient above 1e-4 of the light", False, March(n, n, both=True, above=1e-4)),
        ("coarse pass without gradient, to place the fine one", False, March(n, n, above=0.0)),
        ("and rays clipped to the unit ball", True, March(n, n, above=0.0)),
        ("and colour and gradient above 1e-4 of the light", True, March(n, n, above=1e-4)),
        ("the same above 1e-3", True, March(n, n, above=1e-3)),
        ("the same with half the samples", True, March(n // 2, n // 2, above=1e-3)),
    ]


def measured(setting: Setting, repeats: int) -> dict:
    case = setting.case
    samples = case.scenes * case.pixels**2 * 2 * case.samples
    still = setting.plain(jitter=False)
    slope = setting.gradient(still)
    converged = setting.ours(setting.clipped, March(256, 256, jitter=False, both=True, above=0.0))
    rising, converged = setting.gradient(converged), converged.detach()
    reference, times_of_plain = Apart(case), []
    rows: list[list] = [["plain", None, None, None, None, rms(still, converged), away(slope, rising)]]
    for name, clip, march in rows_of(case.samples):
        rays = setting.clipped if clip else setting.rays
        quiet = March(march.coarse, march.fine, False, march.both, march.above)
        picture = setting.ours(rays, quiet)
        found = setting.gradient(picture)
        errors = [
            (picture - still).abs().max().item(),
            away(found, slope),
            rms(picture, converged),
            away(found, rising),
        ]
        timed = Apart(case, clip, march)
        pairs = [(reference.step(), timed.step()) for _ in range(repeats)]
        timed.end()
        times_of_plain += [a for a, _ in pairs]
        plain, ours = (1e6 * median(times) / samples for times in (times_of_plain, [b for _, b in pairs]))
        rows[0][1], rows[0][2] = plain, 1.0
        rows.append([name, ours, median(a / b for a, b in pairs), *errors])
        print(f"{case.name}: {name}: {rows[-1][1:]}", flush=True)
    reference.end()
    columns = [
        "renderer", "µs per sample", "times faster", "picture: largest difference", "gradient: difference",
        "picture to converged", "gradient to converged",
    ]  # fmt: skip
    return table(case.name, columns, rows)


def rms(one: Tensor, other: Tensor) -> float:
    return (one - other).detach().square().mean().sqrt().item()


def away(one: Tensor, other: Tensor) -> float:
    return ((one - other).norm() / other.norm()).item()


if __name__ == "__main__":
    main()
