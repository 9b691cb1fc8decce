"""The field that is learned from pictures: where it starts, where it ends, and that files keep it."""

import torch

from isofield.fields.hash_grid import HashGrid
from isofield.fields.neural import NeuralField, default_color
from isofield.fields.rendered import RenderedField
from isofield.frame import UnitFrame
from isofield.runs import load, open_run

POINTS = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))


def test_it_starts_as_a_ball():
    torch.manual_seed(0)
    radius = POINTS.norm(dim=1)
    torch.testing.assert_close(RenderedField(radius=0.6).sdf(POINTS), radius - 0.6, atol=1e-6, rtol=0)


def test_nothing_is_outside_the_unit_ball_whatever_was_learned():
    torch.manual_seed(0)
    field = RenderedField()
    with torch.no_grad():
        field.residual.network.layers[-1].bias -= 5
    outside = POINTS[POINTS.norm(dim=1) > 1]
    torch.testing.assert_close(field.sdf(outside), outside.norm(dim=1) - 1)
    assert (field.sdf(POINTS[POINTS.norm(dim=1) < 1]) < 0).all()


def test_files_keep_it(tmp_path):
    torch.manual_seed(0)
    residual = NeuralField(HashGrid(levels=2), color=default_color())
    field = RenderedField(residual, radius=0.4, frame=UnitFrame((1.0, 2.0, 3.0), 5.0))
    with torch.no_grad():
        field.density.scale -= 0.7
    with open_run(tmp_path / "run", {}) as run:
        run.save(0, field.spec(), field.tensors())
    again = load(tmp_path / "run")
    with torch.no_grad():
        torch.testing.assert_close(again.sdf(POINTS), field.sdf(POINTS), atol=1e-3, rtol=0)
        torch.testing.assert_close(again.color(POINTS), field.color(POINTS), atol=1e-3, rtol=0)
        torch.testing.assert_close(again.density(POINTS), field.density(POINTS))
    assert (again.frame, again.radius) == (field.frame, field.radius)
