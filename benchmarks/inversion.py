"""Held-out heads from one picture each: how like the picture, and how near to the true mesh, before and behind.

    python benchmarks/inversion.py --prior RUN --training VIEWS --held FOLDER [--count 8] [--steps 500] [--tune 500]
                                   [--name inversion]

RUN: a generator of `isofield train geogen VIEWS`; VIEWS: its pictures, as `isofield render` made them of meshes that
are still there; FOLDER: other meshes of the family, `isofield synthesize heads -n 20 --seed 4711 -o FOLDER`. name: of
the result; docs/images/NAME.png is drawn to look at.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import igl
import numpy as np
import torch
import trimesh

from common import ROOT, table, write_result
from isofield.data import located
from isofield.frame import UnitFrame
from isofield.mesh.audit import audit
from isofield.mesh.outer import boundary_mesh
from isofield.mesh.read import read_mesh
from isofield.meshing.extract import extract
from isofield.metrics.surface import OneWay, Surface, both_ways
from isofield.models.geogen import GeoGen
from isofield.models.inversion import Inversion, Sitting, Styles, picture_size
from isofield.models.perceptual import psnr, pyramid_distance
from isofield.render.camera import Camera, orbit
from isofield.render.pictures import save_png
from isofield.render.render import Surface as Seen
from isofield.render.render import render
from isofield.render.shade import picture
from isofield.render.sheet import captioned
from isofield.runs import load_generator
from isofield.tasks.generator_pictures import as_bytes, resized
from isofield.views.eg3d import label_of
from isofield.views.lessons import Lessons
from isofield.views.read import read_views

RESOLUTION, SAMPLES = 128, 20_000  # of meshes; of surfaces to measure by
CELL, ROWS = 160, 6  # of the picture
RISE = 10.0  # degrees above the horizon
DIRECTIONS, HIDDEN = 50, 0.97  # into which a point looks; share of them that is blocked where nothing sees it
SIDES = ("front", "back", "front, seen", "back, seen")
ASKED = 8  # of so many samples one is asked whether it can be seen
SEEN: dict[str, np.ndarray] = {}
NEAR = 1e-4  # of its surface, from where it looks


@dataclass(frozen=True)
class Head:
    """A mesh in its unit frame, its boundary without walls within, and one picture of it in [-1, 1]."""

    name: str
    mesh: trimesh.Trimesh
    solid: trimesh.Trimesh
    camera: Camera
    picture: torch.Tensor

    @property
    def label(self) -> torch.Tensor:
        return torch.tensor(label_of(self.camera), dtype=torch.float32)


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    generator = load_generator(located(options.prior))
    heads = [
        taken(path, index, generator) for index, path in enumerate(sorted(options.held.glob("*.ply"))[: options.count])
    ]
    known = Retrieval(options.training, heads[0].picture.shape[-1])
    average = mesh_of(generator, Styles.of(generator, heads[0].label[None], 0).mean)
    rows, likeness, cells, closed, spent = [], [], [], [], []
    for head in heads:
        begun = time.process_time()
        made = Inversion(generator, Sitting(head.picture[None], head.label[None], torch.tensor([False])),
                         pyramid_distance, options.steps, options.tune)  # fmt: skip
        for step in range(options.steps):
            made.step(step)
        latent = mesh_of(made.generator, made.w)
        for step in range(options.steps, made.length):
            made.step(step)
        spent.append(time.process_time() - begun)
        tuned = mesh_of(made.generator, made.w)
        nearest = known.nearest(head.picture)
        meshes = {"mean head": average, "nearest training head": nearest, "latent": latent, "tuned": tuned}
        solids = {**meshes, "nearest training head": boundary_mesh(nearest)}
        errors = {name: apart(head, mesh) for name, mesh in solids.items()}
        rows.append([head.name, *(value for sides in errors.values() for value in sides)])
        likeness.append([float(psnr(seen, head.picture[None])) for seen in (made.found, made.looks())])
        closed += [(found := audit(mesh)).watertight and found.manifold for mesh in (latent, tuned)]
        cells.append(row(head, made, meshes))
        print(head.name, likeness[-1], {name: np.round(pair, 4) for name, pair in errors.items()}, flush=True)
    save_png(np.concatenate(cells[:ROWS]), ROOT / "docs" / "images" / f"{options.name}.png")
    write(options, rows, likeness, heads[0].picture.shape[-1], closed, spent)


def taken(path: Path, index: int, generator: GeoGen) -> Head:
    """By a camera that stands 70 degrees farther to the left or right of the face for each next head, within 60."""
    mesh = read_mesh(path)
    size = picture_size(generator, CELL)
    camera = orbit((index * 70.0) % 120 - 60, RISE, size=size)
    seen = torch.tensor(render(Seen.of(mesh), camera).color).permute(2, 0, 1).float() / 127.5 - 1
    return Head(path.stem, mesh, boundary_mesh(mesh), camera, seen)


class Retrieval:
    """The training picture most like another one, and the mesh that it shows."""

    def __init__(self, folder: Path, size: int):
        self.lessons = Lessons(read_views(folder), size)
        pictures = self.lessons.pictures(np.arange(len(self.lessons)))
        self.pictures = torch.tensor(pictures).permute(0, 3, 1, 2)
        self.shapes = json.loads((folder / "dataset.json").read_text())["shapes"]

    def nearest(self, picture: torch.Tensor) -> trimesh.Trimesh:
        off = [
            pyramid_distance(part.float() / 127.5 - 1, picture.expand(len(part), -1, -1, -1))
            for part in self.pictures.split(512)
        ]
        view = self.lessons.views.views[int(torch.cat(off).argmin())]
        return read_mesh(Path(self.shapes[view.shape]["source"]))


def mesh_of(generator: GeoGen, w: torch.Tensor) -> trimesh.Trimesh:
    return extract(generator.field(w), RESOLUTION).mesh


def apart(head: Head, mesh: trimesh.Trimesh) -> list[float]:
    """Half-sums of the two mean distances between surfaces, over samples before and behind the plane through the head's
    axis that faces the camera; then over those of them that can be seen from somewhere."""
    found, truth = Surface.of(mesh, UnitFrame()), Surface.of(head.solid, UnitFrame())
    both = both_ways(found, truth, SAMPLES)
    if head.name not in SEEN:
        SEEN[head.name] = outer(truth, both.truth)  # the samples of the truth are always the same
    ways = [(both.pred, outer(found, both.pred)), (both.truth, SEEN[head.name])]
    sight = head.camera.eye * [1, 0, 1]
    half = [(one.distance, side * (one.points @ sight) > 0, seen) for side in (1, -1) for one, seen in ways]
    whole, visible = [d[at].mean() for d, at, _ in half], [d[at & seen].mean() for d, at, seen in half]
    return [float(np.mean(means[k : k + 2])) for means in (whole, visible) for k in (0, 2)]


def outer(surface: Surface, samples: OneWay) -> np.ndarray:
    """Which samples are known not to be hidden within the surface, as the hollow of a mouth behind closed lips is."""
    vertices, faces = np.asarray(surface.mesh.vertices, float), np.asarray(surface.mesh.faces, np.int64)
    normals, seen = surface.normals[samples.face[::ASKED]], np.zeros(len(samples.points), bool)
    places = samples.points[::ASKED] + NEAR * normals
    seen[::ASKED] = np.asarray(igl.ambient_occlusion(vertices, faces, places, normals, DIRECTIONS)) < HIDDEN
    return seen


def row(head: Head, made: Inversion, meshes: dict[str, trimesh.Trimesh]) -> np.ndarray:
    """Given picture and tuned one, then true mesh, tuned, nearest and mean from the camera, and from behind."""
    eye = head.camera.eye
    behind = orbit(float(np.rad2deg(np.arctan2(eye[0], eye[2]))) + 180, RISE, size=CELL)
    shown = {"true": head.mesh, **{name: meshes[name] for name in ("tuned", "nearest training head", "mean head")}}
    seen = {"given": head.picture, "latent": made.found[0], "tuned": made.looks()[0]}
    cells = [resized(as_bytes(one), CELL) for one in seen.values()]
    cells += [picture(mesh, camera) for camera in (head.camera.resized(CELL, CELL), behind) for mesh in shown.values()]
    names = [*seen, *shown, *(f"{name}, behind" for name in shown)]
    return captioned(cells, names)


def write(
    options: argparse.Namespace, rows: list, likeness: list, size: int, closed: list[bool], spent: list[float]
) -> None:
    names = ("mean head", "nearest training head", "latent", "tuned")
    numbers = np.array([row[1:] for row in rows]).reshape(len(rows), len(names), len(SIDES))
    means = [[name, *map(float, mean)] for name, mean in zip(names, numbers.mean(0), strict=True)]
    nearer = (numbers[:, 3:] < numbers[:, :2]).mean(0)
    db = np.array(likeness)
    won = " and ".join(
        f"than the {name} for {nearer[k][0]:.0%} of the heads in front and {nearer[k][1]:.0%} behind (of what is seen "
        f"{nearer[k][2]:.0%} and {nearer[k][3]:.0%})"
        for k, name in enumerate(names[:2])
    )
    notes = [
        f"{len(rows)} heads that the generator never saw, one picture each from within 60 degrees of the face; the "
        f"camera is known; {options.steps} steps for the latent, {options.tune} for the generator, "
        f"{np.mean(spent):.0f} s of processor time a head.",
        "Errors are half-sums of the two mean distances between the surfaces, in the unit frame, over the half that "
        "faces the camera and the half behind; of true meshes the boundary of what they enclose, without walls within. "
        "Seen: without what is hidden within a surface, as the hollows of the true mouths are, of which no picture "
        "tells; the true meshes of training heads have them too. Mean head: of the mean style. Nearest training head: "
        "the mesh of the training picture that is most like the given one by the distance that is inverted with.",
        f"PSNR of the pictures, of {size} pixels a side: {db[:, 0].mean():.1f} dB by the latent alone, "
        f"{db[:, 1].mean():.1f} dB by the tuned generator. Closed and manifold: {sum(closed)} of {len(closed)} meshes.",
        f"The tuned mesh is nearer {won}.",
    ]
    columns = ["head", *(f"{name}, {side}" for name in names for side in SIDES)]
    tables = [
        table("Mean error to the true mesh", ["mesh", *SIDES], means),
        table(
            "Each head",
            [*columns, "PSNR latent", "PSNR tuned"],
            [[*errors, *both] for errors, both in zip(rows, likeness, strict=True)],
        ),
    ]
    write_result(options.name, "One picture to a head, by a generator", tables, notes)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prior", type=Path, required=True)
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--held", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--tune", type=int, default=500)
    parser.add_argument("--name", default="inversion")
    return parser.parse_args()


if __name__ == "__main__":
    main()
