"""Pictures of fields by volume rendering, with gradients (GeoGen, Eqs. 3-6). (Imports torch.)

The light of a ray is the sum over the intervals between its samples; in an interval the value is the mean of those at
its ends, and so is the colour (EG3D).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.density import Density
from isofield.fields.field import Field
from isofield.render.rays import Rays, blurred, by_inverse_cdf, stratified

LEAST = 1e-6  # opacity below which a ray has no depth of its own
Summed = Callable[[Tensor], Tensor]  # the samples' shares (b r m) of a ray's light, to the rays' light (b r k)


@runtime_checkable
class Scene(Protocol):
    """What rays go through: b scenes at once. A value is what `density` takes; `sdf` makes it negative inside.

    `value` and `shade` give the same values; the first is for where no colour is wanted.
    """

    def value(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]: ...

    def shade(
        self, points: Float[Tensor, "b n 3"], directions: Float[Tensor, "b n 3"]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n k"]]: ...

    def density(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...

    def sdf(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...


@dataclass(frozen=True, eq=False)
class FieldScene:
    """A single field as a scene, a batch of one; its pictures have no channels where it has no colour."""

    field: Field
    density: Density

    def value(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n"]:
        return self.field.sdf(points[0])[None]

    def shade(
        self, points: Float[Tensor, "b n 3"], directions: Float[Tensor, "b n 3"]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n k"]]:
        color = self.field.color(points[0], directions[0]) if self.field.has_color else points[0, :, :0]
        return self.value(points), color[None]

    def sdf(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return value


@dataclass(frozen=True)
class March:
    """How rays are sampled: `coarse` samples in equal parts, then `fine` ones where the coarse ones found weight.

    jitter: random places in each part (training), else their middles. Two approximations:
    both: the coarse samples too make up the picture, as in EG3D; else they only say where the fine ones belong.
    above: samples whose share of the light is not above this get no colour and pass no gradient; the others of their
    ray take over their share. 0: none is left out.
    """

    coarse: int = 48
    fine: int = 48
    jitter: bool = True
    both: bool = False
    above: float = 1e-3


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

    Rays that miss (near = far) cost nothing. Randomness comes from torch's global generator. Automatic casts to fewer
    bits are off within: distances need all of theirs.
    """
    with torch.autocast(rays.near.device.type, enabled=False):
        return _rendered(scene, rays, march, background)


def _rendered(scene: Scene, rays: Rays, march: March, background: Float[Tensor, "*b k"] | None) -> VolumeRendering:
    kept, places = _hitting(rays)
    t, value, light_of = _samples(scene, kept, march)
    weights = _weights(scene, t, value)
    opacity, depth = weights.sum(-1), ray_distance(weights, (t[..., 1:] + t[..., :-1]) / 2, kept.far)
    light = light_of(_shares(weights))
    if places is not None:
        empty = torch.zeros_like(rays.far)
        light, opacity = _spread(light, places, empty), _spread(opacity, places, empty)
        depth = _spread(depth, places, rays.far)
    if background is not None:
        light = light + (1 - opacity)[..., None] * background.unsqueeze(-2)
    return VolumeRendering(light, depth, opacity)


def surface_sdf(scene: Scene, rays: Rays, depth: Float[Tensor, "b r"]) -> Float[Tensor, "b r"]:
    """s(o + d(r) d), the signed distance at the rendered depth; GeoGen, Eq. 5 and the inner part of Eq. 6."""
    return scene.sdf(scene.value(rays.at(depth[..., None])[:, :, 0]))


def surface_normals(scene: Scene, rays: Rays, depth: Float[Tensor, "b r"]) -> Float[Tensor, "b r 3"]:
    """Unit gradient of the signed distance at the rendered depth, in the frame of the scene; not differentiable."""
    points = rays.at(depth[..., None])[:, :, 0].detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(scene.sdf(scene.value(points)).sum(), points)
    return nn.functional.normalize(gradient, dim=-1)


def _samples(scene: Scene, rays: Rays, march: March) -> tuple[Tensor, Tensor, Summed]:
    """Places and values (b r m) in order along each ray, and what sums their colours up."""
    t = stratified(rays.near, rays.far, march.coarse, march.jitter)
    if march.above > 0:
        return _some(scene, rays, march, t)
    if march.both:
        value, color = _shade(scene, rays, t)
        fine = _fine(scene, t, value.detach(), march)
        more, tint = _shade(scene, rays, fine)
        t, value, order = _merged(t, value, fine, more)

        def light_of(share: Tensor) -> Tensor:
            first, second = torch.empty_like(share).scatter(-1, order, share).split([march.coarse, march.fine], -1)
            return _sum(first, color) + _sum(second, tint)

        return t, value, light_of
    with torch.no_grad():
        fine = _fine(scene, t, _value(scene, rays, t), march)
    value, color = _shade(scene, rays, fine)
    return fine, value, lambda share: _sum(share, color)


def _some(scene: Scene, rays: Rays, march: March, t: Tensor) -> tuple[Tensor, Tensor, Summed]:
    """`_samples` where only those with a share above `march.above` have colours and gradients; t: the coarse places."""
    with torch.no_grad():
        value = _value(scene, rays, t)
        fine = _fine(scene, t, value, march)
        more = _value(scene, rays, fine)
        t, value, _ = _merged(t, value, fine, more) if march.both else (fine, more, None)
        chosen = _padded((_shares(_weights(scene, t, value)) > march.above).flatten(1))
    points = rays.at(t).flatten(1, 2)
    which = chosen.clamp_max(points.shape[1] - 1)[..., None]
    points, ray = points.gather(1, which.expand(-1, -1, 3)), which.div(t.shape[2], rounding_mode="floor")
    some, color = scene.shade(points, rays.directions.gather(1, ray.expand(-1, -1, 3)))
    value = nn.functional.pad(value.flatten(1), (0, 1)).scatter(1, chosen, some)
    return t, value[:, :-1].view(t.shape), lambda share: _carried(share, color, chosen)


def _merged(t: Tensor, value: Tensor, fine: Tensor, more: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Places and values of both passes along each ray, and which of (coarse, fine) each is."""
    t, order = torch.cat([t, fine], -1).sort(-1)
    return t, torch.cat([value, more], -1).gather(-1, order), order


def _fine(scene: Scene, t: Tensor, value: Tensor, march: March) -> Tensor:
    return by_inverse_cdf(t, blurred(_weights(scene, t, value)), march.fine, march.jitter)


def _value(scene: Scene, rays: Rays, t: Tensor) -> Tensor:
    return scene.value(rays.at(t).flatten(1, 2)).view(t.shape)


def _shade(scene: Scene, rays: Rays, t: Tensor) -> tuple[Tensor, Tensor]:
    """Values (b r m) and colours (b r*m c)."""
    value, color = scene.shade(rays.at(t).flatten(1, 2), rays.directions.repeat_interleave(t.shape[2], 1))
    return value.view(t.shape), color


def _weights(scene: Scene, t: Tensor, value: Tensor) -> Tensor:
    """Of the intervals between samples."""
    return volume_weights(scene.density((value[..., 1:] + value[..., :-1]) / 2), t.diff(dim=-1))


def _shares(weights: Tensor) -> Tensor:
    """Of samples: half of each interval beside."""
    return (nn.functional.pad(weights, (1, 0)) + nn.functional.pad(weights, (0, 1))) / 2


def _sum(share: Tensor, color: Tensor) -> Tensor:
    """Light (b r k): over the samples of each ray (b r m), of share times colour (b r*m k)."""
    return _Light.apply(share, color.view(*share.shape, color.shape[2]))


class _Light(torch.autograd.Function):
    """Torch's own gradient of a product of matrices takes its time over what is a product of numbers."""

    @staticmethod
    def forward(ctx, share: Tensor, color: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(share, color)
        return (share[:, :, None] @ color)[:, :, 0]

    @staticmethod
    def backward(ctx, upstream: Tensor):  # type: ignore[override]
        share, color = ctx.saved_tensors
        return (upstream[:, :, None] @ color.mT)[:, :, 0], share[..., None] * upstream[:, :, None]


def _carried(share: Tensor, color: Tensor, chosen: Tensor) -> Tensor:
    """Light (b r k) of the samples chosen (b n), of colour (b n k), which carry the share (b r m) of the others too."""
    b, r, m = share.shape
    part = nn.functional.pad(share.flatten(1), (0, 1)).gather(1, chosen)
    ray = chosen.div(m, rounding_mode="floor") + torch.arange(b, device=chosen.device)[:, None] * (r + 1)
    light = color.new_zeros(b * (r + 1), color.shape[2] + 1)
    light = light.index_add(
        0, ray.flatten(), (nn.functional.pad(color, (0, 1), value=1.0) * part[..., None]).flatten(0, 1)
    )
    light = light.view(b, r + 1, -1)[:, :-1]
    return light[..., :-1] * (share.sum(-1, keepdim=True) / light[..., -1:].clamp_min(LEAST))


def _padded(mask: Tensor) -> Tensor:
    """Columns of the true entries of each row (b n), in order; n where a row has fewer than the one with most."""
    count, place = mask.sum(1), mask.cumsum(1) - 1
    row, column = mask.nonzero(as_tuple=True)
    out = torch.full((len(mask), int(count.max())), mask.shape[1], device=mask.device)
    out[row, place[row, column]] = column
    return out


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
