"""Parts to one mesh, each keeping its own vertices."""

from collections.abc import Sequence

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8
from trimesh.visual import ColorVisuals

from isofield.synthesis.parts import Part


def assemble(parts: Sequence[Part]) -> trimesh.Trimesh:
    """One mesh with vertex colours; where two colours meet within a part, its vertices are doubled."""
    pieces = [painted(part) for part in parts]
    offsets = np.cumsum([0, *(len(vertices) for vertices, _, _ in pieces)])
    faces = np.concatenate([piece[1] + offset for piece, offset in zip(pieces, offsets[:-1], strict=True)])
    mesh = trimesh.Trimesh(np.concatenate([piece[0] for piece in pieces]), faces, process=False)
    mesh.visual = ColorVisuals(mesh, vertex_colors=np.concatenate([piece[2] for piece in pieces]))
    return mesh


def painted(part: Part) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"], UInt8[np.ndarray, "v 4"]]:
    """Vertices, faces and vertex colours of a part as they go into the file."""
    vertices, faces = part.solid.vertices, part.solid.faces
    colors = np.rint(np.clip(part.colors, 0, 255)).astype(np.int64)
    if part.smooth or colors.ndim == 1:
        return vertices, faces, _rgba(np.broadcast_to(colors, (len(vertices), 3)))
    packed = np.repeat(np.einsum("fc,c->f", colors, np.array([1 << 16, 1 << 8, 1])), 3)
    keys, first, corners = np.unique(faces.reshape(-1) << 24 | packed, return_index=True, return_inverse=True)
    return vertices[keys >> 24], corners.reshape(-1, 3), _rgba(colors[first // 3])


def _rgba(colors: np.ndarray) -> UInt8[np.ndarray, "v 4"]:
    return np.concatenate([colors, np.full((len(colors), 1), 255)], 1).astype(np.uint8)
