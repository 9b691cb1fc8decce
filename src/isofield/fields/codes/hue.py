"""The code of colour from colours that were seen."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.codes.observations import Colors, some
from isofield.fields.space import ShapeSpace

POINTS, STEPS, RATE = 2048, 200, 0.05
PRIOR = 1e-3  # weight of the squared deviation from the mean of the trained ones, in their own deviations


def fit_hue(
    space: ShapeSpace, latent: Float[Tensor, " l"], colors: Colors, seed: int = 0
) -> tuple[Float[Tensor, " k"], float]:
    """The code, and the mean absolute error of the colours; the shape (`latent`) being known.

    Adam on the colours alone: the decoder is asked once for its features, since the code of colour is not in them.
    """
    assert space.painter is not None
    assert space.hues is not None
    rows = some(len(colors.points), POINTS, torch.Generator().manual_seed(seed))
    directions = None if colors.directions is None else colors.directions[rows][None]
    with torch.no_grad():
        features = space.decoder.decode(colors.points[rows].clamp(-1, 1)[None], latent[None]).features
    hues = space.hues.detach()
    mean, spread = hues.mean(0), hues.std(0).clamp_min(1e-3) if len(hues) > 1 else torch.ones(hues.shape[1])
    away = nn.Parameter(torch.zeros_like(mean))
    adam = torch.optim.Adam([away], lr=RATE)
    for step in range(STEPS):
        adam.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        adam.zero_grad()
        with torch.enable_grad():
            found = space.painter(features, (mean + away * spread)[None], directions)[0]
            loss = (found - colors.rgb[rows]).abs().mean()
            (loss + PRIOR * away.square().mean()).backward()
        adam.step()
    return (mean + away * spread).detach(), float(loss.detach())
