"""Many independent pieces of work at once: one call, on one machine or on a cluster."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from isofield.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_jobs(
    function: Callable[[Item], Result], items: Sequence[Item], *, jobs: int | None = None, backend: str = "loky"
) -> Iterator[Result]:
    """Yields function(item) for each item, in their order, as soon as it is there.

    function: of a module, so that other processes find it. jobs: processes at a time, by default one per core; 1 works
    in this process. Each keeps to one thread. backend: a name that joblib knows: "loky" for processes here, "dask" or
    "ray" for a cluster that the caller has connected to. An exception of the function ends the iteration with it.
    Raises InputError for a backend that is not there.
    """
    count = min(jobs or cores(), len(items))
    if backend == "loky" and count <= 1:
        yield from map(function, items)
        return
    from joblib import Parallel, delayed, parallel_config

    threads = {"inner_max_num_threads": 1} if backend == "loky" else {}
    try:
        config = parallel_config(backend=backend, n_jobs=count, **threads)
    except (ValueError, ImportError) as error:
        fault = " ".join(str(error).split())[:120]
        raise InputError("--backend", f"{backend!r} cannot be had ({fault})", "take loky, or install it") from None
    with config:
        yield from Parallel(return_as="generator")(delayed(function)(item) for item in items)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
