"""Views as JSON for the page's viewer: quantised, in base64, all in one common box so that they turn together."""

from base64 import b64encode

import numpy as np
from jaxtyping import Float

from isofield.demo.display import View


def packed(views: list[View], up: str = "y") -> list[dict]:
    """Each view as {label, vertices, faces, span, index_bytes, positions, normals, indices, layers}.

    positions: uint16, 65535 for the side of a cube around all views and about the first one's centre; span: diagonal of
    the first one's box over that side, so that stray parts of others do not make it small; normals: int8 x 3; indices:
    uint16 or uint32; layers: uint8 x 3 for each name. up: the axis of the meshes that points up; the page's is y.
    """
    points = [_y_up(np.asarray(view.mesh.vertices, np.float64), up) for view in views]
    low, high = points[0].min(0), points[0].max(0)
    center, diagonal = (low + high) / 2, max(float(np.linalg.norm(high - low)), 1e-300)
    side = max(diagonal, *(2 * float(np.abs(p - center).max()) for p in points))
    shared = {"span": diagonal / side}
    return [shared | _pack(view, (p - center) / side + 0.5, up) for view, p in zip(views, points, strict=True)]


def _pack(view: View, points: Float[np.ndarray, "v 3"], up: str) -> dict:
    corner = np.asarray(view.mesh.faces, np.int64).reshape(-1)
    normals = (_y_up(view.normals.reshape(-1, 3), up) * 127).round().astype(np.int8)
    rows, indices = np.unique(np.column_stack([corner, normals]), axis=0, return_inverse=True)
    source, width = rows[:, 0], np.uint16 if len(rows) < 1 << 16 else np.uint32
    return {
        "label": view.label,
        "vertices": len(rows),
        "faces": len(view.mesh.faces),
        "index_bytes": np.dtype(width).itemsize,
        "positions": _base64((points[source] * 65535).round().astype("<u2")),
        "normals": _base64(rows[:, 1:].astype(np.int8)),
        "indices": _base64(indices.reshape(-1).astype(width)),
        "layers": {name: _base64(colors[source]) for name, colors in view.layers.items()},
    }


def _y_up(vectors: np.ndarray, up: str) -> np.ndarray:
    return vectors if up == "y" else np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], -1)


def _base64(array: np.ndarray) -> str:
    return b64encode(np.ascontiguousarray(array).tobytes()).decode()
