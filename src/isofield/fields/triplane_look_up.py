"""Features of three planes at points of space: compiled, and the plain twin that defines them.

Planes are (b, 3, c, h, w) in the order xy, xz, yz: of each, the first axis runs along the columns and the second along
the rows, from -1 in the first to 1 in the last.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields import triplane_kernel
from isofield.fields.threads import shared_out

COLUMN, ROW = (0, 0, 1), (1, 2, 2)  # axes of the planes xy, xz, yz


def look_up(planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n c"]:
    """Mean of the bilinear features of the three planes; points outside [-1, 1]^3 have those of the border.

    The corners of the cube lie at the centres of corner texels. On a processor look-ups and first derivatives run
    compiled; elsewhere, and where a second derivative is asked for, the plain twin does the same.
    """
    if compiles(planes, points):
        return _CompiledLookUp.apply(planes, points)
    return look_up_plain(planes, points)


def look_up_plain(planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n c"]:
    """`look_up` in plain torch; any device, differentiable to any order."""
    b, _, c, h, w = planes.shape
    places = torch.stack([points[..., COLUMN], points[..., ROW]], -1)  # (b, n, 3, 2)
    places = places.transpose(1, 2).reshape(3 * b, 1, -1, 2)
    found = nn.functional.grid_sample(planes.reshape(3 * b, c, h, w), places, padding_mode="border", align_corners=True)
    return found.view(b, 3, c, -1).mean(1).transpose(1, 2)


class _CompiledLookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, planes: Tensor, points: Tensor) -> Tensor:  # type: ignore[override]
        b, _, c, h, w = planes.shape
        texels = texels_of(planes)
        ctx.save_for_backward(planes, points, texels)
        out = roomy(*points.shape[:2], c)
        given = (texels.numpy(), rows(points), points.shape[1], h, w, rows(out))
        shared_out(triplane_kernel.features, b * points.shape[1], *given)
        return out

    @staticmethod
    def backward(ctx, upstream: Tensor):  # type: ignore[override]
        planes, points, texels = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the gradient is wanted
            return tuple(_plain_gradients(planes, points, upstream, ctx.needs_input_grad))
        b, _, _, h, w = planes.shape
        by_planes = planes_gradient(planes.shape, points, upstream) if ctx.needs_input_grad[0] else None
        by_points = None
        if ctx.needs_input_grad[1]:
            by_points = torch.empty_like(points, memory_format=torch.contiguous_format)
            given = (texels.numpy(), rows(points), rows(upstream), points.shape[1], h, w, rows(by_points))
            shared_out(triplane_kernel.point_gradient, b * points.shape[1], *given)
        return by_planes, by_points


def _plain_gradients(planes: Tensor, points: Tensor, upstream: Tensor, wanted: tuple[bool, ...]) -> list[Tensor | None]:
    found = look_up_plain(planes, points)
    inputs = [tensor for tensor, want in zip((planes, points), wanted, strict=True) if want]
    gradients = iter(torch.autograd.grad(found, inputs, upstream, create_graph=True))
    return [next(gradients) if want else None for want in wanted]


def rows(tensor: Tensor) -> np.ndarray:
    """(b, n, k) as (b * n, k)."""
    return tensor.detach().contiguous().view(-1, tensor.shape[-1]).numpy()


def roomy(*shape: int) -> Tensor:
    """Uninitialized, and much sooner written than `torch.empty` where large: numpy asks the system for huge pages."""
    return torch.from_numpy(np.empty(shape, np.float32))


def compiles(planes: Tensor, points: Tensor) -> bool:
    """Whether the kernels can do it."""
    return planes.device.type == points.device.type == "cpu" and planes.dtype == points.dtype == torch.float32


def texels_together(planes: Float[Tensor, "b 3 c h w"]) -> Float[Tensor, "b 3 c h w"]:
    """The same numbers, where look-ups are compiled with the features of a texel side by side in memory: laid so once
    instead of at every look-up."""
    if planes.device.type != "cpu" or planes.dtype != torch.float32:
        return planes
    return _TexelsTogether.apply(planes)


class _TexelsTogether(torch.autograd.Function):
    @staticmethod
    def forward(ctx, planes: Tensor) -> Tensor:  # type: ignore[override]
        b, _, c, h, w = planes.shape
        texels = roomy(b * 3, h * w, c)
        for to, plane in zip(texels, planes.reshape(b * 3, c, h * w), strict=True):  # one by one: torch's faster way
            to.copy_(plane.T)
        return texels.view(b, 3, h, w, c).permute(0, 1, 4, 2, 3)

    @staticmethod
    def backward(ctx, upstream: Tensor) -> Tensor:  # type: ignore[override]
        return upstream


def texels_of(planes: Tensor) -> Tensor:
    """(b, 3, c, h, w) as (b * 3 * h * w, c)."""
    return planes.detach().permute(0, 1, 3, 4, 2).reshape(-1, planes.shape[2])


def planes_gradient(shape: torch.Size, points: Tensor, upstream: Tensor) -> Tensor:
    """With respect to planes of this shape, given that with respect to the features at points."""
    b, _, c, h, w = shape
    sums = roomy(b * 3 * h * w, c)
    given = (rows(points), rows(upstream), points.shape[1], h, w, sums.numpy())
    shared_out(triplane_kernel.texel_gradient, 3 * b, *given)
    return sums.view(b, 3, h, w, c).permute(0, 1, 4, 2, 3)
