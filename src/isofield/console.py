"""What the command says, where, and with which exit code."""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any

from isofield.errors import IsofieldError

if TYPE_CHECKING:
    from rich.table import Table

UNBOUNDED = 10_000  # columns, where the output is no terminal


@contextmanager
def answering(alone: bool) -> Iterator[None]:
    """With `alone`, what is printed in the block, by compiled code too, goes to stderr: stdout is for the answer."""
    if not alone:
        yield
        return
    sys.stdout.flush()
    kept = _duplicate(1)
    try:
        if kept is not None:
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            _flush_compiled()
            os.dup2(kept, 1)
            os.close(kept)


def explain(error: BaseException) -> tuple[int, str]:
    """Exit code and one line for an error: 2 for the user's input, 130 for Ctrl-C, 1 for anything else."""
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(error, IsofieldError):
        return error.exit_code, one_line(error)
    if isinstance(error, MemoryError):
        return 1, "not enough memory; try a smaller --resolution or a smaller input"
    return 1, f"unexpected {type(error).__name__}: {one_line(error)}; run again with --debug to see where"


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """In the place of `warnings.showwarning`: one line on stderr."""
    print(f"isofield: warning: {one_line(message)}", file=sys.stderr)


def one_line(message: object) -> str:
    """On one line, without the control characters with which a file's content could command a terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(message).split()))


def json_text(value: Any) -> str:
    """One JSON object as text; what JSON has no number for is null."""
    from isofield.files import to_json

    return to_json(_without_nan(value))


def table_text(report: dict[str, Any]) -> str:
    """One line per key, values aligned."""
    width = max(map(len, report), default=0)
    return "".join(f"{key:<{width}}  {_shown(value)}\n" for key, value in report.items())


def rendered(table: "Table") -> str:
    """A table as text: as wide as the terminal, and as wide as it needs anywhere else."""
    from rich.console import Console

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNBOUNDED)
    with console.capture() as captured:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _flush_compiled() -> None:
    """Write out what compiled code has printed and the C library still holds."""
    import ctypes

    with suppress(OSError, TypeError, AttributeError):  # TypeError: Windows has no library of the whole process
        ctypes.CDLL(None).fflush(None)


def _duplicate(descriptor: int) -> int | None:
    with suppress(OSError):
        return os.dup(descriptor)
    return None
