"""`isofield repair` on broken files, and what is left of sharp edges: python benchmarks/repair.py [--resolution 256].

With --picture it also writes docs/images/repair.png.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from common import ROOT, table, write_result
from isofield.data import bundled
from isofield.errors import InputError
from isofield.fields.exact import ExactField
from isofield.files import replacing
from isofield.frame import UnitFrame
from isofield.mesh.audit import audit, audit_file
from isofield.mesh.distance import MeshDistance
from isofield.mesh.read import read_mesh, weld
from isofield.meshing.extract import extract
from isofield.meshing.planes import MeshSurface
from isofield.meshing.sharpen import sharpen
from isofield.metrics.surface import Surface, both_ways
from isofield.render.pictures import side_by_side, view
from isofield.settings.shapes import RepairSettings
from isofield.tasks.repair import run_repair

SHARED = ROOT.parent / "shared" / "data"
DERIVED = {
    "spot_flipped30": "spot_low_resolution.obj",
    "koala_soup": "koala_low_resolution.obj",
    "penguin_doublewall": "penguin.obj",
    "fish_holes": "fish_low_resolution.obj",
}
SHARP = 40  # degrees between faces from which an edge is counted
PICTURED = ("fish_holes.obj", "koala_soup.stl", "spot_flipped30.ply", "penguin_doublewall.off")


def broken_files() -> list[Path]:
    """All broken files beside the repository, or the bundled ones."""
    folder = SHARED / "broken"
    if folder.is_dir():
        return sorted(path for path in folder.iterdir() if path.is_file())
    return [bundled(name) for name in PICTURED]


def truth_of(path: Path) -> tuple[str, float | None]:
    """What the true volume is known from, and the volume."""
    intact = SHARED / "classic" / DERIVED.get(path.stem, "-")
    if intact.exists():
        return "the intact model", audit_file(intact).volume
    before = audit_file(path)
    if before.watertight and before.oriented:
        return "the file, closed", before.volume
    return "unknown", None


def repaired(path: Path, resolution: int) -> list[Any]:
    """One row of the table of files."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        try:
            out = Path(folder) / "out.ply"
            report = run_repair(RepairSettings(input=path, output=out, resolution=resolution))
        except InputError as error:
            return [path.name, f"refused: {error.fault}", *[None] * 9]
        seconds = time.process_time() - begun
    known, volume = truth_of(path)
    return [
        path.name,
        "; ".join(report["repaired"]),
        report["watertight"] and report["manifold"] and report["oriented"],
        report["components"],
        report["faces"],
        known,
        None if volume is None else round(report["volume"] / volume, 4),
        *(round(100 * report[f"{share}_share"], 2) for share in ("invented", "sheet", "thin")),
        round(seconds, 1),
    ]


def union_volume(path: Path, count: int = 2_000_000) -> float:
    """Volume of the union of a file's closed pieces, by counting points; good to about a thousandth."""
    pieces = weld(read_mesh(path)).split(only_watertight=True)
    low, high = np.min([p.bounds[0] for p in pieces], 0), np.max([p.bounds[1] for p in pieces], 0)
    points = np.random.default_rng(0).uniform(low, high, (count, 3))
    inside = np.any([MeshDistance(p.vertices, p.faces).winding_number(points) > 0.5 for p in pieces], axis=0)
    return float(inside.mean() * np.prod(high - low))


def turned_box() -> trimesh.Trimesh:
    box = trimesh.creation.box((1, 0.7, 0.5))
    return box.apply_transform(trimesh.transformations.euler_matrix(0.3, 0.5, 0.7))


def sharp_shapes() -> dict[str, trimesh.Trimesh]:
    found = {"turned box": turned_box(), "featuretype": read_mesh(bundled("featuretype.stl"))}
    if (SHARED / "classic" / "angle_block.STL").exists():
        found["angle_block"] = read_mesh(SHARED / "classic" / "angle_block.STL")
    return found


def sharpened(name: str, mesh: trimesh.Trimesh, resolution: int) -> list[list[Any]]:
    """Two rows of the table of edges: marching cubes as it is, and with features."""
    field, cell = ExactField.of(mesh), 2 / (resolution - 1)
    begun = time.process_time()
    plain = extract(field, resolution)
    middle = time.process_time()
    sharp = sharpen(plain, field, resolution, MeshSurface(field.mesh_distance)).extraction
    times = (middle - begun, time.process_time() - middle)
    rows = []
    for label, result, seconds in zip(("as it is", "with features"), (plain.mesh, sharp.mesh), times, strict=True):
        closed = audit(result)
        numbers = edge_numbers(result, mesh, field.frame, cell)
        whole = closed.watertight and closed.manifold and closed.oriented
        rows.append([name, resolution, label, *(round(number, 4) for number in numbers), whole, round(seconds, 2)])
    return rows


def edge_numbers(result: trimesh.Trimesh, truth: trimesh.Trimesh, frame: UnitFrame, cell: float) -> list[float]:
    """Mean gap of the true edges to the result, in cells; mean error of normals in degrees; mean distance in cells."""
    surface = MeshDistance(frame.to_unit(result.vertices), result.faces)
    gap = surface.closest(frame.to_unit(edge_points(truth))).distance.mean() / cell
    ways = both_ways(Surface.of(result, frame), Surface.reference(truth, frame), 50_000)
    cosine = np.concatenate([ways.pred.cosine, ways.truth.cosine])
    distance = (ways.pred.distance.mean() + ways.truth.distance.mean()) / 2 / cell
    return [float(gap), float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()), float(distance)]


def edge_points(mesh: trimesh.Trimesh, count: int = 20_000) -> np.ndarray:
    """Points evenly along the edges where faces meet at more than SHARP degrees."""
    mesh, rng = weld(mesh), np.random.default_rng(0)
    ends = mesh.vertices[mesh.face_adjacency_edges[mesh.face_adjacency_angles > np.radians(SHARP)]]
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    edge, t = rng.choice(len(ends), count, p=length / length.sum()), rng.random((count, 1))
    return ends[edge, 0] * (1 - t) + ends[edge, 1] * t


def sheet(resolution: int) -> None:
    """Broken and repaired in pairs, and an edge with and without features, as docs/images/repair.png."""
    rows = []
    for first in range(0, len(PICTURED), 2):
        images, titles = [], []
        for name in PICTURED[first : first + 2]:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "out.ply"
                run_repair(RepairSettings(input=bundled(name), output=out, resolution=resolution))
                images += [view(read_mesh(bundled(name)), 280, flat=True), view(read_mesh(out), 280)]
            titles += [name, "repaired"]
        rows.append(side_by_side(images, titles))
    mesh = turned_box()
    field = ExactField.of(mesh)
    plain = extract(field, 28)
    sharp = sharpen(plain, field, 28, MeshSurface(field.mesh_distance)).extraction.mesh
    part = read_mesh(bundled("featuretype.stl"))
    field = ExactField.of(part)
    cut = extract(field, 96)
    kept = sharpen(cut, field, 96, MeshSurface(field.mesh_distance)).extraction.mesh
    images = [view(shown, 280, flat=True) for shown in (plain.mesh, sharp, cut.mesh, kept)]
    rows.append(side_by_side(images, ["grid of 28", "with features", "grid of 96", "with features"]))
    picture = Image.fromarray(np.concatenate(rows)).quantize(96)
    with replacing(ROOT / "docs" / "images" / "repair.png") as temporary:
        picture.save(temporary, format="PNG", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--picture", action="store_true")
    options = parser.parse_args()
    if options.picture:
        sheet(options.resolution)
    files = []
    for path in broken_files():
        files.append(repaired(path, options.resolution))
        print(*files[-1], sep=" | ", flush=True)
    edges = []
    for name, mesh in sharp_shapes().items():
        for resolution in (64, 128, options.resolution):
            edges += sharpened(name, mesh, resolution)
            print(*edges[-2:], sep="\n", flush=True)
    columns = ["file", "repaired", "closed, manifold, oriented", "pieces", "faces", "true volume from", "volume / true"]
    columns += ["invented %", "sheets left out %", "thinner than a cell %", "CPU-s"]
    tables = [
        table(f"Broken files at {options.resolution}", columns, files),
        table(
            f"Edges sharper than {SHARP} degrees",
            [
                "shape",
                "resolution",
                "marching cubes",
                "gap, cells",
                "normals, degrees",
                "surface, cells",
                "whole",
                "CPU-s",
            ],
            edges,
        ),
    ]
    write_result("repair", "Repair", tables, notes())


def notes() -> list[str]:
    double = SHARED / "broken" / "penguin_doublewall.off"
    lines = [
        "Volumes are of the file as read back. Invented: share of the new surface farther than a cell from every "
        "triangle; left out, thinner: shares of the input's area.",
        "gap: mean distance of the true edges to the result; normals: mean angle between normals at nearest points, "
        "both ways; surface: mean distance, both ways; whole: closed, manifold and oriented. The lattice spans the "
        "cube of the unit frame.",
    ]
    if double.exists():
        union, alone = union_volume(double), audit_file(SHARED / "classic" / "penguin.obj").volume
        lines.append(
            f"penguin_doublewall: its second wall, 2 % smaller, pokes out of the first; the union of both has "
            f"{union / alone:.4f} times the volume of the penguin (two million points)."
        )
    return lines


if __name__ == "__main__":
    main()
