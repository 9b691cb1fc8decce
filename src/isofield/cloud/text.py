"""Numbers in lines of text, read strictly: what cannot be read is named with its line."""

import re
import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from isofield.errors import InputError
from isofield.mesh.text import decoded, floats

REMEDY = "mend or drop the line"
_LINE_END = re.compile("\r\n|\n|\r")  # of editors; Python's own would count form feeds too


def text_lines(path: Path) -> list[str]:
    """The lines of a text file; InputError for binary data."""
    return _LINE_END.split(decoded(path))


def number_table(path: Path, numbered: Sequence[tuple[int, str]], columns: int | None = None) -> np.ndarray:
    """(line number, line) pairs -> (n, columns) float64; every line has as many numbers as the first (or `columns`)."""
    if not numbered:
        return np.zeros((0, columns or 0))
    wanted = columns or len(numbered[0][1].split())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = np.loadtxt([line for _, line in numbered], np.float64, comments=None, ndmin=2)
        if table.shape == (len(numbered), wanted):
            return table
    except ValueError:
        pass
    return np.array([number_row(path, number, line, wanted) for number, line in numbered])


def numbered_content(lines: Sequence[str], start: int = 0) -> list[tuple[int, str]]:
    """Lines that are neither empty nor comments (# or //), with their numbers counted from 1."""
    pairs = islice(enumerate(lines, 1), start, None)
    return [(number, line) for number, line in pairs if line.strip() and not line.lstrip().startswith(("#", "//"))]


def number_row(path: Path, number: int, line: str, columns: int | None = None) -> list[float]:
    """The numbers of one line, so many of them where that is given; InputError with what is wrong with it."""
    words = line.split()
    try:
        row = floats(words)
    except ValueError:
        raise InputError(f"{path}, line {number}", *_fault(line, words)) from None
    if columns is not None and len(row) != columns:
        raise InputError(f"{path}, line {number}", f"has {counted(len(row))} instead of {columns}", REMEDY)
    return row


def counted(numbers: int) -> str:
    return f"{numbers} number{'' if numbers == 1 else 's'}"


def _fault(line: str, words: list[str]) -> tuple[str, str]:
    """What is wrong with a line that holds more than numbers, and what to do about it."""
    shown = repr(line.strip()[:60])
    if "," in line and _are_numbers(line.replace(",", ".").split()):
        return f"{shown} has decimal commas", "write decimal points"
    if _are_numbers(line.replace(",", " ").replace(";", " ").split()):
        return (
            f"{shown} separates numbers with {'commas' if ',' in line else 'semicolons'}",
            "separate them with spaces",
        )
    if not any(_are_numbers([word]) for word in words):
        return f"{shown} is a heading, not numbers", "drop the line, or begin it with #"
    return f"{shown} holds more than numbers", REMEDY


def _are_numbers(words: list[str]) -> bool:
    try:
        return bool(floats(words))
    except ValueError:
        return False
