"""What is to be seen: meshes, clouds and runs, named, with what they can be compared to. (Imports torch.)"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Shaped

from isofield.cloud.cloud import Cloud
from isofield.cloud.read import looks_like_cloud, read_cloud
from isofield.data import located
from isofield.errors import InputError, IsofieldError
from isofield.fields.exact import ExactField
from isofield.fields.field import Field
from isofield.files import read_json, sha256
from isofield.frame import MARGIN, UnitFrame
from isofield.mesh.color import color_kind
from isofield.mesh.distance import MeshDistance
from isofield.mesh.ply import parse_header
from isofield.mesh.ply_rows import read_rows
from isofield.mesh.read import read_mesh
from isofield.meshing.extract import extract
from isofield.render.camera import Vector
from isofield.render.pictures import likely_up
from isofield.runs import load, read_config

SEEN = "seen"  # not 0 where a scanner saw the surface, 0 where it was invented
COARSE = 48  # resolution of the mesh that tells how large a field's shape is


class Truth:
    """The mesh that others are measured against."""

    def __init__(self, mesh: trimesh.Trimesh):
        self.distance = MeshDistance(np.asarray(mesh.vertices), np.asarray(mesh.faces))
        self.radius = UnitFrame.of(_used(mesh)).scale / MARGIN

    def errors(self, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Distance of points (user's coordinates) to it, in percent of its radius."""
        return self.distance.closest(points).distance * (100 / self.radius)


@dataclass(frozen=True, eq=False)
class Item:
    """One thing to look at: the mesh or the cloud of a file, or the field of a run.

    outline: points of it (n, 3) that say where it lies and how large it is, in the user's coordinates. up: a guess.
    seen: of a mesh, False at vertices that were invented, if its file says so. scan: the points that a run was fitted
    to, if it was points: its surface was seen where they are near.
    """

    name: str
    shape: trimesh.Trimesh | Cloud | Field
    outline: Float[np.ndarray, "n 3"]
    up: Vector
    truth: Truth | None = None
    seen: Bool[np.ndarray, " v"] | None = None
    scan: Cloud | None = None

    @cached_property
    def frame(self) -> UnitFrame:
        """The unit frame that levels and slices are given in."""
        return self.shape.frame if isinstance(self.shape, Field) else UnitFrame.of(self.outline)

    @cached_property
    def sdf(self) -> Field | None:
        """A signed distance: the run's, or the exact one of a mesh; a cloud has none."""
        if isinstance(self.shape, Cloud):
            return None
        return self.shape if isinstance(self.shape, Field) else ExactField.of(self.shape)

    @property
    def has_color(self) -> bool:
        if isinstance(self.shape, Field):
            return self.shape.has_color
        return self.shape.colors is not None if isinstance(self.shape, Cloud) else color_kind(self.shape) != "none"


def read_items(paths: tuple[Path, ...], truth: Path | None = None) -> list[Item]:
    """One item per path, names distinct; raises InputError as the readers do.

    truth: the mesh that every item is measured against. Without it a run is measured against the mesh that it was
    fitted to, if that is still where it was and unchanged.
    """
    items = [replace(read_item(path), name=name) for path, name in zip(paths, _names(paths), strict=True)]
    if truth is None:
        return items
    reference = Truth(read_mesh(truth))
    return [replace(item, truth=reference) for item in items]


def read_item(path: Path) -> Item:
    """A run if it is a folder or a bundled generator, else a cloud or a mesh."""
    path = located(path)
    if path.is_dir():
        return _run(path)
    if looks_like_cloud(path):
        cloud = read_cloud(path)
        return Item(path.name, cloud, cloud.points, likely_up(cloud.points))
    mesh = read_mesh(path)
    return Item(path.name, mesh, _used(mesh), likely_up(_used(mesh)), seen=seen_vertices(path, len(mesh.vertices)))


def seen_vertices(path: Path, count: int) -> Bool[np.ndarray, " v"] | None:
    """Whether each vertex was seen, if the file is a .ply with the vertex property `seen`; else None."""
    header = parse_header(path) if path.suffix.lower() == ".ply" else None
    if header is None or SEEN not in dict(header.columns.get("vertex", [])):
        return None
    rows = read_rows(path, header)["vertex"].columns
    return rows[SEEN] != 0 if len(rows.get(SEEN, [])) == count else None


def _run(path: Path) -> Item:
    field, source = load(path), run_input(path)
    if source is None:
        outline = _outline(field)
        return Item(path.name, field, outline, likely_up(outline))
    if looks_like_cloud(source):
        outline = _outline(field)  # that of the points would reach to their outliers
        return Item(path.name, field, outline, likely_up(outline), scan=read_cloud(source))
    mesh = read_mesh(source)
    return Item(path.name, field, _used(mesh), likely_up(_used(mesh)), truth=Truth(mesh))


def run_input(path: Path) -> Path | None:
    """The file that a run, or the run of a checkpoint, was fitted to; None if it is gone or changed.

    It is looked for where the report says, and beside the run.
    """
    folder = path.parent if (path / "model.safetensors").exists() else path
    config, report = _stored(folder), folder / "report.json"
    known = read_json(report) if report.exists() else None
    named = [Path(str(known["input"]))] if isinstance(known, dict) and "input" in known else []
    candidates = [*named, folder.parent / str(config.get("input", ""))]
    return next((p for p in candidates if p.is_file() and sha256(p) == config.get("input_sha256")), None)


def _stored(folder: Path) -> dict[str, Any]:
    try:
        return read_config(folder)
    except InputError:  # a checkpoint that was taken out of its run
        return {}


def _outline(field: Field) -> np.ndarray:
    """The vertices of a coarse mesh, or the corners of the bounds if there is none."""
    try:
        return np.asarray(extract(field, COARSE).mesh.vertices)
    except IsofieldError:
        corners = np.stack(np.meshgrid(*np.transpose(field.bounds)), axis=-1)
        return field.frame.to_user(corners.reshape(-1, 3))


def _used(mesh: trimesh.Trimesh) -> np.ndarray:
    return np.asarray(mesh.vertices, np.float64)[np.unique(mesh.faces)]


def _names(paths: tuple[Path, ...]) -> list[str]:
    """Last names; with the folder before those that several share, and a number where that does not help."""
    short = [path.resolve().name for path in paths]
    longer = [
        name if short.count(name) == 1 else f"{path.resolve().parent.name}/{name}"
        for path, name in zip(paths, short, strict=True)
    ]
    seen: Counter[str] = Counter()
    names = []
    for name in longer:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names
