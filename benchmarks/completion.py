"""Shapes of a space from whole and from partial scans of held-out meshes, and docs/images/completion.jpg to look at.

    python benchmarks/completion.py --prior RUN --store STORE --held FOLDER [--count 3] [--adam 10] [--beyond FOLDER]

RUN: of `isofield train auto-decoder STORE`; STORE: its samples, whose shapes are retrieved from; FOLDER: meshes that it
was not trained on, in a folder for each class, as `isofield synthesize` wrote them with their .json. Count: of meshes
from each class, thin ones excepted, which are all taken; adam: of them fitted by DeepSDF's 800 iterations too, which
take most of the time. Beyond: of thin meshes of a class that the space does not know.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from common import ROOT, table, write_result
from isofield.cloud.cloud import Cloud, frame_of
from isofield.cloud.orient import with_normals
from isofield.errors import IsofieldError
from isofield.fields.classical.poisson import PoissonField
from isofield.fields.codes.adam import fit_code_by_adam
from isofield.fields.codes.fit import CodeFit, Options, fit_code
from isofield.fields.codes.observations import Observations
from isofield.fields.codes.tune import tuned_decoder
from isofield.fields.space import ShapeField, ShapeSpace
from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.distance import MeshDistance
from isofield.mesh.outer import boundary_mesh
from isofield.mesh.read import read_mesh
from isofield.mesh.sample import sample
from isofield.meshing.extract import extract
from isofield.metrics.surface import Surface, both_ways
from isofield.render.camera import orbit
from isofield.render.pictures import side_by_side, view
from isofield.render.points import squares
from isofield.render.rasterize import rasterize
from isofield.samples.store import SampleStore
from isofield.tasks.cloud_results import SLOPE
from isofield.tasks.reconstruct import reconstruct_points
from space_ablations import SLATTED

NOISE = 0.01  # of the unit frame, along the way to the sensor
POINTS, RESOLUTION, DENSE, MEASURED = 4000, 128, 256, 20_000  # of a scan; of meshes; samples to measure by
TUNED = 300  # steps of the network
MISSING = (0.5, 0.7)
AROUND = (35.0, 20.0)  # where the sensor stands: azimuth and elevation
CORRUPTED, WILD = 0.005, 0.1  # standard deviation of a corrupted distance; share of them that are anything in the band
PICTURE = 220


@dataclass(frozen=True)
class Held:
    """A mesh that the space was not trained on, in its unit frame."""

    name: str
    label: str
    mesh: trimesh.Trimesh

    @classmethod
    def read(cls, path: Path) -> "Held":
        mesh = boundary_mesh(read_mesh(path))
        frame = sample(mesh, 16).frame
        return cls(
            path.stem, path.parent.name, trimesh.Trimesh(frame.to_unit(mesh.vertices), mesh.faces, process=False)
        )


@dataclass(frozen=True)
class Part:
    """A single view of a shape. scan: with noise and the sensor's place; whole (n, 3): points of all of the surface,
    and which of them the sensor saw."""

    scan: Cloud
    whole: np.ndarray
    seen: np.ndarray


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    space, store = ShapeSpace.load(options.prior), SampleStore(options.store)
    folders = [sorted(folder.glob("*.ply")) for folder in sorted(options.held.iterdir())]
    held = [Held.read(path) for paths in folders for path in paths[: options.count]]
    thin = [Held.read(path) for paths in folders for path in paths if is_thin(path)]
    beyond = (
        [Held.read(path) for path in sorted(options.beyond.iterdir())[: options.count + 1]] if options.beyond else []
    )
    tables = [whole_table(space, held, options.adam), *thin_tables(space, thin, beyond)]
    tables += completion_tables(space, store, held)
    write_result("completion", "Shapes of a space from whole and partial scans", tables, notes(space, store, held))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--prior", "--store", "--held"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--adam", type=int, default=10)
    parser.add_argument("--beyond", type=Path)
    return parser.parse_args()


def whole_table(space: ShapeSpace, held: list[Held], adam: int) -> dict:
    """Levenberg-Marquardt beside DeepSDF's way, which is told the class where the space wants it; the same samples."""
    rows = []
    for shape in [held[k] for k in np.linspace(0, len(held) - 1, adam).round().astype(int)]:
        seen, label = observed(shape), shape.label if space.classes else None
        ways = {
            "ours": partial(fit_code, space, seen),
            "DeepSDF's 800 iterations": partial(fit_code_by_adam, space, seen, label=label),
        }
        for name, fitted in ways.items():
            found, seconds = timed(fitted)
            off, cheaper = both(space, found, shape)[0], saving(space, found)
            rows.append([shape.name, name, off, found.residual, found.evaluations, round(seconds, 2), cheaper])
            print(*rows[-1], sep=" | ", flush=True)
    for average, name in product((np.mean, np.median), ways):
        values = average([row[2:] for row in rows[: len(ways) * adam] if row[1] == name], axis=0).tolist()
        rows.append([average.__name__, name, *values[:2], round(values[2]), *values[3:]])
    columns = ["shape", "method", "point_to_surface", "residual", "evaluations", "CPU-s", f"dense / asked at {DENSE}^3"]
    return table("Whole shapes: 30,000 samples of the distance", columns, rows)


def saving(space: ShapeSpace, found: CodeFit) -> float:
    """How many times fewer queries than lattice points the mesh of a code takes."""
    extraction = extract(space.decode(found.code, found.label), DENSE)
    return extraction.dense_queries / extraction.queries


def thin_tables(space: ShapeSpace, thin: list[Held], beyond: list[Held]) -> list[dict]:
    """What restarts, passes of refinement, the loss for thin parts and the network tuned to the shape bring. The
    class is given where the space has it, so that one fit is one."""
    once = Options(starts=1, thin=0.0)
    ways = {"1 fit": once} | {f"{count} starts": replace(once, starts=count) for count in (2, 4, 8)}
    ways |= {f"1 fit, {passes} passes": replace(once, passes=passes) for passes in (2, 4)}
    ways["1 fit, 2 passes, loss for thin parts"] = Options(starts=1, passes=2, thin=2.0)
    ways["8 starts, 2 passes, loss for thin parts"] = Options(starts=8, passes=2, thin=2.0)
    fits = {name: partial(found_field, space, options, 0) for name, options in ways.items()}
    fits[f"8 starts, then {TUNED} steps of the network"] = partial(found_field, space, Options(thin=0.0), TUNED)
    whole = [(shape, observed(shape)) for shape in thin]
    groups = {"never seen": whole, "the same, corrupted": [(shape, corrupted(seen)) for shape, seen in whole]}
    other = [(shape, observed(shape)) for shape in beyond]
    if beyond:
        groups["of a class not trained on"] = other
        groups["of that class, corrupted"] = [(shape, corrupted(seen)) for shape, seen in other]
    return [thin_table(f"Thin shapes, {name}", shapes, fits) for name, shapes in groups.items()]


def thin_table(title: str, shapes: list[tuple[Held, Observations]], fits: dict[str, Callable]) -> dict:
    rows = []
    for name, fit in fits.items():
        found = [timed(partial(fit, shape.label, seen)) for shape, seen in shapes]
        meshes = [extract(field, RESOLUTION).mesh for field, _ in found]
        errors = np.array([measured(mesh, shape) for mesh, (shape, _) in zip(meshes, shapes, strict=True)])
        seconds = float(np.mean([spent for _, spent in found]))
        rows.append([name, *errors.mean(0).tolist(), float(np.median(errors[:, 0])), seconds])
        print(title, *rows[-1], sep=" | ", flush=True)
    columns = ["method", "point_to_surface", "truth_to_pred", "point_to_surface, median", "CPU-s"]
    return table(f"{title}: mean over {len(shapes)}", columns, rows)


def found_field(space: ShapeSpace, options: Options, steps: int, label: str, seen: Observations) -> ShapeField:
    """The shape that explains observations, after so many steps of tuning the network to it. label: of its class, which
    the space may not know."""
    known = label if label in {member.label for member in space.members} else None
    found = fit_code(space, seen, replace(options, label=known))
    latent = space.latent(found.code, found.label).detach()
    decoder = tuned_decoder(space.decoder, latent, seen, steps)[0] if steps else space.decoder
    return ShapeField(decoder, latent)


def corrupted(seen: Observations) -> Observations:
    """With noise on all distances, and a share of them drawn from anywhere in twenty times that."""
    generator = torch.Generator().manual_seed(0)
    noisy = seen.sdf + CORRUPTED * torch.randn(len(seen.sdf), generator=generator)
    wild = torch.rand(len(noisy), generator=generator) < WILD
    anything = 0.1 * (2 * torch.rand(len(noisy), generator=generator) - 1)
    return Observations(seen.points, torch.where(wild, anything, noisy), seen.free)


def completion_tables(space: ShapeSpace, store: SampleStore, held: list[Held]) -> list[dict]:
    """Errors of what was seen and of what was not; the picture is of the first shape of each class."""
    strips: dict[str, np.ndarray] = {}
    tables, shelf = [], Shelf(store)
    for missing in MISSING:
        errors: dict[str, list[tuple[float, ...]]] = {}
        for number, shape in enumerate(held):
            part = seen_part(shape, missing, number)
            ways = {
                "ours": partial(completed, space, part.scan),
                "ours, --align": partial(aligned, space, part.scan, number),
                "Poisson": partial(poisson, part.scan),
                "nearest training shape": partial(shelf.nearest, part.scan),
            }
            meshes = {name: made for name, made in zip(ways, map(attempted, ways.values()), strict=True) if made}
            for name, (mesh, seconds) in meshes.items():
                errors.setdefault(name, []).append((*parts_error(mesh, part, shape), seconds))
                print(missing, shape.name, name, *(f"{value:.4f}" for value in errors[name][-1]), flush=True)
            if missing == MISSING[-1] and shape.label not in strips:
                strips[shape.label] = strip(part, {name: mesh for name, (mesh, _) in meshes.items()}, shape)
        rows = [
            [name, len(found), *np.mean(found, 0).tolist(), float(np.median([each[1] for each in found]))]
            for name, found in errors.items()
        ]
        columns = ["method", "shapes", "seen part", "unseen part", "point_to_surface", "CPU-s", "unseen part, median"]
        title = f"{missing:.0%} of the surface missing, 1 % noise: mean distance of the truth to the result"
        tables.append(table(title, columns, rows))
    sheet = Image.fromarray(np.concatenate(list(strips.values())))
    sheet.save(ROOT / "docs" / "images" / "completion.jpg", quality=85)
    return tables


def is_thin(path: Path) -> bool:
    """By what made it, which `isofield synthesize` keeps beside it."""
    about = path.with_suffix(".json")
    made = json.loads(about.read_text())["parameters"] if about.exists() else {}
    return path.parent.name == "lamps" or made.get("back") in SLATTED


def observed(shape: Held) -> Observations:
    samples = sample(shape.mesh, 30_000, near_fraction=0.9)
    return Observations(torch.from_numpy(samples.points), torch.from_numpy(samples.sdf), torch.zeros(0, 3))


def seen_part(shape: Held, missing: float, seed: int) -> Part:
    """What a sensor sees: of the points that face it the least hidden ones, till the share asked for is missing."""
    rng, camera = (
        np.random.default_rng(seed),
        orbit(AROUND[0] + 137 * seed, AROUND[1], distance=2.6, focal=0.9, size=400),
    )
    points, face = sample_surface(shape.mesh, MEASURED, seed)
    ways = points - camera.eye
    length = np.linalg.norm(ways, axis=1, keepdims=True)
    facing = (face_normals(shape.mesh.vertices, shape.mesh.faces)[face] * ways / length).sum(1)
    drawn = rasterize(torch.tensor(shape.mesh.vertices).float(), torch.tensor(shape.mesh.faces).long(), camera)
    pixels = np.clip(camera.project(points)[0].astype(int), 0, 399)
    hidden = np.maximum(length[:, 0] - drawn.depth.numpy()[pixels[:, 1], pixels[:, 0]], 0)
    order = np.lexsort([hidden, facing > 0])
    seen = np.zeros(len(points), bool)
    seen[order[: round((1 - missing) * len(points))]] = True
    rows = rng.permutation(np.flatnonzero(seen))[:POINTS]
    noisy = points[rows] + NOISE * rng.standard_normal((len(rows), 1)) * (ways / length)[rows]
    return Part(Cloud(noisy, sensors=np.broadcast_to(camera.eye, noisy.shape).copy(), source=shape.name), points, seen)


def completed(space: ShapeSpace, scan: Cloud) -> trimesh.Trimesh:
    return reconstruct_points(space, scan.points, sensors=scan.sensors).mesh(RESOLUTION)


def aligned(space: ShapeSpace, scan: Cloud, seed: int) -> trimesh.Trimesh:
    """From a scan that was turned about y, tilted, scaled and moved; brought back to where the truth lies."""
    rng = np.random.default_rng(seed)
    turn = Rotation.from_euler("yx", [rng.uniform(0, 360), rng.uniform(-10, 10)], degrees=True).as_matrix()
    scale, shift = rng.uniform(0.5, 2), rng.uniform(-1, 1, 3)
    moved, sensors = (scale * points @ turn.T + shift for points in (scan.points, np.asarray(scan.sensors)))
    mesh = reconstruct_points(space, moved, sensors=sensors, align=True).mesh(RESOLUTION)
    mesh.vertices = (np.asarray(mesh.vertices) - shift) @ turn / scale
    return mesh


def poisson(scan: Cloud) -> trimesh.Trimesh:
    oriented, frame = with_normals(scan)[0], frame_of(scan)
    field = PoissonField.of(frame.to_unit(oriented.points), oriented.normals, frame=frame)
    return extract(field, RESOLUTION, lipschitz=SLOPE).mesh


class Shelf:
    """The shapes of a store, to be found by a few points of their surface."""

    def __init__(self, store: SampleStore):
        self.shapes = store.shapes
        self.trees = [cKDTree(store.rows(number, 0, 4000)["closest"]) for number in range(len(store))]

    def nearest(self, scan: Cloud) -> trimesh.Trimesh:
        """The one that the points of a scan are nearest to, in its unit frame."""
        best = int(np.argmin([tree.query(scan.points[:500])[0].mean() for tree in self.trees]))
        mesh = boundary_mesh(read_mesh(self.shapes[best].source))
        return trimesh.Trimesh(self.shapes[best].frame.to_unit(mesh.vertices), mesh.faces, process=False)


def parts_error(mesh: trimesh.Trimesh, part: Part, shape: Held) -> tuple[float, float, float]:
    distance = MeshDistance(np.asarray(mesh.vertices), np.asarray(mesh.faces)).closest(part.whole).distance
    return float(distance[part.seen].mean()), float(distance[~part.seen].mean()), measured(mesh, shape)[0]


def measured(mesh: trimesh.Trimesh, shape: Held) -> tuple[float, float]:
    """point_to_surface, truth_to_pred."""
    pairs = both_ways(Surface(mesh), Surface(shape.mesh), MEASURED)
    there, back = float(pairs.pred.distance.mean()), float(pairs.truth.distance.mean())
    return (there + back) / 2, back


def both(space: ShapeSpace, found: CodeFit, shape: Held) -> tuple[float, float]:
    return measured(extract(space.decode(found.code, found.label), RESOLUTION).mesh, shape)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.process_time()
    return function(), time.process_time() - begun


def attempted(function: Callable[[], Any]) -> tuple[Any, float] | None:
    """The result and its CPU-seconds; None, said aloud, where there is none."""
    try:
        return timed(function)
    except IsofieldError as fault:
        print(fault, flush=True)
        return None


def strip(part: Part, meshes: dict[str, trimesh.Trimesh], shape: Held) -> np.ndarray:
    shown = {"scan": squares(part.scan.points), **meshes, "truth": shape.mesh}
    return side_by_side([view(mesh, PICTURE, *AROUND, up=(0, 1, 0)) for mesh in shown.values()], list(shown))


def notes(space: ShapeSpace, store: SampleStore, held: list[Held]) -> list[str]:
    size = sum(int(np.prod(tensor.shape)) for tensor in space.decoder.state_dict().values())
    classes = len({shape.label for shape in held})
    return [
        f"{len(held)} held-out shapes of {classes} classes; trained on {len(store)}, by a decoder of {size:,} numbers.",
        "Thin shapes: lamps, and chairs with a back of slats, spindles or rungs. Corrupted: normal noise of "
        f"{CORRUPTED:g} on all distances, and {WILD:.0%} of them anything from -0.1 to 0.1.",
        "A single sensor; the points that face it, the least hidden first, until the share is missing; 4,000 of them, "
        "noise along the rays.",
        "With --align the scan was turned about y, tilted up to 10 degrees, scaled by 0.5 to 2 and moved; the others "
        "lie in the frame of the space.",
        "Evaluations of the decoder: a point forward counts 1, its backward pass 2. CPU-s are good to a factor of "
        "1.5: the machine was shared.",
    ]


if __name__ == "__main__":
    main()
