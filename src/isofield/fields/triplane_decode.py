"""Planes and points to values and colours: compiled, and the plain twin that defines it.

seen = [mean of the planes' features, code of the point]; value = shape network(seen), plus |p| - radius where there is
a radius; colour = sigmoid(colour network([seen, value])). Both networks have one hidden layer, with softplus.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields import triplane_kernel
from isofield.fields.encodings import PositionalCode
from isofield.fields.threads import shared_out
from isofield.fields.triplane_look_up import compiles, look_up, planes_gradient, rows, texels_of

CHUNK = 4096  # points at a time: what lies between their products stays in the cache
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
        texels, places, octaves = texels_of(planes).numpy(), rows(points), code.octaves if code else 0
        ball = None if radius is None else points.detach().norm(dim=-1).view(-1) - radius
        value, light = torch.empty(b * n), torch.empty(b, n, weights[6].shape[0] if len(weights) > 4 else 0)
        room = b * n if kept else min(b * n, CHUNK)  # for what a gradient needs, or for what is soon written over
        seen, hidden = torch.empty(room, weights[0].shape[1] + 1), torch.empty(room, weights[0].shape[0])
        tinted = torch.empty(room, weights[4].shape[0]) if len(weights) > 4 else torch.empty(0)
        for i in range(0, b * n, CHUNK):
            part = slice(i, min(i + CHUNK, b * n))
            own = part if kept else slice(0, part.stop - i)
            x = seen[own]
            shared_out(triplane_kernel.inputs, len(x), texels, places, n, *planes.shape[3:], octaves, i, x.numpy())
            _forward(x[:, :-1], weights[:4], hidden[own], value[part, None])
            if ball is not None:
                value[part] += ball[part]
            x[:, -1] = value[part]
            if len(weights) > 4:
                _forward(x, weights[4:], tinted[own], light.flatten(0, 1)[part]).sigmoid_()
        ctx.save_for_backward(points, planes, light, seen, hidden, tinted, *weights)
        ctx.made = code, radius
        return value.view(b, n), light

    @staticmethod
    def backward(ctx, by_value: Tensor, by_light: Tensor):  # type: ignore[override]
        points, planes, light, seen, hidden, tinted, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the gradient is wanted
            found = _plain(*ctx.made, points, planes, *weights)
            wanted = [x for x, want in zip((planes, *weights), ctx.needs_input_grad[4:], strict=True) if want]
            gradients = iter(torch.autograd.grad(found, wanted, (by_value, by_light), create_graph=True))
            return (*[None] * 4, *[next(gradients) if want else None for want in ctx.needs_input_grad[4:]])
        by_weights = [torch.zeros_like(weight.t().contiguous()).t() for weight in weights]  # so stored, sooner summed
        by_features = torch.empty(*points.shape[:2], planes.shape[2])
        flat, channels = by_features.view(-1, planes.shape[2]), planes.shape[2]
        pulls, outers, lights = by_value.reshape(-1, 1), by_light.flatten(0, 1), light.flatten(0, 1)
        for i in range(0, len(seen), CHUNK):
            part = slice(i, i + CHUNK)
            x, pull, out = seen[part], pulls[part], flat[part]
            if len(weights) > 4:
                outer = torch.ops.aten.sigmoid_backward(outers[part], lights[part])
                inner = _backward(outer, x, tinted[part], weights[4:], by_weights[4:])
                pull = torch.addmm(pull, inner, weights[4][:, -1:])
                torch.mm(inner, weights[4][:, :channels], out=out)
            inner = _backward(pull, x[:, :-1], hidden[part], weights[:4], by_weights[:4])
            torch.addmm(out, inner, weights[0][:, :channels], beta=float(len(weights) > 4), out=out)
        by_planes = planes_gradient(planes.shape, points, by_features) if ctx.needs_input_grad[4] else None
        return (*[None] * 4, by_planes, *by_weights)


def _forward(x: Tensor, weights: tuple[Tensor, ...], hidden: Tensor, out: Tensor) -> Tensor:
    """out, and with it the hidden layer, <- a perceptron's."""
    first, bias, last, last_bias = weights
    torch.mm(x, first.T, out=hidden)
    shared_out(triplane_kernel.softplus, len(hidden), hidden.numpy(), bias.detach().numpy())
    return torch.addmm(last_bias, hidden, last.T, out=out)


def _backward(pull: Tensor, x: Tensor, hidden: Tensor, weights: list[Tensor], sums: list[Tensor]) -> Tensor:
    """Gradient with respect to what a perceptron's softplus is given, from that of its outputs.

    The gradients of the weights are added to `sums`.
    """
    sums[2].T.addmm_(hidden.T, pull)
    sums[3].add_(pull.sum(0))
    inner = pull @ weights[2]
    shared_out(triplane_kernel.through_softplus, len(inner), inner.numpy(), hidden.numpy())
    sums[0].T.addmm_(x.T, inner)
    sums[1].add_(inner.sum(0))
    return inner
