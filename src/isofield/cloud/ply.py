"""Points of a .ply file without faces: ascii and both binary encodings, every property by its name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from isofield.cloud.cloud import Cloud
from isofield.cloud.columns import cloud_of_columns
from isofield.cloud.text import number_table, text_lines
from isofield.errors import InputError
from isofield.mesh.ply import PlyHeader, check_ply

KIND = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip


def read_ply_cloud(path: Path) -> Cloud:
    """The element `vertex`; InputError if the file holds fewer or more rows than its header promises."""
    header = check_ply(path)
    columns = header.columns.get("vertex", [])
    names = [name.lower() for name, _ in columns]
    _check_lists(path, header)
    if len(set(names)) < len(names):
        raise InputError(path, f"its points have two properties of one name ({' '.join(names)})", "export it again")
    if not columns:
        raise InputError(path, "holds no points", "export it again")
    layout = [(name, KIND[kind]) for name, (_, kind) in zip(names, columns, strict=True)]
    table = np.empty(header.counts.get("vertex", 0), layout)
    if header.encoding == "ascii":
        _fill(path, table, _ascii_rows(path, header))
    else:
        table[:] = _binary_rows(path, header)
    return cloud_of_columns(path, {name: table[name] for name in names})


def _check_lists(path: Path, header: PlyHeader) -> None:
    """Lists are fine in elements of no rows, such as the faces of an exporter that always declares them."""
    for element, columns in header.columns.items():
        if header.counts[element] and any("/" in kind for _, kind in columns):
            fault = f"its element {element!r} has lists, which a cloud cannot have"
            raise InputError(path, fault, "export the points alone")


def _binary_rows(path: Path, header: PlyHeader) -> np.ndarray:
    order = "<" if header.encoding == "binary_little_endian" else ">"
    layout = np.dtype([(f"{k}", order + KIND[kind]) for k, (_, kind) in enumerate(header.columns.get("vertex", []))])
    data = memoryview(path.read_bytes())[header.body :]
    before, after = _rows_around(header, lambda element: header.row_bytes[element])
    size = header.counts.get("vertex", 0) * layout.itemsize
    _check_rest(path, len(data) - before - size - after, "bytes", header, slack=2)
    return np.frombuffer(data[before : before + size], layout)


def _ascii_rows(path: Path, header: PlyHeader) -> list[tuple[int, str]]:
    lines = text_lines(path)
    filled = [(number, line) for number, line in enumerate(lines, 1) if number > header.lines and line.strip()]
    before, after = _rows_around(header, lambda element: 1)
    count = header.counts.get("vertex", 0)
    _check_rest(path, len(filled) - before - count - after, "lines", header)
    return filled[before : before + count]


def _rows_around(header: PlyHeader, size: Callable[[str], int]) -> tuple[int, int]:
    """Bytes or lines of the elements before and after the points."""
    elements = list(header.counts)
    place = elements.index("vertex") if "vertex" in elements else len(elements)
    sizes = [header.counts[element] * size(element) for element in elements]
    return sum(sizes[:place]), sum(sizes[place + 1 :])


def _check_rest(path: Path, rest: int, unit: str, header: PlyHeader, slack: int = 0) -> None:
    if rest > slack:
        promised = header.counts.get("vertex", 0)
        raise InputError(
            path, f"its header promises {promised} points, and {rest} {unit} follow them", "export it again"
        )


def _fill(path: Path, table: np.ndarray, rows: list[tuple[int, str]]) -> None:
    """Numbers of text into columns of the header's types; integers that do not fit are refused."""
    numbers = number_table(path, rows, len(table.dtype.names or ()))
    for column, name in enumerate(table.dtype.names or ()):
        values, kind = numbers[:, column], table.dtype[name]
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            wrong = ~((values >= limits.min) & (values <= limits.max) & (values == np.floor(values)))
            if wrong.any():
                line = rows[int(np.argmax(wrong))][0]
                raise InputError(f"{path}, line {line}", f"its {name} is no {kind.name}", "mend or drop the line")
        table[name] = values
