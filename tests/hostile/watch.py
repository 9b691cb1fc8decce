"""What a piece of code opens, starts and connects to, by the interpreter's own audit events."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

REACHING_OUT = (
    "socket.connect", "socket.getaddrinfo", "urllib.Request", "subprocess.Popen", "os.system", "os.exec",
    "os.posix_spawn", "pickle.find_class", "os.fork",
)  # fmt: skip


@dataclass
class Seen:
    """outside: files opened that belong to nobody but the attacker's wishes; reached_out: events of REACHING_OUT."""

    forbidden: Path
    outside: list[str] = field(default_factory=list)
    reached_out: list[str] = field(default_factory=list)

    def look(self, event: str, arguments: tuple) -> None:
        if event in REACHING_OUT:
            self.reached_out.append(f"{event} {arguments}"[:200])
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = Path(os.fsdecode(arguments[0]))
            if path.name in ("passwd", "secret.txt") or (path.parent == self.forbidden and path.is_file()):
                self.outside.append(str(path))


_watching: list[Seen] = []


def _hook(event: str, arguments: tuple) -> None:
    for seen in _watching:
        seen.look(event, arguments)


sys.addaudithook(_hook)


@contextmanager
def watched(forbidden: Path) -> Iterator[Seen]:
    """In the block, note what is opened directly in the folder `forbidden`, and whatever reaches out of the process."""
    seen = Seen(forbidden)
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)
