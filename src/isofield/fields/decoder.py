"""Decoders of shape spaces: f(x, z), the signed distance at x of the shape with the code z, and its colour."""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.activations import Relu
from isofield.fields.encodings import ENCODINGS, Encoding
from isofield.fields.hash_grid import HashGrid
from isofield.fields.mlp import MLP


class Decoded(NamedTuple):
    """sdf (s, p); features (s, p, w): of the last hidden layer, which a colour head reads."""

    sdf: Float[Tensor, "s p"]
    features: Float[Tensor, "s p w"]


class LatentDecoder(nn.Module):
    """f(x, z) = network(encoding(x), z), at p points of each of s shapes.

    How the code enters: beside the encoded point wherever that enters the network, as in DeepSDF (Park et al. 2019,
    Fig. 8); or, `modulated`, as a linear function of it that is added before every activation: a phase of sines, a
    shift of others. Either way what the code adds is computed once per shape, and not at each point.
    """

    def __init__(self, encoding: Encoding, network: MLP, code: int, modulated: bool):
        super().__init__()
        expected = encoding.width + code * (not modulated)
        if network.inputs != expected or network.outputs != 1:
            raise ValueError(f"the network takes {network.inputs} inputs to {network.outputs}, not {expected} to 1")
        self.encoding, self.network, self.code, self.modulated = encoding, network, code, modulated
        widths = [network.width - network.inputs * (i + 1 in network.skip) for i in range(network.depth)]
        self.shifts = nn.ModuleList(_shift(code, width, network.activations[0]) for width in widths if modulated)

    def forward(self, points: Float[Tensor, "s p 3"], codes: Float[Tensor, "s c"]) -> Float[Tensor, "s p"]:
        return self.decode(points, codes).sdf

    def decode(self, points: Float[Tensor, "s p 3"], codes: Float[Tensor, "s c"]) -> Decoded:
        """Distances, and the features they were made of."""
        net, shapes = self.network, len(points)
        features = self.encoding(points.flatten(0, 1))
        known, hidden = features.shape[1], features[:, :0]
        for i, layer in enumerate(net.layers):
            weight: Tensor = layer.weight  # type: ignore[assignment]
            added: Tensor = layer.bias  # type: ignore[assignment]
            if i == 0 or i in net.skip:
                of_hidden, of_points, of_code = weight.split([hidden.shape[1], known, net.inputs - known], dim=1)
                value = features @ of_points.T
                value = value + hidden @ of_hidden.T if i else value
                added = added if self.modulated else added + codes @ of_code.T
            else:
                value = hidden @ weight.T
            if i == net.depth:
                break
            added = added + self.shifts[i](codes) if self.modulated else added
            value = value.unflatten(0, (shapes, -1)).add_(added.reshape(-1, 1, value.shape[1]))
            hidden = net.dropout(net.activations[i](value.flatten(0, 1)))
        last = (value + added)[:, 0]
        sdf = last if net.final is None else net.final(last)
        return Decoded(sdf.unflatten(0, (shapes, -1)), hidden.unflatten(0, (shapes, -1)))

    def spec(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding.spec(),
            "network": self.network.spec(),
            "code": self.code,
            "modulated": self.modulated,
        }

    @classmethod
    def restore(cls, spec: dict[str, Any]) -> "LatentDecoder":
        classes: dict[str, type[Encoding]] = {**ENCODINGS, "HashGrid": HashGrid}
        encoding = {key: value for key, value in spec["encoding"].items() if key != "type"}
        made = classes[spec["encoding"]["type"]](**encoding)
        return cls(made, MLP.restore(spec["network"]), spec["code"], spec["modulated"])


class ColorBranch(nn.Module):
    """sRGB in [0, 1] from a decoder's features, a code of colour and, where `directed`, the view direction.

    features: how many the decoder has. The code and the direction enter as linear functions added to the hidden layer;
    without a direction that is their mean over all.
    """

    def __init__(self, features: int, code: int, width: int = 64, directed: bool = False):
        super().__init__()
        self.code, self.directed = code, directed
        self.entry, self.of_code = nn.Linear(features, width), nn.Linear(code, width, bias=False)
        self.of_direction = nn.Linear(9, width, bias=False) if directed else None
        self.network = MLP(width, 3, width, 1, Relu())

    def forward(
        self,
        features: Float[Tensor, "s p w"],
        codes: Float[Tensor, "s k"],
        directions: Float[Tensor, "s p 3"] | None = None,
    ) -> Float[Tensor, "s p 3"]:
        hidden = self.entry(features) + self.of_code(codes)[:, None]
        if self.of_direction is not None:
            nowhere = features.new_zeros(3) if directions is None else directions
            hidden = hidden + self.of_direction(harmonics(nowhere))
        return self.network(torch.relu(hidden).flatten(0, 1)).sigmoid().unflatten(0, features.shape[:2])

    def spec(self) -> dict[str, Any]:
        return {
            "features": self.entry.in_features,
            "code": self.code,
            "width": self.entry.out_features,
            "directed": self.directed,
        }


def harmonics(directions: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 9"]:
    """1, x, y, z, xy, yz, xz, x^2 - y^2, 2 z^2 - x^2 - y^2: spherical harmonics up to degree 2 but for their factors.

    Of the zero vector, which is no direction, they are the mean over all directions.
    """
    x, y, z = directions.unbind(-1)
    return torch.stack([torch.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 2 * z * z - x * x - y * y], -1)


def _shift(code: int, width: int, activation: nn.Module) -> nn.Linear:
    """A tenth of the size of the code, so that all shapes start alike; less before sines by their frequency."""
    linear = nn.Linear(code, width, bias=False)
    bound = 0.1 * math.sqrt(3 / code) / getattr(activation, "omega", 1.0)
    nn.init.uniform_(linear.weight, -bound, bound)
    return linear
