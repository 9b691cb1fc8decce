"""How unlike two pictures look: what inversion makes small. Any function of two batches of pictures will do."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.errors import InputError
from isofield.metrics.features import load_script
from isofield.models.filters import doubled, halved

Perceptual = Callable[[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]], Float[Tensor, " b"]]
REMEDY = "name a network (b, 3, s, s), (b, 3, s, s) -> (b,)"
LEAST = 4  # pixels a side of the coarsest level


def pyramid_distance(a: Float[Tensor, "b c s s"], b: Float[Tensor, "b c s s"]) -> Float[Tensor, " b"]:
    """Lap1: sum over j of 2^(2j) |L_j(a) - L_j(b)|_1, L_j the levels of the Laplacian pyramid (Bojanowski et al. 2018,
    Eq. 5), divided by the number of values of the picture; down to 4 pixels a side, the rest being the last level.

    It needs no weights, and sees what is at a wrong place from afar.
    """
    return sum((band.abs().mean((1, 2, 3)) for band in laplacian_pyramid(a - b)), a.new_zeros(len(a)))


def script_distance(path: Path, device: str = "cpu") -> Perceptual:
    """Of a TorchScript file of the user: two batches (b, 3, s, s) from -1 to 1 -> b distances, as LPIPS gives them.

    Raises InputError for what is no TorchScript, or gives something else.
    """
    network = load_script(path)[0].to(device)

    def distance(a: Float[Tensor, "b 3 s s"], b: Float[Tensor, "b 3 s s"]) -> Float[Tensor, " b"]:
        try:
            found = network(a, b)
        except (RuntimeError, TypeError) as error:
            fault = f"does not take two batches of pictures ({' '.join(str(error).split())[-120:]})"
            raise InputError(path, fault, REMEDY) from None
        if not isinstance(found, Tensor) or found.numel() != len(a):
            raise InputError(path, "gives no number for each pair of pictures", REMEDY)
        return found.flatten()

    return distance


def laplacian_pyramid(x: Float[Tensor, "b c s s"]) -> list[Float[Tensor, "b c _ _"]]:
    """What each halving loses, from fine to coarse, and what is left; linear in x, and `doubled` puts it together."""
    bands = []
    while x.shape[-1] >= 2 * LEAST and x.shape[-1] % 2 == 0:
        small = halved(x)
        bands.append(x - doubled(small))
        x = small
    return [*bands, x]


def psnr(a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """Peak signal to noise ratio in dB of pictures in [-1, 1]."""
    return -10 * torch.log10(((a - b) / 2).square().mean((1, 2, 3)).clamp_min(1e-10))
