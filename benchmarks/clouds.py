"""Points to surfaces: what `isofield fit` makes of clouds by default, beside classical methods, Open3D's and SIREN's.

    python benchmarks/clouds.py [--points 10000] [--steps 2000] [--only PATTERN] [--again]

A row is one method on one condition of one shape. Rows are run one by one and stored in the result as they finish;
rows that are there are left as they are unless --again. --only: a regular expression that "condition/shape/method"
must match.
"""

import argparse
import json
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from common import RESULTS, table, write_result
from isofield.data import bundled
from isofield.errors import IsofieldError
from isofield.fields.encodings import Identity
from isofield.fields.mlp import siren_decoder
from isofield.fields.neural import NeuralField
from isofield.frame import UnitFrame
from isofield.mesh.area import face_normals, sample_surface
from isofield.mesh.audit import audit
from isofield.mesh.read import read_mesh, weld
from isofield.mesh.sample import SdfSamples
from isofield.meshing.extract import extract
from isofield.metrics import distances
from isofield.metrics.surface import OneWay, Surface, both_ways
from isofield.metrics.volume import iou
from isofield.settings.shapes import FitSettings
from isofield.tasks import cloud_results
from isofield.tasks.fit import fit, run_fit
from isofield.tasks.objectives import OrientedPoints
from isofield.tasks.training import Length

SHAPES = ("torus.obj", "spot.obj", "penguin.obj", "featuretype.stl")
GENUS = {"torus": 1, "spot": 0, "penguin": 0, "featuretype": 9}
NOISE, OUTLIERS, CUT = 0.01, 0.1, np.array([0.8, 0.0, 0.6])  # of the radius; of the points; normal of the plane
RESOLUTION, SAMPLES = 128, 50_000
CONDITIONS = ("oriented", "unoriented", "1 % noise", "1 % noise, unoriented", "10 % outliers", "half missing")
COLUMNS = ("shape", "method", "point_to_surface x1e3", "IoU", "genus", "closed", "normals", "CPU-s")
HALF = ("seen half x1e3", "marked")
DEFAULT = "isofield fit"


@dataclass(frozen=True)
class Given:
    """Points of a shape's unit frame, normals where the condition has them, and the shape."""

    points: np.ndarray
    normals: np.ndarray | None
    truth: trimesh.Trimesh


@dataclass(frozen=True)
class Found:
    """A surface in the unit frame of the truth; seen: of its vertices, where the method tells."""

    mesh: trimesh.Trimesh
    cpu: float
    seen: np.ndarray | None = None


def unit(name: str) -> trimesh.Trimesh:
    mesh = weld(read_mesh(bundled(name)))
    return trimesh.Trimesh(UnitFrame.of(mesh.vertices).to_unit(mesh.vertices), mesh.faces, process=False)


def given(name: str, condition: str, count: int) -> Given:
    truth, rng = unit(name), np.random.default_rng(1)
    points, face = sample_surface(truth, count, 0)
    normals = face_normals(np.asarray(truth.vertices), np.asarray(truth.faces))[face]
    if condition.startswith("1 % noise"):
        points = points + NOISE * rng.standard_normal(points.shape)
    if condition == "10 % outliers":
        wild = rng.permutation(count)[: round(OUTLIERS * count)]
        points[wild], normals[wild] = rng.uniform(-1, 1, (len(wild), 3)), rng.standard_normal((len(wild), 3))
        normals[wild] /= np.linalg.norm(normals[wild], axis=1, keepdims=True)
    if condition == "half missing":
        kept = points @ CUT < 0
        points, normals = points[kept], normals[kept]
    return Given(points, None if "unoriented" in condition else normals, truth)


def by_command(method: str) -> Callable[[Given, int], Found]:
    """What the command writes, with --close so that all of it can be measured."""

    def run(cloud: Given, steps: int) -> Found:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cloud.xyz"
            columns = [cloud.points] if cloud.normals is None else [cloud.points, cloud.normals]
            np.savetxt(path, np.hstack(columns))
            length = {"steps": steps} if method in ("learned", "sal") else {}
            settings = FitSettings(path, Path(folder) / "run", method=method, resolution=RESOLUTION, close=True)
            report = run_fit(replace(settings, **length))
            mesh = read_mesh(Path(folder) / "run" / "mesh.ply")
            raw = trimesh.load(Path(folder) / "run" / "mesh.ply", process=False).metadata["_ply_raw"]
        return Found(mesh, report["cpu_seconds"], raw["vertex"]["data"]["seen"].reshape(-1).astype(bool))

    return run


@dataclass(frozen=True)
class CloudPoints(OrientedPoints):
    """SIREN's recipe on the points of a cloud in place of samples of a mesh."""

    points: Any = None
    normals: Any = None

    def samples(self, mesh: trimesh.Trimesh, count: int, seed: int) -> SdfSamples:
        rows = np.random.default_rng(seed).integers(0, len(self.points), count)
        points, normals = (array[rows].astype(np.float32) for array in (self.points, self.normals))
        zero = np.zeros(count, np.float32)
        return SdfSamples(points, zero, points, normals, None, None, UnitFrame())


def siren(cloud: Given, steps: int, seconds: float) -> Found:
    """Trained for so many CPU-seconds: of sampling and steps."""
    mesh = trimesh.Trimesh(cloud.points, np.zeros((0, 3), np.int64), process=False)
    frame = UnitFrame.of(cloud.points)
    torch.manual_seed(0)
    field = NeuralField(Identity(), network=siren_decoder())
    objective = CloudPoints(points=frame.to_unit(cloud.points), normals=cloud.normals)
    length = Length.affordable(mesh, field, objective, seconds, clock=time.process_time)
    fitted = fit(mesh, field, objective, steps=length.steps)
    return Found(extract(fitted.field, RESOLUTION).mesh, fitted.cost.cpu_seconds)


def open3d_cloud(cloud: Given) -> Any:
    """Open3D's own way with outliers, normals and their sides."""
    import open3d

    points = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(cloud.points))
    if cloud.normals is not None:
        points.normals = open3d.utility.Vector3dVector(cloud.normals)
    points, _ = points.remove_statistical_outlier(20, 2.0)
    if cloud.normals is None:
        points.estimate_normals(open3d.geometry.KDTreeSearchParamKNN(30))
        points.orient_normals_consistent_tangent_plane(30)
    return points


def as_mesh(found: Any, begun: float) -> Found:
    mesh = trimesh.Trimesh(np.asarray(found.vertices), np.asarray(found.triangles), process=False)
    return Found(mesh, time.process_time() - begun)


def open3d_poisson(cloud: Given, steps: int) -> Found:
    import open3d

    begun = time.process_time()
    make = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson
    return as_mesh(make(open3d_cloud(cloud), depth=8, n_threads=1)[0], begun)


def open3d_pivoting(cloud: Given, steps: int) -> Found:
    import open3d

    begun = time.process_time()
    points = open3d_cloud(cloud)
    spacing = float(np.mean(points.compute_nearest_neighbor_distance()))
    radii = open3d.utility.DoubleVector([2 * spacing, 4 * spacing, 8 * spacing])
    return as_mesh(open3d.geometry.TriangleMesh.create_from_point_cloud_ball_pivoting(points, radii), begun)


METHODS: dict[str, Callable[[Given, int], Found]] = {
    DEFAULT: by_command("learned"),
    "--method exact": by_command("exact"),
    "--method poisson": by_command("poisson"),
    "--method mls": by_command("mls"),
    "--method rbf": by_command("rbf"),
    "--method ball-pivoting": by_command("ball-pivoting"),
    "Open3D, Poisson": open3d_poisson,
    "Open3D, ball pivoting": open3d_pivoting,
}
SIREN, SAL = "SIREN's recipe", "--method sal"


def measured(found: Found, cloud: Given, half: bool) -> dict[str, Any]:
    """Against the truth, in its unit frame; of clouds with a half missing also the half that was seen."""
    frame = UnitFrame()
    pred, truth = Surface.of(found.mesh, frame, "prediction"), Surface.reference(cloud.truth, frame)
    both, verdict = both_ways(pred, truth, SAMPLES, 0), audit(found.mesh)
    closed = verdict.watertight and verdict.manifold
    row = {
        "p2s": 1e3 * distances.point_to_surface(both),
        "iou": iou(pred, truth, count=SAMPLES),
        "genus": verdict.components - verdict.euler // 2 if closed else None,
        "closed": closed,
        "normals": distances.normal_consistency(both),
        "cpu": found.cpu,
    }
    return row | half_numbers(found, both.pred, both.truth) if half else row


def half_numbers(found: Found, pred: OneWay, truth: OneWay) -> dict[str, Any]:
    """Mean distance both ways where points were given; share of the result beyond the cut that is marked invented."""
    given_truth, given_pred = truth.points @ CUT < 0, pred.points @ CUT < 0
    error = 0.5e3 * (truth.distance[given_truth].mean() + pred.distance[given_pred].mean())
    marked = None
    if found.seen is not None:
        beyond = pred.points @ CUT > 0.05
        marked = float(1 - found.seen[found.mesh.faces[pred.face[beyond]]].mean()) if beyond.any() else None
    return {"half": float(error), "marked": marked}


def cells(row: dict[str, Any], shape: str, method: str, half: bool) -> list[Any]:
    names = ("p2s", "iou", "genus", "closed", "normals", "cpu", *(("half", "marked") if half else ()))
    return [shape, method, *(row.get(name) for name in names)]


def stored() -> dict[tuple[str, str, str], list[Any]]:
    path = RESULTS / "clouds.json"
    tables = json.loads(path.read_text())["tables"] if path.exists() else []
    found = [(t["title"], row) for t in tables if t["title"] in (*CONDITIONS, TORUS) for row in t["rows"]]
    return {(title, row[0], row[1]): row for title, row in found}


class Store:
    """Rows by condition, shape and method, in the result itself."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.rows = options, stored()

    def keep(self, condition: str, row: list[Any]) -> None:
        """What another process has stored meanwhile stays."""
        self.rows = stored() | {(condition, row[0], row[1]): row}
        write_result("clouds", "Points to surfaces", [*self._tables(), *standing(self.rows)], notes(self.options))

    def _tables(self) -> Iterator[dict]:
        order = [*METHODS, SIREN]
        for condition in CONDITIONS:
            names = [n for n in ((condition, s, m) for s in GENUS for m in order) if n in self.rows]
            columns = [*COLUMNS, *(HALF if condition == "half missing" else ())]
            if names:
                yield table(condition, columns, [self.rows[name] for name in names])
        torus = [row for (title, *_), row in self.rows.items() if title == TORUS]
        if torus:
            yield table(TORUS, [*COLUMNS, "steps"], torus)


def standing(rows: dict[tuple, list[Any]]) -> Iterator[dict]:
    """Our default beside the best of the others, by distance, where the cloud is complete."""
    found = []
    for condition in CONDITIONS[:-1]:
        for shape in GENUS:
            errors = {m: row[2] for (c, s, m), row in rows.items() if (c, s) == (condition, shape) and row[2]}
            own = errors.pop(DEFAULT, None)
            errors.pop("--method exact", None)  # is the default before learning
            if own is None or not errors:
                continue
            best = min(errors, key=lambda name: errors[name])
            near = own <= max(1.1 * errors[best], errors[best] + 0.1)
            found.append([condition, shape, own, errors[best], best, near])
    if found:
        columns = ["condition", "shape", "ours x1e3", "best other x1e3", "which", "best, or within 10 % or 0.1"]
        yield table("Where our default stands", columns, found)


TORUS = "Sign-agnostic learning on a torus, 5,000 unoriented points"


def torus_row(options: argparse.Namespace) -> list[Any]:
    """`isofield fit --method sal` for so many steps as take 20 CPU-seconds here."""
    cloud = given("torus.obj", "unoriented", 5000)
    found = by_command("sal")(cloud, options.sal_steps)
    return [*cells(measured(found, cloud, False), "torus", SAL, False), options.sal_steps]


def notes(options: argparse.Namespace) -> list[str]:
    genus = ", ".join(f"{name} {genus}" for name, genus in GENUS.items())
    return [
        f"{options.points:,} points of each shape, evenly by area; noise: Gaussian, 0.01 in each coordinate; outliers: "
        "a tenth of the points anywhere in the cube, normals random; half missing: those beyond a plane through the "
        "middle. Normals are the true ones where the points were taken, unless unoriented.",
        f"isofield fit: the command's default with --steps {options.steps} and --close; exact: the surface that it "
        "learns, not learned. All by the command, so cleaned and oriented alike; Open3D's with its own outlier "
        "removal, normals and orientation, depth 8, radii of 2, 4 and 8 spacings. SIREN's recipe: on the given points "
        "and normals for the CPU-seconds that our default took.",
        f"Meshes from {RESOLUTION}^3; {SAMPLES:,} samples each way, in the unit frame of the truth, whose genus is: "
        f"{genus}. Half missing: seen half, distance both ways on the side of the plane where there were points; "
        "marked: share of the result farther than 0.05 beyond the plane that is marked as invented.",
        "A row that is missing has not been run yet; running the command again runs what is missing.",
    ]


def run_row(store: Store, condition: str, name: str, method: str, options: argparse.Namespace) -> None:
    shape, half = Path(name).stem, condition == "half missing"
    cloud = given(name, condition, options.points)
    try:
        if method == SIREN:
            own = store.rows.get((condition, shape, DEFAULT))
            found = siren(cloud, options.steps, own[7] if own else 30.0)
        else:
            found = METHODS[method](cloud, options.steps)
        row = measured(found, cloud, half)
    except IsofieldError as error:  # no surface: a result too
        print(error, flush=True)
        row = {}
    store.keep(condition, cells(row, shape, method, half))
    print(condition, *store.rows[condition, shape, method], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--sal-steps", type=int, default=500)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("default")
    cloud_results.PICTURE = 16
    store = Store(options)
    for condition, name, method in wanted():
        key = (condition, Path(name).stem, method)
        if re.search(options.only, "/".join(key)) and (options.again or key not in store.rows):
            run_row(store, condition, name, method, options)
    if re.search(options.only, TORUS) and (options.again or (TORUS, "torus", SAL) not in store.rows):
        store.keep(TORUS, torus_row(options))


def wanted() -> Iterator[tuple[str, str, str]]:
    """Condition, shape and method of all rows; SIREN's recipe needs normals."""
    for condition in CONDITIONS:
        for method in METHODS if "unoriented" in condition else (*METHODS, SIREN):
            yield from ((condition, name, method) for name in SHAPES)


if __name__ == "__main__":
    main()
