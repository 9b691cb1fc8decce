"""The rows of a .ply file: every element, every property, lists too; text and both binary encodings."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from isofield.errors import InputError
from isofield.mesh.ply import PlyHeader
from isofield.mesh.text import bad_line, floats

CODE = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
STRUCT = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "f4": "f", "f8": "d"}
FETCH = "fetch or export it again"


@dataclass
class Rows:
    """One element: columns (n,) by lower-case name; lists: the length in each row (n,), and all items in a row."""

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lists: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def read_rows(path: Path, header: PlyHeader) -> dict[str, Rows]:
    """All elements by name; InputError, with line or byte, where a row cannot be read or the file ends too early."""
    if header.encoding == "ascii":
        return _text(path, header)
    data, at, found = path.read_bytes(), header.body, {}
    order = "<" if header.encoding == "binary_little_endian" else ">"
    for name, count in header.counts.items():
        found[name], at = _binary(path, data, at, header.columns[name], count, order)
    return found


Columns = list[tuple[str, str]]  # name and type; of a list "count type/item type"


def _binary(path: Path, data: bytes, at: int, columns: Columns, count: int, order: str) -> tuple[Rows, int]:
    """The rows of one element and the byte behind them: at once if all lists are as long as in the first row."""
    if not columns:
        return Rows(), at
    lengths = _first_lengths(path, data, at, columns, order) if count else [0] * len(columns)
    layout: list = []
    for k, ((_, kind), length) in enumerate(zip(columns, lengths, strict=True)):
        first, _, item = kind.partition("/")
        layout.append((f"n{k}", order + CODE[first]))
        if item:
            layout.append((f"v{k}", order + CODE[item], (length,)))
    dtype = np.dtype(layout)
    if at + dtype.itemsize * count <= len(data):
        table = np.frombuffer(data, dtype, count, at)
        if all((table[f"n{k}"] == lengths[k]).all() for k, (_, kind) in enumerate(columns) if "/" in kind):
            return _of_table(table, columns), at + dtype.itemsize * count
    return _one_by_one(path, data, at, columns, count, order)


def _first_lengths(path: Path, data: bytes, at: int, columns: Columns, order: str) -> list[int]:
    rows, _ = _one_by_one(path, data, at, columns, 1, order)
    return [int(rows.lists[name][0][0]) if name in rows.lists else 0 for name, _ in columns]


def _of_table(table: np.ndarray, columns: Columns) -> Rows:
    rows = Rows()
    for k, (name, kind) in enumerate(columns):
        if "/" in kind:
            rows.lists[name] = table[f"n{k}"].astype(np.int64), table[f"v{k}"].reshape(-1)
        else:
            rows.columns[name] = table[f"n{k}"]
    return rows


def _one_by_one(path: Path, data: bytes, at: int, columns: Columns, count: int, order: str) -> tuple[Rows, int]:
    kinds = [tuple(struct.Struct(order + STRUCT[CODE[part]]) for part in kind.split("/")) for _, kind in columns]
    items: list[list] = [[] for _ in columns]
    lengths: list[list[int]] = [[] for _ in columns]
    row = 0
    try:
        while row < count:
            for column, kind in enumerate(kinds):
                value = kind[0].unpack_from(data, at)[0]
                at += kind[0].size
                if len(kind) == 1:
                    items[column].append(value)
                    continue
                if value < 0 or at + value * kind[1].size > len(data):
                    raise struct.error
                lengths[column].append(value)
                items[column] += struct.unpack_from(f"{order}{value}{kind[1].format[1:]}", data, at)
                at += value * kind[1].size
            row += 1
    except struct.error:
        fault = f"truncated, or its lists are damaged: row {row} of {count} ends after the file's {len(data)} bytes"
        raise InputError(f"{path}, byte {at}", fault, FETCH) from None
    return _gathered(columns, items, lengths), at


def _gathered(columns: Columns, items: list[list], lengths: list[list[int]]) -> Rows:
    rows = Rows()
    for (name, kind), values, sizes in zip(columns, items, lengths, strict=True):
        array = np.array(values, CODE[kind.split("/")[-1]])
        if "/" in kind:
            rows.lists[name] = np.array(sizes, np.int64), array
        else:
            rows.columns[name] = array
    return rows


def _text(path: Path, header: PlyHeader) -> dict[str, Rows]:
    numbered = enumerate(path.read_bytes()[header.body :].splitlines(), header.lines + 1)
    lines = [(number, line.decode("ascii", "replace")) for number, line in numbered if line.strip()]
    found, begin = {}, 0
    for name, count in header.counts.items():
        if len(lines) < begin + count:
            fault = f"truncated: {count} rows of {name} are promised, and {len(lines) - begin} lines are left"
            raise InputError(path, fault, FETCH)
        found[name] = _text_rows(path, lines[begin : begin + count], header.columns[name])
        begin += count
    if begin < len(lines):
        fault = f"{len(lines) - begin} lines follow what its header promises"
        raise InputError(f"{path}, line {lines[begin][0]}", fault, FETCH)
    return found


def _text_rows(path: Path, lines: list[tuple[int, str]], columns: Columns) -> Rows:
    items: list[list] = [[] for _ in columns]
    lengths: list[list[int]] = [[] for _ in columns]
    whole = [CODE[kind.split("/")[-1]][0] != "f" for _, kind in columns]
    for number, line in lines:
        try:
            values, at = floats(line.split()), 0
            for column, (_, kind) in enumerate(columns):
                length = 1
                if "/" in kind:
                    length, at = int(values[at]), at + 1
                    lengths[column].append(length)
                taken = values[at : at + length]
                if len(taken) < length or length < 0:
                    raise IndexError
                if whole[column] and not all(value.is_integer() and abs(value) < 1 << 53 for value in taken):
                    raise ValueError(f"{taken} are no whole numbers")
                items[column] += taken
                at += length
            if at < len(values):
                raise ValueError(f"has {len(values)} numbers instead of {at}")
        except IndexError:
            raise bad_line(path, number, line, "has too few numbers") from None
        except (ValueError, OverflowError) as error:
            raise bad_line(path, number, line, error) from None
    return _gathered([(name, _wide(kind)) for name, kind in columns], items, lengths)


def _wide(kind: str) -> str:
    """The type that numbers written out are kept in."""
    return "/".join("double" for _ in kind.split("/"))
