"""Triplanes: what each plane sees, how fields start, and that they are fields like any other."""

import json

import numpy as np
import pytest
import torch

from isofield.cli import main
from isofield.fields.density import LaplaceDensity, LogisticDensity, SoftplusDensity
from isofield.fields.field import gradient
from isofield.fields.triplane import TriplaneDecoder, TriplaneField, Triplanes, look_up
from isofield.frame import UnitFrame
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
    value, _ = decoder(random_planes(3, 3, 4, 8, 8, seed=1), points)
    torch.testing.assert_close(value, points.norm(dim=-1) - 0.6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scenes_of_a_batch_do_not_know_each_other(variant):
    decoder = TriplaneDecoder(4, width=16, **variant)
    torch.nn.init.normal_(decoder.shape_net[2].weight)
    planes, points = random_planes(3, 3, 4, 8, 8), random_planes(3, 20, 3, seed=1).clamp(-1, 1)
    value, seen = decoder(planes, points)
    alone, also = decoder(planes[1:2], points[1:2])
    torch.testing.assert_close(value[1], alone[0])
    torch.testing.assert_close(seen[1], also[0])
    scene = Triplanes(planes, decoder)
    torch.testing.assert_close(scene.field(1).sdf(points[1]), decoder.density.sdf(value[1]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_parts_of_the_table_of_ablations(variant):
    """Widths of GeoGen: one hidden layer of 64 each; colour is also given the value."""
    decoder = TriplaneDecoder(32, **variant)
    code = 3 + 6 * variant.get("octaves", 4) if variant.get("octaves", 4) else 0
    assert decoder.shape_net[0].weight.shape == (64, 32 + code)
    assert decoder.color_net[0].weight.shape == (64, 32 + code + 1)
    value, seen = decoder(random_planes(1, 3, 32, 4, 4), random_planes(1, 9, 3, seed=2).clamp(-1, 1))
    color, other = decoder.color(value[0], seen[0]), decoder.color(value[0] + 1, seen[0])
    assert color.shape == (9, 3)
    assert 0 < color.min() < color.max() < 1
    assert (color - other).abs().max() > 1e-3


def test_the_gradient_of_the_field_is_that_of_finite_differences():
    torch.manual_seed(3)
    decoder = TriplaneDecoder(4, width=16).double()
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.3)
    field = TriplaneField(random_planes(3, 4, 6, 6).double(), decoder)
    points = (random_planes(50, 3, seed=4) * 0.4).double()
    steps = 1e-6 * torch.eye(3, dtype=torch.float64)
    differences = torch.stack([(field.sdf(points + e) - field.sdf(points - e)) / 2e-6 for e in steps], 1)
    torch.testing.assert_close(gradient(field, points), differences, atol=1e-6, rtol=1e-5)


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
    assert main(["mesh", str(tmp_path / "run"), "-o", str(out), "--resolution", "48", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["watertight"], report["manifold"]) == (True, True)
    from isofield.mesh.read import read_mesh

    ball = read_mesh(out)
    radius = np.linalg.norm(np.asarray(ball.vertices) - frame.center, axis=1)
    assert radius == pytest.approx(0.6 * 4, rel=0.01)


def test_planes_that_are_a_parameter_are_trained_and_others_pass_gradients_on():
    decoder = TriplaneDecoder(4)
    torch.nn.init.normal_(decoder.shape_net[2].weight)
    own = TriplaneField(torch.nn.Parameter(random_planes(3, 4, 8, 8)), decoder)
    assert "planes" in dict(own.named_parameters())
    latent = torch.ones((), requires_grad=True)
    made = Triplanes(latent * random_planes(2, 3, 4, 8, 8), decoder).field(1)
    made.sdf(torch.zeros(3, 3)).sum().backward()
    assert latent.grad.abs() > 0
