"""Find the cells that the surface crosses with few queries: prune from coarse to fine, deduce signs, follow it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from isofield.meshing.cases import CASES, CORNERS, EDGE_HIGH, EDGE_LOW, FACES
from isofield.meshing.lattice import Keys, Lattice, Points, Samples, SortedMap, Values, distinct
from isofield.meshing.marching_cubes import case_numbers
from isofield.meshing.slopes import FLAT, SlopeBound

ROOTS = 12  # at least so many blocks along the longest axis on the coarsest level
PARENTS = 1 << 15  # blocks split at a time: bounds the memory
DENSE_SHARE = 0.3  # when so large a part of the box cannot be pruned, asking everything is simpler
MOST_KEPT = 1 << 18  # blocks whose children are all remembered: looking again then asks little
MOST_BLOCKS = 1_000_000  # of 2 x 2 x 2 cells: bounds the memory of refinement

LOCAL = np.array(list(product(range(3), repeat=3)))  # the 27 points of a block of 2 x 2 x 2 cells
PARITY = [np.flatnonzero((LOCAL != 1).sum(1) == k) for k in range(4)]  # its centre, face centres, edge centres, corners


@dataclass(frozen=True)
class Crossed:
    """Distinct cells with both signs, and values minus level at their corners; off crossed edges the sign counts."""

    cells: Int[np.ndarray, "n 3"]
    corners: Float[np.ndarray, "n 8"]


def crossed_cells(samples: Samples, bound: SlopeBound) -> Crossed | None:
    """All cells with both signs, as far as the bound holds; None where asking everything is cheaper."""
    blocks = live_blocks(samples, bound)
    return None if blocks is None else follow(samples, refine(samples, bound, blocks))


def live_blocks(samples: Samples, bound: SlopeBound) -> Points | None:
    """Low corners of the blocks of 2 x 2 x 2 cells that may hold a zero. None where there are too many."""
    lattice = samples.lattice
    cells = max(lattice.shape) - 1
    size = max(2, 1 << int(np.log2(max(cells / ROOTS, 2))))
    parents = _tiling(lattice, 2 * size)
    while True:
        ask = samples.values_at if len(parents) > MOST_KEPT else samples.ask_all
        kept = [_split(samples, bound, part, size, ask) for part in _parts(parents)]
        parents = np.concatenate([low for low, _ in kept])
        if _too_many(lattice, bound, size, len(parents), np.concatenate([values for _, values in kept])):
            return None
        if size == 2 or (not len(parents) and bound.proven is not None):
            return parents
        if not len(parents):  # nothing is not to be believed on an estimate
            return None
        size //= 2


def _tiling(lattice: Lattice, size: int) -> Points:
    axes = [np.arange(0, max(n - 1, 1), size) for n in lattice.shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _parts(blocks: Points) -> list[Points]:
    return [blocks[i : i + PARENTS] for i in range(0, max(len(blocks), 1), PARENTS)]


def _split(
    samples: Samples, bound: SlopeBound, parents: Points, size: int, ask: Callable[[Points], Values]
) -> tuple[Points, Values]:
    """Of the eight children of each parent those that may hold a zero, and the values at their centres."""
    lattice, last = samples.lattice, np.array(samples.lattice.shape) - 1
    low = (parents[:, None] + size * CORNERS).reshape(-1, 3)
    high = np.minimum(low + size, last)
    exists = (low < last).all(axis=1)
    centre = (low + high) // 2
    radius = lattice.spacing * np.linalg.norm(np.maximum(centre - low, high - centre), axis=1)
    values = np.full(len(low), np.nan)
    values[exists] = ask(centre[exists])
    if bound.proven is None:
        whole = (high - low == size).all(axis=1)
        _learn_slopes(bound, np.where(whole, values, np.nan).reshape(-1, 2, 2, 2), size, lattice.spacing)
    blind = bound.mostly_flat and not samples.low < 0 <= samples.high
    capped = ((low == 0) | (high == last)).any(axis=1) & (values < 0)
    live = exists & ((bound.reach(values, size) <= radius) | capped | blind)
    dead = exists & ~live
    bound.rely(size, values[dead], radius[dead])
    samples.remember(lattice.keys(centre[live]), values[live])
    return low[live], values[live]


def _learn_slopes(bound: SlopeBound, values: np.ndarray, size: int, spacing: float) -> None:
    """From groups (n, 2, 2, 2) of neighbouring centres: the longest one-sided gradient of each group."""
    gradient = _one_sided(values)
    change = np.sqrt((gradient**2).sum(axis=-1).max(axis=1))
    seen = np.isfinite(values).any(axis=(1, 2, 3))
    least = np.abs(np.nan_to_num(values, nan=np.inf)).reshape(len(values), -1).min(axis=1)
    both = (values < 0).any(axis=(1, 2, 3)) & (values >= 0).any(axis=(1, 2, 3))
    flat = int((change <= FLAT * least)[seen].sum())
    bound.see(size, np.where(both, 0, least)[seen], change[seen] / (size * spacing), flat)


def _one_sided(values: np.ndarray) -> np.ndarray:
    """(n, 8, 3): at each of eight samples the differences to its three neighbours, 0 where there is none."""
    differences = [np.nan_to_num(np.diff(values, axis=axis)) for axis in (1, 2, 3)]
    return np.stack([np.broadcast_to(d, values.shape).reshape(-1, 8) for d in differences], axis=-1)


def _too_many(lattice: Lattice, bound: SlopeBound, size: int, live: int, values: np.ndarray) -> bool:
    """Foresee how many blocks of the last level will stay, from the share of this level's centres that would."""
    share = live * size**3 / lattice.size
    if size > 2:
        share *= float((bound.reach(values, 2) <= np.sqrt(3) * lattice.spacing).mean()) if live else 0.0
    return share > DENSE_SHARE or share * lattice.size / 8 > MOST_BLOCKS


def refine(samples: Samples, bound: SlopeBound, blocks: Points) -> Points:
    """Cells that the signs at the 27 points of each block show to be crossed, and those beside the lattice's border.

    Face centres first, then edge centres, then corners: a point is asked only when no point asked before reaches it.
    """
    lattice = samples.lattice
    block_keys = lattice.keys(blocks)[:, None] + lattice.steps(LOCAL)
    keys = distinct(block_keys.ravel())
    ids = np.searchsorted(keys, block_keys)
    values = samples.known(keys)
    for level in range(4):
        _settle_points(samples, bound, values, keys, ids, level)
    inside = values < 0
    cells = [blocks[_crossed(inside[ids[:, _cell_points(corner)]])] + corner for corner in CORNERS]
    return np.concatenate([*cells, _beside_border(lattice, keys[inside])])


def _settle_points(
    samples: Samples, bound: SlopeBound, values: np.ndarray, keys: Keys, ids: np.ndarray, level: int
) -> None:
    """Give every point of one parity class a value: deduced from points within reach, or asked. Works in place."""
    reach = bound.reach(values, 1) / samples.lattice.spacing
    target = np.zeros(len(keys), bool)
    target[ids[:, PARITY[level]]] = True
    targets = np.flatnonzero(target & np.isnan(values))
    deduced = np.zeros(len(keys))
    for q in PARITY[level]:
        for p in np.concatenate(PARITY[: level + 1]):
            distance = np.linalg.norm(LOCAL[p] - LOCAL[q])
            if 0 < distance < 2:
                rows = np.flatnonzero(reach[ids[:, p]] > distance)
                deduced[ids[rows, q]] = values[ids[rows, p]]
    known = targets[deduced[targets] != 0]
    values[known] = np.copysign(np.inf, deduced[known])
    samples.assume(keys[known], values[known] < 0)
    asked = targets[deduced[targets] == 0]
    values[asked] = samples.ask(keys[asked])


def _cell_points(corner: np.ndarray) -> np.ndarray:
    """Local numbers of the eight corners of one of the eight cells of a block."""
    return (CORNERS + corner) @ (9, 3, 1)


def _crossed(inside: np.ndarray) -> np.ndarray:
    case = case_numbers(inside)
    return (case > 0) & (case < 255)


def _beside_border(lattice: Lattice, inside: Keys) -> Points:
    """Cells that join inside points on the border of the lattice to the layer around it."""
    index = lattice.index(inside)
    border = index[((index == 0) | (index == np.array(lattice.shape) - 1)).any(axis=1)]
    return _around(border)


def _around(points: Points) -> Points:
    return (points[:, None] - CORNERS).reshape(-1, 3)


def follow(samples: Samples, cells: Points) -> Crossed:
    """Add the cells beyond every face with both signs until none is missing, and ask both ends of every crossed edge.

    Whatever was pruned wrongly, the result is closed; parts that are joined to what was found are found as well.
    """
    lattice = samples.lattice
    front, done = _distinct(lattice, cells), SortedMap()
    while len(front):
        before, corners = len(samples.contradicted), _corners(samples, front)
        _ask_ends(samples, front, corners)
        crossed = _crossed(corners < 0)
        done.put(lattice.keys(front), crossed.astype(np.float64))
        beyond = _beyond(front[crossed], corners[crossed])
        fresh = np.isnan(done.get(lattice.keys(beyond)))
        changed = _around(lattice.index(samples.contradicted[before:]))  # to be looked at again
        front = _distinct(lattice, np.concatenate([beyond[fresh], changed]))
    found = lattice.index(done.keys_of(1.0))
    return Crossed(found, _corners(samples, found))


def _distinct(lattice: Lattice, cells: Points) -> Points:
    inside = ((cells >= -1) & (cells < lattice.shape)).all(axis=1)
    return lattice.index(distinct(lattice.keys(cells[inside])))


def _corners(samples: Samples, cells: Points) -> np.ndarray:
    """Values minus level (n, 8); asks where nothing is known."""
    keys = (samples.lattice.keys(cells)[:, None] + samples.lattice.steps(CORNERS)).ravel()
    values = samples.known(keys)
    missing = np.isnan(values)
    if missing.any():
        values[missing] = samples.ask(keys[missing])
    return values.reshape(-1, 8)


def _ask_ends(samples: Samples, cells: Points, corners: np.ndarray) -> None:
    """Ask the assumed ends of crossed edges within the lattice."""
    cut = CASES.cut[case_numbers(corners < 0)]
    layer = samples.lattice.outside((cells[:, None] + CORNERS).reshape(-1, 3)).reshape(-1, 8)
    ends = np.zeros(corners.shape, bool)
    for edge, (low, high) in enumerate(zip(EDGE_LOW, EDGE_HIGH, strict=True)):
        within = cut[:, edge] & ~layer[:, low] & ~layer[:, high]
        ends[:, low] |= within
        ends[:, high] |= within
    row, corner = np.nonzero(ends & np.isinf(corners))
    samples.ask(distinct(samples.lattice.keys(cells[row] + CORNERS[corner])))


def _beyond(cells: Points, corners: np.ndarray) -> Points:
    """The cells on the other side of every face with both signs."""
    inside, found = corners < 0, []
    for number, face in enumerate(FACES):
        count = inside[:, face].sum(axis=1)
        step = np.eye(3, dtype=np.int64)[number // 2] * (1 if number % 2 else -1)
        found.append(cells[(count > 0) & (count < 4)] + step)
    return np.concatenate(found)
