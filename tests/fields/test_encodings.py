"""Encodings against their formulas."""

import json
import math

import pytest
import torch

from isofield.fields.encodings import ENCODINGS, FourierFeatures, Identity, PositionalCode

ALL = [
    Identity(),
    PositionalCode(4),
    PositionalCode(4, include_input=False),
    FourierFeatures(16, sigma=3.0, seed=5),
    FourierFeatures(16, include_input=False),
]


@pytest.mark.parametrize("encoding", ALL)
def test_width_and_leading_coordinates_are_as_announced(encoding):
    points = torch.rand(7, 3)
    features = encoding(points)
    assert features.shape == (7, encoding.width)
    assert torch.equal(features[:, : encoding.coordinates], points[:, : encoding.coordinates])


@pytest.mark.parametrize("encoding", ALL)
def test_an_encoding_survives_json(encoding):
    spec = json.loads(json.dumps(encoding.spec()))
    again = ENCODINGS[spec.pop("type")](**spec)
    points = torch.rand(7, 3)
    assert torch.equal(encoding(points), again(points))
    assert again.spec() == encoding.spec()


@pytest.mark.parametrize("encoding", ALL)
def test_gradients_with_respect_to_the_points(encoding):
    points = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    encoding = encoding.double()
    assert torch.autograd.gradcheck(encoding, points)
    assert torch.autograd.gradgradcheck(encoding, points)


def test_positional_code_is_the_set_of_equation_1():
    """GeoGen, Eq. 1: PE(a) = [a, sin(2^k pi a), cos(2^k pi a) ...] for each coordinate a."""
    point = torch.tensor([[0.3, -0.7, 0.11]])
    expected = [float(a) for a in point[0]]
    expected += [math.sin(2**k * math.pi * a) for k in range(3) for a in expected[:3]]
    expected += [math.cos(2**k * math.pi * a) for k in range(3) for a in expected[:3]]
    torch.testing.assert_close(PositionalCode(3)(point)[0], torch.tensor(expected))


def test_positional_code_has_period_two_and_parity():
    code, points = PositionalCode(3, include_input=False).double(), torch.rand(5, 3, dtype=torch.float64)
    torch.testing.assert_close(code(points + 2), code(points), atol=1e-5, rtol=0)  # pi is float32
    sines, cosines = code(points).chunk(2, 1)
    torch.testing.assert_close(code(-points), torch.cat([-sines, cosines], 1))


def test_fourier_features_are_a_stationary_kernel():
    """The mean of cos(2 pi b . d) over b ~ N(0, sigma^2) is exp(-2 (pi sigma |d|)^2): Bochner's theorem."""
    encoding = FourierFeatures(20_000, sigma=0.7, include_input=False)
    a, b = torch.rand(2, 6, 3) * 0.5
    kernel = (encoding(a) * encoding(b)).sum(1) / encoding.count
    expected = torch.exp(-2 * (math.pi * 0.7 * (a - b).norm(dim=1)) ** 2)
    torch.testing.assert_close(kernel, expected, atol=0.03, rtol=0)


def test_fourier_frequencies_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = FourierFeatures(8, seed=3).frequencies
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(first, FourierFeatures(8, seed=3).frequencies)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, FourierFeatures(8, seed=4).frequencies)
