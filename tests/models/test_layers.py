"""Equalised layers, resampling filters and modulated convolutions against slow twins and closed forms."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import upfirdn

from isofield.models.filters import TAPS, blurred, conv_doubled, conv_halved, doubled, halved
from isofield.models.layers import Conv, Linear, lrelu, normalized
from isofield.models.modulated import StyledConv, ToMaps, modulated_conv

PAD = ((0, 0), (0, 0), (1, 1), (1, 1))


def along_both(x: np.ndarray, up: int, down: int, before: int, count: float) -> np.ndarray:
    """scipy's upfirdn along the last two axes of x with unit gain, from place `before` on, `count` times as long."""
    for axis in (-2, -1):
        y = upfirdn(up * np.array(TAPS), np.moveaxis(x, axis, -1), up, down=1)[..., before::down]
        x = np.moveaxis(y[..., : round(count * x.shape[axis])], -1, axis)
    return x


def by_sample(x, weight, style, demodulate):
    """Karras et al. 2020, Eqs. 1 and 3 as printed: weights of its own for each sample."""
    out = []
    for maps, s in zip(x, style, strict=True):
        w = weight * s[None, :, None, None]
        if demodulate:
            w = w / torch.sqrt(w.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        out.append(F.conv2d(maps[None], w, padding=weight.shape[-1] // 2)[0])
    return torch.stack(out)


def test_layers_start_with_unit_variance_and_keep_it():
    torch.manual_seed(0)
    x = torch.randn(4000, 64)
    assert Linear(64, 256)(x).var().item() == pytest.approx(1, abs=0.05)
    assert Linear(64, 256, rate=0.01)(x).var().item() == pytest.approx(1, abs=0.05)
    assert Conv(32, 32, 3)(torch.randn(8, 32, 16, 16))[..., 1:-1, 1:-1].var().item() == pytest.approx(1, abs=0.1)
    assert lrelu(x).square().mean().item() == pytest.approx(1 + 0.2**2, abs=0.05)
    assert torch.allclose(normalized(5 * x).square().mean(1), torch.ones(4000), atol=1e-5)


def test_a_learning_rate_multiplier_shortens_the_steps_of_what_a_layer_does():
    """The same step of the stored weight moves the used one `rate` times as far; starts are alike."""
    torch.manual_seed(0)
    slow, x = Linear(16, 8, rate=0.01, bias=3.0), torch.randn(5, 16)
    before = slow(x)
    assert before.mean().item() == pytest.approx(3, abs=0.5)
    with torch.no_grad():
        slow.weight += 1
        slow.bias += 1
    assert torch.allclose(slow(x) - before, 0.01 * (x.sum(1, keepdim=True) / 4 + 1).expand(-1, 8), atol=1e-5)


def test_doubling_and_halving_are_scipys():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 10))
    tensor = torch.as_tensor(x)
    np.testing.assert_allclose(
        doubled(tensor).numpy(), along_both(np.pad(x, PAD), 2, 1, 3, 2)[..., :12, :20], atol=1e-12
    )
    np.testing.assert_allclose(
        halved(tensor).numpy(), along_both(np.pad(x, PAD), 1, 2, 3, 0.5)[..., :3, :5], atol=1e-12
    )
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    assert torch.allclose(doubled(ramp)[0, 0, 4, 1:-1], torch.arange(14) / 2 + 0.25)  # keeps the place of samples
    assert torch.allclose(halved(ramp)[0, 0, 2, 1:-1], torch.tensor([2.5, 4.5]))


def test_convolutions_that_resample_are_the_two_steps_one_after_the_other():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(5, 3, 3, 3, dtype=torch.float64)
    two_steps = F.conv2d(doubled(x), weight, padding=1)
    assert torch.allclose(conv_doubled(x, weight)[..., 3:-3, 3:-3], two_steps[..., 3:-3, 3:-3], atol=1e-12)
    assert conv_doubled(x, weight).shape == two_steps.shape
    assert torch.allclose(conv_halved(x, weight), F.conv2d(blurred(x, 2, 2), weight)[..., ::2, ::2], atol=1e-12)
    same = torch.zeros(3, 3, 3, 3, dtype=torch.float64)
    same[:, :, 1, 1] = torch.eye(3)
    assert torch.allclose(conv_halved(x, same), halved(x), atol=1e-12)
    assert torch.allclose(conv_doubled(x, same), doubled(x), atol=1e-12)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("size", [1, 3])
def test_modulated_convolution_is_the_papers_with_its_gradients(demodulate, size):
    torch.manual_seed(0)
    inputs = [
        torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((4, 5, 6, 6), (7, 5, size, size), (4, 5))
    ]
    ours, slow = modulated_conv(*inputs, demodulate=demodulate), by_sample(*inputs, demodulate)
    assert torch.allclose(ours, slow, atol=1e-10)
    weights = torch.randn_like(slow)
    for a, b in zip(*(torch.autograd.grad((y * weights).sum(), inputs) for y in (ours, slow)), strict=True):
        assert torch.allclose(a, b, atol=1e-10)


def test_demodulation_gives_unit_variance_whatever_the_style():
    torch.manual_seed(0)
    x, weight = torch.randn(64, 32, 18, 18), torch.randn(16, 32, 3, 3)
    style = 10 * torch.randn(64, 32).exp()
    y = modulated_conv(x, weight, style)[..., 1:-1, 1:-1]
    assert torch.allclose(y.var((0, 2, 3)), torch.ones(16), atol=0.05)
    assert not torch.allclose(modulated_conv(x, weight, style, demodulate=False).var((0, 2, 3)), torch.ones(16), atol=1)
    double = modulated_conv(x, weight, style, double=True)
    assert double.shape[-1] == 36


def test_noise_is_stored_or_fresh_and_starts_with_no_strength():
    torch.manual_seed(0)
    layer, x, w = StyledConv(4, 6, 8, 16), torch.randn(2, 4, 16, 16), torch.randn(2, 8)
    silent = layer(x, w)
    assert torch.equal(layer(x, w, fresh=True), silent)
    with torch.no_grad():
        layer.strength.fill_(0.1)
    assert torch.equal(layer(x, w), layer(x, w))
    assert not torch.equal(layer(x, w, fresh=True), layer(x, w, fresh=True))
    linear = silent > 2  # where the rectifier lets everything pass
    change = ((layer(x, w) - silent) / math.sqrt(2))[linear]
    assert torch.allclose(change, (0.1 * layer.stored).expand_as(silent)[linear], atol=1e-5)


def test_maps_are_linear_in_features():
    torch.manual_seed(0)
    layer, x, w = ToMaps(4, 3, 8), torch.randn(2, 4, 5, 5), torch.randn(2, 8)
    assert torch.allclose(layer(2 * x, w), 2 * layer(x, w), atol=1e-5)
