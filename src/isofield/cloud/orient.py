"""Which way normals point: towards the sensors where they are known, else away from the inside.

Without sensors, points are small dipoles: the normals of a closed surface that agree make a field, its winding number,
that is constant on either side, and any disagreement costs energy (a discrete double layer; the same field orients
patches in Metzer et al. 2021, "Orienting point clouds with dipole propagation"). The energy is a sum over pairs,
so signs that make it small are found by joining the strongest pairs first.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from isofield.cloud.cloud import Cloud
from isofield.cloud.normals import estimate_normals, noise_level
from isofield.frame import UnitFrame

DRAWS = 4  # of dipoles
DIPOLES = 4000  # whose pairs are all looked at; the rest of a cloud follows its neighbours among them
AREA_NEIGHBOURS = 8
TINY = 1e-20  # square of a length in the unit frame that is none
KNOWN = 0.99  # share of points with a normal of their own that makes these the ones to use
ROUNDS = 5  # of looking for groups to turn
INSIDE_OUT = -0.25  # winding number on a surface below which it is taken to be inside out
GRAZING = 0.15  # cosine below which a sensor does not tell the side


@dataclass(frozen=True)
class Orientation:
    """normals (n, 3), unit length; confidence (n,) in [0, 1]: how unanimous what voted was; by: what voted."""

    normals: Float[np.ndarray, "n 3"]
    confidence: Float[np.ndarray, "n"]
    by: Literal["sensors", "winding number"]


def with_normals(cloud: Cloud) -> tuple[Cloud, Orientation]:
    """The cloud with estimated and oriented normals in place of whatever it had."""
    oriented = orient_normals(cloud.points, estimate_normals(cloud.points), cloud.sensors)
    return replace(cloud, normals=oriented.normals), oriented


def with_own_normals(cloud: Cloud) -> Cloud | None:
    """The points that have a normal, if that is nearly all of them; else None."""
    if cloud.normals is None:
        return None
    known = np.asarray(cloud.normals.any(axis=1))
    return cloud.take(known) if known.mean() > KNOWN else None


def orient_normals(
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    sensors: Float[np.ndarray, "n 3"] | None = None,
    *,
    seed: int = 0,
) -> Orientation:
    """Turn each normal to the outside or leave it: towards its sensor, else by the winding number of them all.

    Shells inside shells are taken for cavities. On open surfaces the sign of the whole is a guess: away from the
    centre of its mass.
    """
    frame = UnitFrame.of(points)
    points = frame.to_unit(points)
    if sensors is not None:
        return _towards(points, normals, frame.to_unit(sensors))
    rng = np.random.default_rng(seed)
    draws = DRAWS if len(points) > DIPOLES else 1
    found = [_by_winding(points, normals, rng.permutation(len(points))[:DIPOLES]) for _ in range(draws)]
    signs, confidence = max(found, key=lambda draw: float(draw[1].mean()))  # the surest are the ones that err least
    return Orientation(normals * signs[:, None], confidence, "winding number")


def _by_winding(points: np.ndarray, normals: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signs and confidence (n,) of all points, of which those in these rows decide and the others follow."""
    dipoles = _Dipoles(points[rows], normals[rows])
    energy = dipoles.energy(2 * noise_level(points))
    signs = agreeing_signs(energy)
    signs = _right_side_out(dipoles, _outward(dipoles, signs))
    agreement = -signs * (energy @ signs) / np.maximum(np.abs(energy).sum(1), 1e-30)
    all_signs, confidence = _follow(dipoles, signs, np.maximum(agreement, 0), points, normals)
    all_signs[rows], confidence[rows] = signs, np.maximum(agreement, 0)
    return all_signs, np.clip(confidence, 0, 1)


def agreeing_signs(energy: np.ndarray) -> np.ndarray:
    """Signs s (m,) that make s . energy . s small, for a symmetric (m, m) matrix without diagonal.

    Groups are contracted greedily: the two with the strongest sum of pairs between them become one, the smaller turned
    if that sum is positive. A row's stored strongest value is never below the true one, so rows are looked at again
    only when they come first. What was joined early may have been joined wrongly: see `_turned_again`.
    """
    pairs = energy.astype(np.float32)
    count = len(pairs)
    signs, groups = np.ones(count), [np.array([i]) for i in range(count)]
    joined: list[np.ndarray] = []
    partner = np.abs(pairs).argmax(1)
    strength, fresh = np.abs(pairs[np.arange(count), partner]), np.ones(count, bool)
    while True:
        a = int(strength.argmax())
        if strength[a] <= 0:
            return _turned_again(energy, signs, joined)
        if not fresh[a]:
            partner[a] = np.abs(pairs[a]).argmax()
            strength[a], fresh[a] = abs(pairs[a, partner[a]]), True
            continue
        b = int(partner[a])
        a, b = (a, b) if len(groups[a]) >= len(groups[b]) else (b, a)
        sign = -1 if pairs[a, b] > 0 else 1
        signs[groups[b]] *= sign
        joined.append(groups[b])
        groups[a], groups[b] = np.concatenate([groups[a], groups[b]]), groups[b][:0]
        pairs[a] += sign * pairs[b]
        pairs[a, [a, b]] = 0
        pairs[:, a], pairs[:, b] = pairs[a], 0
        fresh[(partner == a) | (partner == b)] = False
        strength[b] = -1
        row = np.abs(pairs[a])
        risen = (row > strength) & (strength >= 0)
        partner[risen], strength[risen], fresh[risen] = a, row[risen], True
        partner[a], strength[a], fresh[a] = row.argmax(), row.max(), True


def _turned_again(energy: np.ndarray, signs: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """Signs after turning those groups, large ones first, that agree with the others the other way round."""
    groups, signs = sorted(groups, key=len, reverse=True), signs.copy()
    for _ in range(ROUNDS):
        field, turned = energy @ signs, 0
        for group in groups:
            own = signs[group] @ energy[np.ix_(group, group)] @ signs[group]
            if signs[group] @ field[group] > own + 1e-12 * abs(own):
                field -= 2 * energy[:, group] @ signs[group]
                signs[group] *= -1
                turned += 1
        if not turned:
            break
    return signs


class _Dipoles:
    """Points (m, 3) with normals (m, 3) and the areas (m,) that each of them stands for."""

    def __init__(self, points: np.ndarray, normals: np.ndarray) -> None:
        self.points, self.normals, self.tree = points, normals, cKDTree(points)
        k = min(AREA_NEIGHBOURS + 1, len(points))
        self.distances, self.near = (found.reshape(-1, k) for found in self.tree.query(points, k))
        self.areas = np.pi * self.distances[:, -1] ** 2 / max(k - 1, 1)

    def energy(self, blur: float) -> np.ndarray:
        """(m, m): normal of i against the gradient at i of the winding number of j; negative where the two agree.

        Kernel (3 (n_i.r)(n_j.r) / r^2 - n_i.n_j) / r^3 times both areas, softened below 0.4 spacings, and up to twice
        that by `blur`.
        """
        squares = self._squares()
        soft = 0.16 * self.areas + np.minimum(blur**2, 0.5 * self.areas)
        squares += np.sqrt(soft[:, None] * soft[None]) + TINY
        along = self.normals @ self.points.T  # n_i . p_j
        own = np.diag(along).copy()
        kernel = 3 * (along - own[:, None]) * (own[:, None] - along).T / squares - self.normals @ self.normals.T
        kernel *= self.areas[:, None] * self.areas[None] / (squares * np.sqrt(squares))
        np.fill_diagonal(kernel, 0)
        return kernel

    def winding(self, signs: np.ndarray, chosen: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Winding number of the chosen dipoles at the points `at` (q, 3)."""
        offset = self.points[chosen][None] - at[:, None]
        cubes = np.maximum((offset**2).sum(2), TINY) ** 1.5
        flux = np.einsum("qmd,md->qm", offset, self.normals[chosen] * (signs * self.areas)[chosen, None])
        return (flux / cubes).sum(1) / (4 * np.pi)

    def kernel(self) -> np.ndarray:
        """(m, m): what dipole j adds to the winding number at point i; nothing to its own."""
        along = self.normals @ self.points.T  # n_i . p_j
        squares = self._squares() + 0.16 * self.areas + TINY
        flux = (np.diag(along) - along.T) * self.areas / (4 * np.pi * squares * np.sqrt(squares))
        np.fill_diagonal(flux, 0)
        return flux

    def pieces(self) -> np.ndarray:
        """Number (m,) of the connected piece of each dipole: neighbours within three spacings."""
        close = self.distances <= 3 * np.sqrt(self.areas)[:, None]
        first, k = np.nonzero(close)
        links = coo_matrix((np.ones(len(first)), (first, self.near[first, k])), (len(close), len(close)))
        return connected_components(links, directed=False)[1]

    def _squares(self) -> np.ndarray:
        lengths = (self.points**2).sum(1)
        return np.maximum(lengths[:, None] + lengths[None] - 2 * self.points @ self.points.T, 0)


def _outward(dipoles: _Dipoles, signs: np.ndarray) -> np.ndarray:
    """Every piece turned so that its volume is positive, then turned again if an odd number of others surround it."""
    piece = dipoles.pieces()
    count = int(piece.max()) + 1
    total = np.maximum(np.bincount(piece, dipoles.areas, count), 1e-300)
    centers = (
        np.stack([np.bincount(piece, dipoles.areas * axis, count) for axis in dipoles.points.T], 1) / total[:, None]
    )
    reach = ((dipoles.points - centers[piece]) * dipoles.normals).sum(1)
    volume = np.bincount(piece, dipoles.areas * signs * reach, count)
    signs = signs * np.where(volume < 0, -1, 1)[piece]
    if count == 1:
        return signs
    turned = np.ones(count)
    for number in np.flatnonzero(np.bincount(piece, minlength=count) >= 2 * AREA_NEIGHBOURS):
        own = np.flatnonzero(piece == number)
        around = dipoles.winding(signs, piece != number, dipoles.points[own[:50]])
        turned[number] = -1 if round(float(np.median(around))) % 2 else 1
    return signs * turned[piece]


def _right_side_out(dipoles: _Dipoles, signs: np.ndarray) -> np.ndarray:
    """Parts turned that hang on the others by a neck alone, inside out: all their normals agree with each other.

    On a surface the winding number is a half, the mean of 0 outside and 1 inside; on such a part it is minus a half,
    and on the middle of an open sheet nothing.
    """
    kernel = dipoles.kernel()
    for _ in range(ROUNDS):
        wrong = (kernel @ signs)[dipoles.near].mean(1) < INSIDE_OUT
        if not wrong.any():
            break
        signs = np.where(wrong, -signs, signs)
    return signs


def _follow(
    dipoles: _Dipoles, signs: np.ndarray, agreement: np.ndarray, points: np.ndarray, normals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Signs and confidence (n,) of all points from the nearest dipoles, by the same energy."""
    near = dipoles.tree.query(points, min(AREA_NEIGHBOURS, len(signs)))[1].reshape(len(points), -1)
    offset = dipoles.points[near] - points[:, None]
    squares = (offset**2).sum(2) + dipoles.areas[near] + TINY
    theirs = dipoles.normals[near] * signs[near][..., None]
    across, ahead = (offset * theirs).sum(2), (offset * normals[:, None]).sum(2)
    energy = 3 * across * ahead / squares - (theirs * normals[:, None]).sum(2)
    energy *= dipoles.areas[near] / squares**1.5
    total = energy.sum(1)
    unanimity = np.abs(total) / np.maximum(np.abs(energy).sum(1), 1e-300)
    return np.where(total < 0, 1.0, -1.0), unanimity * agreement[near].mean(1)


def _towards(points: np.ndarray, normals: np.ndarray, sensors: np.ndarray) -> Orientation:
    """Towards the sensor; where it only grazes the surface, as the neighbours that it sees well."""
    ray = sensors - points
    cosine = (ray * normals).sum(1) / np.maximum(np.linalg.norm(ray, axis=1), 1e-300)
    signs = np.where(cosine < 0, -1.0, 1.0)
    clear = np.abs(cosine) > GRAZING
    if clear.any() and not clear.all():
        near = cKDTree(points[clear]).query(points[~clear], min(AREA_NEIGHBOURS, int(clear.sum())))[1]
        theirs = (normals * signs[:, None])[clear][near.reshape(int((~clear).sum()), -1)]
        signs[~clear] = np.where((theirs * normals[~clear, None]).sum((1, 2)) < 0, -1.0, 1.0)
    return Orientation(normals * signs[:, None], np.clip(np.abs(cosine), 0, 1), "sensors")
