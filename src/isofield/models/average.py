"""The generator that is kept: an exponential moving average over training (Karras et al. 2018, appendix A)."""

import torch
from torch import nn


def decay(images: int, batch: int, half_life: float, ramp: float | None = 0.05) -> float:
    """Share of the average that stays after a batch. half_life: in images.

    ramp: early on the half-life is this share of the images seen so far, so that the start is forgotten.
    """
    if ramp is not None:
        half_life = min(half_life, images * ramp)
    return 0.5 ** (batch / max(half_life, 1e-8))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move every weight of the average to `share` of itself and 1 - share of the model's; buffers are copied."""
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, 1 - share)
    for buffer, copied in zip(average.buffers(), model.buffers(), strict=True):
        buffer.copy_(copied)
