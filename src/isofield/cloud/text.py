"""Numbers in lines of text, read strictly: what cannot be read is named with its line."""

import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from isofield.errors import InputError

REMEDY = "mend or drop the line"


def text_lines(path: Path) -> list[str]:
    """The lines of a text file; InputError for binary data."""
    data = path.read_bytes()
    if b"\0" in data:
        raise InputError(f"{path}, byte {data.index(0)}", "is binary data, not text", "check the file's extension")
    return data.decode("utf-8-sig", "replace").splitlines()


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
    return np.array([_row(path, number, line, wanted) for number, line in numbered])


def numbered_content(lines: Sequence[str], start: int = 0) -> list[tuple[int, str]]:
    """Lines that are neither empty nor comments (# or //), with their numbers counted from 1."""
    pairs = islice(enumerate(lines, 1), start, None)
    return [(number, line) for number, line in pairs if line.strip() and not line.lstrip().startswith(("#", "//"))]


def _row(path: Path, number: int, line: str, columns: int) -> list[float]:
    words = line.split()
    try:
        row = [float(word) for word in words]
    except ValueError:
        raise InputError(f"{path}, line {number}", *_fault(line, words)) from None
    if len(row) != columns:
        raise InputError(f"{path}, line {number}", f"has {len(row)} numbers instead of {columns}", REMEDY)
    return row


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
        return bool([float(word) for word in words])
    except ValueError:
        return False
