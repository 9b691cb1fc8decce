"""Text of any encoding, and numbers in it read strictly."""

import codecs
from collections.abc import Sequence
from pathlib import Path

from isofield.errors import InputError

MEND = "mend or drop the line"


def decoded(path: Path) -> str:
    """UTF-8 (bytes that are none replaced: they stand in comments and names), or UTF-16 with its byte order mark.

    Raises InputError for binary data.
    """
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        raise InputError(f"{path}, byte {data.index(0)}", "is binary data, not text", "check the file's extension")
    return data.decode("utf-8-sig", "replace")


def floats(words: Sequence[str]) -> list[float]:
    """Numbers as files write them; ValueError about any other (Python takes 1_000 and all scripts' digits)."""
    for word in words:
        if "_" in word or not word.isascii():
            raise ValueError(f"could not convert string to float: {word!r}")
    return [float(word) for word in words]


def integers(words: Sequence[str]) -> list[int]:
    for word in words:
        if "_" in word or not word.isascii():
            raise ValueError(f"{word!r} is no whole number")
    return [int(word) for word in words]


def bad_line(path: Path, number: int, line: str, why: object) -> InputError:
    """The error about a line that cannot be read; numbers with decimal commas are called that."""
    where, shown = f"{path}, line {number}", repr(line.strip()[:60])
    if "," in line and "float" in str(why):
        return InputError(where, f"{shown} has a decimal comma", "write decimal points")
    return InputError(where, f"{shown}: {why}", MEND)
