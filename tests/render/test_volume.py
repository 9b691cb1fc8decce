"""Volume rendering against closed forms: transmittance, depth and colour of balls."""

import math

import numpy as np
import pytest
import torch

from isofield.fields.analytic import Sphere
from isofield.fields.density import LaplaceDensity
from isofield.fields.field import Field
from isofield.fields.triplane import TriplaneDecoder, Triplanes
from isofield.render import volume
from isofield.render.camera import orbit
from isofield.render.rays import Rays, rays_of, stratified
from isofield.render.volume import (
    FieldScene,
    March,
    ray_distance,
    render_volume,
    surface_normals,
    surface_sdf,
    volume_weights,
)

STILL = March(jitter=False)
FULL = March(jitter=False, both=True, above=0.0)


class Ball(Field):
    """A ball anywhere, its colour the position; or, `directional`, the view direction."""

    has_color = True

    def __init__(self, center=(0.0, 0.0, 0.0), radius=0.5, directional=False):
        self.center, self.radius, self.directional = torch.tensor(center), radius, directional

    def sdf(self, points):
        return (points - self.center).norm(dim=1) - self.radius

    def color(self, points, directions=None):
        return ((directions if self.directional else points) + 1) / 2


def scene_of(field, beta):
    return FieldScene(field, LaplaceDensity(beta, floor=min(beta, 1e-3), learned=False))


def true_depth(rays, center, radius):
    """First meeting of each ray with a ball; infinite where it misses."""
    towards = rays.origins[0] - torch.tensor(center)
    b = (towards * rays.directions[0]).sum(1)
    inner = b**2 - towards.square().sum(1) + radius**2
    return torch.where(inner > 0, -b - inner.clamp_min(0).sqrt(), torch.inf)


def test_weights_are_equation_3_by_hand():
    density, delta = torch.tensor([0.5, 2.0, 1e4]), torch.tensor([0.2, 0.1, 1.0])
    alpha = [1 - math.exp(-0.1), 1 - math.exp(-0.2), 1.0]
    expected = [alpha[0], (1 - alpha[0]) * alpha[1], (1 - alpha[0]) * (1 - alpha[1])]
    torch.testing.assert_close(volume_weights(density, delta), torch.tensor(expected))


def test_weights_sum_to_what_is_absorbed_however_thin_or_thick():
    density = (
        torch.rand(20, 30, generator=torch.Generator().manual_seed(0)).double() * 10.0 ** torch.arange(-9, 11)[:, None]
    )
    delta = torch.rand(20, 30, generator=torch.Generator().manual_seed(1)).double()
    absorbed = -torch.expm1(-(density * delta).sum(-1))
    torch.testing.assert_close(volume_weights(density, delta).sum(-1), absorbed, rtol=1e-12, atol=0)


def test_distance_is_normalised_and_that_of_an_empty_ray_is_given():
    weights, t = torch.tensor([[0.1, 0.1], [0.0, 0.0]]), torch.tensor([[3.0, 5.0], [3.0, 5.0]])
    assert ray_distance(weights, t, torch.tensor([9.0, 9.0])).tolist() == [4.0, 9.0]
    weights.requires_grad_()
    ray_distance(weights, t, torch.tensor([9.0, 9.0])).sum().backward()
    assert weights.grad.isfinite().all()


@pytest.mark.parametrize("beta", [1.0, 0.3, 0.05])
def test_integral_of_weights_of_a_ball_is_the_closed_form(beta):
    """Through the centre: r / beta - (1 - exp(-r / beta)) / 2 on each half inside, half of 1 - exp(..) outside."""
    r = 0.1
    half = (r - beta * (1 - math.exp(-r / beta)) / 2) / beta + (1 - math.exp(-(1 - r) / beta)) / 2
    rays = rays_of([orbit(0, 0, size=1)])
    rendering = render_volume(scene_of(Sphere(r), beta), rays, March(4000, 10, jitter=False, both=True))
    assert rendering.opacity.item() == pytest.approx(1 - math.exp(-2 * half), rel=2e-3)
    usual = render_volume(scene_of(Sphere(r), beta), rays, STILL)
    assert usual.opacity.item() == pytest.approx(1 - math.exp(-2 * half), rel=0.05)


@pytest.mark.parametrize("beta", [0.0164, 0.003])
def test_outline_of_a_ball_is_outside_its_level_by_the_closed_form(beta):
    """A ray at height h beside a ball of radius r meets exp(-h / beta) sqrt(2 pi r beta) / (2 beta) of matter, by
    Laplace's method; half of the light is stopped where that is log 2: at 2.3 beta, and at 3.2 of the smaller."""
    r = 0.5
    height = beta * math.log(math.sqrt(2 * math.pi * r * beta) / (2 * beta * math.log(2)))
    y = torch.tensor([r + 0.7 * height, r + height, r + 1.3 * height])
    origins = torch.stack([torch.zeros(3), y, torch.full((3,), 2.0)], 1)[None]
    directions = torch.tensor([0.0, 0.0, -1.0]).expand(1, 3, 3)
    near = (2 - (1 - y**2).sqrt())[None]
    march = March(4000, 10, jitter=False, both=True)
    opacity = render_volume(scene_of(Sphere(r), beta), Rays(origins, directions, near, 4 - near), march).opacity[0]
    assert opacity[1].item() == pytest.approx(0.5, abs=0.03)
    assert opacity[0] > 0.6
    assert opacity[2] < 0.4


@pytest.mark.parametrize("march", [STILL, FULL, March()])
def test_depth_of_a_ball_is_true_within_a_percent_at_beta_a_hundredth(march):
    torch.manual_seed(0)
    rays = rays_of([orbit(30, 20, 2.0, 1.2, size=32)])
    rendering = render_volume(scene_of(Sphere(0.5), 0.01), rays, march)
    depth = true_depth(rays, (0.0, 0.0, 0.0), 0.5)
    inner = true_depth(rays, (0.0, 0.0, 0.0), 0.45).isfinite()
    assert inner.sum() > 100
    assert (rendering.depth[0] / depth - 1)[inner].abs().max() < 0.01
    assert rendering.opacity[0][inner].min() > 0.99
    clear = ~true_depth(rays, (0.0, 0.0, 0.0), 0.6).isfinite()
    assert rendering.opacity[0][clear].max() < 0.01


@pytest.mark.parametrize("march", [STILL, FULL])
def test_a_moved_camera_moves_the_picture_as_the_object_would(march):
    """A ball away from the centre, coloured by position: silhouette, depth and colour from everywhere."""
    center, radius, beta = (0.3, -0.2, 0.4), 0.4, 0.005
    scene = scene_of(Ball(center, radius), beta)
    for azimuth, elevation in ((0, 0), (90, 0), (200, 40), (-60, -35)):
        camera = orbit(azimuth, elevation, 12.0, 5.5, size=24)
        rays = rays_of([camera])
        rendering = render_volume(scene, rays, march)
        depth = true_depth(rays, center, radius)
        surely, never = (
            true_depth(rays, center, radius - 0.05).isfinite(),
            ~true_depth(rays, center, radius + 0.05).isfinite(),
        )
        assert surely.sum() > 20
        assert rendering.opacity[0][surely].min() > 0.98
        assert rendering.opacity[0][never].max() < 0.01
        assert (rendering.depth[0] - depth)[surely].abs().max() < 5 * beta
        points = rays.at(depth[None, :, None])[0, :, 0][surely]
        assert (
            (rendering.color[0][surely] / rendering.opacity[0][surely, None]) * 2 - 1 - points
        ).abs().max() < 8 * beta
        column, row = camera.project(np.array([center]))[0][0]
        weight = rendering.opacity[0].view(24, 24)
        where = torch.arange(24) + 0.5
        assert (weight.sum(0) * where).sum() / weight.sum() == pytest.approx(column, abs=0.15)
        assert (weight.sum(1) * where).sum() / weight.sum() == pytest.approx(row, abs=0.15)


def test_normals_and_distances_at_the_rendered_depth():
    center = (0.1, 0.0, -0.2)
    scene, rays = scene_of(Ball(center, 0.4), 0.005), rays_of([orbit(70, 10, 4.0, 1.8, size=16)])
    depth = render_volume(scene, rays, STILL).depth
    sure = true_depth(rays, center, 0.35).isfinite()
    assert surface_sdf(scene, rays, depth)[0][sure].abs().max() < 0.02
    points = rays.at(depth[..., None])[0, :, 0]
    expected = torch.nn.functional.normalize(points - torch.tensor(center), dim=1)
    torch.testing.assert_close(surface_normals(scene, rays, depth)[0][sure], expected[sure], atol=1e-5, rtol=0)


def test_colour_is_asked_for_the_direction_of_its_own_ray():
    rays = rays_of([orbit(20, 10, 2.0, 1.2, size=12)])
    rendering = render_volume(scene_of(Ball(directional=True), 0.01), rays, STILL)
    sure = true_depth(rays, (0.0, 0.0, 0.0), 0.4).isfinite()
    seen = rendering.color[0] / rendering.opacity[0][:, None] * 2 - 1
    torch.testing.assert_close(seen[sure], rays.directions[0][sure], atol=1e-5, rtol=0)


def test_the_background_is_seen_where_nothing_is():
    rays, scene = rays_of([orbit(0, 0, size=8)]), scene_of(Ball(radius=0.3), 0.01)
    black = render_volume(scene, rays, STILL)
    blue = render_volume(scene, rays, STILL, torch.tensor([0.0, 0.2, 1.0]))
    torch.testing.assert_close(blue.color[0, 0], torch.tensor([0.0, 0.2, 1.0]))
    torch.testing.assert_close(blue.color, black.color + (1 - black.opacity)[..., None] * torch.tensor([0.0, 0.2, 1.0]))


@pytest.fixture
def scenes():
    torch.manual_seed(1)
    decoder = TriplaneDecoder(4, width=16, outputs=5)
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.1)
    planes = torch.randn(3, 3, 4, 12, 12)
    cameras = [orbit(0, 0, size=10), orbit(120, 30, 2.0, 1.0, size=10), orbit(-100, -20, 30.0, 10.0, size=10)]
    return planes, decoder, rays_of(cameras)


@pytest.mark.parametrize("march", [STILL, FULL])
def test_a_batch_is_its_scenes_one_by_one(scenes, march):
    planes, decoder, rays = scenes
    backgrounds = torch.rand(3, 5)
    together = render_volume(Triplanes(planes, decoder), rays, march, backgrounds)
    assert (rays.far > rays.near).sum(1).unique().numel() == 3  # unlike numbers of rays that hit
    for k in range(3):
        one = type(rays)(*(part[k : k + 1] for part in rays))
        alone = render_volume(Triplanes(planes[k : k + 1], decoder), one, march, backgrounds[k])
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[0], b[k], atol=1e-5, rtol=1e-5)


def test_rays_that_miss_change_nothing(scenes):
    planes, decoder, rays = scenes
    scene = Triplanes(planes, decoder)
    hits = rays.far > rays.near
    rendering = render_volume(scene, rays, STILL)
    assert (rendering.opacity[~hits] == 0).all()
    assert torch.equal(rendering.depth[~hits], rays.far[~hits])
    one = [part[:1, hits[0]] for part in rays]
    only = render_volume(Triplanes(planes[:1], decoder), type(rays)(*one), STILL)
    torch.testing.assert_close(only.color[0], rendering.color[0, hits[0]])


@pytest.mark.parametrize("march", [STILL, FULL])
def test_a_camera_that_looks_away_sees_the_background(scenes, march):
    planes, decoder, _ = scenes
    away = rays_of([orbit(k, 0, 30.0, 10.0, size=4, target=(50.0, 0.0, 0.0)) for k in (0, 90, 180)])
    rendering = render_volume(Triplanes(planes, decoder), away, march, torch.full((5,), 0.3))
    assert not (away.far > away.near).any()
    assert (rendering.color == 0.3).all()
    assert (rendering.opacity == 0).all()
    field = render_volume(scene_of(Ball(), 0.01), type(away)(*(part[:1] for part in away)), march)
    assert field.color.shape == (1, 16, 3)


def test_no_colour_below_a_weight_is_a_small_change_and_keeps_the_brightness(scenes):
    planes, decoder, rays = scenes
    scene = Triplanes(planes, decoder)
    exact = render_volume(scene, rays, March(jitter=False, above=0.0))
    close = render_volume(scene, rays, March(jitter=False, above=1e-3))
    assert (exact.color - close.color).abs().max() < 0.02
    torch.testing.assert_close(exact.opacity, close.opacity)
    assert (exact.color.mean() - close.color.mean()).abs() < 1e-3


@pytest.mark.parametrize("march", [STILL, FULL])
def test_first_and_second_derivatives_of_the_picture_are_those_of_finite_differences(march, monkeypatch):
    torch.manual_seed(2)
    decoder = TriplaneDecoder(2, width=8).double()
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.3)
    planes, direction = torch.randn(2, 3, 2, 5, 5).double(), torch.randn(2, 3, 2, 5, 5).double()
    rays = rays_of([orbit(0, 0, size=6), orbit(50, 20, size=6)])
    rays = type(rays)(*(part.double() for part in rays))
    march = March(12, 12, jitter=False, both=march.both, above=0.0)
    fixed = stratified(rays.near, rays.far, 12, True)  # the places of fine samples pass no gradient
    fixed = fixed[:, (rays.far > rays.near)[0]]
    monkeypatch.setattr(volume, "by_inverse_cdf", lambda *_: fixed)

    def loss(h):
        rendering = render_volume(Triplanes(planes + h * direction, decoder), rays, march)
        return rendering.color.square().sum() + rendering.opacity.sum() + rendering.depth.sum()

    def slope(h, graph=False):
        return torch.autograd.grad(loss(h), h, create_graph=graph)[0]

    h, step = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0, 1e-6))
    with torch.no_grad():
        measured = (loss(step) - loss(-step)) / 2e-6
    assert slope(h).item() == pytest.approx(measured.item(), rel=1e-6)
    (bend,) = torch.autograd.grad(slope(h, graph=True), h)
    measured = (slope(step) - slope(-step)) / 2e-6
    assert bend.item() == pytest.approx(measured.item(), rel=1e-5)


@pytest.mark.parametrize("march", [STILL, FULL])
def test_automatic_casts_change_nothing(scenes, march):
    planes, decoder, rays = scenes
    planes, found = planes.requires_grad_(), []
    for casts in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=casts):
            color = render_volume(Triplanes(planes, decoder), rays, march).color
        found.append((color, *torch.autograd.grad(color.square().sum(), planes)))
    for plain, cast in zip(*found, strict=True):
        torch.testing.assert_close(cast, plain)


def test_the_same_seed_gives_the_same_picture(scenes):
    planes, decoder, rays = scenes
    pictures = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        pictures.append(render_volume(Triplanes(planes, decoder), rays).color)
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])
