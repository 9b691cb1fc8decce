"""Draws that parameters are made of."""

from typing import TypeVar

import numpy as np

from isofield.synthesis.solids import Number

Value = TypeVar("Value")


def pick(rng: np.random.Generator, weights: dict[Value, float]) -> Value:
    """One of the keys, as often as its weight says."""
    share = np.array(list(weights.values()), np.float64)
    return list(weights)[int(rng.choice(len(share), p=share / share.sum()))]


def span(rng: np.random.Generator, low: Number, high: Number) -> float:
    """Uniform between two bounds."""
    return float(rng.uniform(low, high))


def near(rng: np.random.Generator, mean: Number, share: Number = 0.06) -> float:
    """Normal around a mean, cut at two and a half deviations; share: deviation over mean."""
    return float(mean * (1 + share * np.clip(rng.normal(), -2.5, 2.5)))


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(rng.integers(low, high + 1))


def maybe(rng: np.random.Generator, probability: Number) -> bool:
    return bool(rng.random() < probability)
