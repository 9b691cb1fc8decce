"""Convolutions whose weights each style scales (StyleGAN2: Karras et al. 2020, section 2.2)."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from isofield.models.filters import conv_doubled
from isofield.models.layers import Linear, lrelu


def modulated_conv(
    x: Float[Tensor, "b c h w"],
    weight: Float[Tensor, "o c k k"],
    style: Float[Tensor, "b c"],
    *,
    demodulate: bool = True,
    double: bool = False,
) -> Float[Tensor, "b o h2 w2"]:
    """Eq. 1, w'_oc = s_c w_oc, and Eq. 3, w''_oc = w'_oc / sqrt(sum over c and taps of w'_oc^2 + 1e-8).

    Scaling the maps that enter and those that leave does the same as scaling the weights, since both are per channel,
    and needs no weights of its own for each sample. double: at twice the resolution.
    """
    x = x * style[:, :, None, None]
    y = conv_doubled(x, weight) if double else F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    if not demodulate:
        return y
    energy = style.square() @ weight.square().sum((2, 3)).T
    return y * (energy + 1e-8).rsqrt()[:, :, None, None]


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, noise of a learned strength, bias, leaky rectifier; `size` is that of its output.

    The noise is one map for all channels: drawn anew, or the one stored with the layer, or none.
    """

    stored: Tensor

    def __init__(self, inputs: int, outputs: int, latent: int, size: int, *, double: bool = False, noise: bool = True):
        super().__init__()
        self.affine = Linear(latent, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.doubles, self.noise = double, noise
        if noise:
            self.strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("stored", torch.randn(size, size))

    def forward(
        self, x: Float[Tensor, "b c h w"], w: Float[Tensor, "b latent"], fresh: bool = False
    ) -> Float[Tensor, "b o h2 w2"]:
        """fresh: draw the noise, one map for each sample."""
        y = modulated_conv(x, self.weight, self.affine(w), double=self.doubles)
        if self.noise:
            noise = torch.randn_like(y[:, :1]) if fresh else self.stored
            y = y + noise * self.strength
        return lrelu(y + self.bias[:, None, None])


class ToMaps(nn.Module):
    """Modulated 1 x 1 convolution without demodulation: StyleGAN2's toRGB, with any number of outputs."""

    def __init__(self, inputs: int, outputs: int, latent: int):
        super().__init__()
        self.affine = Linear(latent, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain = 1 / math.sqrt(inputs)

    def forward(self, x: Float[Tensor, "b c h w"], w: Float[Tensor, "b latent"]) -> Float[Tensor, "b o h w"]:
        y = modulated_conv(x, self.weight, self.affine(w) * self.gain, demodulate=False)
        return y + self.bias[:, None, None]
