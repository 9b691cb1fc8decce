"""How far a field is from the true distance. (Imports torch.)"""

import numpy as np
import torch
from jaxtyping import Float

from isofield.fields.field import CHUNK, Field, sdf_numpy
from isofield.mesh.distance import MeshDistance
from isofield.metrics.surface import Surface

BAND = 0.05
STEP = 1e-3  # of the central differences, where a field has no derivative of its own


def near_points(truth: Surface, count: int, seed: int, band: float = BAND) -> Float[np.ndarray, "n 3"]:
    """Points nearer than `band` to the surface: its samples, each moved to a uniform point of the ball around it."""
    rng = np.random.default_rng(seed)
    shift = rng.normal(size=(count, 3))
    shift *= band * np.cbrt(rng.uniform(size=(count, 1))) / np.linalg.norm(shift, axis=1, keepdims=True)
    return truth.sample(count, seed)[0] + shift


def box_points(field: Field, count: int, seed: int) -> Float[np.ndarray, "n 3"]:
    """Uniform points of the field's box."""
    low, high = field.bounds
    return np.random.default_rng(seed).uniform(low, high, (count, 3))


def sdf_error(field: Field, truth: MeshDistance, points: Float[np.ndarray, "n 3"]) -> float:
    """<|f(x) - d(x)|> over the points, d being the exact signed distance in the field's frame."""
    points = points.astype(np.float32)  # the very points that the field will see
    return float(np.abs(sdf_numpy(field, points) - truth.signed(points)).mean())


def eikonal_error(field: Field, points: Float[np.ndarray, "n 3"]) -> float:
    """<||grad f(x)| - 1|> over the points; 0 for a distance (Gropp et al. 2020).

    By automatic differentiation, or by central differences of 1e-3 where the field has none (the exact distance).
    """
    chunks = torch.as_tensor(points.astype(np.float32)).split(CHUNK)
    norms = torch.cat([_gradient(field, chunk).norm(dim=1) for chunk in chunks])
    return float((norms - 1).abs().double().mean())


def _gradient(field: Field, points: torch.Tensor) -> torch.Tensor:
    points = points.clone().requires_grad_()
    with torch.enable_grad():
        value = field.sdf(points)
    if value.requires_grad:
        return torch.autograd.grad(value.sum(), points)[0]
    with torch.no_grad():
        steps = torch.eye(3, dtype=points.dtype) * STEP
        return torch.stack([field.sdf(points + s) - field.sdf(points - s) for s in steps], dim=1) / (2 * STEP)
