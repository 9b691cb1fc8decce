"""Overlap of two solids."""

import numpy as np

from isofield.metrics.surface import Surface


def iou(pred: Surface, truth: Surface, *, count: int = 100_000, seed: int = 0) -> float:
    """|inside both| / |inside either| over `count` uniform points of the joint bounding box.

    Inside is a winding number above one half, so open meshes have an inside too and one turned inside out has none.
    NaN where neither has an inside.
    """
    corners = np.concatenate([pred.mesh.bounds, truth.mesh.bounds])
    points = np.random.default_rng(seed).uniform(corners.min(0), corners.max(0), (count, 3))
    a, b = (surface.distance.winding_number(points) > 0.5 for surface in (pred, truth))
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else float("nan")
