"""Multi-resolution hash grid (Müller et al. 2022, Instant-NGP): fast on a processor by a compiled kernel."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from isofield.fields import hash_kernel
from isofield.fields.encodings import Encoding
from isofield.fields.hash_kernel import PRIME_Y, PRIME_Z
from isofield.fields.threads import shared_out

_CORNERS = torch.tensor([[c & 1, c >> 1 & 1, c >> 2] for c in range(8)])


class HashGrid(Encoding):
    """Trilinear features of lattices of growing resolution over [-1, 1]^3, each with at most 2^log2_entries rows.

    Levels with more lattice points than rows share rows by a hash of the point's position. Points outside the box get
    the features of its nearest point. On a processor look-ups and first derivatives run compiled; elsewhere, and where
    a second derivative is asked for, the plain twin does the same.
    """

    coordinates = 0

    def __init__(
        self,
        levels: int = 5,
        base: int = 16,
        growth: float = 2.0,
        log2_entries: int = 17,
        features: int = 2,
        seed: int = 0,
    ):
        super().__init__()
        self._spec = {
            "levels": levels,
            "base": base,
            "growth": growth,
            "log2_entries": log2_entries,
            "features": features,
        }
        self.width = levels * features
        self.layout = _layout(levels, base, growth, 1 << log2_entries)
        generator = torch.Generator().manual_seed(seed)
        entries = int(self.layout[:, 2].sum())
        self.table = nn.Parameter((torch.rand(entries, features, generator=generator) * 2 - 1) * 1e-4)

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n width"]:
        positions = points * 0.5 + 0.5
        if positions.device.type == "cpu" and positions.dtype == self.table.dtype == torch.float32:
            return _CompiledLookUp.apply(positions, self.table, self.layout)
        return look_up(positions, self.table, self.layout)

    def spec(self) -> dict[str, Any]:
        return {"type": "HashGrid", **self._spec}


def _layout(levels: int, base: int, growth: float, most: int) -> Int[np.ndarray, "levels 4"]:
    resolution = np.floor(base * growth ** np.arange(levels) + 1e-9).astype(np.int64)
    lattice = (resolution + 1) ** 3
    rows = np.minimum(lattice, most)
    return np.column_stack([resolution, np.cumsum(rows) - rows, rows, lattice <= most]).astype(np.int64)


def look_up(
    positions: Float[Tensor, "n 3"], table: Float[Tensor, "entries features"], layout: Int[np.ndarray, "levels 4"]
) -> Float[Tensor, "n width"]:
    """Features at positions in [0, 1]^3, in plain torch; any device, differentiable to any order."""
    parts = []
    corners = _CORNERS.to(positions.device)
    for resolution, first, rows, dense in layout.tolist():
        scaled = positions.clamp(0, 1) * resolution
        cell = scaled.detach().long().clamp(max=resolution - 1)
        place = (scaled - cell)[:, None]  # (n, 1, 3)
        weights = torch.where(corners.bool(), place, 1 - place).prod(2)  # (n, 8)
        x, y, z = (cell[:, None] + corners).unbind(2)
        side = resolution + 1
        index = x + side * (y + side * z) if dense else (x ^ (y * PRIME_Y) ^ (z * PRIME_Z)) & (rows - 1)
        parts.append((weights[..., None] * table[first + index]).sum(1))
    return torch.cat(parts, 1)


class _CompiledLookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, positions: Tensor, table: Tensor, layout: np.ndarray) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(positions, table)
        ctx.layout = layout
        out = torch.empty(len(positions), len(layout) * table.shape[1])
        shared_out(
            hash_kernel.features, len(positions), _numpy(positions), _words(table, table), layout, _words(out, table)
        )
        return out

    @staticmethod
    def backward(ctx, upstream: Tensor):  # type: ignore[override]
        positions, table = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of the gradient is wanted
            return (*_plain_gradients(positions, table, ctx.layout, upstream, ctx.needs_input_grad), None)
        by_position = by_table = None
        if ctx.needs_input_grad[0]:
            by_position = torch.empty_like(positions, memory_format=torch.contiguous_format)
            given = (_numpy(positions), _words(table, table), _words(upstream, table))
            shared_out(hash_kernel.point_gradient, len(positions), *given, ctx.layout, by_position.numpy())
            by_position *= (positions >= 0) & (positions <= 1)
        if ctx.needs_input_grad[1]:
            by_table = torch.empty_like(table)
            pull, sums = _words(upstream, table), _words(by_table, table)
            shared_out(hash_kernel.table_gradient, len(ctx.layout), _numpy(positions), pull, ctx.layout, sums)
        return by_position, by_table, None


def _plain_gradients(
    positions: Tensor, table: Tensor, layout: np.ndarray, upstream: Tensor, wanted: tuple[bool, ...]
) -> list[Tensor | None]:
    values = look_up(positions, table, layout)
    inputs = [tensor for tensor, want in zip((positions, table), wanted, strict=False) if want]
    gradients = iter(torch.autograd.grad(values, inputs, upstream, create_graph=True))
    return [next(gradients) if want else None for want in wanted[:2]]


def _words(tensor: Tensor, table: Tensor) -> np.ndarray:
    """Features as the kernel's words: in pairs, where the table's rows have no odd one."""
    return _numpy(tensor).view(np.float32 if table.shape[1] % 2 else np.complex64)


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
