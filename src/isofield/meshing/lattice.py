"""A lattice of points over a field's bounds, and the memory of what the field said there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from isofield.errors import IsofieldError
from isofield.fields.field import Field, sdf_numpy
from isofield.meshing.marching_cubes import OUTSIDE

Points = Int[np.ndarray, "_ 3"]
Keys = Int[np.ndarray, "_"]
Values = Float[np.ndarray, "_"]

RECENT = 1 << 14  # additions that are always kept apart


@dataclass(frozen=True)
class Lattice:
    """Points origin + spacing * (i, j, k); keys number them, the layer of outside points around them included."""

    origin: np.ndarray  # (3,) unit frame
    spacing: float
    shape: tuple[int, int, int]

    @classmethod
    def over(cls, field: Field, resolution: int) -> "Lattice":
        """`resolution` points along the longest side of the field's bounds, as many as needed along the others."""
        low, high = np.array(field.bounds, np.float64)
        spacing = float((high - low).max()) / (resolution - 1)
        nx, ny, nz = (int(n) for n in np.ceil((high - low) / spacing - 1e-6) + 1)
        return cls(low, spacing, (nx, ny, nz))

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]

    def keys(self, index: Points) -> Keys:
        """Numbers of lattice points with indices -1 .. shape."""
        _, ny, nz = self.shape
        return ((index[:, 0] + 1) * (ny + 2) + index[:, 1] + 1) * (nz + 2) + index[:, 2] + 1

    def steps(self, offsets: Points) -> Keys:
        """What must be added to a point's key to reach its neighbours."""
        _, ny, nz = self.shape
        return offsets @ np.array([(ny + 2) * (nz + 2), nz + 2, 1])

    def index(self, keys: Keys) -> Points:
        _, ny, nz = self.shape
        rest, z = np.divmod(keys, nz + 2)
        x, y = np.divmod(rest, ny + 2)
        return np.stack([x, y, z], axis=1) - 1

    def points(self, index: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return self.origin + self.spacing * index

    def outside(self, index: Points) -> Bool[np.ndarray, "_"]:
        """Points of the layer around the lattice."""
        return np.any((index < 0) | (index >= np.array(self.shape)), axis=1)


class Samples:
    """Values minus level on lattice points, each asked from the field at most once.

    A point may be assumed to lie inside or outside without asking: it then holds minus or plus infinity until it is
    asked.
    """

    def __init__(self, field: Field, lattice: Lattice, level: float):
        self.field, self.lattice, self.level = field, lattice, level
        self.queries = 0
        self.low, self.high = np.inf, -np.inf  # the range of all values minus level
        self.contradicted = np.empty(0, np.int64)  # keys of assumptions that an answer has proved wrong
        self._held = SortedMap()

    def known(self, keys: Keys) -> Values:
        """Asked values, infinities where assumed or around the lattice, NaN where nothing is known."""
        values = self._held.get(keys)
        unknown = np.flatnonzero(np.isnan(values))
        values[unknown[self.lattice.outside(self.lattice.index(keys[unknown]))]] = OUTSIDE
        return values

    def ask(self, keys: Keys) -> Values:
        """Values at keys within the lattice; asks the field where it has not been asked yet."""
        held = self._held.get(keys)
        unasked = distinct(keys[~np.isfinite(held)])
        if not len(unasked):
            return held
        assumed = self._held.get(unasked)
        values = self.values_at(self.lattice.index(unasked))
        wrong = np.isinf(assumed) & ((assumed < 0) != (values < 0))
        self.contradicted = np.concatenate([self.contradicted, unasked[wrong]])
        self._held.put(unasked, values)
        return self._held.get(keys)

    def ask_all(self, index: Points) -> Values:
        """`ask` by index."""
        return self.ask(self.lattice.keys(index))

    def assume(self, keys: Keys, inside: Bool[np.ndarray, "_"]) -> None:
        """Take distinct new points for inside or outside."""
        self._held.put(keys, np.where(inside, -np.inf, np.inf))

    def remember(self, keys: Keys, values: Values) -> None:
        """Keep answers that were given already, for distinct points."""
        self._held.put(keys, values)

    def forget_assumptions(self) -> None:
        self._held.drop_infinite()
        self.contradicted = np.empty(0, np.int64)

    def values_at(self, index: Points) -> Values:
        """Ask without remembering. Raises IsofieldError where the field is not finite."""
        values = sdf_numpy(self.field, self.lattice.points(index)) - self.level
        bad = ~np.isfinite(values)
        if bad.any():
            where = np.round(self.lattice.points(index[bad][:1])[0], 6).tolist()
            count = f"{int(bad.sum())} of {len(values)} points asked"
            raise IsofieldError(f"the field is not finite at {count}, the first at {where} in the unit frame")
        self.queries += len(values)
        self.low, self.high = min(self.low, values.min(initial=np.inf)), max(self.high, values.max(initial=-np.inf))
        return values


class SortedMap:
    """Keys to values in two sorted runs, a large one and a recent one, so that many small additions stay cheap."""

    def __init__(self) -> None:
        self._runs: list[tuple[Keys, Values]] = [(np.empty(0, np.int64), np.empty(0)) for _ in range(2)]

    def get(self, keys: Keys) -> Values:
        """NaN where a key is not held."""
        values = np.full(len(keys), np.nan)
        for held, content in self._runs:
            position = np.searchsorted(held, keys)
            found = among(keys, held, position)
            values[found] = content[position[found]]
        return values

    def put(self, keys: Keys, values: Values) -> None:
        """Set distinct keys, new or held."""
        new = np.ones(len(keys), bool)
        for held, content in self._runs:
            position = np.searchsorted(held, keys)
            found = among(keys, held, position)
            content[position[found]] = values[found]
            new &= ~found
        (main, content), recent = self._runs[0], _merge(self._runs[1], (keys[new], values[new]))
        if len(recent[0]) > RECENT + len(main) // 8:
            (main, content), recent = _merge((main, content), recent), (keys[:0], values[:0])
        self._runs = [(main, content), recent]

    def keys_of(self, value: float) -> Keys:
        """All keys that hold a value, in ascending order."""
        return np.sort(np.concatenate([keys[values == value] for keys, values in self._runs]))

    def drop_infinite(self) -> None:
        self._runs = [(keys[np.isfinite(values)], values[np.isfinite(values)]) for keys, values in self._runs]


def _merge(a: tuple[Keys, Values], b: tuple[Keys, Values]) -> tuple[Keys, Values]:
    keys = np.concatenate([a[0], b[0]])
    order = np.argsort(keys, kind="stable")
    return keys[order], np.concatenate([a[1], b[1]])[order]


def distinct(keys: Keys) -> Keys:
    """Sorted and without repeats; several times as fast as np.unique, which hashes."""
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=-1) > 0]


def among(keys: Keys, ordered: Keys, position: Keys | None = None) -> Bool[np.ndarray, "_"]:
    """Which keys are in a sorted array; `position` is where they would stand, if known."""
    if not len(ordered):
        return np.zeros(len(keys), bool)
    position = np.searchsorted(ordered, keys) if position is None else position
    return ordered[np.minimum(position, len(ordered) - 1)] == keys
