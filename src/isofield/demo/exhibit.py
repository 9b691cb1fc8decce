"""What the page shows of one fitted model: input and result to turn, where they differ, and the numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float

from isofield.demo.display import Shown, View, decimated, refined, to_uint8
from isofield.demo.page import Exhibit, Number, Picture
from isofield.mesh.distance import MeshDistance
from isofield.mesh.read import read_mesh
from isofield.render.colormap import error_colors, round_limit


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


DOWNLOADS = ("mesh.glb", "mesh.ply", "report.json")
CAPTION = "Input; result; the result's faces close up; distance from the result to the input, in the file's units."

# Name on the page, key of the report, how to write it, what it means.
FIGURES: list[tuple[str, str, Callable, str]] = [
    ("closed", "watertight", _yes, "No open edge in the file as read back: the mesh encloses a volume."),
    (
        "mean error",
        "point_to_surface",
        _percent,
        "Mean exact distance between the two surfaces; 100 % is the model's radius and 3 % margin.",
    ),
    ("stored field", "bytes", _size, "Weights only; neither the mesh nor a grid of distances."),
    ("time", "seconds", "{:.0f} s".format, "Sampling and training; extraction and measuring come on top."),
    ("manifold", "manifold", _yes, "Every edge belongs to two faces, every vertex to one fan of them."),
    (
        "mean error, user units",
        "point_to_surface_user",
        "{:.3g}".format,
        "The same in the units of the model's own file.",
    ),
    ("normals", "normal_consistency", "{:.4f}".format, "Mean cosine of nearest normals: 1 is perfect, -1 inside out."),
    ("largest error", "hausdorff", _percent, "The farthest that either surface strays from the other (Hausdorff)."),
    ("ghosts", "ghost_components", "{:d}".format, "Pieces of the result that are far from the input everywhere."),
    ("parameters", "parameters", "{:,d}".format, "Numbers that were learned."),
]


def fitted_exhibit(plan: Exhibit, source: Path, run: Path, report: dict) -> Exhibit:
    """The plan (title, text, commands, ...) with what a run folder has to show: views, pictures, numbers, downloads.

    run: folder with mesh.ply, mesh.glb, report.json, preview.png; source: the mesh it was fitted to; report: keys as in
    report.json, a number whose key is missing is left out.
    """
    before, after = read_mesh(source), read_mesh(run / "mesh.ply")
    views, top = compared_views(before, after)
    preview = run / "preview.png"
    return replace(
        plan,
        views=views,
        heat=heat_label(top, before),
        pictures=[Picture(preview.read_bytes(), CAPTION)] if preview.exists() else [],
        numbers=numbers(report),
        downloads=[(name, f"{run.name}/{name}") for name in DOWNLOADS if (run / name).exists()],
    )


def compared_views(before: trimesh.Trimesh, after: trimesh.Trimesh) -> tuple[list[View], float]:
    """Both meshes with layers "color" (where there are colours) and "error" (distance to the other mesh).

    Also returns the distance, in the meshes' own units, that the dark end of the error colours stands for.
    """
    source, result = refined(before), decimated(after)
    missing, added = _distance(source.mesh, after), _distance(result.mesh, before)
    top = round_limit(np.concatenate([missing, added]))
    less = f", {len(result.mesh.faces):,} shown" if len(result.mesh.faces) < len(after.faces) else ""
    return [
        _view(f"Input: {len(before.faces):,} triangles", source, missing, top),
        _view(f"Result: {len(after.faces):,} triangles{less}", result, added, top),
    ], top


def numbers(report: dict) -> list[Number]:
    """The report's figures as text, each with a sentence on what it means; what the report lacks is left out."""
    shown = [row for row in FIGURES if report.get(row[1]) is not None]
    return [Number(name, form(report[key]), meaning) for name, key, form, meaning in shown]


def _view(label: str, shown: Shown, error: np.ndarray, top: float) -> View:
    colors = {} if shown.colors is None else {"color": shown.colors}
    return View(label, shown.mesh, shown.normals, colors | {"error": to_uint8(error_colors(error, top))})


def _distance(mesh: trimesh.Trimesh, other: trimesh.Trimesh) -> Float[np.ndarray, " v"]:
    return MeshDistance(other.vertices, other.faces).closest(np.asarray(mesh.vertices)).distance


def heat_label(top: float, mesh: trimesh.Trimesh) -> str:
    """The red end in the model's units and in percent of its longest side."""
    return f"{top:.3g} and more ({100 * top / float(mesh.extents.max()):.2g} % of the longest side)"
