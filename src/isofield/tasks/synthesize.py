"""`isofield synthesize`: shapes of a family, each from its own seed, with their parts and a contact sheet."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.visual import ColorVisuals

from isofield import jobs
from isofield.files import is_plain, read_json, sha256, write_json
from isofield.mesh.audit import vertex_components
from isofield.mesh.read import read_mesh
from isofield.mesh.write import vertex_colors, write_mesh
from isofield.progress import progress
from isofield.runs import open_run
from isofield.settings.families import SynthesizeSettings
from isofield.synthesis.assemble import assemble
from isofield.synthesis.document import document
from isofield.synthesis.families import FAMILIES, VERSION

NAME = re.compile(rf"({'|'.join(FAMILIES)})_\d{{5,}}\.(ply|json)")
SHOWN = 30  # shapes on the contact sheet
VIEWS = {"heads": ((0.0, 5.0), (50.0, 5.0), (180.0, 5.0))}
TWO_SIDES = ((35.0, 15.0), (215.0, 15.0))


@dataclass(frozen=True)
class Order:
    """One shape to make: the same order gives the same bytes, whichever process does it."""

    folder: Path
    family: str
    seed: int
    index: int
    union: int | None

    @property
    def name(self) -> str:
        return f"{self.family}_{self.index:05d}"

    @property
    def mesh(self) -> Path:
        return self.folder / f"{self.name}.ply"

    @property
    def about(self) -> Path:
        return self.folder / f"{self.name}.json"


def run_synthesize(settings: SynthesizeSettings) -> dict[str, Any]:
    """Make what is missing, then the manifest and the sheet; returns the verb's JSON.

    Raises InputError where the folder holds shapes of another family or seed.
    """
    begun = time.perf_counter()
    union = settings.resolution if settings.union else None
    config = {"family": settings.family, "seed": settings.seed, "union": union, "version": VERSION}
    folder = settings.output
    with open_run(folder, {**config, "count": settings.count}, length=("count",), restart=settings.restart):
        if settings.restart:
            _clear(folder)
        orders = [Order(folder, settings.family, settings.seed, index, union) for index in range(settings.count)]
        made = _make(orders, settings)
        entries = [_entry(order) for order in orders]
        write_json(folder / "manifest.json", {**config, "count": settings.count, "shapes": entries})
        sheet = folder / "sheet.png"
        if made or not sheet.exists():
            _draw_sheet(orders[:SHOWN], settings.family, sheet)
    seconds = time.perf_counter() - begun
    return {
        "output": str(folder),
        "family": settings.family,
        "count": settings.count,
        "made": made,
        "sheet": str(sheet),
        "seconds": seconds,
    }


def _make(orders: list[Order], settings: SynthesizeSettings) -> int:
    """Make the shapes that are not there whole; returns how many."""
    missing = [order for order in orders if not is_done(order)]
    done = len(orders) - len(missing)
    with progress(f"synthesize {settings.family}", len(orders)) as advance:
        for _ in jobs.map_jobs(make, missing, jobs=settings.jobs, backend=settings.backend):
            done += 1
            advance(done)
    return len(missing)


def is_done(order: Order) -> bool:
    """Whether both files are there and the mesh is the one that was written with its description."""
    return is_plain(order.about) and is_plain(order.mesh) and read_json(order.about).get("sha256") == sha256(order.mesh)


def make(order: Order) -> None:
    """Write one shape: first the mesh, then what tells that it is whole."""
    drawn = FAMILIES[order.family](np.random.default_rng((order.seed, order.index)))
    shape = drawn.in_unit_frame()
    mesh = assemble(shape.parts)
    write_mesh(_united(mesh, order.union) if order.union else mesh, order.mesh)
    about = {
        "mesh": order.mesh.name,
        "sha256": sha256(order.mesh),
        "family": order.family,
        "seed": order.seed,
        "index": order.index,
        "union": order.union is not None,
        "frame": drawn.frame().to_json(),
        **document(shape),
    }
    write_json(order.about, about)


def _united(mesh: trimesh.Trimesh, resolution: int) -> trimesh.Trimesh:
    """One closed surface around all parts, with their colours, through the exact distance to them."""
    from isofield.tasks.repair import repair

    return without_cavities(repair(mesh, resolution).mesh)


def without_cavities(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The pieces of a closed mesh that face outward: what its parts enclose between them is filled."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    piece = vertex_components(faces, len(vertices))[faces[:, 0]]
    a, b, c = np.moveaxis((vertices - vertices.mean(0))[faces], 1, 0)
    volume = np.bincount(piece, np.einsum("nd,nd->n", a, np.cross(b, c)))
    kept = faces[volume[piece] > 0]
    used, corners = np.unique(kept, return_inverse=True)
    solid = trimesh.Trimesh(vertices[used], corners.reshape(-1, 3), process=False)
    colors = vertex_colors(mesh)
    if colors is not None:
        solid.visual = ColorVisuals(solid, vertex_colors=colors[used])
    return solid


def _clear(folder: Path) -> None:
    """Remove what an earlier call made, of any family, and nothing else."""
    for path in folder.iterdir():
        if NAME.fullmatch(path.name) or path.name in ("manifest.json", "sheet.png"):
            path.unlink()


def _entry(order: Order) -> dict[str, Any]:
    about = read_json(order.about)
    return {
        "mesh": order.mesh.name,
        "about": order.about.name,
        **{key: about[key] for key in ("sha256", "label", "index", "frame")},
        "parts": len(about["parts"]),
    }


def _draw_sheet(orders: list[Order], family: str, path: Path) -> None:
    from isofield.render.pictures import save_png
    from isofield.render.sheet import contact_sheet

    meshes = (read_mesh(order.mesh) for order in orders)
    save_png(contact_sheet(meshes, VIEWS.get(family, TWO_SIDES)), path)
