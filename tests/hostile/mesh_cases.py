"""Damaged, lying and merely unusual .ply .stl .obj .off files."""

import struct

import numpy as np
from corpus import Case, Good, case, refused
from hostile_shapes import (
    BOX,
    L_FACES,
    L_POINTS,
    QUADS,
    TRIANGLES,
    obj,
    off,
    ply,
    ply_binary,
    ply_header,
    stl,
    stl_text,
)

GOOD = Good()
L_SHAPE = Good(3.0, 12, 20)
SOLID_TEXT = stl_text()


def with_value(value: str, at: int = 3) -> np.ndarray:
    """The box's vertices as text, one coordinate replaced."""
    points = BOX.astype(object)
    points[at, 0] = value
    return points


def long_list(size: int) -> bytes:
    """A face that says it has so many corners."""
    head = ply_header("binary_little_endian", 8, 1).replace("list uchar", "list uint").encode()
    return head + BOX.astype("<f4").tobytes() + struct.pack("<I3i", size, 0, 1, 2)


def repeated(points: np.ndarray, times: int) -> bytes:
    """A soup of the same 12 triangles, over and over."""
    return ply_binary(points[np.tile(np.array(TRIANGLES).reshape(-1), times)], np.arange(36 * times).reshape(-1, 3))


PLY = (
    case("ply", "empty", b"", refused("empty")),
    case("ply", "only-magic", "ply\n", refused("header")),
    case("ply", "no-end-header", ply().split("end_header")[0], refused("header")),
    case("ply", "cut-in-vertices", ply_binary()[:-200], refused("truncated")),
    case("ply", "cut-in-last-face", ply_binary()[:-3], refused("truncated")),
    case("ply", "cut-text", ply()[: ply().index("3 4 6")], refused("truncated")),
    case("ply", "more-vertices-promised", ply().replace("vertex 8", "vertex 10"), refused()),
    case("ply", "huge-count", ply_binary().replace(b"vertex 8", b"vertex 4000000000"), refused("truncated"), bomb=True),
    case("ply", "huge-count-text", ply().replace("face 12", "face 9999999999999"), refused("truncated"), bomb=True),
    case("ply", "negative-count", ply().replace("vertex 8", "vertex -8"), refused("line 3")),
    case("ply", "count-in-words", ply().replace("vertex 8", "vertex eight"), refused("line 3")),
    case("ply", "unknown-type", ply().replace("property float x", "property quaternion x"), refused("line 4")),
    case("ply", "unknown-format", ply().replace("ascii", "binary_middle_endian"), refused("format")),
    case("ply", "no-z", ply().replace("property float z\n", ""), refused()),
    case("ply", "long-list", long_list(4_000_000_000), refused("truncated"), bomb=True),
    case("ply", "index-negative", ply().replace("3 0 1 3", "3 0 -5 3"), refused("-5")),
    case("ply", "index-too-large", ply().replace("3 0 1 3", "3 0 8 3"), refused("vertex 8 of 8")),
    case("ply", "index-huge", ply().replace("3 0 1 3", "3 0 2147483647 3"), refused("2147483647")),
    case("ply", "index-fraction", ply().replace("3 0 1 3", "3 0 1.5 3"), refused("1.5")),
    case("ply", "nan", ply(with_value("nan")), refused("finite", "vertex 3")),
    case("ply", "infinity-binary", ply_binary(with_value("inf").astype(float)), refused("finite", "vertex 3")),
    case("ply", "decimal-comma", ply(with_value("1,5")), refused("1,5", "line 13")),
    case("ply", "words-for-numbers", ply(with_value("two")), refused("two", "line 13")),
    case("ply", "short-row", ply().replace("0.0 3.0 4.0", "0.0 3.0"), refused("line 13")),
    case("ply", "nul-bytes", ply().replace("0.0 3.0 4.0", "0.0 3.0 \0\0\0"), refused("line 13")),
    case("ply", "duplicates", repeated(BOX, 1_000), Good(None, 8, 12_000, False), bomb=True),
    case("ply", "good-windows-lines", ply().replace("\n", "\r\n"), GOOD),
    case("ply", "good-old-mac-lines", ply().replace("\n", "\r"), GOOD),
    case("ply", "good-comments", ply().replace("element vertex", "comment made by hand\nobj_info x\nelement vertex"), GOOD),
    case("ply", "good-big-endian", ply_binary(order=">"), GOOD),
    case("ply", "good-doubles", ply_binary(number="double"), GOOD),
    case("ply", "good-quads", ply_binary(BOX, QUADS), GOOD),
    case("ply", "good-concave", ply_binary(L_POINTS, L_FACES), L_SHAPE),
    case("ply", "good-vertex-index", ply().replace("vertex_indices", "vertex_index"), GOOD),
    case("ply", "good-windows-header-before-bytes", ply_binary().replace(ply_header("binary_little_endian", 8, 12).encode(), ply_header("binary_little_endian", 8, 12).replace("\n", "\r\n").encode()), GOOD),
    case("ply", "good-trailing-blank-lines", ply() + "\n\n  \n", GOOD),
    case("ply", "good-tabs", ply().replace("0.0 3.0 4.0", "0.0\t3.0  4.0 "), GOOD),
)  # fmt: skip

STL = (
    case("stl", "empty", b"", refused("empty")),
    case("stl", "shorter-than-header", b"\x01" * 60, refused("stl")),
    case("stl", "cut", stl()[:-70], refused("truncated", "12")),
    case("stl", "huge-count", stl(count=4_294_967_295), refused("truncated", "4294967295"), bomb=True),
    case("stl", "no-triangles", stl(faces=np.zeros((0, 3), int)), refused("no triangles")),
    case("stl", "too-few-promised", stl(count=3), refused("3")),
    case("stl", "nan", stl(with_value("nan").astype(float)), refused("finite")),
    case("stl", "text-cut", SOLID_TEXT[: len(SOLID_TEXT) // 2], refused("line")),
    case("stl", "text-comma", SOLID_TEXT.replace("2.0 3.0 4.0", "2,0 3,0 4,0"), refused("line", "2,0")),
    case("stl", "text-words", SOLID_TEXT.replace("2.0 3.0 4.0", "two three four"), refused("line", "two")),
    case("stl", "text-two-corners", SOLID_TEXT.replace("  vertex 0.0 3.0 4.0\n", "", 1), refused("line")),
    case("stl", "zero-area", stl(np.zeros((8, 3))), refused("one point")),
    case("stl", "good-begins-with-solid", stl(head=b"solid box made by a program"), GOOD),
    case("stl", "good-text", SOLID_TEXT, GOOD),
    case("stl", "good-text-capitals", SOLID_TEXT.upper().replace("\n", "\r\n"), GOOD),
    case("stl", "good-text-without-name", stl_text(name="").replace("endsolid ", "endsolid"), GOOD),
    case("stl", "good-name-in-other-script", stl_text(name="kästchen 箱").encode(), GOOD),
    case("stl", "good-blank-after", stl() + b"\0" * 7, GOOD),
)  # fmt: skip

OBJ = (
    case("obj", "empty", b"", refused("empty")),
    case("obj", "blank", "\n \n\n", refused("no triangles")),
    case("obj", "only-comments", "# nothing\n# here\n", refused("no triangles")),
    case("obj", "faces-before-end", obj(BOX[:4]), refused("vertex 8 of 4")),
    case("obj", "index-zero", obj().replace("f 1 2 4", "f 0 2 4"), refused("line 9", "index 0")),
    case("obj", "index-negative-too-far", obj().replace("f 1 2 4", "f -9 2 4"), refused("line 9", "-9")),
    case("obj", "index-out-of-range", obj().replace("f 1 2 4", "f 9 2 4"), refused("vertex 9 of 8")),
    case("obj", "index-huge", obj().replace("f 1 2 4", "f 99999999999999999999 2 4"), refused("99999999999999999999")),
    case("obj", "index-with-underscore", obj().replace("f 1 2 4", "f 1_0 2 4"), refused("line 9")),
    case("obj", "index-fraction", obj().replace("f 1 2 4", "f 1.0 2 4"), refused("line 9")),
    case("obj", "nan", obj(with_value("nan")), refused("finite")),
    case("obj", "infinity", obj(with_value("-inf")), refused("finite")),
    case("obj", "overflow", obj(with_value("1e400")), refused("finite")),
    case("obj", "decimal-comma", obj(with_value("1,5")), refused("line 4", "1,5", "decimal comma")),
    case("obj", "words-for-numbers", obj(with_value("two")), refused("line 4", "two")),
    case("obj", "underscore-in-number", obj(with_value("1_5")), refused("line 4", "1_5")),
    case("obj", "two-coordinates", obj().replace("v 0.0 3.0 4.0", "v 0.0 3.0"), refused("line 4", "three coordinates")),
    case("obj", "nul-bytes-late", obj() + "#" * 5000 + "\0\n", refused()),
    case("obj", "flat-line-only", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", refused("area"), arguments=("fit", "{}/flat-line-only.obj", "-o", "{}/run", "--json")),
    case("obj", "flat-line-measured", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", refused("area"), arguments=("evaluate", "{}/flat-line-measured.obj", "{}/flat-line-measured.obj", "--json")),
    case("obj", "one-point-only", "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", refused("one point")),
    case("obj", "face-of-two", obj() + "f 1 2\n", Good(says=("1 face", "fewer than three"))),
    case("obj", "texture-index-out-of-range", obj().replace("f 1 2 4", "f 1/7 2/7 4/7"), refused("texture point 7")),
    case("obj", "huge-polygon", "".join(f"v {np.cos(t):.17g} {np.sin(t):.17g} 0\n" for t in np.arange(2000) * np.pi / 1000) + "f " + " ".join(map(str, range(1, 2001))) + "\n", Good(None, 2000, 1998, False)),
    case("obj", "coordinates-1e38", obj(BOX * 1e38), refused("too large")),
    case("obj", "good-coordinates-1e30", obj(BOX * 1e30), Good(24e90)),
    case("obj", "coordinates-1e200", obj(BOX * 1e200), refused("too large")),
    case("obj", "coordinates-1e-200", obj(BOX * 1e-200), refused("too small")),
    case("obj", "nan-colours", obj(np.c_[BOX, with_value("nan").astype(float)]), GOOD),
    case("obj", "good-tiny", obj(BOX * 1e-9), Good(24e-27)),
    case("obj", "good-far-away", obj(BOX + 1e9), GOOD),
    case("obj", "good-quads", obj(BOX, QUADS), GOOD),
    case("obj", "good-concave", obj(L_POINTS, L_FACES), L_SHAPE),
    case("obj", "good-byte-order-mark", "﻿" + obj(), GOOD),
    case("obj", "good-utf16", obj().encode("utf-16"), GOOD),
    case("obj", "good-latin1-comment", "# Würfel\n".encode("latin-1") + obj().encode(), GOOD),
    case("obj", "good-mixed-lines", obj().replace("\n", "\r\n", 5), GOOD),
    case("obj", "good-old-mac-lines", obj().replace("\n", "\r"), GOOD),
    case("obj", "good-negative-indices", obj(BOX, [[i - 9 for i in face] for face in TRIANGLES]), GOOD),
    case("obj", "good-continued-lines", obj().replace("f 1 2 4", "f 1 \\\n2 4"), GOOD),
    case("obj", "good-duplicates", obj(BOX[np.array(TRIANGLES).reshape(-1)], np.arange(36).reshape(-1, 3)), GOOD),
    case("obj", "good-zero-area-faces-too", obj(BOX, (*TRIANGLES, (0, 0, 1))), Good(watertight=None, faces=13)),
    case("obj", "good-unknown-words", obj(head="o box\ng a b\ns off\ncurv 1 2\nlod 3\n"), GOOD),
    case("obj", "good-unused-nan", obj(np.r_[BOX, [[np.nan] * 3]]), GOOD),
)  # fmt: skip

OFF = (
    case("off", "empty", b"", refused("empty")),
    case("off", "cut", off()[:-40], refused("truncated")),
    case("off", "huge-count", off().replace("8 12 0", "8000000000 12 0"), refused("truncated"), bomb=True),
    case("off", "negative-count", off().replace("8 12 0", "-8 12 0"), refused("-8")),
    case("off", "no-counts", "OFF\n", refused("counts")),
    case("off", "words-for-counts", off().replace("8 12 0", "eight twelve 0"), refused("line 2")),
    case("off", "index-too-large", off().replace("3 0 1 3", "3 0 1 80"), refused("vertex 80 of 8")),
    case("off", "index-negative", off().replace("3 0 1 3", "3 0 -1 3"), refused("-1")),
    case("off", "comma", off(with_value("1,5")), refused("line 6", "1,5")),
    case("off", "short-vertex", off().replace("0.0 3.0 4.0", "0.0 3.0"), refused("line 6")),
    case("off", "negative-corners", off().replace("3 0 1 3", "-3 0 1 3"), refused("line 11")),
    case("off", "nan", off(with_value("nan")), refused("finite")),
    case("off", "good-counts-beside-keyword", off().replace("OFF\n", "OFF "), GOOD),
    case("off", "good-comments", off().replace("OFF\n", "OFF # box\n# by hand\n\n"), GOOD),
    case("off", "good-concave", off(L_POINTS, L_FACES), L_SHAPE),
    case("off", "good-byte-order-mark", "﻿" + off(), GOOD),
)  # fmt: skip

FOREIGN = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(range(40)),
    "zip": b"PK\3\4\x14\0\0\0\x08\0" + bytes(40),
    "elf": b"\x7fELF\2\1\1\0" + bytes(56),
    "html": b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n",
    "pickle": b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.",
    "lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
}
MISLABELLED: tuple[Case, ...] = tuple(
    case("mislabelled", f"{kind}-as-{suffix}", content, refused("." + suffix), file=f"{kind}.{suffix}")
    for kind, content in FOREIGN.items()
    for suffix in ("obj", "stl", "ply", "glb")
)
MESHES = (*PLY, *STL, *OBJ, *OFF, *MISLABELLED)
