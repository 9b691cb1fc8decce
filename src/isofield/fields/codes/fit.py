"""The code that explains some observations best."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.errors import InputError
from isofield.fields.codes.observations import Observations, some
from isofield.fields.codes.pose import Pose
from isofield.fields.codes.prior import GaussianPrior, Label, priors_of
from isofield.fields.codes.problem import Problem, Solved, State, independent
from isofield.fields.space import ShapeSpace

PROBES, FEW, MANY, MOST = 256, 512, 4096, 16_384  # observations: to rank starts, to choose, to go on and to end with
TRIES, STEPS, LAST = 6, 15, 3  # iterations from each start, from the best one, and of the end with the most
STARTS, THIN = 8, 5.0
ALIKE = 0.1  # of the cost: ends no worse than this above the best are as likely


@dataclass(frozen=True)
class CodeFit:
    """code (c,) and class of the shape; pose: from the scan to the space, None where it was not asked for.

    residual: mean absolute error of the distances at the observed points, those beyond 0.1 counting as on a side only.
    evaluations: of the decoder, a point forward being one and its backward pass two. covariance: of the code (and the
    pose), as far as known. ends: where the starts led to. costs: of each class the least.
    """

    code: Float[Tensor, " c"]
    label: Label
    residual: float
    evaluations: int
    pose: Pose | None = None
    covariance: Float[Tensor, "k k"] | None = None
    ends: list[Solved] = field(default_factory=list)
    costs: dict[Label, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """How a code is searched. label: the class, if known. starts: codes to start from, of each class at least one.
    passes: of refinement, each on other points, half of them those that the last one fitted worst. thin: see `Problem`;
    made for thin parts, it lowers the mean error of all shapes. Distances with unknown noise of 0.02 gain nothing.
    """

    label: Label = None
    starts: int = STARTS
    passes: int = 0
    thin: float = THIN
    seed: int = 0


class Search:
    """Problems about the same observations, and what they cost together."""

    def __init__(self, space: ShapeSpace, seen: Observations, options: Options):
        self.space, self.seen, self.options = space, seen, options
        self.priors, self.evaluations = chosen_priors(space, options.label), 0
        self.effective = independent(seen.points)
        self.generator = torch.Generator().manual_seed(options.seed)

    def problem(self, seen: Observations, label: Label, thin: float = 0.0) -> Problem:
        return Problem(self.space, label, self.priors[label], seen, thin, self.effective)

    def solve(self, seen: Observations, starts: Sequence[tuple[State, Label]], steps: int) -> list[Solved]:
        """From each start; the best first."""
        ends = []
        for state, label in starts:
            problem = self.problem(seen, label, self.options.thin)
            ends.append(problem.solve(state, steps))
            self.evaluations += problem.evaluations
        return sorted(ends, key=lambda end: end.cost)

    def refined(self, end: Solved) -> Solved:
        """After a pass on other points, half of them those that fit worst so far; where these are wrong themselves, so
        that a fair draw is explained worse afterwards, what it was."""
        drawn = self.seen.take(4 * MANY, self.generator)
        problem = self.problem(drawn, end.label, self.options.thin)
        before = problem.values(end.state)
        off = problem.residuals(before).abs()[: len(drawn.points)]
        worst = off.argsort(descending=True)[: MANY // 2]
        rows = torch.cat([worst, some(len(drawn.points), MANY // 2, self.generator)])
        free = slice(MANY // 2)
        hard = Observations(
            drawn.points[rows], drawn.sdf[rows], drawn.free[free], drawn.noise, clearance=drawn.least[free]
        )
        refined = self.solve(hard, [(end.state, end.label)], STEPS)[0]
        after = problem.values(refined.state)
        self.evaluations += problem.evaluations
        better = problem.cost(after, refined.state) < problem.cost(before, end.state)
        return refined if better else end

    def found(self, end: Solved, ends: list[Solved]) -> CodeFit:
        problem = self.problem(self.seen.take(MANY, self.generator), end.label)
        residual = problem.residual(problem.values(end.state))
        costs: dict[Label, float] = {}
        for other in ends:
            costs[other.label] = min(other.cost, costs.get(other.label, other.cost))
        self.evaluations += problem.evaluations
        state = end.state
        return CodeFit(state.code, end.label, residual, self.evaluations, state.pose, end.covariance, ends, costs)


def fit_code(space: ShapeSpace, seen: Observations, options: Options | None = None) -> CodeFit:
    """From the mean codes of the classes and the trained shapes that fit best, each a few steps of Levenberg and
    Marquardt's on few of the observations, then more of both from the best of these, and a few last steps on the most.

    Raises InputError where nothing was observed, or for a class that the space does not have.
    """
    options = options or Options()
    check_observed(seen)
    search = Search(space, seen, options)
    ends = search.solve(seen.take(FEW, search.generator), _starts(search), TRIES)
    many = search.seen.take(MANY, search.generator)
    best = search.solve(many, [(ends[0].state, ends[0].label)], STEPS)[0]
    if len(seen.points) > MANY:
        best = search.solve(search.seen.take(MOST, search.generator), [(best.state, best.label)], LAST)[0]
    for _ in range(options.passes):
        best = search.refined(best)
    return search.found(best, ends)


def residual_of(space: ShapeSpace, found: CodeFit, seen: Observations) -> float:
    """What `residual` says, of all observations, by the decoder that the space has now."""
    problem = Problem(space, found.label, priors_of(space)[found.label], seen)
    return problem.residual(problem.values(State(found.code, found.pose)))


@torch.no_grad()
def spread_of(space: ShapeSpace, found: CodeFit, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """Root mean square, over the ends whose cost is about the least, of how far their distances are from those of the
    shape found, at points of the space; none where there was a single start."""
    best = min((end.cost for end in found.ends), default=0.0)
    likely = [end for end in found.ends if end.cost <= (1 + ALIKE) * best]
    here = space.decode(found.code, found.label).sdf(points)
    others = [space.decode(end.state.code, end.label).sdf(points) - here for end in likely]
    return torch.stack(others).square().mean(0).sqrt() if others else torch.zeros(len(points))


def deviation_of(space: ShapeSpace, found: CodeFit, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """Standard deviation of the distance at points of the space, as far as the code is not settled by what was
    observed: by Laplace's approximation about the code found, and by where the other starts led to."""
    spread = spread_of(space, found, points)
    if found.covariance is None:
        return spread
    count = len(found.code)
    latents = space.latent(found.code, found.label).detach().expand(len(points), -1).clone().requires_grad_()
    with torch.enable_grad():
        value = space.decoder(points.clamp(-1, 1)[:, None], latents)[:, 0]
        (slopes,) = torch.autograd.grad(value.sum(), latents)
    root = torch.linalg.cholesky(found.covariance[:count, :count]).to(slopes)
    return torch.hypot(spread, (slopes[:, :count] @ root).norm(dim=1))


def chosen_priors(space: ShapeSpace, label: Label) -> dict[Label, GaussianPrior]:
    """Of all classes, or of the one asked for; raises InputError where the space does not have it."""
    priors = priors_of(space)
    if label is None:
        return priors
    if label not in priors:
        known = ", ".join(str(name) for name in priors if name is not None)
        fault = f"{label!r} is unknown here" if known else "this space knows of no classes"
        raise InputError("--class", fault, f"name one of {known}, or auto" if known else "leave it out")
    return {label: priors[label]}


def check_observed(seen: Observations) -> None:
    if not len(seen.points):
        raise InputError("the scan", "holds no point", "give some points of the surface")


def candidates(space: ShapeSpace, priors: dict[Label, GaussianPrior]) -> list[tuple[Tensor, Label]]:
    """Mean codes, and those of the trained shapes, of these classes."""
    trained = [(code, member.label) for code, member in zip(space.codes.detach(), space.members, strict=True)]
    return [(prior.mean, label) for label, prior in priors.items()] + [c for c in trained if c[1] in priors]


def _starts(search: Search) -> list[tuple[State, Label]]:
    """The best of each class, whatever number was asked for, then the others that fit best."""
    seen, ranked = search.seen.take(PROBES, search.generator), []
    for code, label in candidates(search.space, search.priors):
        problem, state = search.problem(seen, label), State(code)
        ranked.append((problem.cost(problem.values(state), state), state, label))
        search.evaluations += problem.evaluations
    ranked.sort(key=lambda entry: entry[0])
    first = [next(i for i, entry in enumerate(ranked) if entry[2] == label) for label in search.priors]
    order = sorted(first) + [i for i in range(len(ranked)) if i not in first]
    return [ranked[i][1:] for i in order[: max(search.options.starts, len(first))]]
