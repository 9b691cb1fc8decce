"""What is kept beside the mesh of a shape: its label, parts, boxes, tree, symmetries and neighbours, as JSON."""

from dataclasses import asdict
from typing import Any

import numpy as np

from isofield.synthesis.assemble import painted
from isofield.synthesis.parts import Member, Part, Shape
from isofield.synthesis.touching import touching


def document(shape: Shape) -> dict[str, Any]:
    """Of a shape in the unit frame; rows `vertices` and `faces` of each part are those of `assemble`."""
    parts = shape.parts
    return {
        "label": shape.label,
        "parameters": _plain(shape.parameters),
        "parts": _parts(parts),
        "adjacency": [list(pair) for pair in touching(parts)],
        "tree": _node(shape.root, {id(part): k for k, part in enumerate(parts)}),
    }


def _parts(parts: tuple[Part, ...]) -> list[dict[str, Any]]:
    rows, vertex, face, seen = [], 0, 0, dict[str, int]()
    for part in parts:
        vertices, faces, _ = painted(part)
        number = seen[part.label] = seen.get(part.label, -1) + 1
        rows.append(
            {
                "name": f"{part.label} {number}",
                "label": part.label,
                "box": box(part),
                "vertices": [vertex, vertex + len(vertices)],
                "faces": [face, face + len(faces)],
            }
        )
        vertex, face = vertex + len(vertices), face + len(faces)
    return rows


def box(part: Part) -> dict[str, Any]:
    """The smallest box along the part's own axes: centre, edge lengths, axes as rows."""
    along = np.einsum("vk,ak->va", part.solid.vertices, part.solid.axes)
    low, high = along.min(0), along.max(0)
    center = np.einsum("a,ak->k", (low + high) / 2, part.solid.axes)
    return {"center": center.tolist(), "size": (high - low).tolist(), "axes": part.solid.axes.tolist()}


def _node(member: Member, index: dict[int, int]) -> dict[str, Any]:
    if isinstance(member, Part):
        return {"label": member.label, "part": index[id(member)]}
    node: dict[str, Any] = {"label": member.label}
    if member.symmetry is not None:
        node["symmetry"] = {"kind": type(member.symmetry).__name__.lower(), **asdict(member.symmetry)}
    node["children"] = [_node(child, index) for child in member.members]
    return node


def _plain(value: Any) -> Any:
    """Arrays to lists of whole numbers (they are colours), everything else as it is."""
    if isinstance(value, np.ndarray):
        return np.rint(value).astype(int).tolist()
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
