"""What cameras see of a generator's scenes."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.triplane import Triplanes
from isofield.models.geogen import GeoGen
from isofield.render.rays import Rays, camera_rays, rays_through
from isofield.render.volume import March, VolumeRendering, render_volume


class Shots(NamedTuple):
    """picture: final, sRGB in [-1, 1]; raw: as rendered, before super-resolution, and the same one where there is none;
    depth: along the rays; opacity: how much of each was stopped."""

    picture: Float[Tensor, "b 3 s s"]
    raw: Float[Tensor, "b 3 r r"]
    depth: Float[Tensor, "b n"]
    opacity: Float[Tensor, "b n"]
    rays: Rays

    @property
    def seen(self) -> list[Float[Tensor, "b 3 _ _"]]:
        """All that should look like a picture."""
        return [self.picture] if self.raw is self.picture else [self.picture, self.raw]


def label_rays(label: Float[Tensor, "b 25"], size: int) -> Rays:
    """Rays of square pictures from EG3D's labels, within the unit ball."""
    return camera_rays(*_pose_and_intrinsics(label), size, size)


def glimpsed(
    generator: GeoGen,
    scenes: Triplanes,
    label: Float[Tensor, "b 25"],
    places: Float[Tensor, "b r 2"],
    background: Float[Tensor, "3"],
) -> tuple[Rays, VolumeRendering]:
    """What is seen of each scene at single places of a picture, in picture sizes, before super-resolution; the first
    three channels are sRGB in [0, 1]."""
    rays = rays_through(*_pose_and_intrinsics(label), places)
    return rays, _rendered(generator, scenes, rays, background)


def photographed(
    generator: GeoGen,
    scenes: Triplanes,
    w: Float[Tensor, "b latent"],
    label: Float[Tensor, "b 25"],
    background: Float[Tensor, "3"],
    *,
    jitter: bool = True,
    raw: int | None = None,
    finer: int = 1,
) -> Shots:
    """A picture of each scene by the camera of its label, with gradients. background: sRGB in [0, 1].

    raw: pixels a side as rendered, by default the architecture's; another size is not refined. finer: rays a side of
    each of them, whose mean it is.
    """
    a = generator.architecture
    size = raw or a.raw
    rays = label_rays(label, finer * size)
    seen = _rendered(generator, scenes, rays, background, jitter)
    features = 2 * seen.color.transpose(1, 2).reshape(-1, a.features, finer * size, finer * size) - 1
    features = nn.functional.avg_pool2d(features, finer) if finer > 1 else features
    refined = generator.refine is not None and size == a.raw
    seen_raw = features[:, :3]
    picture = generator.refine(features, w) if generator.refine is not None and refined else seen_raw
    return Shots(picture, seen_raw, seen.depth, seen.opacity, rays)


def _rendered(
    generator: GeoGen, scenes: Triplanes, rays: Rays, background: Float[Tensor, "3"], jitter: bool = True
) -> VolumeRendering:
    a = generator.architecture
    behind = torch.cat([background, background.new_full((a.features - 3,), 0.5)])
    return render_volume(scenes, rays, March(a.coarse, a.fine, jitter=jitter), behind)


def _pose_and_intrinsics(label: Float[Tensor, "b 25"]) -> tuple[Float[Tensor, "b 4 4"], Float[Tensor, "b 3 3"]]:
    return label[:, :16].view(-1, 4, 4), label[:, 16:].view(-1, 3, 3)
