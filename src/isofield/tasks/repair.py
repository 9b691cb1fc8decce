"""`isofield repair`: any triangles become a closed, manifold, oriented mesh, through their distance."""

import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Bool, Float
from trimesh.visual import ColorVisuals

from isofield.errors import InputError, IsofieldError
from isofield.fields.exact import INSET, ExactField
from isofield.fields.field import Field
from isofield.fields.shell import ShellField
from isofield.frame import UnitFrame
from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.audit import audit, audit_file
from isofield.mesh.cleanup import CleanUp, cleaned
from isofield.mesh.color import color_kind, surface_colors
from isofield.mesh.distance import MeshDistance
from isofield.mesh.enclosure import Sides, sides
from isofield.mesh.holes import close_holes
from isofield.mesh.inspect import count_holes
from isofield.mesh.read import read_mesh, weld_arrays
from isofield.mesh.write import check_writable, write_mesh
from isofield.meshing.extract import Extraction, Progress, extract, rgba
from isofield.meshing.planes import MeshSurface
from isofield.meshing.sharpen import sharpen
from isofield.settings.shapes import RepairSettings
from isofield.tasks.findings import Fate, Findings, Guesses, fate, guesses

SAMPLES = 50_000  # points on the input that are asked what became of them
STEP = 1e-4  # how far beside the input its two sides are asked, in the unit frame
ENCLOSED = 0.5  # a mesh of which a smaller share bounds an inside is an open sheet
PADDING = 2.5  # cells between the shape and the border of the lattice; flat sides come to lie between its points
THINNEST = 2  # cells that a wall must be thick


@dataclass(frozen=True)
class Repaired:
    """mesh: closed, manifold, oriented, in the input's frame, with its colours; findings: what was done and guessed."""

    mesh: trimesh.Trimesh
    findings: Findings


@dataclass(frozen=True)
class Source:
    """The input, its cleaned triangles in the unit frame, and samples of their area with the two sides of each.

    closed: the same triangles with `patched` small holes closed.
    """

    mesh: trimesh.Trimesh
    cleaned: CleanUp
    frame: UnitFrame
    surface: MeshDistance
    closed: MeshDistance
    patched: int
    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    sides: Sides

    @classmethod
    def of(cls, mesh: trimesh.Trimesh, name: str = "mesh", seed: int = 0) -> "Source":
        """Raises InputError where no triangle has an area."""
        frame, vertices, faces, done = cleaned(mesh, name)
        surface = MeshDistance(vertices, faces)
        points, face = sample_surface(trimesh.Trimesh(vertices, faces, process=False), SAMPLES, seed)
        normals = face_normals(vertices, faces)[face]
        both = sides(surface, points, normals, STEP)
        patched = close_holes(vertices, faces)
        closed = MeshDistance(patched.vertices, patched.faces) if patched.holes else surface
        return cls(mesh, done, frame, surface, closed, patched.holes, points, normals, both)


def repair(
    mesh: trimesh.Trimesh,
    resolution: int = 256,
    *,
    thickness: float | None = None,
    seed: int = 0,
    name: str = "mesh",
    progress: Progress | None = None,
) -> Repaired:
    """Mesh the zero level of the exact distance to `mesh`, on `resolution` points along its longest side.

    Faces are cleaned (`clean_faces`), small holes closed smoothly (`close_holes`), and the sign is the winding
    number's, so large holes are spanned, inner walls vanish and cavities stay. Edges and corners are put back
    (`sharpen`). thickness: build a closed wall so thick (user's units) around all triangles instead, for sheets that
    have no inside. name: what errors call the input.
    Raises InputError for an open sheet without `thickness`, for a wall thinner than two cells, and where no part is
    thick enough to be seen at this resolution.
    """
    source = Source.of(mesh, name, seed)
    extraction, features, cell = _surface(source, resolution, thickness, name, progress)
    new = MeshDistance(extraction.vertices_unit, extraction.mesh.faces)
    result = _colored(extraction.mesh, new, source)
    if thickness is None:
        missing = new.closest(source.points).distance > cell
        told, guessed = (
            fate(source.sides, missing, _shallow(source, cell)),
            guesses(source.surface, new, cell, source.frame.scale),
        )
    else:
        told, guessed = Fate(), Guesses()
    return Repaired(
        result,
        Findings(
            before=audit(mesh),
            cleaned=source.cleaned,
            after=audit(result),
            holes=_holes(mesh),
            patched=source.patched if thickness is None else 0,
            fate=told,
            guesses=guessed,
            features=features,
            cell=cell * source.frame.scale,
            thickness=thickness,
        ),
    )


def _surface(
    source: Source, resolution: int, thickness: float | None, name: str, progress: Progress | None
) -> tuple[Extraction, int, float]:
    """The new surface, how many vertices were put on edges and corners, and the length of a cell in the unit frame."""
    if thickness is not None:
        field, cell = _shell(source, resolution, thickness)
        return extract(field, resolution, progress=progress), 0, cell
    share = float(source.sides.encloses.mean())
    if share < ENCLOSED:
        fault = f"is an open sheet: it has an inside behind {100 * share:.0f} % of its area"
        raise InputError(name, fault, "give --thickness T, in the file's units, to build a closed wall around it")
    exact = ExactField(source.closed.vertices, source.closed.faces, source.frame)
    cell = _fit_bounds(exact, source.surface, resolution, 0.0)
    try:
        extraction = extract(exact, resolution, progress=progress)
    except IsofieldError as error:
        fault = f"no part of it is thicker than a cell ({cell * source.frame.scale:.3g})"
        raise InputError(name, fault, "raise --resolution, or give --thickness T") from error
    sharpened = sharpen(extraction, exact, resolution, MeshSurface(source.closed))
    return sharpened.extraction, sharpened.features, cell


def _shell(source: Source, resolution: int, thickness: float) -> tuple[ShellField, float]:
    scale = source.frame.scale
    field = ShellField(source.surface, thickness / scale, source.frame)
    cell = _fit_bounds(field, source.surface, resolution, thickness / scale / 2)
    if thickness < THINNEST * cell * scale:
        fault = f"{thickness:g} is thinner than {THINNEST} cells of {cell * scale:.3g}"
        raise InputError("--thickness", fault, f"give at least {THINNEST * cell * scale:.3g}, or a larger --resolution")
    return field, cell


def _fit_bounds(field: Field, surface: MeshDistance, resolution: int, beyond: float) -> float:
    """Draw the field's bounds close around the triangles and what lies `beyond` them; returns the length of a cell."""
    used = surface.vertices[surface.faces.reshape(-1)]
    low, high = used.min(0) - beyond, used.max(0) + beyond
    cell = float((high - low).max()) / (resolution - 1 - 2 * PADDING)
    low, high = low - PADDING * cell, high + PADDING * cell
    field.bounds = (tuple(low.tolist()), tuple(high.tolist()))
    return float((high - low).max()) / (resolution - 1)


def _colored(result: trimesh.Trimesh, new: MeshDistance, source: Source) -> trimesh.Trimesh:
    """`result` with the colours that the input has, texture or not, where it is closest to each vertex."""
    if color_kind(source.mesh) == "none":
        return result
    near = source.surface.closest(new.vertices)
    corners = source.surface.vertices[source.surface.faces[near.face]]
    points = source.frame.to_user(near.point + INSET * (corners.mean(1) - near.point))
    colors = surface_colors(source.mesh, source.cleaned.kept[near.face], points)
    result.visual = ColorVisuals(result, vertex_colors=rgba(colors))
    return result


def _shallow(source: Source, cell: float) -> Bool[np.ndarray, " n"]:
    """The samples with the outside again less than a cell behind them."""
    return source.surface.winding_number(source.points - cell * source.normals) < 0.5


def _holes(mesh: trimesh.Trimesh) -> int:
    vertices, faces = weld_arrays(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    return count_holes(faces, len(vertices))


def run_repair(settings: RepairSettings) -> dict[str, Any]:
    """Read, repair, write, and audit the file as read back with equal vertices merged; returns the verb's JSON.

    Raises InputError for what cannot be read, repaired or written, before anything is written.
    """
    check_writable(settings.output)
    begun = time.perf_counter()
    mesh = read_mesh(settings.input)
    repaired = repair(
        mesh,
        settings.resolution,
        thickness=settings.thickness,
        seed=settings.seed,
        name=str(settings.input),
        progress=lambda message: print(f"repair: {message}", file=sys.stderr),
    )
    write_mesh(repaired.mesh, settings.output)
    findings = replace(repaired.findings, after=audit_file(settings.output))
    return {
        "input": str(settings.input),
        "output": str(settings.output),
        "resolution": settings.resolution,
        **findings.to_json(),
        "color": color_kind(mesh),
        "seconds": time.perf_counter() - begun,
    }


def described(report: dict[str, Any]) -> str:
    """What `run_repair` returned, for people."""
    yes = {True: "yes", False: "no"}
    rows = {
        "closed, manifold, oriented": ", ".join(yes[report[key]] for key in ("watertight", "manifold", "oriented")),
        "faces, vertices": f"{report['faces']:,} faces, {report['vertices']:,} vertices",
        "pieces": f"{report['components']:,}",
        "volume": f"{report['volume']:.6g}",
        "cell": f"{report['cell_user']:.3g}",
    }
    lines = [report["output"], *(f"  {name:27} {value}" for name, value in rows.items())]
    lines += ["  repaired", *(f"  - {line}" for line in report["repaired"])]
    lines += ["  doubtful", *(f"  - {line}" for line in report["doubtful"] or ["nothing"])]
    return "\n".join(lines) + "\n"
