"""How one set of pictures stands to another, by features of each: generated ones to real ones."""

import numpy as np
from jaxtyping import Float


def frechet_distance(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """|mean a - mean b|^2 + tr(A + B - 2 (A B)^(1/2)), A and B the covariances (Heusel et al. 2017, Eq. 6).

    The squared 2-Wasserstein distance of the normal distributions with these moments; FID if the features are
    Inception's. tr (A B)^(1/2) is the sum of the singular values of A^(1/2) B^(1/2), which needs no root of a matrix
    that is not symmetric and stays real where there are fewer pictures than features. Few pictures bias it upwards.
    """
    shift, (first, second) = a.mean(0) - b.mean(0), (_covariance(features) for features in (a, b))
    common = np.linalg.svd(_root(first) @ _root(second), compute_uv=False).sum()
    return float(max(shift @ shift + np.trace(first) + np.trace(second) - 2 * common, 0.0))


def kernel_distance(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"], *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> float:
    """Mean of `squared_mmd` over pairs of random subsets (Binkowski et al. 2018); KID if the features are Inception's.

    In its own unit, not in thousandths. size: of the subsets, at most that of the smaller set; then one is enough
    where all of both sets is taken.
    """
    size = min(size, len(a), len(b))
    if size == len(a) == len(b):
        return squared_mmd(a, b)
    rng = np.random.default_rng(seed)
    pairs = [[x[rng.choice(len(x), size, replace=False)] for x in (a, b)] for _ in range(subsets)]
    return float(np.mean([squared_mmd(*pair) for pair in pairs]))


def squared_mmd(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """Unbiased MMD^2 with the kernel (x . y / d + 1)^3: pairs of a picture with itself do not count.

    Zero on average, so below zero at times, for two sets of one distribution (Gretton et al. 2012, Lemma 6).
    """
    aa, bb, ab = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (aa, bb)]
    return float(sum(within) - 2 * ab.mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _covariance(x: np.ndarray) -> np.ndarray:
    centered = x - x.mean(0)
    return centered.T @ centered / (len(x) - 1)


def _root(symmetric: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T
