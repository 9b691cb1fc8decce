"""Activations that know how the linear layers around them must be initialised.

A network without its right initialisation is another network: SIREN's does not train, a sphere is no sphere. All begin
with weight zero on features beside the coordinates (IGR with positional code; SAL), where a layer has both: a network
that starts smooth need not first unlearn random waves.
"""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Place(NamedTuple):
    """Where a linear layer stands in its network; all that an initialisation depends on."""

    first: bool = False
    last: bool = False
    inputs: int = (
        0  # how many of its trailing features are the network's inputs: all in the first layer, some at a skip
    )
    coordinates: int = 0  # how many of those, from the front, are the point itself


class Activation(nn.Module, ABC):
    """An elementwise function; subclasses are final."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...

    @abstractmethod
    def initialize(self, linear: nn.Linear, place: Place) -> None:
        """Draw weights and biases of a layer from torch's global generator."""

    @abstractmethod
    def spec(self) -> dict: ...


class Relu(Activation):
    """max(x, 0); He et al. 2015, with torch's own uniform biases, which spread the kinks over space.

    gain: of the first weights. Behind learned features less than 1 is better: they find their own scale, and a quieter
    network passes less of their noise on.
    """

    def __init__(self, gain: float = 1.0):
        super().__init__()
        self.gain = gain

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.relu(x)

    def initialize(self, linear: nn.Linear, place: Place) -> None:
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="linear" if place.last else "relu")
        with torch.no_grad():
            linear.weight *= self.gain
        _start_smooth(linear, place)

    def spec(self) -> dict:
        return {"type": "Relu", "gain": self.gain}


class Tanh(Activation):
    """tanh(x); Glorot & Bengio 2010. DeepSDF's last word."""

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.tanh(x)

    def initialize(self, linear: nn.Linear, place: Place) -> None:
        nn.init.xavier_uniform_(linear.weight)
        _start_smooth(linear, place)

    def spec(self) -> dict:
        return {"type": "Tanh"}


class Softplus(Activation):
    """log(1 + exp(beta x)) / beta: a ReLU with derivatives of every order (IGR).

    Geometric initialisation (SAL, Theorem 1; IGR, section 6): the first output starts near |x| - radius, negative
    inside. A layer that is given the inputs again has its weights divided by sqrt 2, which is IGR's division of its
    inputs. Hidden biases start at -1 / (4 beta) instead of 0, which takes back what smoothing adds: at 8x512, radius
    0.5 and zero biases the very centre may come out positive.
    """

    def __init__(self, beta: float = 100.0, radius: float = 0.5):
        super().__init__()
        self.beta, self.radius = beta, radius

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return nn.functional.softplus(x, self.beta)

    @torch.no_grad()
    def initialize(self, linear: nn.Linear, place: Place) -> None:
        if place.last:
            nn.init.normal_(linear.weight[:1], math.sqrt(math.pi / linear.in_features), 1e-6)
            nn.init.constant_(linear.bias[:1], -self.radius)
            return
        skip = place.inputs > 0 and not place.first
        nn.init.normal_(linear.weight, 0.0, math.sqrt((1 if skip else 2) / linear.out_features))
        nn.init.constant_(linear.bias, -1 / (4 * self.beta))
        _start_smooth(linear, place)

    def spec(self) -> dict:
        return {"type": "Softplus", "beta": self.beta, "radius": self.radius}


class Sine(Activation):
    """sin(omega x); Sitzmann et al. 2020 (SIREN), Theorem 1.8 and section 3.2."""

    def __init__(self, omega: float = 30.0):
        super().__init__()
        self.omega = omega

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.sin(self.omega * x)

    def initialize(self, linear: nn.Linear, place: Place) -> None:
        _siren(linear, place, self.omega)

    def spec(self) -> dict:
        return {"type": "Sine", "omega": self.omega}


class Hosc(Activation):
    """tanh(beta sin(omega x)): from a sine (small beta) to a square wave (large beta); Serrano et al. 2024, Eq. 1.

    With `learned`, beta is a parameter of each layer (AdaHOSC). Initialised like SIREN. Sharp waves hardly train: with
    beta = 8 a 4x128 network did not reach a surface at any omega from 1 to 30, with beta <= 2 it did like a sine.
    """

    def __init__(self, beta: float = 2.0, omega: float = 15.0, learned: bool = False):
        super().__init__()
        self.start, self.omega, self.learned = beta, omega, learned
        self.beta = nn.Parameter(torch.tensor(float(beta))) if learned else float(beta)

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.tanh(self.beta * torch.sin(self.omega * x))

    def initialize(self, linear: nn.Linear, place: Place) -> None:
        _siren(linear, place, self.omega)

    def spec(self) -> dict:
        return {"type": "Hosc", "beta": self.start, "omega": self.omega, "learned": self.learned}


def _siren(linear: nn.Linear, place: Place, omega: float) -> None:
    heard = place.coordinates or linear.in_features
    bound = 1 / heard if place.first else math.sqrt(6 / linear.in_features) / omega
    nn.init.uniform_(linear.weight, -bound, bound)
    _start_smooth(linear, place)


@torch.no_grad()
def _start_smooth(linear: nn.Linear, place: Place) -> None:
    """Weight zero on the inputs beside the coordinates, where there are both."""
    if place.coordinates:
        linear.weight[:, linear.in_features - place.inputs + place.coordinates :] = 0


ACTIVATIONS: dict[str, type[Activation]] = {c.__name__: c for c in (Relu, Tanh, Softplus, Sine, Hosc)}


def restore_activation(spec: dict) -> Activation:
    return ACTIVATIONS[spec["type"]](**{key: value for key, value in spec.items() if key != "type"})
