"""Numbers read off the exact distances between two surfaces, P (the prediction) and T (the truth).

d(p, T) is the exact distance from a sample p to the nearest triangle of T; <> is the mean over the samples.
"""

import numpy as np

from isofield.metrics.surface import BothWays


def point_to_surface(both: BothWays) -> float:
    """(<d(p, T)> + <d(t, P)>) / 2: the primary figure of accuracy, zero for equal surfaces whatever the samples."""
    return (float(both.pred.distance.mean()) + float(both.truth.distance.mean())) / 2


def hausdorff(both: BothWays) -> float:
    """max(max d(p, T), max d(t, P)) over the samples: a lower bound of the Hausdorff distance of the surfaces."""
    return max(float(both.pred.distance.max()), float(both.truth.distance.max()))


def mse(both: BothWays) -> float:
    """<d(p, T)^2>, prediction to truth only (our reading of GeoGen's "MSE", which its paper leaves undefined)."""
    return float(np.square(both.pred.distance).mean())


def msd(both: BothWays) -> float:
    """<d(p, T)>, prediction to truth only (our reading of GeoGen's mean surface distance)."""
    return float(both.pred.distance.mean())


def normal_consistency(both: BothWays) -> float:
    """(<n(p) . n(nearest on T)> + <n(t) . n(nearest on P)>) / 2, signed: 1 if equal, -1 if inside out."""
    return (float(both.pred.cosine.mean()) + float(both.truth.cosine.mean())) / 2


def f_score(both: BothWays, tau: float = 0.01) -> float:
    """2 PR / (P + R), P = share of d(p, T) < tau, R = share of d(t, P) < tau (Knapitsch et al. 2017)."""
    precision = float((both.pred.distance < tau).mean())
    recall = float((both.truth.distance < tau).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
