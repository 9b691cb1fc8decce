"""Planes and points to values and colours: compiled, and the plain twin that defines it.

seen = [mean of the planes' features, code of the point]; value = shape network(seen), plus |p| - radius where there is
a radius; colour = sigmoid(colour network([seen, value])). Both networks have one hidden layer, with softplus.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields import triplane_kernel
from isofield.fields.encodings import PositionalCode
from isofield.fields.threads import shared_out
from isofield.fields.triplane_look_up import compiles, look_up, planes_gradient, rows, texels_of

CHUNK = 2048  # points of a gradient at a time: what lies between its products stays in the cache
NONE = np.zeros((0, 0), np.float32)
Decoded = tuple[Float[Tensor, "b n"], Float[Tensor, "b n k"]]


def decode(
    planes: Float[Tensor, "b 3 c h w"],
    points: Float[Tensor, "b n 3"],
    code: PositionalCode | None,
    radius: float | None,
    shape_net: nn.Sequential,
    color_net: nn.Sequential | None,
) -> Decoded:
    """Values and colours, (b, n, 0) of them without a network.

    On a processor, in single precision, and where no gradient for the points is wanted it runs compiled; first
    derivatives too. Everywhere else the plain twin does the same.
    """
    if not compiles(planes, points) or points.requires_grad:
        return decode_plain(planes, points, code, radius, shape_net, color_net)
    weights = [*shape_net.parameters(), *(color_net.parameters() if color_net else ())]
    kept = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (planes, *weights))
    return _CompiledDecode.apply(kept, code, radius, points, planes, *weights)


def decode_plain(
    planes: Float[Tensor, "b 3 c h w"],
    points: Float[Tensor, "b n 3"],
    code: PositionalCode | None,
    radius: float | None,
    shape_net: nn.Sequential,
    color_net: nn.Sequential | None,
) -> Decoded:
    """`decode` in plain torch; any device, differentiable to any order."""
    weights = [*shape_net.parameters(), *(color_net.parameters() if color_net else ())]
    return _plain(code, radius, points, planes, *weights)


def _plain(
    code: PositionalCode | None, radius: float | None, points: Tensor, planes: Tensor, *weights: Tensor
) -> Decoded:
    seen = look_up(planes, points)
    if code is not None:
        seen = torch.cat([seen, code(points.reshape(-1, 3)).view(*points.shape[:2], -1)], -1)
    value = _perceptron(seen, *weights[:4])[..., 0]
    if radius is not None:
        value = value + (points.norm(dim=-1) - radius)
    if len(weights) == 4:
        return value, value[..., None][..., :0]
    return value, torch.sigmoid(_perceptron(torch.cat([seen, value[..., None]], -1), *weights[4:]))


def _perceptron(x: Tensor, first: Tensor, bias: Tensor, last: Tensor, last_bias: Tensor) -> Tensor:
    hidden = nn.functional.softplus(nn.functional.linear(x, first, bias))
    return nn.functional.linear(hidden, last, last_bias)


class _CompiledDecode(torch.autograd.Function):
    @staticmethod
    def forward(ctx, kept: bool, code, radius, points: Tensor, planes: Tensor, *weights: Tensor):  # type: ignore[override]
        b, n = points.shape[:2]
        h, w = planes.shape[3:]
        count = b * n if kept else 0
        seen = torch.empty(count, weights[0].shape[1] + 1)
        hidden = torch.empty(count, weights[0].shape[0])
        shape, color = _networks(weights)
        tinted = torch.empty(count if len(weights) > 4 else 0, color[0].shape[1])
        value, light = torch.empty(b, n), torch.empty(b, n, color[3].shape[0])
        shared_out(
            triplane_kernel.decode, b * n, texels_of(planes).numpy(), rows(points), n, h, w,
            code.octaves if code else 0, radius is not None, np.float32(radius or 0), shape, color,
            value.view(-1).numpy(), rows(light) if len(weights) > 4 else NONE,
            seen.numpy(), hidden.numpy(), tinted.numpy(),
        )  # fmt: skip
        ctx.save_for_backward(points, planes, light, seen, hidden, tinted, *weights)
        ctx.made = code, radius
        return value, light

    @staticmethod
    def backward(ctx, by_value: Tensor, by_light: Tensor):  # type: ignore[override]
        points, planes, light, seen, hidden, tinted, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the gradient is wanted
            found = _plain(*ctx.made, points, planes, *weights)
            wanted = [x for x, want in zip((planes, *weights), ctx.needs_input_grad[4:], strict=True) if want]
            gradients = iter(torch.autograd.grad(found, wanted, (by_value, by_light), create_graph=True))
            return (*[None] * 4, *[next(gradients) if want else None for want in ctx.needs_input_grad[4:]])
        by_weights = [torch.zeros_like(weight) for weight in weights]
        by_features = torch.empty(*points.shape[:2], planes.shape[2])
        flat = by_features.view(-1, planes.shape[2])
        for i in range(0, len(seen), CHUNK):
            part = slice(i, i + CHUNK)
            pull, by_seen = by_value.reshape(-1)[part], torch.zeros(())
            if len(weights) > 4:
                color = light.view(-1, light.shape[2])[part]
                outer = by_light.reshape(-1, light.shape[2])[part] * (color - color.square())
                by_all = _back(outer, tinted[part], seen[part], weights[4:], by_weights[4:])
                pull, by_seen = pull + by_all[:, -1], by_all[:, : flat.shape[1]]
            by_own = _back(pull[:, None], hidden[part], seen[part, :-1], weights[:4], by_weights[:4])
            flat[part] = by_own[:, : flat.shape[1]] + by_seen
        by_planes = planes_gradient(planes.shape, points, by_features) if ctx.needs_input_grad[4] else None
        return (*[None] * 4, by_planes, *by_weights)


def _back(pull: Tensor, hidden: Tensor, x: Tensor, weights: list[Tensor], sums: list[Tensor]) -> Tensor:
    """Gradient with respect to a perceptron's inputs x, given that of its outputs; those of its weights are added."""
    first, _, last, _ = weights
    sums[2].addmm_(pull.T, hidden)
    sums[3].add_(pull.sum(0))
    inner = pull @ last
    triplane_kernel.through_softplus(inner.numpy(), hidden.numpy(), 0, len(inner))
    sums[0].addmm_(inner.T, x)
    sums[1].add_(inner.sum(0))
    return inner @ first


def _networks(weights: tuple[Tensor, ...]) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """For the kernel: (weight (in, out), bias, weight, bias) of the network of shape and of that of colour."""
    first = tuple(weight.detach().t().contiguous().numpy() for weight in weights)
    none = tuple(np.zeros((0,) * weight.ndim, np.float32) for weight in weights[:4])
    return first[:4], first[4:] or none
