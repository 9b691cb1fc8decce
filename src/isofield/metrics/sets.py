"""How one set of shapes stands to another: generated ones to real ones, by the distances between all pairs.

gg (g, g), rr (r, r) and gr (g, r) are the distances among generated shapes, among real ones, and between the two.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree


def compare_sets(generated: list[Float[np.ndarray, "_ 3"]], real: list[Float[np.ndarray, "_ 3"]]) -> dict[str, Any]:
    """All numbers of this module, by chamfer_l1: of two clouds or more on either side, best equally many."""
    gg, rr, gr = pairwise_chamfer(generated, generated), pairwise_chamfer(real, real), pairwise_chamfer(generated, real)
    return {
        "one_nna": nearest_neighbor_accuracy(gg, rr, gr),
        "coverage": coverage(gr),
        "mmd": minimum_matching_distance(gr),
        "diversity": diversity(gg),
        "diversity_real": diversity(rr),
        "compared": [len(generated), len(real)],
    }


def pairwise_chamfer(
    first: list[Float[np.ndarray, "_ 3"]], second: list[Float[np.ndarray, "_ 3"]]
) -> Float[np.ndarray, "n m"]:
    """chamfer_l1 of every cloud of one list to every cloud of the other."""
    one, other = [cKDTree(cloud) for cloud in first], [cKDTree(cloud) for cloud in second]
    distances = np.zeros((len(first), len(second)))
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            distances[i, j] = (a.query(b.data)[0].mean() + b.query(a.data)[0].mean()) / 2
    return distances


def nearest_neighbor_accuracy(
    gg: Float[np.ndarray, "g g"], rr: Float[np.ndarray, "r r"], gr: Float[np.ndarray, "g r"]
) -> float:
    """1-NNA: how often the nearest other shape is of the same set (Yang et al. 2019, PointFlow, Eq. 11).

    0.5 where the sets cannot be told apart, given equally many of each; 1 where they can; below 0.5 where generated
    shapes are copies.
    """
    everything = np.block([[gg, gr], [gr.T, rr]])
    np.fill_diagonal(everything, np.inf)
    real = np.arange(len(everything)) >= len(gg)
    return float((real[everything.argmin(1)] == real).mean())


def coverage(gr: Float[np.ndarray, "g r"]) -> float:
    """Share of the real shapes that are the nearest one of some generated shape (Achlioptas et al. 2018)."""
    return len(np.unique(gr.argmin(1))) / gr.shape[1]


def minimum_matching_distance(gr: Float[np.ndarray, "g r"]) -> float:
    """MMD: mean over the real shapes of the distance to the nearest generated one (Achlioptas et al. 2018)."""
    return float(gr.min(0).mean())


def diversity(gg: Float[np.ndarray, "g g"]) -> float:
    """Mean distance between two different shapes of one set: 0 where a generator has collapsed."""
    return float(gg.sum() / (len(gg) * (len(gg) - 1)))
