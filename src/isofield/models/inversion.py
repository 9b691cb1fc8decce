"""Pivotal tuning inversion (Roich et al. 2022): the latent of some pictures first, then the generator around it."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isofield.fields.density import ScaledDensity
from isofield.fields.triplane import Triplanes
from isofield.losses import depth_consistency
from isofield.models.discriminator import resized
from isofield.models.geogen import GeoGen
from isofield.models.level import settle_level
from isofield.models.mapping import gaussian
from isofield.models.perceptual import Perceptual
from isofield.models.pictures import Shots, photographed
from isofield.models.regularity import eikonal_loss, probes, smooth_density_loss
from isofield.render.volume import surface_sdf

RATE, RISE, FALL = 0.06, 0.05, 0.25  # of latents, in deviations; shares of the steps of rise and fall
NOISE, CALM = 0.05, 0.75  # on latents, in deviations; share of the steps after which there is none
LIKELY = 0.05  # weight of a latent's mean square in deviations: pictures alone leave the depth of a shape open
TUNING = 3e-4  # rate of the generator
SHARP, SHARPENED = 3e-3, 0.6  # beta after this share of the tuning
FINER = 2  # rays along a side for each pixel that the generator learned from: pictures tell more than those did
MOTION, PULL = 0.01, 0.1  # rate of cameras; what keeps them where they began
DEPTH, SLOPES, HOLD, SMOOTH, PROBES = 0.1, 0.5, 1.0, 0.25, 256  # what is asked of the shape: weights, and points
STYLES, LEAST = 10_000, 1e-6  # drawn for their Gaussian; variance of what none of them varies in
REACH = (1.0, 1.0, 1.0, 1.0, 1.0, 4.0)  # what a motion's numbers stand for: radians, and lengths; depth is seen least


@dataclass(frozen=True, eq=False)
class Sitting:
    """Pictures of one object in [-1, 1], with EG3D's labels in the generator's unit frame. free: those whose camera is
    only about right. Their size is that of `picture_size`."""

    pictures: Float[Tensor, "p 3 s s"]
    labels: Float[Tensor, "p 25"]
    free: Bool[Tensor, " p"]

    @property
    def size(self) -> int:
        return self.pictures.shape[-1]


def ramp(done: float) -> float:
    """Share of the full rate at this share of the steps: linear rise, fall by a cosine (Karras et al. 2020, app. D)."""
    fall = min(1.0, (1 - done) / FALL)
    return (0.5 - 0.5 * math.cos(math.pi * fall)) * min(1.0, done / RISE)


def calming(done: float) -> float:
    """Noise on the latent at this share of the steps, in its deviations (the same appendix)."""
    return NOISE * max(0.0, 1 - done / CALM) ** 2


def sharpness(beta: float, done: float) -> float:
    """beta at this share of the tuning, from what it was after training.

    A soft one puts outlines two or three betas outside the zero level, and all shapes are too thin by that.
    """
    return beta * min(1.0, SHARP / beta) ** min(1.0, done / SHARPENED)


def moved(labels: Float[Tensor, "p 25"], motion: Float[Tensor, "p 6"]) -> Float[Tensor, "p 25"]:
    """Cameras turned about the origin, then shifted; both along their own axes (right, down, forward).

    motion: rotation vector in radians and shift. A rotation keeps the distance, and what was in the middle there.
    """
    pose = labels[:, :16].view(-1, 4, 4)
    axes, eye = pose[:, :3, :3], pose[:, :3, 3]
    turn, shift = motion[:, :3], motion[:, 3:]
    x, y, z = turn.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    around = axes @ torch.linalg.matrix_exp(cross.double()).to(axes) @ axes.transpose(1, 2)
    axes = around @ axes
    eye = (around @ eye[..., None] + axes @ shift[..., None])[..., 0]
    top = torch.cat([axes, eye[..., None]], 2).flatten(1)
    return torch.cat([top, labels[:, 12:]], 1)


class Motion:
    """Small motions of cameras, to be learned: numbers (p, 6) in units of REACH."""

    def __init__(self, labels: Float[Tensor, "p 25"], free: Bool[Tensor, " p"] | None = None):
        self.labels, self.free = labels, torch.ones_like(labels[:, 0], dtype=torch.bool) if free is None else free
        self.numbers = torch.zeros(len(labels), 6, device=labels.device, requires_grad=True)

    def moved(self) -> Float[Tensor, "p 25"]:
        found = moved(self.labels, self.numbers * self.numbers.new_tensor(REACH))
        return torch.where(self.free[:, None], found, self.labels)

    def wandering(self) -> Float[Tensor, " p"]:
        """What is added to the loss of each, so that cameras do not leave for what pictures hardly tell apart."""
        return PULL * self.numbers.square().sum(1)


@dataclass(frozen=True, eq=False)
class Styles:
    """The Gaussian that a generator's styles are like: mean + factor v for v of N(0, 1).

    A search for v goes as fast in all directions, and knows which styles are likely (Zhu et al. 2020, "Improved
    StyleGAN embedding: where are the good latents?", whose P space is that of the last layer before its rectifier).
    """

    mean: Float[Tensor, " latent"]
    factor: Float[Tensor, "latent latent"]

    @classmethod
    @torch.no_grad()
    def of(cls, generator: GeoGen, labels: Float[Tensor, "n 25"], seed: int, count: int = STYLES) -> "Styles":
        """labels: where the mapping is conditioned."""
        chance = torch.Generator().manual_seed(seed)
        noise = torch.randn(count, generator.architecture.latent, generator=chance).to(generator.mapping.mean)
        told = labels[torch.arange(count) % len(labels)] if generator.architecture.conditioned else None
        return cls(*gaussian(generator.styles(noise, told), LEAST))

    def at(self, v: Float[Tensor, "b latent"]) -> Float[Tensor, "b latent"]:
        """The styles that these numbers stand for."""
        return self.mean + v @ self.factor.T


def unlikely(v: Float[Tensor, "b latent"]) -> Float[Tensor, " b"]:
    """What is added to the loss of each."""
    return LIKELY * v.square().mean(1)


def picture_size(generator: GeoGen, smallest: int) -> int:
    """Pixels a side that pictures are compared at, the smallest of which has `smallest`: one for each ray, if they have
    so many; the size that the generator learned, if not, or if super-resolution makes its pictures."""
    size = generator.architecture.size
    return FINER * size if generator.refine is None and smallest >= FINER * size else size


def shots_of(
    generator: GeoGen,
    w: Float[Tensor, "b latent"],
    labels: Float[Tensor, "p 25"],
    size: int | None = None,
    *,
    jitter: bool = True,
) -> tuple[Triplanes, Shots]:
    """Pictures of one object, or as many as cameras; a single latent is made into planes once.

    size: of `picture_size`, means of all rays in each pixel; None: as the generator learned, by one ray a pixel.
    """
    scenes = generator.scenes(w)
    if len(w) < len(labels):
        scenes = Triplanes(scenes.planes.expand(len(labels), -1, -1, -1, -1), generator.decoder)
        w = w.expand(len(labels), -1)
    background, raw, finer = labels.new_tensor(generator.studio.background), None, 1
    if size and generator.refine is None:
        raw, finer = size, FINER * generator.architecture.size // size
    return scenes, photographed(generator, scenes, w, labels, background, jitter=jitter, raw=raw, finer=finer)


def unlikeness(
    seen: Sequence[Float[Tensor, "p 3 _ _"]],
    pictures: Float[Tensor, "p 3 s s"],
    perceptual: Perceptual,
    squares: float = 0.0,
) -> Float[Tensor, " p"]:
    """Of the final pictures, and of those before super-resolution where there is one. squares: weight of their mean
    squared difference beside the perceptual one."""
    total = pictures.new_zeros(len(pictures))
    for picture in seen:
        wanted = resized(pictures, picture.shape[-1])
        total = total + perceptual(picture, wanted) + squares * (picture - wanted).square().mean((1, 2, 3))
    return total / len(seen)


def shapeliness(generator: GeoGen, scenes: Triplanes, pivot: Triplanes, shots: Shots) -> Float[Tensor, ""]:
    """What keeps the shape one while its picture is tuned: GeoGen's Eq. 6, slopes of one, and the distances that the
    pivot, a single scene, has at the same points, but for a shift of them all, which a sharper density brings; of
    densities, EG3D's smoothness."""
    points = probes(shots.rays, shots.depth, shots.opacity, PROBES)
    if not generator.decoder.density.signed:
        return SMOOTH * smooth_density_loss(scenes, points)
    distance = surface_sdf(scenes, shots.rays, shots.depth.detach())
    with torch.no_grad():
        before = pivot.value(points.flatten(0, 1)[None]).view(points.shape[:2])
    moved = scenes.value(points) - before
    loss = DEPTH * depth_consistency(distance, shots.opacity) + SLOPES * eikonal_loss(scenes, points)
    return loss + HOLD * (moved - moved.mean()).abs().mean()


class Inversion:
    """`steps` of Adam for the latent, from the mean, and for free cameras; then `tune` steps for the generator,
    whose density becomes sharp meanwhile.

    Every step is exact in (seed, step). v: the latent by the Gaussian of styles. generator: the copy that is tuned;
    found: what the pictures look like before that.
    """

    def __init__(
        self, generator: GeoGen, sitting: Sitting, perceptual: Perceptual, steps: int = 500, tune: int = 500,
        seed: int = 0,
    ):  # fmt: skip
        self.before, self.generator = generator, deepcopy(generator)
        self.sitting, self.perceptual = sitting, perceptual
        self.steps, self.tune, self.seed = steps, tune, seed
        self.styles = Styles.of(generator, sitting.labels, seed)
        self.v = torch.zeros_like(self.styles.mean)[None].requires_grad_()
        self.motion = Motion(sitting.labels, sitting.free)
        self.adams = {
            "latent": finding_adam(self.v, self.motion if sitting.free.any() else None),
            "generator": tuning_adam(self.generator),
        }
        density = self.generator.decoder.density
        self.beta = float(density.beta.detach()) if isinstance(density, ScaledDensity) else 0.0  # after training
        self.found = self.looks()

    @property
    def length(self) -> int:
        return self.steps + self.tune

    @property
    def w(self) -> Float[Tensor, " latent"]:
        """The latent found so far."""
        return self.styles.at(self.v.detach())[0]

    @cached_property
    def pivot(self) -> Triplanes:
        """What the latent is before the generator is tuned around it; to be asked for when it has been found."""
        with torch.no_grad():
            return self.before.scenes(self.w[None])

    def labels(self) -> Float[Tensor, "p 25"]:
        """The cameras as found so far."""
        return self.motion.moved()

    def step(self, step: int) -> Float[Tensor, ""]:
        """One step of the stage that is on; returns the loss."""
        torch.manual_seed(int(np.random.SeedSequence([self.seed, step]).generate_state(1)[0]))
        finding = step < self.steps
        self.generator.requires_grad_(not finding)
        loss = self._find(step / self.steps) if finding else self._tune((step - self.steps) / self.tune)
        if step + 1 == self.steps:
            self.found = self.looks()
        return loss

    @torch.no_grad()
    def looks(self) -> Float[Tensor, "p 3 s s"]:
        """The pictures as they are now, without chance."""
        return shots_of(self.generator, self.w[None], self.labels(), self.sitting.size, jitter=False)[1].picture

    def result(self) -> GeoGen:
        """The tuned generator, whose mean is the latent found; on the processor."""
        made = deepcopy(self.generator).cpu().eval().requires_grad_(False)
        made.mapping.mean.copy_(self.w)
        settle_level(made, self.w[None].expand(len(self.sitting.labels), -1).cpu(), self.labels().cpu())
        return made

    def state(self) -> dict[str, Tensor]:
        """All that going on needs."""
        state = {"v": self.v, "motion": self.motion.numbers, "start": self.motion.labels, "found": self.found}
        state |= {f"weight.{name}": value for name, value in self.generator.state_dict().items()}
        for part, adam in self.adams.items():
            for number, parameter in enumerate(_learned(adam)):
                state |= {f"{part}.{number}.{key}": value for key, value in adam.state.get(parameter, {}).items()}
        return {name: value.detach().cpu().contiguous() for name, value in state.items()}

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state`; the sitting's labels must be its `start`."""
        for name, tensor in (("v", self.v), ("motion", self.motion.numbers), ("found", self.found)):
            tensor.copy_(state[name])
        weights = {name.removeprefix("weight."): value for name, value in state.items() if name.startswith("weight.")}
        self.generator.load_state_dict(weights)
        for part, adam in self.adams.items():
            for number, parameter in enumerate(_learned(adam)):
                if f"{part}.{number}.step" in state:
                    moments = {key: state[f"{part}.{number}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
                    adam.state[parameter] = {key: value.to(self.v.device) for key, value in moments.items()}

    def _find(self, done: float) -> Float[Tensor, ""]:
        adam = self.adams["latent"]
        for group in adam.param_groups:
            group["lr"] = group["rate"] * ramp(done)
        w = self.styles.at(self.v + torch.randn_like(self.v) * calming(done))
        _, shots = shots_of(self.generator, w, self.labels(), self.sitting.size)
        loss = unlikeness(shots.seen, self.sitting.pictures, self.perceptual) + self.motion.wandering()
        loss = loss + unlikely(self.v)
        return stepped(loss.mean(), adam)

    def _tune(self, done: float) -> Float[Tensor, ""]:
        density = self.generator.decoder.density
        if isinstance(density, ScaledDensity):
            density.sharpen(sharpness(self.beta, done))
        scenes, shots = shots_of(self.generator, self.w[None], self.labels().detach(), self.sitting.size)
        loss = unlikeness(shots.seen, self.sitting.pictures, self.perceptual, 1.0).mean()
        return stepped(loss + shapeliness(self.generator, scenes, self.pivot, shots), self.adams["generator"])


def stepped(loss: Float[Tensor, ""], adam: torch.optim.Adam) -> Float[Tensor, ""]:
    """One step down this loss, which is returned."""
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss.detach()


def finding_adam(v: Float[Tensor, "b latent"], motion: Motion | None) -> torch.optim.Adam:
    """For latents and cameras; `rate` is what the schedule of a group makes its rate from."""
    groups = [{"params": [v], "lr": RATE, "rate": RATE}]
    cameras = [] if motion is None else [{"params": [motion.numbers], "lr": MOTION, "rate": MOTION}]
    return torch.optim.Adam([*groups, *cameras])


def _learned(adam: torch.optim.Adam) -> list[Tensor]:
    return [parameter for group in adam.param_groups for parameter in group["params"]]


def tuning_adam(generator: GeoGen) -> torch.optim.Adam:
    """All that makes pictures of a latent; the decoder's plain layers at the lower rate that they were trained at."""
    decoder = generator.decoder
    plain = [*decoder.shape_net.parameters(), *decoder.color_net.parameters()]
    equalised = [*generator.synthesis.parameters(), *(generator.refine.parameters() if generator.refine else ())]
    groups = [
        {"params": equalised, "lr": TUNING},
        {"params": plain, "lr": TUNING / math.sqrt(decoder.width)},
    ]
    return torch.optim.Adam(groups)
