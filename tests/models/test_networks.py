"""Whole networks: sizes as published, what they depend on, losses against finite differences and closed forms."""

import copy
import math

import pytest
import torch
from torch import nn

from isofield.models.adversarial import discriminator_loss, generator_loss, r1, r1_weight
from isofield.models.average import decay, follow
from isofield.models.discriminator import Discriminator, dual, spread_within
from isofield.models.mapping import MEMORY, Mapping, swapped
from isofield.models.super_resolution import SuperResolution
from isofield.models.synthesis import Synthesis

FULL = {"base": 32768, "most": 512}  # StyleGAN2's and EG3D's widths


def count(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


def tiny_critic(label: int = 0) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(16, 3, label, base=64, most=8, depth=2).double()


def test_sizes_are_the_published_ones():
    """StyleGAN2's configuration F at 1024 pixels has 30,370,060 and 29,012,513 parameters (its logs and Table 1)."""
    with torch.device("meta"):
        assert count(Mapping(512, 0, 512, 8), Synthesis(512, 3, 1024, **FULL)) == 30_370_060
        assert count(Discriminator(1024, 3, 0, **FULL)) == 29_012_513
        assert count(Discriminator(256, 3, 0, **FULL)) == 28_864_129


def test_the_mean_of_styles_is_remembered_and_truncation_goes_there():
    torch.manual_seed(0)
    mapping, z = Mapping(8, 0, 16, 2), torch.randn(5, 8)
    w = mapping(z)
    assert torch.allclose(mapping(3 * z), w, atol=1e-5)  # only the direction of z counts
    mapping.remember(w)
    mapping.remember(w)
    assert torch.allclose(mapping.mean, (1 - MEMORY**2) * w.mean(0), atol=1e-6)
    assert torch.equal(mapping.truncated(w, 1.0), w)
    assert torch.equal(mapping.truncated(w, 0.0), mapping.mean.expand_as(w))
    assert torch.allclose(mapping.truncated(w, 0.5), (mapping.mean + w) / 2, atol=1e-6)


def test_latents_are_drawn_like_those_that_were_learned():
    torch.manual_seed(0)
    mapping, noise = Mapping(4, 0, 16, 2), torch.randn(20_000, 4)
    assert torch.equal(mapping.latents(noise), noise)
    learned = torch.randn(500, 4) @ torch.randn(4, 4) + 1
    mapping.drawn_like(learned)
    direction, z = 2 * learned / learned.norm(dim=1, keepdim=True), mapping.latents(noise)
    assert torch.allclose(z.mean(0), direction.mean(0), atol=0.05)
    assert torch.allclose(torch.cov(z.T), torch.cov(direction.T), atol=0.05)
    before = {name: value.clone() for name, value in mapping.state_dict().items()}
    mapping.drawn_like(learned[:1].expand(3, -1))  # all of them one
    assert (mapping.latents(noise) - direction[0]).abs().max() < 0.1
    mapping.load_state_dict(before)
    assert torch.equal(mapping.latents(noise), z)


def test_a_mapping_that_was_saved_without_a_gaussian_draws_from_the_normal_one():
    mapping, noise = Mapping(4, 0, 16, 2), torch.randn(5, 4)
    old = {name: value for name, value in mapping.state_dict().items() if name not in ("center", "spread")}
    made = Mapping(4, 0, 16, 2)
    made.load_state_dict(old)
    assert torch.equal(made.latents(noise), noise)
    assert torch.equal(made(noise), mapping(noise))


def test_a_mapping_with_a_label_needs_and_uses_it():
    mapping, z, label = Mapping(8, 25, 16, 2), torch.randn(2, 8), torch.randn(2, 25)
    assert not torch.allclose(mapping(z, label), mapping(z, -label))
    with pytest.raises(ValueError, match="label"):
        mapping(z)
    with pytest.raises(ValueError, match="latent or a label"):
        Mapping(0, 0, 16, 2)


def test_labels_are_swapped_as_often_as_asked():
    label = torch.arange(4000.0)[:, None]
    assert torch.equal(swapped(label, 0.0), label)
    assert torch.equal(swapped(label, 1.0), label.roll(1, 0))
    share = (swapped(label, 0.3, torch.Generator().manual_seed(0)) != label).float().mean()
    assert share.item() == pytest.approx(0.3, abs=0.03)


def test_synthesis_gives_maps_of_the_size_and_the_same_twice():
    torch.manual_seed(0)
    network, w = Synthesis(8, 6, 32, base=256, most=16), torch.randn(3, 8)
    maps = network(w)
    assert maps.shape == (3, 6, 32, 32)
    assert torch.equal(network(w), maps)
    assert torch.allclose(network(w[:1]), maps[:1], atol=1e-5)  # samples do not see each other
    assert not torch.allclose(maps[0], maps[1], atol=1e-2)
    with pytest.raises(ValueError, match="power of two"):
        Synthesis(8, 6, 48, base=256, most=16)


@pytest.mark.parametrize(("raw", "size", "start"), [(64, 512, 128), (64, 256, 64), (64, 128, 64), (16, 256, 64)])
def test_super_resolution_refines_the_raw_picture(raw, size, start):
    torch.manual_seed(0)
    network = SuperResolution(8, raw, size, 8, (8, 4))
    assert network.start == start
    features, w = torch.randn(1, 8, raw, raw), torch.randn(1, 8)
    assert network(features, w).shape == (1, 3, size, size)
    for block in (network.first, network.second):
        nn.init.zeros_(block.to_maps.weight)
    flat = features.clone()
    flat[:, :3] = torch.tensor([0.1, -0.2, 0.3])[:, None, None]
    middle = network(flat, w)[..., size // 4 : -size // 4, size // 4 : -size // 4]
    assert torch.allclose(middle, torch.tensor([0.1, -0.2, 0.3])[:, None, None].expand_as(middle), atol=1e-5)
    with pytest.raises(ValueError, match="nothing"):
        SuperResolution(8, 64, 64, 8, (8, 4))


def test_spread_is_the_mean_deviation_within_groups():
    x = torch.zeros(8, 2, 3, 3)
    x[1::2] = torch.tensor([0.0, 1, 2, 3])[:, None, None, None]  # of one group; the other does not vary
    y = spread_within(x, 4)
    assert y.shape == (8, 1, 3, 3)
    assert torch.allclose(y[0::2], torch.full((4, 1, 3, 3), 1e-4), atol=1e-6)
    assert torch.allclose(y[1::2], torch.full((4, 1, 3, 3), math.sqrt(1.25)), atol=1e-5)
    assert torch.isfinite(spread_within(x[:3])).all()  # what four do not divide


def test_the_discriminator_sees_its_label_and_both_pictures():
    critic = tiny_critic(25)
    pictures, label = torch.randn(4, 3, 16, 16).double(), torch.randn(4, 25).double()
    assert critic(pictures, label).shape == (4,)
    assert not torch.allclose(critic(pictures, label), critic(pictures, -label))
    both = dual(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 16, 16))
    assert both.shape == (1, 6, 32, 32)
    assert torch.allclose(both.mean((0, 2, 3)), torch.tensor([0.0, 0, 0, 1, 1, 1]))


def test_r1_and_its_gradient_against_finite_differences():
    critic, x = tiny_critic(), torch.randn(1, 3, 16, 16).double()
    step, total = 1e-5, 0.0
    with torch.no_grad():
        for k in range(x.numel()):
            d = torch.zeros(x.numel(), dtype=x.dtype)
            d[k] = step
            d = d.reshape(x.shape)
            total += ((critic(x + d) - critic(x - d)) / (2 * step)).item() ** 2
    assert r1(critic, x).item() == pytest.approx(total, rel=1e-5)
    weight = critic.blocks[0].conv0.weight
    (exact,) = torch.autograd.grad(r1(critic, x), weight)
    direction = torch.randn_like(weight)
    values = []
    for sign in (1, -1):
        moved = copy.deepcopy(critic)
        with torch.no_grad():
            moved.blocks[0].conv0.weight += sign * step * direction
        values.append(r1(moved, x).item())
    assert (exact * direction).sum().item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)


def test_losses_at_closed_forms_and_their_directions():
    zero, sure = torch.zeros(3), torch.full((3,), 20.0)
    assert generator_loss(zero).item() == pytest.approx(math.log(2))
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert generator_loss(sure) < 1e-8 < generator_loss(-sure)
    assert discriminator_loss(sure, -sure) < 1e-8 < discriminator_loss(-sure, sure)


def test_r1_weight_is_what_was_published():
    assert r1_weight(512, 32) == pytest.approx(1.0)
    assert r1_weight(128, 32) == pytest.approx(0.3, rel=0.05)
    assert r1_weight(32, 8) == pytest.approx(2 * r1_weight(32, 16))


def test_average_of_a_constant_target_closes_in_geometrically():
    average, model = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.zeros_(average.weight)
    model.running_mean.fill_(7)
    share = decay(10**9, 8, 100.0)
    assert share == pytest.approx(2 ** (-8 / 100))
    for _ in range(25):  # two half-lives
        follow(average, model, share)
    assert torch.allclose(average.weight, torch.full((2,), 0.75))
    assert torch.equal(average.running_mean, model.running_mean)
    assert decay(0, 8, 100.0) == 0  # at first the average is the model
    assert decay(400, 8, 100.0) == pytest.approx(2 ** (-8 / 20))
    assert decay(400, 8, 100.0, ramp=None) == share
