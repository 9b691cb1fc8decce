"""Pictures of fields by volume rendering, with gradients (GeoGen, Eqs. 3-6). (Imports torch.)

The light of a ray is the sum over the intervals between its samples; in an interval the value is the mean of those at
its ends, and so is the colour (EG3D).
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.density import Density
from isofield.fields.field import Field
from isofield.render.rays import Rays, blurred, by_inverse_cdf, stratified

LEAST = 1e-6  # opacity below which a ray has no depth of its own


@runtime_checkable
class Scene(Protocol):
    """What rays go through: b scenes at once. A value is what `density` takes; `sdf` makes it negative inside.

    `shape` also returns whatever `color` wants to see of a point, row by row.
    """

    def shape(self, points: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n f"]]: ...

    def density(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...

    def sdf(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...

    def color(
        self, value: Float[Tensor, " m"], seen: Float[Tensor, "m f"], directions: Float[Tensor, "m 3"]
    ) -> Float[Tensor, "m k"]: ...


@dataclass(frozen=True, eq=False)
class FieldScene:
    """A single field as a scene, a batch of one; its pictures have no channels where it has no colour."""

    field: Field
    density: Density

    def shape(self, points: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n f"]]:
        return self.field.sdf(points[0])[None], points

    def sdf(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return value

    def color(
        self, value: Float[Tensor, " m"], seen: Float[Tensor, "m f"], directions: Float[Tensor, "m 3"]
    ) -> Float[Tensor, "m k"]:
        return self.field.color(seen, directions) if self.field.has_color else seen[:, :0]


@dataclass(frozen=True)
class March:
    """How rays are sampled: `coarse` samples in equal parts, then `fine` ones where the coarse ones found weight.

    jitter: random places in each part (training), else their middles. What the rest leaves out is an approximation:
    both: also the coarse samples make up the picture, and pass gradients (EG3D); else they only say where the fine
    ones belong, and cost no gradient. color_above: samples of less weight get no colour, the others of their ray share
    their part.
    """

    coarse: int = 48
    fine: int = 48
    jitter: bool = True
    both: bool = False
    color_above: float = 1e-3


USUAL = March()


class VolumeRendering(NamedTuple):
    """Of b scenes and r rays. depth: Eq. 4, along the ray; that of a ray that meets nothing is its far bound."""

    color: Float[Tensor, "b r k"]
    depth: Float[Tensor, "b r"]
    opacity: Float[Tensor, "b r"]


def volume_weights(density: Float[Tensor, "*r m"], delta: Float[Tensor, "*r m"]) -> Float[Tensor, "*r m"]:
    """T_i (1 - exp(-sigma_i delta_i)), T_i = exp(-sum over j < i of sigma_j delta_j); GeoGen, Eq. 3."""
    thickness = density * delta
    before = nn.functional.pad(thickness.cumsum(-1)[..., :-1], (1, 0))
    return torch.exp(-before) * -torch.expm1(-thickness)


def ray_distance(
    weights: Float[Tensor, "*r m"], t: Float[Tensor, "*r m"], empty: Float[Tensor, "*r"]
) -> Float[Tensor, "*r"]:
    """sum w t / sum w: GeoGen's Eq. 4, divided by the accumulated weight; `empty` where there is none."""
    total = weights.sum(-1)
    found = total > LEAST
    return torch.where(found, (weights * t).sum(-1) / torch.where(found, total, 1.0), empty)


def render_volume(
    scene: Scene, rays: Rays, march: March = USUAL, background: Float[Tensor, "*b k"] | None = None
) -> VolumeRendering:
    """Colour, depth and opacity of every ray; background: the colour seen behind, of all or of each scene, else black.

    Rays that miss (near = far) cost nothing. Randomness comes from torch's global generator.
    """
    kept, places = _hitting(rays)
    samples = _coarse_and_fine(scene, kept, march) if march.both else _fine(scene, kept, march)
    t, value = samples.t, samples.value if samples.order is None else samples.value.gather(-1, samples.order)
    weights = volume_weights(scene.density((value[..., 1:] + value[..., :-1]) / 2), t.diff(dim=-1))
    depth = ray_distance(weights, (t[..., 1:] + t[..., :-1]) / 2, kept.far)
    share = (nn.functional.pad(weights, (1, 0)) + nn.functional.pad(weights, (0, 1))) / 2
    if samples.order is not None:
        share = torch.zeros_like(share).scatter(-1, samples.order, share)
    color, opacity = _light(scene, kept, samples, share, march.color_above), weights.sum(-1)
    if places is not None:
        empty = torch.zeros_like(rays.far)
        color, opacity = _spread(color, places, empty), _spread(opacity, places, empty)
        depth = _spread(depth, places, rays.far)
    if background is not None:
        color = color + (1 - opacity)[..., None] * background.unsqueeze(-2)
    return VolumeRendering(color, depth, opacity)


def surface_sdf(scene: Scene, rays: Rays, depth: Float[Tensor, "b r"]) -> Float[Tensor, "b r"]:
    """s(o + d(r) d), the signed distance at the rendered depth; GeoGen, Eq. 5 and the inner part of Eq. 6."""
    return scene.sdf(scene.shape(rays.at(depth[..., None])[:, :, 0])[0])


def surface_normals(scene: Scene, rays: Rays, depth: Float[Tensor, "b r"]) -> Float[Tensor, "b r 3"]:
    """Unit gradient of the signed distance at the rendered depth, in the frame of the scene; not differentiable."""
    points = rays.at(depth[..., None])[:, :, 0].detach().requires_grad_()
    with torch.enable_grad():
        value, _ = scene.shape(points)
        (gradient,) = torch.autograd.grad(scene.sdf(value).sum(), points)
    return nn.functional.normalize(gradient, dim=-1)


class _Samples(NamedTuple):
    """t: in order along each ray; value and what was seen: as they were computed, which `order` puts in order."""

    t: Float[Tensor, "b r m"]
    value: Float[Tensor, "b r m"]
    seen: Float[Tensor, "b r m f"]
    order: Tensor | None


def _fine(scene: Scene, rays: Rays, march: March) -> _Samples:
    with torch.no_grad():
        coarse = stratified(rays.near, rays.far, march.coarse, march.jitter)
        t = _finer(scene, coarse, _shape(scene, rays, coarse)[0], march)
    return _Samples(t, *_shape(scene, rays, t), None)


def _coarse_and_fine(scene: Scene, rays: Rays, march: March) -> _Samples:
    coarse = stratified(rays.near, rays.far, march.coarse, march.jitter)
    value, seen = _shape(scene, rays, coarse)
    fine = _finer(scene, coarse, value, march)
    more, also = _shape(scene, rays, fine)
    t, order = torch.cat([coarse, fine], -1).sort(-1)
    return _Samples(t, torch.cat([value, more], -1), torch.cat([seen, also], -2), order)


def _finer(scene: Scene, coarse: Tensor, value: Tensor, march: March) -> Tensor:
    with torch.no_grad():
        weights = volume_weights(scene.density((value[..., 1:] + value[..., :-1]) / 2), coarse.diff(dim=-1))
        return by_inverse_cdf(coarse, blurred(weights), march.fine, march.jitter)


def _shape(scene: Scene, rays: Rays, t: Tensor) -> tuple[Tensor, Tensor]:
    value, seen = scene.shape(rays.at(t).flatten(1, 2))
    return value.view(t.shape), seen.view(*t.shape, -1)


def _light(scene: Scene, rays: Rays, samples: _Samples, share: Tensor, above: float) -> Tensor:
    """Sum over the samples of share times colour, where the share is large enough; these carry that of the others."""
    b, r, m = share.shape
    if above > 0:
        kept = torch.where(share > above, share, 0.0)
        share = kept * (share.sum(-1, keepdim=True) / kept.sum(-1, keepdim=True).clamp_min(LEAST))
        chosen = kept.view(-1).nonzero()[:, 0]
    else:
        chosen = torch.arange(b * r * m, device=share.device)
    ray = chosen.div(m, rounding_mode="floor")
    seen, value = samples.seen.flatten(0, 2)[chosen], samples.value.view(-1)[chosen]
    color = scene.color(value, seen, rays.directions.reshape(-1, 3)[ray]) * share.view(-1)[chosen, None]
    return color.new_zeros(b * r, color.shape[1]).index_add(0, ray, color).view(b, r, -1)


def _hitting(rays: Rays) -> tuple[Rays, Tensor | None]:
    """The rays that hit something, as many of each scene as of the one with most, and where they were."""
    hits = rays.far > rays.near
    most = int(hits.sum(1).max())
    if most == hits.shape[1]:
        return rays, None
    places = (~hits).byte().sort(dim=1, stable=True).indices[:, :most]
    three = places[..., None].expand(-1, -1, 3)
    origins, directions = rays.origins.gather(1, three), rays.directions.gather(1, three)
    return Rays(origins, directions, rays.near.gather(1, places), rays.far.gather(1, places)), places


def _spread(values: Tensor, places: Tensor, others: Tensor) -> Tensor:
    """The values back where their rays were, `others` (b r) everywhere else."""
    if values.ndim == 2:
        return others.scatter(1, places, values)
    places = places[..., None].expand(values.shape)
    return others[..., None].expand(-1, -1, values.shape[2]).contiguous().scatter(1, places, values)
