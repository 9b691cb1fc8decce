"""Oriented points in, the most accurate closed field that no training gives out."""

import numpy as np
from jaxtyping import Float, Shaped

from isofield.fields.classical.mls import MlsField
from isofield.fields.classical.points import OrientedPoints
from isofield.fields.classical.poisson import PoissonField, cells_of_size
from isofield.fields.exact import ExactField
from isofield.frame import UnitFrame
from isofield.meshing.extract import extract

FARTHEST = 0.75  # cells of the Poisson lattice that a vertex may move: thin parts must not be turned inside out
STEPS = 2  # of Newton's method towards the surface of moving least squares
CELL_OF_SPACING, VERTICES_OF_SPACING = 0.8, 0.6  # of the points: cells of the Poisson lattice, distance of vertices
CELL_OF_SUPPORT = 0.25  # cells need not be finer than this part of the radius over which noise is averaged
VERTICES_OF_SUPPORT = 1 / 12  # likewise the vertices: their chords cut what bends
SLOPE = 1.5  # a bound of the Poisson field's slope near its surface, which is all that is followed


def reconstruct_points(
    points: Shaped[np.ndarray, "n 3"],
    normals: Shaped[np.ndarray, "n 3"],
    colors: Shaped[np.ndarray, "n 3"] | None = None,
    resolution: int | None = None,
    *,
    frame: UnitFrame | None = None,
) -> ExactField:
    """The exact signed distance to a closed mesh through oriented points of the unit frame; sRGB colours in 0 .. 255.

    Screened Poisson says how the surface hangs together, moving least squares where it lies: the vertices of the
    Poisson surface are moved along normals onto the surface of `MlsField`, whose support fits the noise. Where points
    are missing the Poisson surface stays. resolution: lattice points along the unit cube (by default as fine as the
    points). Raises InputError as `PoissonField.of` does.
    """
    cloud = OrientedPoints.of(points, normals, colors, frame)
    surface = MlsField.of(cloud.points, cloud.normals)
    cells = cells_of_size(max(CELL_OF_SPACING * cloud.spacing, CELL_OF_SUPPORT * surface.support))
    base = PoissonField.of(*denoised(surface), frame=cloud.frame, cells=cells)
    fine = max(VERTICES_OF_SPACING * cloud.spacing, VERTICES_OF_SUPPORT * surface.support)
    mesh = extract(base, resolution or int(np.clip(2 / fine, 64, 256)) + 1, lipschitz=SLOPE)
    vertices = onto_surface(surface, mesh.vertices_unit, FARTHEST * 2 / cells)
    faces = np.asarray(mesh.mesh.faces)
    return ExactField(vertices, faces, cloud.frame, _corner_colors(cloud, vertices, faces))


def denoised(surface: MlsField) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """The points of the surface's cloud moved onto it, and its normals there."""
    points = onto_surface(surface, surface.cloud.points, surface.reach, steps=1)
    return points, surface.near_surface(points)[1]


def onto_surface(
    surface: MlsField, vertices: Float[np.ndarray, "v 3"], farthest: float, steps: int = STEPS
) -> Float[np.ndarray, "v 3"]:
    """Vertices moved onto the surface where points of its cloud are near; one that would go far stays where it is."""
    moved, near = vertices.copy(), surface.seen(vertices)
    for _ in range(steps):
        value, normal = surface.near_surface(moved[near])
        moved[near] -= value[:, None] * normal
    shift = np.linalg.norm(moved - vertices, axis=1)
    return np.where((shift < farthest)[:, None], moved, vertices)


def _corner_colors(cloud: OrientedPoints, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray | None:
    if cloud.colors is None:
        return None
    return np.round(255 * cloud.color_numpy(vertices)).astype(np.uint8)[faces]
