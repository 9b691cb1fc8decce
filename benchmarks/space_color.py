"""Colour of shape spaces in views never seen: `python benchmarks/space_color.py [-n 8] [--steps 800] [--count 30000]`.

Cars under a fixed lamp, diffuse and with highlights; colour learned with and without the view direction.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
import trimesh

from common import table, write_result
from isofield.cli import main as isofield
from isofield.fields.space import ShapeField, ShapeSpace
from isofield.frame import UnitFrame
from isofield.mesh.area import face_normals
from isofield.mesh.color import surface_colors
from isofield.mesh.distance import MeshDistance
from isofield.mesh.read import read_mesh
from isofield.mesh.shine import seen_colors
from isofield.render.camera import Camera, orbit
from isofield.render.light import FLAT
from isofield.render.render import Surface, render
from isofield.samples.store import SampleStore

LIGHTS = {"diffuse": 0.0, "specular": 0.5}
VIEWS, SIZE = ((20.0, 25.0), (110.0, 10.0), (200.0, 40.0), (290.0, 20.0)), 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=8)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--count", type=int, default=30_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), given.n, given.steps, given.count)
    columns = ["light", "painted with its mean colour, dB", "plain, dB", "directed, dB", "better than mean, dB"]
    notes = [
        f"PSNR in sRGB over the pixels of {len(VIEWS)} views of {SIZE} x {SIZE} of each shape, from cameras at no "
        "sample's place, mean over the shapes; colour is asked at the true surface, so that errors of shape do not mix "
        "in.",
        "Lights: `isofield sample --shine 0` and `--shine 0.5`. The view directions of the samples are random.",
        f"{given.n} cars, {given.count:,} samples of each, {given.steps} steps of the default preset.",
    ]
    title = "Held-out views of coloured shapes"
    write_result("space_color", "Colour of shape spaces", [table(title, columns, rows)], notes)


def measured(folder: Path, count: int, steps: int, samples: int) -> list[list]:
    call("synthesize", "cars", "-n", count, "-o", folder / "cars", "--jobs", 1)
    rows = []
    for light, shine in LIGHTS.items():
        store = folder / f"{light}-store"
        call("sample", folder / "cars", "-o", store, "--count", samples, "--shine", shine, "--jobs", 1)
        found = {}
        for mode in ("plain", "directed"):
            run = folder / f"{light}-{mode}"
            call("train", "auto-decoder", store, "-o", run, "--steps", steps, "--color", mode, "--draw", 0)
            found[mode] = psnr_of(ShapeSpace.load(run), SampleStore(store), shine)
        flat = float(np.mean(found["plain"][1]))
        plain, directed = (float(np.mean(found[mode][0])) for mode in ("plain", "directed"))
        rows.append([light, flat, plain, directed, max(plain, directed) - flat])
    return rows


def call(*arguments: object) -> None:
    if isofield([*map(str, arguments)]):
        raise SystemExit(1)


def psnr_of(space: ShapeSpace, store: SampleStore, shine: float) -> tuple[list[float], list[float]]:
    """Of each shape: PSNR of its field, and of its mean colour."""
    fields, means = [], []
    for number, shape in enumerate(store.shapes):
        points, directions, truth = pixels(read_mesh(shape.source), shape.frame, shine)
        mean = store.rows(number, 0, shape.count)["colors"].mean(0) / 255
        fields.append(psnr(colors(space.field(shape.name), points, directions), truth))
        means.append(psnr(np.broadcast_to(mean, truth.shape), truth))
    return fields, means


@torch.no_grad()
def colors(field: ShapeField, points: np.ndarray, directions: np.ndarray) -> np.ndarray:
    return field.color(torch.from_numpy(points).float(), torch.from_numpy(directions).float()).numpy()


def pixels(mesh: trimesh.Trimesh, frame: UnitFrame, shine: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Surface points, view directions and true colours of all pixels that hit the shape, in all views."""
    surface = Surface.of(mesh, frame)
    vertices, faces = frame.to_unit(mesh.vertices), np.asarray(mesh.faces)
    distance, parts = MeshDistance(vertices, faces), []
    for azimuth, elevation in VIEWS:
        points, directions = hits(surface, orbit(azimuth, elevation, size=SIZE))
        _, face, _ = distance.closest(points)
        own = surface_colors(mesh, face, frame.to_user(points))
        parts.append((points, directions, seen_colors(own, face_normals(vertices, faces)[face], directions, shine)))
    points, directions, truth = (np.concatenate(part) for part in zip(*parts, strict=True))
    return points, directions, truth


def hits(surface: Surface, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    seen = render(surface, camera, light=FLAT, samples=1)
    directions = camera.rays()[seen.mask]
    return camera.eye + directions * seen.depth[seen.mask][:, None], directions


def psnr(found: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(found - truth).mean()))


if __name__ == "__main__":
    main()
