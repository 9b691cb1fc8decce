"""Progress on stderr: a bar on a terminal, a plain line now and then anywhere else."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

SECONDS, SHARE = 5.0, 0.1  # a plain line comes no sooner than both, the first and the last apart


class Advance(Protocol):
    """Call with what is done so far, out of the total, and numbers worth showing."""

    def __call__(self, done: int, /, **numbers: int | float) -> None: ...


@contextmanager
def progress(label: str, total: int, *, silent: bool = False) -> Iterator[Advance]:
    """Yields the function to call with the work done so far; writes to stderr."""
    if silent:
        yield lambda done, /, **numbers: None
    elif sys.stderr.isatty():
        yield from _bar(label, total)
    else:
        yield _Lines(label, total)


class _Lines:
    def __init__(self, label: str, total: int):
        self.label, self.total = label, max(total, 1)
        self.time, self.done = time.monotonic(), 0

    def __call__(self, done: int, /, **numbers: int | float) -> None:
        now = time.monotonic()
        due = now - self.time >= SECONDS and done - self.done >= SHARE * self.total
        if due or (done >= self.total and self.done < self.total):
            self.time, self.done = now, done
            print(f"{self.label}: {done}/{self.total} {_shown(numbers)}".rstrip(), file=sys.stderr, flush=True)


def _bar(label: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, numbers="")
        yield lambda done, /, **numbers: bar.update(task, completed=done, numbers=_shown(numbers))


def _shown(numbers: dict[str, int | float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in numbers.items())
