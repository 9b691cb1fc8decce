"""What a field is fitted to, and by which loss: our own recipe, DeepSDF's and SIREN's, as objects.

An objective draws from torch's global generator, which the loop seeds at every step from (seed, step): a resumed run
sees what an uninterrupted one would have seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import trimesh
from jaxtyping import Float
from torch import Tensor

from isofield import losses
from isofield.fields.neural import NeuralField
from isofield.mesh.distance import morton_order
from isofield.mesh.sample import DEEPSDF_NEAR, DEEPSDF_NEAR_FRACTION, SdfSamples, sample

DistanceLoss = Callable[[Float[Tensor, " n"], Float[Tensor, " n"]], Float[Tensor, ""]]


class TrainingData:
    """Samples as tensors, in Morton order."""

    def __init__(self, samples: SdfSamples, device: torch.device | None = None):
        order = morton_order(samples.points)
        self.points, self.sdf, self.closest, self.normals = (
            torch.as_tensor(array[order], device=device)
            for array in (samples.points, samples.sdf, samples.closest, samples.normals)
        )
        self.colors = None if samples.colors is None else torch.as_tensor(samples.colors[order], device=device)

    def draw(self, count: int) -> Tensor:
        """Indices, one from each of `count` equal runs of the samples: spread over the shape, kind to the cache."""
        stride = len(self.sdf) / count
        places = (torch.arange(count) + torch.rand(count)) * stride
        return places.long().clamp_(max=len(self.sdf) - 1).to(self.sdf.device)


@runtime_checkable
class Objective(Protocol):
    """What a recipe decides: what is sampled, the loss of a batch, and Adam's rates for networks and hash tables."""

    @property
    def rate(self) -> float: ...

    @property
    def table_rate(self) -> float: ...

    def samples(self, mesh: trimesh.Trimesh, count: int, seed: int) -> SdfSamples: ...

    def loss(self, field: NeuralField, data: TrainingData) -> Float[Tensor, ""]: ...


@dataclass(frozen=True)
class Distances:
    """Regression of exact distances, and of colour where field and samples have it.

    segments: a sample nearer than this to the surface is replaced by a random point of the segment to its closest
    surface point. All of that segment has the same closest point, so the distance there is known without asking.
    """

    distance_loss: DistanceLoss = losses.relative_l1
    batch: int = 4096
    near: tuple[float, ...] = (0.02, 0.005)
    near_fraction: float = 0.9
    segments: float = 0.1
    rate: float = 1e-3
    table_rate: float = 4e-3
    color_share: int = 4  # colour is learned at every fourth point

    def samples(self, mesh: trimesh.Trimesh, count: int, seed: int) -> SdfSamples:
        return sample(mesh, count, seed=seed, near=self.near, near_fraction=self.near_fraction)

    def loss(self, field: NeuralField, data: TrainingData) -> Float[Tensor, ""]:
        chosen = data.draw(self.batch)
        sdf = data.sdf[chosen]
        along = torch.where(sdf.abs() < self.segments, torch.rand(self.batch).to(sdf.device), 1.0)
        points, sdf = torch.lerp(data.closest[chosen], data.points[chosen], along[:, None]), sdf * along
        loss = self.distance_loss(field.sdf(points), sdf)
        if data.colors is None or not field.has_color:
            return loss
        colored = slice(None, None, self.color_share)
        return loss + losses.l1(field.color(points[colored]).flatten(), data.colors[chosen[colored]].flatten())


def deepsdf_distances() -> Distances:
    """DeepSDF's recipe (Park et al. 2019): clamped L1, its samples, batches of 16,384, Adam at 5e-4."""
    return Distances(
        losses.clamped_l1, 16_384, DEEPSDF_NEAR, DEEPSDF_NEAR_FRACTION, segments=0.0, rate=5e-4, table_rate=5e-4
    )


@dataclass(frozen=True)
class OrientedPoints:
    """SIREN's recipe (Sitzmann et al. 2020, section 4.2): oriented surface points and uniform ones, no distances."""

    batch: int = 1400  # on the surface, and as many anywhere
    rate: float = 1e-4
    table_rate: float = 1e-4

    def samples(self, mesh: trimesh.Trimesh, count: int, seed: int) -> SdfSamples:
        return sample(mesh, count, seed=seed, near=(0.0,), near_fraction=1.0)

    def loss(self, field: NeuralField, data: TrainingData) -> Float[Tensor, ""]:
        chosen = data.draw(self.batch)
        surface, normals = data.closest[chosen], data.normals[chosen]
        anywhere = (torch.rand(self.batch, 3) * 2 - 1).to(surface.device)
        points = torch.cat([surface, anywhere]).requires_grad_()
        on_surface = torch.arange(2 * self.batch, device=points.device) < self.batch
        values = field.sdf(points)
        (gradients,) = torch.autograd.grad(values.sum(), points, create_graph=True)
        return losses.siren_loss(values, gradients, torch.cat([normals, torch.zeros_like(normals)]), on_surface)
