"""How far from a sample the surface cannot be: a Lipschitz bound, stated by the field or estimated from its values."""

import numpy as np
from jaxtyping import Float

SAFETY = 1.4  # how many times the steepest slope seen the field is taken to have
ROUNDING = 1.0001  # a proven bound holds for real numbers, the field answers in float32
EXPONENTS = 320  # slopes are kept apart by the power of two of the value: bins for 2^-160 .. 2^160
SCALES = 16  # sizes 1, 2, 4 .. 2^15 cells
FLAT = 1e-4  # a change between neighbouring samples below this share of their value is none

Array = Float[np.ndarray, " n"]


class SlopeBound:
    """The steepest slope wherever |f| <= v, as a function of v and of the distance over which it is taken.

    On the way from a point with |f| = v straight to the nearest zero, the last stretch has |f| <= v and must lose v,
    so it is at least v / L(v) long: `reach`. For a proven constant L that is the usual sphere of v / L without a
    zero. Taking L by value keeps the reach long for fields that are flat near the surface and steep elsewhere (d^2,
    d^3). An estimated L is that of the modulus of continuity: what matters to a block is how much the field changes
    over its own size, not how rough it is over a cell, so slopes over less than half the size are left out.
    """

    def __init__(self, proven: float | None):
        self.proven = proven
        self._slopes = np.zeros((SCALES, EXPONENTS))  # steepest slope seen, by log2 of the size and bin of the value
        self._margin = np.full((SCALES, EXPONENTS), np.inf)  # the smallest slope that would have spoilt a decision
        self._groups = self._flat = 0

    def see(self, size: int, value: Array, slope: Array, flat: int = 0) -> None:
        """Learn slopes over `size` cells and the smallest |f| beside each; `flat` of them were no change at all."""
        np.maximum.at(self._slopes[_scale(size)], _bin(value), slope)
        self._groups += len(slope)
        self._flat += flat

    def reach(self, values: Array, size: int) -> Array:
        """Radius, up to `size` cells, of a ball that cannot hold a zero; 0 where the value is not known."""
        magnitude = np.where(np.isfinite(values), np.abs(values), 0.0)
        if self.proven is None:
            slope = SAFETY * self._steepest(size)[_bin(magnitude)]
        else:
            slope = np.full(len(values), ROUNDING * self.proven)
        return np.divide(magnitude, slope, out=np.where(magnitude > 0, np.inf, 0.0), where=slope > 0)

    def rely(self, size: int, values: Array, radius: Array) -> None:
        """Remember that balls of these radii, for blocks of one size, were taken to hold no zero."""
        if self.proven is None:
            np.minimum.at(self._margin[_scale(size)], _bin(np.abs(values)), np.abs(values) / radius)

    def broken(self) -> bool:
        """Has a slope been seen since that is steeper than a decision could bear?"""
        return any(bool((self._steepest(1 << scale) > self._margin[scale]).any()) for scale in range(SCALES))

    def renew(self) -> None:
        """Forget the decisions, keep the slopes."""
        self._margin[:] = np.inf

    def _steepest(self, size: int) -> np.ndarray:
        """For each bin of values the largest slope seen there or below, over at least half of `size`."""
        return np.maximum.accumulate(self._slopes[max(_scale(size) - 1, 0) :].max(axis=0))

    @property
    def mostly_flat(self) -> bool:
        """Values that do not change tell nothing about what lies between them."""
        return self.proven is None and self._flat > self._groups / 4


def _scale(size: int) -> int:
    return size.bit_length() - 1


def _bin(value: np.ndarray) -> np.ndarray:
    exponent = np.frexp(value)[1].astype(np.int64)
    return np.where(value > 0, np.clip(exponent + EXPONENTS // 2, 1, EXPONENTS - 1), 0)
