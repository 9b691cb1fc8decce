"""The fast renderer without approximations is the plain one that EG3D describes: pictures, depth and gradients."""

import importlib.util
from pathlib import Path

import pytest
import torch

from isofield.fields.density import LaplaceDensity, SoftplusDensity
from isofield.fields.triplane import TriplaneDecoder, Triplanes
from isofield.render.camera import orbit
from isofield.render.rays import rays_of
from isofield.render.volume import March, render_volume

FILE = Path(__file__).parents[2] / "benchmarks" / "plain_renderer.py"


@pytest.fixture(scope="module")
def plain():
    spec = importlib.util.spec_from_file_location("plain_renderer", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("density", [LaplaceDensity(0.05), SoftplusDensity()])
@pytest.mark.parametrize("jitter", [False, True])
def test_the_same_picture_depth_and_gradients(plain, density, jitter):
    torch.manual_seed(0)
    decoder = TriplaneDecoder(8, width=16, outputs=4, density=density, octaves=4 if density.signed else 0)
    torch.nn.init.normal_(decoder.shape_net[2].weight, 0, 0.3)
    planes = torch.randn(2, 3, 8, 16, 16, requires_grad=True)
    rays = rays_of([orbit(30, 10, size=8), orbit(200, -30, size=8)]).between(7.95, 10.05)
    pull = torch.randn(2, 64, 4)
    torch.manual_seed(1)
    color, depth, opacity = plain.render(planes, decoder, rays, 16, 16, jitter)
    torch.manual_seed(1)
    ours = render_volume(Triplanes(planes, decoder), rays, March(16, 16, jitter, both=True, above=0.0))
    torch.testing.assert_close(ours.color, color, atol=2e-5, rtol=0)
    torch.testing.assert_close(ours.opacity, opacity[..., 0], atol=2e-5, rtol=0)
    seen = opacity[..., 0] > 1e-3
    torch.testing.assert_close(ours.depth[seen], depth[..., 0][seen], atol=1e-4, rtol=0)
    inputs = [planes, *decoder.parameters()]
    for one, other in zip(*(torch.autograd.grad((c * pull).sum(), inputs) for c in (ours.color, color)), strict=True):
        assert (one - other).norm() < 1e-3 * other.norm() + 1e-6


def test_a_folder_that_is_no_clone_of_eg3d_is_refused_in_one_line(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("geogen_vs_eg3d", FILE.with_name("geogen_vs_eg3d.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(SystemExit, match="2"):
        module.load(tmp_path)
    assert capsys.readouterr().err.count("\n") == 1
