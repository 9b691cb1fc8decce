"""Pictures that a generator takes of its shapes: by any camera, with depth, and turning."""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from PIL import Image
from torch import Tensor

from isofield.models.geogen import GeoGen
from isofield.models.pictures import Shots, photographed
from isofield.render.pictures import AnyPicture
from isofield.views.eg3d import label_of

FINE = 128  # pixels a side of pictures that nothing refines, by default
TURN, FRAMES = 160, 24  # pixels of a turning picture, and pictures of a turn
SEEN = 0.5  # opacity from which a pixel has a depth


def front_label(generator: GeoGen) -> Float[Tensor, "25"]:
    """Of the camera at the front of the studio, in the unit frame."""
    return torch.tensor(label_of(generator.studio.front()))


class Photograph(NamedTuple):
    """depth: distances along the rays in the world of the generator's pictures, infinite where nothing is hit; before
    super-resolution, where there is one."""

    picture: AnyPicture
    depth: Float32[np.ndarray, "r r"]


@torch.no_grad()
def photographs(
    generator: GeoGen, style: Float[Tensor, " latent"], labels: list[Float[Tensor, "25"]], fine: int | None = None
) -> list[Photograph]:
    """Of the shape with this style, by the cameras of these labels. fine: pixels a side, where nothing refines them."""
    a, w = generator.architecture, style[None]
    scenes, background = generator.scenes(w), torch.tensor(generator.studio.background)
    raw = max(a.raw, fine or FINE) if generator.refine is None else None
    shots = (photographed(generator, scenes, w, one[None], background, jitter=False, raw=raw) for one in labels)
    return [Photograph(as_bytes(shot.picture[0]), _depth(shot, generator.frame.scale)) for shot in shots]


def turntable(
    generator: GeoGen,
    style: Float[Tensor, " latent"],
    label: Float[Tensor, "25"],
    frames: int | None = None,
    fine: int | None = None,
) -> list[AnyPicture]:
    """Pictures of a whole turn, which begins with the camera of the label."""
    count = frames or FRAMES
    labels = [turned(label, 360 * k / count) for k in range(count)]
    return [resized(shot.picture, TURN) for shot in photographs(generator, style, labels, fine)]


def _depth(shot: Shots, scale: float) -> Float32[np.ndarray, "r r"]:
    side = shot.raw.shape[-1]
    return torch.where(shot.opacity[0] > SEEN, scale * shot.depth[0], torch.inf).view(side, side).numpy()


def turned(label: Float[Tensor, "25"], degrees: float) -> Float[Tensor, "25"]:
    """The camera carried around the world's y axis, to the right as the front sees it."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    around = label.new_tensor([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]])
    return torch.cat([(around @ label[:16].view(4, 4)).flatten(), label[16:]])


def as_bytes(values: Float[Tensor, "3 s s"]) -> AnyPicture:
    return ((values.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()


def resized(image: AnyPicture, size: int) -> AnyPicture:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
