"""A cloud without repeated points and without points that belong to no surface, and what was found on the way."""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from isofield.cloud.cloud import Cloud
from isofield.cloud.normals import noise_level
from isofield.frame import UnitFrame

NEAR, AROUND = 8, 32  # neighbours that a spacing is the mean distance of, and those it is compared with
ISOLATED, ALONE = 2.5, 6.0  # times the spacing around it: a point of no surface, off most planes, or wherever
SPARSE, SOLID = 2.5, 0.1  # times the median spacing, and share of variance across the best plane: a haze of outliers
LONELY, OFF_PLANE = (
    1.15,
    0.35,
)  # times the spacing around it, and sine to all planes of its neighbours: beside a surface
ROUNDS = 4
THIN = 1e-6  # of the largest spread: what rounding to float32 leaves of none
FEWEST = 2 * AROUND  # points below which no statistics are made, and no field is fitted
MOST = 1_000_000  # points that a field is fitted to; of more, those are taken that lie spread out


@dataclass(frozen=True)
class CloudReport:
    """Counts, and lengths in the user's units.

    points: read; duplicates, outliers, thinned: left out of them; kept: what remains; spacing: median distance to the
    nearest neighbour; noise: standard deviation about the surface.
    """

    points: int
    duplicates: int
    outliers: int
    thinned: int
    kept: int
    spacing: float
    noise: float

    def to_json(self) -> dict:
        return asdict(self)


def clean(cloud: Cloud, *, outliers: bool = True, at_most: int | None = None) -> tuple[Cloud, CloudReport]:
    """Drop bitwise repeated points and, unless told not to, outliers; thin to about `at_most` points by voxels."""
    first = first_of_equals(cloud.points)
    kept = cloud.take(first) if len(first) < len(cloud) else cloud
    duplicates, thinned = len(cloud) - len(kept), 0
    if at_most is not None and len(kept) > at_most:
        rows = thinned_rows(kept.points, at_most)
        thinned, kept = len(kept) - len(rows), kept.take(rows)
    distinct = len(kept)
    if outliers:
        kept = kept.take(~outlier_mask(kept.points))
    report = CloudReport(
        points=len(cloud),
        duplicates=duplicates,
        outliers=distinct - len(kept),
        thinned=thinned,
        kept=len(kept),
        spacing=_spacing(kept.points),
        noise=noise_level(kept.points),
    )
    return kept, report


def first_of_equals(points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "m"]:
    """Rows of the first of each group of bitwise equal points (-0 equals 0), in order."""
    table = points + 0.0
    order = np.lexsort(table.T)
    fresh = np.ones(len(table), bool)
    fresh[1:] = (table[order[1:]] != table[order[:-1]]).any(1)
    return np.sort(np.minimum.reduceat(order, np.flatnonzero(fresh)))


def dimensions(points: Float[np.ndarray, "n 3"]) -> int:
    """3 for points in space, 2 for those of one plane, 1 of one line, 0 of one place, up to rounding."""
    unit = UnitFrame.of(points).to_unit(points)
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(unit.T)), 0)) if len(points) > 1 else np.zeros(3)
    return int((spread > THIN * spread.max()).sum())


def outlier_mask(points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    """True for points that belong to no surface, by the mean distance to their neighbours, in rounds.

    Three kinds: far more isolated than the points around them; a haze, sparser than most of the cloud and as thick
    as wide; and points beside a surface, lonelier than those around them and on the plane of none of them. A sparse
    surface is none of these, nor is a thin part.
    """
    points = UnitFrame.of(points).to_unit(points)
    kept = np.arange(len(points))
    for _ in range(ROUNDS):
        if len(kept) < FEWEST:
            break
        out = _outliers_once(points[kept])
        kept = kept[~out]
        if out.mean() < 1e-3:
            break
    mask = np.ones(len(points), bool)
    mask[kept] = False
    return mask if len(kept) >= FEWEST else np.zeros(len(points), bool)


def thinned_rows(points: Float[np.ndarray, "n 3"], count: int) -> Int[np.ndarray, "m"]:
    """Rows of at most `count` points, the first in each cube of a grid as fine as that number allows."""
    unit = UnitFrame.of(points).to_unit(points)
    low, high = 1e-6, 2.0
    rows = np.arange(len(points))[:1]
    for _ in range(16):
        side = np.sqrt(low * high)
        cubes = np.floor((unit + 1) / side).astype(np.int64)
        keys = (cubes[:, 0] << 42) + (cubes[:, 1] << 21) + cubes[:, 2]
        first = np.unique(keys, return_index=True)[1]
        if len(first) > count:
            low = side
        else:
            high, rows = side, first
    return np.sort(rows)


def _outliers_once(points: np.ndarray) -> np.ndarray:
    distances, near = cKDTree(points).query(points, AROUND + 1)
    distances, near = distances[:, 1:], near[:, 1:]
    own = distances[:, :NEAR].mean(1)
    around = np.maximum(np.quantile(own[near], 0.25, axis=1), 1e-12)
    values, vectors = _planes(points, near[:, :12])
    haze = (own > SPARSE * np.median(own)) & (values[:, 0] > SOLID * values.sum(1))
    offset = points[near[:, :NEAR]] - points[:, None]
    height = np.abs((offset * vectors[near[:, :NEAR], :, 0]).sum(2))
    off_plane = height > OFF_PLANE * distances[:, :NEAR]
    isolated = (own > ISOLATED * around) & (off_plane.mean(1) > 0.5) | (own > ALONE * around)
    beside = (own > LONELY * around) & off_plane.all(1)
    return isolated | haze | beside


def _planes(points: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = points[near]
    centered = chosen - chosen.mean(1, keepdims=True)
    return np.linalg.eigh(centered.transpose(0, 2, 1) @ centered)


def _spacing(points: np.ndarray) -> float:
    if len(points) < 2:
        return 0.0
    return float(np.median(cKDTree(points).query(points, 2)[0][:, 1]))
