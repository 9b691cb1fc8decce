"""Losses between generator and discriminator. Logits are (b,): large for what looks real."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def generator_loss(fake: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """Non-saturating loss, mean of -log sigmoid(D(fake)) (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean()


def discriminator_loss(real: Float[Tensor, " b"], fake: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """Cross entropy: mean of -log sigmoid(D(real)) - log(1 - sigmoid(D(fake)))."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def r1(critic: Callable[[Tensor], Tensor], real: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """Mean of |grad_x D(x)|^2 at real pictures, to be weighted by gamma / 2 (Mescheder et al. 2018, Eq. 9)."""
    real = real.detach().requires_grad_()
    (grad,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return grad.square().sum((1, 2, 3)).mean()


def r1_weight(size: int, batch: int) -> float:
    """gamma for pictures of `size` and this batch: 0.0006 size^2 / batch, at most 32 / batch.

    StyleGAN2's rule of thumb (Karras et al. 2020b, appendix C) with the factor and the limit that give what was
    published for this kind of model: 0.3 for cars at 128 and 1 for heads at 512 pixels, both at a batch of 32.
    """
    return min(0.0006 * size**2, 32.0) / batch
