"""A box of 2 x 3 x 4 (volume 24) in every format, byte by byte, so that a case can spoil any of them."""

import base64
import json
import struct
from collections.abc import Sequence

import numpy as np

BOX = np.array([(x, y, z) for x in (0, 2) for y in (0, 3) for z in (0, 4)], np.float64)
QUADS = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
TRIANGLES = tuple(t for a, b, c, d in QUADS for t in ((a, b, c), (a, c, d)))
# A prism over an L of area 3, height 1, whose two end faces are concave six-cornered polygons: volume 3.
L_OUTLINE = np.array([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)], np.float64)
L_POINTS = np.array([(x, y, z) for z in (0, 1) for x, y in L_OUTLINE])
L_FACES = (
    (2, 1, 0, 5, 4, 3),  # the fan from the first corner of either end leaves the polygon
    (8, 9, 10, 11, 6, 7),
    *((i, (i + 1) % 6, (i + 1) % 6 + 6, i + 6) for i in range(6)),
)
Faces = Sequence[Sequence[int]]


def words(row: Sequence) -> str:
    return " ".join(str(value) for value in row)


def obj(points: np.ndarray = BOX, faces: Faces = TRIANGLES, head: str = "") -> str:
    lines = [f"v {words(p.tolist())}" for p in points] + [f"f {words([i + 1 for i in face])}" for face in faces]
    return head + "\n".join(lines) + "\n"


def off(points: np.ndarray = BOX, faces: Faces = TRIANGLES) -> str:
    rows = [words(p.tolist()) for p in points] + [f"{len(face)} {words(face)}" for face in faces]
    return f"OFF\n{len(points)} {len(faces)} 0\n" + "\n".join(rows) + "\n"


def ply_header(encoding: str, vertices: int, faces: int, number: str = "float") -> str:
    columns = "".join(f"property {number} {axis}\n" for axis in "xyz")
    return (
        f"ply\nformat {encoding} 1.0\nelement vertex {vertices}\n{columns}element face {faces}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )


def ply(points: np.ndarray = BOX, faces: Faces = TRIANGLES) -> str:
    rows = [words(p.tolist()) for p in points] + [f"{len(face)} {words(face)}" for face in faces]
    return ply_header("ascii", len(points), len(faces)) + "\n".join(rows) + "\n"


def ply_binary(points: np.ndarray = BOX, faces: Faces = TRIANGLES, order: str = "<", number: str = "float") -> bytes:
    encoding = "binary_little_endian" if order == "<" else "binary_big_endian"
    head = ply_header(encoding, len(points), len(faces), number).encode()
    rows = points.astype(order + ("f8" if number == "double" else "f4")).tobytes()
    return head + rows + b"".join(struct.pack(f"{order}B{len(face)}i", len(face), *face) for face in faces)


def stl(points: np.ndarray = BOX, faces: Faces = TRIANGLES, head: bytes = b"box", count: int | None = None) -> bytes:
    rows = np.zeros(len(faces), [("normal", "<f4", 3), ("corner", "<f4", (3, 3)), ("extra", "<u2")])
    rows["corner"] = points[np.array(faces)]
    return head.ljust(80) + struct.pack("<I", len(faces) if count is None else count) + rows.tobytes()


def stl_text(points: np.ndarray = BOX, faces: Faces = TRIANGLES, name: str = "box") -> str:
    corners = "".join(
        "facet normal 0 0 0\n outer loop\n"
        + "".join(f"  vertex {words(points[i].tolist())}\n" for i in face)
        + " endloop\nendfacet\n"
        for face in faces
    )
    return f"solid {name}\n{corners}endsolid {name}\n"


def gltf_json(points: np.ndarray = BOX, faces: Faces = TRIANGLES) -> tuple[dict, bytes]:
    """The document without a URI for its buffer, and the buffer: positions, then indices (both float32 and uint16)."""
    position, index = points.astype("<f4").tobytes(), np.array(faces, "<u2").tobytes()
    size = len(position) + len(index)
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": size}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(position)},
            {"buffer": 0, "byteOffset": len(position), "byteLength": len(index)},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 3 * len(faces), "type": "SCALAR"},
        ],
    }, position + index


def glb(document: dict | None = None, blob: bytes | None = None, length: int | None = None) -> bytes:
    plain, data = gltf_json()
    text = json.dumps(plain if document is None else document).encode()
    text += b" " * (-len(text) % 4)
    data = data if blob is None else blob
    data += b"\0" * (-len(data) % 4)
    total = 28 + len(text) + len(data)
    head = struct.pack("<4sII", b"glTF", 2, total if length is None else length)
    return head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data


def glb_with(**changes: object) -> bytes:
    """The box with top-level keys of its document replaced."""
    return glb({**gltf_json()[0], **changes})


def gltf(uri: str | None = None) -> str:
    """Text glTF; by default its buffer stands in a data: URI."""
    document, blob = gltf_json()
    inline = "data:application/octet-stream;base64," + base64.b64encode(blob).decode()
    document["buffers"][0]["uri"] = inline if uri is None else uri
    return json.dumps(document)


def dae(
    points: np.ndarray = BOX,
    faces: Faces = TRIANGLES,
    *,
    head: str = '<?xml version="1.0"?>',
    materials: str = "",
    nodes: str = '<node><instance_geometry url="#g"/></node>',
    library: str = "",
) -> str:
    flat, index = words(points.reshape(-1).tolist()), words([i for face in faces for i in face])
    return f"""{head}
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">{materials}
<library_geometries><geometry id="g"><mesh>
<source id="s"><float_array id="a" count="{points.size}">{flat}</float_array><technique_common>
<accessor source="#a" count="{len(points)}" stride="3"/></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#s"/></vertices>
<triangles count="{len(faces)}"><input semantic="VERTEX" source="#v" offset="0"/><p>{index}</p></triangles>
</mesh></geometry></library_geometries>{library}
<library_visual_scenes><visual_scene id="w">{nodes}</visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#w"/></scene></COLLADA>
"""
