"""`isofield fit` for points: cleaned, given normals and sides where they have none, and made a field."""

import sys
import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import trimesh
from trimesh.visual import ColorVisuals

from isofield.cloud.clean import FEWEST, MOST, CloudReport, clean, dimensions
from isofield.cloud.cloud import Cloud, frame_of
from isofield.cloud.normals import noise_level
from isofield.cloud.orient import with_normals, with_own_normals
from isofield.cloud.read import read_cloud
from isofield.errors import InputError
from isofield.fields.classical.field import PointsField
from isofield.fields.classical.mls import MlsField
from isofield.fields.classical.points import OrientedPoints
from isofield.fields.classical.poisson import PoissonField, cells_of_size
from isofield.fields.classical.rbf import RbfField
from isofield.fields.exact import ExactField
from isofield.fields.field import sdf_numpy
from isofield.fields.grid import SparseGrid
from isofield.fields.neural import NeuralField, default_color
from isofield.files import sha256
from isofield.meshing.ball_pivoting import ball_pivoting
from isofield.meshing.reconstruct import CELL_OF_SPACING, reconstruct_points
from isofield.runs import Run, open_run
from isofield.settings.common import BUDGET, config_of
from isofield.settings.shapes import FitSettings
from isofield.tasks.choice import network, recipe
from isofield.tasks.cloud_results import Result, extracted, write_cloud_results
from isofield.tasks.fit import fit, seeded
from isofield.tasks.objectives import Objective
from isofield.tasks.sal import SignAgnostic, check_sign, points_alone, sign_agnostic_start, sign_test
from isofield.tasks.training import Clock, Cost

DOUBTFUL, HOPELESS = 0.8, 0.5  # mean confidence of estimated sides: below, a warning is due; sides are given up
ROUNDS, CELLS = 3, 64  # of turning normals by a coarse surface
QUIET = 0.2  # noise in spacings below which that surface, made finer, knows normals better than planes do
THROUGH = "a closed surface through them, by screened Poisson and moving least squares"
METHODS = {
    "learned": f"{THROUGH}, whose distance a small network learns: losses on points alone leave ghost sheets",
    "exact": f"the exact distance to {THROUGH}",
    "grid": f"a sparse grid of distances to {THROUGH}",
    "sal": "a network by sign-agnostic learning, which needs no normals, and rounds edges",
    "poisson": "screened Poisson, as asked",
    "mls": "implicit moving least squares, as asked",
    "rbf": "radial basis functions, as asked",
    "ball-pivoting": "triangles between them by ball pivoting, as asked: no field, and seldom closed",
}
CLASSICAL: dict[str, type[PointsField]] = {"poisson": PoissonField, "mls": MlsField, "rbf": RbfField}


@dataclass(frozen=True)
class Sided:
    """A cloud with normals that look outward; by: given, sensors, winding number, none; how: that in words.

    sure: mean confidence that they do.
    """

    cloud: Cloud
    by: str
    how: str
    sure: float = 1.0


def run_fit_cloud(settings: FitSettings) -> dict[str, Any]:
    """Write the run folder, return what report.json holds. Raises InputError, IsofieldError, Interrupted."""
    clock = Clock(Cost())
    cloud, found = clean(read_cloud(settings.input), at_most=MOST)
    if found.kept < FEWEST:
        fault = f"{found.kept} of its {found.points} points are left without repeated ones and outliers"
        raise InputError(settings.input, fault, f"give a cloud of at least {FEWEST} points")
    if dimensions(cloud.points) < 2:
        raise InputError(settings.input, "all its points lie on one line", "give points of a surface")
    config = {**config_of(settings), "input": settings.input.name, "input_sha256": sha256(settings.input)}
    with open_run(settings.output, config, length=("steps", "budget"), restart=settings.restart) as run:
        sided = Sided(cloud, "none", "normals not asked for") if settings.method == "sal" else with_sides(cloud)
        if settings.method == "learned" and sided.sure < HOPELESS:
            settings = replace(settings, method="sal")
            sided = Sided(cloud, "none", f"which side of them is out cannot be told (confidence {sided.sure:.2f})")
        _warn(sided)
        choice = f"{_said(found)}, {sided.how}: {METHODS[settings.method]}"
        print(f"isofield: {choice}", file=sys.stderr)
        result, cost = _result(sided.cloud, settings, run, clock)
        facts = {
            "input": str(settings.input),
            "class": settings.class_name,
            "method": settings.method,
            "choice": choice,
            **found.to_json(),
            "sides": sided.by,
            **asdict(cost),
        }
        return write_cloud_results(run.folder, cloud, result, settings.close, facts)


def with_sides(cloud: Cloud) -> Sided:
    """The cloud with its own normals, or with those of planes turned to the sensors or by their winding number."""
    if (own := with_own_normals(cloud)) is not None:
        return Sided(own, "given", "with normals")
    cloud, found = with_normals(cloud)
    if found.by == "sensors":
        return Sided(cloud, found.by, "normals estimated and turned to the sensors")
    sure = float(found.confidence.mean())
    how = f"normals estimated and turned outward by their winding number, confidence {sure:.2f}"
    return Sided(agreeing(cloud), found.by, how, sure)


def _warn(sided: Sided) -> None:
    if sided.sure < DOUBTFUL:
        warnings.warn(
            f"{sided.cloud.source}: which side of the points is out is doubtful (confidence {sided.sure:.2f}); look at "
            "the result, give normals or sensor positions, or try --method sal",
            stacklevel=2,
        )


def agreeing(cloud: Cloud) -> Cloud:
    """Normals that contradict the surface they make together turned; without noise, its own (Hou et al. 2022, iPSR)."""
    assert cloud.normals is not None
    points, normals = frame_of(cloud).to_unit(cloud.points), cloud.normals
    for _ in range(ROUNDS):
        surface, step = PoissonField.of(points, normals, cells=CELLS), 2 / CELLS * normals
        falls = sdf_numpy(surface, points + step) < sdf_numpy(surface, points - step)
        normals = np.where(falls[:, None], -normals, normals)
    spacing = OrientedPoints.of(points, normals).spacing
    if noise_level(points) > QUIET * spacing:
        return replace(cloud, normals=normals)
    cells = cells_of_size(CELL_OF_SPACING * spacing)
    slope = _gradient(PoissonField.of(points, normals, cells=cells), points, 1 / cells)
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    return replace(cloud, normals=np.where(length > 0, slope / np.maximum(length, 1e-300), normals))


def _gradient(field: PoissonField, points: np.ndarray, step: float) -> np.ndarray:
    ahead = [sdf_numpy(field, points + axis) for axis in step * np.eye(3)]
    behind = [sdf_numpy(field, points - axis) for axis in step * np.eye(3)]
    return (np.stack(ahead, 1) - np.stack(behind, 1)) / (2 * step)


def _said(found: CloudReport) -> str:
    """How many points, and what was left out of them."""
    left_out = {"repeated": found.duplicates, "outliers": found.outliers, "too many": found.thinned}
    said = ", ".join(f"{count:,} {name}" for name, count in left_out.items() if count)
    return f"{found.kept:,} points" + (f" ({said} left out)" if said else "")


def _result(cloud: Cloud, settings: FitSettings, run: Run, clock: Clock) -> tuple[Result, Cost]:
    """The surface that the method makes of the points, and what it has cost since the clock began."""
    if settings.method == "ball-pivoting":
        mesh = _pivoted(cloud)
        return Result(mesh, {name: mesh.metadata[name] for name in ("border_edges", "loose_points")}), clock.read(0)
    if settings.method not in ("learned", "sal"):
        computed = _computed(cloud, settings)
        run.save(0, computed.spec(), computed.tensors())
        cost = clock.read(0)
        return extracted(run.folder, computed, settings.resolution), cost
    if settings.method == "learned":
        mesh, field = _user_mesh(_surface(cloud)), _network(cloud, settings)
        trained, cost = _trained(mesh, field, recipe(settings), settings, run, clock.read(0))
        return extracted(run.folder, trained, settings.resolution), cost
    mesh, field = points_alone(cloud), _sign_agnostic(cloud, settings)
    trained, cost = _trained(mesh, field, SignAgnostic(), settings, run, clock.read(0))
    tested = sign_test(trained, trained.frame.to_unit(cloud.points))
    check_sign(tested, cloud.source)
    result = extracted(run.folder, trained, settings.resolution)
    return Result(result.mesh, {**result.facts, "sign_crossed": tested.crossed, "sign_inside": tested.inside}), cost


def _trained(
    mesh: trimesh.Trimesh, field: NeuralField, objective: Objective, settings: FitSettings, run: Run, before: Cost
) -> tuple[NeuralField, Cost]:
    """The field as stored, and the cost with what it was `before`."""
    if run.config["steps"] is None and run.config["budget"] is None:
        run.settle(budget=BUDGET)
    steps, budget = run.config["steps"], run.config["budget"] or BUDGET
    fitted = fit(mesh, field, objective, steps=steps, budget=budget, seed=settings.seed, run=run, silent=False)
    cost = fitted.cost
    return fitted.field, Cost(cost.steps, before.seconds + cost.seconds, before.cpu_seconds + cost.cpu_seconds)


def _network(cloud: Cloud, settings: FitSettings) -> NeuralField:
    with seeded(settings.seed):
        return network(settings, cloud.colors is not None)


def _sign_agnostic(cloud: Cloud, settings: FitSettings) -> NeuralField:
    with seeded(settings.seed):
        return sign_agnostic_start(
            points_alone(cloud), None if cloud.colors is None else default_color(), settings.seed
        )


def _computed(cloud: Cloud, settings: FitSettings) -> PointsField | ExactField | SparseGrid:
    if settings.method in CLASSICAL:
        return CLASSICAL[settings.method].of(*_oriented(cloud), frame=frame_of(cloud))
    surface = _surface(cloud)
    return surface if settings.method == "exact" else SparseGrid.bake(surface, settings.resolution)


def _surface(cloud: Cloud) -> ExactField:
    """The closed surface through the points."""
    return reconstruct_points(*_oriented(cloud), frame=frame_of(cloud))


def _oriented(cloud: Cloud) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Points in the unit frame, normals and colours."""
    assert cloud.normals is not None
    return frame_of(cloud).to_unit(cloud.points), cloud.normals, cloud.colors


def _pivoted(cloud: Cloud) -> trimesh.Trimesh:
    """Triangles between the points, in the user's coordinates."""
    mesh = ball_pivoting(*_oriented(cloud))
    mesh.vertices = frame_of(cloud).to_user(np.asarray(mesh.vertices))
    return mesh


def _user_mesh(surface: ExactField) -> trimesh.Trimesh:
    """The triangles of an exact field in the user's coordinates, its colours at the vertices."""
    distance = surface.mesh_distance
    mesh = trimesh.Trimesh(surface.frame.to_user(distance.vertices), distance.faces, process=False)
    if surface.colors is not None:
        colors = np.zeros((len(mesh.vertices), 3), np.uint8)
        colors[distance.faces] = surface.colors
        mesh.visual = ColorVisuals(mesh, vertex_colors=colors)
    return mesh
