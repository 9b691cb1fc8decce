"""What a fit leaves behind: meshes, picture, report."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from isofield.fields.field import Field
from isofield.fields.saved import Saveable
from isofield.fields.space import ShapeSpace
from isofield.files import write_json
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.meshing.extract import extract
from isofield.metrics.evaluate import evaluate, evaluate_field
from isofield.progress import progress
from isofield.render.pictures import preview, save_png
from isofield.runs import list_checkpoints
from isofield.tasks.training import Cost


def write_results(
    folder: Path, mesh: trimesh.Trimesh, field: Field, cost: Cost, resolution: int, seed: int, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write mesh.ply, mesh.glb, preview.png and report.json into a run folder; returns the report.

    Every number about the mesh is measured on mesh.ply as read back, against `mesh` in the user's frame.
    """
    with progress("measure", 4) as advance:
        extraction = extract(field, resolution)
        write_mesh(extraction.mesh, folder / "mesh.ply")
        write_mesh(extraction.mesh, folder / "mesh.glb")
        advance(1)
        result = read_mesh(folder / "mesh.ply")
        numbers = evaluate(result, mesh, seed=seed)
        advance(2)
        numbers |= evaluate_field(field, mesh, seed=seed)
        advance(3)
        save_png(preview(mesh, result), folder / "preview.png")
        advance(4)
    report = {
        **facts,
        **numbers,
        **size_of(folder, field),
        **asdict(cost),
        "resolution": resolution,
        **extraction.cost,
    }
    write_json(folder / "report.json", report)
    return report


def described(report: dict[str, Any], folder: Path) -> str:
    """What a person wants to know of a fit, of a mesh, of points or of pictures, in a few lines."""
    closed = (
        "closed" if report["watertight"] and report["manifold"] else "open" if report["manifold"] else "not manifold"
    )
    lines = [f"{folder / 'mesh.glb'}, {folder / 'mesh.ply'}: {closed}, pieces: {report['components']:,}"]
    if "point_to_surface" in report:
        mean, user = report["point_to_surface"], report["point_to_surface_user"]
        lines.append(f"distance to the input: {mean:.1e} of its radius in the mean, {user:.3g} in the file's units")
    elif "psnr" in report:
        if report["psnr"] is not None:
            overlap = report["silhouette_iou"]
            outlines = "" if overlap is None else f", outlines overlap by {overlap:.1%}"
            lines.append(f"pictures held out: {report['psnr']:.1f} dB{outlines}")
    else:
        mean, user = report["residual_mean"], report["residual_mean_user"]
        lines.append(f"distance of the points to it: {mean:.1e} of their radius in the mean, {user:.3g} in their units")
        lines.append(f"invented, far from every point: {report['invented_share']:.1%} of the surface")
    trained = f"{report['steps']:,} steps, " if report["steps"] else ""
    lines.append(f"cost: {trained}{report['cpu_seconds']:.3g} s of processor time")
    lines.append(f"look at {folder / 'preview.png'}; all numbers are in {folder / 'report.json'}")
    if ghosts := report.get("ghost_components"):
        what = f"{ghosts:,} piece{'s' * (ghosts > 1)} of it float far from the input"
        longer = (
            f"train longer (--steps {max(4 * report['steps'], 1200)})"
            if report["steps"]
            else "try another --resolution"
        )
        lines.append(f"poor: {what}; {longer}")
    return "".join(f"{line}\n" for line in lines)


def size_of(folder: Path, field: Field | ShapeSpace) -> dict[str, int]:
    """Numbers stored, and the bytes of the file that stores them."""
    assert isinstance(field, Saveable)
    _, newest = max(list_checkpoints(folder))
    parameters = sum(int(np.prod(tensor.shape)) for tensor in field.tensors().values())
    return {"parameters": parameters, "bytes": (newest / "model.safetensors").stat().st_size}
