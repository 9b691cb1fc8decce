"""From where a picture was taken, when nobody knows: many starts, of which the better ones are followed further."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from isofield.models.discriminator import resized
from isofield.models.geogen import GeoGen
from isofield.models.inversion import Motion, Styles, finding_adam, shots_of, stepped, unlikely, unlikeness
from isofield.models.perceptual import Perceptual
from isofield.views.eg3d import label_of

STARTS = 64  # cameras drawn from the generator's studio
ROUNDS = ((24, 20, False), (6, 80, True))  # how many are kept, steps for latents of their own, whether cameras move


def found_camera(
    generator: GeoGen, picture: Float[Tensor, "3 s s"], perceptual: Perceptual, seed: int = 0
) -> Float[Tensor, "25"]:
    """EG3D's label of the camera, in the generator's unit frame."""
    return search(generator, picture, perceptual, seed)[1][0]


def search(
    generator: GeoGen, picture: Float[Tensor, "3 s s"], perceptual: Perceptual, seed: int = 0
) -> tuple[Float[Tensor, "k latent"], Float[Tensor, "k 25"]]:
    """Latents and cameras by successive halving, the best first.

    Cameras are drawn from those that the generator learned from and compared by pictures of the mean style; the better
    ones are given latents of their own, and the best may move too, all at the size that the generator learned from.
    Randomness comes from the seed alone.
    """
    picture = resized(picture[None], generator.architecture.size)[0]
    cameras = generator.studio.cameras(STARTS, generator.architecture.size, seed)
    labels = torch.tensor([label_of(camera) for camera in cameras]).to(picture)
    styles = Styles.of(generator, labels, seed)
    v = torch.zeros(STARTS, len(styles.mean)).to(picture)
    generator.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([seed, STARTS]).generate_state(1)[0]))
        for kept, steps, moving in ROUNDS:
            order = _scores(generator, styles.at(v), labels, picture, perceptual).argsort()[:kept]
            v, motion = v[order].clone().requires_grad_(), Motion(labels[order])
            adam = finding_adam(v, motion if moving else None)
            for _ in range(steps):
                _, shots = shots_of(generator, styles.at(v), motion.moved() if moving else motion.labels)
                off = unlikeness(shots.seen, picture.expand(len(v), -1, -1, -1), perceptual)
                stepped((off + unlikely(v)).sum(), adam)  # nothing draws cameras back to where chance put them
            v, labels = v.detach(), motion.moved().detach()
    w = styles.at(v)
    order = _scores(generator, w, labels, picture, perceptual).argsort()
    return w[order], labels[order]


@torch.no_grad()
def _scores(
    generator: GeoGen, w: Tensor, labels: Tensor, picture: Tensor, perceptual: Perceptual
) -> Float[Tensor, " k"]:
    """How unlike each one's picture is; one after another, for memory's sake."""
    found = []
    for style, label in zip(w, labels, strict=True):
        _, shots = shots_of(generator, style[None], label[None], jitter=False)
        found.append(unlikeness(shots.seen, picture[None], perceptual))
    return torch.cat(found)
