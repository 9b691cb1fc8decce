"""Planes and points to values and colours: compiled, and the plain twin that defines it.

seen = [mean of the planes' features, code of the point]; value = shape network(seen), plus |p| - radius where there is
a radius; colour = sigmoid(colour network([seen, value])). Both networks have one hidden layer, with softplus.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields import triplane_kernel
from isofield.fields.encodings import PositionalCode
from isofield.fields.threads import shared_out
from isofield.fields.triplane_look_up import compiles, look_up, planes_gradient, roomy, rows, texels_of

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


class _Layers(NamedTuple):
    """The networks' weights as the compiled twin takes them; without colours k = 0, and so is the length of `tint`.

    A point's inputs are its features, its code, and 1 for the biases.
    """

    first: Tensor  # (inputs, hidden): both hidden layers side by side, that of colour without its share of the value
    last: Tensor  # (w,): the value from the first w of them
    offset: Tensor  # (1,): its bias
    tint: Tensor  # (w,): of the hidden layer of colour, the weights of the value
    tone: Tensor  # (k, w): the colours from the others
    tone_bias: Tensor  # (k,)


def _layers(weights: Sequence[Tensor]) -> _Layers:
    first, bias, last, offset, *color = (weight.detach() for weight in weights)
    first = torch.cat([first, bias[:, None]], 1)
    if not color:
        return _Layers(first.T.contiguous(), last[0], offset, last[0, :0], last[:0], offset[:0])
    tint, tint_bias, tone, tone_bias = color
    first = torch.cat([first, torch.cat([tint[:, :-1], tint_bias[:, None]], 1)])
    return _Layers(first.T.contiguous(), last[0], offset, tint[:, -1].contiguous(), tone, tone_bias)


def _chunks(size: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Tensors of `size` rows, CHUNK rows of each at a time; of those with fewer, the first ones again and again.

    All at once: to take parts of tensors between large products is slow."""
    counts = [min(CHUNK, size - i) for i in range(0, size, CHUNK)]
    parts = [x.split(CHUNK) if len(x) == size else [x[:count] for count in counts] for x in tensors]
    return zip(*parts, strict=True)


class _CompiledDecode(torch.autograd.Function):
    """Kept of each point for the gradients: its inputs, with its value after them, and both hidden layers."""

    @staticmethod
    def forward(ctx, kept: bool, code, radius, points: Tensor, planes: Tensor, *weights: Tensor):  # type: ignore[override]
        b, n = points.shape[:2]
        size, octaves = b * n, code.octaves if code else 0
        first, last, offset, tint, tone, tone_bias = _layers(weights)
        least = offset.item()  # a value is least + rise |p|, and what the network adds
        least, rise = (least, 0.0) if radius is None else (least - radius, 1.0)
        look = texels_of(planes).numpy(), rows(points), n, *planes.shape[3:], octaves, least, rise
        value, light = torch.empty(size), roomy(size, len(tone))
        room = size if kept else min(size, CHUNK)  # for what a gradient needs, or for what is soon written over
        seen, hidden = roomy(room, len(first) + 1), roomy(room, first.shape[1])
        before = torch.empty(min(size, CHUNK), first.shape[1])
        value_weights = last.numpy(), tint.numpy()
        made = value, seen, seen[:, :-1], before, hidden, hidden[:, len(last) :], light
        for i, (v, x, inputs, product, h, of_color, out) in enumerate(_chunks(size, *made)):
            shared_out(triplane_kernel.inputs, len(v), *look, i * CHUNK, x.numpy())
            torch.mm(inputs, first, out=product)
            given = (product.numpy(), x.numpy(), h.numpy(), v.numpy())
            shared_out(triplane_kernel.hidden_layers, len(v), *value_weights, *given)
            if len(tone):
                torch.mm(of_color, tone.T, out=out)
                shared_out(triplane_kernel.sigmoid, len(v), tone_bias.numpy(), out.numpy())
        ctx.save_for_backward(points, planes, light, seen, hidden, *weights)
        ctx.made = code, radius
        return value.view(b, n), light.view(b, n, len(tone))

    @staticmethod
    def backward(ctx, by_value: Tensor, by_light: Tensor):  # type: ignore[override]
        points, planes, light, seen, hidden, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the gradient is wanted
            found = _plain(*ctx.made, points, planes, *weights)
            wanted = [x for x, want in zip((planes, *weights), ctx.needs_input_grad[4:], strict=True) if want]
            gradients = iter(torch.autograd.grad(found, wanted, (by_value, by_light), create_graph=True))
            return (*[None] * 4, *[next(gradients) if want else None for want in ctx.needs_input_grad[4:]])
        first, last, _, tint, tone, _ = _layers(weights)
        size, width, channels = len(seen), len(last), planes.shape[2]
        by_first, by_last = torch.zeros(seen.shape[1], hidden.shape[1]), torch.zeros(width)
        by_tone, by_tone_bias = torch.zeros(len(tone), width), torch.zeros(len(tone))
        to_features, value_weights = first[:channels].T.contiguous(), (last.numpy(), tint.numpy())
        pulls, by_light = by_value.flatten().clone(), by_light.flatten(0, 1).contiguous()
        by_hidden, by_tones = (torch.empty(min(size, CHUNK), k) for k in (hidden.shape[1], len(tone)))
        by_features = roomy(*points.shape[:2], channels)
        made = seen, hidden, hidden[:, :width], hidden[:, width:], light
        pulled = pulls, by_light, by_tones, by_hidden, by_hidden[:, width:], by_features.flatten(0, 1)
        for x, h, of_value, of_color, out, pull, by_out, outer, inner, inner_color, below in _chunks(
            size, *made, *pulled
        ):
            if len(tone):
                shared_out(triplane_kernel.through_sigmoid, len(x), out.numpy(), by_out.numpy(), outer.numpy())
                by_tone.addmm_(outer.T, of_color)
                by_tone_bias += outer.sum(0)
                torch.mm(outer, tone, out=inner_color)
            given = (h.numpy(), pull.numpy(), inner.numpy())
            shared_out(triplane_kernel.through_hidden_layers, len(x), *value_weights, *given)
            by_last.addmv_(of_value.T, pull)
            by_first.addmm_(x.T, inner)
            torch.mm(inner, to_features, out=below)
        by_planes = planes_gradient(planes.shape, points, by_features) if ctx.needs_input_grad[4] else None
        by_inputs, by_bias, by_own = by_first.split([len(by_first) - 2, 1, 1])
        by_weights = [by_inputs[:, :width].T, by_bias[0, :width], by_last[None], pulls.sum()[None]]
        if len(tone):
            by_tint = torch.cat([by_inputs, by_own])[:, width:].T
            by_weights += [by_tint, by_bias[0, width:], by_tone, by_tone_bias]
        return (*[None] * 4, by_planes, *by_weights)
