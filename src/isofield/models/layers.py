"""Layers with equalised learning rate (Karras et al. 2018, section 4.1): weights are N(0, 1) and scaled when used.

Adam's steps are then of the same relative size in every layer, whatever its width.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky rectifier below zero


def lrelu(x: Tensor) -> Tensor:
    """Leaky rectifier times sqrt 2, which keeps the second moment of its input (nearly, for normal ones)."""
    return F.leaky_relu(x, SLOPE) * math.sqrt(2)


def normalized(x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
    """Scaled so that the mean square over the last axis is one; StyleGAN2's normalisation of latents."""
    return x * (x.square().mean(-1, keepdim=True) + 1e-8).rsqrt()


class Linear(nn.Module):
    """x W^T / sqrt(inputs) + b. rate: factor on the learning rate of weight and bias; bias: where it starts."""

    def __init__(self, inputs: int, outputs: int, *, rate: float = 1.0, bias: float = 0.0):
        super().__init__()
        self.rate = rate
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.gain = rate / math.sqrt(inputs)

    def forward(self, x: Float[Tensor, "*n inputs"]) -> Float[Tensor, "*n outputs"]:
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class Conv(nn.Module):
    """Convolution of odd size that keeps the resolution; the weight is scaled by 1 / sqrt(inputs * size^2)."""

    def __init__(self, inputs: int, outputs: int, size: int, *, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain = 1 / math.sqrt(inputs * size**2)

    def scaled(self) -> Float[Tensor, "outputs inputs size size"]:
        """The weight as it is used."""
        return self.weight * self.gain

    def forward(self, x: Float[Tensor, "b inputs h w"]) -> Float[Tensor, "b outputs h w"]:
        return F.conv2d(x, self.scaled(), self.bias, padding=self.weight.shape[-1] // 2)
