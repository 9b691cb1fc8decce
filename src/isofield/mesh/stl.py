"""Stereolithography files (.stl), binary and text, read strictly: a file that is cut or lies is refused."""

from pathlib import Path

import numpy as np

from isofield.errors import InputError
from isofield.mesh.parts import Part
from isofield.mesh.text import bad_line, decoded, floats

HEAD, ROW = 84, 50  # bytes of a binary file before its triangles, and of one of them
FETCH = "fetch or export it again"
OTHER_WORDS = {"solid", "facet", "outer", "endloop", "endfacet", "endsolid", "color"}


def read_stl(path: Path) -> list[Part]:
    """One part, three vertices of its own per triangle; several solids of a text file are one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
    promised = int.from_bytes(head[80:84], "little") if len(head) == HEAD else 0
    if len(head) == HEAD and size == HEAD + ROW * promised:
        corners = _binary(path, promised)
    elif head.lstrip().lower().startswith(b"solid") and b"\0" not in head:
        corners = _text(path)
    elif len(head) < HEAD:
        raise InputError(path, f"is no STL file: {size} bytes are less than its head of {HEAD}", FETCH)
    elif size < HEAD + ROW * promised:
        held = (size - HEAD) // ROW
        raise InputError(path, f"truncated: its header promises {promised} triangles, and {held} follow", FETCH)
    else:
        corners = _binary(path, promised)
        _check_rest(path, HEAD + ROW * promised, promised)
    return [Part(corners, np.arange(len(corners)).reshape(-1, 3))]


def _binary(path: Path, count: int) -> np.ndarray:
    rows = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
    table = np.fromfile(path, rows, count, offset=HEAD)
    return table["corners"].reshape(-1, 3).astype(np.float64)


def _check_rest(path: Path, end: int, promised: int) -> None:
    """Blanks after the last triangle do no harm."""
    with path.open("rb") as file:
        file.seek(end)
        rest = file.read()
    if rest.strip(b"\0 \t\r\n"):
        fault = f"its header promises {promised} triangles, and {len(rest)} bytes follow them"
        raise InputError(f"{path}, byte {end}", fault, FETCH)


def _text(path: Path) -> np.ndarray:
    corners: list[list[float]] = []
    open_facet, number, last = -1, 0, ""
    for number, line in enumerate(decoded(path).splitlines(), 1):
        words = line.lower().split()
        last = words[0] if words else last
        try:
            if not words or words[0] in OTHER_WORDS - {"facet", "endfacet"}:
                continue
            if words[0] == "vertex":
                corners.append(floats(words[1:]))
                if len(words) != 4:
                    raise ValueError("a vertex has three coordinates")
            elif words[0] == "facet":
                open_facet = len(corners)
            elif words[0] == "endfacet":
                if len(corners) - open_facet != 3:
                    raise ValueError(f"the facet that ends here has {len(corners) - open_facet} corners")
                open_facet = -1
            else:
                raise ValueError("is no line of an STL file")
        except ValueError as error:
            raise bad_line(path, number, line, error) from None
    if last != "endsolid":
        raise InputError(f"{path}, line {number}", "truncated: the text ends before its endsolid", FETCH)
    return np.array(corners, np.float64).reshape(-1, 3)
