"""Triplanes: what each plane sees, how fields start, and that they are fields like any other."""

import json

import numpy as np
import pytest
import torch

from isofield.cli import main
from isofield.fields.density import LaplaceDensity, LogisticDensity, SoftplusDensity
from isofield.fields.field import gradient
from isofield.fields.triplane import TriplaneDecoder, TriplaneField, Triplanes
from isofield.fields.triplane_decode import CHUNK
from isofield.fields.triplane_look_up import look_up, look_up_plain, texels_together
from isofield.frame import UnitFrame
from isofield.losses import eikonal
from isofield.runs import load, open_run

VARIANTS = [
    {"density": SoftplusDensity(), "octaves": 0},
    {"density": SoftplusDensity(), "octaves": 4},
    {"density": LaplaceDensity()},
    {"density": LogisticDensity()},
]


def random_planes(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("plane", "axes"), [(0, (0, 1)), (1, (0, 2)), (2, (1, 2))])
def test_each_pair_of_axes_has_its_plane(plane, axes):
    """A ramp along the columns is the first axis, along the rows the second; the third is not seen."""
    h, w = 5, 9
    ramps = torch.stack([torch.linspace(-1, 1, w).expand(h, w), torch.linspace(-1, 1, h)[:, None].expand(h, w)])
    planes = torch.zeros(1, 3, 2, h, w)
    planes[0, plane] = ramps
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(look_up(planes, points), points[..., axes] / 3)


def test_all_three_pairs_of_axes_matter_together():
    """With random planes, changing any two coordinates by themselves changes what some plane gives beyond its parts.

    f(y, z) with x fixed is no sum g(y) + h(z): with EG3D's axes xy, xz, zx it would be.
    """
    planes = random_planes(1, 3, 4, 8, 8).double()
    for i, j in ((0, 1), (0, 2), (1, 2)):
        corners = torch.zeros(1, 4, 3, dtype=torch.float64)
        corners[0, (1, 3), i] = 0.6
        corners[0, (2, 3), j] = 0.4
        a, b, c, d = look_up(planes, corners)[0]
        assert (a - b - c + d).abs().max() > 0.05


def test_outside_the_box_the_border_is_seen():
    planes, points = random_planes(2, 3, 4, 6, 7), 3 * random_planes(2, 40, 3, seed=1)
    torch.testing.assert_close(look_up(planes, points), look_up(planes, points.clamp(-1, 1)))


def test_derivatives_of_the_look_up_of_first_and_second_order():
    planes = random_planes(2, 3, 2, 4, 5).double().requires_grad_()
    points = (random_planes(2, 3, 3, seed=1) * 0.4).double().requires_grad_()
    assert torch.autograd.gradcheck(look_up, (planes, points))
    assert torch.autograd.gradgradcheck(look_up, (planes, points))


def test_a_signed_field_starts_as_a_ball():
    torch.manual_seed(0)
    decoder = TriplaneDecoder(4, radius=0.6)
    points = random_planes(3, 100, 3).clamp(-1, 1)
    value = decoder.value(random_planes(3, 3, 4, 8, 8, seed=1), points)
    torch.testing.assert_close(value, points.norm(dim=-1) - 0.6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scenes_of_a_batch_do_not_know_each_other(variant):
    decoder = TriplaneDecoder(4, width=16, **variant)
    torch.nn.init.normal_(decoder.shape_net[2].weight)
    planes, points = random_planes(3, 3, 4, 8, 8), random_planes(3, 20, 3, seed=1).clamp(-1, 1)
    value, color = decoder.shade(planes, points)
    alone, also = decoder.shade(planes[1:2], points[1:2])
    torch.testing.assert_close(value[1], alone[0])
    torch.testing.assert_close(color[1], also[0])
    scene = Triplanes(planes, decoder)
    nothing = points[1].norm(dim=1) - 1
    torch.testing.assert_close(scene.field(1).sdf(points[1]), decoder.density.sdf(value[1]).maximum(nothing))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_parts_of_the_table_of_ablations(variant):
    """Widths of GeoGen: one hidden layer of 64 each; colour is also given the value."""
    decoder = TriplaneDecoder(32, **variant)
    code = 3 + 6 * variant.get("octaves", 4) if variant.get("octaves", 4) else 0
    assert decoder.shape_net[0].weight.shape == (64, 32 + code)
    assert decoder.color_net[0].weight.shape == (64, 32 + code + 1)
    planes, points = random_planes(1, 3, 32, 4, 4), random_planes(1, 9, 3, seed=2).clamp(-1, 1)
    color = decoder.shade(planes, points)[1]
    assert color.shape == (1, 9, 3)
    assert 0 < color.min() < color.max() < 1
    with torch.no_grad():
        decoder.shape_net[2].bias += 1
    assert (color - decoder.shade(planes, points)[1]).abs().max() > 1e-3


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("channels", "width", "outputs"), [(4, 16, 3), (7, 13, 5)])
def test_the_compiled_decoder_is_its_plain_twin(variant, channels, width, outputs):
    torch.manual_seed(0)
    decoder = TriplaneDecoder(channels, width=width, outputs=outputs, **variant)
    torch.nn.init.normal_(decoder.shape_net[2].weight)
    planes = random_planes(2, 3, channels, 9, 6).requires_grad_()
    n = CHUNK // 4 * 3  # the second chunk holds points of both scenes
    points = random_planes(2, n, 3, seed=1) * 0.6  # some of them outside
    pulls = random_planes(2, n, seed=2), random_planes(2, n, outputs, seed=3)
    inputs = [planes, *decoder.shape_net.parameters(), *decoder.color_net.parameters()]
    fast, plain = decoder.shade(planes, points), decoder.shade_plain(planes, points)
    for one, other in zip(fast, plain, strict=True):
        torch.testing.assert_close(one, other, atol=3e-6, rtol=1e-5)
    gradients = torch.autograd.grad(fast, inputs, pulls), torch.autograd.grad(plain, inputs, pulls, retain_graph=True)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5 * other.abs().max().item(), rtol=1e-4)
    torch.testing.assert_close(decoder.value(planes, points), fast[0], rtol=0, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(decoder.value(planes, points), fast[0], rtol=0, atol=0)
    alone = inputs[:5]  # values have no other weights
    of_values = torch.autograd.grad(decoder.value(planes, points), alone, pulls[0])
    for one, other in zip(of_values, torch.autograd.grad(plain[0], alone, pulls[0]), strict=True):
        torch.testing.assert_close(one, other, atol=2e-5 * other.abs().max().item(), rtol=1e-4)


def test_compiled_functions_hold_for_extreme_numbers():
    """Hidden layers far beyond what exp can hold, and not a number where the input is none."""
    decoder = TriplaneDecoder(2, width=8, octaves=0)
    torch.nn.init.normal_(decoder.shape_net[2].weight)
    planes, points = 1e4 * random_planes(1, 3, 2, 4, 4), random_planes(1, 50, 3, seed=1).clamp(-1, 1)
    for one, other in zip(decoder.shade(planes, points), decoder.shade_plain(planes, points), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    points[0, 0, 1] = torch.nan
    assert decoder.value(planes, points)[0, 0].isnan()


@pytest.mark.parametrize("number", range(8))
def test_weights_that_are_no_numbers_show_in_the_colours(number):
    decoder, planes = TriplaneDecoder(2, width=8), random_planes(1, 3, 2, 4, 4)
    weights = [*decoder.shape_net.parameters(), *decoder.color_net.parameters()]
    with torch.no_grad():
        weights[number].fill_(torch.nan)
        assert decoder.shade(planes, random_planes(1, 9, 3, seed=1))[1].isnan().all()


@pytest.mark.parametrize("count", [1, 700])
def test_the_number_of_threads_changes_nothing(count):
    decoder, planes = TriplaneDecoder(4, width=16), random_planes(2, 3, 4, 8, 8).requires_grad_()
    points, before, found = random_planes(2, count, 3, seed=1), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            value, color = decoder.shade(planes, points)
            found.append([value, color, *torch.autograd.grad(value.sum() + color.sum(), planes)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        torch.testing.assert_close(other[0], found[0][0], rtol=0, atol=0)
        torch.testing.assert_close(other[2], found[0][2], rtol=1e-5, atol=1e-6)


def test_the_compiled_look_up_is_its_plain_twin():
    planes = random_planes(2, 3, 5, 7, 4).requires_grad_()
    points = (random_planes(2, 600, 3, seed=1) * 0.7).requires_grad_()
    pull = random_planes(2, 600, 5, seed=2)
    fast, plain = look_up(planes, points), look_up_plain(planes, points)
    torch.testing.assert_close(fast, plain, atol=1e-6, rtol=1e-5)
    gradients = [torch.autograd.grad(found, (planes, points), pull) for found in (fast, plain)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_planes_with_the_features_of_a_texel_together_are_the_same():
    planes = random_planes(2, 3, 5, 4, 6).requires_grad_()
    together = texels_together(planes)
    torch.testing.assert_close(together, planes, rtol=0, atol=0)
    assert together.stride(2) == 1
    pull = random_planes(2, 3, 5, 4, 6, seed=1)
    torch.testing.assert_close(torch.autograd.grad(together, planes, pull)[0], pull, rtol=0, atol=0)


def test_second_derivatives_pass_through_what_is_compiled():
    """An eikonal term: the gradient of a gradient, with respect to the planes."""
    torch.manual_seed(0)
    decoder, planes = TriplaneDecoder(3, width=8), random_planes(3, 3, 6, 6).requires_grad_()
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.3)
    points, loss = random_planes(40, 3, seed=1) * 0.4, []
    for dtype in (torch.float32, torch.float64):
        field = TriplaneField(planes.to(dtype), decoder.to(dtype))
        term = (gradient(field, points.to(dtype)).norm(dim=1) - 1).square().mean()
        loss.append(torch.autograd.grad(term, planes)[0])
    torch.testing.assert_close(loss[0], loss[1], atol=1e-6, rtol=1e-3)
    assert loss[0].abs().max() > 1e-4


def test_the_gradient_of_the_field_is_that_of_finite_differences():
    torch.manual_seed(3)
    decoder = TriplaneDecoder(4, width=16).double()
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.3)
    field = TriplaneField(random_planes(3, 4, 6, 6).double(), decoder)
    points = (random_planes(50, 3, seed=4) * 0.4).double()
    steps = 1e-6 * torch.eye(3, dtype=torch.float64)
    differences = torch.stack([(field.sdf(points + e) - field.sdf(points - e)) / 2e-6 for e in steps], 1)
    torch.testing.assert_close(gradient(field, points), differences, atol=1e-6, rtol=1e-5)


def test_the_gradient_of_the_eikonal_loss_is_that_of_finite_differences():
    torch.manual_seed(3)
    decoder = TriplaneDecoder(3, width=8).double()
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.3)
    planes, direction = random_planes(3, 3, 6, 6).double(), random_planes(3, 3, 6, 6, seed=1).double()
    points = (random_planes(40, 3, seed=4) * 0.4).double()

    def loss(h):
        return eikonal(gradient(TriplaneField(planes + h * direction, decoder), points))

    h = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(h), h)
    measured = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert slope.item() == pytest.approx(measured.item(), rel=1e-5)


def test_a_gradient_of_a_gradient_with_respect_to_planes_alone():
    """R1-like: the compiled decoder passes on to its plain twin."""
    torch.manual_seed(0)
    found = []
    decoder, points = TriplaneDecoder(3, width=8), random_planes(1, 30, 3, seed=1) * 0.4
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.3)
    for dtype in (torch.float32, torch.float64):
        planes = random_planes(1, 3, 3, 6, 6).to(dtype).requires_grad_()
        value = decoder.to(dtype).value(planes, points.to(dtype))
        (slope,) = torch.autograd.grad(value.square().sum(), planes, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), planes)[0])
    torch.testing.assert_close(found[0].double(), found[1], atol=1e-5, rtol=1e-4)


def test_a_triplane_is_saved_and_meshed_as_any_field(tmp_path, capsys):
    torch.manual_seed(0)
    frame = UnitFrame((10.0, 0.0, -5.0), 4.0)
    field = Triplanes(random_planes(2, 3, 4, 16, 16), TriplaneDecoder(4, radius=0.6)).field(1, frame)
    with open_run(tmp_path / "run", {}) as run:
        run.save(0, field.spec(), field.tensors())
    again = load(tmp_path / "run")
    points = random_planes(200, 3, seed=5)
    with torch.no_grad():
        torch.testing.assert_close(again.sdf(points), field.sdf(points), atol=2e-3, rtol=0)
        torch.testing.assert_close(again.color(points), field.color(points), atol=2e-3, rtol=0)
    out = tmp_path / "ball.glb"
    assert main(["mesh", str(tmp_path / "run"), "-o", str(out), "--resolution", "24", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["watertight"], report["manifold"]) == (True, True)
    from isofield.mesh.read import read_mesh

    ball = read_mesh(out)
    radius = np.linalg.norm(np.asarray(ball.vertices) - frame.center, axis=1)
    assert radius == pytest.approx(0.6 * 4, rel=0.02)


def test_planes_that_are_a_parameter_are_trained_and_others_pass_gradients_on():
    torch.manual_seed(0)
    decoder = TriplaneDecoder(4)
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.02)
    own = TriplaneField(torch.nn.Parameter(random_planes(3, 4, 8, 8)), decoder)
    assert "planes" in dict(own.named_parameters())
    latent = torch.ones((), requires_grad=True)
    made = Triplanes(latent * random_planes(2, 3, 4, 8, 8), decoder).field(1)
    made.sdf(torch.full((3, 3), 0.3)).sum().backward()
    assert latent.grad.abs() > 0
