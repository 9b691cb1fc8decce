"""Is a generator still alive? Numbers about its average model, and words for what goes wrong with the way out."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.density import SoftplusDensity
from isofield.models.geogen import GeoGen
from isofield.models.pictures import photographed
from isofield.models.regularity import slopes

LOOKS = 8  # latents that are looked at
EMPTY, FULL = 0.003, 0.5  # mean opacity; share of the cube's faces that lie inside
ALIKE = 0.01  # root mean square difference of two samples from one side, sRGB in [0, 1]
BEATEN = 0.99  # share of pairs that the critic tells


@torch.no_grad()
def health(
    generator: GeoGen, labels: Float[Tensor, "v 25"], background: Float[Tensor, "3"], seed: int
) -> dict[str, float]:
    """Of the same latents each time: mean `opacity`; `diversity`, how much samples differ from one side; `walls`, the
    share of the cube's faces that is inside; and of signed distances, at the rendered depth, mean `slope` |grad s| and
    mean `gap` |s| / |grad s|, which Eq. 6 should make small; `beta`.
    """
    w, _ = sitters(generator, labels, seed)
    scenes, same = generator.scenes(w), labels[:1].expand(LOOKS, -1)
    shots = photographed(generator, scenes, w, same, background, jitter=False)
    found = {
        "opacity": shots.opacity.mean(),
        "diversity": _difference(shots.raw),
        "walls": (scenes.sdf(scenes.value(_faces(labels).expand(LOOKS, -1, -1))) < 0).float().mean(),
    }
    density = generator.decoder.density
    if not isinstance(density, SoftplusDensity):
        surface = shots.rays.at(shots.depth[..., None])[:, :, 0]
        weight = shots.opacity / shots.opacity.sum().clamp_min(1e-6)
        slope = slopes(scenes, surface, 0.5 / scenes.planes.shape[-1]).norm(dim=-1)
        gap = scenes.sdf(scenes.value(surface)).abs() / slope.clamp_min(1e-3)
        found |= {"slope": (weight * slope).sum(), "gap": (weight * gap).sum(), "beta": torch.as_tensor(density.beta)}
    return {name: float(value) for name, value in found.items()}


@torch.no_grad()
def sitters(
    generator: GeoGen, labels: Float[Tensor, "v 25"], seed: int
) -> tuple[Float[Tensor, "b latent"], Float[Tensor, "b 25"]]:
    """Latents that are looked at, always the same, and a camera of each."""
    chosen = labels[torch.arange(LOOKS, device=labels.device) % len(labels)]
    return torch.stack([generator.latent(seed + k, 1.0, label) for k, label in enumerate(chosen)]), chosen


def ailments(numbers: Mapping[str, float], early: bool) -> list[str]:
    """What is wrong by these numbers, each with the way out. early: while all samples may still be the same ball."""
    found = []
    if numbers["opacity"] < EMPTY:
        found.append("the pictures are empty: no surface is left; begin anew with a larger --r1 or --batch")
    if numbers["walls"] > FULL:
        found.append("everything is inside: the surface has left the cube; begin anew with a larger --r1 or --batch")
    if not early and numbers["diversity"] < ALIKE:
        found.append("all samples look alike: the generator has collapsed; begin anew with a larger --r1 or --batch")
    if not early and numbers.get("told", 0.0) > BEATEN:
        found.append("the critic tells every pair: the generator no longer learns; raise --r1")
    return found


def _difference(pictures: Float[Tensor, "b 3 r r"]) -> Tensor:
    flat = pictures.clamp(-1, 1).flatten(1) / 2
    return (torch.cdist(flat, flat) / flat.shape[1] ** 0.5).sum() / (len(flat) * (len(flat) - 1))


def _faces(like: Tensor, side: int = 8) -> Float[Tensor, "1 n 3"]:
    """Points on the faces of [-1, 1]^3."""
    line = torch.linspace(-1, 1, side, device=like.device)
    u, v = (part.flatten() for part in torch.meshgrid(line, line, indexing="ij"))
    faces = [torch.stack([u, v, torch.full_like(u, s)], 1).roll(k, 1) for k in range(3) for s in (-1.0, 1.0)]
    return torch.cat(faces)[None]
