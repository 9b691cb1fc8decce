"""glTF 2.0, read strictly (.gltf, .glb): every index is checked, nothing is skipped in silence.

Source: Khronos glTF 2.0 specification; KHR_texture_transform, KHR_mesh_quantization, EXT_texture_webp,
KHR_materials_pbrSpecularGlossiness. Skins and morph targets are not applied.
"""

import base64
import json
import os
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.beside import beside, picture
from isofield.mesh.color import to_linear, to_srgb
from isofield.mesh.parts import Part

POINTS, TRIANGLES, STRIP, FAN = 0, 4, 5, 6  # modes of a primitive; the others are lines
COMPONENT = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
KNOWN = {
    "KHR_mesh_quantization", "KHR_texture_transform", "KHR_materials_pbrSpecularGlossiness", "KHR_materials_unlit",
    "EXT_texture_webp", "KHR_materials_specular", "KHR_materials_ior", "KHR_materials_emissive_strength",
}  # fmt: skip
MAX_ROWS = 20_000_000  # of all parts together: a mesh of kilobytes can be shown a million times
MAX_ZEROS = 10_000_000  # rows of an accessor without data (a sparse one): no file of a few bytes may fill the memory


def read_gltf(path: Path) -> list[Part]:
    """Parts of the default scene in world coordinates (float64), colours in sRGB; InputError for a damaged file."""
    reader = _Reader(path)
    parts: list[Part] = []
    for mesh, matrix in _instances(path, reader.json):
        parts += _primitives(reader, mesh, matrix)
        if _rows(parts) > MAX_ROWS:
            raise InputError(path, f"stands for more than {MAX_ROWS} vertices and faces", "export fewer of them")
    return parts


def _primitives(reader: "_Reader", mesh: int, matrix: np.ndarray) -> list[Part]:
    shown = [
        p
        for p in _item(reader.json, "meshes", mesh)["primitives"]
        if p.get("mode", TRIANGLES) in (POINTS, TRIANGLES, STRIP, FAN)
    ]
    return [_part(reader, primitive, matrix) for primitive in shown]


def _part(reader: "_Reader", primitive: dict, matrix: np.ndarray) -> Part:
    attributes = primitive["attributes"]
    position = reader.accessor(attributes["POSITION"])
    if position.shape[1] != 3:
        raise ValueError("POSITION is no VEC3")
    corners = reader.accessor(primitive["indices"])[:, 0] if "indices" in primitive else np.arange(len(position))
    faces = _triangles(corners.astype(np.int64), primitive.get("mode", TRIANGLES))
    if len(faces) and (faces.min() < 0 or faces.max() >= len(position)):
        fault = f"a face uses vertex {faces.max()} of {len(position)} (counted from 0)"
        raise InputError(reader.path, fault, "export it again")
    mirrored = np.linalg.det(matrix[:3, :3]) < 0
    part = Part(position @ matrix[:3, :3].T + matrix[:3, 3], faces[:, ::-1] if mirrored else faces)
    if "COLOR_0" in attributes:
        part.colors = to_srgb(np.clip(reader.accessor(attributes["COLOR_0"])[:, :3], 0, 1))
    if "material" in primitive:
        _paint(reader, part, _item(reader.json, "materials", primitive["material"]), attributes)
    return part


def _paint(reader: "_Reader", part: Part, material: dict, attributes: dict) -> None:
    """Base colour and its texture; a factor other than white is multiplied into the texture, in linear light."""
    pbr, texture_key, factor_key = material.get("pbrMetallicRoughness", {}), "baseColorTexture", "baseColorFactor"
    gloss = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
    if gloss is not None:
        pbr, texture_key, factor_key = gloss, "diffuseTexture", "diffuseFactor"
    factor = np.asarray(pbr.get(factor_key, (1, 1, 1, 1)), float)[:3]
    texture = pbr.get(texture_key)
    coordinates = f"TEXCOORD_{_transform(texture).get('texCoord', texture.get('texCoord', 0))}" if texture else ""
    if texture and coordinates in attributes:
        part.image = reader.texture(texture["index"], tuple(factor))
        part.uv = _flip(_transform_uv(reader.accessor(attributes[coordinates])[:, :2], _transform(texture)))
    elif factor_key in pbr:
        part.diffuse = to_srgb(np.clip(factor, 0, 1))


def _transform(texture: dict) -> dict:
    return texture.get("extensions", {}).get("KHR_texture_transform", {})


def _transform_uv(uv: np.ndarray, transform: dict) -> np.ndarray:
    """KHR_texture_transform: uv' = translation @ rotation @ scale @ uv."""
    angle = transform.get("rotation", 0.0)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (uv * transform.get("scale", (1, 1))) @ rotation.T + np.asarray(transform.get("offset", (0, 0)))


def _flip(uv: np.ndarray) -> np.ndarray:
    """glTF counts v from the top of the picture, the mesh type from the bottom."""
    return np.stack([uv[:, 0], 1 - uv[:, 1]], 1)


def _triangles(corners: np.ndarray, mode: int) -> np.ndarray:
    if mode == POINTS:
        return np.zeros((0, 3), np.int64)
    if mode == TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    if mode == FAN:
        return np.stack([np.full(max(len(corners) - 2, 0), corners[0]), corners[1:-1], corners[2:]], 1)
    strip = np.stack([corners[:-2], corners[1:-1], corners[2:]], 1)
    strip[1::2] = strip[1::2, [1, 0, 2]]
    return strip


def _instances(path: Path, document: dict) -> list[tuple[int, np.ndarray]]:
    """(mesh index, local-to-world matrix) of every node of the default scene that has a mesh."""
    nodes, scenes = document.get("nodes", []), document.get("scenes", [])
    roots = _item(document, "scenes", document.get("scene", 0)).get("nodes", []) if scenes else range(len(nodes))
    stack, found, visits = [(root, np.eye(4)) for root in roots], [], 0
    while stack:
        index, parent = stack.pop(0)
        node, visits = _item(document, "nodes", index), visits + 1
        if visits > len(nodes):
            raise InputError(path, "its nodes form a loop", "export it again")
        matrix = parent @ _matrix(node)
        if "mesh" in node:
            found.append((node["mesh"], matrix))
        stack += [(child, matrix) for child in node.get("children", [])]
    return found


def _matrix(node: dict) -> np.ndarray:
    if "matrix" in node:
        if len(node["matrix"]) != 16:
            raise ValueError(f"a node's matrix has {len(node['matrix'])} numbers")
        return np.asarray(node["matrix"], float).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    rotation = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(node.get("scale", (1, 1, 1)), float)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


class _Reader:
    """One file: its JSON document, buffers, accessors and pictures."""

    def __init__(self, path: Path):
        self.path = path
        data = path.read_bytes()
        self.json: dict
        self.blob: bytes | None
        self.json, self.blob = _split_glb(path, data) if data[:4] == b"glTF" else (_document(path, data), None)
        foreign = set(self.json.get("extensionsRequired", [])) - KNOWN
        if foreign:
            raise InputError(path, f"needs {', '.join(sorted(foreign))}", "export it without compression or extensions")
        self._buffers: dict[int, bytes] = {}
        self._textures: dict[tuple, Image.Image] = {}

    def accessor(self, index: int) -> np.ndarray:
        """The accessor's rows as float64 (n, width), normalised integers scaled to [0, 1] or [-1, 1]."""
        spec = _item(self.json, "accessors", index)
        dtype, width, count = _component(spec), WIDTH[spec["type"]], _natural(spec["count"])
        if spec.get("bufferView") is not None:
            rows = self._rows(spec["bufferView"], spec.get("byteOffset", 0), dtype, width, count).astype(np.float64)
        elif count > MAX_ZEROS:
            raise InputError(self.path, f"accessor {index} promises {count} rows without data", "export it again")
        else:
            rows = np.zeros((count, width))
        if "sparse" in spec:
            sparse = spec["sparse"]
            n, at, new = _natural(sparse["count"]), sparse["indices"], sparse["values"]
            where = self._rows(at["bufferView"], at.get("byteOffset", 0), _component(at), 1, n)
            rows[where[:, 0]] = self._rows(new["bufferView"], new.get("byteOffset", 0), dtype, width, n)
        if spec.get("normalized") and dtype.kind in "iu":
            rows = np.maximum(rows / np.iinfo(dtype).max, -1)
        return rows

    def _rows(self, view_index: int, offset: int, dtype: np.dtype, width: int, count: int) -> np.ndarray:
        view = _item(self.json, "bufferViews", view_index)
        stride = _natural(view.get("byteStride") or 0) or dtype.itemsize * width
        data = self._view(view_index)
        end = _natural(offset) + stride * (count - 1) + dtype.itemsize * width
        if count and end > len(data):
            raise InputError(
                self.path, f"buffer view {view_index} ends {end - len(data)} bytes too early", "export it again"
            )
        if not count:
            return np.zeros((0, width), dtype)
        return np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize)).copy()

    def _view(self, index: int) -> bytes:
        view = _item(self.json, "bufferViews", index)
        data, start = self._buffer(view["buffer"]), _natural(view.get("byteOffset", 0))
        if start + _natural(view["byteLength"]) > len(data):
            missing = start + view["byteLength"] - len(data)
            raise InputError(self.path, f"truncated: buffer {view['buffer']} lacks {missing} bytes", "fetch it again")
        return data[start : start + view["byteLength"]]

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = _item(self.json, "buffers", index).get("uri")
            if uri is None and self.blob is None:
                raise InputError(self.path, "has no binary chunk although its data need one", "export it again")
            self._buffers[index] = self.blob if uri is None else self._resource(uri)  # type: ignore[assignment]
        return self._buffers[index]

    def _resource(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode("".join(unquote(uri.partition(",")[2]).split()), validate=True)
        shown, name = repr(uri[:200]), unquote(uri)
        target = beside(self.path, name)
        folder = self.path.parent.resolve()
        if ":" in uri or (target is None and not Path(os.path.normpath(folder / name)).is_relative_to(folder)):
            raise InputError(self.path, f"refers to {shown}, outside of its folder", "put the file beside it")
        if target is None:
            raise InputError(self.path, f"refers to {shown}, which is missing", "put the file beside it")
        return target.read_bytes()

    def texture(self, index: int, factor: tuple[float, ...]) -> Image.Image:
        """The RGB picture of a texture times a linear factor; the same object for the same request."""
        if (index, factor) not in self._textures:
            self._textures[index, factor] = _multiply(self._image(index), factor)
        return self._textures[index, factor]

    def _image(self, index: int) -> Image.Image:
        texture = _item(self.json, "textures", index)
        webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
        source = _item(self.json, "images", webp.get("source", texture.get("source")))
        data = self._view(source["bufferView"]) if "bufferView" in source else self._resource(source["uri"])
        return picture(self.path, data)


def _multiply(image: Image.Image, factor: tuple[float, ...]) -> Image.Image:
    if min(factor) > 0.999:
        return image
    table = np.rint(255 * to_srgb(to_linear(np.arange(256) / 255)[:, None] * np.clip(factor, 0, 1))).astype(np.uint8)
    pixels = np.asarray(image)
    return Image.fromarray(np.stack([table[pixels[..., c], c] for c in range(3)], -1))


def _split_glb(path: Path, data: bytes) -> tuple[dict, bytes | None]:
    if len(data) < 20:
        raise InputError(path, f"truncated: {len(data)} bytes", "fetch it again")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise InputError(path, f"is glTF version {version}", "export it as glTF 2.0")
    if length > len(data):
        raise InputError(path, f"truncated: {len(data)} of {length} bytes", "fetch it again")
    size, kind = struct.unpack_from("<I4s", data, 12)
    if kind != b"JSON" or 20 + size > len(data):
        raise InputError(path, "its first chunk is no whole JSON chunk (byte 12)", "export it again")
    document, start = _document(path, data[20 : 20 + size]), 20 + size
    if start + 8 > length:
        return document, None
    size, kind = struct.unpack_from("<I4s", data, start)
    if start + 8 + size > len(data):
        raise InputError(path, f"truncated: the binary chunk ends after byte {len(data)}", "fetch it again")
    return document, data[start + 8 : start + 8 + size] if kind == b"BIN\0" else None


def _document(path: Path, data: bytes) -> dict:
    try:
        document = json.loads(data)
    except RecursionError:
        raise InputError(path, "its JSON is nested too deeply", "export it again") from None
    if not isinstance(document, dict):
        raise InputError(path, f"its JSON is no object but a {type(document).__name__}", "export it again")
    return document


def _item(document: dict, kind: str, index: object) -> Any:
    """document[kind][index]; ValueError where there is none."""
    items = document.get(kind, [])
    if _natural(index) >= len(items):
        raise ValueError(f"it uses number {index} of its {len(items)} {kind} (counted from 0)")
    return items[index]


def _component(spec: dict) -> np.dtype:
    if spec["componentType"] not in COMPONENT:
        raise ValueError(f"componentType {spec['componentType']!r} is unknown")
    return np.dtype(COMPONENT[spec["componentType"]])


def _rows(parts: list[Part]) -> int:
    return sum(len(part.vertices) + len(part.faces) for part in parts)


def _natural(value: Any) -> int:
    """An index, offset or count of the document; a negative one would silently count from the end."""
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no index or count")
    return value
