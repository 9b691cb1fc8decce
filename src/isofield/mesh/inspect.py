"""What a mesh file holds, and what a fit will do about it."""

from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Integer

from isofield.mesh.audit import Audit, audit_arrays, degenerate_faces, edges_of, linked
from isofield.mesh.cleanup import CleanUp, clean_faces
from isofield.mesh.color import ColorKind, color_kind
from isofield.mesh.read import read_mesh, weld_arrays

BIG = 5_000_000  # faces beyond which a fit takes minutes of preparation


@dataclass(frozen=True)
class Inspection:
    """Findings, lengths in the file's units, counts after merging equal vertices; plan: what a fit does about each.

    vertices: distinct ones; stored_vertices: as in the file; flipped_faces: faces that look the wrong way; holes:
    chains of boundary edges; unit_hint and up_hint: guesses in words, None where there is no ground for one;
    missing: pictures or material files named but not there.
    """

    file: str
    vertices: int
    stored_vertices: int
    faces: int
    watertight: bool
    manifold: bool
    components: int
    flipped_faces: int
    duplicate_faces: int
    degenerate_faces: int
    nonmanifold_edges: int
    boundary_edges: int
    holes: int
    extent: tuple[float, float, float]
    center: tuple[float, float, float]
    volume: float
    color: ColorKind
    unit_hint: str | None
    up_hint: str | None
    missing: tuple[str, ...]
    plan: tuple[str, ...]

    def to_json(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        unit, yes = self.unit_hint, {True: "yes", False: "no"}
        rows = {
            "faces, vertices": f"{self.faces:,} faces, {self.vertices:,} vertices",
            "closed, manifold": f"{yes[self.watertight]}, {yes[self.manifold]}",
            "pieces": f"{self.components:,}",
            "extent": " x ".join(f"{side:.6g}" for side in self.extent) + (f" ({unit})" if unit else ""),
            "centre": ", ".join(f"{value:.6g}" for value in self.center),
            "colour": self.color,
            "up": self.up_hint or "cannot be told from the file",
        }
        body = "\n".join(f"  {name:17} {value}" for name, value in rows.items())
        return f"{self.file}\n{body}\n  a fit will\n" + "\n".join(f"  - {line}" for line in self.plan)


def inspect(path: str | PathLike) -> Inspection:
    """Read the file and report; raises InputError as `read_mesh` does."""
    mesh = read_mesh(path)
    vertices, faces = weld_arrays(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    checked, (_, cleaned) = audit_arrays(vertices, faces), clean_faces(vertices, faces)
    holes = count_holes(faces, len(vertices))
    low, high = vertices.min(0), vertices.max(0)
    center = low / 2 + high / 2
    return Inspection(
        file=str(path),
        vertices=len(vertices),
        stored_vertices=len(mesh.vertices),
        faces=len(faces),
        watertight=checked.watertight,
        manifold=checked.manifold,
        components=checked.components,
        flipped_faces=int(cleaned.turned.sum()),
        duplicate_faces=checked.duplicate_faces,
        degenerate_faces=checked.degenerate_faces,
        nonmanifold_edges=checked.nonmanifold_edges,
        boundary_edges=checked.boundary_edges,
        holes=holes,
        extent=_triple(high - low),
        center=_triple(center),
        volume=checked.volume,
        color=color_kind(mesh),
        unit_hint=_unit_hint(Path(path), float((high - low).max())),
        up_hint=_up_hint(Path(path)),
        missing=tuple(mesh.metadata.get("missing", ())),
        plan=tuple(_plan(mesh, checked, cleaned, holes, center, high - low)),
    )


def _plan(
    mesh: trimesh.Trimesh, checked: Audit, cleaned: CleanUp, holes: int, center: np.ndarray, extent: np.ndarray
) -> list[str]:
    size, offset = float(extent.max()), float(np.abs(center).max())
    flat, soup = float(extent.min()) == 0, checked.boundary_edges == 3 * checked.faces
    rim = f"{_count(holes, 'hole')}, {_count(checked.boundary_edges, 'boundary edge')}"
    missing = mesh.metadata.get("missing", [])
    turned, extra = int(cleaned.turned.sum()), checked.nonmanifold_edges
    lines = {
        "take it as it is: closed and manifold": checked.watertight and checked.manifold and not turned,
        "find the inside by winding number: a soup, no two triangles share an edge": soup and not flat,
        f"find the inside by winding number: open ({rim}); the result is closed": holes and not flat and not soup,
        "find no inside: all of it lies in one plane": flat,
        f"turn {_count(turned, 'face')} to look outward (on a copy)": turned,
        f"drop {_count(cleaned.repeated, 'repeated face')} (on a copy)": cleaned.repeated,
        f"drop {_count(cleaned.degenerate, 'face')} without area (on a copy)": cleaned.degenerate,
        f"return a manifold where {_count(extra, 'edge')} had more than two faces": extra,
        f"return a manifold where {_count(checked.nonmanifold_vertices, 'vertex', 'vertices')} joined several sheets": (
            checked.nonmanifold_vertices
        ),
        f"keep all {checked.components:,} pieces; where they overlap they become one": checked.components > 1
        and not soup,
        f"centre it (it lies {offset:.4g} off the origin) and write the result where it was": offset > size,
        f"fit its colour ({color_kind(mesh)}) as well": color_kind(mesh) != "none",
        f"do without {', '.join(missing)}, which is not beside the file": missing,
        f"take long over {checked.faces:,} faces; decimate it first if its detail permits": checked.faces > BIG,
    }
    return [line for line, wanted in lines.items() if wanted]


def count_holes(faces: Integer[np.ndarray, "f 3"], vertices: int) -> int:
    """Faces whose equal vertices are merged: the number of connected chains of boundary edges (edges with one face)."""
    edges = edges_of(faces[~degenerate_faces(faces)], vertices)
    rim = edges.ends[edges.faces == 1]
    if not len(rim):
        return 0
    ends = np.unique(rim, return_inverse=True)[1].reshape(-1, 2)
    return int(linked(ends[:, 0], ends[:, 1], int(ends.max()) + 1).max()) + 1


def _unit_hint(path: Path, size: float) -> str | None:
    """glTF is in metres by definition; otherwise only sizes that hardly fit another unit get a guess."""
    if path.suffix.lower() in (".glb", ".gltf"):
        return "metres by the format's definition"
    if path.suffix.lower() == ".stl" or 20 <= size <= 3000:
        return "probably millimetres" if size >= 1 else None
    return "probably metres" if 0.01 <= size <= 0.5 else None


def _up_hint(path: Path) -> str | None:
    return "y, by the format's definition" if path.suffix.lower() in (".glb", ".gltf") else None


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
