"""A triplane renderer as EG3D describes it (Chan et al. 2022, sections 4 and supplement), in plain torch and no faster.

It is what `isofield.render.volume` is measured against: `grid_sample` on all planes, both passes composited with
gradients, colours of all samples sorted along, no ray left out, no option. Planes, decoder weights and rays are
ours, so that pictures can be compared number by number; the places of samples come from torch's generator.
"""

import torch
from torch import Tensor
from torch.nn import functional

from isofield.fields.triplane import TriplaneDecoder
from isofield.render.rays import Rays

AXES = ((0, 1), (0, 2), (1, 2))


def render(
    planes: Tensor, decoder: TriplaneDecoder, rays: Rays, coarse: int, fine: int, jitter: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Colour (b, r, k), depth and opacity (b, r, 1) on black."""
    t = coarse_places(rays, coarse, jitter)
    color, value = query(planes, decoder, rays, t)
    weights, *_ = march(color, value, t, decoder)
    more = fine_places(t[..., 0], weights[..., 0], fine, jitter)[..., None]
    color_more, value_more = query(planes, decoder, rays, more)
    t, color, value = merged(t, color, value, more, color_more, value_more)
    _, light, depth, opacity = march(color, value, t, decoder)
    return light, depth, opacity


def coarse_places(rays: Rays, count: int, jitter: bool) -> Tensor:
    """(b, r, count, 1): one in each equal part."""
    b, r = rays.near.shape
    parts = torch.arange(count, dtype=torch.float32).view(1, 1, -1, 1).expand(b, r, count, 1)
    parts = (parts + (torch.rand(b, r, count, 1) if jitter else 0.5)) / count
    return rays.near[..., None, None] + (rays.far - rays.near)[..., None, None] * parts


def query(planes: Tensor, decoder: TriplaneDecoder, rays: Rays, t: Tensor) -> tuple[Tensor, Tensor]:
    """Colours (b, r, m, k) and values (b, r, m, 1) of all samples."""
    b, r, m, _ = t.shape
    points = (rays.origins[:, :, None] + t * rays.directions[:, :, None]).reshape(b, -1, 3)
    projected = torch.stack([points[..., axes] for axes in AXES], 1).reshape(b * 3, 1, -1, 2)
    features = functional.grid_sample(
        planes.reshape(b * 3, *planes.shape[2:]), projected, mode="bilinear", padding_mode="border", align_corners=True
    )
    features = features.permute(0, 3, 2, 1).reshape(b, 3, r * m, planes.shape[2]).mean(1).reshape(b * r * m, -1)
    points = points.reshape(-1, 3)
    if decoder.octaves:
        phases = [2**k * torch.pi * points for k in range(decoder.octaves)]
        features = torch.cat([features, points, *map(torch.sin, phases), *map(torch.cos, phases)], 1)
    value = perceptron(decoder.shape_net, features)
    if decoder.density.signed:
        value = value + points.norm(dim=1, keepdim=True) - decoder.radius
    color = torch.sigmoid(perceptron(decoder.color_net, torch.cat([features, value], 1)))
    return color.view(b, r, m, -1), value.view(b, r, m, 1)


def perceptron(network: torch.nn.Sequential, x: Tensor) -> Tensor:
    first, _, last = network
    return functional.linear(
        functional.softplus(functional.linear(x, first.weight, first.bias)), last.weight, last.bias
    )


def march(color: Tensor, value: Tensor, t: Tensor, decoder: TriplaneDecoder) -> tuple[Tensor, ...]:
    """Weights of the intervals, light, depth, opacity; colours and values of an interval are means of its ends."""
    delta = t[:, :, 1:] - t[:, :, :-1]
    color, value, t = ((x[:, :, 1:] + x[:, :, :-1]) / 2 for x in (color, value, t))
    alpha = 1 - torch.exp(-decoder.density(value) * delta)
    through = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :, :1]), 1 - alpha + 1e-10], 2), 2)[:, :, :-1]
    weights = alpha * through
    total = weights.sum(2)
    return weights, (weights * color).sum(2), (weights * t).sum(2) / total, total


@torch.no_grad()
def fine_places(t: Tensor, weights: Tensor, count: int, jitter: bool) -> Tensor:
    """(b, r, count) by the inverse CDF of weights that are max-pooled, mean-pooled, and raised by 0.01."""
    b, r, m = t.shape
    weights = functional.max_pool1d(weights, 2, 1, padding=1)
    weights = functional.avg_pool1d(weights, 2, 1) + 0.01
    cdf = torch.cumsum(weights / weights.sum(-1, keepdim=True), -1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], -1)
    u = ((torch.arange(count) + (torch.rand(b, r, count) if jitter else 0.5)) / count).expand(b, r, count)
    above = torch.searchsorted(cdf, u.contiguous(), right=True).clamp(1, m - 1)
    low, high = cdf.gather(-1, above - 1), cdf.gather(-1, above)
    part = (u - low) / (high - low)
    return t.gather(-1, above - 1) + part * (t.gather(-1, above) - t.gather(-1, above - 1))


def merged(*both: Tensor) -> tuple[Tensor, ...]:
    """Places, colours and values of both passes in the order of their places."""
    t, color, value = (torch.cat(pair, 2) for pair in zip(both[:3], both[3:], strict=True))
    t, order = torch.sort(t, 2)
    return t, color.gather(2, order.expand(color.shape)), value.gather(2, order)
