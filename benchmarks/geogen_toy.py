"""What a toy generator has learned: `python benchmarks/geogen_toy.py RUN VIEWS NAME [--meshes FOLDER]`.

RUN: of `isofield train geogen VIEWS -o RUN`; meshes: true shapes that it never saw, to compare its own with as a set.
Writes benchmarks/results/geogen_toy_NAME.json and the sheet docs/images/geogen-NAME.jpg.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image

from common import ROOT, table, write_result
from isofield.files import read_json
from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.distance import MeshDistance
from isofield.mesh.enclosure import STEP, sides
from isofield.metrics.clouds import chamfer_l1
from isofield.metrics.features import random_features
from isofield.metrics.sets import compare_sets
from isofield.models.geogen import GeoGen
from isofield.render.camera import orbit
from isofield.runs import load_generator
from isofield.tasks.evaluate_generator import true_meshes
from isofield.tasks.gan_sheet import sheet
from isofield.tasks.generator_numbers import (
    drawn_pictures,
    drawn_shapes,
    hollow,
    in_own_frame,
    latents,
    meshes_of,
    picture_numbers,
    surface_numbers,
)
from isofield.views.eg3d import label_of
from isofield.views.lessons import Lessons
from isofield.views.read import read_views

PICTURES, SHAPES = 256, 32
CLOUD, SPARE = 2048, 4  # points of a shape's outer surface; how many times as many are drawn to find them
SAMPLES, SIDES, ELEVATION = 16, 8, 10.0  # of the sheet: columns, and pictures from around in each
WIDTH, QUALITY = 1400, 88  # of the sheet as it is stored
MEANINGS = {
    "frechet_distance": "Frechet distance of pictures",
    "frechet_distance_floor": "the same between real pictures",
    "kernel_distance": "kernel distance of pictures",
    "kernel_distance_floor": "the same between real pictures",
    "view_consistency": "view consistency",
    "view_consistency_real": "the same of real shapes",
    "empty": "shapes without a surface",
    "hollow": "hollow fraction",
    "hollow_real": "the same of true shapes",
    "depth_gap": "rendered depth against the surface",
    "one_nna": "1-NNA",
    "coverage": "coverage",
    "mmd": "MMD (chamfer_l1)",
    "diversity": "mean pairwise chamfer_l1",
    "diversity_real": "the same of true shapes",
    "floor": "the same between two samplings of one true shape",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("views", type=Path)
    parser.add_argument("name")
    parser.add_argument("--meshes", type=Path)
    given = parser.parse_args()
    torch.set_grad_enabled(False)
    generator, report = load_generator(given.run), read_json(given.run / "report.json")
    lessons = Lessons(read_views(given.views), generator.architecture.size)
    made = drawn_shapes(generator, SHAPES, 0)
    numbers = picture_numbers(generator, lessons, PICTURES, random_features()) | spread(generator, lessons)
    numbers |= surface_numbers(generator, made, lessons.labels)
    if given.meshes is not None:
        numbers |= against(meshes_of(made), true_meshes(given.meshes, SHAPES, 0))
    save_sheet(generator, ROOT / "docs" / "images" / f"geogen-{given.name}.jpg")
    cost = [[report[key] for key in ("kimg", "steps", "seconds", "cpu_seconds", "parameters", "critic_parameters")]]
    columns = ["kimg", "steps", "seconds", "CPU-s", "parameters", "of the critic"]
    found = [[meaning, numbers[key]] for key, meaning in MEANINGS.items() if numbers.get(key) is not None]
    found += [
        ["mean pairwise distance of pictures", numbers["pictures_apart"]],
        ["the same of real pictures", numbers["pictures_apart_real"]],
    ]
    write_result(
        f"geogen_toy_{given.name}",
        f"A toy generator of {given.name}",
        [table("Training", columns, cost), table("What it draws", ["", "value"], found)],
        notes(numbers, read_json(given.run / "config.json"), given.name),
    )


def notes(numbers: dict[str, Any], config: dict[str, Any], name: str) -> list[str]:
    likeness = f" with `--likeness {config['likeness']:g}`" if config.get("likeness") else ""
    return [
        f"Preset `toy`{likeness}, {'begun with another generator' if config.get('start') else 'from nothing'}, on a "
        f"processor that did other work too; {SAMPLES} random samples, not truncated: docs/images/geogen-{name}.jpg.",
        f"Of pictures: {numbers['pictures']} drawn ones and as many real ones by the same cameras, compared by the "
        f"features {numbers['features']}, which are not FID's; apart: mean over all pairs of the root mean square of "
        "the difference in sRGB, 0 to 1.",
        f"Of shapes: {numbers['shapes']} meshes of latents that are not truncated"
        + (
            f", and as many true shapes that it never saw; {CLOUD:,} points of the outer surface of each, in a unit "
            "frame of its own."
            if "one_nna" in numbers
            else "."
        ),
    ]


def spread(generator: GeoGen, lessons: Lessons) -> dict[str, float]:
    """Mean distance between two pictures, of drawn ones and of real ones by the same cameras."""
    chosen = np.random.default_rng(0).permutation(len(lessons))[:PICTURES]
    labels = lessons.labels[chosen]
    fake = drawn_pictures(generator, latents(generator, labels, 0), labels, lessons.background)
    return {"pictures_apart": apart(fake), "pictures_apart_real": apart(lessons.pictures(chosen))}


def apart(pictures: np.ndarray) -> float:
    flat = torch.as_tensor(pictures).flatten(1).double() / 255
    count, size = flat.shape
    return float((torch.cdist(flat, flat) / size**0.5).sum() / (count * (count - 1)))


def against(generated: list[trimesh.Trimesh], real: list[trimesh.Trimesh]) -> dict[str, Any]:
    """The numbers of `compare_sets`; floor: chamfer_l1 between two clouds of one true shape, what is due to chance."""
    clouds = [[outer_cloud(mesh, 0) for mesh in meshes] for meshes in (generated, real)]
    again = [outer_cloud(mesh, 1) for mesh in real]
    floor = float(np.mean([chamfer_l1(first, second) for first, second in zip(clouds[1], again, strict=True)]))
    return compare_sets(*clouds) | {"hollow_real": hollow(real), "floor": floor}


def outer_cloud(mesh: trimesh.Trimesh, seed: int) -> np.ndarray:
    """Points of a mesh in its unit frame, but none within it: true shapes are of parts that run into each other."""
    mesh = in_own_frame(mesh)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    points, face = sample_surface(mesh, SPARE * CLOUD, seed)
    within = sides(MeshDistance(vertices, faces), points, face_normals(vertices, faces)[face], STEP).inner
    return points[~within][:CLOUD]


def save_sheet(generator: GeoGen, path: Path) -> None:
    """A column for each sample: from all around, then depth, normals and mesh from the first side."""
    cameras = [orbit(360 / SIDES * k, ELEVATION) for k in range(SIDES)]
    labels = torch.tensor([label_of(camera) for camera in cameras], dtype=torch.float32)
    drawn = Image.fromarray(sheet(generator, cameras, labels, list(range(SAMPLES)), torch.ones(3)))
    small = drawn.resize((WIDTH, round(drawn.height * WIDTH / drawn.width)), Image.Resampling.LANCZOS)
    path.parent.mkdir(exist_ok=True)
    small.save(path, quality=QUALITY, subsampling=0, optimize=True)


if __name__ == "__main__":
    main()
