"""Resampling of feature maps by a factor of two with the binomial filter [1 3 3 1] / 8 (StyleGAN2; Karras et al. 2020).

Outside the map is zero. In one dimension: doubling puts 2 f over a signal with zeros between its samples, so it
interpolates linearly; halving takes every second sample of f over the signal.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TAPS = (0.125, 0.375, 0.375, 0.125)


def blurred(x: Float[Tensor, "b c h w"], before: int, after: int, *, stride: int = 1, gain: float = 1.0) -> Tensor:
    """The filter over a map with so many zeros before and after each row and column; every stride-th value of it."""
    taps = x.new_tensor(TAPS)
    kernel = (gain * torch.outer(taps, taps)).expand(x.shape[1], 1, -1, -1)
    if before != after:
        x, before = F.pad(x, (before, after, before, after)), 0
    return F.conv2d(x, kernel, padding=before, stride=stride, groups=x.shape[1])


def doubled(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Twice as many samples along each side. Where they lie inside the map this is bilinear interpolation."""
    return F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear")[:, :, 2:-2, 2:-2]


def halved(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Half as many samples along each side."""
    return blurred(x, 1, 1, stride=2)


def conv_doubled(x: Float[Tensor, "b c h w"], weight: Float[Tensor, "o c k k"]) -> Float[Tensor, "b o h2 w2"]:
    """Doubled, then convolved by a kernel of size 3: as a transposed convolution, at a quarter of the work.

    The two filters commute but for the border, where the transposed one is a sample wider before it is blurred.
    """
    return blurred(F.conv_transpose2d(x, weight.flip(2, 3).transpose(0, 1), stride=2), 1, 1, gain=4.0)


def conv_halved(x: Float[Tensor, "b c h w"], weight: Float[Tensor, "o c k k"]) -> Float[Tensor, "b o h2 w2"]:
    """Blurred, then convolved with stride 2 by a kernel of size 3."""
    return F.conv2d(blurred(x, 2, 2), weight, stride=2)


def smoothed(x: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """Gaussian blur of this standard deviation in pixels, mirrored at the border; none where sigma is below 0.1."""
    radius = min(math.ceil(3 * sigma), min(x.shape[2:]) - 1)
    if sigma < 0.1 or radius < 1:
        return x
    bell = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype) / sigma) ** 2)
    bell = (bell / bell.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.pad(x, (radius,) * 4, mode="reflect")
    x = F.conv2d(x, bell, groups=x.shape[1])
    return F.conv2d(x, bell.transpose(2, 3), groups=x.shape[1])
