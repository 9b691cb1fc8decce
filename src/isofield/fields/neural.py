"""A neural field: encoding x activation x perceptron, with a colour head where the shape has colour."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.activations import Activation, Relu
from isofield.fields.encodings import ENCODINGS, Encoding
from isofield.fields.field import Field
from isofield.fields.hash_grid import HashGrid
from isofield.fields.mlp import MLP
from isofield.frame import UnitFrame

HASH_GAIN = 0.4  # see Relu


class ColorHead(nn.Module):
    """sRGB of a point, by an encoding of its own so that colour and shape do not compete for weights.

    directional: the colour also depends on the view direction.
    """

    def __init__(self, encoding: Encoding, network: MLP, directional: bool = False):
        super().__init__()
        self.encoding, self.network, self.directional = encoding, network, directional

    @classmethod
    def over(cls, encoding: Encoding, *, width: int = 32, depth: int = 1, directional: bool = False) -> "ColorHead":
        return cls(encoding, MLP(encoding.width + 3 * directional, 3, width, depth, _relu(encoding)), directional)

    def forward(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None) -> Float[Tensor, "n 3"]:
        features = self.encoding(points)
        if self.directional:
            if directions is None:
                raise ValueError("this field's colour depends on the view direction: give one unit vector per point")
            features = torch.cat([features, directions], 1)
        return torch.sigmoid(self.network(features))

    def spec(self) -> dict[str, Any]:
        return {"encoding": self.encoding.spec(), "network": self.network.spec(), "directional": self.directional}

    @classmethod
    def restore(cls, spec: dict[str, Any]) -> "ColorHead":
        return cls(_restore_encoding(spec["encoding"]), MLP.restore(spec["network"]), spec["directional"])


class NeuralField(nn.Module, Field):
    """Signed distance network(encoding(x)); outside its box, plus the distance to the box.

    The default is a hash grid before two layers of 32. Give `network` for any other perceptron over the encoding.
    """

    def __init__(
        self,
        encoding: Encoding | None = None,
        activation: Activation | None = None,
        *,
        width: int = 32,
        depth: int = 2,
        network: MLP | None = None,
        color: ColorHead | None = None,
        frame: UnitFrame | None = None,
    ):
        super().__init__()
        self.encoding = encoding or HashGrid()
        self.network = network or MLP(
            self.encoding.width,
            1,
            width,
            depth,
            activation or _relu(self.encoding),
            coordinates=self.encoding.coordinates,
        )
        self.color_head = color
        self.frame = frame or UnitFrame()

    @property
    def has_color(self) -> bool:  # type: ignore[override]
        return self.color_head is not None

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        inside = points.clamp(-1, 1)
        value = self.network(self.encoding(inside))[:, 0]
        outside = (points != inside).any(1)
        if not bool(outside.any()):
            return value
        beyond = (points - inside)[outside].norm(dim=1)  # of the others it would be zero, without a derivative
        return value.index_add(0, outside.nonzero()[:, 0], beyond)

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        if self.color_head is None:
            return super().color(points, directions)
        return self.color_head(points.clamp(-1, 1), directions)

    def spec(self) -> dict[str, Any]:
        return {
            "type": "NeuralField",
            "frame": self.frame.to_json(),
            "encoding": self.encoding.spec(),
            "network": self.network.spec(),
            "color": self.color_head.spec() if self.color_head else None,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Weights as they are stored: hash tables as float16, the rest as float32."""
        return {
            name: (value.half() if name.endswith(".table") else value).detach().cpu().contiguous()
            for name, value in self.state_dict().items()
        }

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "NeuralField":
        field = cls(
            _restore_encoding(spec["encoding"]),
            network=MLP.restore(spec["network"]),
            color=ColorHead.restore(spec["color"]) if spec["color"] else None,
            frame=UnitFrame.from_json(spec["frame"]),
        )
        field.load_state_dict({name: value.float() for name, value in tensors.items()})
        return field.eval()


def default_color() -> ColorHead:
    """A hash grid of 0.3 million weights before one layer of 32."""
    return ColorHead.over(HashGrid(log2_entries=15, seed=1))


def default_field(colored: bool = False) -> NeuralField:
    """What `fit` trains unless told otherwise: 0.9 million weights for the shape; a colour head if wanted."""
    return NeuralField(color=default_color() if colored else None)


def _relu(encoding: Encoding) -> Relu:
    return Relu(HASH_GAIN if isinstance(encoding, HashGrid) else 1.0)


def _restore_encoding(spec: dict[str, Any]) -> Encoding:
    classes: dict[str, type[Encoding]] = {**ENCODINGS, "HashGrid": HashGrid}
    return classes[spec["type"]](**{key: value for key, value in spec.items() if key != "type"})
