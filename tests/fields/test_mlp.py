"""The perceptron against closed forms, and each initialisation against what it promises."""

import json
import math

import pytest
import torch

from isofield.fields.activations import Hosc, Place, Relu, Sine, Softplus, Tanh
from isofield.fields.encodings import FourierFeatures, Identity, PositionalCode
from isofield.fields.mlp import MLP, deepsdf_decoder, siren_decoder


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_deepsdf_decoder_has_the_papers_size():
    linears = 512 * 259 + 512 + 6 * (512 * 512 + 512) + (253 * 512 + 253) + 512 + 1
    norms = 7 * 512 + 253
    assert count(deepsdf_decoder()) == linears + norms == 1_843_195  # 1.84 M, 7.4 MB


def test_deepsdf_decoder_is_bounded_and_drops_out_only_in_training():
    network, x = deepsdf_decoder(), 100 * torch.randn(4, 259)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    assert network(x).abs().max() <= 1


def test_siren_decoder_counts_five_linear_layers():
    assert count(siren_decoder()) == (3 * 256 + 256) + 3 * (256 * 256 + 256) + 257 == 198_657


def test_values_equal_the_sum_written_out():
    network = MLP(3, 2, 16, 2, Relu(), skip=(1,))
    x = torch.randn(5, 3)
    w0, b0, w1, b1, w2, b2 = network.parameters()
    assert w0.shape == (13, 3)
    hidden = (x @ w0.T + b0).clamp(min=0)
    hidden = (torch.cat([hidden, x], 1) @ w1.T + b1).clamp(min=0)
    torch.testing.assert_close(network(x), hidden @ w2.T + b2)


@pytest.mark.parametrize(("skip", "width"), [((0,), 8), ((3,), 8), ((1,), 3)])
def test_an_impossible_skip_is_refused(skip, width):
    with pytest.raises(ValueError, match="skip"):
        MLP(3, 1, width, 3, Relu(), skip=skip)


@pytest.mark.parametrize("activation", [Relu(), Softplus(50.0, 0.3), Sine(20.0), Hosc(4.0, 10.0), Hosc(learned=True)])
def test_an_architecture_survives_json(activation):
    network = MLP(9, 2, 24, 3, activation, skip=(2,), weight_norm=True, dropout=0.1, final=Tanh(), coordinates=3).eval()
    again = MLP.restore(json.loads(json.dumps(network.spec()))).eval()
    again.load_state_dict(network.state_dict())
    assert again.spec() == network.spec()
    x = torch.randn(7, 9)
    assert torch.equal(network(x), again(x))


@pytest.mark.parametrize("activation", [Relu(), Tanh(), Softplus(), Sine(), Hosc(), Hosc(learned=True)])
def test_activations_have_true_first_and_second_derivatives(activation):
    activation = activation.double()
    x = torch.linspace(-0.95, 1, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(activation, x, eps=1e-6, atol=1e-4)
    assert torch.autograd.gradgradcheck(activation, x, eps=1e-6, atol=1e-2, rtol=1e-3)


def test_activations_equal_their_formulas():
    x = torch.linspace(-1, 1, 50)
    torch.testing.assert_close(Sine(30.0)(x), torch.sin(30 * x))
    torch.testing.assert_close(Hosc(8.0, 3.0)(x), torch.tanh(8 * torch.sin(3 * x)))
    torch.testing.assert_close(Softplus(100.0)(x), torch.log1p(torch.exp(100 * x.double())).float() / 100)


def test_learned_sharpness_is_one_parameter_of_each_layer():
    network = MLP(3, 1, 8, 3, Hosc(learned=True))
    betas = [a.beta for a in network.activations]
    assert len({id(b) for b in betas}) == 3
    network(torch.randn(9, 3)).sum().backward()
    assert all(b.grad is not None and b.grad != 0 for b in betas)


def test_sine_layers_have_sirens_bounds():
    first, hidden = siren_decoder().layers[0].weight, siren_decoder().layers[2].weight
    assert 0.95 / 3 < first.abs().max() <= 1 / 3
    bound = math.sqrt(6 / 256) / 30
    assert 0.99 * bound < hidden.abs().max() <= bound


def test_sine_phases_are_standard_normal_at_every_depth():
    network, hidden = MLP(3, 1, 256, 6, Sine(30.0)), torch.rand(2000, 3) * 2 - 1
    for i in range(6):
        phase = 30 * network.layers[i](hidden)
        hidden = network.activations[i](phase / 30)
        if i:  # Theorem 1.8; torch's biases widen it a little
            assert abs(phase.mean()) < 0.2
            assert 0.9 < phase.std() < 1.7


def test_relu_keeps_the_second_moment_through_depth():
    network, hidden = MLP(64, 1, 512, 8, Relu()), torch.randn(500, 64)
    for i in range(8):
        hidden = network.activations[i](network.layers[i](hidden))
    assert 0.5 < hidden.square().mean() < 2


ENCODED = [Identity(), PositionalCode(6), FourierFeatures(64)]


@pytest.mark.parametrize(("width", "depth", "skip"), [(512, 4, ()), (512, 4, (2,)), (512, 8, (4,))])
@pytest.mark.parametrize("encoding", ENCODED, ids=lambda e: type(e).__name__)
def test_geometric_initialisation_is_a_sphere_negative_inside(encoding, width, depth, skip):
    network = MLP(encoding.width, 1, width, depth, Softplus(radius=0.5), skip=skip, coordinates=encoding.coordinates)
    points = torch.rand(2000, 3) * 2 - 1
    value, truth = network(encoding(points))[:, 0], points.norm(dim=1) - 0.5
    assert torch.corrcoef(torch.stack([value, truth]))[0, 1] > 0.9
    assert network(encoding(torch.zeros(1, 3))) < -0.1
    directions = torch.nn.functional.normalize(torch.randn(200, 3), dim=1)
    assert abs(network(encoding(0.5 * directions)).mean()) < 0.2
    far = network(encoding(100 * directions))[:, 0]
    assert (far > 0).all()
    assert 60 < far.mean() < 150


def test_geometric_initialisation_leaves_the_other_outputs_apart():
    values = MLP(3, 4, 128, 3, Softplus())(torch.rand(500, 3))
    assert torch.linalg.matrix_rank(values - values.mean(0)) == 4


@pytest.mark.parametrize("activation", [Relu(), Tanh(), Softplus(), Sine(), Hosc()])
def test_networks_start_smooth_whatever_the_encoding(activation):
    linear = torch.nn.Linear(10, 6)
    activation.initialize(linear, Place(inputs=5, coordinates=3))
    assert (linear.weight[:, :8] != 0).all()
    assert (linear.weight[:, 8:] == 0).all()


@pytest.mark.parametrize("activation", [Relu(), Tanh(), Softplus(), Sine(), Hosc()])
def test_features_without_coordinates_are_heard_from_the_start(activation):
    assert (MLP(10, 1, 6, 1, activation, coordinates=0).layers[0].weight != 0).all()


def test_the_first_sine_layer_does_not_depend_on_features_beside_the_coordinates():
    first = MLP(39, 1, 256, 2, Sine(30.0), coordinates=3).layers[0].weight
    assert 0.95 / 3 < first[:, :3].abs().max() <= 1 / 3
