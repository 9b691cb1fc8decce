"""Geometry held as a signed distance function: negative inside, positive outside."""

import os
from importlib import import_module

# Waiting threads spin for microseconds, then sleep. On a busy machine longer spinning costs up to six times the CPU
# time; on a quiet one no spinning at all costs a quarter of the speed of small networks.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0.dev0"

# Public names and where they live. Loaded on first use, so that `import isofield` needs no torch.
_HOMES = {
    "UnitFrame": "isofield.frame",
    "InputError": "isofield.errors",
    "read_mesh": "isofield.mesh.read",
    "write_mesh": "isofield.mesh.write",
    "inspect": "isofield.mesh.inspect",
    "audit": "isofield.mesh.audit",
    "MeshDistance": "isofield.mesh.distance",
    "sample": "isofield.mesh.sample",
    "Field": "isofield.fields.field",
    "ExactField": "isofield.fields.exact",
    "SparseGrid": "isofield.fields.grid",
    "NeuralField": "isofield.fields.neural",
    "ShapeSpace": "isofield.fields.space",
    "extract": "isofield.meshing.extract",
    "evaluate": "isofield.metrics.evaluate",
    "fit": "isofield.tasks.fit",
    "load": "isofield.runs",
}

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'isofield' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
