"""Ctrl-C once: finish the step, save, stop. Twice: stop now."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from isofield.errors import IsofieldError


class Interrupted(IsofieldError):
    """Stopped on request with everything saved; the command exits with 128 + the signal's number, 130 for Ctrl-C."""

    def __init__(self, message: str, signum: int = signal.SIGINT):
        self.exit_code = 128 + signum
        super().__init__(message)


class Interruption:
    """Whether the process was asked to stop, and by which signal."""

    signum: int | None = None

    @property
    def requested(self) -> bool:
        return self.signum is not None

    def error(self, message: str) -> Interrupted:
        """What to raise once everything is saved; the message says how to resume."""
        return Interrupted(message, self.signum or signal.SIGINT)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Within the block, the first SIGINT or SIGTERM only sets `requested`; the second one stops at once.

    The second raises KeyboardInterrupt (SIGINT) or SystemExit (SIGTERM), so temporary files are still removed.
    Signals are the main thread's; in any other thread the block changes nothing.
    """
    state = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return

    def handle(signum: int, _: FrameType | None) -> None:
        if not state.requested:
            state.signum = signum
            return
        raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield state
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
