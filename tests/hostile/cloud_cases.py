"""Damaged, lying and merely unusual files of points."""

import struct
import zipfile

import numpy as np
from cloud_shapes import (
    BALL,
    CENTER,
    COLORS,
    COUNT,
    NORMALS,
    las,
    lines,
    npy,
    npy_head,
    npz,
    pcd,
    pcd_binary,
    pcd_compressed,
    pcd_head,
    ply_binary_points,
    ply_head,
    ply_points,
    replaced,
)
from corpus import Case, Points, case, refused
from mesh_cases import FOREIGN

BALL_FOUND, ALL_FOUND = Points(), Points(normals=True, colors=True)
WITH_NORMALS, WITH_COLORS, WITH_SENSORS = Points(normals=True), Points(colors=True), Points(sensors=True)
TEXT = lines(BALL)
FEW = {"outliers": None, "extent": None}  # what statistics say of so few points is not compared


def scaled(factor: float, shift: float = 0.0) -> np.ndarray:
    return (BALL - CENTER) * factor + shift


XYZ = (
    case("xyz", "empty", b"", refused("empty")),
    case("xyz", "blank", "\n  \n\n", refused("no points")),
    case("xyz", "only-comments", "# nothing\n// here\n", refused("no points")),
    case("xyz", "one-point", "1 2 3\n", refused("one place")),
    case("xyz", "two-points", "0 0 0\n1 2 3\n", Points(2, **FEW, says=("fewer than 64", "one line"))),
    case("xyz", "all-equal", "1 2 3\n" * 300, refused("300 points", "one place")),
    case("xyz", "on-a-line", lines(np.arange(300)[:, None] * [1.0, 2.0, 3.0]), Points(300, **FEW, says=("refused", "one line"))),
    case("xyz", "in-a-plane", lines(BALL * [1, 1, 0]), Points(300, **FEW, says=("one plane",))),
    case("xyz", "in-a-tilted-plane", lines(BALL @ np.array([[1, 0, 0.5], [0, 1, 0.25], [0, 0, 0]])), Points(300, **FEW, says=("one plane",))),
    case("xyz", "nan", lines(replaced(7, 1, "nan")), Points(299, 1, says=("1 row", "not finite"))),
    case("xyz", "infinity", lines(replaced(7, 1, "-inf")), Points(299, 1, says=("1 row", "not finite"))),
    case("xyz", "overflow", lines(replaced(7, 1, "1e999")), Points(299, 1, says=("1 row", "not finite"))),
    case("xyz", "all-nan", "nan nan nan\n" * 20, refused("none of its 20 points", "finite")),
    case("xyz", "windows-nan", lines(replaced(7, 1, "-1.#IND")), refused("line 8", "-1.#IND")),
    case("xyz", "decimal-commas", TEXT.replace(".", ","), refused("line 1", "decimal comma")),
    case("xyz", "decimal-comma-once", lines(replaced(7, 1, "1,5")), refused("line 8", "decimal comma")),
    case("xyz", "separated-by-commas", lines(BALL, separator=","), refused("line 1", "commas")),
    case("xyz", "separated-by-semicolons", lines(BALL, separator=";"), refused("line 1", "semicolons")),
    case("xyz", "german-csv", lines(BALL, separator=";").replace(".", ","), refused("line 1", "comma")),
    case("xyz", "thousands-separators", lines(replaced(7, 1, "1,234.5")), refused("line 8")),
    case("xyz", "words", lines(replaced(7, 1, "two")), refused("line 8", "two")),
    case("xyz", "heading", "x y z\n" + TEXT, refused("line 1", "heading")),
    case("xyz", "count-first", f"{COUNT}\n" + TEXT, refused("line 1", "1 number")),
    case("xyz", "chemistry", "3\nwater\nO 0 0 0\nH 0.7 0.5 0\nH -0.7 0.5 0\n", refused("line")),
    case("xyz", "underscore", lines(replaced(7, 1, "1_5")), refused("line 8", "1_5")),
    case("xyz", "hexadecimal", lines(replaced(7, 1, "0x10")), refused("line 8", "0x10")),
    case("xyz", "fortran-exponent", lines(replaced(7, 1, "1.5D+00")), refused("line 8", "1.5D+00")),
    case("xyz", "other-digits", lines(replaced(7, 1, "\u0661")), refused("line 8")),
    case("xyz", "minus-sign-of-a-typesetter", lines(replaced(7, 1, "\u22121.5")), refused("line 8")),
    case("xyz", "two-columns", lines(BALL[:, :2]), refused("line 1", "2 numbers")),
    case("xyz", "one-column", lines(BALL[:, :1]), refused("line 1", "1 number")),
    case("xyz", "five-columns", lines(BALL, COLORS[:, :2]), refused("line 1", "5 numbers")),
    case("xyz", "seven-columns", lines(BALL, NORMALS, COLORS[:, :1]), refused("line 1", "7 numbers")),
    case("xyz", "thousand-columns", lines(np.ones((3, 1000))), refused("line 1", "1000 numbers")),
    case("xyz", "row-too-short", TEXT + "1 2\n", refused("line 301", "2 numbers")),
    case("xyz", "row-too-long", TEXT + "1 2 3 4\n", refused("line 301", "4 numbers")),
    case("xyz", "cut-in-a-number", TEXT[:-12], refused("line 300")),
    case("xyz", "binary", BALL.astype("<f4").tobytes(), refused("binary")),
    case("xyz", "nul-late", TEXT + "#" * 9000 + "\0\n", refused("binary")),
    case("xyz", "one-endless-line", "1 " * 500_000, refused("line 1"), bomb=True),
    case("xyz", "one-endless-number", "1" * 1_000_000 + " 2 3\n", refused("finite"), bomb=True),
    case("xyz", "duplicates", "0 0 0\n0 0 1\n0 1 0\n1 0 0\n" * 60_000, Points(240_000, duplicates=239_996, **FEW), bomb=True),
    case("xyz", "control-characters", "\x1b]0;hello\x07 2 3\n", refused("line 1")),
    case("xyz", "coordinates-1e200", lines(scaled(1e200)), refused("extent")),
    case("xyz", "coordinates-1e308", lines(scaled(8e307)), refused("extent")),
    case("xyz", "coordinates-1e-200", lines(scaled(1e-200)), refused("extent")),
    case("xyz", "far-away-beyond-precision", lines(scaled(1e-9, 1e9)), refused()),
    case("xyz", "colours-beyond-255", lines(BALL, COLORS * 9), refused("colours")),
    case("xyz", "colours-negative", lines(BALL, COLORS - 7), refused("colours")),
    case("xyz", "normals-zero", lines(BALL, NORMALS * 0, COLORS), Points(colors=True, says=("no direction",))),
    case("xyz", "normals-zero-in-part", lines(BALL, NORMALS * (np.arange(COUNT) > 30)[:, None], COLORS), Points(normals=True, colors=True, says=("31 of its 300 normals",))),
    case("xyz", "normals-nan-in-part", lines(BALL, replaced(7, 1, "nan", NORMALS), COLORS), Points(normals=True, colors=True, says=("1 of its 300 normals",))),
    case("xyz", "normals-of-any-length", lines(BALL, NORMALS * 17, COLORS), ALL_FOUND),
    case("xyz", "colours-nan", lines(BALL, NORMALS, replaced(7, 1, "nan", COLORS)), ALL_FOUND),
    case("xyz", "outliers", lines(np.r_[BALL, [[900, 0, 0], [0, -700, 80]]]), Points(302, outliers=2, extent=4.0, says=("outlier",))),
    case("xyz", "good", TEXT, BALL_FOUND),
    case("xyz", "good-normals", lines(BALL, NORMALS), WITH_NORMALS),
    case("xyz", "good-colours", lines(BALL, COLORS), WITH_COLORS),
    case("xyz", "good-all", lines(BALL, NORMALS, COLORS), ALL_FOUND),
    case("xyz", "good-intensity", lines(BALL, COLORS[:, :1]), BALL_FOUND),
    case("xyz", "good-tabs-and-blanks", lines(BALL, separator=" \t ") + "\n\n", BALL_FOUND),
    case("xyz", "good-comments", "# x y z\n//by hand\n" + TEXT, BALL_FOUND),
    case("xyz", "good-byte-order-mark", "\ufeff" + TEXT, BALL_FOUND),
    case("xyz", "good-utf16", TEXT.encode("utf-16"), BALL_FOUND),
    case("xyz", "good-latin1-comment", "# Würfel\n".encode("latin-1") + TEXT.encode(), BALL_FOUND),
    case("xyz", "good-windows-lines", TEXT.replace("\n", "\r\n"), BALL_FOUND),
    case("xyz", "good-old-mac-lines", TEXT.replace("\n", "\r"), BALL_FOUND),
    case("xyz", "good-no-last-line-end", TEXT[:-1], BALL_FOUND),
    case("xyz", "good-exponents", lines(np.vectorize("{:.9E}".format)(BALL)), BALL_FOUND),
    case("xyz", "good-tiny", lines(scaled(1e-9)), Points(extent=4e-9)),
    case("xyz", "good-huge", lines(scaled(1e30)), Points(extent=4e30)),
    case("xyz", "good-far-away", lines(scaled(1, 1e7)), BALL_FOUND),
    case("xyz", "good-repeated", TEXT * 3, Points(900, duplicates=600, says=("600 repeated",))),
    case("xyz", "good-negative-zeros", lines(BALL - CENTER).replace("0.0 ", "-0.0 "), BALL_FOUND),
    case("txt", "good", TEXT, BALL_FOUND),
    case("txt", "licence", "You may copy this file.\nNo warranty.\n", refused("line 1")),
)  # fmt: skip

ASCII, BINARY = ply_points(), ply_binary_points()
FACELESS = "element face 0\nproperty list uchar int vertex_indices\n"
FULL = ply_head(columns="float x float y float z float nx float ny float nz uchar red uchar green uchar blue")
PLY = (
    case("points-ply", "no-points", ply_head(count=0), refused("no"), file="a.ply"),
    case("points-ply", "no-elements", "ply\nformat ascii 1.0\nend_header\n", refused(), file="a.ply"),
    case("points-ply", "cut-binary", BINARY[:-100], refused("truncated", "300"), file="a.ply"),
    case("points-ply", "cut-one-byte", BINARY[:-1], refused("truncated", "300"), file="a.ply"),
    case("points-ply", "cut-text", ASCII[: len(ASCII) // 2], refused("truncated"), file="a.ply"),
    case("points-ply", "cut-in-a-row", ASCII[:-12], refused("line 307"), file="a.ply"),
    case("points-ply", "cut-in-header", ASCII[:60], refused("header"), file="a.ply"),
    case("points-ply", "more-promised", ASCII.replace("vertex 300", "vertex 301"), refused("truncated", "301"), file="a.ply"),
    case("points-ply", "fewer-promised", ASCII.replace("vertex 300", "vertex 162"), refused("162"), file="a.ply"),
    case("points-ply", "fewer-promised-binary", BINARY.replace(b"vertex 300", b"vertex 162"), refused("162"), file="a.ply"),
    case("points-ply", "huge-count", BINARY.replace(b"vertex 300", b"vertex 4000000000"), refused("truncated"), file="a.ply", bomb=True),
    case("points-ply", "huge-count-text", ASCII.replace("vertex 300", "vertex 9999999999999999999999"), refused("truncated"), file="a.ply", bomb=True),
    case("points-ply", "negative-count", ASCII.replace("vertex 300", "vertex -1"), refused("line 3"), file="a.ply"),
    case("points-ply", "count-with-underscore", ASCII.replace("vertex 300", "vertex 3_00"), refused("line 3"), file="a.ply"),
    case("points-ply", "vertex-twice", ASCII.replace("end_header", "element vertex 5\nproperty float w\nend_header"), refused("vertex"), file="a.ply"),
    case("points-ply", "property-twice", ASCII.replace("float y", "float x"), refused("x"), file="a.ply"),
    case("points-ply", "property-before-element", ASCII.replace("element vertex 300\n", "").replace("end_header", "element vertex 300\nend_header"), refused("line"), file="a.ply"),
    case("points-ply", "no-z", ASCII.replace("float z", "float w"), refused(" z"), file="a.ply"),
    case("points-ply", "list-in-points", ASCII.replace("property float z", "property list uchar float z"), refused(), file="a.ply"),
    case("points-ply", "unknown-type", ASCII.replace("float z", "float128 z"), refused("line 6"), file="a.ply"),
    case("points-ply", "unknown-format", ASCII.replace("ascii", "utf8"), refused("utf8"), file="a.ply"),
    case("points-ply", "no-format", ASCII.replace("format ascii 1.0\n", ""), refused("format"), file="a.ply"),
    case("points-ply", "endless-header", "ply\nformat ascii 1.0\n" + "comment x\n" * 20_000 + "end_header\n", refused("header"), file="a.ply"),
    case("points-ply", "nan", ply_head() + lines(replaced(7, 1, "nan")), Points(299, 1, says=("1 row",)), file="a.ply"),
    case("points-ply", "nan-binary", ply_binary_points(np.where(np.arange(COUNT)[:, None] < 20, np.nan, BALL)), Points(280, 20, extent=None, says=("20 rows",)), file="a.ply"),
    case("points-ply", "all-nan-binary", ply_binary_points(BALL * np.nan), refused("none of its 300"), file="a.ply"),
    case("points-ply", "decimal-comma", ply_head() + lines(replaced(7, 1, "1,5")), refused("line 15", "comma"), file="a.ply"),
    case("points-ply", "words", ply_head() + lines(replaced(7, 1, "two")), refused("line 15", "two"), file="a.ply"),
    case("points-ply", "underscore", ply_head() + lines(replaced(7, 1, "1_5")), refused("line 15", "1_5"), file="a.ply"),
    case("points-ply", "row-too-long", ply_head() + lines(BALL[:-1]) + "1 2 3 4\n", refused("line 307", "4 numbers"), file="a.ply"),
    case("points-ply", "text-said-to-be-binary", ASCII.replace("ascii", "binary_little_endian"), refused(), file="a.ply"),
    case("points-ply", "binary-said-to-be-text", BINARY.replace(b"binary_little_endian", b"ascii"), refused(), file="a.ply"),
    case("points-ply", "other-byte-order", ply_binary_points(order=">").replace(b"big", b"little"), refused(), file="a.ply"),
    case("points-ply", "colour-256", FULL + lines(BALL, NORMALS, replaced(7, 1, 256, COLORS)), refused("green", "line 21"), file="a.ply"),
    case("points-ply", "colour-fraction", FULL + lines(BALL, NORMALS, replaced(7, 1, 7.5, COLORS)), refused("green", "line 21"), file="a.ply"),
    case("points-ply", "colour-nan", FULL + lines(BALL, NORMALS, replaced(7, 1, "nan", COLORS)), refused("green", "line 21"), file="a.ply"),
    case("points-ply", "normals-zero", FULL + lines(BALL, NORMALS * 0, COLORS), Points(colors=True, says=("no direction",)), file="a.ply"),
    case("points-ply", "normals-nan", FULL + lines(BALL, [["nan"] * 3] * COUNT, COLORS), Points(colors=True, says=("no direction",)), file="a.ply"),
    case("points-ply", "sensors-nan", ply_head(columns="float x float y float z float sensor_x float sensor_y float sensor_z") + lines(BALL, replaced(7, 1, "nan")), Points(says=("sensor positions",)), file="a.ply"),
    case("points-ply", "sensors-in-part", ply_head(columns="float x float y float z float sensor_x float sensor_y") + lines(BALL, BALL[:, :2]), BALL_FOUND, file="a.ply"),
    case("points-ply", "good", ASCII, BALL_FOUND, file="a.ply"),
    case("points-ply", "good-binary", BINARY, BALL_FOUND, file="a.ply"),
    case("points-ply", "good-big-endian", ply_binary_points(order=">"), BALL_FOUND, file="a.ply"),
    case("points-ply", "good-doubles", ply_binary_points(kind="f8"), BALL_FOUND, file="a.ply"),
    case("points-ply", "good-whole-numbers", ply_binary_points(BALL * 1e4, kind="i4"), Points(extent=4e4), file="a.ply"),
    case("points-ply", "good-all", FULL + lines(BALL, NORMALS, COLORS), ALL_FOUND, file="a.ply"),
    case("points-ply", "good-faces-declared", ASCII.replace("end_header", FACELESS + "end_header"), BALL_FOUND, file="a.ply"),
    case("points-ply", "good-windows-lines", ASCII.replace("\n", "\r\n"), BALL_FOUND, file="a.ply"),
    case("points-ply", "good-old-mac-lines", ASCII.replace("\n", "\r"), BALL_FOUND, file="a.ply"),
    case("points-ply", "good-unknown-properties", ply_head(columns="float x float y float z double gps_time") + lines(BALL, COLORS[:, :1]), BALL_FOUND, file="a.ply"),
)  # fmt: skip

PCD = (
    case("pcd", "empty", b"", refused("empty")),
    case("pcd", "no-data-line", pcd().split("DATA")[0], refused("DATA")),
    case("pcd", "no-fields", pcd(FIELDS=None), refused("FIELDS")),
    case("pcd", "no-width", pcd(WIDTH=None), refused("WIDTH")),
    case("pcd", "no-points", pcd(np.zeros((0, 3)), WIDTH=0, POINTS=0), refused("no points")),
    case("pcd", "width-in-words", pcd(WIDTH="many"), refused("header")),
    case("pcd", "width-and-height-negative", pcd(WIDTH=-300, HEIGHT=-1), refused()),
    case("pcd", "points-disagree", pcd(POINTS=301), refused("301")),
    case("pcd", "huge-count", pcd_binary(WIDTH=4_000_000_000, POINTS=4_000_000_000), refused("truncated"), bomb=True),
    case("pcd", "huge-product", pcd_binary(WIDTH=1 << 62, HEIGHT=1 << 62, POINTS=1 << 124), refused(), bomb=True),
    case("pcd", "huge-field", pcd_binary(COUNT="1 1 999999999"), refused("header"), bomb=True),
    case("pcd", "cut", pcd_binary()[:-5], refused("truncated")),
    case("pcd", "cut-text", pcd()[:-200], refused("truncated")),
    case("pcd", "rest", pcd_binary() + bytes(400), refused("300")),
    case("pcd", "unknown-type", pcd(TYPE="F F Q"), refused("Q4")),
    case("pcd", "fewer-sizes", pcd(SIZE="4 4"), refused("header")),
    case("pcd", "unknown-data", pcd().replace("DATA ascii", "DATA base64"), refused("base64")),
    case("pcd", "no-z", pcd(FIELDS="x y w"), refused(" z")),
    case("pcd", "nan", pcd(replaced(7, 1, "nan")), Points(299, 1, says=("1 row",))),
    case("pcd", "all-nan", pcd([["nan"] * 3] * COUNT), refused("none of its 300")),
    case("pcd", "decimal-comma", pcd(replaced(7, 1, "1,5")), refused("line 19", "comma")),
    case("pcd", "words", pcd(replaced(7, 1, "two")), refused("line 19", "two")),
    case("pcd", "whole-numbers-that-do-not-fit", pcd(replaced(7, 1, 70000), TYPE="I I I", SIZE="2 2 2"), refused("line")),
    case("pcd", "viewpoint-nan", pcd(VIEWPOINT="nan 0 0 1 0 0 0"), Points(says=("sensor positions",))),
    case("pcd", "viewpoint-short", pcd(VIEWPOINT="1 2"), refused("header")),
    case("pcd", "compressed-damaged", pcd_compressed(b"\xff" * 3000, (3000, 3600)), refused("compressed")),
    case("pcd", "compressed-bomb", pcd_compressed(b"\0\0" + b"\xff\xff\0" * 100, (302, 4_294_967_295)), refused(), bomb=True),
    case("pcd", "compressed-sizes-lie", pcd_compressed(sizes=(4_294_967_295, 3600)), refused(), bomb=True),
    case("pcd", "compressed-without-sizes", pcd_head("binary_compressed"), refused()),
    case("pcd", "good", pcd(), BALL_FOUND),
    case("pcd", "good-binary", pcd_binary(), BALL_FOUND),
    case("pcd", "good-compressed", pcd_compressed(), BALL_FOUND),
    case("pcd", "good-viewpoint", pcd(VIEWPOINT="9 9 9 1 0 0 0"), WITH_SENSORS),
    case("pcd", "good-organised", pcd(WIDTH=20, HEIGHT=15), BALL_FOUND),
    case("pcd", "good-windows-lines", pcd().replace("\n", "\r\n"), BALL_FOUND),
)  # fmt: skip


def lying_archive() -> bytes:
    """The directory says that the array unpacks to a hundred bytes."""
    data = npz({"points": BALL})
    at = data.rindex(b"PK\1\2")
    return data[: at + 24] + struct.pack("<I", 100) + data[at + 28 :]


def encrypted_archive() -> bytes:
    data = npz({"points": BALL})
    at = data.rindex(b"PK\1\2")
    return data[:6] + b"\1\0" + data[8 : at + 8] + b"\1\0" + data[at + 10 :]


def corrupted_archive() -> bytes:
    data = bytearray(npz({"points": BALL}, zipfile.ZIP_STORED))
    data[len(data) // 2] ^= 1
    return bytes(data)


PICKLE = b"cos\nsystem\n(S'touch canary'\ntR."
OBJECTS = npy_head("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", PICKLE)
HUGE = npy_head("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 3), }")
NPZ = (
    case("npz", "empty", b"", refused("empty")),
    case("npz", "no-arrays", npz({}), refused("points")),
    case("npz", "cut", npz({"points": BALL})[:-40], refused("npz")),
    case("npz", "single-array", npy(BALL), refused("npz")),
    case("npz", "code", npz({"points.npy": OBJECTS}), refused("objects")),
    case("npz", "code-beside", npz({"points": BALL, "colors.npy": OBJECTS}), refused("objects")),
    case("npz", "code-as-archive", PICKLE, refused("npz")),
    case("npz", "code-in-header", npz({"points.npy": npy_head("__import__('os').system('touch canary')")}), refused("points")),
    case("npz", "header-nested", npz({"points.npy": npy_head("(" * 100)}), refused("points")),
    case("npz", "shape-lies", npz({"points.npy": HUGE}), refused("points"), bomb=True),
    case("npz", "shape-negative", npz({"points.npy": npy_head("{'descr': '<f8', 'fortran_order': False, 'shape': (-3, 3), }")}), refused("points")),
    case("npz", "directory-lies", lying_archive(), refused("points")),
    case("npz", "encrypted", encrypted_archive(), refused()),
    case("npz", "bit-flipped", corrupted_archive(), refused("points")),
    case("npz", "bomb", npz({"points": np.zeros((30_000_000, 3), "i1")}), refused(), bomb=True),
    case("npz", "escaping", npz({"../../points.npy": npy(BALL), "/tmp/points.npy": npy(BALL)}), refused("points")),
    case("npz", "twice", npz({"points": BALL, "pointz": NORMALS}).replace(b"pointz", b"points"), refused("points")),
    case("npz", "not-an-array", npz({"points": b"1 2 3"}), refused("points")),
    case("npz", "words", npz({"points": np.array([["a", "b", "c"]])}), refused("numbers")),
    case("npz", "complex", npz({"points": BALL * 1j}), refused("numbers")),
    case("npz", "structured", npz({"points": np.zeros(5, [("x", "f4"), ("y", "f4"), ("z", "f4")])}), refused("numbers")),
    case("npz", "two-columns", npz({"points": BALL[:, :2]}), refused("(300, 2)")),
    case("npz", "transposed", npz({"points": BALL.T}), refused("(3, 300)")),
    case("npz", "flat", npz({"points": BALL.reshape(-1)}), refused("(900,)")),
    case("npz", "no-rows", npz({"points": BALL[:0]}), refused("no points")),
    case("npz", "normals-of-others", npz({"points": BALL, "normals": NORMALS[:7]}), refused("normals")),
    case("npz", "deepsdf", npz({"pos": np.zeros((4, 4)), "neg": np.zeros((4, 4))}), refused("DeepSDF")),
    case("npz", "other-names", npz({"vertices": BALL}), refused("points", "vertices")),
    case("npz", "nan", npz({"points": np.where(np.arange(COUNT)[:, None] < 20, np.nan, BALL)}), Points(280, 20, extent=None, says=("20 rows",))),
    case("npz", "sensors-nan", npz({"points": BALL, "sensors": BALL * np.nan}), Points(says=("sensor positions",))),
    case("npz", "normals-zero", npz({"points": BALL, "normals": BALL * 0}), Points(says=("no direction",))),
    case("npz", "duplicates", npz({"points": np.tile(BALL.astype("<f4"), (1000, 1))}), Points(300_000, duplicates=299_700), bomb=True),
    case("npz", "good", npz({"points": BALL, "normals": NORMALS, "colors": COLORS.astype("u1")}), ALL_FOUND),
    case("npz", "good-stored", npz({"points": BALL}, zipfile.ZIP_STORED), BALL_FOUND),
    case("npz", "good-big-endian", npz({"points": BALL.astype(">f4")}), BALL_FOUND),
    case("npz", "good-columns-first", npz({"points": np.asfortranarray(BALL)}), BALL_FOUND),
    case("npz", "good-one-sensor", npz({"points": BALL, "sensors": CENTER * 5}), WITH_SENSORS),
    case("npz", "good-others-beside", npz({"points": BALL, "notes": np.array(["made by hand"])}), BALL_FOUND),
)  # fmt: skip


def obj_points(points: object = BALL, *more: object) -> str:
    return "".join(f"v {line}\n" for line in lines(points, *more).splitlines())


def directions(values: object) -> str:
    return "".join(f"vn {line}\n" for line in lines(values).splitlines())


OBJ = (
    case("points-obj", "row-too-short", obj_points() + "v 1 2\n", refused("line 301", "2 numbers"), file="a.obj"),
    case("points-obj", "five-numbers", obj_points(BALL, COLORS[:, :2]), refused("line 1", "5 numbers"), file="a.obj"),
    case("points-obj", "decimal-comma", obj_points(replaced(7, 1, "1,5")), refused("line 8", "comma"), file="a.obj"),
    case("points-obj", "underscore", obj_points(replaced(7, 1, "1_5")), refused("line 8", "1_5"), file="a.obj"),
    case("points-obj", "one-point", "v 1 2 3\n", refused("one place"), file="a.obj"),
    case("points-obj", "nan", obj_points(replaced(7, 1, "nan")), Points(299, 1, says=("1 row",)), file="a.obj"),
    case("points-obj", "normals-of-others", obj_points() + directions(NORMALS[:7]), Points(says=("7 normals",)), file="a.obj"),
    case("points-obj", "only-normals", directions(NORMALS), refused(), file="a.obj"),
    case("points-obj", "colours-nan", obj_points(BALL, replaced(7, 1, "nan", COLORS / 255)), WITH_COLORS, file="a.obj"),
    case("points-obj", "good", obj_points(), BALL_FOUND, file="a.obj"),
    case("points-obj", "good-normals", obj_points() + directions(NORMALS), WITH_NORMALS, file="a.obj"),
    case("points-obj", "good-colours", obj_points(BALL, COLORS / 255), WITH_COLORS, file="a.obj"),
    case("points-obj", "good-lines-and-points", obj_points() + "p 1 2 3\nl 1 2\n", BALL_FOUND, file="a.obj"),
    case("points-obj", "good-utf16", obj_points().encode("utf-16"), BALL_FOUND, file="a.obj"),
    case("points-obj", "good-old-mac-lines", obj_points().replace("\n", "\r"), BALL_FOUND, file="a.obj"),
    case("points-obj", "good-indented", obj_points().replace("v", "  v\t"), BALL_FOUND, file="a.obj"),
)  # fmt: skip

LAS = (
    case("las", "empty", b"", refused("empty")),
    case("las", "only-magic", b"LASF", refused("las")),
    case("las", "no-magic", las(magic=b"SALF"), refused("las")),
    case("las", "cut-in-header", las()[:200], refused("truncated")),
    case("las", "cut", las()[:-30], refused("truncated", "300")),
    case("las", "cut-one-byte", las()[:-1], refused("truncated", "300")),
    case("las", "more-promised", las(count=301), refused("truncated", "301")),
    case("las", "huge-count", las(count=4_294_967_295), refused("truncated"), bomb=True),
    case("las", "huge-count-1.4", las(version=4, point_format=7, count=1 << 63), refused("truncated"), bomb=True),
    case("las", "no-points", las(BALL[:0]), refused("no points")),
    case("las", "offset-beyond", las(offset=1 << 31), refused("truncated")),
    case("las", "points-in-header", las(offset=7), refused("byte 7")),
    case("las", "records-of-no-length", las(length=0), refused("length")),
    case("las", "records-too-short", las(length=12), refused("length")),
    case("las", "unknown-format", las().replace(b"\2\x1a\0", b"\x3d\x1a\0", 1), refused("61")),
    case("las", "unknown-version", las(version=2).replace(b"\1\2", b"\7\2", 1), refused("version")),
    case("las", "compressed", las().replace(b"\2\x1a\0", b"\x82\x1a\0", 1), refused()),
    case("las", "scale-zero", las(scale=0.0), refused("scale")),
    case("las", "scale-nan", las(scale=float("nan")), refused("scale")),
    case("las", "origin-infinite", las(origin=float("inf")), refused("origin")),
    case("las", "good-without-colours", las(point_format=0), BALL_FOUND),
    case("las", "good-colours", las(point_format=2), WITH_COLORS),
    case("las", "good-time-and-colours", las(point_format=3), WITH_COLORS),
    case("las", "good-1.4", las(point_format=6, version=4), BALL_FOUND),
    case("las", "good-1.4-colours", las(point_format=7, version=4), WITH_COLORS),
)  # fmt: skip

MISLABELLED: tuple[Case, ...] = tuple(
    case("mislabelled", f"{kind}-as-{suffix}", content, refused("." + suffix), file=f"{kind}.{suffix}")
    for kind, content in FOREIGN.items()
    for suffix in ("xyz", "txt", "pcd", "npz", "las")
)
CLOUDS = (*XYZ, *PLY, *PCD, *NPZ, *OBJ, *LAS, *MISLABELLED)
