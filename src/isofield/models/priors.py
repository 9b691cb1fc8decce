"""Samplers: priors over the codes of a shape space, from which codes of new shapes are drawn."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isofield.errors import InputError

CANDIDATES = (1, 2, 3, 4, 6, 8, 12, 16, 24)  # numbers of components that are tried
FOLDS, ROUNDS, SETTLED = 5, 60, 1e-4  # of the trial by held-out codes; of EM, which ends when it gains less than this
Condition = Int[Tensor, " n"] | None


@runtime_checkable
class Sampler(Protocol):
    """A prior over codes of c numbers; codes of several tokens come flat.

    condition: the number of the class of each code. known: numbers of a code that are given, NaN where they are not:
    what is drawn goes on from them. truncation: below 1, draws keep closer to where codes are dense.
    """

    def fit(self, codes: Float[Tensor, "n c"], condition: Condition = None) -> None: ...

    def sample(
        self,
        n: int,
        condition: Condition = None,
        known: Float[Tensor, " c"] | None = None,
        *,
        truncation: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c"]: ...


@dataclass(frozen=True)
class Normals:
    """A mixture of k normal distributions in c dimensions, in double precision."""

    weights: Float[Tensor, " k"]
    means: Float[Tensor, "k c"]
    covariances: Float[Tensor, "k c c"]

    def joint(self, codes: Float[Tensor, "n c"]) -> Float[Tensor, "n k"]:
        """log w_k N(code; mean_k, covariance_k), of each component."""
        factors = torch.linalg.cholesky(self.covariances)
        apart = (codes.double()[:, None] - self.means).movedim(0, 2)
        white = torch.linalg.solve_triangular(factors, apart, upper=False).square().sum(1).T
        spread = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1) + codes.shape[1] * math.log(2 * math.pi)
        return self.weights.log() - (white + spread) / 2

    def log_density(self, codes: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
        """Differentiable by the codes."""
        return self.joint(codes).logsumexp(1)

    def draw(self, count: int, truncation: float, generator: torch.Generator | None) -> Float[Tensor, "n c"]:
        """truncation scales how far from the mean of its component a draw lies."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator, dtype=torch.float64)
        factors = torch.linalg.cholesky(self.covariances)[chosen]
        return self.means[chosen] + truncation * (factors @ noise[..., None])[..., 0]

    def given(self, known: Float[Tensor, " c"]) -> "Normals":
        """The distribution of the numbers that are NaN in `known`, given the others."""
        free, values = known.isnan(), known[~known.isnan()].double()
        seen = Normals(self.weights, self.means[:, ~free], self.covariances[:, ~free][:, :, ~free])
        gain = torch.linalg.solve(seen.covariances, self.covariances[:, ~free][:, :, free]).mT
        means = self.means[:, free] + (gain @ (values - seen.means)[..., None])[..., 0]
        left = self.covariances[:, free][:, :, free] - gain @ self.covariances[:, ~free][:, :, free]
        return Normals(seen.joint(values[None])[0].softmax(0), means, (left + left.mT) / 2)


class Mixture:
    """Normal distributions, fitted by expectation maximisation; where there are classes, a mixture for each.

    components: how many; 1 is a Gaussian prior; None chooses the number under which codes left out are likeliest.
    Codes are few for their dimension, so covariances are shrunk twice: what all components share towards a sphere, by
    as much as Ledoit and Wolf (2004) find best, and that of each component towards the shared one, as though it had
    been seen once more in every dimension.
    """

    def __init__(self, components: int | None = None):
        self.components = components
        self.parts: list[Normals] = []
        self.shares = torch.zeros(0)

    def fit(self, codes: Float[Tensor, "n c"], condition: Condition = None) -> None:
        """Raises InputError for fewer than two codes."""
        if len(codes) < 2:
            raise InputError("prior", f"{len(codes)} code tells of no spread", "train on more shapes")
        codes = codes.detach().double().cpu()
        classes = torch.zeros(len(codes), dtype=torch.long) if condition is None else condition.cpu()
        groups = [codes[classes == k] for k in range(int(classes.max()) + 1)]
        shared = _shrunk(torch.cat([group - group.mean(0) for group in groups if len(group)]))
        self.parts = [self._fitted(group, shared) for group in groups]
        self.shares = torch.tensor([float(len(group)) for group in groups]) / len(codes)

    def log_density(self, codes: Float[Tensor, "n c"], condition: Condition = None) -> Float[Tensor, " n"]:
        """Of codes of known classes, or of any; differentiable by the codes."""
        each = torch.stack([part.log_density(codes) for part in self.parts], 1)
        if condition is None:
            return (each + self.shares.log()).logsumexp(1)
        return each.gather(1, condition[:, None])[:, 0]

    def sample(
        self,
        n: int,
        condition: Condition = None,
        known: Float[Tensor, " c"] | None = None,
        *,
        truncation: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c"]:
        """Without a condition from all classes, by how many codes each has."""
        if condition is None:
            condition = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        parts = [part if known is None else part.given(known) for part in self.parts]
        drawn = [parts[k].draw(1, truncation, generator) for k in condition.tolist()]
        codes = torch.cat(drawn) if drawn else self.parts[0].means[:0]
        if known is None:
            return codes.float()
        full = known.double().repeat(n, 1)
        full[:, known.isnan()] = codes
        return full.float()

    def _fitted(self, codes: Tensor, shared: Tensor) -> Normals:
        if len(codes) < 4 or self.components == 1:
            return _maximised(codes, torch.ones(len(codes), 1, dtype=torch.float64), shared)
        return _expectation_maximisation(codes, self.components or _best_number(codes, shared), shared)


def _shrunk(apart: Tensor) -> Tensor:
    """Covariance of centred codes (n, c), shrunk towards a sphere: Ledoit & Wolf 2004, Lemma 3.2-3.4."""
    count, width = apart.shape
    sample, sphere = apart.T @ apart / count, torch.eye(width, dtype=apart.dtype)
    size = sample.trace() / width
    distance = (sample - size * sphere).square().sum()
    noise = (apart.square().sum(1).square().sum() - count * sample.square().sum()) / count**2
    share = (noise / distance.clamp_min(1e-30)).clamp(1e-3, 1)
    return (1 - share) * sample + (share * size + 1e-12) * sphere


def _maximised(codes: Tensor, shares: Tensor, shared: Tensor) -> Normals:
    """The mixture whose components have these shares (n, k) of the codes."""
    counts = shares.sum(0).clamp_min(1e-9)
    means = shares.T @ codes / counts[:, None] if len(codes) else torch.zeros(1, codes.shape[1], dtype=torch.float64)
    apart = (codes[:, None] - means).movedim(1, 0)
    own = (apart * shares.T[..., None]).mT @ apart
    within = own.sum(0) / max(len(codes), 1)
    width = codes.shape[1]
    base = shared if shares.shape[1] == 1 else _like(shared, within)
    covariances = (own + width * base) / (counts + width)[:, None, None]
    return Normals(counts / counts.sum(), means, covariances)


def _like(shared: Tensor, within: Tensor) -> Tensor:
    """The shared covariance, scaled to the spread that is left within components."""
    return shared * (within.trace() / shared.trace()).clamp(1e-3, 1)


def _expectation_maximisation(codes: Tensor, components: int, shared: Tensor) -> Normals:
    """From centres far apart, until the likelihood grows no more."""
    nearest = torch.cdist(codes, _spread_out(codes, components)).argmin(1)
    found = _maximised(codes, torch.nn.functional.one_hot(nearest, components).double(), shared)
    before = -math.inf
    for _ in range(ROUNDS):
        joint = found.joint(codes)
        likelihood = float(joint.logsumexp(1).mean())
        if likelihood - before < SETTLED:
            break
        before, found = likelihood, _maximised(codes, joint.softmax(1), shared)
    return found


def _spread_out(codes: Tensor, count: int) -> Tensor:
    """Codes to begin from, each by chance far from those before (k-means++; Arthur & Vassilvitskii 2007)."""
    generator = torch.Generator().manual_seed(0)
    chosen = codes[torch.randint(len(codes), (1,), generator=generator)]
    while len(chosen) < count:
        weights = torch.cdist(codes, chosen).min(1).values.square() + 1e-12
        chosen = torch.cat([chosen, codes[torch.multinomial(weights, 1, generator=generator)]])
    return chosen


def _best_number(codes: Tensor, shared: Tensor) -> int:
    """Of components: that under which codes left out of the fit are likeliest; larger ones are tried while it helps."""
    fold = torch.randperm(len(codes), generator=torch.Generator().manual_seed(0)) % FOLDS
    best, score = 1, -math.inf
    for components in [k for k in CANDIDATES if 4 * k <= len(codes)]:
        fits = [
            (_expectation_maximisation(codes[fold != i], components, shared), codes[fold == i]) for i in range(FOLDS)
        ]
        found = sum(float(fit.log_density(held).sum()) for fit, held in fits) / len(codes)
        if found <= score:
            break
        best, score = components, found
    return best
