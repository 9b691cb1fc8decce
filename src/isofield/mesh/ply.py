"""What a .ply header promises, compared with what the file holds."""

from dataclasses import dataclass, field
from pathlib import Path

from isofield.errors import InputError

SIZE = {
    "char": 1, "int8": 1, "uchar": 1, "uint8": 1, "short": 2, "int16": 2, "ushort": 2, "uint16": 2,
    "int": 4, "int32": 4, "uint": 4, "uint32": 4, "float": 4, "float32": 4, "double": 8, "float64": 8,
}  # fmt: skip
MAX_HEADER = 1 << 16


@dataclass
class PlyHeader:
    """counts: rows per element; row_bytes: bytes of one row, list items not counted; body: byte where data start.

    columns: names and types of the properties of each element, "list" for a list; lines: how many the header has.
    """

    encoding: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    row_bytes: dict[str, int] = field(default_factory=dict)
    columns: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    body: int = 0
    lines: int = 0

    def compare(self, path: Path, vertices: int, triangles: int) -> None:
        """Refuse a mesh whose numbers of vertices or faces are not the promised ones."""
        promised = self.counts.get("vertex", 0), self.counts.get("face", 0)
        if vertices != promised[0] or ("tristrips" not in self.counts and triangles < promised[1]):
            found = f"{vertices} vertices and {triangles} triangles could be read"
            raise InputError(
                path, f"its header promises {promised[0]} vertices and {promised[1]} faces, {found}", "fetch it again"
            )


def check_ply(path: Path) -> PlyHeader:
    """Parse the header; InputError if it is damaged or promises more rows than the file can hold."""
    header = parse_header(path)
    if header.encoding.startswith("binary"):
        held, unit = path.stat().st_size - header.body, "bytes"
        needed = sum(count * header.row_bytes[name] for name, count in header.counts.items())
    else:
        with path.open("rb") as file:
            file.seek(header.body)
            held, unit = sum(1 for line in file if line.strip()), "lines"
        needed = sum(header.counts.values())
    if held < needed:
        fault = f"truncated: its header promises {_said(header)}, at least {needed} {unit}, and {held} follow"
        raise InputError(path, fault, "fetch or export it again")
    return header


def parse_header(path: Path) -> PlyHeader:
    """The header alone; InputError with the line that cannot be read."""
    with path.open("rb") as file:
        head = file.read(MAX_HEADER)
    end = head.find(b"end_header")
    newline = head.find(b"\n", end)
    if not head.startswith(b"ply") or end < 0 or newline < 0:
        raise InputError(path, "has no complete PLY header", "export it again")
    header, element = PlyHeader(body=newline + 1, lines=head[:newline].count(b"\n") + 1), ""
    for number, line in enumerate(head[:end].decode("ascii", "replace").splitlines(), 1):
        words = line.split()
        try:
            if words[:1] == ["format"]:
                header.encoding = words[1]
            elif words[:1] == ["element"]:
                element = words[1]
                header.counts[element], header.row_bytes[element] = int(words[2]), 0
                header.columns[element] = []
                if header.counts[element] < 0:
                    raise ValueError
            elif words[:1] == ["property"]:
                header.columns[element].append((words[-1], words[1]))
                header.row_bytes[element] += SIZE[words[2]] if words[1] == "list" else SIZE[words[1]]
        except (IndexError, KeyError, ValueError):
            raise InputError(f"{path}, line {number}", f"unreadable header line {line!r}", "export it again") from None
    if header.encoding not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise InputError(path, f"unknown PLY format {header.encoding!r}", "export it as binary_little_endian")
    return header


def _said(header: PlyHeader) -> str:
    return " and ".join(f"{count} rows of {name}" for name, count in header.counts.items()) or "nothing"
