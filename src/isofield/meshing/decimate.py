"""Fewer faces, still closed and manifold."""

import numpy as np
import trimesh

from isofield.errors import InputError, IsofieldError
from isofield.mesh.audit import audit

GENTLER = 1.5  # how many times more faces are kept where the wish cannot be met
TRIES = 8


def decimate(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """About `faces` faces by quadric error metrics (Garland and Heckbert 1997).

    Vertex colours are taken from the nearest vertex. A closed and manifold mesh stays so: where the simplification
    would break it, more faces are kept, at worst all.
    Raises IsofieldError when fast-simplification is not installed, InputError for fewer than 4 faces.
    """
    if faces < 4:
        raise InputError("decimate", f"{faces} faces cannot close a surface", "ask for at least 4")
    before = audit(mesh)
    target = float(faces)
    for _ in range(TRIES):
        if target >= len(mesh.faces):
            break
        result = _simplify(mesh, int(target))
        after = audit(result)
        if (after.watertight, after.manifold) >= (before.watertight, before.manifold) and len(result.faces):
            return _with_colors(result, mesh)
        target *= GENTLER
    return mesh


def _simplify(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    try:
        from fast_simplification import simplify
    except ImportError as error:
        raise IsofieldError("decimation needs fast-simplification: pip install 'isofield[texture]'") from error
    low, size = mesh.vertices.min(axis=0), float(np.ptp(mesh.vertices, axis=0).max()) or 1.0
    points = ((mesh.vertices - low) / size).astype(np.float32)
    vertices, triangles = simplify(points, mesh.faces.astype(np.int32), target_count=faces, agg=3)
    used, triangles = np.unique(triangles, return_inverse=True)
    return trimesh.Trimesh(vertices[used] * size + low, triangles.reshape(-1, 3), process=False)


def _with_colors(result: trimesh.Trimesh, source: trimesh.Trimesh) -> trimesh.Trimesh:
    if not isinstance(source.visual, trimesh.visual.ColorVisuals) or source.visual.kind != "vertex":
        return result
    from scipy.spatial import KDTree

    _, nearest = KDTree(source.vertices).query(result.vertices)
    colors = np.asarray(source.visual.vertex_colors)[nearest]
    result.visual = trimesh.visual.ColorVisuals(result, vertex_colors=colors)
    return result
