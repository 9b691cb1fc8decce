"""Is it real? StyleGAN2's residual discriminator, shown two pictures at once and the camera (EG3D, section 4.3)."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from isofield.models.filters import conv_halved, halved
from isofield.models.layers import Conv, Linear, lrelu
from isofield.models.mapping import Mapping
from isofield.models.synthesis import START, width_at

GROUP = 4  # pictures whose spread is compared


def spread_within(x: Float[Tensor, "b c h w"], group: int = GROUP) -> Float[Tensor, "b 1 h w"]:
    """Minibatch standard deviation (Karras et al. 2018, section 3): one number for each group of pictures, as a map.

    Picture i belongs to group i modulo b / group.
    """
    b, c, h, w = x.shape
    group = math.gcd(group, b)
    y = x.reshape(group, b // group, c, h, w)
    deviation = (y.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat(group)[:, None, None, None].expand(-1, -1, h, w)


class Halving(nn.Module):
    """Two convolutions beside a linear path, to half the resolution (Karras et al. 2020, Fig. 7 c)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv0 = Conv(inputs, inputs, 3)
        self.conv1 = Conv(inputs, outputs, 3)
        self.skip = Conv(inputs, outputs, 1, bias=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o h2 w2"]:
        assert self.conv1.bias is not None
        y = conv_halved(lrelu(self.conv0(x)), self.conv1.scaled())
        y = lrelu(y + self.conv1.bias[:, None, None])
        return (self.skip(halved(x)) + y) * math.sqrt(0.5)


class Discriminator(nn.Module):
    """(b, channels, size, size) and labels -> logits.

    The logit is the projection of features onto the mapped label (Miyato & Koyama 2018), or without a label one linear
    unit. base, most: see `width_at`; depth: of the label's mapping.
    """

    def __init__(self, size: int, channels: int, label: int, *, base: int, most: int, depth: int = 8):
        super().__init__()
        if size < 2 * START or size & (size - 1):
            raise ValueError(f"{size} is no power of two from {2 * START}")
        sizes = [2**k for k in range(int(math.log2(size)), int(math.log2(START)) - 1, -1)]
        widths = [width_at(s, base, most) for s in sizes]
        last = widths[-1]
        self.size, self.label = size, label
        self.enter = Conv(channels, widths[0], 1)
        self.blocks = nn.ModuleList(Halving(a, b) for a, b in pairwise(widths))
        self.conv = Conv(last + 1, last, 3)
        self.dense = Linear(last * START**2, last)
        self.out = Linear(last, last if label else 1)
        self.mapping = Mapping(0, label, last, depth) if label else None

    def forward(
        self, pictures: Float[Tensor, "b c size size"], label: Float[Tensor, "b label"] | None = None
    ) -> Float[Tensor, " b"]:
        x = lrelu(self.enter(pictures))
        for block in self.blocks:
            x = block(x)
        x = lrelu(self.conv(torch.cat([x, spread_within(x)], 1)))
        x = self.out(lrelu(self.dense(x.flatten(1))))
        if self.mapping is None:
            return x[:, 0]
        return (x * self.mapping(label=label)).sum(1) / math.sqrt(x.shape[1])


def dual(final: Float[Tensor, "b 3 s s"], raw: Float[Tensor, "b 3 r r"]) -> Float[Tensor, "b 6 s s"]:
    """The final picture beside the raw one brought to its size: both must look real, and agree (EG3D, section 4.3)."""
    return torch.cat([final, resized(raw, final.shape[-1])], 1)


def resized(pictures: Float[Tensor, "b c h w"], size: int) -> Float[Tensor, "b c size size"]:
    """Bilinear, with antialiasing where it shrinks."""
    if pictures.shape[-1] == size:
        return pictures
    return F.interpolate(pictures, (size, size), mode="bilinear", antialias=True)
