"""`isofield mesh`: a run's field becomes a mesh file."""

import sys
import time
from typing import Any

import trimesh

from isofield.mesh.audit import audit_file
from isofield.mesh.write import check_writable, write_mesh
from isofield.runs import load
from isofield.settings.common import METERS, Unit
from isofield.settings.shapes import MeshSettings


def run_mesh(settings: MeshSettings) -> dict[str, Any]:
    """Extract, convert, reduce, write, and audit the file as read back with equal vertices merged.

    Returns the verb's JSON. `seconds` is the extraction alone, `peak_memory` (bytes) the process's so far or None where
    the system does not say. Raises InputError for an output that cannot be written, before any work.
    """
    check_writable(settings.output)
    field = load(settings.input, settings.shape, latent_seed=settings.latent_seed, truncation=settings.truncation)

    from isofield.meshing.extract import extract

    begun = time.perf_counter()
    extraction = extract(field, settings.resolution, progress=_say)
    seconds = time.perf_counter() - begun

    mesh = scaled(extraction.mesh, settings.from_units, settings.units)
    if settings.faces is not None:
        mesh = reduced(mesh, settings.faces)
    write_mesh(mesh, settings.output, up=settings.up)
    audit = audit_file(settings.output)
    return {
        "output": str(settings.output),
        "resolution": settings.resolution,
        **extraction.cost,
        "watertight": audit.watertight,
        "manifold": audit.manifold,
        "components": audit.components,
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "seconds": seconds,
        "peak_memory": peak_memory(),
    }


def scaled(mesh: trimesh.Trimesh, from_units: Unit | None, units: Unit | None) -> trimesh.Trimesh:
    """The mesh in other units of length; as it is where none are given."""
    if from_units is None or units is None or from_units == units:
        return mesh
    mesh = mesh.copy()
    mesh.vertices = mesh.vertices * (METERS[from_units] / METERS[units])
    return mesh


def reduced(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """The mesh with about so many faces; as it is where it has no more."""
    if len(mesh.faces) <= faces:
        return mesh
    from isofield.meshing.decimate import decimate

    return decimate(mesh, faces)


def _say(message: str) -> None:
    print(f"mesh: {message}", file=sys.stderr)


def peak_memory() -> int | None:
    """Largest resident memory of this process so far, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
