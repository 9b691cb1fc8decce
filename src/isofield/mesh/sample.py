"""Points on and around a mesh with their exact signed distances: what fields are fitted to."""

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, Float32

from isofield.frame import UnitFrame
from isofield.mesh.area import face_normals, spread
from isofield.mesh.cleanup import cleaned
from isofield.mesh.color import color_kind, surface_colors
from isofield.mesh.outer import SolidDistance

DEEPSDF_NEAR = (0.0707, 0.0224)  # standard deviations: Park et al. 2019, supplement, variances 0.005 and 0.0005
DEEPSDF_NEAR_FRACTION = 0.94  # about 500,000 near the surface to 30,000 in the volume: likewise


@dataclass(frozen=True)
class SdfSamples:
    """Samples of the signed distance to a shape, in its unit frame, float32.

    sdf: negative inside; closest: nearest point of the surface; normals: unit face normals there; colors: sRGB in
    [0, 1] there; directions: unit view directions, from a camera outside to the point.
    """

    points: Float32[np.ndarray, "n 3"]
    sdf: Float32[np.ndarray, " n"]
    closest: Float32[np.ndarray, "n 3"]
    normals: Float32[np.ndarray, "n 3"]
    colors: Float32[np.ndarray, "n 3"] | None
    directions: Float32[np.ndarray, "n 3"] | None
    frame: UnitFrame
    label: str | None = None
    source: str = ""

    def __len__(self) -> int:
        return len(self.points)


def sample(
    mesh: trimesh.Trimesh,
    count: int = 500_000,
    *,
    seed: int = 0,
    near: tuple[float, ...] = DEEPSDF_NEAR,
    near_fraction: float = DEEPSDF_NEAR_FRACTION,
    directions: bool = False,
    label: str | None = None,
    source: str = "",
) -> SdfSamples:
    """`count` samples: a fraction near the surface, shared out over the Gaussians `near` (standard deviations in the
    unit frame), the others uniform in the cube [-1, 1]^3; in random order, the same for the same seed.

    Faces are cleaned first (`clean_faces`), and walls within the solid are no surface (`SolidDistance`); the mesh
    itself is not changed. Colours come with any mesh that has some.
    Raises InputError where no triangle has an area.
    """
    frame, vertices, faces, done = cleaned(mesh, source or "mesh")
    rng = np.random.default_rng(seed)
    surface = SolidDistance(vertices, faces)
    points = _points(rng, surface.boundary.vertices, surface.boundary.faces, count, near, near_fraction)
    distance, face, closest = surface.closest(points)
    normals = face_normals(vertices, faces)[face]
    colors = None
    if color_kind(mesh) != "none":
        colors = surface_colors(mesh, done.kept[face], frame.to_user(closest)).astype(np.float32)
    return SdfSamples(
        points=points,
        sdf=(surface.sign(points) * distance).astype(np.float32),
        closest=closest.astype(np.float32),
        normals=normals.astype(np.float32),
        colors=colors,
        directions=view_directions(rng, normals).astype(np.float32) if directions else None,
        frame=frame,
        label=label,
        source=source,
    )


def view_directions(rng: np.random.Generator, normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Random unit directions in which a camera outside sees a surface: evenly over the half sphere facing it."""
    directions = rng.standard_normal(normals.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    away = np.einsum("nd,nd->n", directions, normals) > 0
    return np.where(away[:, None], -directions, directions)


def _points(
    rng: np.random.Generator,
    vertices: np.ndarray,
    faces: np.ndarray,
    count: int,
    near: tuple[float, ...],
    near_fraction: float,
) -> np.ndarray:
    around = round(count * near_fraction) if near else 0
    points = rng.uniform(-1, 1, (count, 3))
    deviation = np.resize(near, around)[:, None] if around else np.zeros((0, 1))
    points[:around] = spread(rng, vertices, faces, around)[0] + deviation * rng.standard_normal((around, 3))
    return rng.permutation(points).astype(np.float32)
