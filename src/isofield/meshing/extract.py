"""Field in, closed mesh out: the same vertices as dense marching cubes, from few queries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import trimesh
from jaxtyping import Float, UInt8

from isofield.errors import InputError, IsofieldError
from isofield.fields.field import Field, color_numpy
from isofield.mesh.audit import audit
from isofield.meshing.cases import CASES, CORNERS, EDGE_HIGH, EDGE_LOW
from isofield.meshing.dense import all_crossed_cells
from isofield.meshing.lattice import Lattice, Samples
from isofield.meshing.marching_cubes import NEAREST, case_numbers, polygonise
from isofield.meshing.search import Crossed, crossed_cells
from isofield.meshing.slopes import SlopeBound

ROUNDS = 3  # how often an estimated bound may be raised before everything is asked
STEEPER = 1.01  # a slope on the surface this much above a stated bound disproves it
FLOAT32_STEPS = 4  # vertices stay so many float32 steps of the user's coordinates apart

Guard = Literal["proven", "estimated", "dense"]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Extraction:
    """A mesh, how many queries it took, and what is known about it."""

    mesh: trimesh.Trimesh  # in the user's frame, outward faces, vertex colours where the field has colour
    vertices_unit: Float[np.ndarray, "v 3"]  # the same vertices in the unit frame
    queries: int  # how often the field was asked for a distance
    dense_queries: int  # the number of lattice points
    guard: (
        Guard  # why no part is missing: a stated Lipschitz bound held, an estimated one held, or every point was asked
    )
    watertight: bool
    manifold: bool

    @property
    def cost(self) -> dict[str, Any]:
        """What reports say of it."""
        return {"queries": self.queries, "dense_queries": self.dense_queries, "guard": self.guard}


def extract(
    field: Field,
    resolution: int = 256,
    *,
    level: float = 0.0,
    lipschitz: float | None = None,
    progress: Progress | None = None,
) -> Extraction:
    """The surface `field == level` on a lattice of `resolution` points along the longest side of the field's bounds.

    Blocks are pruned where a Lipschitz bound forbids a zero: `lipschitz`, else the one the field states, else an
    estimate that is checked against the slopes met and raised where it proves too low. The surface is then followed
    from cell to cell, so it is closed whatever the bound was worth; where it leaves the bounds it is capped.
    `progress` is told what happens in words. Raises IsofieldError when the field has no surface at this level or is
    not finite.
    """
    if resolution < 2:
        raise InputError("resolution", f"{resolution} points make no cell", "give at least 2")
    samples = Samples(field, Lattice.over(field, resolution), level)
    say = progress or (lambda message: None)
    crossed, guard = _search(samples, field.lipschitz if lipschitz is None else lipschitz, say)
    if not len(crossed.cells) or not samples.low < 0 <= samples.high:
        raise IsofieldError(_why_empty(samples))
    say(f"{samples.queries} queries of {samples.lattice.size}, {len(crossed.cells)} cells crossed, guard {guard}")
    vertices, faces = polygonise(crossed.cells, crossed.corners, nearest(samples.lattice, field))
    return _finish(field, samples, samples.lattice.points(vertices), faces, guard)


def _search(samples: Samples, lipschitz: float | None, say: Progress) -> tuple[Crossed, Guard]:
    """The crossed cells, by a stated bound, an estimated one (raised where need be), or all of them."""
    bound = SlopeBound(lipschitz)
    for _ in range(ROUNDS):
        crossed = crossed_cells(samples, bound)
        if crossed is None:
            break
        slope = _steepest(crossed, samples.lattice.spacing)
        if lipschitz is not None:
            held = not len(samples.contradicted) and slope <= lipschitz * STEEPER
            return crossed, "proven" if held else "estimated"
        bound.see(1, np.zeros(1), np.full(1, slope))
        if not bound.broken():
            return crossed, "estimated"
        say("the field is steeper than estimated: looking again")
        bound.renew()
        samples.forget_assumptions()
    say("no bound helps: asking every lattice point")
    return all_crossed_cells(samples), "dense"


def _steepest(crossed: Crossed, spacing: float) -> float:
    """The largest slope along a crossed edge."""
    cell, edge = np.nonzero(CASES.cut[case_numbers(crossed.corners < 0)])
    with np.errstate(invalid="ignore"):
        change = np.abs(crossed.corners[cell, EDGE_HIGH[edge]] - crossed.corners[cell, EDGE_LOW[edge]])
    return float(change[np.isfinite(change)].max(initial=0.0)) / spacing


def nearest(lattice: Lattice, field: Field) -> float:
    """How far vertices keep from lattice points, so that they stay distinct as float32 in the user's frame."""
    corners = field.frame.to_user(lattice.points(np.array(lattice.shape) * CORNERS))
    step = float(np.spacing(np.float32(np.abs(corners).max())))
    return float(np.clip(FLOAT32_STEPS * step / (lattice.spacing * field.frame.scale), NEAREST, 0.25))


def _finish(field: Field, samples: Samples, vertices: np.ndarray, faces: np.ndarray, guard: Guard) -> Extraction:
    mesh = trimesh.Trimesh(field.frame.to_user(vertices), faces, process=False)
    if field.has_color:
        mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=rgba(color_numpy(field, vertices)))
    found, asked = audit(mesh), (samples.queries, samples.lattice.size)
    return Extraction(mesh, vertices, *asked, guard, found.watertight, found.manifold)


def rgba(rgb: Float[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "n 4"]:
    """sRGB in [0, 1] as opaque bytes."""
    rgba = np.full((len(rgb), 4), 255, np.uint8)
    rgba[:, :3] = np.clip(np.round(255 * rgb), 0, 255)
    return rgba


def _why_empty(samples: Samples) -> str:
    low, high = samples.low + samples.level, samples.high + samples.level
    seen = f"{samples.queries} values lie between {low:.6g} and {high:.6g}"
    found = f"the field has no surface at level {samples.level:g}: {seen}"
    if low == high:
        return f"{found}, so it is constant; was it trained or filled at all?"
    if samples.low >= 0:
        return f"{found}, so all is outside; is the level too low, the shape beyond the bounds or thinner than a cell?"
    return f"{found}, so all is inside; is the level too high, or the sign turned over?"
