"""From a style to maps (StyleGAN2's synthesis network with skip connections: Karras et al. 2020, Fig. 7 b)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.models.filters import doubled
from isofield.models.modulated import StyledConv, ToMaps

START = 4  # pixels along each side of the learned constant that everything grows from


def width_at(size: int, base: int, most: int) -> int:
    """Channels at a resolution: `base` divided by its side, at most `most`."""
    return min(base // size, most)


class Block(nn.Module):
    """One resolution, twice that of the block before; the first begins with a learned constant instead."""

    def __init__(self, inputs: int, outputs: int, maps: int, latent: int, size: int):
        super().__init__()
        first = size == START
        self.constant = nn.Parameter(torch.randn(outputs, size, size)) if first else None
        self.conv0 = None if first else StyledConv(inputs, outputs, latent, size, double=True)
        self.conv1 = StyledConv(outputs, outputs, latent, size)
        self.to_maps = ToMaps(outputs, maps, latent)

    def forward(
        self, x: Tensor | None, maps: Tensor | None, w: Float[Tensor, "b latent"], fresh: bool
    ) -> tuple[Tensor, Tensor]:
        if self.conv0 is not None:
            x = self.conv0(x, w, fresh)
        else:
            assert self.constant is not None
            x = self.constant.expand(len(w), -1, -1, -1)
        x = self.conv1(x, w, fresh)
        new = self.to_maps(x, w)
        return x, new if maps is None else doubled(maps) + new


class Synthesis(nn.Module):
    """w -> (b, maps, size, size). base, most: see `width_at`."""

    def __init__(self, latent: int, maps: int, size: int, *, base: int, most: int):
        super().__init__()
        if size < START or size & (size - 1):
            raise ValueError(f"{size} is no power of two from {START}")
        sizes = [2**k for k in range(int(math.log2(START)), int(math.log2(size)) + 1)]
        widths = [width_at(s, base, most) for s in sizes]
        shapes = zip([0, *widths[:-1]], widths, sizes, strict=True)
        self.blocks = nn.ModuleList(Block(a, b, maps, latent, s) for a, b, s in shapes)

    def forward(self, w: Float[Tensor, "b latent"], fresh: bool = False) -> Float[Tensor, "b maps size size"]:
        """fresh: draw new noise; else that stored in the layers is used, and the same w gives the same maps."""
        x: Tensor | None = None
        maps: Tensor | None = None
        for block in self.blocks:
            x, maps = block(x, maps, w, fresh)
        assert maps is not None
        return maps
