"""Codes and poses are found again on spaces whose decoder is a formula: boxes and ellipsoids of any size."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from isofield.errors import InputError
from isofield.fields.activations import Relu, Sine
from isofield.fields.classes import ClassTable
from isofield.fields.codes.adam import fit_code_by_adam
from isofield.fields.codes.align import fit_code_and_pose, rotations
from isofield.fields.codes.fit import MANY, Options, deviation_of, fit_code, spread_of
from isofield.fields.codes.hue import fit_hue
from isofield.fields.codes.observations import Colors, Observations
from isofield.fields.codes.pose import Pose
from isofield.fields.codes.prior import GaussianPrior, priors_of
from isofield.fields.codes.problem import Problem, State
from isofield.fields.codes.tune import tuned_decoder
from isofield.fields.decoder import ColorBranch, LatentDecoder, harmonics
from isofield.fields.encodings import Identity
from isofield.fields.mlp import MLP
from isofield.fields.space import Member, ShapeSpace

HALVES = torch.tensor([0.35, 0.55, 0.25])  # of the mean box; a code of 1 adds SIZE to one of them
SIZE = 0.08


class Solids(LatentDecoder):
    """A box with an ear (so that no turn maps it to itself), or an ellipsoid where the class says so."""

    def __init__(self, classes: int = 0):
        super().__init__(Identity(), MLP(3, 1, 8, 1, Relu()), 3 + classes, modulated=True)

    def forward(self, points, codes):
        half = HALVES + SIZE * codes[:, None, :3]
        box = _box(points, half)
        ear = _box(points - half * torch.tensor([1.0, 1.0, 1.0]), torch.full((3,), 0.12))
        solid = torch.minimum(box, ear)
        if codes.shape[1] == 3:
            return solid
        length = (points / half).norm(dim=2)
        round_ = length * (length - 1) / (points / half.square()).norm(dim=2).clamp_min(1e-9)
        return torch.lerp(solid, round_, codes[:, None, 4])


def _box(points, half):
    off = points.abs() - half
    return off.clamp_min(0).norm(dim=2) + off.amax(2).clamp_max(0)


def solids(classes: tuple[str, ...] = (), count: int = 12) -> ShapeSpace:
    torch.manual_seed(0)
    members = [Member(f"s{i}", classes[i % len(classes)] if classes else None) for i in range(count)]
    table = ClassTable.one_hot(classes) if classes else None
    space = ShapeSpace(Solids(len(classes)), members, classes=table)
    with torch.no_grad():
        space.codes.copy_(torch.randn(count, 3))
    return space.eval().requires_grad_(False)


def observed(space: ShapeSpace, code: torch.Tensor, label: str | None = None, count: int = 6000) -> Observations:
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    return Observations(points, space.decode(code, label).sdf(points), points[:0])


def surface(space: ShapeSpace, code: torch.Tensor, count: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of the surface and their normals, by one step of Newton's method from points beside it."""
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(2)) * 1.8 - 0.9
    field = space.decode(code)
    for _ in range(2):
        points = points.detach().requires_grad_()
        value = field.sdf(points)
        (slope,) = torch.autograd.grad(value.sum(), points)
        points = points - (value[:, None] * slope / slope.square().sum(1, keepdim=True))
    points = points.detach()
    good = field.sdf(points).abs() < 1e-4
    return points[good], torch.nn.functional.normalize(slope[good], dim=1)


CODE = torch.tensor([0.7, -0.8, 0.9])


def test_the_jacobian_is_the_one_of_finite_differences():
    torch.manual_seed(0)
    decoder = LatentDecoder(Identity(), MLP(3, 1, 16, 2, Sine(3.0)), 4, modulated=True)
    space = ShapeSpace(decoder, [Member(f"s{i}") for i in range(20)]).eval().requires_grad_(False).double()
    turn = torch.from_numpy(Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix())
    pose = Pose(turn, 1.3, torch.tensor([0.05, -0.1, 0.2]).double())
    seen = Observations(torch.rand(30, 3).double() * 2 - 1, torch.zeros(30).double(), torch.rand(5, 3).double())
    for start in (None, pose):  # with it some of the points come to lie outside of the box
        problem = Problem(space, None, GaussianPrior(space.codes.detach()), seen)
        state, step = State(space.codes[0] * 0.1, start), 1e-6
        values, jacobian = problem.jacobian(state)
        torch.testing.assert_close(values, problem.values(state))
        for k in range(4 if start is None else 11):
            change = torch.eye(11).double()[k] * step
            ends = [
                problem.values(State(state.code + sign * change[:4], start and start.moved(sign * change[4:])))
                for sign in (1, -1)
            ]
            torch.testing.assert_close(jacobian[:, k], (ends[0] - ends[1]) / (2 * step), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("thin", [0.0, 2.0])
@pytest.mark.parametrize("posed", [False, True])
def test_the_gradient_is_the_one_of_the_cost(thin, posed):
    space = solids().double()
    seen = observed(space, CODE.double(), count=500)
    free = torch.rand(50, 3).double() * 0.4
    seen = Observations(seen.points.double(), seen.sdf.double() + 0.02, free)
    problem = Problem(space, None, GaussianPrior(space.codes), seen, thin)
    pose = Pose(torch.eye(3).double(), 1.0, torch.zeros(3).double()) if posed else None
    state, step = State(CODE.double() * 0.5, pose), 1e-6
    gradient = problem.slopes(state, pose).gradient
    for k in range(10 if posed else 3):
        change = torch.eye(10).double()[k] * step
        costs = [
            problem.cost(problem.values(moved), moved, pose)
            for sign in (1, -1)
            for moved in [State(state.code + sign * change[:3], pose and pose.moved(sign * change[3:]))]
        ]
        assert (costs[0] - costs[1]) / (2 * step) == pytest.approx(gradient[k].item(), rel=2e-2, abs=2e-2)


def test_a_code_is_found_from_distances():
    space = solids()
    found = fit_code(space, observed(space, CODE))
    torch.testing.assert_close(found.code, CODE, atol=0.01, rtol=0)
    assert found.residual < 1e-4
    assert found.evaluations < 800 * 8000 * 3 / 20  # of DeepSDF's way


def test_the_last_steps_bring_what_few_observations_leave_open():
    space, noise = solids(), torch.Generator().manual_seed(0)
    seen = observed(space, CODE, count=40_000)
    seen = replace(seen, sdf=seen.sdf + 0.02 * torch.randn(len(seen.sdf), generator=noise))
    few = replace(seen, points=seen.points[:MANY], sdf=seen.sdf[:MANY])
    off = [float((fit_code(space, given, Options(thin=0.0)).code - CODE).norm()) for given in (few, seen)]
    assert off[1] < 0.7 * off[0]


def test_they_do_so_with_the_loss_for_thin_parts_where_noise_leaves_most_signs_right():
    space, off = solids(), []
    for seed in range(3):
        noise = torch.Generator().manual_seed(seed)
        seen = observed(space, CODE, count=40_000)
        seen = replace(seen, sdf=seen.sdf + 0.01 * torch.randn(len(seen.sdf), generator=noise))
        few = replace(seen, points=seen.points[:MANY], sdf=seen.sdf[:MANY])
        off.append([float((fit_code(space, given).code - CODE).norm()) for given in (few, seen)])
    few_off, off_by_all = np.mean(off, 0)
    assert off_by_all < 0.6 * few_off


def test_deepsdfs_way_finds_it_too_and_counts_what_it_asks():
    space = solids()
    found = fit_code_by_adam(space, observed(space, CODE / 4), iterations=200, points=64)
    torch.testing.assert_close(found.code, CODE / 4, atol=0.01, rtol=0)
    assert found.evaluations == 200 * 64 * 3


def test_wrong_distances_are_borne():
    space = solids()
    seen = observed(space, CODE)
    wrong = torch.rand(len(seen.sdf), generator=torch.Generator().manual_seed(3)) < 0.2
    noisy = Observations(seen.points, torch.where(wrong, seen.sdf + 0.5, seen.sdf), seen.free)
    torch.testing.assert_close(fit_code(space, noisy).code, CODE, atol=0.05, rtol=0)


def test_passes_of_refinement_do_not_chase_wrong_distances():
    space, generator = solids(), torch.Generator().manual_seed(3)
    seen = observed(space, CODE, count=20_000)
    wild = torch.rand(len(seen.sdf), generator=generator) < 0.3
    noisy = Observations(seen.points, torch.where(wild, seen.sdf + 0.08, seen.sdf), seen.free)
    once, refined = (fit_code(space, noisy, Options(passes=passes)) for passes in (0, 3))
    assert (refined.code - CODE).norm() <= (once.code - CODE).norm() + 1e-3


def test_points_of_one_side_of_a_surface_tell_the_rest():
    """Of the box only what lies at z > 0: its depth in z shows, and width and height do at its rim."""
    space = solids()
    points, normals = surface(space, CODE)
    front = points[:, 2] > 0.05
    for sides in (normals[front], None):
        found = fit_code(space, Observations.of_surface(points[front], sides))
        torch.testing.assert_close(found.code, CODE, atol=0.06, rtol=0)


def test_free_space_says_that_nothing_is_there():
    """Points on the face z = const alone leave the other sizes to the prior, but for what is seen through."""
    space = solids()
    points, normals = surface(space, CODE)
    front = (normals[:, 2] > 0.99) & (points[:, :2].abs() < 0.2).all(1)
    half = HALVES + SIZE * CODE
    beside = torch.rand(500, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    beside = beside[(beside[:, 1].abs() > half[1] + 0.01) & (beside[:, 0] < 0)]
    without = fit_code(space, Observations.of_surface(points[front], normals[front]))
    found = fit_code(space, Observations.of_surface(points[front], normals[front], beside))
    assert abs(without.code[2] - CODE[2]) < 0.1
    assert without.code[1] > CODE[1] + 0.3
    assert found.code[1] < CODE[1] + 0.35
    assert found.code[1] < without.code[1] - 0.2


def test_clearance_says_how_far_the_surface_is_at_least():
    space = solids()
    points, normals = surface(space, CODE)
    front = (normals[:, 2] > 0.99) & (points[:, :2].abs() < 0.2).all(1)
    beside = torch.rand(500, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    beside = beside[space.decode(CODE).sdf(beside) > 0]
    least = space.decode(CODE).sdf(beside)
    off = []
    for clearance in (None, least):
        seen = Observations.of_surface(points[front], normals[front], beside, clearance=clearance)
        off.append(fit_code(space, seen).code[1] - CODE[1])
    assert off[0] > 0.15  # free points alone let the box be too wide by what they do not reach into
    assert abs(off[1]) < 0.5 * off[0]


def test_the_class_is_told_by_the_cost():
    space = solids(("box", "round"))
    for label in ("box", "round"):
        found = fit_code(space, observed(space, CODE, label))
        assert found.label == label
        assert set(found.costs) == {"box", "round"}
        assert min(found.costs, key=lambda name: found.costs[name]) == label
        torch.testing.assert_close(found.code, CODE, atol=0.05, rtol=0)
        assert set(fit_code(space, observed(space, CODE, label), Options(starts=1)).costs) == {"box", "round"}
    forced = fit_code(space, observed(space, CODE, "round"), Options(label="box"))
    assert (forced.label, list(forced.costs)) == ("box", ["box"])
    with pytest.raises(InputError, match="'sofa' is unknown here; name one of box, round, or auto"):
        fit_code(space, observed(space, CODE, "box"), Options(label="sofa"))
    with pytest.raises(InputError, match="knows of no classes; leave it out"):
        fit_code(solids(), observed(solids(), CODE), Options(label="sofa"))


@pytest.mark.parametrize("turn", [(0, 0.4, 0), (0.2, 2.9, 0.1), (math.pi / 2 + 0.2, 0, 0)])
def test_a_similarity_is_found_again(turn):
    """The scan has been turned, scaled and shifted; what is found undoes it."""
    space = solids()
    points, normals = surface(space, CODE, 3000)
    away = torch.from_numpy(Rotation.from_rotvec(turn).as_matrix()).float()
    scan, sides = (points @ away.T) / 0.8 + torch.tensor([0.1, -0.05, 0.08]), normals @ away.T
    found = fit_code_and_pose(space, Observations.of_surface(scan, sides), Options(starts=2))
    assert found.pose is not None
    torch.testing.assert_close(found.pose.rotation, away.T, atol=0.03, rtol=0)
    assert found.pose.scale == pytest.approx(0.8, abs=0.03)
    torch.testing.assert_close(found.pose.apply(scan), points, atol=0.03, rtol=0)
    torch.testing.assert_close(found.code, CODE, atol=0.3, rtol=0)


def test_every_class_is_tried_when_a_scan_is_aligned_too():
    space = solids(("box", "round"))
    found = fit_code_and_pose(space, observed(space, CODE, "box", 2000), Options(starts=1))
    assert set(found.costs) == {"box", "round"}
    assert found.label == "box"


def test_rotations_are_different_rotations():
    turns = rotations()
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).expand(len(turns), 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(len(turns)))
    apart = (turns[:, None] - turns).flatten(2).norm(dim=2) + torch.eye(len(turns))
    assert apart.min() > 0.3


def test_priors_know_classes_and_bear_few_codes():
    space = solids(("box", "round"), 8)
    with torch.no_grad():
        space.codes[::2] += 5
    priors = priors_of(space)
    torch.testing.assert_close(priors["box"].mean, space.codes[::2].mean(0))
    assert priors["box"].energy(space.codes[0]) < 10 < priors["round"].energy(space.codes[0])
    single = GaussianPrior(torch.ones(1, 3))
    assert torch.isfinite(single.energy(torch.zeros(3)))


def test_what_was_not_seen_is_in_doubt():
    """Of one face alone: the others deviate as the trained shapes do, and that one does not."""
    space = solids()
    points, normals = surface(space, CODE)
    front = (normals[:, 2] > 0.99) & (points[:, :2].abs() < 0.2).all(1)
    found = fit_code(space, Observations.of_surface(points[front], normals[front]))
    doubt, side = deviation_of(space, found, points), normals[:, 1] > 0.99
    assert doubt[front].max() < 0.002
    assert doubt[side].mean().item() == pytest.approx(SIZE * space.codes[:, 1].std().item(), rel=0.4)
    whole = deviation_of(space, fit_code(space, observed(space, CODE)), points)
    assert whole.max() < 0.002
    ends = replace(found, ends=[found.ends[0], found.ends[0]._replace(state=State(found.code + 1.0))])
    assert spread_of(space, ends, points[side]).mean() > 0.5 * SIZE


def test_tuning_fits_what_no_code_expresses_and_leaves_what_was_not_seen():
    torch.manual_seed(0)
    decoder = LatentDecoder(Identity(), MLP(3, 1, 32, 2, Sine(3.0)), 4, modulated=True).eval()
    latent, points = torch.zeros(4), torch.rand(4000, 3) * 2 - 1
    with torch.no_grad():
        decoder.network.layers[-1].weight.mul_(0.2)  # distances below the clamp
        near = points[points[:, 0] > 0.2]
        truth = decoder(near[None], latent[None])[0] + 0.1 * (near[:, 0] - 0.2)
        tuned, evaluations = tuned_decoder(decoder, latent, Observations(near, truth, points[:0]), 100)
        off, before = ((d(near[None], latent[None])[0] - truth).abs().mean() for d in (tuned, decoder))
        other = points[points[:, 0] < 0][None]
        moved = (tuned(other, latent[None]) - decoder(other, latent[None])).abs().mean()
    assert off < 0.4 * before
    assert moved < 0.4 * before
    assert evaluations > 100 * 3 * 2048


def test_a_code_of_colour_is_found():
    torch.manual_seed(0)
    decoder = LatentDecoder(Identity(), MLP(3, 1, 16, 2, Relu()), 3, modulated=True)
    space = ShapeSpace(decoder, [Member(f"s{i}") for i in range(9)], painter=ColorBranch(16, 5, directed=True))
    space = space.eval().requires_grad_(False)
    with torch.no_grad():
        space.hues.mul_(4)
    points, toward = torch.rand(3000, 3) - 0.5, torch.nn.functional.normalize(torch.randn(3000, 3), dim=1)
    rgb = space.decode(space.codes[2], hue=space.hues[4]).color(points, toward)
    hue, off = fit_hue(space, space.codes[2], Colors(points, rgb, toward))
    assert off < 0.01
    again = space.decode(space.codes[2], hue=hue).color(points, toward)
    assert (again - rgb).abs().mean() < 0.2 * (space.decode(space.codes[2]).color(points, toward) - rgb).abs().mean()


def test_without_a_view_direction_colour_is_that_of_the_mean_over_all():
    torch.manual_seed(0)
    painter, features, codes = ColorBranch(6, 4, directed=True), torch.randn(1, 50, 6), torch.randn(1, 4)
    assert painter.of_direction is not None
    everywhere = torch.nn.functional.normalize(torch.randn(200_000, 3), dim=1)
    mean = painter.of_direction(harmonics(everywhere)).mean(0)
    hidden = painter.entry(features) + painter.of_code(codes)[:, None] + mean
    expected = painter.network(torch.relu(hidden)[0]).sigmoid()
    torch.testing.assert_close(painter(features, codes)[0], expected, atol=2e-3, rtol=0)
    assert (painter(features, codes, everywhere[None, :50])[0] - expected).abs().max() > 0.01


def test_nothing_observed_is_refused():
    with pytest.raises(InputError, match="holds no point"):
        fit_code(solids(), Observations.of_surface(torch.zeros(0, 3)))


def test_a_pose_moves_as_its_slopes_say():
    rng = np.random.default_rng(0)
    turn = torch.from_numpy(Rotation.from_rotvec(rng.normal(size=3)).as_matrix())
    pose = Pose(turn, 1.4, torch.tensor([0.1, 0.2, -0.3]).double())
    points, weights = (torch.from_numpy(rng.normal(size=(20, 3))) for _ in range(2))
    slopes = pose.slopes(points, weights)
    for k in range(7):
        step = torch.eye(7).double()[k] * 1e-6
        ends = [(pose.moved(sign * step).apply(points) * weights).sum(1) for sign in (1, -1)]
        torch.testing.assert_close(slopes[:, k], (ends[0] - ends[1]) / 2e-6, atol=1e-6, rtol=1e-5)
