"""Is it one solid shape that pictures from several sides show, and has it the depth that they show?"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt

RIM = 1 / 3  # of the way from the outline of a silhouette to its inmost point; the middle is as much at the other end


def view_consistency(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "n d"], center: Float[np.ndarray, " d"] | None = None
) -> float:
    """Mean cosine of the features of two views of the same shape; GeoGen's ID where they are ArcFace's of faces.

    center: what counts as no direction at all, such as the mean over all pictures: features that are never negative
    would otherwise all be alike.
    """
    a, b = (x if center is None else x - center for x in (first, second))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(1) / np.maximum(lengths, np.finfo(float).tiny)))


class DepthGap(NamedTuple):
    """gap: mean distance along the rays between the two surfaces, where both are; missed: share of the pixels with a
    surface in either that have none in the other."""

    gap: float
    missed: float


def depth_gap(rendered: Float[np.ndarray, "h w"], surface: Float[np.ndarray, "h w"]) -> DepthGap:
    """<|d - d'|>: the depth that volume rendering gives (Eq. 4) against that of the zero level itself.

    Both are along the ray, infinite where nothing is seen. GeoGen's Eq. 6 wants the gap to be zero. (EG3D's and
    GeoGen's measure of depth is against what a network for faces guesses, which is not included.) The gap is NaN where
    no pixel has both.
    """
    one, other = np.isfinite(rendered), np.isfinite(surface)
    both, either = one & other, one | other
    gap = np.abs(rendered[both] - surface[both]).mean() if both.any() else np.nan
    return DepthGap(float(gap), float(1 - both.sum() / either.sum()) if either.any() else 0.0)


def bulge(depth: Float[np.ndarray, "h w"]) -> float:
    """How much nearer the middle of what is seen is than its rim: median depth of the rim less that of the middle.

    Rim and middle: the outer and the inner third of the silhouette, by distance to its outline. Below zero the shape is
    hollow as a mask from behind, whose pictures look right: a failure that Chan et al. 2021 (pi-GAN) show. depth: along
    the ray, infinite where nothing is seen. NaN where too little is seen to have a rim and a middle.
    """
    seen = np.isfinite(depth)
    inward = distance_transform_edt(np.pad(seen, 1))[1:-1, 1:-1]
    if inward.max() <= 1:
        return float("nan")
    inward = (inward - 0.5) / (inward.max() - 0.5)
    return float(np.median(depth[seen & (inward <= RIM)]) - np.median(depth[inward >= 1 - RIM]))


def hollow_fraction(bulges: Float[np.ndarray, " n"]) -> float:
    """Share of the shapes with a surface whose bulge is below zero; NaN where there are none."""
    known = bulges[np.isfinite(bulges)]
    return float((known < 0).mean()) if len(known) else float("nan")
