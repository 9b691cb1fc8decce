"""Files that are whole or not there: temporary name, sync, rename."""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

from isofield.errors import InputError, IsofieldError

TEMPORARY = ".isofield-tmp-"  # how every name begins that a crash may leave behind
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # of a network; a drive has one letter
_FULL = (errno.ENOSPC, errno.EDQUOT)
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_FAULTS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.ELOOP: "its links form a loop",
    errno.ENOENT: "its folder is gone, or takes no files",
    errno.EFBIG: "a file there may not be so large",
}


def check_exists(path: str | PathLike) -> None:
    """InputError, with the reason, unless a file or folder can be found there."""
    _mode(Path(path))


def check_plain(path: str | PathLike) -> None:
    """InputError unless a plain file is there: opening a pipe would wait for ever, and a device never ends."""
    mode = _mode(Path(path))
    if stat.S_ISDIR(mode):
        raise InputError(path, "is a folder", "name a file")
    if not stat.S_ISREG(mode):
        raise InputError(path, f"is {_KINDS.get(stat.S_IFMT(mode), 'no plain file')}", "save its content as a file")


def is_plain(path: Path) -> bool:
    """Whether a plain file is there, links followed; what cannot be looked at is none."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _mode(path: Path) -> int:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        if _ADDRESS.match(str(path)):
            raise InputError(path, "is an address, not a file here", "download it first") from None
        raise InputError(path, "does not exist", "check the path") from None
    except OSError as error:
        raise InputError(
            path, f"cannot be found: {_FAULTS.get(error.errno or 0, error.strerror)}", "check it"
        ) from None
    except ValueError:
        raise InputError(repr(str(path)), "is no possible file name", "check the path") from None


def real_path(path: str | PathLike) -> Path:
    """Where an output will be, links followed; InputError for links in a loop and for names that cannot be."""
    try:
        found = Path(os.path.realpath(path))
        with explained(found), suppress(FileNotFoundError):
            os.stat(found)
    except ValueError:
        raise InputError(repr(str(path)), "is no possible file name", "choose another output") from None
    return found


@contextmanager
def replacing(path: str | PathLike) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, to write to; renamed at the end, removed on any exception.

    Content and folder are synced to the disk, so a crash leaves the old file or the new one. Missing folders are made,
    symbolic links followed, the mode of a replaced file kept. Raises InputError where nothing can be written and
    IsofieldError when the disk is full.
    """
    path = real_path(path)
    with explained(path):
        if os.path.lexists(path):
            check_plain(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(_temporary_name() + path.suffix)
        try:
            yield temporary
            if path.exists():
                shutil.copymode(path, temporary)
            _sync_file(temporary)
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | PathLike) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; synced and renamed to `path` at the end, removed on any exception.

    A folder already at `path` is replaced as a whole: it is moved aside, and removed once the new one is in place.
    Raises as `replacing` does.
    """
    path = real_path(path)
    with explained(path):
        if path.exists() and not path.is_dir():
            raise InputError(path, "is a file", "name a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(_temporary_name())
        try:
            temporary.mkdir()
            yield temporary
            _sync_tree(temporary)
            _move_folder(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sha256(path: str | PathLike) -> str:
    """Hexadecimal SHA-256 of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def to_json(value: Any) -> str:
    """JSON text, indented by 2, in insertion order; takes numpy values and paths too, refuses NaN and infinity.

    Raises ValueError for numbers that JSON cannot hold.
    """
    return json.dumps(value, indent=2, allow_nan=False, default=_plain) + "\n"


def write_json(path: str | PathLike, value: Any) -> None:
    """Write `to_json(value)` whole or not at all; raises as `to_json` and `replacing` do."""
    text = to_json(value)
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())


def read_json(path: str | PathLike) -> Any:
    """Parsed JSON of a UTF-8 file; raises InputError, with line and column where it is broken."""
    check_plain(path)
    try:
        return json.loads(Path(path).read_bytes().decode(), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        fault = f"is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise InputError(path, fault, "mend the file or make it again") from None
    except UnicodeDecodeError as error:
        raise InputError(path, f"is no UTF-8 text: byte {error.start}", "mend the file or make it again") from None
    except (RecursionError, ValueError) as error:
        fault = "is nested too deeply" if isinstance(error, RecursionError) else f"is no JSON: {str(error)[:80]}"
        raise InputError(path, fault, "mend the file or make it again") from None
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path") from None


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left under temporary names; to be called by the holder of the folder only."""
    for path in folder.glob(TEMPORARY + "*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Operating system errors about `path` or its neighbours, and a full disk, in one line."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise IsofieldError(f"{path}: no space left on the disk; free some and run the command again") from error
        if error.errno in _FAULTS and _concerns(error, path):
            raise InputError(path, f"cannot be written: {_FAULTS[error.errno]}", "choose another output") from error
        if _concerns(error, path):
            raise IsofieldError(f"{path}: cannot be written ({error.strerror}); choose another output") from error
        raise


def _concerns(error: OSError, path: Path) -> bool:
    """Whether an error is about `path`, a neighbour or a folder above it, and not about another file read meanwhile."""
    if error.filename is None:
        return True
    culprit = Path(os.path.abspath(os.fsdecode(error.filename)))
    path = Path(os.path.abspath(path))
    return culprit.parent == path.parent or culprit in path.parents


def _temporary_name() -> str:
    return f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"


def _plain(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _sync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync_file(Path(parent) / name)
        _sync_folder(Path(parent))


def _move_folder(source: Path, target: Path) -> None:
    aside = target.with_name(_temporary_name())
    if target.exists():
        os.replace(target, aside)
    os.replace(source, target)
    _sync_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)
