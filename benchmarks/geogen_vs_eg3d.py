"""Our volume renderer beside a user's own checkout of EG3D: the same planes, rays and numbers of samples.

python benchmarks/geogen_vs_eg3d.py PATH [--pixels 32] [--samples 24] [--planes 64] [--scenes 2] [--repeats 7]

PATH is a clone of github.com/NVlabs/eg3d, whose licence is non-commercial; nothing of it is part of this repository.
Its decoder is one network of 32 -> 64 -> 1 + 32; ours two, of shape and of colour. Prints what it measures.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from isofield.fields.density import SoftplusDensity
from isofield.fields.triplane import TriplaneDecoder, Triplanes
from isofield.render.camera import orbit
from isofield.render.rays import rays_of
from isofield.render.volume import March, render_volume

CHANNELS, OUTPUTS, MARGIN = 32, 32, 1.05
NEEDED = ("volumetric_rendering/renderer.py", "triplane.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a clone of EG3D")
    for name, default in (("pixels", 32), ("samples", 24), ("planes", 64), ("scenes", 2), ("repeats", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    settings = parser.parse_args()
    renderer, decoder = load(settings.path)
    n, b = settings.samples, settings.scenes
    torch.manual_seed(0)
    planes = torch.randn(b, 3, CHANNELS, settings.planes, settings.planes, requires_grad=True)
    clipped = rays_of([orbit(30 + 90 * k, 10, size=settings.pixels) for k in range(b)])
    rays, near = clipped.between(9 - MARGIN, 9 + MARGIN), {"ray_start": 9 - MARGIN, "ray_end": 9 + MARGIN}
    options = {
        **near, "box_warp": 2, "depth_resolution": n, "depth_resolution_importance": n,
        "disparity_space_sampling": False, "clamp_mode": "softplus", "white_back": False,
    }  # fmt: skip
    scene = Triplanes(planes, TriplaneDecoder(CHANNELS, density=SoftplusDensity(), octaves=0, outputs=OUTPUTS))
    exact, usual = March(n, n, both=True, above=0.0), March(n, n)
    runs: dict[str, Callable[[], Tensor]] = {
        "EG3D": lambda: renderer(planes, decoder, rays.origins, rays.directions, options)[0],
        "ours, no approximation": lambda: render_volume(scene, rays, exact).color,
        "ours, coarse pass to place samples, rays clipped": lambda: render_volume(scene, clipped, usual).color,
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(settings.repeats + 1):
        for name, picture in runs.items():
            times[name].append(seconds(picture))
    samples = b * settings.pixels**2 * 2 * n
    theirs = times["EG3D"][1:]
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; processor time, forward and backward")
    for name, spent in times.items():
        ratio = median(a / t for a, t in zip(theirs, spent[1:], strict=True))
        print(f"{name:50s} {1e6 * median(spent[1:]) / samples:6.2f} µs per sample  {ratio:5.2f} times")


def load(path: Path) -> tuple[Any, Any]:
    """EG3D's renderer and decoder from a clone; exits with 2 and one line where there is none."""
    code = path if (path / "training").is_dir() else path / "eg3d"
    missing = [name for name in NEEDED if not (code / "training" / name).is_file()]
    if missing:
        refuse(f"{path}: is no clone of EG3D (no training/{missing[0]}); give the folder of github.com/NVlabs/eg3d")
    sys.path.insert(0, str(code))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from training.triplane import OSGDecoder
            from training.volumetric_rendering.renderer import ImportanceRenderer
    except ImportError as error:
        refuse(f"{path}: cannot be imported ({error}); install what it needs, or use an older Python")
    return ImportanceRenderer(), OSGDecoder(CHANNELS, {"decoder_lr_mul": 1, "decoder_output_dim": OUTPUTS})


def refuse(line: str) -> None:
    print(f"geogen_vs_eg3d: {line}", file=sys.stderr)
    raise SystemExit(2)


def seconds(picture: Callable[[], Tensor]) -> float:
    begun = time.process_time()
    picture().square().sum().backward()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
