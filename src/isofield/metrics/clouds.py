"""Distances between two sets of points: every Chamfer under a name of its own, and two earth mover's distances."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist


def nearest(source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, " n"]:
    """Distance from each source point to the nearest target point."""
    return cKDTree(target).query(source)[0]


def chamfer_l1(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"]) -> float:
    """(<min |a - b|> + <min |b - a|>) / 2, the half-sum of the two mean distances: two points 3 apart give 3.

    Between two samplings of one surface it is not 0 but a floor that shrinks with the square root of their number.
    """
    return (float(nearest(a, b).mean()) + float(nearest(b, a).mean())) / 2


def chamfer_l2_squared(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"]) -> float:
    """<min |a - b|^2> + <min |b - a|^2>, the sum of the two mean squares (DeepSDF's): two points 3 apart give 18."""
    return float(np.square(nearest(a, b)).mean()) + float(np.square(nearest(b, a)).mean())


def emd(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"]) -> float:
    """min over bijections f of <|a - f(a)|>: the exact earth mover's distance of two equally large sets.

    n^2 memory and up to n^3 time: meant for some 2,048 points; `sliced_emd` is another quantity, for any number.
    """
    if len(a) != len(b):
        raise ValueError(f"the exact assignment needs sets of one size, not {len(a)} and {len(b)} points")
    cost = cdist(a, b)
    return float(cost[linear_sum_assignment(cost)].mean())


def sliced_emd(
    a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"], *, directions: int = 200, seed: int = 0
) -> float:
    """Mean over random unit u of <|sort(a . u) - sort(b . u)|>, the sliced 1-Wasserstein distance.

    Never above `emd`, and about half of it (a pure translation by t gives |t| / 2): not to be compared with it.
    """
    if len(a) != len(b):
        raise ValueError(f"sorted projections need sets of one size, not {len(a)} and {len(b)} points")
    axes = np.random.default_rng(seed).normal(size=(directions, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return float(np.mean([np.abs(np.sort(a @ u) - np.sort(b @ u)).mean() for u in axes]))
