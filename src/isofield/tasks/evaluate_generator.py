"""isofield evaluate RUN VIEWS: a generator against the pictures it learned from, and against true meshes."""

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from rich.table import Table

from isofield.errors import InputError
from isofield.mesh.outer import boundary_mesh
from isofield.mesh.read import READABLE, read_mesh
from isofield.metrics.features import face_features, random_features, script_features
from isofield.progress import progress
from isofield.runs import load_generator
from isofield.settings.shapes import EvaluateSettings
from isofield.tasks.generator_numbers import drawn_shapes, meshes_of, picture_numbers, set_numbers, surface_numbers
from isofield.views.lessons import Lessons
from isofield.views.read import read_views

FEWEST = 4  # pictures of a set: two halves of two
COUNT, SHAPES = 1000, 32  # pictures and shapes by default


def evaluate_generator(settings: EvaluateSettings) -> dict[str, Any]:
    """The generator of a run or of a checkpoint against a set of pictures; keys as docs/command.md lists them.

    Raises InputError where there is no generator, no set, too few pictures, or a file of features cannot be used.
    """
    if settings.preset != "default":
        raise InputError("--preset", "is for meshes", "leave it out: shapes drawn at random have no true mesh each")
    features = script_features(settings.features) if settings.features else random_features()
    identity = face_features(settings.identity) if settings.identity else None
    generator = load_generator(settings.prediction)
    lessons = Lessons(read_views(settings.truth), generator.architecture.size)
    if len(lessons) < FEWEST:
        raise InputError(settings.truth, f"has too few pictures ({len(lessons)})", f"name a set of at least {FEWEST}")
    count, shapes = settings.count or COUNT, settings.shapes or SHAPES
    truths = true_meshes(settings.meshes, shapes, settings.seed) if settings.meshes else []
    made = drawn_shapes(generator, shapes, settings.seed)
    return {
        "prediction": str(settings.prediction),
        "truth": str(settings.truth),
        "seed": settings.seed,
        **picture_numbers(generator, lessons, count, features, identity, settings.seed),
        **surface_numbers(generator, made, lessons.labels, settings.seed),
        **set_numbers(meshes_of(made), truths),
    }


def true_meshes(folder: Path, count: int, seed: int) -> list[trimesh.Trimesh]:
    """The boundaries of so many of the shapes in a folder, drawn by the seed; raises InputError for fewer than two.

    What lies within them is no surface that a generator could learn from pictures.
    """
    if not folder.is_dir():
        raise InputError(folder, "is no folder", "name the folder of the true meshes")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in READABLE and path.is_file())
    if len(files) < 2:
        raise InputError(folder, f"holds {len(files)} meshes", "name a folder of at least 2")
    chosen = np.random.default_rng(seed).permutation(len(files))[:count]
    found = []
    with progress("true shapes", len(chosen)) as advance:
        for number in chosen:
            found.append(boundary_mesh(read_mesh(files[number])))
            advance(len(found))
    return found


def generator_table(result: dict[str, Any]) -> Table:
    """What `evaluate_generator` found, to be read by people."""
    name = result["features"]
    shown = Table(title=f"{result['prediction']} against {result['truth']}", title_justify="left")
    shown.add_column("metric")
    for column in ("generated", "real"):
        shown.add_column(column, justify="right")
    titles = {
        "fid": "FID", "kid": "KID", "frechet_distance": f"{name} Frechet distance",
        "kernel_distance": f"{name} kernel distance", "view_consistency": f"{name} view consistency",
        "identity": f"{result.get('identity_features')} identity",
    }  # fmt: skip
    others = ("_floor", "_real")
    for key, value in result.items():
        if key in ("prediction", "truth", "features", "identity_features") or key.endswith(others):
            continue
        beside = next((result[key + other] for other in others if key + other in result), "")
        shown.add_row(titles.get(key, key.replace("_", " ")), _text(value), _text(beside))
    return shown


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
