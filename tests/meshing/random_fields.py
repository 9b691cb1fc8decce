"""Small random volumes of every kind that breaks meshers."""

import numpy as np

KINDS = ("smooth", "white", "integer", "clamped", "one cell", "exact zeros", "checkerboard", "huge", "tiny")


def random_field(kind: str, seed: int) -> np.ndarray:
    """A small volume of random shape, 2 to 9 points a side; some of them without a surface."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 10, 3)
    white = rng.standard_normal(shape)
    return {
        "smooth": lambda: np.cumsum(np.cumsum(white, axis=0), axis=1) / 5,
        "white": lambda: white,
        "integer": lambda: rng.integers(-2, 3, shape).astype(float),
        "clamped": lambda: np.clip(white, -0.1, 0.1),
        "one cell": lambda: np.where(np.arange(white.size).reshape(shape) == rng.integers(white.size), -1.0, 1.0),
        "exact zeros": lambda: np.where(rng.random(shape) < 0.5, 0.0, white),
        "checkerboard": lambda: np.where(np.indices(shape).sum(0) % 2, 1.0, -1.0),
        "huge": lambda: 1e300 * white,
        "tiny": lambda: 1e-300 * white,
    }[kind]()
