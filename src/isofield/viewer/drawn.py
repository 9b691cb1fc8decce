"""The triangles or points of an item as they are drawn, with every colouring they can have. (Imports torch.)"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Shaped, UInt8
from scipy.spatial import cKDTree

from isofield.cloud.cloud import Cloud
from isofield.demo.display import decimated, refined, to_uint8
from isofield.errors import IsofieldError
from isofield.fields.field import Field
from isofield.mesh.audit import audit
from isofield.mesh.color import color_kind
from isofield.meshing.extract import extract
from isofield.metrics.residuals import Residuals
from isofield.render.camera import Vector
from isofield.render.colormap import error_colors
from isofield.render.shade import CLAY
from isofield.settings.common import Colors
from isofield.viewer.items import Item
from isofield.viewer.layout import view_axes

FACES = 100_000  # to which coarse meshes are cut, so that textures and errors show
MOST_FACES = 400_000  # to which finer meshes are thinned, but for textured ones
MOST_POINTS = 200_000
SEEN, INVENTED = (0.30, 0.58, 0.80), (0.95, 0.62, 0.25)


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles in the user's coordinates, unit normals at their corners, sRGB at their vertices if they have colours.

    about: what the mesh was before it was cut finer or thinned for display, or why there is none.
    """

    item: Item
    mesh: trimesh.Trimesh
    normals: Float[np.ndarray, "f 3 3"]
    own: UInt8[np.ndarray, "v 3"] | None
    about: str

    @cached_property
    def errors(self) -> Float[np.ndarray, " v"] | None:
        """Distance of the vertices to the truth, in percent of its radius."""
        return None if self.item.truth is None else self.item.truth.errors(self.mesh.vertices)

    @cached_property
    def seen(self) -> Bool[np.ndarray, " v"] | None:
        """False at vertices that were invented: as the nearest vertex of the file says, or the points of the scan."""
        if self.item.seen is not None and isinstance(self.item.shape, trimesh.Trimesh):
            return self.item.seen[cKDTree(self.item.shape.vertices).query(self.mesh.vertices)[1]]
        if self.item.scan is not None and len(self.mesh.faces):
            return Residuals.of(thinned(self.item.scan).points, self.mesh, self.item.frame).seen
        return None

    def bare(self, up: Vector) -> UInt8[np.ndarray, "v 3"]:
        """Clay: triangles are lit when they are drawn."""
        return np.tile(to_uint8(np.array([CLAY])), (len(self.mesh.vertices), 1))


@dataclass(frozen=True, eq=False)
class Points:
    """Some or all points of a cloud."""

    item: Item
    cloud: Cloud
    about: str
    seen = None

    @property
    def own(self) -> UInt8[np.ndarray, "n 3"] | None:
        return self.cloud.colors

    @cached_property
    def errors(self) -> Float[np.ndarray, " n"] | None:
        """Distance to the truth, in percent of its radius."""
        return None if self.item.truth is None else self.item.truth.errors(self.cloud.points)

    def bare(self, up: Vector) -> UInt8[np.ndarray, "n 3"]:
        """Clay, lit from the start view where there are normals, else paler upwards: points are drawn as they are."""
        if self.cloud.normals is not None:
            light = np.abs(self.cloud.normals @ view_axes(up)[:, 2])
        else:
            height = self.cloud.points @ np.array(up)
            light = (height - height.min()) / max(float(np.ptp(height)), 1e-30)
        return to_uint8((0.35 + 0.65 * light[:, None]) * np.array(CLAY))


Drawn = Surface | Points


def drawn(item: Item, resolution: int = 128, level: float = 0.0) -> Drawn:
    """The item as it is drawn; the surface of a run on a lattice of this resolution, at this level (unit lengths)."""
    if isinstance(item.shape, Field):
        return _of_field(item, item.shape, resolution, level)
    return _of_cloud(item, item.shape) if isinstance(item.shape, Cloud) else _of_mesh(item, item.shape)


def colored(part: Drawn, colors: Colors, limit: float, up: Vector) -> UInt8[np.ndarray, "n 3"]:
    """sRGB at vertices or points; clay where they lack what is asked for. limit: percent, of the darkest error."""
    if colors == "own" and part.own is not None:
        return part.own
    if colors == "error" and part.errors is not None:
        return to_uint8(error_colors(part.errors, limit))
    if colors == "seen" and part.seen is not None:
        return to_uint8(np.where(part.seen[:, None], SEEN, INVENTED))
    return part.bare(up)


def note(part: Drawn) -> str:
    """A line about it."""
    if part.errors is None or not len(part.errors):
        return f"{part.item.name}: {part.about}"
    mean, most = part.errors.mean(), part.errors.max()
    return (
        f"{part.item.name}: {part.about}; {mean:.3g} % of the radius off at vertices on average, {most:.3g} % at most"
    )


def _of_field(item: Item, field: Field, resolution: int, level: float) -> Surface:
    try:
        found = extract(field, resolution, level=level)
    except IsofieldError as error:
        return Surface(item, trimesh.Trimesh(), np.zeros((0, 3, 3)), None, str(error))
    shown = decimated(found.mesh, MOST_FACES)
    return Surface(item, shown.mesh, shown.normals, shown.colors, _counted(found.mesh, found.watertight))


def _of_mesh(item: Item, mesh: trimesh.Trimesh) -> Surface:
    large = len(mesh.faces) > MOST_FACES and color_kind(mesh) in ("none", "vertex")
    shown = decimated(mesh, MOST_FACES) if large else refined(mesh, FACES)
    return Surface(item, shown.mesh, shown.normals, shown.colors, _counted(mesh, audit(mesh).watertight))


def _of_cloud(item: Item, cloud: Cloud) -> Points:
    some = thinned(cloud)
    part = f", {len(some):,} shown" if len(some) < len(cloud) else ""
    return Points(item, some, f"{len(cloud):,} points{part}")


def _counted(mesh: trimesh.Trimesh, closed: bool) -> str:
    return f"{len(mesh.faces):,} triangles, {'closed' if closed else 'not closed'}"


def thinned(cloud: Cloud, most: int = MOST_POINTS) -> Cloud:
    """At most so many of the points, evenly over the rows."""
    return cloud if len(cloud) <= most else cloud.take(np.linspace(0, len(cloud) - 1, most).astype(np.int64))


def spacing(points: Shaped[np.ndarray, "n 3"], probes: int = 2000) -> float:
    """Median distance of a point to its nearest neighbour."""
    if len(points) < 2:
        return 0.0
    some = points[np.linspace(0, len(points) - 1, min(probes, len(points))).astype(np.int64)]
    return float(np.median(cKDTree(points).query(some, k=2)[0][:, 1]))
