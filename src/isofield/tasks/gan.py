"""The contest of GeoGen: a generator of fields, a critic of its pictures, and the average that is kept."""

import math
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from isofield.errors import IsofieldError
from isofield.fields.density import ScaledDensity
from isofield.fields.triplane import Triplanes
from isofield.frame import UnitFrame
from isofield.losses import depth_consistency, ray_consistency
from isofield.models.adversarial import discriminator_loss, generator_loss, r1, r1_weight
from isofield.models.average import decay, follow
from isofield.models.discriminator import Discriminator, dual, resized
from isofield.models.filters import smoothed
from isofield.models.geogen import LABEL, GeoGen, new_density
from isofield.models.mapping import swapped
from isofield.models.pictures import glimpsed, photographed
from isofield.models.presets import Preset
from isofield.models.regularity import eikonal_loss, minimal_surface_loss, probes, smooth_density_loss
from isofield.models.studio import Studio
from isofield.render.rays import Rays
from isofield.render.volume import surface_sdf
from isofield.tasks.team import Team
from isofield.views.lessons import Lessons, draw

KIMG = 1000  # pictures
FINER = 2  # rays a side of each pixel while a run is finished
SHARP, FALL = 0.125, 2.0  # beta then, in pixels of a picture two units wide; e-folds by which it falls at most
SHARPENED, COOLING = 0.8, 0.8  # share of a run with likeness after which beta has fallen; last share, of falling rates
GLIMPSES = 512  # pixels of a true picture that the shape of the set that it shows is asked for
QUIET = 0.01  # deviation of latents before any is learned: what chance put there tells of no shape, and would stay
REACH = 0.1  # of the rendered depth, where further points of a ray are looked at
PROBES = 128  # points of each scene where its slopes are asked for, and as many near its surface
BETAS, EPSILON = (0.0, 0.99), 1e-8  # of Adam
STEADY = (0.9, 0.99)  # of the generator's where most steps have true pictures to go by
DIVERGED = "training diverged; begin anew with a larger --r1 or --batch"
Numbers = dict[str, Tensor]


class OwnLesson(NamedTuple):
    """Latents of shapes of the set, EG3D's labels of the cameras of pictures of them, places in these, in picture
    sizes, and their colours in [0, 1]."""

    latent: Float[Tensor, "b latent"]
    label: Float[Tensor, "b 25"]
    places: Float[Tensor, "b r 2"]
    colors: Float[Tensor, "b r 3"]


class Start(NamedTuple):
    """What a training begins with: a generator, where they are known weights of its critic, and (n, latent) latents of
    the shapes of the same set."""

    generator: GeoGen
    critic: dict[str, Tensor]
    own: Float[Tensor, "n latent"] | None


class Contest:
    """Generator and critic with their Adams; every step is exact in (seed, step).

    A batch is cut into the recipe's shares, each with randomness of its own, and gradients are summed over them: one
    process does them one after another, and several divide them, with the same result but for rounding.

    Where the recipe asks for likeness, each shape of the set has a latent of its own, learned with the generator (GLO,
    Bojanowski et al. 2018), and those of new shapes are drawn from the Gaussian of these. By rays through single pixels
    it must look like its pictures as large as they were given, so that an outline is known better than by a pixel of
    what the critic sees. The contest itself is then seldom, and rates fall.
    """

    def __init__(self, preset: Preset, lessons: Lessons, seed: int, team: Team | None = None):
        self.preset, self.lessons, self.seed, self.team = preset, lessons, seed, team or Team()
        self.length: int | None = None  # steps of the run, where it is known; what finishes it depends on it
        self.device = self.team.device
        a, recipe = preset.architecture, preset.recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            frame, studio = UnitFrame(scale=lessons.radius), Studio.of(lessons.labels, lessons.background)
            self.generator = GeoGen(a, new_density(a.density, recipe), frame, studio).to(self.device)
            self.critic = Discriminator(
                a.size, 6 if a.size > a.raw else 3, LABEL, base=a.critic_base, most=a.critic_most, depth=a.critic_depth
            ).to(self.device)
            if recipe.likeness:
                first = QUIET * torch.randn(int(lessons.shapes.max()) + 1, a.latent)
                self.own = nn.Embedding.from_pretrained(first, freeze=False).to(self.device)
        self.average = deepcopy(self.generator).eval().requires_grad_(False)
        if self.team.fabric is not None:  # styles and fields need all their digits
            for network in (self.generator.synthesis, self.generator.refine, self.critic):
                if network is not None:
                    self.team.cast(network)
        self.labels = torch.as_tensor(lessons.labels, device=self.device)
        self.background = torch.tensor(lessons.background, device=self.device)
        self.networks: dict[str, nn.Module] = {"generator": self.generator, "critic": self.critic}
        self.adams = {"generator": _generator_adam(self.generator, preset), "critic": _critic_adam(self.critic, preset)}
        if recipe.likeness:
            self.networks["own"] = self.own
            latents = {"params": list(self.own.parameters()), "lr": recipe.code_rate, "rate": recipe.code_rate}
            self.adams["own"] = torch.optim.Adam([latents], betas=BETAS, eps=EPSILON, fused=True)

    @property
    def batch(self) -> int:
        return self.preset.recipe.batch

    def begin_with(self, start: Start) -> None:
        """Before the first step: with the weights of another training."""
        for generator in (self.generator, self.average):
            generator.load_state_dict(start.generator.state_dict())
        if start.critic:
            self.critic.load_state_dict(start.critic)
        if self.preset.recipe.likeness:
            with torch.no_grad():
                anew = self.generator.mapping.center + self.own.weight
                self.own.weight.copy_(anew if start.own is None else start.own)

    def step(self, step: int) -> Numbers:
        """One step of both; returns what is worth logging. Its randomness comes from (seed, step) alone."""
        images, shares, recipe = step * self.batch, self.preset.recipe.shares, self.preset.recipe
        self._schedule(step)
        chosen = draw(len(self.lessons), self.batch, step, self.seed)
        contested, flattened = self.holds(step)
        lessons, fakes, said = [], [], []
        self.critic.requires_grad_(False)
        for share in self.team.shares(shares):
            torch.manual_seed(int(np.random.SeedSequence([self.seed, step, share]).generate_state(1)[0]))
            said.append(self._likeness_share(self._own_lesson(chosen[share::shares])) if recipe.likeness else {})
            if contested:
                lessons.append(self._lesson(chosen[share::shares]))
                asked = self.labels[torch.randint(len(self.labels), (self.batch // shares,), device=self.device)]
                fake, numbers = self._generator_share(asked)
                fakes.append((fake, asked))
                said[-1] |= numbers
        self._learn("generator")
        if recipe.likeness:
            self._learn("own")
        self._remember([numbers.pop("style") for numbers in said])
        if contested:
            self.critic.requires_grad_(True)
            for numbers, lesson, fake_and_label in zip(said, lessons, fakes, strict=True):
                numbers |= self._critic_share(*lesson, *fake_and_label)
            self._learn("critic")
        if flattened:
            for numbers, lesson in zip(said, lessons, strict=True):
                numbers |= self._flatness_share(*lesson)
            self._learn("critic")
        follow(self.average, self.generator, decay(images + self.batch, self.batch, recipe.half_life * KIMG))
        return self._mean(said)

    def holds(self, step: int) -> tuple[bool, bool]:
        """Whether this step has the contest, and R1 as well."""
        recipe = self.preset.recipe
        every = recipe.seldom if recipe.likeness else 1
        return (step % every == 0, step % (every * recipe.lazy) == 0) if every else (False, False)

    def share_of_finer(self) -> float:
        """Of a run, the share whose pictures are made of several rays a pixel."""
        self.length = 100
        finer = 0
        for step in range(self.length):
            self._schedule(step)
            finer += self.finer > 1
        return finer / self.length

    def _schedule(self, step: int) -> None:
        """What changes on the way, by the count of pictures, and at the end of the run."""
        recipe, density, images = self.preset.recipe, self.generator.decoder.density, step * self.batch
        last = recipe.finish * self.length if self.length else 0.0  # steps
        finishing = self.length is not None and last > 0 and step >= self.length - last
        self.settled = images >= recipe.settle * KIMG
        for parameter in density.parameters():
            parameter.requires_grad_(self.settled and not finishing and not recipe.likeness)
        self.finer = FINER if finishing else 1
        if recipe.likeness:
            self.generator.mapping.drawn_like(self.own.weight)
            self._settle_down(step / self.length if self.length else 0.0)
        elif finishing and isinstance(density, ScaledDensity):
            beta = float(density.beta.detach())
            density.sharpen(min(beta, max(self._sharp(self.preset.architecture.raw), beta * math.exp(-FALL / last))))
        done = min(images / (recipe.sharp * KIMG), 1.0) if recipe.sharp else 1.0
        self.blur = recipe.blur * (1 - done)
        self.swap = 1 - done * (1 - recipe.swap)

    def _settle_down(self, done: float) -> None:
        """At this share of a run with likeness: beta falls by equal factors, and rates in the end. What the critic sees
        has several rays a pixel as soon as beta is small for its pixels."""
        first, density = self.preset.recipe.beta, self.generator.decoder.density
        if isinstance(density, ScaledDensity):
            beta = first * min(1.0, self._sharp(self.lessons.finest) / first) ** min(1.0, done / SHARPENED)
            density.sharpen(beta)
            self.finer = FINER if beta < self._sharp(self.preset.architecture.raw) else self.finer
        for group in (*self.adams["generator"].param_groups, *self.adams["own"].param_groups):
            group["lr"] = group["rate"] * cooled(done)

    @staticmethod
    def _sharp(pixels: int) -> float:
        return SHARP * 2 / pixels

    def _lesson(self, chosen: Int[np.ndarray, " b"]) -> tuple[Float[Tensor, "b c s s"], Float[Tensor, "b 25"]]:
        """Real pictures as the critic sees them, and their labels."""
        pictures = torch.as_tensor(self.lessons.pictures(chosen), device=self.device).permute(0, 3, 1, 2)
        pictures = pictures.contiguous().float() / 127.5 - 1
        raw = resized(pictures, self.preset.architecture.raw)
        return self._shown(pictures, raw), self.labels[torch.as_tensor(chosen, device=self.device)]

    def _own_lesson(self, chosen: Int[np.ndarray, " b"]) -> OwnLesson:
        """Of the shapes that these pictures show."""
        places, colors = self.lessons.glimpses(chosen, torch.rand(len(chosen), GLIMPSES, 2).numpy())
        shapes, where = (torch.as_tensor(each, device=self.device) for each in (self.lessons.shapes[chosen], chosen))
        seen = torch.as_tensor(places, device=self.device), torch.as_tensor(colors, device=self.device).float() / 255
        return OwnLesson(self.own(shapes), self.labels[where], *seen)

    def _shown(self, picture: Tensor, raw: Tensor) -> Tensor:
        return picture if self.generator.refine is None else dual(picture, raw)

    def _judged(self, pictures: Tensor, label: Tensor) -> Float[Tensor, " b"]:
        return self.critic(smoothed(pictures, self.blur), label)

    def _generator_share(self, label: Float[Tensor, "b 25"]) -> tuple[Float[Tensor, "b c s s"], Numbers]:
        """Pictures by these cameras, and the gradient of what the critic says of them."""
        noise = torch.randn(len(label), self.preset.architecture.latent, device=self.device)
        w = self._styles(self.generator.mapping.latents(noise), label)
        scenes = self.generator.scenes(w, fresh=True)
        shots = photographed(self.generator, scenes, w, label, self.background, finer=self.finer)
        fake = self._shown(shots.picture, shots.raw)
        logits = self._judged(fake, label)
        loss = generator_loss(logits)
        terms = self._regularity(scenes, shots.rays, shots.depth, shots.opacity)
        self._backward(loss + sum(weight * value for weight, value in terms.values()), "generator")
        numbers = {"generator": loss, "fake": logits.mean(), "opacity": shots.opacity.mean(), "style": w.mean(0)}
        numbers |= {name: value for name, (_, value) in terms.items()}
        return fake.detach(), {name: value.detach() for name, value in numbers.items()}

    def _likeness_share(self, own: OwnLesson) -> Numbers:
        """The gradient by which shapes of the set come to look like their pictures."""
        w = self._styles(own.latent, own.label)
        scenes = self.generator.scenes(w, fresh=True)
        rays, seen = glimpsed(self.generator, scenes, own.label, own.places, self.background)
        unlikeness = (seen.color[..., :3] - own.colors).abs().mean()
        terms = self._regularity(scenes, rays, seen.depth, seen.opacity).values()
        loss = self.preset.recipe.likeness * unlikeness + sum(weight * value for weight, value in terms)
        self._backward(loss, "generator")
        return {"unlikeness": unlikeness.detach(), "style": w.detach().mean(0)}

    def _styles(self, z: Float[Tensor, "b latent"], label: Float[Tensor, "b 25"]) -> Float[Tensor, "b latent"]:
        conditioned = self.preset.architecture.conditioned
        return self.generator.mapping(z, swapped(label, self.swap) if conditioned else None)

    def _regularity(
        self, scenes: Triplanes, rays: Rays, depth: Float[Tensor, "b r"], opacity: Float[Tensor, "b r"]
    ) -> dict[str, tuple[float, Tensor]]:
        """Weight and value of everything that is asked of the shapes themselves.

        No gradient passes through the depth d(r) of Eq. 6: the surface moves to where it is seen, not the other way.
        """
        recipe, terms = self.preset.recipe, {}
        if recipe.depth and self.settled:
            distance = surface_sdf(scenes, rays, depth.detach())
            terms["depth"] = recipe.depth, depth_consistency(distance, opacity)
            if recipe.along:
                offsets = REACH * (2 * torch.rand(*depth.shape, recipe.along, device=depth.device) - 1)
                points = rays.at(depth.detach()[..., None] + offsets).flatten(1, 2)
                values = scenes.sdf(scenes.value(points)).view_as(offsets)
                terms["along"] = recipe.depth, ray_consistency(values, offsets, opacity)
        if recipe.eikonal or recipe.minimal or recipe.smooth:
            points = probes(rays, depth, opacity, PROBES)
            for weight, loss in (
                (recipe.eikonal, eikonal_loss),
                (recipe.minimal, minimal_surface_loss),
                (recipe.smooth, smooth_density_loss),
            ):
                if weight:
                    terms[loss.__name__.removesuffix("_loss")] = weight, loss(scenes, points)
        return terms

    def _critic_share(self, real: Tensor, label: Tensor, fake: Tensor, asked: Tensor) -> Numbers:
        """The gradient by which the critic learns to tell them."""
        true, false = self._judged(real, label), self._judged(fake, asked)
        loss = discriminator_loss(true, false)
        self._backward(loss, "critic")
        return {"critic": loss.detach(), "real": true.detach().mean(), "told": (true > false).float().mean()}

    def _flatness_share(self, real: Tensor, label: Tensor) -> Numbers:
        """The gradient of R1 by which it becomes flat at real pictures, for all the steps that go without."""
        recipe = self.preset.recipe
        penalty = r1(lambda x: self._judged(x, label), real)
        gamma = recipe.r1 or r1_weight(self.preset.architecture.size, self.batch)
        self._backward(penalty * (gamma / 2 * recipe.lazy), "critic")
        return {"r1": penalty.detach()}

    def _backward(self, loss: Float[Tensor, ""], whose: str) -> None:
        """Raises IsofieldError before a loss that is no number reaches any weight."""
        if not torch.isfinite(loss):
            raise IsofieldError(f"the loss of the {whose} is {float(loss.detach())}: {DIVERGED}")
        (loss / self.preset.recipe.shares).backward()

    def _learn(self, whose: str) -> None:
        """Sum the gradients of all processes and step."""
        adam = self.adams[whose]
        self.team.add_up(parameter for group in adam.param_groups for parameter in group["params"])
        adam.step()
        adam.zero_grad()

    def _remember(self, styles: list[Float[Tensor, " latent"]]) -> None:
        total = self.team.total(torch.stack(styles).sum(0))
        self.generator.mapping.remember(total[None] / self.preset.recipe.shares)

    def _mean(self, said: list[Numbers]) -> Numbers:
        """Over all shares of all processes."""
        sums = torch.stack([torch.stack([numbers[name] for name in said[0]]) for numbers in said]).sum(0)
        return dict(zip(said[0], self.team.total(sums) / self.preset.recipe.shares, strict=True))

    def state(self) -> dict[str, Tensor]:
        """All that going on needs, but for the average, which is the model that is saved."""
        state: dict[str, Tensor] = {}
        for part, network in self.networks.items():
            state |= {f"{part}.weight.{name}": value for name, value in network.state_dict().items()}
            for name, parameter in network.named_parameters():
                known = self.adams[part].state.get(parameter, {})
                state |= {f"{part}.adam.{key}.{name}": value for key, value in known.items()}
        return {name: value.detach().cpu().contiguous() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor], average: dict[str, Tensor]) -> None:
        """The inverse of `state`; average: weights of the average."""
        self.average.load_state_dict(average)
        for part, network in self.networks.items():
            weights = f"{part}.weight."
            network.load_state_dict({k.removeprefix(weights): v for k, v in state.items() if k.startswith(weights)})
            for name, parameter in network.named_parameters():
                if f"{part}.adam.step.{name}" in state:  # what no loss has met yet has none
                    moments = {key: state[f"{part}.adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
                    found = {key: value.to(self.device) for key, value in moments.items()}
                    self.adams[part].state[parameter] = found


def cooled(done: float) -> float:
    """Share of the full rates at this share of a run with likeness, which has true pictures to come to rest at."""
    return 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - done) / COOLING))


def _generator_adam(generator: GeoGen, preset: Preset) -> torch.optim.Adam:
    """The decoder's plain layers learn as fast as the equalised ones, and beta at a rate of its own."""
    recipe, decoder = preset.recipe, generator.decoder
    scale = list(decoder.density.parameters())
    plain = [p for net in (decoder.shape_net, decoder.color_net) for p in net.parameters() if p.ndim > 1]
    apart = {id(parameter) for parameter in (*scale, *plain)}
    groups = [
        {"params": [p for p in generator.parameters() if id(p) not in apart], "lr": recipe.rate},
        {"params": plain, "lr": recipe.rate / math.sqrt(decoder.width)},
        {"params": scale, "lr": recipe.beta_rate},
    ]
    groups = [{**group, "rate": group["lr"]} for group in groups if group["params"]]
    return torch.optim.Adam(groups, betas=STEADY if recipe.likeness else BETAS, eps=EPSILON, fused=True)


def _critic_adam(critic: Discriminator, preset: Preset) -> torch.optim.Adam:
    """Rate and memory shortened for the extra steps of R1 (Karras et al. 2020, appendix B)."""
    share = preset.recipe.lazy / (preset.recipe.lazy + 1)
    rate, betas = preset.recipe.critic_rate * share, (BETAS[0] ** share, BETAS[1] ** share)
    return torch.optim.Adam(critic.parameters(), lr=rate, betas=betas, eps=EPSILON, fused=True)
