"""Processes that train one model together, each on its share of every batch."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, distributed


@dataclass(frozen=True)
class Workers:
    """rank: which of them this process is; size: how many there are. Alone by default."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes for all."""
        return self.rank == 0

    def shares(self, count: int) -> range:
        """Numbers of the shares of a batch that are this process's."""
        return range(self.rank, count, self.size)

    def total(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Their sum over all processes."""
        if self.size == 1:
            return values
        values = values.clone()
        distributed.all_reduce(values)
        return values

    def add_up(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradients of all by their sum over all processes."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        sums = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, total in zip(gradients, sums.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def any(self, flag: bool) -> bool:
        """Whether one of the processes says so."""
        flags = [flag] * self.size
        if self.size == 1:
            return flag
        distributed.all_gather_object(flags, flag)
        return any(flags)

    def told(self, number: int) -> int:
        """The number that the leading process has."""
        if self.size == 1:
            return number
        said = [number]
        distributed.broadcast_object_list(said)
        return said[0]


@contextmanager
def joined(device: str) -> Iterator[Workers]:
    """All processes that torchrun (or whatever sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT) has started."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Workers()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Workers(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
