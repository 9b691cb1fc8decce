"""Triplanes (Chan et al. 2022, EG3D): features on three planes, and small networks that read them.

Planes are (b, 3, c, h, w) in the order xy, xz, yz: of each, the first axis runs along the columns and the second along
the rows, from -1 in the first to 1 in the last. EG3D's code has xy, xz, zx, and no plane that sees y and z together.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.density import Density, LaplaceDensity, restore_density
from isofield.fields.encodings import PositionalCode
from isofield.fields.field import Field
from isofield.fields.triplane_decode import decode, decode_plain
from isofield.fields.triplane_look_up import texels_together
from isofield.frame import UnitFrame


class TriplaneDecoder(nn.Module):
    """Features of planes, with the positional code of the point (GeoGen, Eq. 1), to a value and to a colour.

    Two networks of one hidden layer; that of colour is also given the value. With a signed density the value is
    |p| - radius + residual, the residual zero at the start; else it is the network's own output.
    The models of GeoGen's Table 2: EG3D is `SoftplusDensity()` with octaves=0, density with the code is octaves=4,
    SDF is `LaplaceDensity()`, the default; StyleSDF's density is `LogisticDensity()`.

    channels: of the planes; octaves: of the code, 0 for none; outputs: of colour, RGB first, each in (0, 1).
    """

    def __init__(
        self,
        channels: int = 32,
        *,
        density: Density | None = None,
        octaves: int = 4,
        width: int = 64,
        outputs: int = 3,
        radius: float = 0.5,
    ):
        super().__init__()
        self.channels, self.octaves, self.width, self.outputs, self.radius = channels, octaves, width, outputs, radius
        self.density = density or LaplaceDensity()
        self.code = PositionalCode(octaves) if octaves else None
        inputs = channels + (self.code.width if self.code else 0)
        self.shape_net = _one_hidden(inputs, width, 1)
        self.color_net = _one_hidden(inputs + 1, width, outputs)
        if self.density.signed:
            for parameter in self.shape_net[2].parameters():
                nn.init.zeros_(parameter)

    def value(self, planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
        """Values at points in [-1, 1]^3."""
        return decode(planes, points, self.code, self._radius, self.shape_net, None)[0]

    def shade(
        self, planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b n 3"]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n k"]]:
        """Values and colours at points in [-1, 1]^3; `shade_plain` is its plain twin, and much slower."""
        return decode(planes, points, self.code, self._radius, self.shape_net, self.color_net)

    def shade_plain(
        self, planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b n 3"]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n k"]]:
        return decode_plain(planes, points, self.code, self._radius, self.shape_net, self.color_net)

    @property
    def _radius(self) -> float | None:
        return self.radius if self.density.signed else None

    def spec(self) -> dict[str, Any]:
        names = ("channels", "octaves", "width", "outputs", "radius")
        return {**{name: getattr(self, name) for name in names}, "density": self.density.spec()}

    @classmethod
    def restore(cls, spec: dict[str, Any]) -> "TriplaneDecoder":
        return cls(**{**spec, "density": restore_density(spec["density"])})


@dataclass(frozen=True, eq=False)
class Triplanes:
    """b scenes at once, as the volume renderer takes them; gradients reach the planes and the decoder."""

    planes: Float[Tensor, "b 3 c h w"]
    decoder: TriplaneDecoder

    def __post_init__(self) -> None:
        object.__setattr__(self, "planes", texels_together(self.planes))

    def value(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
        return self.decoder.value(self.planes, points)

    def shade(
        self, points: Float[Tensor, "b n 3"], directions: Float[Tensor, "b n 3"]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n k"]]:
        """The colour of GeoGen does not depend on the view direction."""
        return self.decoder.shade(self.planes, points)

    def density(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return self.decoder.density(value)

    def sdf(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Negative inside and zero on the surface, whatever the values are."""
        return self.decoder.density.sdf(value)

    def field(self, index: int = 0, frame: UnitFrame | None = None) -> "TriplaneField":
        """One of the scenes, for meshes and measurements."""
        return TriplaneField(self.planes[index], self.decoder, frame)


class TriplaneField(nn.Module, Field):
    """One set of planes as a field. Nothing is outside the unit ball, where the volume renderer sees nothing either.

    planes: a tensor, or a parameter to be trained. With a density that is not signed, `sdf` is right in sign alone.
    """

    has_color = True

    def __init__(self, planes: Float[Tensor, "3 c h w"], decoder: TriplaneDecoder, frame: UnitFrame | None = None):
        super().__init__()
        self.planes, self.decoder, self.frame = planes, decoder, frame or UnitFrame()

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        value = self.decoder.density.sdf(self.decoder.value(self.planes[None], points.clamp(-1, 1)[None])[0])
        return torch.maximum(value, points.norm(dim=1) - 1)

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        return self.decoder.shade(self.planes[None], points.clamp(-1, 1)[None])[1][0, :, :3]

    def scene(self) -> Triplanes:
        """For the volume renderer: a batch of one."""
        return Triplanes(self.planes[None], self.decoder)

    def spec(self) -> dict[str, Any]:
        return {"type": "TriplaneField", "frame": self.frame.to_json(), "decoder": self.decoder.spec()}

    def tensors(self) -> dict[str, Tensor]:
        """Weights as they are stored: planes as float16, the rest as float32."""
        weights = {f"decoder.{name}": value for name, value in self.decoder.state_dict().items()}
        stored = {"planes": self.planes.half(), **weights}
        return {name: value.detach().cpu().contiguous() for name, value in stored.items()}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "TriplaneField":
        decoder = TriplaneDecoder.restore(spec["decoder"])
        weights = {name.removeprefix("decoder."): value for name, value in tensors.items() if name != "planes"}
        decoder.load_state_dict(weights)
        planes = nn.Parameter(tensors["planes"].float())
        if planes.shape[:2] != (3, decoder.channels):
            raise ValueError(f"planes {tuple(planes.shape)} do not fit a decoder of {decoder.channels} channels")
        return cls(planes, decoder, UnitFrame.from_json(spec["frame"])).eval()


def _one_hidden(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.Softplus(), nn.Linear(width, outputs))
