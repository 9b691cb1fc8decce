"""What a fit leaves behind: meshes, picture, report."""

from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from isofield.fields.field import Field
from isofield.fields.saved import Saveable
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
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "steps": cost.steps,
        "resolution": resolution,
        "queries": extraction.queries,
        "dense_queries": extraction.dense_queries,
        "guard": extraction.guard,
    }
    write_json(folder / "report.json", report)
    return report


def size_of(folder: Path, field: Field) -> dict[str, int]:
    """Numbers stored, and the bytes of the file that stores them."""
    assert isinstance(field, Saveable)
    _, newest = max(list_checkpoints(folder))
    parameters = sum(int(np.prod(tensor.shape)) for tensor in field.tensors().values())
    return {"parameters": parameters, "bytes": (newest / "model.safetensors").stat().st_size}
