"""Processes that train together, by Lightning Fabric: each does its share of every step."""

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, distributed, nn

from isofield.errors import InputError, IsofieldError

Told = TypeVar("Told")
Device, Precision = Literal["cpu", "cuda"], Literal["32", "bf16"]
RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # where torchrun, SLURM and Fabric say which process this is


@dataclass(frozen=True)
class Team:
    """One process of those that train together: number `rank` of `size`; alone by default.

    All of them draw the same batch from the same seed, each works on every `size`-th part of it, and losses and
    gradients are added up: a step is that of one process on the whole batch, but for rounding.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    fabric: Any = None

    @classmethod
    def launch(cls, processes: int, device: Device = "cpu", precision: Precision = "32") -> "Team":
        """Start the other processes, which run this program's command line again and meet this one here.

        Under torchrun or SLURM they are there already. On GPUs there is one process for each. precision: bf16 computes
        the networks' products with 8 bits of mantissa; weights stay float32. Raises InputError where Lightning Fabric
        or the device is missing, IsofieldError where there is no command line to run again.
        """
        if (processes, device, precision) == (1, "cpu", "32"):
            return cls()
        if device == "cuda" and torch.cuda.device_count() < processes:
            there = torch.cuda.device_count()
            raise InputError("--device cuda", f"{processes} are asked for and {there} are there", "take --device cpu")
        if processes > 1 and sys.argv[1:2] != ["train"]:
            raise IsofieldError("--processes starts the command line again, and this is none; give the training a team")
        try:
            from lightning_fabric import Fabric
        except ImportError:
            fault = "several processes, GPUs and bf16 need lightning-fabric"
            raise InputError("--processes", fault, 'pip install "isofield[train]"') from None
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        fabric = Fabric(
            accelerator=device, devices=processes,
            strategy="ddp" if processes > 1 else "auto", precision="bf16-mixed" if precision == "bf16" else "32-true",
        )  # fmt: skip
        fabric.launch()
        return cls(fabric.global_rank, fabric.world_size, fabric.device, fabric)

    @property
    def leads(self) -> bool:
        """Whether this process writes for all."""
        return self.rank == 0

    def shares(self, count: int) -> range:
        """Which of so many parts of a batch this process does."""
        return range(self.rank, count, self.size)

    def share(self, values: Shaped[Tensor, "s *n"]) -> Shaped[Tensor, "r *n"]:
        """What of these this process takes."""
        return values[self.rank :: self.size]

    def joined(self, share: Float[Tensor, " r"], count: int) -> Float[Tensor, " s"]:
        """The inverse of `share`: all `count` values, in all processes."""
        if self.size == 1:
            return share
        values = share.new_zeros(count)
        values[self.rank :: self.size] = share
        return self.total(values)

    def total(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Their sum over all processes."""
        if self.size == 1:
            return values
        values = values.clone()
        with _company():
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
        if self.size == 1:
            return flag
        flags = [flag] * self.size
        with _company():
            distributed.all_gather_object(flags, flag)
        return any(flags)

    def told(self, value: Told) -> Told:
        """The value, of any kind, that the leading process has."""
        return value if self.size == 1 else self.fabric.broadcast(value)

    def precision(self) -> AbstractContextManager:
        """Within it, what runs is of the precision asked for."""
        return nullcontext() if self.fabric is None else self.fabric.autocast()

    def cast(self, network: nn.Module) -> None:
        """From now on it works in the precision asked for; what it returns is float32."""
        forward = network.forward

        def within(*inputs: Any, **named: Any) -> Tensor:
            with self.precision():
                return forward(*inputs, **named).float()

        network.forward = within  # type: ignore[method-assign]


def follows() -> bool:
    """Whether this process was started to train with another one, before they have met."""
    return next((os.environ[name] for name in RANKS if name in os.environ), "0") != "0"


@contextmanager
def _company() -> Iterator[None]:
    """IsofieldError where one of the others has gone."""
    try:
        yield
    except RuntimeError as error:
        raise IsofieldError("a process that trains along has ended; run the same command again to go on") from error
