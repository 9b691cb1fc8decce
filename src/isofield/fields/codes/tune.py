"""A decoder tuned to one shape, where no code expresses it."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.codes.observations import Observations
from isofield.fields.codes.problem import BAND
from isofield.fields.decoder import LatentDecoder

POINTS, RATE = 2048, 1e-3
FAR = 0.1  # farther than this from every observation the shape stays as it was


def tuned_decoder(
    decoder: LatentDecoder, latent: Float[Tensor, " l"], seen: Observations, steps: int, seed: int = 0
) -> tuple[LatentDecoder, int]:
    """A copy that fits the observations better at this latent, and the decoder evaluations that it took.

    Pivotal tuning (Roich et al. 2021), for a decoder of distances: the latent stays, a few steps of Adam change the
    weights, and where nothing was observed the field is held to what it was.
    """
    generator = torch.Generator().manual_seed(seed)
    tuned, held = deepcopy(decoder).requires_grad_(True), _unseen(seen, generator)
    with torch.no_grad():
        before = decoder(held[None], latent[None])[0]
    adam = torch.optim.Adam(tuned.parameters(), lr=RATE)
    evaluations = len(held)
    for step in range(steps):
        adam.param_groups[0]["lr"] = RATE * (1 - step / steps)
        drawn = seen.take(POINTS, generator)
        points = torch.cat([drawn.points, drawn.free, held]).clamp(-1, 1)
        adam.zero_grad()
        with torch.enable_grad():
            value = tuned(points[None], latent[None])[0]
            known, free, kept = value.split([len(drawn.points), len(drawn.free), len(held)])
            loss = (known.clamp(-BAND, BAND) - drawn.sdf.clamp(-BAND, BAND)).abs().mean()
            loss = loss - free.clamp(max=0).sum() / max(len(free), 1) + (kept - before).abs().sum() / POINTS
            loss.backward()
        adam.step()
        evaluations += 3 * len(points)
    return tuned.eval().requires_grad_(False), evaluations


def _unseen(seen: Observations, generator: torch.Generator) -> Float[Tensor, "k 3"]:
    """Points of the box far from all observations."""
    drawn = torch.rand(POINTS, 3, generator=generator) * 2 - 1
    known = seen.take(2 * POINTS, generator)
    return drawn[torch.cdist(drawn, torch.cat([known.points, known.free])).amin(1) > FAR]
