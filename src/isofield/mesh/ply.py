"""What a .ply header promises, compared with what the file holds."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from isofield.errors import InputError
from isofield.mesh.text import integers

SIZE = {
    "char": 1, "int8": 1, "uchar": 1, "uint8": 1, "short": 2, "int16": 2, "ushort": 2, "uint16": 2,
    "int": 4, "int32": 4, "uint": 4, "uint32": 4, "float": 4, "float32": 4, "double": 8, "float64": 8,
}  # fmt: skip
MAX_HEADER = 1 << 16


@dataclass
class PlyHeader:
    """counts: rows per element; row_bytes: bytes of one row, list items not counted; body: byte where data start.

    columns: names and types of the properties of each element, of a list "type of its length/type of its items"; lines:
    how many the header has.
    """

    encoding: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    row_bytes: dict[str, int] = field(default_factory=dict)
    columns: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    body: int = 0
    lines: int = 0


def check_ply(path: Path) -> PlyHeader:
    """Parse the header; InputError if it is damaged or promises more rows than the file can hold."""
    header = parse_header(path)
    if header.encoding.startswith("binary"):
        held, unit = path.stat().st_size - header.body, "bytes"
        needed = sum(count * header.row_bytes[name] for name, count in header.counts.items())
    else:
        rest = path.read_bytes()[header.body :]
        held, unit = sum(1 for line in rest.splitlines() if line.strip()), "lines"
        needed = sum(header.counts.values())
    if held < needed:
        fault = f"truncated: its header promises {_said(header)}, at least {needed} {unit}, and {held} follow"
        raise InputError(path, fault, "fetch or export it again")
    return header


def parse_header(path: Path) -> PlyHeader:
    """The header alone; InputError with the line that cannot be read."""
    with path.open("rb") as file:
        head = file.read(MAX_HEADER)
    last = re.search(rb"end_header[ \t]*(\r?\n|\r)", head)
    if not head.startswith((b"ply", b"\xef\xbb\xbfply")) or not last:
        raise InputError(path, "has no complete PLY header", "export it again")
    end = last.start()
    newline = last.end() if b"\n" in head[:end] else last.start(1) + 1  # old Macs end their lines with \r alone
    header, element = PlyHeader(body=newline, lines=len(head[:newline].splitlines())), ""
    for number, line in enumerate(map(_ascii, head[:end].splitlines()), 1):
        words = line.split()
        try:
            if words[:1] == ["format"]:
                header.encoding = words[1]
            elif words[:1] == ["element"]:
                element = words[1]
                if element in header.counts:
                    raise ValueError
                header.counts[element], header.row_bytes[element] = integers(words[2:3])[0], 0
                header.columns[element] = []
                if header.counts[element] < 0:
                    raise ValueError
            elif words[:1] == ["property"]:
                kind = f"{words[2]}/{words[3]}" if words[1] == "list" else words[1]
                first, _, item = kind.partition("/")
                if not {first, item or first} <= SIZE.keys():
                    raise ValueError
                header.columns[element].append((words[-1].lower(), kind))
                header.row_bytes[element] += SIZE[first]
        except (IndexError, KeyError, ValueError):
            raise InputError(f"{path}, line {number}", f"unreadable header line {line!r}", "export it again") from None
    if header.encoding not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise InputError(path, f"unknown PLY format {header.encoding!r}", "export it as binary_little_endian")
    return header


def _ascii(line: bytes) -> str:
    return line.decode("ascii", "replace")


def _said(header: PlyHeader) -> str:
    return " and ".join(f"{count} rows of {name}" for name, count in header.counts.items()) or "nothing"
