"""Rays of cameras, where they meet the unit ball or box, and where along them samples are taken. (Imports torch.)"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.frame import UnitFrame
from isofield.render.camera import Camera

UNIFORM = 0.01  # of each interval in what fine samples are drawn from (EG3D), so that none is out of reach


class Rays(NamedTuple):
    """For each of b scenes, r rays origin + t direction from t = near to far; near = far where nothing can be hit.

    directions are unit vectors, so t is a distance; all in the frame of the scenes.
    """

    origins: Float[Tensor, "b r 3"]
    directions: Float[Tensor, "b r 3"]
    near: Float[Tensor, "b r"]
    far: Float[Tensor, "b r"]

    @property
    def hits(self) -> Tensor:
        return self.far > self.near

    def at(self, t: Float[Tensor, "b r m"]) -> Float[Tensor, "b r m 3"]:
        return torch.addcmul(self.origins[:, :, None], t[..., None], self.directions[:, :, None])

    def between(self, near: float, far: float) -> "Rays":
        """The same with fixed bounds."""
        return self._replace(near=torch.full_like(self.near, near), far=torch.full_like(self.far, far))


def camera_rays(
    camera_to_world: Float[Tensor, "b 4 4"], intrinsics: Float[Tensor, "b 3 3"], width: int, height: int
) -> Rays:
    """Rays through all pixel centres, row by row; see `rays_through`."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    places = torch.stack([x / width, y / height], -1).view(1, -1, 2).to(intrinsics)
    return rays_through(camera_to_world, intrinsics, places.expand(len(intrinsics), -1, -1))


def rays_through(
    camera_to_world: Float[Tensor, "b 4 4"], intrinsics: Float[Tensor, "b 3 3"], places: Float[Tensor, "b r 2"]
) -> Rays:
    """Rays through places in pictures, within the unit ball.

    camera_to_world: OpenCV axes, rigid; intrinsics and places: in picture sizes, as in EG3D's labels; (0, 0) is the
    upper left corner, (1, 1) the lower right one.
    """
    local = nn.functional.pad(places, (0, 1), value=1.0) @ torch.linalg.inv(intrinsics).transpose(1, 2)
    directions = nn.functional.normalize(local @ camera_to_world[:, :3, :3].transpose(1, 2), dim=-1)
    origins = camera_to_world[:, None, :3, 3].expand_as(directions)
    return Rays(origins, directions, *through_ball(origins, directions))


def rays_of(cameras: Sequence[Camera], frame: UnitFrame | None = None, device: torch.device | None = None) -> Rays:
    """Rays of cameras of one size within the unit ball of the frame (default: the cameras' world is the unit frame)."""
    frame = frame or UnitFrame()
    origins = torch.tensor(frame.to_unit(np.stack([c.eye for c in cameras])), dtype=torch.float32, device=device)
    directions = torch.tensor(np.stack([c.rays() for c in cameras]), dtype=torch.float32, device=device).flatten(1, 2)
    origins = origins[:, None].expand_as(directions)
    return Rays(origins, directions, *through_ball(origins, directions))


def through_ball(
    origins: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"], radius: float = 1.0
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """Where rays enter and leave the ball around the origin, in front of the eye; equal where they miss it.

    The nearest point to the centre is found first: t^2 - 2bt + c loses digits far away.
    """
    middle = -(origins * directions).sum(-1)
    closest = torch.addcmul(origins, middle[..., None], directions)
    half = (radius**2 - closest.square().sum(-1)).clamp_min(0).sqrt()
    return (middle - half).clamp_min(0), (middle + half).clamp_min(0)


def through_box(
    origins: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"], half: float = 1.0
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """Where rays enter and leave the box [-half, half]^3, in front of the eye; equal where they miss it."""
    tiny = torch.finfo(directions.dtype).tiny
    inverse = 1 / torch.where(directions.abs() < tiny, tiny, directions)
    a, b = (-half - origins) * inverse, (half - origins) * inverse
    near, far = torch.minimum(a, b).amax(-1).clamp_min(0), torch.maximum(a, b).amin(-1).clamp_min(0)
    return near, torch.maximum(near, far)


def stratified(
    near: Float[Tensor, "*r"], far: Float[Tensor, "*r"], count: int, jitter: bool = True
) -> Float[Tensor, "*r count"]:
    """One t in each of `count` equal parts, in order: anywhere in it, or in its middle."""
    return near[..., None] + (far - near)[..., None] * _strata(near, count, jitter)


def by_inverse_cdf(
    edges: Float[Tensor, "*r m"], weights: Float[Tensor, "*r m-1"], count: int, jitter: bool = True
) -> Float[Tensor, "*r count"]:
    """`count` values in order, distributed like the histogram of these edges and weights (NeRF, section 5.2).

    No gradient passes. Where all weights are zero every interval has the same share.
    """
    with torch.no_grad():
        weights = weights + torch.finfo(weights.dtype).tiny
        cdf = weights.cumsum(-1)
        cdf = nn.functional.pad(cdf / cdf[..., -1:], (1, 0))
        u = _strata(edges[..., 0], count, jitter)
        right = torch.searchsorted(cdf, u.contiguous(), right=True).clamp(1, edges.shape[-1] - 1)
        low, high = cdf.gather(-1, right - 1), cdf.gather(-1, right)
        part = (u - low) / (high - low).clamp_min(torch.finfo(u.dtype).tiny)
        return torch.lerp(edges.gather(-1, right - 1), edges.gather(-1, right), part.clamp(0, 1))


def blurred(weights: Float[Tensor, "*r m"]) -> Float[Tensor, "*r m"]:
    """What fine samples are drawn from: maxima of neighbours, then means of these, and a little everywhere (EG3D)."""
    largest = torch.maximum(nn.functional.pad(weights, (1, 0)), nn.functional.pad(weights, (0, 1)))
    return (largest[..., 1:] + largest[..., :-1]) / 2 + UNIFORM


def _strata(like: Tensor, count: int, jitter: bool) -> Tensor:
    offset = torch.rand(*like.shape, count, dtype=like.dtype, device=like.device) if jitter else 0.5
    u = (torch.arange(count, dtype=like.dtype, device=like.device) + offset) / count
    return u.expand(*like.shape, count)
