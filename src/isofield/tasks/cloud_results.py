"""What a fit of points leaves behind: meshes that say what was seen, picture, report."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Int, UInt8
from trimesh.visual import ColorVisuals

from isofield.cloud.cloud import Cloud, frame_of
from isofield.errors import IsofieldError
from isofield.fields.classical.field import PointsField
from isofield.fields.field import Field
from isofield.files import write_json
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.meshing.extract import extract
from isofield.metrics.evaluate import audit_numbers
from isofield.metrics.ghosts import face_components
from isofield.metrics.residuals import Residuals, area_share
from isofield.progress import progress
from isofield.render.pictures import framing, save_png, side_by_side
from isofield.render.points import squares
from isofield.render.shade import CLAY, look, paint, picture
from isofield.tasks.results import size_of

OPEN = 0.1  # share of the surface without a point near, beyond which a scene is taken for open
SLOPE = 1.5  # of splines and least squares near their surface; elsewhere they are distances to points
INVENTED = (0.86, 0.37, 0.24)  # sRGB
PICTURE = 400  # pixels of a side


@dataclass(frozen=True)
class Result:
    """mesh: the surface found, in the user's coordinates; facts: what the report says of how it was found."""

    mesh: trimesh.Trimesh
    facts: dict[str, Any]


def extracted(folder: Path, field: Field, resolution: int) -> Result:
    """The surface of a field, of which the run folder holds a checkpoint."""
    with progress("extract", 1) as advance:
        bounded = field.lipschitz is not None or not isinstance(field, PointsField)
        found = extract(field, resolution, lipschitz=None if bounded else SLOPE)
        advance(1)
    guard = found.guard if bounded else "estimated"
    return Result(found.mesh, {**size_of(folder, field), "resolution": resolution, **found.cost, "guard": guard})


def write_cloud_results(
    folder: Path, cloud: Cloud, result: Result, close: bool, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write mesh.ply (vertex property `seen`), mesh.glb, preview.png, report.json; returns the report.

    cloud: cleaned, in the user's coordinates. close: keep what was invented, however much it is. There is no truth to
    measure against: the numbers are the distances of the points to the surface, and what the audit finds.
    """
    frame = frame_of(cloud)
    with progress("measure", 3) as advance:
        whole = Residuals.of(cloud.points, result.mesh, frame)
        mesh, seen, ghosts = _without_ghosts(result.mesh, whole.seen)
        trimmed = not close and area_share(mesh, seen) < 1 - OPEN
        if trimmed:
            mesh, seen = _seen_part(mesh, seen)
            left_out = f"{1 - whole.share:.0%} of the surface lies far from every point and is left out"
            print(f"isofield: {left_out}: the mesh is open; --close keeps it", file=sys.stderr)
        mesh.vertex_attributes["seen"] = seen.astype(np.uint8)
        write_mesh(mesh, folder / "mesh.ply")
        write_mesh(mesh, folder / "mesh.glb")
        advance(1)
        stored = read_mesh(folder / "mesh.ply")
        left = Residuals.of(cloud.points, stored, frame)
        advance(2)
        save_png(cloud_preview(cloud, mesh, seen), folder / "preview.png")
        advance(3)
    report = {
        **facts,
        **left.numbers(frame.scale),
        "trimmed": trimmed,
        "trimmed_share": 1 - whole.share if trimmed else 0.0,
        "ghosts_removed": ghosts,
        **audit_numbers(stored),
        **result.facts,
        "unit_length_user": frame.scale,
    }
    write_json(folder / "report.json", report)
    return report


def cloud_preview(cloud: Cloud, mesh: trimesh.Trimesh, seen: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """The points, the surface, and the surface with what was invented in red, from one side."""
    points, frame = squares(cloud.points, cloud.colors), frame_of(cloud)
    camera = framing(points, frame, PICTURE)
    surface = look(mesh, camera, frame)
    marked = np.where(np.asarray(seen, bool)[:, None], CLAY, INVENTED)
    images = [picture(points, camera, frame=frame), paint(mesh, surface), paint(mesh, surface, marked)]
    return side_by_side(images, ["points", "result", "red: invented"])


def _seen_part(mesh: trimesh.Trimesh, seen: np.ndarray) -> tuple[trimesh.Trimesh, np.ndarray]:
    """The faces whose corners are all seen, with the vertices they use and their colours."""
    faces = np.asarray(mesh.faces)[seen[mesh.faces].all(1)]
    if not len(faces):
        raise IsofieldError("no part of the surface found is near the points; give --close to see it all the same")
    return _part(mesh, without_pinches(faces), seen)


def _without_ghosts(mesh: trimesh.Trimesh, seen: np.ndarray) -> tuple[trimesh.Trimesh, np.ndarray, int]:
    """The mesh without the components that no point is near, and how many those were."""
    label = face_components(mesh)
    near = np.zeros(label.max() + 1, bool)
    near[label[seen[mesh.faces].any(1)]] = True
    if near.all() or not near.any():
        return mesh, seen, 0
    return *_part(mesh, np.asarray(mesh.faces)[near[label]], seen), int((~near).sum())


def without_pinches(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "g 3"]:
    """The faces but for those round vertices where borders touch: what is left is manifold with a border."""
    while len(faces):
        edges, count = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0, return_counts=True)
        pinched = np.bincount(edges[count == 1].ravel(), minlength=faces.max() + 1) > 2
        if not pinched.any():
            break
        faces = faces[~pinched[faces].any(1)]
    return faces


def _part(mesh: trimesh.Trimesh, faces: np.ndarray, seen: np.ndarray) -> tuple[trimesh.Trimesh, np.ndarray]:
    """Some faces of a mesh, with the vertices they use, their colours, and whether those are seen."""
    used, index = np.unique(faces, return_inverse=True)
    part = trimesh.Trimesh(np.asarray(mesh.vertices)[used], index.reshape(-1, 3), process=False)
    if isinstance(mesh.visual, ColorVisuals) and mesh.visual.kind == "vertex":
        part.visual = ColorVisuals(part, vertex_colors=np.asarray(mesh.visual.vertex_colors)[used])
    return part, seen[used]
