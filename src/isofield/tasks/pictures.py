"""One object from its posed pictures: what is learned from, and by which loss (VolSDF, Yariv et al. 2021)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from isofield import losses
from isofield.errors import InputError
from isofield.fields.rendered import RenderedField
from isofield.frame import UnitFrame
from isofield.render.camera import Camera
from isofield.render.rays import Rays, rays_of
from isofield.render.volume import FieldScene, March, VolumeRendering, render_volume
from isofield.views.consistency import foreground, silhouette
from isofield.views.image_set import ImageSet
from isofield.views.poses import poses_of
from isofield.views.regions import smooth_part

MOST = 4_000_000  # pixels that are learned from
CELLS, MARGIN = 48, 1.05  # of the hull that says where the object is; of the ball around it
UNLIKE = 0.1  # mean difference to the background beyond masks from which pictures have another one
TETRAHEDRON = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
MARCH = March(32, 32, above=1e-4)
AT_ONCE, SIDE = 4096, 256  # rays of a still picture at a time; its longer side at most


@dataclass(frozen=True, eq=False)
class Pixels:
    """Rays that meet the unit ball, and what is seen along them.

    mask: 1 on the object, NaN where it is not known; on: where it is 1.
    """

    origins: Float[Tensor, "n 3"]
    directions: Float[Tensor, "n 3"]
    near: Float[Tensor, " n"]
    far: Float[Tensor, " n"]
    color: UInt8[Tensor, "n 3"]
    mask: Float[Tensor, " n"]
    background: Float[Tensor, "3"]
    on: Int[Tensor, " m"]

    @classmethod
    def of(cls, views: ImageSet, indices: list[int], frame: UnitFrame, seed: int = 0) -> "Pixels":
        """All pixels of these views, or MOST of them drawn at random. Raises InputError for damaged pictures."""
        share = min(1.0, MOST / sum(views.views[i].camera.width * views.views[i].camera.height for i in indices))
        parts: list[list[Tensor]] = []
        for index in indices:
            rays = rays_of([views.views[index].camera], frame)
            kept = rays.hits[0]
            if share < 1:
                kept = kept & torch.from_numpy(np.random.default_rng([seed, index]).random(len(kept)) < share)
            picture, mask = seen(views, index)
            unknown = torch.full(picture.shape[:2], torch.nan)
            known = unknown if mask is None else torch.from_numpy(mask).float()
            flat = (*(part[0] for part in rays), torch.tensor(picture).view(-1, 3), known.view(-1))
            parts.append([part[kept] for part in flat])
        origins, directions, near, far, color, known = (torch.cat(part) for part in zip(*parts, strict=True))
        if not len(near):
            raise InputError(views.store.path, "no camera sees where the others look", "check the cameras")
        on = (known > 0.5).nonzero()[:, 0]
        return cls(origins, directions, near, far, color, known, torch.tensor(views.world.background), on)

    def draw(self, count: int) -> tuple[Rays, Float[Tensor, "count 3"], Float[Tensor, " count"]]:
        """Rays of a batch of one, half of them on the object if it is known; colours in [0, 1]; masks."""
        chosen = torch.randint(len(self.near), (count,))
        if len(self.on):
            chosen[: count // 2] = self.on[torch.randint(len(self.on), (count // 2,))]
        rays = Rays(*(part[chosen][None] for part in (self.origins, self.directions, self.near, self.far)))
        return rays, self.color[chosen] / 255, self.mask[chosen]


@dataclass(frozen=True)
class PosedPictures:
    """L1 of colours, of masks where they are known, and the eikonal term.

    The gradient for that is of differences over `step`, so that it also smooths what is finer (Neuralangelo, Li et al.
    2023); its points lie anywhere in the ball, and at rendered depths.
    """

    rays: int = 1024
    march: March = MARCH
    mask_weight: float = 1.0
    eikonal_weight: float = 0.1
    probes: int = 512
    step: float = 0.01
    rate: float = 2e-3
    table_rate: float = 4e-3

    def loss(self, field: RenderedField, data: Pixels) -> Float[Tensor, ""]:
        rays, color, mask = data.draw(self.rays)
        rendering = render_volume(FieldScene(field, field.density), rays, self.march, data.background)
        loss = (rendering.color[0] - color).abs().mean()
        known = ~mask.isnan()
        if known.any():
            loss = loss + self.mask_weight * (rendering.opacity[0] - mask)[known].abs().mean()
        slopes = self._slopes(field, self._probes(rays, rendering))
        return loss + self.eikonal_weight * losses.eikonal(slopes)

    def _probes(self, rays: Rays, rendering: VolumeRendering) -> Float[Tensor, "n 3"]:
        anywhere = nn.functional.normalize(torch.randn(self.probes, 3), dim=1) * torch.rand(self.probes, 1) ** (1 / 3)
        depth = rendering.depth.detach()[:, : self.probes, None] + 0.05 * torch.randn(1, min(self.probes, self.rays), 1)
        near = Rays(*(part[:, : self.probes] for part in rays)).at(depth)[0, :, 0]
        return torch.cat([anywhere, near]).clamp(-1 + self.step, 1 - self.step)

    def _slopes(self, field: RenderedField, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Gradients from the values at the corners of a small tetrahedron around each point."""
        corners = points[:, None] + self.step * TETRAHEDRON
        values = field.sdf(corners.view(-1, 3)).view(-1, 4)
        return values @ TETRAHEDRON / (4 * self.step)


def still(field: RenderedField, camera: Camera, background: tuple[float, float, float]) -> VolumeRendering:
    """A whole picture without jitter or gradients: colour (h, w, 3), depth and opacity (h, w)."""
    rays, march = rays_of([camera], field.frame), March(64, 64, jitter=False, above=1e-4)
    behind, parts = torch.tensor(background), []
    with torch.no_grad():
        for i in range(0, camera.width * camera.height, AT_ONCE):
            some = Rays(*(part[:, i : i + AT_ONCE] for part in rays))
            parts.append(render_volume(FieldScene(field, field.density), some, march, behind))
    joined = (torch.cat(part, 1)[0] for part in zip(*parts, strict=True))
    return VolumeRendering(*(part.view(camera.height, camera.width, *part.shape[1:]) for part in joined))


def seen(views: ImageSet, index: int) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"] | None]:
    """The picture and its mask. Where the background is another than the set's, and the mask or an even rim tell it
    apart, the picture is laid on the set's."""
    picture, mask = views.picture(index), views.mask(index)
    background, shown = np.array(views.world.background), foreground(picture) if mask is None else mask
    if shown is not None and not shown.all() and np.abs(picture[~shown] / 255 - background).mean() > UNLIKE:
        picture = np.where(shown[..., None], picture, np.round(255 * background).astype(np.uint8))
    return picture, mask


def reduced(views: ImageSet, index: int) -> tuple[Camera, UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"] | None]:
    """Camera, picture and mask of a view, brought to SIDE pixels where it has more."""
    camera = views.views[index].camera
    picture, mask = seen(views, index)
    large = max(camera.width, camera.height)
    if large <= SIDE:
        return camera, picture, mask
    width, height = (max(1, round(side * SIDE / large)) for side in (camera.width, camera.height))
    scale = np.diag([width / camera.width, height / camera.height, 1.0])
    whole = (0.0, 0.0, float(camera.width), float(camera.height))
    red, green, blue = (round(255 * part) for part in views.world.background)
    small = smooth_part(picture, whole, width, height, (red, green, blue))
    if mask is not None:
        gray = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, 2)
        mask = smooth_part(gray, whole, width, height, (0, 0, 0))[..., 0] > 127
    return Camera(camera.camera_to_world, scale @ camera.intrinsics, width, height), small, mask


def frame_of_views(views: ImageSet) -> UnitFrame:
    """Where the object is: the set's own radius, else the ball around the hull of its silhouettes, else the ball that
    the pictures show around the point that all cameras look at."""
    if views.world.radius is not None:
        return UnitFrame(scale=views.world.radius)
    cameras = [view.camera for view in views.views]
    poses = poses_of(cameras)
    shown = [d * min(c.width / c.intrinsics[0, 0], c.height / c.intrinsics[1, 1]) / 2
             for c, d in zip(cameras, poses.distances, strict=True)]  # fmt: skip
    radius = float(np.median(shown))
    hull = _hull(views, poses.target, 1.5 * radius)
    center = poses.target
    if len(hull):
        center = (hull.min(0) + hull.max(0)) / 2
        radius = MARGIN * float(np.linalg.norm(hull - center, axis=1).max()) + 3 * radius / CELLS
    x, y, z = center.tolist()
    return UnitFrame((x, y, z), radius)


def _hull(views: ImageSet, center: np.ndarray, half: float) -> Float[np.ndarray, "n 3"]:
    """Points of a lattice that lie in every silhouette that shows them; none where there are no silhouettes."""
    side = np.linspace(-half, half, CELLS)
    points = center + np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    told = 0
    for index in range(len(views)):
        found = silhouette(views, index, views.picture(index))
        if found is None or found.cut:
            continue
        told += 1
        pixels, depth = found.camera.project(points)
        column, row = np.floor(pixels).astype(int).T
        within = (depth > 0) & (column >= 0) & (row >= 0) & (column < found.camera.width) & (row < found.camera.height)
        inside = np.zeros(len(points), bool)
        inside[within] = found.mask[row[within], column[within]]
        points = points[inside]
    return points if told >= 3 else points[:0]
