"""COLLADA (.dae): triangles, polygons, node transforms, plain colours and textures; no skins, no animation.

Source: COLLADA 1.4.1 specification (Khronos).
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote
from xml.parsers import expat

import numpy as np
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.beside import beside, picture
from isofield.mesh.parts import Part
from isofield.mesh.polygons import triangulate

MAX_NODES = 10_000  # shown, not stored: one that shows another twice, and so on forty times, is a million million
POLYGONS = ("triangles", "polylist", "polygons")
Paint = tuple[Image.Image | None, np.ndarray | None]


def read_dae(path: Path) -> list[Part]:
    """Parts of the visual scene in the file's units and axes, as the file's coordinates say."""
    data = path.read_bytes()
    _check_entities(path, data)
    root = ET.fromstring(data)
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    document = _Document(path, root)
    scene = root.find("scene/instance_visual_scene")
    visual = document.by_id[_target(scene)] if scene is not None else root.find("library_visual_scenes/visual_scene")
    if visual is None:
        return [part for geometry in root.iter("geometry") for part in document.geometry(geometry, {})]
    return [part for node in visual.findall("node") for part in document.node(node, np.eye(4), 0)]


def _check_entities(path: Path, data: bytes) -> None:
    """Entities can expand to gigabytes or name other files; no exporter writes them."""

    def refuse(*_: object) -> None:
        raise InputError(path, "declares XML entities", "export it again without them")

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)


class _Document:
    def __init__(self, path: Path, root: ET.Element):
        self.path = path
        self.by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
        self.images: dict[str, Image.Image | None] = {}
        self.visits = 0

    def node(self, node: ET.Element, parent: np.ndarray, depth: int) -> list[Part]:
        self.visits += 1
        if self.visits > MAX_NODES:
            raise InputError(self.path, f"stands for more than {MAX_NODES} nodes", "export fewer of them")
        if depth > 64:
            raise InputError(self.path, "its nodes are nested without end", "export it again")
        matrix, parts = parent, []
        for child in node:
            matrix = matrix @ _transform(child)
        for instance in node.findall("instance_geometry"):
            materials = {
                bound.get("symbol"): self.paint(bound.get("target", "")) for bound in instance.iter("instance_material")
            }
            for part in self.geometry(self.by_id[_target(instance)], materials):
                part.vertices = part.vertices @ matrix[:3, :3].T + matrix[:3, 3]
                part.faces = part.faces[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else part.faces
                parts.append(part)
        children = node.findall("node") + [self.by_id[_target(i)] for i in node.findall("instance_node")]
        return parts + [part for child in children for part in self.node(child, matrix, depth + 1)]

    def geometry(self, geometry: ET.Element, materials: dict) -> list[Part]:
        primitives = [p for p in geometry.findall("mesh/*") if p.tag in POLYGONS and p.find("p") is not None]
        return [self.primitive(p, materials.get(p.get("material"), (None, None))) for p in primitives]

    def primitive(self, primitive: ET.Element, paint: Paint) -> Part:
        inputs = {i.get("semantic"): (int(i.get("offset", 0)), i) for i in reversed(primitive.findall("input"))}
        stride = 1 + max(int(i.get("offset", 0)) for i in primitive.findall("input"))
        rows = np.concatenate([_numbers(p, np.int64) for p in primitive.findall("p")]).reshape(-1, stride)
        offset, element = inputs["VERTEX"]
        inner = {i.get("semantic"): (offset, i) for i in self.by_id[_target(element)].findall("input")}
        inputs = {**inner, **inputs}
        counts = self.counts(primitive, stride, len(rows))
        if (counts < 1).any() or counts.sum() > len(rows):
            raise ValueError("a polygon list has other numbers of corners than it says")
        used = [column for column in ("POSITION", "TEXCOORD", "COLOR") if column in inputs]
        keys, faces = np.unique(rows[:, [inputs[column][0] for column in used]], axis=0, return_inverse=True)
        data = {c: self.rows(inputs[c][1], keys[:, k]) for k, c in enumerate(used)}
        image, diffuse = paint
        points, faces = data["POSITION"][:, :3], faces.reshape(-1)
        triangles = triangulate(points[faces[: counts.sum()]], counts)
        part = Part(points, faces[triangles], diffuse=diffuse, dropped=int((counts < 3).sum()))
        if image is not None and "TEXCOORD" in data:
            part.uv, part.image, part.diffuse = data["TEXCOORD"][:, :2], image, None
        if "COLOR" in data:
            part.colors = np.clip(data["COLOR"][:, :3], 0, 1)
        return part

    def counts(self, primitive: ET.Element, stride: int, total: int) -> np.ndarray:
        """Corners of each polygon."""
        if primitive.tag == "triangles":
            return np.full(total // 3, 3)
        if primitive.tag == "polylist":
            return _numbers(primitive.find("vcount"), np.int64)
        return np.array([len((p.text or "").split()) // stride for p in primitive.findall("p")])

    def rows(self, element: ET.Element, index: np.ndarray) -> np.ndarray:
        accessor = self.by_id[_target(element, "source")].find("technique_common/accessor")
        if accessor is None:
            raise ValueError("a source has no accessor")
        values = _numbers(self.by_id[_target(accessor, "source")], np.float64)
        start, step = int(accessor.get("offset", 0)), int(accessor.get("stride", 1))
        if start < 0 or step < 1:
            raise ValueError(f"an accessor has offset {start} and stride {step}")
        table = values[start : start + int(accessor.get("count", 0)) * step].reshape(-1, step)
        if len(index) and (index.min() < 0 or index.max() >= len(table)):
            wrong = index.min() if index.min() < 0 else index.max()
            raise InputError(
                self.path, f"index {wrong} is none of the {len(table)} rows it points to", "export it again"
            )
        return table[index]

    def paint(self, target: str) -> Paint:
        """(texture, sRGB colour) of a material's diffuse channel."""
        material = self.by_id.get(unquote(target.lstrip("#")))
        effect = material.find("instance_effect") if material is not None else None
        found = self.by_id.get(_target(effect)) if effect is not None else None
        diffuse = next(found.iter("diffuse"), None) if found is not None else None
        if found is None or diffuse is None:
            return None, None
        color, texture = diffuse.find("color"), diffuse.find("texture")
        if texture is not None:
            return self.image(found, texture.get("texture", "")), None
        return None, np.clip(_numbers(color, np.float64)[:3], 0, 1) if color is not None else None

    def image(self, effect: ET.Element, name: str) -> Image.Image | None:
        """Follow sampler -> surface -> image -> file, if that lies beside the .dae."""
        params = {p.get("sid"): p for p in effect.iter("newparam")}
        for tag in ("sampler2D/source", "surface/init_from"):
            name = params[name].findtext(tag, name) if name in params else name
        element = self.by_id.get(name)
        file = (
            unquote((element.findtext("init_from") or "").strip().removeprefix("file://"))
            if element is not None
            else ""
        )
        if name not in self.images:
            target = beside(self.path, file) if file else None
            self.images[name] = picture(target, target) if target else None
        return self.images[name]


def _target(element: ET.Element, attribute: str = "") -> str:
    value = element.get(attribute) if attribute else element.get("url") or element.get("source")
    return unquote((value or "").lstrip("#"))


def _numbers(element: ET.Element | None, dtype: type) -> np.ndarray:
    return np.array((element.text or "").split() if element is not None else [], dtype)


def _transform(element: ET.Element) -> np.ndarray:
    matrix = np.eye(4)
    if element.tag == "matrix":
        return _numbers(element, np.float64).reshape(4, 4)
    if element.tag == "translate":
        matrix[:3, 3] = _numbers(element, np.float64)
    elif element.tag == "scale":
        matrix[:3, :3] = np.diag(_numbers(element, np.float64))
    elif element.tag == "rotate":
        *axis, degrees = _numbers(element, np.float64)
        matrix[:3, :3] = _rotation(np.array(axis), np.radians(degrees))
    return matrix


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
