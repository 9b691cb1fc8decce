"""Pivotal tuning: its schedules, moved cameras, what a generator's own picture is inverted to."""

import json
import math
import warnings
from copy import deepcopy
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

from isofield.errors import InputError
from isofield.fields.triplane import Triplanes
from isofield.models import inversion
from isofield.models.filters import doubled
from isofield.models.geogen import GeoGen, new_density
from isofield.models.inversion import (
    Inversion,
    Motion,
    Sitting,
    Styles,
    calming,
    moved,
    picture_size,
    ramp,
    shapeliness,
    sharpness,
    shots_of,
)
from isofield.models.perceptual import laplacian_pyramid, psnr, pyramid_distance, script_distance
from isofield.models.pose_search import found_camera
from isofield.models.presets import PRESETS, Architecture
from isofield.models.studio import Studio
from isofield.render.camera import orbit
from isofield.views.eg3d import label_of

TINY = Architecture(
    size=16, raw=16, latent=8, mapping_depth=2, plane_size=8, plane_channels=4, base=64, most=8,
    critic_base=64, critic_most=8, critic_depth=2, width=8, coarse=16, fine=8, octaves=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def generator() -> GeoGen:
    """Lively shapes and colours, no two sides alike."""
    torch.manual_seed(3)
    made = GeoGen(TINY, new_density(TINY.density, PRESETS["toy"].recipe))
    for net, strength in ((made.decoder.shape_net, 0.3), (made.decoder.color_net, 4.0)):
        last = net[2].weight
        nn.init.normal_(last, std=strength)
        with torch.no_grad():
            last -= last.mean(1, keepdim=True)
    with torch.no_grad():
        made.decoder.density.sharpen(0.02)
        for block in made.synthesis.blocks:
            block.to_maps.weight *= 2
    return made.eval().requires_grad_(False)


def label(azimuth: float, elevation: float = 15.0, distance: float = 9.0) -> torch.Tensor:
    return torch.tensor(label_of(orbit(azimuth, elevation, distance)), dtype=torch.float32)[None]


def bearing(label: torch.Tensor) -> tuple[float, float, float]:
    x, y, z = label[[3, 7, 11]].tolist()
    return math.degrees(math.atan2(x, z)), math.degrees(math.atan2(y, math.hypot(x, z))), math.hypot(x, y, z)


def test_density_becomes_sharp_by_equal_shares_and_stays_so():
    assert sharpness(0.3, 0.0) == 0.3
    assert sharpness(0.3, inversion.SHARPENED / 2) == pytest.approx(math.sqrt(0.3 * inversion.SHARP))
    assert sharpness(0.3, inversion.SHARPENED) == sharpness(0.3, 1.0) == pytest.approx(inversion.SHARP)
    assert sharpness(inversion.SHARP / 2, 1.0) == inversion.SHARP / 2


def picture_of(
    generator: GeoGen, w: torch.Tensor, labels: torch.Tensor, size: int = inversion.FINER * TINY.size
) -> torch.Tensor:
    with torch.no_grad():
        return shots_of(generator, w[None], labels, size, jitter=False)[1].picture


def inverted(generator: GeoGen, sitting: Sitting, steps: int, tune: int, seed: int = 0) -> Inversion:
    made = Inversion(generator, sitting, pyramid_distance, steps, tune, seed)
    for step in range(made.length):
        made.step(step)
    return made


def known(pictures: torch.Tensor, labels: torch.Tensor) -> Sitting:
    return Sitting(pictures, labels, torch.zeros(len(labels), dtype=torch.bool))


def test_rates_rise_and_fall_and_noise_dies_as_published():
    assert ramp(0.0) == 0
    assert ramp(0.025) == pytest.approx(0.5)
    assert ramp(0.05) == ramp(0.75) == 1
    assert ramp(0.875) == pytest.approx(0.5)
    assert ramp(1.0) == 0
    assert calming(0.0) == 0.05
    assert calming(0.375) == pytest.approx(0.05 / 4)
    assert calming(0.75) == calming(0.9) == 0


def test_a_camera_is_turned_about_the_origin_and_shifted_along_its_own_axes():
    front = label(20.0, 0.0)
    still = torch.zeros(1, 6)
    assert torch.allclose(moved(front, still), front, atol=1e-6)
    turn = still.clone()
    turn[0, 1] = math.radians(30)  # about what points down: the camera goes to its left
    assert torch.allclose(moved(front, turn), label(20.0 - 30.0, 0.0), atol=1e-5)
    tilt = still.clone()
    tilt[0, 0] = math.radians(30)
    assert torch.allclose(moved(front, tilt), label(20.0, -30.0), atol=1e-5)  # about what points right: it sinks
    nearer = still.clone()
    nearer[0, 5] = 2.0
    assert torch.allclose(moved(front, nearer), label(20.0, 0.0, 7.0), atol=1e-5)
    both = moved(label(70.0), torch.tensor([[0.3, -0.2, 0.5, 0.1, 0.2, -0.3]]))[0, :16].view(4, 4).double()
    assert torch.allclose(both[:3, :3] @ both[:3, :3].T, torch.eye(3).double(), atol=1e-6)
    assert torch.linalg.det(both[:3, :3]) == pytest.approx(1, abs=1e-6)


def test_a_camera_that_is_known_stays_where_it_is():
    motion = Motion(label(0.0).expand(2, -1), torch.tensor([True, False]))
    with torch.no_grad():
        motion.numbers.fill_(0.1)
    free, fixed = motion.moved()
    assert not torch.allclose(free, label(0.0)[0], atol=1e-3)
    assert torch.allclose(fixed, label(0.0)[0], atol=1e-6)


def test_the_pyramid_loses_nothing_and_its_distance_is_that_of_its_levels():
    torch.manual_seed(0)
    a, b = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    bands = laplacian_pyramid(a)
    assert [band.shape[-1] for band in bands] == [16, 8, 4]
    assert torch.allclose(doubled(doubled(bands[2]) + bands[1]) + bands[0], a, atol=1e-6)
    apart = zip(bands, laplacian_pyramid(b), strict=True)
    twin = sum(4**j * (x - y).abs().sum((1, 2, 3)) for j, (x, y) in enumerate(apart)) / a[0].numel()
    assert torch.allclose(pyramid_distance(a, b), twin, rtol=1e-4)
    assert pyramid_distance(a, a).eq(0).all()
    assert pyramid_distance(a, b).gt(0).all()


def test_a_network_of_the_user_says_how_unlike_pictures_are(tmp_path):
    class Squares(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return (a - b).square().mean((1, 2, 3), keepdim=True)

    class One(nn.Module):
        def forward(self, a: torch.Tensor) -> torch.Tensor:
            return a

    a, b = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(Squares(), (a, b)).save(tmp_path / "squares.pt")
        torch.jit.trace(One(), (a,)).save(tmp_path / "one.pt")
    assert torch.allclose(script_distance(tmp_path / "squares.pt")(a, b), (a - b).square().mean((1, 2, 3)))
    with pytest.raises(InputError, match="two batches"):
        script_distance(tmp_path / "one.pt")(a, b)
    (tmp_path / "text.pt").write_text("nothing")
    with pytest.raises(InputError, match="TorchScript"):
        script_distance(tmp_path / "text.pt")


def test_signal_to_noise_of_a_known_difference():
    flat = torch.zeros(1, 3, 4, 4)
    assert psnr(flat, flat + 0.2).item() == pytest.approx(20.0, abs=1e-4)  # 0.1 of the range


def test_the_studio_is_read_from_labels_and_kept():
    drawn = [orbit(a, e, 7.0, 2.0) for a, e in ((-40.0, 5.0), (10.0, -12.0), (55.0, 30.0))]
    studio = Studio.of(np.array([label_of(camera) for camera in drawn], np.float32), (0.5, 0.25, 1.0))
    assert studio.azimuth == pytest.approx((-40, 55), abs=1e-3)
    assert studio.elevation == pytest.approx((-12, 30), abs=1e-3)
    assert (studio.distance, studio.focal) == pytest.approx((7, 2), abs=1e-5)
    assert Studio.restore(json.loads(json.dumps(asdict(studio)))) == studio
    assert Studio.restore({}) == Studio()
    for camera in studio.cameras(20, 16, 0):
        azimuth, elevation, distance = bearing(torch.tensor(label_of(camera)))
        assert -40.01 <= azimuth <= 55.01
        assert -12.01 <= elevation <= 30.01
        assert distance == pytest.approx(7, abs=1e-4)


def test_the_gaussian_of_styles_is_that_of_many_latents(generator):
    styles = Styles.of(generator, label(0.0), 1, 4000)
    torch.manual_seed(5)
    w = generator.mapping(torch.randn(4000, TINY.latent))
    v = torch.linalg.solve_triangular(styles.factor, (w - styles.mean).T, upper=False).T
    assert torch.allclose(styles.at(v), w, atol=1e-4)
    assert v.mean(0).abs().max() < 0.1
    assert torch.allclose(torch.cov(v.T), torch.eye(TINY.latent), atol=0.15)


def test_pictures_are_compared_at_the_rays_size_if_they_are_as_large(generator):
    assert picture_size(generator, 15) == picture_size(generator, 31) == 16
    assert picture_size(generator, 32) == picture_size(generator, 4000) == 32
    small, large = (picture_of(generator, generator.latent(7), label(30.0), size) for size in (16, 32))
    assert torch.allclose(small, nn.functional.avg_pool2d(large, 2), atol=1e-6)
    made = Inversion(generator, known(large, label(30.0)), pyramid_distance, 1, 1)
    assert made.found.shape == large.shape
    refining = deepcopy(generator)
    refining.refine = nn.Identity()
    assert picture_size(refining, 4000) == 16


def test_a_picture_the_generator_made_is_found_again_by_its_latent_alone(generator):
    w, cameras = generator.latent(7), torch.cat([label(30.0), label(150.0)])
    pictures = picture_of(generator, w, cameras)
    made = inverted(generator, known(pictures, cameras), 100, 0)
    start = psnr(picture_of(generator, Styles.of(generator, cameras, 0).mean, cameras), pictures)
    assert (psnr(picture_of(generator, made.w, cameras), pictures) > 35).all()
    assert (start < 20).all()
    other = label(270.0)  # and with it what no camera saw
    assert psnr(picture_of(generator, made.w, other), picture_of(generator, w, other)) > 25


def test_a_likely_shape_is_preferred_to_a_little_more_likeness(generator, monkeypatch):
    assert inversion.unlikely(torch.tensor([[1.0, 3.0], [0.0, 0.0]])).tolist() == pytest.approx(
        [5 * inversion.LIKELY, 0]
    )
    pictures, found = picture_of(generator, generator.latent(7), label(30.0)).flip(3), []
    for weight in (0.0, 1.0):
        monkeypatch.setattr(inversion, "LIKELY", weight)
        made = inverted(generator, known(pictures, label(30.0)), 60, 0)
        found.append((float(made.v.detach().square().mean()), float(pyramid_distance(made.looks(), pictures))))
    assert found[1][0] < 0.5 * found[0][0]
    assert found[1][1] > found[0][1]


def test_tuning_comes_nearer_than_any_latent_and_leaves_the_prior_as_it_was(generator):
    pictures = picture_of(generator, generator.latent(7), label(30.0)).flip(3)
    before = picture_of(generator, generator.latent(1), label(30.0))
    made = inverted(generator, known(pictures, label(30.0)), 60, 300)
    assert psnr(made.looks(), pictures) > psnr(made.found, pictures) + 1.5
    result = made.result()
    assert torch.equal(result.mapping.mean, made.w)
    assert torch.equal(picture_of(result, result.mapping.mean, label(30.0)), made.looks())
    assert result.decoder.density.beta.item() == pytest.approx(inversion.SHARP)
    assert torch.equal(picture_of(generator, generator.latent(1), label(30.0)), before)


def test_tuning_keeps_the_latent_and_holds_the_shape_together(generator, monkeypatch):
    pictures, off = picture_of(generator, generator.latent(1), label(0.0)).flip(3), []
    monkeypatch.setattr(inversion, "HOLD", 0.0)
    for weight in (10.0, 0.0):
        monkeypatch.setattr(inversion, "SLOPES", weight)
        made = Inversion(generator, known(pictures, label(0.0)), pyramid_distance, 1, 40)
        made.step(0)
        w = made.w
        for step in range(1, 41):
            made.step(step)
        assert torch.equal(made.w, w)
        monkeypatch.setattr(inversion, "SLOPES", 1.0)
        torch.manual_seed(0)
        with torch.no_grad():
            scenes, shots = shots_of(made.generator, w[None], label(0.0))
            off.append(float(shapeliness(made.generator, scenes, made.pivot, shots)))
    assert off[0] < 0.9 * off[1]


def test_a_shape_is_held_where_the_pivot_has_it_but_for_a_shift(generator, monkeypatch):
    """Of two pictures: their points are those of one pivot."""
    monkeypatch.setattr(inversion, "DEPTH", 0.0)
    monkeypatch.setattr(inversion, "SLOPES", 0.0)
    cameras = torch.cat([label(0.0), label(90.0)])
    with torch.no_grad():
        scenes, shots = shots_of(generator, generator.latent(1)[None], cameras)
        other = generator.scenes(generator.latent(2)[None])
        same = Triplanes(scenes.planes[:1], deepcopy(generator.decoder))
        assert shapeliness(generator, scenes, same, shots) < 1e-6
        apart = shapeliness(generator, scenes, other, shots)
        assert apart > 1e-3
        same.decoder.shape_net[-1].bias += 0.3
        assert shapeliness(generator, scenes, same, shots) < 1e-6
        monkeypatch.setattr(inversion, "HOLD", 2 * inversion.HOLD)
        torch.testing.assert_close(shapeliness(generator, scenes, other, shots), 2 * apart, rtol=0.2, atol=0)


def test_tuning_moves_a_shape_less_where_it_is_held(generator, monkeypatch):
    pictures, moved = picture_of(generator, generator.latent(1), label(0.0)).flip(3), []
    points = torch.rand(1, 500, 3, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.7
    for weight in (10.0, 0.0):
        monkeypatch.setattr(inversion, "HOLD", weight)
        made = inverted(generator, known(pictures, label(0.0)), 1, 40)
        with torch.no_grad():
            change = made.generator.scenes(made.w[None]).value(points) - made.pivot.value(points)
        moved.append(float((change - change.mean()).abs().mean()))
    assert moved[0] < 0.7 * moved[1]


def test_an_inversion_that_goes_on_equals_the_unbroken_one(generator):
    cameras = torch.cat([label(0.0), label(90.0)])
    sitting = Sitting(picture_of(generator, generator.latent(2), cameras), cameras, torch.tensor([True, False]))
    whole = inverted(generator, sitting, 4, 4)
    for stop in (2, 4, 6):
        first = Inversion(generator, sitting, pyramid_distance, 4, 4, 0)
        for step in range(stop):
            first.step(step)
        state = {name: value.clone() for name, value in first.state().items()}
        second = Inversion(generator, sitting, pyramid_distance, 4, 4, 0)
        second.restore(state)
        for step in range(stop, 8):
            second.step(step)
        for name, value in whole.state().items():
            assert torch.equal(value, second.state()[name]), (stop, name)


@pytest.mark.parametrize("seed", range(3))
def test_where_a_picture_was_taken_from_is_found(generator, seed):
    mean = Styles.of(generator, label(0.0), 0).mean
    true = label(77.0, 12.0)
    found = found_camera(generator, picture_of(generator, mean, true)[0], pyramid_distance, seed)
    azimuth, elevation, distance = bearing(found)
    assert azimuth == pytest.approx(77, abs=4)
    assert elevation == pytest.approx(12, abs=4)
    assert distance == pytest.approx(9, rel=0.05)


def test_a_free_camera_is_refined_by_gradients(generator):
    mean = Styles.of(generator, label(0.0), 0).mean
    picture = picture_of(generator, mean, label(40.0))
    made = inverted(generator, Sitting(picture, label(48.0), torch.tensor([True])), 60, 0)
    assert abs(bearing(made.labels()[0].detach())[0] - 40) < 3
