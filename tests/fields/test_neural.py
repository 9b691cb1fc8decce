"""Neural fields: what is saved comes back, the outside, colour, the decoders of the literature, a sphere learned."""

import json

import pytest
import torch
import trimesh

from isofield import losses
from isofield.fields.activations import Hosc, Relu, Sine, Softplus
from isofield.fields.encodings import FourierFeatures, Identity, PositionalCode
from isofield.fields.field import gradient
from isofield.fields.hash_grid import HashGrid
from isofield.fields.mlp import MLP, deepsdf_decoder, siren_decoder
from isofield.fields.neural import ColorHead, NeuralField, default_color, default_field
from isofield.frame import UnitFrame
from isofield.runs import load, open_run
from isofield.tasks import training
from isofield.tasks.fit import fit
from isofield.tasks.objectives import Distances

FRAME = UnitFrame((100.0, -20.0, 3.0), 40.0)
SMALL = {"levels": 2, "base": 8, "log2_entries": 10}


def random(count: int, reach: float = 1.0, seed: int = 0) -> torch.Tensor:
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * reach


def shaken(field: NeuralField) -> NeuralField:
    """The field with every weight moved, so that nothing is zero or as a fresh one would be."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for weight in field.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return field.eval()


FIELDS = {
    "hash": lambda: NeuralField(HashGrid(**SMALL), frame=FRAME),
    "default": default_field,
    "colored": lambda: NeuralField(HashGrid(**SMALL), color=ColorHead.over(HashGrid(**SMALL), width=8), frame=FRAME),
    "directional": lambda: NeuralField(
        Identity(), width=16, color=ColorHead.over(PositionalCode(), depth=2, directional=True)
    ),
    "fourier": lambda: NeuralField(FourierFeatures(16, 2.0, 5), Softplus(), width=24, depth=3),
    "positional": lambda: NeuralField(PositionalCode(3), Hosc(), width=16),
    "deepsdf": lambda: NeuralField(Identity(), network=deepsdf_decoder(3)),
    "siren": lambda: NeuralField(Identity(), network=siren_decoder()),
}


@pytest.mark.parametrize("name", FIELDS)
def test_what_is_saved_comes_back_bit_for_bit(tmp_path, name):
    """The stored field is the rounded one: saving it again changes nothing, in memory and through files."""
    torch.manual_seed(1)
    field = shaken(FIELDS[name]())
    spec, tensors = field.spec(), field.tensors()
    assert NeuralField.restore(json.loads(json.dumps(spec)), tensors).spec() == spec
    with open_run(tmp_path / "run", {}) as run:
        run.save(3, spec, tensors)
    points, directions = random(500, 1.3), torch.nn.functional.normalize(random(500, seed=4))
    for again in (NeuralField.restore(spec, tensors), load(tmp_path / "run")):
        assert isinstance(again, NeuralField)
        assert again.spec() == spec
        assert again.tensors().keys() == tensors.keys()
        assert all(torch.equal(again.tensors()[key], tensors[key]) for key in tensors)
        assert (again.frame, again.has_color, again.training) == (field.frame, field.has_color, False)
        with torch.no_grad():
            torch.testing.assert_close(again.sdf(points), field.sdf(points), rtol=0, atol=2e-3)
            if field.has_color:
                found, expected = again.color(points, directions), field.color(points, directions)
                torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)
    only_rounding = [value.dtype == torch.float16 or torch.equal(value, field.state_dict()[key])
                     for key, value in tensors.items()]  # fmt: skip
    assert all(only_rounding)


def test_the_default_is_small_enough_and_carries_no_mesh():
    stored = default_field(colored=True).tensors()
    assert sum(value.numel() * value.element_size() for value in stored.values()) <= 4_000_000
    assert {name.split(".")[0] for name in stored} == {"encoding", "network", "color_head"}
    assert not default_field().has_color
    assert default_field(colored=True).has_color


@pytest.mark.parametrize("name", ["hash", "siren"])
def test_outside_the_box_the_distance_to_the_box_is_added(name):
    field = shaken(FIELDS[name]())
    beyond = random(400, 3.0)
    face = beyond.clamp(-1, 1)
    with torch.no_grad():
        torch.testing.assert_close(field.sdf(beyond), field.sdf(face) + (beyond - face).norm(dim=1))
        far = torch.tensor([[1.0, 0.2, 0.3], [11.0, 0.2, 0.3], [1.0, 1.0, 1.0], [4.0, 5.0, 13.0]])
        near_x, far_x, near_corner, far_corner = field.sdf(far).tolist()
    assert far_x - near_x == pytest.approx(10, abs=1e-5)
    assert far_corner - near_corner == pytest.approx(13, abs=1e-5)  # 3, 4, 12 from the corner


def test_gradients_point_away_from_the_box_outside_it_and_are_finite_everywhere():
    """Second derivatives too, in a batch that holds points inside, on the faces and outside."""
    field = NeuralField(Identity(), Softplus(), width=16)
    points = torch.cat([random(50), random(50, 2.0), torch.tensor([[1.0, 0.2, 0.3], [-1.0, 1.0, -1.0], [5.0, 0, 0]])])
    slopes = gradient(field, points)
    alone = gradient(field, points[:50])
    torch.testing.assert_close(slopes[:50], alone, rtol=1e-4, atol=1e-5)
    assert slopes[-1].detach().numpy() == pytest.approx([1.0, *slopes[-1, 1:].tolist()], abs=1e-6)
    loss = (slopes.norm(dim=1) - 1).square().mean()
    for weight in torch.autograd.grad(loss, list(field.network.parameters()), allow_unused=True):
        assert weight is None or torch.isfinite(weight).all()
    points.requires_grad_()
    loss = (gradient(field, points).norm(dim=1) - 1).square().sum()
    (second,) = torch.autograd.grad(loss, points)
    assert torch.isfinite(second).all()


def test_a_field_without_colour_says_so():
    with pytest.raises(AttributeError, match="NeuralField has no colour; look at has_color first"):
        NeuralField(HashGrid(**SMALL)).color(random(3))


def test_a_directional_colour_depends_on_the_direction_and_asks_for_it():
    field, points = shaken(FIELDS["directional"]()), random(20)
    up, down = torch.tensor([[0.0, 1, 0]]).expand(20, 3), torch.tensor([[0.0, -1, 0]]).expand(20, 3)
    with torch.no_grad():
        assert (field.color(points, up) - field.color(points, down)).abs().min() > 1e-4
        plain = shaken(FIELDS["colored"]())
        assert torch.equal(plain.color(points, up), plain.color(points))
    with pytest.raises(ValueError, match="view direction"):
        field.color(points)


def test_colours_are_between_black_and_white_inside_and_outside_the_box():
    field = shaken(FIELDS["colored"]())
    beyond = random(300, 3.0)
    with torch.no_grad():
        colors = field.color(beyond)
        assert torch.equal(colors, field.color(beyond.clamp(-1, 1)))
    assert colors.shape == (300, 3)
    assert colors.min() >= 0
    assert colors.max() <= 1
    assert colors.std() > 0


def test_shape_and_colour_share_no_weights():
    field = FIELDS["colored"]()
    field.color(random(9)).sum().backward()
    touched = {name for name, weight in field.named_parameters() if weight.grad is not None}
    assert touched == {name for name, _ in field.named_parameters() if name.startswith("color_head.")}
    assert len(touched) == 5
    assert not torch.equal(default_color().encoding.table[:100], HashGrid().table[:100])


def test_given_networks_are_used_as_they_are():
    torch.manual_seed(0)
    decoder = deepsdf_decoder(3)
    field = NeuralField(Identity(), network=decoder).eval()
    with torch.no_grad():
        assert torch.equal(field.sdf(random(40)), decoder(random(40))[:, 0])
        assert field.sdf(random(40)).abs().max() < 1  # the last word is a tanh
    network = MLP(HashGrid(**SMALL).width, 1, 8, 1, Relu())
    assert NeuralField(HashGrid(**SMALL), network=network).network is network


@pytest.mark.parametrize(
    ("make", "rate"),
    [
        (lambda: NeuralField(HashGrid(levels=3, base=8, log2_entries=12)), 5e-3),
        (lambda: NeuralField(Identity(), Softplus(), width=48, depth=3), 2e-3),
        (lambda: NeuralField(Identity(), Sine(), width=48, depth=2), 1e-3),
    ],
    ids=["hash", "softplus", "sine"],
)
def test_a_learned_sphere_is_a_distance(monkeypatch, make, rate):
    """After a short fit, in a shell: f close to |x| - r with its sign, |grad f| about 1, and outward."""
    monkeypatch.setattr(training, "FEWEST", 40_000)
    ball = trimesh.creation.icosphere(3, 30.0).apply_translation((5, 6, 7))
    torch.manual_seed(0)
    field = fit(ball, make(), Distances(losses.l1, batch=2048, near_fraction=0.5, rate=rate), steps=200).field
    assert field.frame.scale == pytest.approx(30.9)
    assert field.frame.center == pytest.approx((5, 6, 7))
    points = random(3000)
    points = points[((points.norm(dim=1) - 1 / 1.03).abs() < 0.3) & (points.abs().amax(1) < 1)]
    radius = points.norm(dim=1)
    with torch.no_grad():
        assert (field.sdf(points) - (radius - 1 / 1.03)).abs().mean() < 0.02
    slopes = gradient(field, points).detach()
    assert torch.isfinite(slopes).all()
    assert (slopes.norm(dim=1) - 1).abs().mean() < 0.2
    outward = (slopes * points).sum(1) / (slopes.norm(dim=1) * radius)
    assert outward.mean() > 0.9
