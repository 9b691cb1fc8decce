"""How new generated shapes are: the nearest trained shape of each, and the two sets beside each other."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float

from isofield.errors import IsofieldError
from isofield.fields.field import Field, sdf_numpy
from isofield.mesh.area import sample_surface
from isofield.meshing.extract import Extraction, extract
from isofield.metrics.distances import point_to_surface
from isofield.metrics.sets import compare_sets
from isofield.metrics.surface import Surface, both_ways
from isofield.models.drawing import Generator

PROBES, CLAMP = 2048, 0.1  # fixed points where fields are compared; distances beyond are all alike
CLOSEST, COARSE = 3, 64  # by fields, whose surfaces are compared; resolution of a trained shape's surface
SAMPLES, CLOUD, SET = 4000, 1024, 64  # of two surfaces that are compared; of each cloud; shapes compared as sets


@dataclass(frozen=True)
class Novelty:
    """The nearest trained shape, its mesh in the unit frame, and the distance between the surfaces."""

    name: str
    mesh: trimesh.Trimesh
    distance: float


class Trained:
    """The shapes a generator was trained on: their fields at fixed points, their surfaces as they are asked for."""

    def __init__(self, generator: Generator):
        self.generator, self.names = generator, generator.names
        self.values = np.array([probed(generator.field(name)) for name in self.names])
        self._surfaces: dict[str, trimesh.Trimesh | None] = {}

    def surface(self, name: str) -> trimesh.Trimesh | None:
        """In the unit frame; None where the field has none."""
        if name not in self._surfaces:
            try:
                self._surfaces[name] = unit_mesh(extract(self.generator.field(name), COARSE))
            except IsofieldError:
                self._surfaces[name] = None
        return self._surfaces[name]

    def nearest(self, mesh: trimesh.Trimesh, values: Float[np.ndarray, " p"], but: str | None = None) -> Novelty | None:
        """Of the few whose fields are most alike, that with the nearest surface. but: one that does not count."""
        order = np.abs(self.values - values).mean(1).argsort()
        close = [self.names[i] for i in order if self.names[i] != but][:CLOSEST]
        found = [Novelty(n, s, surface_distance(mesh, s)) for n in close if (s := self.surface(n)) is not None]
        return min(found, key=lambda novelty: novelty.distance, default=None)


def compared(
    extractions: list[Extraction], fields: list[Field], generator: Generator
) -> tuple[list[Novelty | None], dict[str, Any]]:
    """For each new shape its novelty, and numbers about all; nothing where there are no trained shapes."""
    if not generator.names:
        return [None] * len(fields), {}
    trained, meshes = Trained(generator), [unit_mesh(extraction) for extraction in extractions]
    found = [trained.nearest(mesh, probed(field)) for mesh, field in zip(meshes, fields, strict=True)]
    chosen = np.random.default_rng(0).permutation(len(trained.names))[: min(len(meshes), SET)]
    known = {trained.names[i]: trained.values[i] for i in chosen if trained.surface(trained.names[i]) is not None}
    surfaces = {name: trained.surface(name) for name in known}
    among = [trained.nearest(surface, known[name], name) for name, surface in surfaces.items() if surface is not None]
    numbers = {
        "novelty": _median(found),
        "novelty_of_trained": _median(among),
        **_as_sets(meshes[:SET], [surface for surface in surfaces.values() if surface is not None]),
    }
    return found, numbers


def probed(field: Field) -> Float[np.ndarray, " p"]:
    """Its distances at fixed points of the unit ball, clamped: shapes are compared where their surfaces are."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(PROBES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return sdf_numpy(field, directions * rng.random((PROBES, 1)) ** (1 / 3)).clip(-CLAMP, CLAMP)


def surface_distance(a: trimesh.Trimesh, b: trimesh.Trimesh) -> float:
    """point_to_surface, of few samples: of meshes in the unit frame."""
    return point_to_surface(both_ways(Surface(a), Surface(b), SAMPLES))


def unit_mesh(extraction: Extraction) -> trimesh.Trimesh:
    """The mesh in the unit frame, with its colours."""
    mesh = extraction.mesh.copy()
    mesh.vertices = extraction.vertices_unit
    return mesh


def _as_sets(new: list[trimesh.Trimesh], known: list[trimesh.Trimesh]) -> dict[str, Any]:
    if len(new) < 2 or len(known) < 2:
        return {}
    clouds = [[np.asarray(sample_surface(mesh, CLOUD, 0)[0], np.float64) for mesh in meshes] for meshes in (new, known)]
    return compare_sets(*clouds)


def _median(found: list[Novelty | None]) -> float | None:
    distances = [novelty.distance for novelty in found if novelty is not None]
    return float(np.median(distances)) if distances else None
