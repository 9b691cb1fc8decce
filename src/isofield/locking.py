"""One writer per folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

from isofield.errors import InputError
from isofield.files import explained

LOCK = ".lock"


@contextmanager
def locked(folder: str | PathLike) -> Iterator[None]:
    """Hold an existing folder for this process alone; the system lets go of it however the process ends.

    Raises InputError, naming the holder's process id, while another one holds it.
    """
    path = Path(folder) / LOCK
    with explained(path):
        descriptor = _acquire(path)
    try:
        yield
    finally:
        with suppress(OSError):  # while still held, so that nobody else can be waiting in the file removed
            path.unlink()
        os.close(descriptor)
        with suppress(OSError):  # Windows removes no open file
            path.unlink()


def _acquire(path: Path) -> int:
    """A descriptor that holds the lock file `path`, with this process's id in it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            if _is_at(path, descriptor):
                with suppress(OSError):  # a full disk: held all the same, only without the holder's name
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        except BlockingIOError:
            holder = path.read_text() or "unknown"
            os.close(descriptor)
            fault = f"another isofield process writes here (process {holder})"
            raise InputError(path.parent, fault, "wait for it, stop it, or choose another output") from None
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the file just locked still has its name: the holder before us may have removed it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if os.name == "posix":
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

else:
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # past the process id, which stays readable
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            raise BlockingIOError from error
        os.lseek(descriptor, 0, os.SEEK_SET)
