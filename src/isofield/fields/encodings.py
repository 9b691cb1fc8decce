"""What a network sees of a point: encodings of space.

Each is a small module (n, 3) -> (n, width). `coordinates` says how many of the leading features are the point itself,
which the geometric initialisation needs to know. `spec()` is what JSON must hold to build the module again, by a table
of the classes that may be built.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Encoding(nn.Module, ABC):
    """A map of points to features; subclasses set `width` (features out) and `coordinates` (3 or 0)."""

    width: int
    coordinates: int

    @abstractmethod
    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n width"]: ...

    @abstractmethod
    def spec(self) -> dict: ...


class Identity(Encoding):
    """No encoding: the network reads coordinates."""

    width = coordinates = 3

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n width"]:
        return points

    def spec(self) -> dict:
        return {"type": "Identity"}


class PositionalCode(Encoding):
    """[x, sin(2^k pi x), cos(2^k pi x)] for k = 0 .. octaves - 1 (NeRF, Eq. 4; GeoGen, Eq. 1).

    The lowest octave has period 2, the width of the unit frame's box; the highest 2^(2 - octaves).
    """

    frequencies: Tensor

    def __init__(self, octaves: int = 6, include_input: bool = True):
        super().__init__()
        self.octaves, self.include_input = octaves, include_input
        self.coordinates = 3 if include_input else 0
        self.width = self.coordinates + 6 * octaves
        self.register_buffer("frequencies", math.pi * 2.0 ** torch.arange(octaves), persistent=False)

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n width"]:
        phase = (points[:, None, :] * self.frequencies[:, None]).flatten(1)
        return _with_points(points, phase, self.include_input)

    def spec(self) -> dict:
        return {"type": "PositionalCode", "octaves": self.octaves, "include_input": self.include_input}


class FourierFeatures(Encoding):
    """[x, sin(2 pi B x), cos(2 pi B x)] with `count` frequencies B ~ N(0, sigma^2), drawn once from the seed.

    Tancik et al. 2020 (section 5, Gaussian mapping); "FFT" of arXiv 2410.12725. sigma is in periods per unit length;
    more of it is sharper near the surface and worse away from it.
    """

    frequencies: Tensor

    def __init__(self, count: int = 128, sigma: float = 1.0, seed: int = 0, include_input: bool = True):
        super().__init__()
        self.count, self.sigma, self.seed, self.include_input = count, sigma, seed, include_input
        self.coordinates = 3 if include_input else 0
        self.width = self.coordinates + 2 * count
        draw = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self.register_buffer("frequencies", (2 * math.pi * sigma * draw).float())

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n width"]:
        return _with_points(points, points @ self.frequencies.T, self.include_input)

    def spec(self) -> dict:
        kwargs = {"count": self.count, "sigma": self.sigma, "seed": self.seed, "include_input": self.include_input}
        return {"type": "FourierFeatures", **kwargs}


def _with_points(points: Tensor, phase: Tensor, include_input: bool) -> Tensor:
    waves = [phase.sin(), phase.cos()]
    return torch.cat([points, *waves] if include_input else waves, 1)


ENCODINGS: dict[str, type[Encoding]] = {c.__name__: c for c in (Identity, PositionalCode, FourierFeatures)}
