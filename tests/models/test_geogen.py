"""GeoGen's generator: a ball before it has learned anything, fields of latents, what is asked of its shapes."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

from isofield.fields.analytic import Box
from isofield.fields.density import LaplaceDensity
from isofield.frame import UnitFrame
from isofield.meshing.extract import extract
from isofield.models.discriminator import Discriminator
from isofield.models.geogen import LABEL, GeoGen, new_density
from isofield.models.pictures import label_rays, photographed
from isofield.models.presets import PRESETS, Architecture, Preset, varied
from isofield.models.regularity import eikonal_loss, minimal_surface_loss, probes, slopes, smooth_density_loss
from isofield.render.camera import orbit
from isofield.render.rays import rays_of
from isofield.render.volume import FieldScene, March, render_volume
from isofield.views.eg3d import label_of

RADIUS = 0.5  # of the ball that an untrained generator makes
WHITE = torch.ones(3)
TINY = Architecture(
    size=16, raw=16, latent=8, mapping_depth=2, plane_size=8, plane_channels=4, base=64, most=8,
    critic_base=64, critic_most=8, critic_depth=2, width=8, coarse=12, fine=24,
)  # fmt: skip


def generator(frame: UnitFrame | None = None, **changes) -> GeoGen:
    torch.manual_seed(0)
    architecture = replace(TINY, **changes)
    density = new_density(architecture.density, PRESETS["toy"].recipe)
    return GeoGen(architecture, density, frame)


def learned(**changes) -> GeoGen:
    """With a residual, so that latents differ."""
    made = generator(**changes)
    nn.init.normal_(made.decoder.shape_net[2].weight, std=0.1)
    return made


def labels(*azimuths: float) -> torch.Tensor:
    return torch.tensor([label_of(orbit(a, 15.0, size=16)) for a in azimuths], dtype=torch.float32)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parts_of_the_paper_preset_have_their_published_sizes():
    """EG3D's mapping of depth 2 and GeoGen's of depth 8; 28 million for StyleGAN2 at 256 pixels with 96 maps."""
    a = PRESETS["paper"].architecture
    with torch.device("meta"):
        made = GeoGen(replace(a, conditioned=True), LaplaceDensity())
        deep = GeoGen(replace(a, conditioned=True, mapping_depth=8), LaplaceDensity())
        critic = Discriminator(a.size, 6, LABEL, base=a.critic_base, most=a.critic_most, depth=a.critic_depth)
    assert count(made.mapping) == 800_768
    assert count(deep.mapping) == 2_376_704
    assert count(made.synthesis) == 28_207_533
    assert made.synthesis.blocks[-1].to_maps.weight.shape[0] == 96
    styles = sum(1 for name, _ in made.synthesis.named_parameters() if name.endswith("affine.weight"))
    assert styles == 14 + 6  # the maps of each block but the last share the style of the next convolution
    assert count(critic) == 31_359_744


def test_before_training_every_latent_is_a_ball_in_the_users_world():
    made = generator(UnitFrame(scale=3.0))
    mesh = extract(made.field(made.latent(7)), 48).mesh
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert mesh.is_watertight
    assert mesh.volume > 0
    np.testing.assert_allclose(radii, 3 * RADIUS, rtol=2e-3)


def test_a_picture_of_the_ball_has_its_depth_and_its_shadow():
    made = generator(coarse=64, fine=64)
    made.decoder.density = LaplaceDensity(0.004)
    w = made.latent(0)[None]
    shots = photographed(made, made.scenes(w), w, labels(30.0), WHITE, jitter=False, raw=33)
    eye, middle = labels(30.0)[0, [3, 7, 11]].norm().item(), 33 * 33 // 2
    assert shots.depth[0, middle].item() == pytest.approx(eye - RADIUS, rel=1e-3)
    area = np.pi * (4.2647 * RADIUS / np.sqrt(eye**2 - RADIUS**2)) ** 2  # of the shadow, in pictures
    assert shots.opacity.mean().item() == pytest.approx(area, rel=0.05)
    assert torch.allclose(shots.picture[0, :, 0, 0], torch.ones(3))  # the background
    assert torch.equal(shots.picture, shots.raw)


def test_rays_of_labels_are_those_of_cameras():
    cameras = [orbit(20, 10, size=16), orbit(200, -20, distance=5, size=16)]
    a, b = label_rays(torch.tensor([label_of(c) for c in cameras], dtype=torch.float32), 16), rays_of(cameras)
    for ours, theirs in zip(a, b, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_latent_is_a_field_and_truncation_draws_it_to_the_mean():
    made = learned()
    made.mapping.remember(torch.randn(8, 8))
    assert torch.equal(made.latent(3), made.latent(3))
    assert not torch.allclose(made.latent(3), made.latent(4))
    assert torch.equal(made.latent(3, 0.0), made.mapping.mean)
    points = torch.rand(50, 3) * 2 - 1
    scenes = made.scenes(torch.stack([made.latent(3), made.latent(4)]))
    values = scenes.value(points.expand(2, -1, -1))
    assert torch.allclose(made.field(made.latent(4)).sdf(points), values[1], atol=1e-5)
    assert not torch.allclose(values[0], values[1], atol=1e-3)


@pytest.mark.parametrize("changes", [{}, {"density": "SoftplusDensity", "octaves": 0}, {"conditioned": True}])
def test_what_is_stored_is_the_same_generator(changes):
    made = learned(**changes)
    again = GeoGen.restore(made.spec(), made.tensors())
    label = labels(0.0)[0] if changes.get("conditioned") else None
    points = torch.rand(20, 3)
    with torch.no_grad():
        assert torch.equal(
            again.field(again.latent(5, 0.7, label)).color(points), made.field(made.latent(5, 0.7, label)).color(points)
        )
    assert again.spec()["architecture"] == asdict(made.architecture)


def test_pictures_are_refined_where_the_architecture_says_so():
    made = learned(size=32, raw=16, features=8)
    w = made.latent(0)[None]
    shots = photographed(made, made.scenes(w), w, labels(0.0), WHITE)
    assert shots.picture.shape == (1, 3, 32, 32)
    assert shots.raw.shape == (1, 3, 16, 16)
    loss = shots.picture.square().mean()
    loss.backward()
    assert made.synthesis.blocks[0].constant.grad.abs().sum() > 0
    assert made.refine.first.conv0.weight.grad.abs().sum() > 0


def test_slopes_of_the_ball_point_outwards_with_unit_length():
    scenes, points = generator().double().scenes(torch.randn(2, 8).double()), torch.rand(2, 40, 3).double() * 1.6 - 0.8
    points = points[points.norm(dim=-1) > 0.3].reshape(1, -1, 3)[:, :40].expand(2, -1, -1)
    found = slopes(scenes, points, 1e-5)
    assert torch.allclose(found, points / points.norm(dim=-1, keepdim=True), atol=1e-4)
    assert eikonal_loss(scenes, points).item() < 1e-2  # over half a texel of very coarse planes
    surface = RADIUS * points / points.norm(dim=-1, keepdim=True)
    assert minimal_surface_loss(scenes, surface).item() == pytest.approx(1.0, abs=1e-3)
    assert minimal_surface_loss(scenes, points).item() < 0.5


def test_gradient_of_the_eikonal_loss_against_finite_differences():
    made, step = learned().double(), 1e-6
    w, points = torch.randn(1, 8).double(), torch.rand(1, 30, 3).double() - 0.5
    weight = made.decoder.shape_net[0].weight
    (exact,) = torch.autograd.grad(eikonal_loss(made.scenes(w), points), weight)
    direction, values = torch.randn_like(weight), []
    with torch.no_grad():
        for sign in (1, -2):
            weight += sign * step * direction
            values.append(eikonal_loss(made.scenes(w), points).item())
    assert (exact * direction).sum().item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_probes_lie_anywhere_and_near_the_surface():
    made = generator()
    w = made.latent(0)[None]
    scenes = made.scenes(w)
    shots = photographed(made, scenes, w, labels(0.0), WHITE)
    points = probes(shots.rays, shots.depth, shots.opacity, 500)
    assert points.shape == (1, 1000, 3)
    assert points[0, :500].norm(dim=-1).max() <= 1
    assert (points[0, :500].norm(dim=-1) < 0.5 ** (1 / 3)).float().mean().item() == pytest.approx(0.5, abs=0.08)
    near = (points[0, 500:].norm(dim=-1) - RADIUS).abs()
    assert near.median() < 0.15 < (points[0, :500].norm(dim=-1) - RADIUS).abs().median()
    assert smooth_density_loss(scenes, points).item() < 0.01


def test_rays_of_toy_hardly_flicker_where_the_surface_is_sharp():
    """Few coarse samples miss thin bodies now and then, a noise by which a critic tells them from real pictures."""
    a = PRESETS["toy"].architecture
    scene = FieldScene(Box((0.6, 0.25, 0.15)), LaplaceDensity(beta=0.0167))
    rays = label_rays(labels(35.0), 32)
    torch.manual_seed(0)
    drawn = torch.stack([render_volume(scene, rays, March(a.coarse, a.fine)).opacity for _ in range(8)])
    inside = drawn.mean(0) > 0.5
    assert drawn.std(0)[inside].square().mean().sqrt().item() < 0.02


def test_rows_of_the_ablation_are_configurations_of_one_model():
    rows = {name: varied(PRESETS["toy"], name) for name in ("geogen", "sdf", "density", "eg3d", "stylesdf")}
    assert rows["geogen"].recipe.depth == 0.1
    assert [rows[name].recipe.depth for name in ("sdf", "density", "eg3d", "stylesdf")] == [0.0] * 4
    assert rows["density"].architecture.octaves > 0 == rows["eg3d"].architecture.octaves
    for preset in rows.values():
        density = new_density(preset.architecture.density, preset.recipe)
        assert density.signed == (preset not in (rows["density"], rows["eg3d"]))
    assert isinstance(rows["sdf"], Preset)
    learned_from_the_start = new_density(rows["stylesdf"].architecture.density, rows["stylesdf"].recipe)
    assert all(parameter.requires_grad for parameter in learned_from_the_start.parameters())
    fixed = new_density("LaplaceDensity", rows["geogen"].recipe)
    assert not any(parameter.requires_grad for parameter in fixed.parameters())
    assert fixed.beta.item() == pytest.approx(0.1)
