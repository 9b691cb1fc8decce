"""The code of a shape, and where it lies, as a least-squares problem with a prior."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.codes.observations import Observations
from isofield.fields.codes.pose import Pose
from isofield.fields.codes.prior import GaussianPrior, Label
from isofield.fields.space import ShapeSpace

BAND = 0.1  # beyond this a distance only says on which side a point lies: DeepSDF's clamp
ROBUST = 0.005  # residuals beyond this, or beyond 1.5 deviations of the noise, count by their length, not its square
CELL = 0.1  # observations nearer to each other err alike: those of a cell of this size count as one beside the prior
FREE = 1.0  # weight of the mean over free points beside that over the others
THIN = 0.03  # nearer than this to the surface, points on the wrong side count once more where thin parts matter
SHIFT, GROWTH = 0.2, 0.3  # deviations of what a pose may add to where it began: of the shift, of the logarithm of scale


class State(NamedTuple):
    """What is looked for; without a pose the scan lies in the frame of the space."""

    code: Float[Tensor, " c"]
    pose: Pose | None = None


class Slopes(NamedTuple):
    """At a state: its cost, the gradient of that, and Gauss and Newton's matrix."""

    cost: float
    gradient: Float[Tensor, " k"]
    matrix: Float[Tensor, "k k"]


class Problem:
    """Robust residuals of some observations, and the prior; counts decoder evaluations: a point forward 1, its
    backward pass 2.

    thin: weight of a second loss: how far samples near the surface are on the wrong side of it. It is what thin parts
    die of: without them few points are far off, but all those inside of them are on the wrong side.
    """

    def __init__(
        self,
        space: ShapeSpace,
        label: Label,
        prior: GaussianPrior,
        seen: Observations,
        thin: float = 0.0,
        effective: float | None = None,
    ):
        """effective: how many independent observations all of them count as beside the prior (`independent`)."""
        self.space, self.label, self.prior, self.thin, self.evaluations = space, label, prior, thin, 0
        self.effective = independent(seen.points) if effective is None else effective
        self.points, self.robust = torch.cat([seen.points, seen.free]), max(ROBUST, 1.5 * seen.noise)
        self.target = torch.cat([seen.sdf, seen.least.clamp(max=BAND)])
        known, free = len(seen.sdf), len(seen.free)
        self.free = torch.arange(known + free) >= known
        self.share = torch.where(self.free, FREE / max(free, 1), 1 / max(known, 1)).to(self.target)
        self.near = ~self.free & (self.target.abs() < THIN) & (self.target != 0)

    def values(self, state: State) -> Float[Tensor, " n"]:
        """Distances to the shape, in the units of the scan."""
        self.evaluations += len(self.points)
        with torch.no_grad():
            placed, inside = self._placed(state)
            value = self.space.decoder(inside[None], self._latent(state)[None])[0]
            return self._scaled(state, value, placed, inside)

    def residuals(self, values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """f - s; beyond the band, and at free points, only what is missing to it."""
        off = values - self.target.clamp(-BAND, BAND)
        off = torch.where(self.free | (self.target > BAND), off.clamp(max=0), off)
        return torch.where(self.target < -BAND, off.clamp(min=0), off)

    def cost(self, values: Float[Tensor, " n"], state: State, start: Pose | None = None) -> float:
        """Mean Huber loss, in units of what is robust, and the priors."""
        loss = self._huber(self.residuals(values))
        wrong = torch.where(self.near, (values * self.target.sign()).clamp(max=0), 0.0)
        total = (self.share * (loss + self.thin * self._huber(wrong))).sum()
        return float(total + (self.prior.energy(state.code) + _pose_energy(state.pose, start)) / 2 / self.effective)

    def residual(self, values: Float[Tensor, " n"]) -> float:
        """Mean absolute residual of the points with distances."""
        return float(self.residuals(values)[~self.free].abs().mean())

    def jacobian(self, state: State) -> tuple[Float[Tensor, " n"], Float[Tensor, "n k"]]:
        """Values and their derivatives by the code and the pose: one backward pass, since each point is given its own
        copy of the code."""
        self.evaluations += 3 * len(self.points)
        copies = self._latent(state).expand(len(self.points), -1).clone().requires_grad_()
        with torch.enable_grad():
            placed, inside = self._placed(state)
            inside.requires_grad_(state.pose is not None)
            value = self.space.decoder(inside[:, None], copies)[:, 0]
            by_latent, *by_point = torch.autograd.grad(value.sum(), [copies, inside][: 1 + inside.requires_grad])
        inside, by_code = inside.detach(), by_latent[:, : self.space.code]
        value = self._scaled(state, value.detach(), placed, inside)
        if state.pose is None:
            return value, by_code
        beyond = nn.functional.normalize(placed - inside, dim=1)
        slope = torch.where(placed == inside, by_point[0], beyond)
        by_pose = state.pose.slopes(self.points, slope) / state.pose.scale
        by_pose[:, 3] -= value
        return value, torch.cat([by_code / state.pose.scale, by_pose], 1)

    def slopes(self, state: State, start: Pose | None = None) -> Slopes:
        values, jacobian = self.jacobian(state)
        residual = self.residuals(values)
        weight = self.share / residual.abs().clamp_min(self.robust) / self.robust * (residual != 0)
        wrong = torch.where(self.near, (values * self.target.sign()).clamp(max=0), 0.0)
        second = self.thin * self.share / wrong.abs().clamp_min(self.robust) / self.robust * (wrong != 0)
        pull = weight * residual + second * wrong * self.target.sign()
        jacobian = jacobian.double()
        matrix, gradient = (jacobian * (weight + second)[:, None]).T @ jacobian, jacobian.T @ pull.double()
        count, away = len(state.code), (state.code - self.prior.mean).double()
        matrix[:count, :count] += self.prior.precision / self.effective
        gradient[:count] += self.prior.precision.double() @ away / self.effective
        if state.pose is not None and start is not None:
            stiff = torch.tensor([0, 0, 0, GROWTH**-2] + [SHIFT**-2] * 3).double() / self.effective
            matrix[count:, count:] += torch.diag(stiff)
            gradient[count:] += stiff * _pose_change(state.pose, start)
        return Slopes(self.cost(values, state, start), gradient, matrix)

    def solve(self, state: State, steps: int) -> "Solved":
        """Levenberg-Marquardt with the weights of the robust loss (Huber 1964)."""
        start, damping = state.pose, 1e-2
        here = self.slopes(state, start)
        for _ in range(steps):
            damped = here.matrix + damping * torch.diag(here.matrix.diagonal().clamp_min(1e-12))
            tried = _moved(state, -torch.linalg.solve(damped, here.gradient))
            there = self.slopes(tried, start)
            if not there.cost < here.cost:
                damping *= 8
                continue
            gain, state, here, damping = here.cost - there.cost, tried, there, damping / 4
            if gain < 1e-4 * here.cost:
                break
        return Solved(state, self.label, here.cost, torch.linalg.inv(here.matrix) / self.effective)

    def _latent(self, state: State) -> Float[Tensor, " l"]:
        return self.space.latent(state.code, self.label).detach()

    def _placed(self, state: State) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
        """The points in the frame of the space, and the nearest ones in its box."""
        placed = self.points if state.pose is None else state.pose.apply(self.points)
        return placed, placed.clamp(-1, 1)

    def _scaled(self, state: State, value: Tensor, placed: Tensor, inside: Tensor) -> Float[Tensor, " n"]:
        beyond = value + (placed - inside).norm(dim=1)
        return beyond if state.pose is None else beyond / state.pose.scale

    def _huber(self, residual: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        size = residual.abs() / self.robust
        return torch.where(size < 1, size.square() / 2, size - 0.5)


class Solved(NamedTuple):
    """Where a search ended; covariance: of code and pose about it, by Laplace's approximation."""

    state: State
    label: Label
    cost: float
    covariance: Float[Tensor, "k k"]


def independent(points: Float[Tensor, "n 3"]) -> float:
    """In how many cells of the size CELL the points lie."""
    return float(max(len((points / CELL).floor().unique(dim=0)), 1))


def _moved(state: State, change: Float[Tensor, " k"]) -> State:
    count = len(state.code)
    code = state.code + change[:count].to(state.code)
    return State(code, state.pose and state.pose.moved(change[count:]))


def _pose_change(pose: Pose, start: Pose) -> Float[Tensor, "7"]:
    growth = torch.tensor([pose.scale / start.scale]).log()
    return torch.cat([torch.zeros(3), growth, pose.shift - start.shift]).double()


def _pose_energy(pose: Pose | None, start: Pose | None) -> float:
    if pose is None or start is None:
        return 0.0
    change = _pose_change(pose, start)
    return float((change[3] / GROWTH) ** 2 + (change[4:] / SHIFT).square().sum())
