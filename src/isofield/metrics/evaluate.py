"""Every number of a comparison at once."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import trimesh

from isofield.frame import MARGIN, UnitFrame
from isofield.mesh.audit import audit
from isofield.metrics import clouds, distances
from isofield.metrics.ghosts import ghost_components
from isofield.metrics.surface import BothWays, Surface, both_ways, referenced_frame, subseed
from isofield.metrics.volume import iou

if TYPE_CHECKING:
    import isofield.fields.field

EMD_POINTS = 2_048
L2_SAMPLES = 30_000
FAR, FEW = (
    0.25,
    10_000,
)  # shapes so far apart get fewer Chamfer samples: neighbours are slow to find and the floor is small
LENGTHS = (
    "point_to_surface", "pred_to_truth", "truth_to_pred", "chamfer_l1", "chamfer_floor",
    "hausdorff", "msd", "emd", "emd_floor",
)  # fmt: skip
AREAS = ("chamfer_l2_squared", "mse")  # squared lengths: their user values are in squared units


def evaluate(pred: trimesh.Trimesh, truth: trimesh.Trimesh, *, seed: int = 0, samples: int = 100_000) -> dict[str, Any]:
    """Compare two meshes given in the same (the user's) coordinates.

    Lengths are in the truth's unit frame, `KEY_user` in the user's units; `volume` is the prediction's, in the user's
    units. Where a number has no meaning (an IoU without any inside) it is None. The truth may be open or a soup.
    Raises InputError if either mesh has no surface.
    """
    frame = referenced_frame(truth, "truth")
    p, t = Surface.of(pred, frame, "prediction"), Surface.reference(truth, frame)
    both = both_ways(p, t, samples, seed)
    result: dict[str, Any] = {
        **_distance_metrics(both),
        **_cloud_metrics(p, t, both, seed),
        "iou": iou(p, t, count=samples, seed=subseed(seed, 2)),
        "ghost_components": ghost_components(p, t, both.pred),
    }
    result |= in_user_units(result, frame.scale) | audit_numbers(pred)
    result |= {"samples": samples, "seed": seed, "unit_length_user": frame.scale}
    return {key: _finite(value) for key, value in result.items()}


def evaluate_field(
    field: "isofield.fields.field.Field", truth_mesh: trimesh.Trimesh, *, seed: int = 0, count: int = 50_000
) -> dict[str, float]:
    """Errors of a field against the exact distance to `truth_mesh` (user's coordinates), in the field's unit frame.

    sdf_error_near over points nearer than 0.05 to the surface, sdf_error_volume uniform in the field's box,
    eikonal_error over the near ones; `count` points of either kind. At an open truth the winding number gives the sign.
    """
    from isofield.metrics.field_error import box_points, eikonal_error, near_points, sdf_error

    truth = Surface.reference(truth_mesh, field.frame)
    near = near_points(truth, count, subseed(seed, 0))
    volume = box_points(field, count, subseed(seed, 1))
    return {
        "sdf_error_near": sdf_error(field, truth.distance, near),
        "sdf_error_volume": sdf_error(field, truth.distance, volume),
        "eikonal_error": eikonal_error(field, near),
    }


def geogen_protocol(
    pred: trimesh.Trimesh,
    truth: trimesh.Trimesh,
    seed: int = 0,
    *,
    samples: int = 20_000,
    repeats: int = 20,
    emd_repeats: int | None = None,
) -> dict[str, Any]:
    """GeoGen's protocol: each mesh scaled into the unit sphere *on its own*, 20,000 samples, 20 repeats.

    For each metric the mean, and the standard deviation over the repeats under `KEY_deviation`. Its paper does not
    define MSE, mean surface distance and the form of Chamfer: the definitions here are ours. EMD is exact, at 2,048
    points; it takes most of the time. emd_repeats: of it alone, by default as many as of the others.
    """
    p = Surface.of(pred, _unit_sphere(pred, "prediction"), "prediction")
    t = Surface.reference(truth, _unit_sphere(truth, "truth"))
    moved = repeats if emd_repeats is None else emd_repeats
    rounds = [_geogen_round(p, t, samples, subseed(seed, k), with_emd=k < moved) for k in range(repeats)]
    values = {key: np.array([r[key] for r in rounds if key in r]) for key in rounds[0]}
    means = {key: float(v.mean()) for key, v in values.items()}
    deviations = {f"{key}_deviation": float(v.std()) for key, v in values.items()}
    protocol = f"GeoGen: each mesh scaled into the unit sphere on its own, {samples} samples, {repeats} repeats"
    about = {"emd_points": min(EMD_POINTS, samples), "emd_repeats": moved, "protocol": protocol, "seed": seed}
    return means | deviations | about


def in_user_units(result: dict[str, Any], scale: float) -> dict[str, float]:
    """`KEY_user` for each length (times scale) and each squared length (times its square)."""
    lengths = {f"{key}_user": result[key] * scale for key in LENGTHS if key in result}
    return lengths | {f"{key}_user": result[key] * scale**2 for key in AREAS if key in result}


def audit_numbers(mesh: trimesh.Trimesh) -> dict[str, Any]:
    """What the audit says of a mesh: watertight, manifold, components, euler, volume (in the mesh's own units)."""
    found = audit(mesh)
    names = ("watertight", "manifold", "components", "euler", "volume")
    return {name: getattr(found, name) for name in names}


def _distance_metrics(both: BothWays) -> dict[str, float]:
    return {
        "point_to_surface": distances.point_to_surface(both),
        "pred_to_truth": float(both.pred.distance.mean()),
        "truth_to_pred": float(both.truth.distance.mean()),
        "hausdorff": distances.hausdorff(both),
        "mse": distances.mse(both),
        "msd": distances.msd(both),
        "normal_consistency": distances.normal_consistency(both),
        "f_score": distances.f_score(both),
    }


def _cloud_metrics(pred: Surface, truth: Surface, both: BothWays, seed: int) -> dict[str, float]:
    """Chamfers and EMD between samples, with what the same formulas give for two samplings of the truth."""
    near = distances.point_to_surface(both) < FAR
    count = len(both.truth.points) if near else min(FEW, len(both.truth.points))
    a, b, other = both.pred.points, both.truth.points, truth.sample(count, subseed(seed, 3))[0]
    if not near:
        a, b = _some(a, count, seed), _some(b, count, seed)
    p, t, again = (
        surface.sample(L2_SAMPLES, subseed(seed, k))[0] for surface, k in ((pred, 4), (truth, 5), (truth, 6))
    )
    few_p, few_t, few_again = (_some(points, EMD_POINTS, seed) for points in (p, t, again))
    return {
        "chamfer_l1": clouds.chamfer_l1(a, b),
        "chamfer_floor": clouds.chamfer_l1(other, b),
        "chamfer_samples": count,
        "chamfer_l2_squared": clouds.chamfer_l2_squared(p, t),
        "chamfer_l2_samples": L2_SAMPLES,
        "emd": clouds.emd(few_p, few_t),
        "emd_floor": clouds.emd(few_again, few_t),
        "emd_points": EMD_POINTS,
    }


def _geogen_round(pred: Surface, truth: Surface, samples: int, seed: int, with_emd: bool) -> dict[str, float]:
    both = both_ways(pred, truth, samples, seed)
    points = both.pred.points, both.truth.points
    few = [_some(p, min(EMD_POINTS, samples), seed) for p in points]
    return {
        "chamfer_l1": clouds.chamfer_l1(*points),
        "chamfer_l2_squared": clouds.chamfer_l2_squared(*points),
        "mse": distances.mse(both),
        "hausdorff": distances.hausdorff(both),
        **({"emd": clouds.emd(*few)} if with_emd else {}),
        "msd": distances.msd(both),
        "point_to_surface": distances.point_to_surface(both),
    }


def _some(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    return points[np.random.default_rng(subseed(seed, 7)).choice(len(points), count, replace=False)]


def _unit_sphere(mesh: trimesh.Trimesh, name: str) -> UnitFrame:
    frame = referenced_frame(mesh, name)
    return UnitFrame(frame.center, frame.scale / MARGIN)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
