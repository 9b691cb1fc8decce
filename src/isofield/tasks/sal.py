"""Sign-agnostic learning (Atzmon & Lipman 2020): a signed field from points or triangles that have no sides.

The loss is the same for a field and its negative, and the unsigned distance itself is one of its minima. What keeps a
field from it is where it starts: at the signed distance of a sphere (the paper's), or of a solid wrapped loosely around
the input (ours: faster, and no handle is filled). The loss cannot tell whether that worked, so `sign_test` does.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Shaped
from scipy.spatial import cKDTree
from torch import Tensor
from trimesh.visual import ColorVisuals

from isofield import losses
from isofield.cloud.cloud import Cloud
from isofield.errors import InputError, IsofieldError
from isofield.fields.activations import Softplus
from isofield.fields.encodings import PositionalCode
from isofield.fields.field import Field, sdf_numpy
from isofield.fields.neural import ColorHead, NeuralField
from isofield.frame import UnitFrame
from isofield.mesh.area import sample_surface
from isofield.mesh.color import color_kind, surface_colors
from isofield.mesh.distance import Closest, MeshDistance
from isofield.mesh.sample import SdfSamples
from isofield.mesh.surfels import Surfels
from isofield.tasks.objectives import TrainingData
from isofield.tasks.shrink_wrap import start_wrapped, wrap

ANCHORS = 50_000  # surface points that samples are drawn around
SPREAD = 51  # sigma of a sample is the distance to this neighbour of its anchor: SAL's own
NEAR = 0.75  # share of the samples around the surface; the others are anywhere in [-1, 1]^3
CROSSED, PROBES = 0.95, 20_000
OFF = 3.0  # spacings from a point to the surface found, beyond which the point is off it


@dataclass(frozen=True)
class SignAgnostic:
    """tau_l(f, h2), or with `indicator` tau_l(f, h0), around a mesh's triangles or, where it has none, its vertices.

    degree: l of tau. segments: samples nearer than this are moved along the segment to their closest surface point, to
    which the distance is known without asking. indicator: the field becomes 0 on the surface and +-1 away from it,
    which is no distance. Sides are told apart only by a field that starts with them: see `sign_agnostic_start`.
    """

    degree: float = 1.0
    indicator: bool = False
    batch: int = 2048
    segments: float = 0.1
    rate: float = 1e-3
    table_rate: float = 1e-3

    def samples(self, mesh: trimesh.Trimesh, count: int, seed: int) -> SdfSamples:
        """`sdf` holds unsigned distances. Raises InputError where there are too few points."""
        rng = np.random.default_rng(seed)
        surface = _UnsignedSurface.of(mesh)
        anchors, sigma = _anchors(surface.spread_out(ANCHORS, seed))
        near = rng.integers(0, len(anchors), round(NEAR * count))
        around = anchors[near] + sigma[near, None] * rng.standard_normal((len(near), 3))
        points = np.concatenate([around, rng.uniform(-1, 1, (count - len(near), 3))]).astype(np.float32)
        found = surface.closest(points)
        colors = surface.colors(found)
        return SdfSamples(
            points=points,
            sdf=found.distance.astype(np.float32),
            closest=found.point.astype(np.float32),
            normals=np.zeros_like(points),
            colors=None if colors is None else colors.astype(np.float32),
            directions=None,
            frame=surface.frame,
        )

    def loss(self, field: NeuralField, data: TrainingData) -> Float[Tensor, ""]:
        chosen = data.draw(self.batch)
        unsigned, surface = data.sdf[chosen], data.closest[chosen]
        if self.indicator:
            on = torch.arange(self.batch, device=surface.device) % 2 == 0
            points, unsigned = torch.where(on[:, None], surface, data.points[chosen]), torch.where(on, 0.0, 1.0)
        else:
            along = torch.where(unsigned < self.segments, torch.rand(self.batch).to(surface.device), 1.0)
            points, unsigned = torch.lerp(surface, data.points[chosen], along[:, None]), unsigned * along
        loss = losses.sal(field.sdf(points), unsigned, self.degree)
        if data.colors is None or not field.has_color:
            return loss
        return loss + losses.l1(field.color(points[::4]).flatten(), data.colors[chosen[::4]].flatten())


def sign_agnostic_field(color: ColorHead | None = None, octaves: int = 5) -> NeuralField:
    """A field of 15,000 weights that starts as the signed distance of a sphere; its waves begin with weight zero.

    Waves keep small holes open that coordinates alone fill, but from a sphere they also leave large ones filled: start
    from `sign_agnostic_start`, or give octaves=0.
    """
    return NeuralField(PositionalCode(octaves), Softplus(), width=64, depth=4, color=color)


def sign_agnostic_start(mesh: trimesh.Trimesh, color: ColorHead | None = None, seed: int = 0) -> NeuralField:
    """A field that starts as a solid wrapped around the triangles, or vertices where there are none, of `mesh`.

    Where nothing is enclosed it starts as a sphere, with coordinates alone. Weights are drawn from torch's generator.
    """
    surface = _UnsignedSurface.of(mesh)
    spacing = float(np.median(Surfels(surface.spread_out(ANCHORS, seed)).radius))
    wrapped = wrap(surface.distance, spacing)
    field = sign_agnostic_field(color, octaves=0 if wrapped is None else 5)
    if wrapped is not None:
        start_wrapped(field, wrapped, seed)
    return field


@dataclass(frozen=True)
class SignTest:
    """inside: share of [-1, 1]^3 that is negative; crossed: share of points across which the sign changes, between a
    step along the normal and a step back; off: share of points farther than three spacings from the zero level."""

    inside: float
    crossed: float
    off: float


def sign_test(field: Field, points: Shaped[np.ndarray, "n 3"], seed: int = 0) -> SignTest:
    """Whether a field has sides: it is negative somewhere, and its sign changes at the points (unit frame)."""
    rng = np.random.default_rng(seed)
    surfels = Surfels(points)
    some = rng.permutation(len(surfels.points))[:PROBES]
    at, step = surfels.points[some], np.maximum(surfels.radius[some], np.median(surfels.radius))[:, None]
    before, behind = (sdf_numpy(field, at + side * OFF * step * surfels.normals[some]) for side in (1, -1))
    inside = sdf_numpy(field, rng.uniform(-1, 1, (PROBES, 3))) < 0
    off = np.abs(sdf_numpy(field, at)) > OFF * step[:, 0]
    return SignTest(float(inside.mean()), float(((before < 0) != (behind < 0)).mean()), float(off.mean()))


def check_sign(found: SignTest, source: str = "field") -> None:
    """Raises IsofieldError for a field without an inside, warns where it leaves points aside."""
    remedy = "give points with normals or sensor positions, another --method such as poisson, or more --steps"
    if found.inside == 0 or found.crossed < 0.5:
        raise IsofieldError(
            f"{source}: unsigned collapse: the field is negative in {found.inside:.2%} of its box and changes sign at "
            f"{found.crossed:.0%} of the points, so there is no inside; {remedy}"
        )
    if found.crossed < CROSSED:
        warnings.warn(
            f"{source}: the field changes sign at only {found.crossed:.1%} of the points; look at it, or {remedy}",
            stacklevel=2,
        )
    if found.off > 1 - CROSSED:
        warnings.warn(
            f"{source}: {found.off:.1%} of the points lie off the surface found: narrow holes and thin parts are "
            f"filled or lost first; {remedy}",
            stacklevel=2,
        )


@dataclass(frozen=True)
class _UnsignedSurface:
    """Triangles, or points where there are none, in the unit frame."""

    mesh: trimesh.Trimesh  # in the user's coordinates
    frame: UnitFrame
    distance: MeshDistance | Surfels

    @classmethod
    def of(cls, mesh: trimesh.Trimesh) -> "_UnsignedSurface":
        frame = surface_frame(mesh)
        vertices = frame.to_unit(mesh.vertices)
        if len(mesh.faces):
            return cls(mesh, frame, MeshDistance(vertices, np.asarray(mesh.faces)))
        if len(np.unique(vertices, axis=0)) <= SPREAD:
            raise InputError("points", f"only {len(vertices)} of them", f"give more than {SPREAD} different ones")
        return cls(mesh, frame, Surfels(vertices))

    def spread_out(self, count: int, seed: int) -> Float[np.ndarray, "n 3"]:
        if len(self.mesh.faces):
            return self.frame.to_unit(sample_surface(self.mesh, count, seed)[0])
        points = self.frame.to_unit(self.mesh.vertices)
        return points[np.random.default_rng(seed).permutation(len(points))[:count]]

    def closest(self, points: Shaped[np.ndarray, "n 3"]) -> Closest:
        return self.distance.closest(points)

    def colors(self, found: Closest) -> Float[np.ndarray, "n 3"] | None:
        if color_kind(self.mesh) == "none":
            return None
        if len(self.mesh.faces):
            return surface_colors(self.mesh, found.face, self.frame.to_user(found.point))
        _, near = cKDTree(self.frame.to_unit(self.mesh.vertices)).query(found.point)
        return np.asarray(self.mesh.visual.vertex_colors)[near, :3] / 255.0  # type: ignore[union-attr]


def points_alone(cloud: Cloud) -> trimesh.Trimesh:
    """The points and colours of a cloud as a mesh without faces."""
    mesh = trimesh.Trimesh(cloud.points, np.zeros((0, 3), np.int64), process=False)
    if cloud.colors is not None:
        mesh.visual = ColorVisuals(mesh, vertex_colors=cloud.colors)
    return mesh


def surface_frame(mesh: trimesh.Trimesh) -> UnitFrame:
    """Of the vertices that faces use; of all where there are no faces."""
    vertices = np.asarray(mesh.vertices)
    return UnitFrame.of(vertices[np.unique(mesh.faces)] if len(mesh.faces) else vertices)


def _anchors(points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Surface points and the standard deviation of samples around each."""
    distance = cKDTree(points).query(points, k=[min(SPREAD, len(points) - 1) + 1])[0]
    return points, distance[:, 0]
