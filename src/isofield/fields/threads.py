"""A few Python threads for compiled loops that hold no lock; as many as torch is told to use."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch


def shared_out(kernel: Callable[..., None], count: int, *arguments: Any) -> None:
    """Call `kernel(*arguments, start, stop)` on equal ranges of 0 .. count, one per thread; wait for all."""
    threads = max(1, min(torch.get_num_threads(), count))
    ends = [count * i // threads for i in range(threads + 1)]
    others = [_pool().submit(kernel, *arguments, *ends[i : i + 2]) for i in range(1, threads)]
    kernel(*arguments, *ends[:2])
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="isofield")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork, the pool object would
    os.register_at_fork(after_in_child=_pool.cache_clear)
