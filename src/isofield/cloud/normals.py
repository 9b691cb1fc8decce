"""Noise and normals of a cloud, from how neighbours lie beside each other."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from scipy.special import gammaincinv

NEIGHBOURS = (8, 12, 16, 24, 36, 54, 80)  # of which each point takes what suits it
CHUNK = 1 << 15
SAMPLES = 2000


def noise_level(points: Float[np.ndarray, "n 3"], *, seed: int = 0) -> float:
    """Standard deviation of the points about the surface, in the units of the points.

    Residuals about a quadric through each neighbourhood of a random sample (a plane would count curvature as noise).
    Of all of them the lower quartile, scaled to the deviation that a Gaussian would have there: edges and outliers
    stay outside. Neighbourhoods grow until they are wider than the noise.
    """
    rows = np.random.default_rng(seed).permutation(len(points))[:SAMPLES]
    tree, noise = cKDTree(points), 0.0
    for k in (16, 32, 64):
        if k > len(points):
            break
        residual, radius = _quadric_residuals(points[tree.query(points[rows], k)[1]])
        freedom = k - 6
        quartile = np.sqrt(gammaincinv(freedom / 2, 0.25) * 2 / freedom)  # of the root mean square of that many
        noise = float(np.quantile(residual, 0.25) / quartile)
        if noise < 0.3 * np.median(radius):
            break
    return noise


def estimate_normals(
    points: Float[np.ndarray, "n 3"], k: int | None = None, *, noise: float | None = None
) -> Float[np.ndarray, "n 3"]:
    """Unit normals by principal components, without orientation.

    k: neighbours; by default each point takes the number whose predicted error is least: noise asks for many,
    curvature, edges and thin walls for few.
    """
    scale = float(np.ptp(points, axis=0).max()) or 1.0
    points = (points - points.mean(0)) / scale
    noise = noise_level(points) if noise is None else noise / scale
    ladder = [min(k, len(points))] if k else sorted({min(size, len(points)) for size in NEIGHBOURS})
    normals = np.empty_like(points)
    for rows, index in _neighbours(points, ladder[-1]):
        normals[rows] = _best_planes(points[index], ladder, noise)
    return normals


def _best_planes(near: np.ndarray, ladder: list[int], noise: float) -> np.ndarray:
    """(n, k, 3) neighbours, nearest first -> (n, 3) normals of the plane with the least predicted squared error."""
    least = np.full(len(near), np.inf)
    best = np.zeros((len(near), 3))
    for k in ladder:
        values, vectors = _principal(near[:, :k])
        residual = np.maximum(values[:, 0], 0) / max(k - 3, 1)
        spread = np.maximum(values[:, 1] / k, 1e-30)
        error = (noise**2 / k + np.maximum(residual - noise**2, 0) / 4) / spread
        better = error < least
        least[better], best[better] = error[better], vectors[better, :, 0]
    return best


def _principal(near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (n, 3) of the scatter matrices, rising, and their vectors (n, 3, 3) in columns."""
    centered = near - near.mean(1, keepdims=True)
    return np.linalg.eigh(centered.transpose(0, 2, 1) @ centered)


def _quadric_residuals(near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, k, 3) -> root mean square distance (n,) from the best quadric over the tangent plane, and radius (n,)."""
    centered = near - near.mean(1, keepdims=True)
    radius = np.sqrt((centered**2).sum(2).mean(1))
    centered = centered / np.maximum(radius, 1e-300)[:, None, None]
    height, v, u = np.moveaxis(centered @ _principal(centered)[1], 2, 0)
    basis = np.linalg.qr(np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], 2))[0]
    rest = height - np.einsum("nkc,nc->nk", basis, np.einsum("nkc,nk->nc", basis, height))
    return np.sqrt((rest**2).sum(1) / (near.shape[1] - 6)) * radius, radius


def _neighbours(points: np.ndarray, k: int) -> Iterator[tuple[slice, np.ndarray]]:
    tree = cKDTree(points)
    for start in range(0, len(points), CHUNK):
        rows = slice(start, start + CHUNK)
        yield rows, tree.query(points[rows], k)[1].reshape(-1, k)
