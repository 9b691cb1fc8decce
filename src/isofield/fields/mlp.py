"""The multi-layer perceptron behind every neural field, and the two decoders of the literature built from it."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm as normed

from isofield.fields.activations import Activation, Place, Relu, Sine, Tanh, restore_activation


class MLP(nn.Module):
    """`depth` hidden layers of `width` features and a linear one to `outputs`, initialised as the activation asks.

    skip: indices of layers whose input ends with the network's inputs again; the layer before is narrowed so that
    `width` features enter. weight_norm and dropout act on the hidden layers, `final` on the outputs.
    coordinates: how many leading inputs are the point itself (None: all); see `Softplus`.
    """

    final: Activation | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        depth: int,
        activation: Activation,
        *,
        skip: tuple[int, ...] = (),
        weight_norm: bool = False,
        dropout: float = 0.0,
        final: Activation | None = None,
        coordinates: int | None = None,
    ):
        super().__init__()
        if bad := [i for i in skip if not 0 < i < depth]:
            raise ValueError(f"skip {bad} is not among the hidden layers 1 .. {depth - 1}")
        if skip and inputs >= width:
            raise ValueError(f"a skip of {inputs} inputs leaves nothing of a width of {width}")
        self.inputs, self.outputs, self.width, self.depth = inputs, outputs, width, depth
        self.skip, self.weight_norm, self.final = tuple(skip), weight_norm, final
        self.coordinates = inputs if coordinates is None else coordinates
        self.activations = nn.ModuleList(deepcopy(activation) for _ in range(depth))  # each may learn its own beta
        self.layers = nn.ModuleList(self._layer(i, activation) for i in range(depth + 1))
        self.dropout = nn.Dropout(dropout)
        self._activation_spec = activation.spec()

    def _layer(self, i: int, activation: Activation) -> nn.Module:
        out = self.outputs if i == self.depth else self.width - self.inputs * (i + 1 in self.skip)
        linear = nn.Linear(self.width if i else self.inputs, out)
        fresh = self.inputs if i == 0 or i in self.skip else 0
        activation.initialize(linear, Place(i == 0, i == self.depth, fresh, min(fresh, self.coordinates)))
        return normed(linear) if self.weight_norm and i < self.depth else linear

    def forward(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        hidden = x
        for i, layer in enumerate(self.layers):
            hidden = layer(torch.cat([hidden, x], 1) if i in self.skip else hidden)
            if i < self.depth:
                hidden = self.dropout(self.activations[i](hidden))
        return hidden if self.final is None else self.final(hidden)

    def spec(self) -> dict:
        """JSON to build the same architecture again with `MLP.restore`; the weights are in `state_dict()`."""
        return {
            "type": "MLP",
            "inputs": self.inputs,
            "outputs": self.outputs,
            "width": self.width,
            "depth": self.depth,
            "activation": self._activation_spec,
            "skip": list(self.skip),
            "weight_norm": self.weight_norm,
            "dropout": self.dropout.p,
            "final": self.final.spec() if self.final is not None else None,
            "coordinates": self.coordinates,
        }

    @classmethod
    def restore(cls, spec: dict) -> "MLP":
        arguments = {key: value for key, value in spec.items() if key != "type"}
        arguments["activation"] = restore_activation(spec["activation"])
        arguments["final"] = restore_activation(spec["final"]) if spec["final"] else None
        arguments["skip"] = tuple(spec["skip"])
        return cls(**arguments)


def deepsdf_decoder(inputs: int = 3 + 256) -> MLP:
    """DeepSDF's decoder (Park et al. 2019, Fig. 8): 8x512 ReLU, weight norm, dropout, inputs again at layer 4, tanh.

    Its weights start as torch's own layers do, which is He's start times 1 / sqrt 6: at full size the tanh saturates.
    """
    return MLP(inputs, 1, 512, 8, Relu(gain=6**-0.5), skip=(4,), weight_norm=True, dropout=0.2, final=Tanh())


def siren_decoder(inputs: int = 3) -> MLP:
    """SIREN's network for distance functions (Sitzmann et al. 2020, section 4.2): five linear layers, 256 wide."""
    return MLP(inputs, 1, 256, 4, Sine(30.0))
