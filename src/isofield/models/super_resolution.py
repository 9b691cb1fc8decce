"""From the rendered feature picture to the final one (EG3D, section 4.4)."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from isofield.models.discriminator import resized
from isofield.models.filters import doubled
from isofield.models.modulated import StyledConv, ToMaps


class Refinement(nn.Module):
    """Two convolutions without noise, and a correction to the picture."""

    def __init__(self, inputs: int, outputs: int, latent: int, size: int, *, double: bool):
        super().__init__()
        self.doubles = double
        self.conv0 = StyledConv(inputs, outputs, latent, size, double=double, noise=False)
        self.conv1 = StyledConv(outputs, outputs, latent, size, noise=False)
        self.to_maps = ToMaps(outputs, 3, latent)

    def forward(
        self, x: Float[Tensor, "b c h w"], picture: Float[Tensor, "b 3 h w"], w: Float[Tensor, "b latent"]
    ) -> tuple[Tensor, Tensor]:
        x = self.conv1(self.conv0(x, w), w)
        return x, (doubled(picture) if self.doubles else picture) + self.to_maps(x, w)


class SuperResolution(nn.Module):
    """Feature maps of the renderer, the first three of them the raw picture, to a picture of `size`.

    Two blocks of `widths` channels, each doubling the side or the last one alone; what is smaller than a quarter of the
    final side is interpolated up to that first.
    """

    def __init__(self, features: int, raw: int, size: int, latent: int, widths: tuple[int, int]):
        super().__init__()
        if size <= raw:
            raise ValueError(f"from {raw} to {size} pixels nothing is to be refined")
        self.start = max(raw, size // 4)
        doublings = int(math.log2(size // self.start))
        sizes = (2 * self.start if doublings == 2 else self.start, size)
        self.first = Refinement(features, widths[0], latent, sizes[0], double=doublings == 2)
        self.second = Refinement(widths[0], widths[1], latent, sizes[1], double=True)

    def forward(
        self, features: Float[Tensor, "b features raw raw"], w: Float[Tensor, "b latent"]
    ) -> Float[Tensor, "b 3 size size"]:
        x = features
        if x.shape[-1] != self.start:
            x = resized(x, self.start)
        x, picture = self.first(x, x[:, :3], w)
        return self.second(x, picture, w)[1]
