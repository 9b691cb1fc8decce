"""Processes that train together, by Lightning Fabric: each takes its share of the shapes of every step."""

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from isofield.errors import InputError
from isofield.tasks.workers import Workers

Told = TypeVar("Told")
Device, Precision = Literal["cpu", "gpu"], Literal["32", "bf16"]
RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # where torchrun, SLURM and Fabric say which process this is


@dataclass(frozen=True)
class Team(Workers):
    """One process of those that train together; alone by default.

    All of them draw the same shapes from the same seed, each works on every `size`-th, and losses and gradients are
    added up: a step is that of one process on the whole batch, but for rounding.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    fabric: Any = None

    @classmethod
    def launch(cls, processes: int, device: Device = "cpu", precision: Precision = "32") -> "Team":
        """Start the other processes, which run this program's command line again and meet this one here.

        Under torchrun or SLURM they are there already. On GPUs there is one process for each. precision: bf16 computes
        the networks' products with 8 bits of mantissa; weights stay float32. Raises InputError where Lightning Fabric
        or the device is missing.
        """
        if (processes, device, precision) == (1, "cpu", "32"):
            return cls()
        if device == "gpu" and torch.cuda.device_count() < processes:
            there = torch.cuda.device_count()
            raise InputError("--device gpu", f"{processes} are asked for and {there} are there", "take --device cpu")
        try:
            from lightning_fabric import Fabric
        except ImportError:
            fault = "several processes, GPUs and bf16 need lightning-fabric"
            raise InputError("--processes", fault, 'pip install "isofield[train]"') from None
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        fabric = Fabric(
            accelerator="cuda" if device == "gpu" else "cpu", devices=processes,
            strategy="ddp" if processes > 1 else "auto", precision="bf16-mixed" if precision == "bf16" else "32-true",
        )  # fmt: skip
        fabric.launch()
        return cls(fabric.global_rank, fabric.world_size, fabric.device, fabric)

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

    def told(self, value: Told) -> Told:  # type: ignore[override]
        """The value, of any kind, that the leading process has."""
        return value if self.size == 1 else self.fabric.broadcast(value)

    def precision(self) -> AbstractContextManager:
        """Within it, what runs is of the precision asked for."""
        return nullcontext() if self.fabric is None else self.fabric.autocast()


def follows() -> bool:
    """Whether this process was started to train with another one, before they have met."""
    return next((os.environ[name] for name in RANKS if name in os.environ), "0") != "0"
