"""From a latent, and where one is given a camera, to a style (StyleGAN2's mapping network; EG3D, section 4.2)."""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.models.layers import Linear, lrelu, normalized

RATE = 0.01  # its layers learn so much slower than the others
MEMORY = 0.998  # of the running mean of styles, for each batch
LEAST = 1e-4  # variance of latents that do not vary in some direction


class Mapping(nn.Module):
    """z (and an embedded label beside it) -> w through `depth` layers; keeps the running mean of w, and the Gaussian
    that z is drawn from: N(0, 1), or that of latents that were learned.

    latent: width of z, or 0 for a network of the label alone, as in the discriminator; label: numbers of the label.
    """

    mean: Tensor
    center: Tensor
    spread: Tensor

    def __init__(self, latent: int, label: int, style: int, depth: int):
        super().__init__()
        if not latent and not label:
            raise ValueError("a mapping needs a latent or a label")
        self.latent, self.label, self.style = latent, label, style
        self.embed = Linear(label, style) if label else None
        widths = [latent + (style if label else 0), *[style] * depth]
        self.layers = nn.ModuleList(Linear(a, b, rate=RATE) for a, b in pairwise(widths))
        self.register_buffer("mean", torch.zeros(style))
        self.register_buffer("center", torch.zeros(latent))
        self.register_buffer("spread", torch.eye(latent))

    def forward(
        self, z: Float[Tensor, "b latent"] | None = None, label: Float[Tensor, "b label"] | None = None
    ) -> Float[Tensor, "b style"]:
        parts = [] if z is None else [normalized(z)]
        if self.embed is not None:
            if label is None:
                raise ValueError("this mapping needs a label")
            parts.append(normalized(self.embed(label)))
        x = torch.cat(parts, 1)
        for layer in self.layers:
            x = lrelu(layer(x))
        return x

    def latents(self, noise: Float[Tensor, "b latent"]) -> Float[Tensor, "b latent"]:
        """z by draws of N(0, 1)."""
        return self.center + noise @ self.spread.T

    @torch.no_grad()
    def drawn_like(self, learned: Float[Tensor, "n latent"]) -> None:
        """From now on z is drawn from the Gaussian of the directions of these (GLO, Bojanowski et al. 2018, sec. 3)."""
        center, spread = gaussian(normalized(learned), LEAST)
        self.center.copy_(center)
        self.spread.copy_(spread)

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        for name in ("center", "spread"):  # models that are older draw from N(0, 1)
            state.setdefault(prefix + name, getattr(self, name))
        super()._load_from_state_dict(state, prefix, *rest)

    @torch.no_grad()
    def remember(self, w: Float[Tensor, "b style"]) -> None:
        """Move the running mean towards that of a batch."""
        self.mean.lerp_(w.mean(0), 1 - MEMORY)

    def truncated(self, w: Float[Tensor, "b style"], truncation: float) -> Float[Tensor, "b style"]:
        """Pulled towards the mean: 1 leaves styles alone, 0 gives the mean (StyleGAN's truncation in W)."""
        return w if truncation == 1 else self.mean + truncation * (w - self.mean)


def gaussian(
    x: Float[Tensor, "n latent"], least: float
) -> tuple[Float[Tensor, " latent"], Float[Tensor, "latent latent"]]:
    """Mean of these, and the lower Cholesky factor of their covariance. least: variance added in every direction."""
    mean = x.mean(0)
    covariance = (x - mean).T @ (x - mean) / len(x)
    return mean, torch.linalg.cholesky(covariance + least * torch.eye(x.shape[1]).to(x))


def swapped(
    label: Float[Tensor, "b label"], probability: float, generator: torch.Generator | None = None
) -> Float[Tensor, "b label"]:
    """The neighbour's label with this probability, so that a scene must not trust its camera (EG3D, section 4.4)."""
    swap = torch.rand(len(label), 1, generator=generator, device=label.device) < probability
    return torch.where(swap, label.roll(1, 0), label)
