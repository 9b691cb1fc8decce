"""How near a generator's scenes are to signed distances, and how smooth: what may be asked of them beside pictures."""

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.triplane import Triplanes
from isofield.losses import eikonal, siren_off_surface
from isofield.render.rays import Rays

CORNERS = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))  # of a tetrahedron
JITTER = 0.004  # how far EG3D moves points to compare densities
NEAR = 0.05  # spread of the probes around the surface


def slopes(scenes: Triplanes, points: Float[Tensor, "b n 3"], step: float) -> Float[Tensor, "b n 3"]:
    """Spatial gradient of the signed distance by differences over a tetrahedron of this size: four values a point.

    Exact for linear functions, and differentiable by the scenes at the price of four more.
    """
    corners = points.new_tensor(CORNERS)
    around = (points[:, :, None] + step * corners).flatten(1, 2)
    values = scenes.sdf(scenes.value(around)).unflatten(1, (-1, 4))
    return values @ corners / (4 * step)


def probes(
    rays: Rays, depth: Float[Tensor, "b r"], opacity: Float[Tensor, "b r"], count: int
) -> Float[Tensor, "b n 3"]:
    """`count` points anywhere in the unit ball and as many near the rendered surface, drawn anew; without gradients."""
    with torch.no_grad():
        b = len(depth)
        anywhere = torch.nn.functional.normalize(torch.randn(b, count, 3, device=depth.device), dim=-1)
        anywhere = anywhere * torch.rand(b, count, 1, device=depth.device) ** (1 / 3)
        ray = torch.multinomial(opacity.nan_to_num().clamp_min(1e-6), count, replacement=True)
        three = ray[..., None].expand(-1, -1, 3)
        surface = rays.origins.gather(1, three) + depth.gather(1, ray)[..., None] * rays.directions.gather(1, three)
        return torch.cat([anywhere, (surface + NEAR * torch.randn_like(surface)).clamp(-1, 1)], 1)


def eikonal_loss(scenes: Triplanes, points: Float[Tensor, "b n 3"]) -> Float[Tensor, ""]:
    """Mean (|grad s| - 1)^2 at points; the gradient by differences over half a texel of the planes."""
    step = 1 / scenes.planes.shape[-1]
    return eikonal(slopes(scenes, points, step).flatten(0, 1))


def minimal_surface_loss(scenes: Triplanes, points: Float[Tensor, "b n 3"]) -> Float[Tensor, ""]:
    """Mean exp(-100 |s|): as little surface as can be; StyleSDF (Or-El et al. 2022), Eq. 9."""
    return siren_off_surface(scenes.sdf(scenes.value(points)).flatten())


def smooth_density_loss(scenes: Triplanes, points: Float[Tensor, "b n 3"]) -> Float[Tensor, ""]:
    """Mean |v(p) - v(p + e)| of the values before the density, e ~ N(0, 0.004^2): EG3D's density regularisation."""
    moved = points + JITTER * torch.randn_like(points)
    return (scenes.value(points) - scenes.value(moved)).abs().mean()
