"""One mesh as binary glTF 2.0."""

import json
import struct

import numpy as np
from jaxtyping import Float, Integer, UInt8

from isofield.mesh.color import to_linear

ARRAY, INDEX = 34962, 34963  # buffer view targets
FLOAT, USHORT, UINT = 5126, 5123, 5125  # component types


def glb_bytes(
    vertices: Float[np.ndarray, "v 3"],
    faces: Integer[np.ndarray, "f 3"],
    normals: Float[np.ndarray, "v 3"],
    colors: UInt8[np.ndarray, "v 3"] | None,
    *,
    both_sides: bool = False,
) -> bytes:
    """A .glb with NORMAL, COLOR_0 (sRGB uint8 in, linear normalised uint16 out) and a rough, non-metallic material.

    Positions are float32 around the centre of the bounding box and the node moves them back, so that a shape far off
    the origin keeps its precision. both_sides: faces are to be drawn from behind too.
    """
    center = vertices.min(0) / 2 + vertices.max(0) / 2
    local = (vertices - center).astype("<f4")
    position = {"min": local.min(0).tolist(), "max": local.max(0).tolist()}
    columns = {
        "indices": (faces.astype("<u4").reshape(-1), UINT, "SCALAR", {}),
        "POSITION": (local, FLOAT, "VEC3", position),
        "NORMAL": (normals.astype("<f4"), FLOAT, "VEC3", {}),
    }
    if colors is not None:
        linear = np.rint(to_linear(np.pad(colors, ((0, 0), (0, 1)), constant_values=255) / 255.0) * 65535)
        columns["COLOR_0"] = (linear.astype("<u2"), USHORT, "VEC4", {"normalized": True})
    views, accessors, blob = [], [], b""
    for name, (rows, component, kind, more) in columns.items():
        target = INDEX if name == "indices" else ARRAY
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": rows.nbytes, "target": target})
        accessors.append(
            {"bufferView": len(views) - 1, "componentType": component, "count": len(rows), "type": kind, **more}
        )
        blob += rows.tobytes()  # every column is a multiple of 4 bytes long
    attributes = {name: number for number, name in enumerate(columns) if name != "indices"}
    document = _document(attributes, center, views, accessors, len(blob))
    document["materials"][0]["doubleSided"] = both_sides
    return _pack(document, blob)


def _document(attributes: dict, center: np.ndarray, views: list, accessors: list, size: int) -> dict:
    surface: dict = {"metallicFactor": 0, "roughnessFactor": 0.9}  # the base colour, white, is said where there is any
    if "COLOR_0" in attributes:
        surface["baseColorFactor"] = [1, 1, 1, 1]
    return {
        "asset": {"version": "2.0", "generator": "isofield"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "translation": center.tolist()}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 0, "material": 0, "mode": 4}]}],
        "materials": [{"pbrMetallicRoughness": surface}],
        "buffers": [{"byteLength": size}],
        "bufferViews": views,
        "accessors": accessors,
    }


def _pack(document: dict, blob: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(blob)
    head = struct.pack("<4sII", b"glTF", 2, total) + struct.pack("<I4s", len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(blob), b"BIN\0") + blob
