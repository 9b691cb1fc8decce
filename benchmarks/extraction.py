"""Extraction: queries against dense, equality, hard fields, random fields, time and memory.

    python benchmarks/extraction.py [--dense 128 256] [--resolutions 128 256 512] [--meshes 8] [--random 1000]

Dense comparison at 256 asks 16.8 million exact distances for each mesh: minutes each.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import trimesh

from common import ROOT, table, write_result

sys.path.insert(0, str(ROOT / "tests" / "meshing"))
from hard_fields import hard_fields
from random_fields import KINDS, random_field

from isofield.fields.exact import ExactField
from isofield.fields.field import Field
from isofield.frame import UnitFrame
from isofield.mesh.audit import audit, audit_file
from isofield.mesh.cleanup import clean_faces
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.meshing.dense import all_crossed_cells
from isofield.meshing.extract import extract
from isofield.meshing.lattice import Lattice, Samples
from isofield.meshing.marching_cubes import marching_cubes, polygonise

SHARED = ROOT.parent / "shared" / "data"
NAMES = (
    "classic/spot_low_resolution.obj",
    "classic/suzanne.ply",
    "classic/featuretype.STL",
    "classic/nefertiti-lowres.ply",
    "scans/Dino_3.glb",
    "scans/Schleich_Lion_Action_Figure.glb",
    "scans/ycb_035_power_drill.glb",
    "scans/Breyer_Horse_Of_The_Year_2015/model.obj",
    "classic/teapot.obj",
    "classic/skull_low_resolution.obj",
)
BUNDLED = ("spot.obj", "lion.glb", "rhino.glb", "featuretype.stl", "octagonal_pocket.ply", "penguin.obj", "torus.obj")


def mesh_paths(count: int) -> list[Path]:
    found = [SHARED / name for name in NAMES if (SHARED / name).exists()]
    return (found or [ROOT / "src/isofield/data" / name for name in BUNDLED])[:count]


def exact_field(path: Path) -> ExactField:
    mesh = read_mesh(path)
    faces, _ = clean_faces(mesh.vertices, mesh.faces)
    frame = UnitFrame.of(mesh.vertices)
    return ExactField(frame.to_unit(mesh.vertices), faces, frame)


class Timed(Field):
    """A field that knows how much processor time its answers took."""

    def __init__(self, field: Field):
        self.field, self.seconds = field, 0.0
        self.frame, self.bounds, self.lipschitz = field.frame, field.bounds, field.lipschitz

    def sdf(self, points):
        start = time.process_time()
        values = self.field.sdf(points)
        self.seconds += time.process_time() - start
        return values


def dense_surface(field: Field, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    samples = Samples(field, Lattice.over(field, resolution), 0.0)
    crossed = all_crossed_cells(samples)
    vertices, faces = polygonise(crossed.cells, crossed.corners)
    return samples.lattice.points(vertices), faces


def difference(field: Field, resolution: int, vertices: np.ndarray) -> float:
    """Largest coordinate difference to the dense surface, infinity where the number of vertices differs."""
    expected, _ = dense_surface(field, resolution)
    return float(np.abs(expected - vertices).max()) if expected.shape == vertices.shape else float("inf")


def query_table(paths: list[Path], resolutions: list[int], dense: list[int]) -> list[dict]:
    rows = []
    for path in paths:
        field = exact_field(path)
        for resolution in resolutions:
            timed, start = Timed(field), time.process_time()
            found = extract(timed, resolution)
            seconds = time.process_time() - start
            same = difference(field, resolution, found.vertices_unit) if resolution in dense else None
            ratio = found.dense_queries / found.queries
            rows.append([path.stem, len(field.mesh_distance.faces), resolution, found.queries, round(ratio, 1)])
            rows[-1] += [found.guard, bool(found.watertight and found.manifold), same]
            rows[-1] += [round(seconds, 2), round(seconds - timed.seconds, 2)]
            print(*rows[-1], flush=True)
    columns = ["mesh", "faces", "resolution", "queries", "times fewer than dense", "guard", "closed and manifold"]
    columns += ["largest difference to dense", "CPU-s", "CPU-s without the queries"]
    medians = [[n, len(paths), round(median(row[4] for row in rows if row[2] == n), 1)] for n in resolutions]
    return [
        table("Exact distance: median", ["resolution", "meshes", "times fewer queries than dense"], medians),
        table("Exact distance to meshes", columns, rows),
    ]


def hard_table(resolution: int) -> dict:
    rows = []
    for name, field in hard_fields().items():
        found = extract(field, resolution)
        vertices, faces = dense_surface(field, resolution)
        lost = audit(trimesh.Trimesh(vertices, faces, process=False)).components - audit(found.mesh).components
        same = found.vertices_unit.shape == vertices.shape and bool(np.abs(found.vertices_unit - vertices).max() < 1e-6)
        rows.append([name, found.guard, round(found.dense_queries / found.queries, 1), lost, same])
        print(*rows[-1], flush=True)
    columns = ["field", "guard", "times fewer queries than dense", "components lost", "same vertices as dense"]
    return table(f"Hard fields at {resolution}", columns, rows)


def random_table(count: int) -> dict:
    """Of each kind: fields with a surface, and how many of the files are not closed or not manifold."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            fields = [random_field(kind, seed) for seed in range(-(-count // len(KINDS)))]
            ours = [_file_is_good(Path(folder), *marching_cubes(values)) for values in fields]
            other = [_file_is_good(Path(folder), *_skimage(values)) for values in fields]
            rows.append([kind, len(fields), ours.count(None), ours.count(False), other.count(False)])
            print(*rows[-1], flush=True)
    rows.append(["all", *(sum(row[i] for row in rows) for i in range(1, 5))])
    columns = ["kind", "fields", "without a surface", "not closed or manifold", "scikit-image's default, the same"]
    return table("Random fields, audited as read back from .ply", columns, rows)


def _file_is_good(folder: Path, vertices: np.ndarray, faces: np.ndarray) -> bool | None:
    if not len(faces):
        return None
    write_mesh(trimesh.Trimesh(vertices / 512 - 1, faces, process=False), folder / "field.ply")
    found = audit_file(folder / "field.ply")
    return found.watertight and found.manifold


def _skimage(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same, scaled to 1 and padded by one layer of outside; an error counts as a surface that is not closed."""
    from skimage.measure import marching_cubes as lewiner

    if not (values < 0).any():
        return np.empty((0, 3)), np.empty((0, 3), int)
    padded = np.pad(values / np.abs(values).max(), 1, constant_values=1.0).astype(np.float32)
    try:
        vertices, faces, _, _ = lewiner(padded, 0.0)
        return vertices, faces
    except (ValueError, RuntimeError):
        return np.eye(3), np.array([[0, 1, 2]])


def memory_table(path: Path, resolution: int) -> dict:
    """In a process of its own, so that the peak is that of one extraction with all it needs."""
    command = [sys.executable, __file__, "--peak", str(path), "--resolutions", str(resolution)]
    faces, mebibytes, base = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-3:]
    columns = ["mesh", "faces", "resolution", "peak resident MiB", "of which imports and mesh"]
    return table("Memory", columns, [[path.stem, int(faces), resolution, int(mebibytes), int(base)]])


def report_peak(path: Path, resolution: int) -> None:
    field = exact_field(path)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    extract(field, resolution)
    print(len(field.mesh_distance.faces), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, base)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meshes", type=int, default=8)
    parser.add_argument("--resolutions", type=int, nargs="*", default=[128, 256, 512])
    parser.add_argument("--dense", type=int, nargs="*", default=[128, 256])
    parser.add_argument("--hard", type=int, default=128)
    parser.add_argument("--random", type=int, default=1000)
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        report_peak(given.peak, given.resolutions[0])
        return
    paths = mesh_paths(given.meshes)
    largest = max(paths, key=lambda path: len(read_mesh(path).faces))
    tables = query_table(paths, given.resolutions, given.dense)
    tables += [hard_table(given.hard), random_table(given.random), memory_table(largest, max(given.resolutions))]
    print(write_result("extraction", "Extraction: few queries, closed and manifold", tables))


if __name__ == "__main__":
    main()
