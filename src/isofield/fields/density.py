"""From signed distance to volume density, as three papers do it: a formula each, and a module that holds its scale.

Signed distances are negative inside; densities are per unit length. beta is a length: the smaller, the sharper.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

PACE = 3.0  # how many times the rate of other weights a gradual beta learns at
Scale = float | Float[Tensor, ""]


def laplace_density(sdf: Float[Tensor, "*n"], beta: Scale) -> Float[Tensor, "*n"]:
    """Psi(-s) / beta, Psi the Laplace distribution function of scale beta; VolSDF (Yariv et al. 2021), Eq. 2-3.

    (1 / beta) (1 - exp(s / beta) / 2) inside, exp(-s / beta) / (2 beta) outside. GeoGen's Eq. 2 as printed has the
    other sign and is dense where s is positive.
    """
    outside, inside = torch.relu(sdf), sdf.clamp_max(0)  # of the two, one alone passes a gradient at s = 0
    return (torch.exp(-outside / beta) - torch.expm1(inside / beta)) / (2 * beta)


def logistic_density(sdf: Float[Tensor, "*n"], beta: Scale) -> Float[Tensor, "*n"]:
    """sigmoid(-s / beta) / beta; StyleSDF (Or-El et al. 2022), Eq. 3."""
    return torch.sigmoid(-sdf / beta) / beta


def softplus_density(raw: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log(1 + exp(x - 1)) of a network's raw value, which is no distance; EG3D (Chan et al. 2022)."""
    return nn.functional.softplus(raw - 1)


class Density(nn.Module, ABC):
    """A map of a field's values to densities; subclasses are final.

    signed: whether the values are signed distances; else they are raw, and grow towards the inside.
    """

    signed: bool

    @abstractmethod
    def forward(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...

    def sdf(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The value as what a field must give: zero on the surface, negative inside."""
        return value

    @abstractmethod
    def spec(self) -> dict[str, Any]: ...


class ScaledDensity(Density):
    """beta = |parameter| + floor (VolSDF, GeoGen); freeze and free it by `scale.requires_grad_`."""

    signed = True

    def __init__(self, beta: float = 0.1, floor: float = 1e-3, learned: bool = True):
        super().__init__()
        if not beta > floor * (1 - 1e-6) > 0:
            raise ValueError(f"beta must be at least its floor, and that more than 0: {beta}, {floor}")
        self.floor = floor
        self.scale = nn.Parameter(torch.tensor(max(beta - floor, 0.0)), requires_grad=learned)

    @property
    def beta(self) -> Float[Tensor, ""]:
        return self.scale.abs() + self.floor

    @torch.no_grad()
    def sharpen(self, beta: float) -> None:
        """Make beta this, or its floor if that is more."""
        self.scale.fill_(max(beta - self.floor, 0.0))

    def spec(self) -> dict[str, Any]:
        return {
            "type": type(self).__name__,
            "beta": float(self.beta.detach()),
            "floor": self.floor,
            "learned": self.scale.requires_grad,
        }


class LaplaceDensity(ScaledDensity):
    """VolSDF's and GeoGen's; see `laplace_density`."""

    def forward(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return laplace_density(value, self.beta)


class GradualLaplaceDensity(LaplaceDensity):
    """The same with beta = floor + exp(PACE scale), which changes by a share of itself in each of Adam's steps.

    |scale| gets from 0.1 to nothing in a hundred of them, before there is a shape; without PACE it stays far from sharp
    in some hundreds.
    """

    def __init__(self, beta: float = 0.1, floor: float = 1e-3, learned: bool = True):
        super().__init__(beta, floor, learned)
        self.sharpen(beta)

    @property
    def beta(self) -> Float[Tensor, ""]:
        return (PACE * self.scale).exp() + self.floor

    @torch.no_grad()
    def sharpen(self, beta: float) -> None:
        super().sharpen(beta)
        self.scale.clamp_(min=torch.finfo(torch.float32).tiny).log_().div_(PACE)


class LogisticDensity(ScaledDensity):
    """StyleSDF's; see `logistic_density`."""

    def forward(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return logistic_density(value, self.beta)


class SoftplusDensity(Density):
    """EG3D's; see `softplus_density`. level: the raw value that is taken for the surface (EG3D's meshes: 10);
    a trained generator's is found by `isofield.models.level.settle_level`."""

    signed = False

    def __init__(self, level: float = 10.0):
        super().__init__()
        self.level = level

    def forward(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return softplus_density(value)

    def sdf(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """No distance, but of its sign."""
        return self.level - value

    def spec(self) -> dict[str, Any]:
        return {"type": "SoftplusDensity", "level": self.level}


DENSITIES: dict[str, type[Density]] = {
    c.__name__: c for c in (LaplaceDensity, GradualLaplaceDensity, LogisticDensity, SoftplusDensity)
}


def restore_density(spec: dict[str, Any]) -> Density:
    return DENSITIES[spec["type"]](**{key: value for key, value in spec.items() if key != "type"})
