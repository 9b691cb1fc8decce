"""How a surface fits points that have no true surface to compare with."""

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Shaped

from isofield.frame import UnitFrame
from isofield.mesh.distance import MeshDistance
from isofield.mesh.surfels import Surfels

FAR = 2.0  # radii of surfels from a point to the surface, or from the surface to every point, that are too many
SPARSE = 2.0  # times the median, a surfel is no larger: single points do not vouch for a wide surface
NOISE = 4.0  # likewise in median residuals, where the points are denser than they are exact


@dataclass(frozen=True, eq=False)
class Residuals:
    """distance (n,): of each point to the surface, in the unit frame; limit: beyond which a point is off the surface;
    seen (v,): vertices of the surface with a point of the cloud near; share: of the surface's area that is seen."""

    distance: Float[np.ndarray, " n"]
    limit: float
    seen: Bool[np.ndarray, " v"]
    share: float

    @classmethod
    def of(cls, points: Shaped[np.ndarray, "n 3"], mesh: trimesh.Trimesh, frame: UnitFrame) -> "Residuals":
        """Points and mesh in the user's coordinates. A vertex is seen where a point is no farther than two
        spacings of the points there."""
        surfels = Surfels(frame.to_unit(points))
        vertices, faces = frame.to_unit(mesh.vertices), np.asarray(mesh.faces)
        distance = MeshDistance(vertices, faces).closest(frame.to_unit(points)).distance
        spacing, noise = float(np.median(surfels.radius)), NOISE * float(np.median(distance))
        reach, near = surfels.tree.query(vertices)
        seen = reach <= np.maximum(FAR * surfels.radius[near].clip(spacing, SPARSE * spacing), noise)
        return cls(distance, max(FAR * spacing, noise), seen, area_share(mesh, seen))

    def numbers(self, scale: float) -> dict[str, float]:
        """For the report: residuals in the unit frame and in the user's units, shares of points and area."""
        found = {
            "residual_mean": float(self.distance.mean()),
            "residual_median": float(np.median(self.distance)),
            "residual_95": float(np.quantile(self.distance, 0.95)),
        }
        user = {f"{name}_user": value * scale for name, value in found.items()}
        off = float((self.distance > self.limit).mean())
        return found | user | {"points_off": off, "seen_share": self.share, "invented_share": 1 - self.share}


def area_share(mesh: trimesh.Trimesh, chosen: Bool[np.ndarray, " v"]) -> float:
    """Of the faces' area, each face counted by how many of its corners are chosen."""
    faces = np.asarray(mesh.faces)
    a, b, c = np.moveaxis(np.asarray(mesh.vertices)[faces], 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return float((area * chosen[faces].mean(1)).sum() / max(area.sum(), np.finfo(float).tiny))
