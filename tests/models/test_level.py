"""The surface of a density is where pictures show it, whatever its values are."""

import math
from dataclasses import replace

import pytest
import torch

from isofield.fields.density import LaplaceDensity, SoftplusDensity
from isofield.fields.triplane import Triplanes
from isofield.models.geogen import GeoGen
from isofield.models.level import settle_level
from isofield.models.presets import PRESETS
from isofield.render.camera import orbit
from isofield.views.eg3d import label_of

TINY = replace(PRESETS["toy"].architecture, latent=8, plane_size=8, plane_channels=4, base=64, most=8)
LABELS = torch.tensor([label_of(orbit(azimuth, 10.0)) for azimuth in (0.0, 90.0, 200.0)], dtype=torch.float32)


class RisingBall(Triplanes):
    """Raw values that are 1 at the radius and rise inwards at this rate."""

    def __init__(self, rate: float, radius: float = 0.6):
        self.rate, self.radius = rate, radius

    def value(self, points):
        return 1 + self.rate * (self.radius - points.norm(dim=-1))

    def shade(self, points, directions):
        return self.value(points), torch.full((*points.shape[:2], 3), 0.5)

    def density(self, value):
        return SoftplusDensity()(value)

    def sdf(self, value):
        return -value


def seen(density, scene, monkeypatch):
    generator = GeoGen(TINY, density)
    monkeypatch.setattr(generator, "scenes", lambda w: scene)
    settle_level(generator, torch.zeros(3, 8), LABELS)
    return density


@pytest.mark.parametrize("rate", [300.0, 3000.0])
def test_the_level_is_the_value_where_light_is_stopped(rate, monkeypatch):
    """A density that rises by `rate` times the depth x below a plane stops light at sqrt(pi / (2 rate)) in the mean; a
    slanting ray rises by the cosine of it, whose median over a ball's disc is sqrt(1/2)."""
    expected = 1 + math.sqrt(math.pi * rate * math.sqrt(0.5) / 2)
    assert seen(SoftplusDensity(), RisingBall(rate), monkeypatch).level == pytest.approx(expected, rel=0.1)


def test_signed_distances_and_empty_pictures_are_left_alone(monkeypatch):
    assert seen(SoftplusDensity(), RisingBall(300.0, radius=-5.0), monkeypatch).level == SoftplusDensity().level
    before = LaplaceDensity(0.1).spec()
    assert seen(LaplaceDensity(0.1), RisingBall(300.0), monkeypatch).spec() == before


def test_a_level_is_kept():
    generator = GeoGen(replace(TINY, density="SoftplusDensity"), SoftplusDensity(3.5))
    assert GeoGen.restore(generator.spec(), generator.tensors()).decoder.density.level == 3.5
