"""Good files of every format, and ways to spoil their bytes: what the fuzz tests and tools/fuzz.py feed the readers."""

import struct
from dataclasses import dataclass
from zipfile import ZIP_STORED

from cloud_shapes import BALL, COLORS, NORMALS, las, lines, npz, pcd_compressed
from hostile_shapes import BOX, L_FACES, L_POINTS, QUADS, dae, glb, gltf, obj, off, ply, ply_binary, stl, stl_text

XYZ = "\n".join(f"{x} {y} {z} {x / 4} {y / 4} {z / 4}" for x, y, z in BOX.tolist()) + "\n"
PCD = (
    "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 8\nHEIGHT 1\n"
    "VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 8\nDATA {}\n"
)


MESH_SEEDS: tuple[tuple[str, bytes], ...] = (
    (".ply", ply().encode()),
    (".ply", ply_binary(BOX, QUADS)),
    (".ply", ply_binary(L_POINTS, L_FACES, order=">")),
    (".stl", stl()),
    (".stl", stl_text().encode()),
    (".obj", obj(L_POINTS, L_FACES).encode()),
    (".off", off(BOX, QUADS).encode()),
    (".glb", glb()),
    (".gltf", gltf().encode()),
    (".dae", dae().encode()),
)
CLOUD_SEEDS: tuple[tuple[str, bytes], ...] = (
    (".ply", ply(BOX, ()).replace("element face 0\nproperty list uchar int vertex_indices\n", "").encode()),
    (".ply", ply_binary(BOX, ())),
    (".xyz", XYZ.encode()),
    (".pcd", (PCD.format("ascii") + "\n".join(" ".join(map(str, p)) for p in BOX.tolist()) + "\n").encode()),
    (".pcd", PCD.format("binary").encode() + BOX.astype("<f4").tobytes()),
    (".pcd", pcd_compressed()),
    (".npz", npz({"points": BOX, "normals": BOX, "colors": BOX.astype("u1"), "sensors": BOX[0]}, ZIP_STORED)),
    (".npz", npz({"points": BALL, "normals": NORMALS})),
    (".las", las(BALL[:9])),
    (".las", las(BALL[:9], 7, version=4)),
    (".txt", lines(BALL[:9], NORMALS[:9], COLORS[:9]).encode()),
    (".obj", obj(BOX, ()).encode()),
)
TOKENS = (
    b"", b"\0", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"-1", b"0", b"99999999999", b"1e999", b"nan", b",", b"\n",
    b"\r", b"#", b"{}", b"[]", b"null", b'""', b"/", b"../", b"1_0", b" ", b"\xef\xbb\xbf", b"\x7f\xf0\0\0",
)  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """At `at` (a share of the length) take away `take` bytes and put `put` there."""

    at: float
    take: int
    put: bytes

    def apply(self, data: bytes) -> bytes:
        start = int(self.at * len(data))
        return data[:start] + self.put + data[start + self.take :]


def flip(data: bytes, bit: int) -> bytes:
    """One bit turned over."""
    at, mask = divmod(bit % max(8 * len(data), 1), 8)
    return data[:at] + bytes([data[at] ^ (1 << mask)]) + data[at + 1 :] if data else data


def mutated(seed: bytes, control: bytes) -> bytes:
    """A seed spoiled as a fuzzer's bytes say: 8 bytes a change."""
    for begin in range(0, len(control) - 7, 8):
        at, take, token, bit = struct.unpack("<HBBI", control[begin : begin + 8])
        change = Mutation(at / 65536, take % 40, TOKENS[token % len(TOKENS)])
        seed = change.apply(seed) if token < 128 else flip(seed, bit)
    return seed
