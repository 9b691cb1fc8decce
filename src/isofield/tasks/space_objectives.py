"""What a shape space is trained by: batches of a store, and losses that do not forget the hard shapes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from isofield import losses
from isofield.errors import InputError
from isofield.fields.space import ShapeSpace
from isofield.samples.store import SampleStore
from isofield.tasks.objectives import DistanceLoss
from isofield.tasks.team import Team

MEMORY = 0.9  # of the running mean of a shape's loss, each time it is drawn


class Batch(NamedTuple):
    """Samples of some shapes; 0 what a shape has not, None what no shape of the store has. colors: sRGB in [0, 1]."""

    points: Float[Tensor, "s p 3"]
    sdf: Float[Tensor, "s p"]
    closest: Float[Tensor, "s p 3"] | None
    normals: Float[Tensor, "s p 3"] | None
    colors: Float[Tensor, "s p 3"] | None
    directions: Float[Tensor, "s p 3"] | None


class StoreData:
    """Batches of a store: of each shape a run of rows from a random place, so that only those are read.

    Of the shapes asked for, a process of a team gets its share. signed, normals, colored: which shapes are.
    """

    def __init__(self, store: SampleStore, team: Team | None = None):
        self.store, self.team = store, team or Team()
        self.signed = torch.tensor([shape.signed for shape in store.shapes])
        self.normals = torch.tensor([{"closest", "normals"} <= set(shape.columns) for shape in store.shapes])
        self.colored = torch.tensor(["colors" in shape.columns for shape in store.shapes])
        owners = {name: number for number, shape in enumerate(store.shapes) for name in shape.columns}
        self._blank = {name: np.zeros_like(store.rows(number, 0, 1)[name]) for name, number in owners.items()}

    def draw(self, shapes: Int[Tensor, " s"], count: int) -> Batch:
        """At most `count` samples of each."""
        counts = [self.store.shapes[i].count for i in shapes.tolist()]
        count = min(count, *counts)
        places = torch.rand(len(shapes), dtype=torch.float64).tolist()
        starts = torch.tensor([int(place * (total - count + 1)) for place, total in zip(places, counts, strict=True)])
        own = zip(self.team.share(shapes).tolist(), self.team.share(starts).tolist(), strict=True)
        rows = [self.store.rows(shape, start, count) for shape, start in own]
        blank = {name: zero.repeat(count, 0) for name, zero in self._blank.items()}
        stacked = {name: torch.from_numpy(np.stack([(blank | row)[name] for row in rows])) for name in blank}
        stacked = {name: values.to(self.team.device) for name, values in stacked.items()}
        if "colors" in stacked:
            stacked["colors"] = stacked["colors"] / 255
        return Batch(*(stacked.get(name) for name in Batch._fields))  # type: ignore[arg-type]


def _relative_l1(predicted: Float[Tensor, " n"], true: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Less so than for a single shape: with 0.01 a decoder of many stays near f = 0 for long."""
    return losses.relative_l1(predicted, true, epsilon=0.2)


@dataclass(frozen=True)
class SharedDistances:
    """Regression of the distances of all shapes by one decoder, and of their colours where it has them.

    shapes, points: per step, of each shape. balance: the share of a step's shapes that is drawn in proportion to their
    running loss, not evenly, so that the few hard ones are not given up for the many.
    code_weight: of the mean length of the codes, as in the code of DeepSDF's authors. eikonal_weight, normal_weight: of
    IGR's terms, at the samples and on the surface; each costs a second derivative. code_bound: of the length of codes.
    color_share: colour is learned at every so-manieth sample. Shapes whose distances have no sign are learned by the
    loss of SAL (Atzmon & Lipman 2020), L1 of |f|, among the others.
    """

    distance_loss: DistanceLoss = _relative_l1
    shapes: int = 32
    points: int = 64
    balance: float = 0.5
    code_weight: float = 1e-4
    eikonal_weight: float = 0.0
    normal_weight: float = 0.0
    rate: float = 3e-3
    table_rate: float = 3e-3
    code_rate: float = 3e-3
    code_bound: float | None = None
    color_share: int = 4

    def loss(self, space: ShapeSpace, data: StoreData) -> Float[Tensor, ""]:
        """Of one step; in a team, this process's part of it: all parts add up to the whole."""
        together = self._choose(space.difficulty.cpu())
        batch, chosen = data.draw(together, self.points), data.team.share(together)
        points = batch.points.clone() if self.eikonal_weight else batch.points
        points.requires_grad_(self.eikonal_weight > 0)
        if self.code_bound is not None:
            with torch.no_grad():
                space.codes.renorm_(2, 0, self.code_bound)
        latents = space.latents(chosen)
        found = space.decoder(points, latents)
        each = torch.vmap(self.distance_loss)(found, batch.sdf)
        signed = data.signed[chosen].to(found.device)
        if not signed.all():
            each = torch.where(signed, each, torch.vmap(losses.l1)(found.abs(), batch.sdf))
        _remember(space.difficulty, together, data.team.joined(each.detach(), len(together)))
        loss = each.mean() + self.code_weight * space.codes[chosen].norm(dim=1).mean()
        if self.eikonal_weight:
            loss = loss + self.eikonal_weight * losses.eikonal(_slopes(found, points).flatten(0, 1))
        if self.normal_weight:
            if not data.normals.any():
                raise InputError("the store", "has no normals", "sample meshes, not DeepSDF's files, or train without")
            loss = loss + self.normal_weight * self._normal_loss(space, data.normals[chosen], latents, batch)
        if space.painter is not None:
            if not data.colored.any():
                raise InputError("the store", "has no colours", "sample coloured meshes, or train without")
            loss = loss + self._color_loss(space, chosen, data.colored[chosen], latents, points.detach(), batch)
        return loss * (len(chosen) / len(together))

    def _choose(self, difficulty: Tensor) -> Tensor:
        """Different shapes, some evenly and some by difficulty; those never drawn count as the hardest."""
        count = min(self.shapes, len(difficulty))
        worst = difficulty.max().clamp_min(torch.finfo(torch.float32).tiny)
        hard = torch.where(difficulty > 0, difficulty, worst)
        weights = (1 - self.balance) / len(hard) + self.balance * hard / hard.sum()
        return torch.multinomial(weights, count)

    def _normal_loss(self, space: ShapeSpace, known: Bool[Tensor, " s"], latents: Tensor, batch: Batch) -> Tensor:
        """known: which of the shapes have normals; tau is 0 for the others."""
        assert batch.closest is not None
        assert batch.normals is not None
        surface = batch.closest.clone().requires_grad_()
        slopes = _slopes(space.decoder(surface, latents), surface)
        tau = known.to(slopes.device)[:, None].expand(slopes.shape[:2]).flatten()
        return losses.normal_alignment(slopes.flatten(0, 1), batch.normals.flatten(0, 1), tau)

    def _color_loss(
        self, space: ShapeSpace, chosen: Tensor, known: Bool[Tensor, " s"], latents: Tensor, points: Tensor,
        batch: Batch,
    ) -> Float[Tensor, ""]:  # fmt: skip
        """known: which of the shapes have colours; nothing is asked of the others."""
        assert space.painter is not None
        assert space.hues is not None
        assert batch.colors is not None
        some = slice(None, None, self.color_share)
        features = space.decoder.decode(points[:, some], latents).features
        directions = None if batch.directions is None else batch.directions[:, some]
        found = space.painter(features, space.hues[chosen], directions)
        off = (found - batch.colors[:, some]).abs() * known.to(found)[:, None, None]
        return off.mean() + self.code_weight * space.hues[chosen].norm(dim=1).mean()


def deepsdf_recipe() -> SharedDistances:
    """DeepSDF's (Park et al. 2019, and its authors' code): clamped L1 at 0.1, 64 shapes of 16,384 samples per step,
    codes no longer than 1, every shape alike.

    What is ours: rates are held and then fall as in all presets (theirs are halved three times), the weight of the
    codes does not rise with the first hundred epochs, and samples come as they lie in the store, inside or outside.
    """
    return SharedDistances(
        losses.clamped_l1, 64, 16_384, balance=0.0, rate=5e-4, table_rate=5e-4, code_rate=1e-3, code_bound=1.0
    )


def seed_recipe() -> SharedDistances:
    """arXiv 2410.12725: L1, eikonal term and normals, every shape alike; weights and rates are ours, it states none."""
    return SharedDistances(losses.l1, balance=0.0, eikonal_weight=0.01, normal_weight=0.01, rate=1e-4, code_rate=1e-3)


def sign_agnostic_recipe() -> SharedDistances:
    """SAL's loss: L1, nowhere weighted, which pulls a field through the surface rather than back from it."""
    return SharedDistances(losses.l1, 16, 512, rate=1e-3, table_rate=1e-3, code_rate=1e-3)


def _slopes(values: Tensor, points: Tensor) -> Tensor:
    return torch.autograd.grad(values.sum(), points, create_graph=True)[0]


@torch.no_grad()
def _remember(difficulty: Tensor, chosen: Tensor, loss: Tensor) -> None:
    before = difficulty[chosen]
    difficulty[chosen] = torch.where(before > 0, torch.lerp(loss, before, MEMORY), loss)
