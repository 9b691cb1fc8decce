"""How far from a sample the surface cannot be: a Lipschitz bound, stated by the field or estimated from its values."""

import numpy as np
from jaxtyping import Float

SAFETY = 1.4  # how many times the steepest slope seen the field is taken to have
ROUNDING = 1.0001  # a proven bound holds for real numbers, the field answers in float32
EXPONENTS = 320  # slopes are kept apart by the power of two of the value: bins for 2^-160 .. 2^160
FLAT = 1e-4  # a change between neighbouring samples below this share of their value is none

Array = Float[np.ndarray, " n"]


class SlopeBound:
    """The steepest slope wherever |f| <= v, as a function of v.

    On the way from a point with |f| = v straight to the nearest zero, the last stretch has |f| <= v and must lose v,
    so it is at least v / L(v) long: `reach`. For a proven constant L that is the usual sphere of v / L without a
    zero. Taking L by value keeps the reach long for fields that are flat near the surface and steep elsewhere (d^2,
    d^3).
    """

    def __init__(self, proven: float | None):
        self.proven = proven
        self._slopes = np.zeros(EXPONENTS)  # steepest slope seen where the value was in the bin
        self._margin = np.full(EXPONENTS, np.inf)  # the smallest slope that would have spoilt a decision
        self._groups = self._flat = 0

    def see(self, value: Array, slope: Array, flat: int = 0) -> None:
        """Learn slopes and the smallest |f| beside each; `flat` of them were no change at all."""
        np.maximum.at(self._slopes, _bin(value), slope)
        self._groups += len(slope)
        self._flat += flat

    def reach(self, values: Array) -> Array:
        """Radius of a ball that cannot hold a zero; 0 where the value is not known."""
        magnitude = np.where(np.isfinite(values), np.abs(values), 0.0)
        slope = self._envelope(_bin(magnitude))
        return np.divide(magnitude, slope, out=np.where(magnitude > 0, np.inf, 0.0), where=slope > 0)

    def rely(self, values: Array, radius: Array) -> None:
        """Remember that balls of these radii were taken to hold no zero."""
        if self.proven is None:
            np.minimum.at(self._margin, _bin(np.abs(values)), np.abs(values) / radius)

    def broken(self) -> bool:
        """Has a slope been seen since that is steeper than a decision could bear?"""
        return bool((np.maximum.accumulate(self._slopes) > self._margin).any())

    def renew(self) -> None:
        """Forget the decisions, keep the slopes."""
        self._margin[:] = np.inf

    @property
    def mostly_flat(self) -> bool:
        """Values that do not change tell nothing about what lies between them."""
        return self.proven is None and self._flat > self._groups / 4

    def _envelope(self, bins: np.ndarray) -> np.ndarray:
        if self.proven is not None:
            return np.full(len(bins), self.proven * ROUNDING)
        return np.maximum.accumulate(self._slopes)[bins] * SAFETY


def _bin(value: np.ndarray) -> np.ndarray:
    exponent = np.frexp(value)[1].astype(np.int64)
    return np.where(value > 0, np.clip(exponent + EXPONENTS // 2, 1, EXPONENTS - 1), 0)
