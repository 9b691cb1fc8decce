"""Training of generators: exact in (seed, step) however it is stopped, and its verb."""

import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from geogen_sets import PRESET, SHOWN, contest, shared, trained, write_set
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from isofield.checkpoints import newest_checkpoint
from isofield.cli import main
from isofield.errors import IsofieldError
from isofield.fields.triplane import TriplaneField, Triplanes
from isofield.interrupt import Interrupted
from isofield.models import presets
from isofield.models.adversarial import r1_weight
from isofield.models.inversion import shots_of
from isofield.models.pictures import label_rays
from isofield.render.camera import orbit
from isofield.runs import list_checkpoints, load, load_generator
from isofield.tasks import gan, gan_sheet, generate
from isofield.tasks import train_geogen as task
from isofield.tasks.gan_health import ailments, health
from isofield.tasks.gan_sheet import CELL, EDGE, sheet
from isofield.tasks.generator_pictures import FINE
from isofield.tasks.team import Team
from isofield.views.eg3d import label_of
from needs import no_gpu, posix

ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}

RED = np.array([220, 40, 40], np.uint8)
STEPS = 20  # of four pictures; a tick has six


@pytest.fixture(autouse=True)
def small_sheets(monkeypatch):
    monkeypatch.setattr(task, "SHOWN", SHOWN)
    monkeypatch.setattr(gan_sheet, "TAKEN", 16)
    monkeypatch.setattr(gan_sheet, "LATTICE", 16)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return write_set(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, pictures) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    trained(pictures, folder, STEPS)
    return folder


def left_behind(folder: Path) -> tuple[bytes, dict[str, bytes], str, dict[str, bytes]]:
    """Model, training state but for the times in it, log, and sheets."""
    newest = list_checkpoints(folder)[-1][1]
    state = {name: value.numpy().tobytes() for name, value in load_file(newest / "state.safetensors").items()}
    del state["cost"]
    sheets = {path.name: path.read_bytes() for path in sorted((folder / "samples").iterdir())}
    return (newest / "model.safetensors").read_bytes(), state, (folder / "log.jsonl").read_text(), sheets


@posix
def test_killed_and_gone_on_with_is_the_same_as_never_killed(tmp_path, pictures, whole):
    """Killed by another process's signal in the second tick, gone on with in this process."""
    run = tmp_path / "killed"
    script = Path(__file__).with_name("geogen_sets.py")
    environment = {**os.environ, "PYTHONHASHSEED": "5", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, str(script), str(pictures), str(run), str(STEPS), "11", str(int(signal.SIGKILL))]
    assert subprocess.run(command, env=environment, check=False, timeout=300).returncode == -signal.SIGKILL
    assert list_checkpoints(run)[-1][0] == 6
    trained(pictures, run, STEPS)
    assert left_behind(run) == left_behind(whole)


def test_stopped_in_the_middle_of_a_tick_and_gone_on_with_is_the_same(tmp_path, pictures, whole):
    with pytest.raises(Interrupted, match="stopped at step 9 of 20"):
        trained(pictures, tmp_path / "run", STEPS, 9, signal.SIGINT)
    trained(pictures, tmp_path / "run", STEPS)
    assert left_behind(tmp_path / "run") == left_behind(whole)


def test_the_random_numbers_of_others_are_left_alone_and_the_seed_counts(tmp_path, pictures, whole):
    torch.manual_seed(5)
    other = contest(pictures)
    other.seed = 1
    before = torch.random.get_rng_state()
    contest(pictures)
    assert torch.equal(torch.random.get_rng_state(), before)
    task.train_geogen(other, 6)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(other.average.mapping.mean, load_generator(whole).mapping.mean)


def test_what_is_saved_is_the_average_and_each_latent_a_field(whole, pictures):
    generator = load_generator(whole)
    mean, one = load(whole), load(whole, latent_seed=3, truncation=0.7)
    assert isinstance(one, TriplaneField)
    points = torch.rand(30, 3)
    with torch.no_grad():
        assert torch.equal(one.sdf(points), generator.field(generator.latent(3, 0.7)).sdf(points))
        assert torch.equal(mean.sdf(points), generator.field(generator.mapping.mean).sdf(points))
    picture = np.asarray(Image.open(whole / "samples" / "00000020.png"))
    assert picture.shape == (8 * (CELL + 2 * EDGE), SHOWN * (CELL + 2 * EDGE), 3)


def test_beta_and_the_depth_loss_wait_for_their_time(whole):
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [6, 12, 18, 20]
    assert ["depth" in line for line in lines] == [False, True, True, True]
    assert lines[0]["beta"] == pytest.approx(0.1)
    assert lines[-1]["beta"] != pytest.approx(0.1, abs=1e-5)


def played(made):
    """What a share of four gives the generator to learn."""
    fake, numbers = made._generator_share(made.labels[:4])
    made._learn("generator")
    return fake, numbers


def test_a_run_is_finished_with_finer_rays_and_a_sharper_beta(pictures, monkeypatch):
    rendered = []
    photographed = gan.photographed
    monkeypatch.setattr(gan, "photographed", lambda *a, **k: rendered.append(photographed(*a, **k)) or rendered[-1])
    made = contest(pictures, finish=0.4, settle=0.0)
    density, made.length = made.generator.decoder.density, 10
    betas = [density.beta.item()]
    for step in range(10):
        made.step(step)
        betas.append(density.beta.item())
    assert [shots.depth.shape[1] for shots in rendered] == 6 * [8 * 8] + 4 * [16 * 16]
    assert all(shots.picture.shape[-1] == 8 for shots in rendered)
    falls = np.array(betas[:-1]) / betas[1:]
    assert ((falls[:6] != 1) & (np.abs(falls[:6] - 1) < 0.01)).all()  # it is learned
    np.testing.assert_allclose(falls[6:8], np.exp(0.5), rtol=1e-5)
    assert betas[9] == betas[10] == pytest.approx(2 / 8 / 8)  # an eighth of a pixel


def test_shapes_of_the_set_come_to_look_like_their_own_pictures_and_not_each_others(pictures):
    """By the likeness alone, of a red box and a blue one."""
    made = contest(pictures, likeness=30.0, blur=0.0, settle=10.0)
    boxes = made.lessons.pictures(np.arange(12))
    made.lessons._held = np.where(boxes > 250, 255, np.where(np.arange(12)[:, None, None, None] < 6, RED, RED[::-1]))
    made.lessons._kept = dict(enumerate(made.lessons._held))
    made.critic = Taste(0.0)
    made.adams["critic"] = torch.optim.SGD(made.critic.parameters(), 0.0)
    first = made.own.weight.detach().clone()
    for step in range(100):
        made.step(step)
    chance = torch.nn.functional.cosine_similarity(first, made.own.weight.detach(), 1)
    assert chance.abs().max() < 0.5  # what latents were before any was learned is all but forgotten
    off = np.empty((2, 2))
    with torch.no_grad():
        for shape, own in product(range(2), range(2)):
            views = np.flatnonzero(made.lessons.shapes == shape)
            true, label = made._lesson(views)
            w = made.generator.mapping(made.own.weight[[own]])
            seen = shots_of(made.generator, w, label, jitter=False)[1].picture
            off[shape, own] = float((seen - true).abs().mean())
    assert (np.diag(off) < 0.7 * off[:, ::-1].diagonal()).all(), off


def test_a_shapes_own_latent_learns_from_pixels_of_its_pictures_as_they_were_given(tmp_path):
    """Pictures of 16 pixels a side where the critic sees 8; the shapes that are not shown stay as they are."""
    made = contest(write_set(tmp_path, size=16), likeness=30.0)
    made._schedule(0)
    chosen = np.array([7, 9])
    own = made._own_lesson(chosen)
    assert torch.equal(own.latent, made.own.weight[[1, 1]])
    assert torch.equal(own.label, made.labels[[7, 9]])
    files = [np.asarray(Image.open(tmp_path / made.lessons.views.views[index].name)) for index in chosen]
    pixel = np.floor(own.places.numpy() * 16).astype(int)
    assert np.allclose(own.places.numpy() * 16 - pixel, 0.5)
    assert pixel.min((0, 1)).tolist() == [0, 0]
    assert pixel.max((0, 1)).tolist() == [15, 15]
    for row, file in enumerate(files):
        assert np.allclose(own.colors[row] * 255, file[pixel[row, :, 1], pixel[row, :, 0]], atol=1e-3)
    made.critic.requires_grad_(False)
    made._likeness_share(own)
    moved = made.own.weight.grad
    assert moved is not None
    assert not moved[0].any()
    assert moved[1].all()


def test_with_likeness_the_contest_is_seldom_and_beta_falls_to_an_eighth_of_the_finest_pixel(tmp_path):
    made = contest(write_set(tmp_path, size=16), likeness=10.0, lazy=2, seldom=4)
    assert [step for step in range(17) if made.holds(step)[0]] == [0, 4, 8, 12, 16]
    assert [step for step in range(17) if made.holds(step)[1]] == [0, 8, 16]
    assert made.share_of_finer() == pytest.approx(1 - 0.8 * math.log(0.1 * 8 * 4) / math.log(0.1 * 16 * 4), abs=0.01)
    density, critic = made.generator.decoder.density, made.critic.blocks[0].conv0.weight
    made.length, betas, judged, rates = 10, [], [], []
    for step in range(10):
        before = critic.detach().clone()
        numbers = made.step(step)
        assert ("critic" in numbers, "r1" in numbers, "unlikeness" in numbers) == (*made.holds(step), True)
        judged.append(not torch.equal(critic, before))
        betas.append(density.beta.item())
        rates.append(
            [group["lr"] / group["rate"] for part in ("generator", "own") for group in made.adams[part].param_groups]
        )
    np.testing.assert_allclose(np.std(rates, 1), 0, atol=1e-12)
    falling = [1, 1, 1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4]
    np.testing.assert_allclose(np.mean(rates, 1)[[0, 1, 2, 4, 6, 8]], falling)
    assert judged == [step in (0, 4, 8) for step in range(10)]
    wanted = 0.1 * (2 / 16 / 8 / 0.1) ** (np.minimum(np.arange(10) / 10 / 0.8, 1))
    np.testing.assert_allclose(betas, wanted, rtol=1e-5)
    assert made.finer == 2
    assert made.average.decoder.density.beta.item() < betas[4]


def test_new_shapes_are_drawn_from_the_gaussian_of_those_of_the_set(pictures, monkeypatch):
    made, given = contest(pictures, likeness=30.0), []
    with torch.no_grad():
        made.own.weight.copy_(torch.eye(2, made.own.weight.shape[1]) * 5)  # two directions
    mapping = made.generator.mapping.forward
    monkeypatch.setattr(
        made.generator.mapping, "forward", lambda z, label: given.append(z.detach()) or mapping(z, label)
    )
    made.step(0)
    own, fakes = given
    assert own[:, 2:].eq(0).all()
    assert fakes[:, 2:].abs().max() < 0.1  # in the plane of the two, on the line through them
    assert fakes[:, :2].sum(1).sub(own.shape[1] ** 0.5).abs().max() < 0.1
    w = made.average.latent(3)  # of N(0, 1) through the same Gaussian
    seed = int(np.random.SeedSequence((3, 0, 0)).generate_state(1)[0])
    noise = torch.randn(1, own.shape[1], generator=torch.Generator().manual_seed(seed))
    assert w.allclose(made.average.mapping(made.average.mapping.latents(noise))[0])


def test_latents_of_the_set_go_on_where_they_were(pictures):
    one, two = contest(pictures, likeness=30.0), contest(pictures, likeness=30.0)
    for step in range(3):
        one.step(step)
    two.restore(deepcopy(one.state()), one.average.tensors())
    one.step(3), two.step(3)
    assert torch.equal(one.own.weight, two.own.weight)
    assert not torch.equal(one.own.weight, contest(pictures, likeness=30.0).own.weight)
    for name, value in one.average.tensors().items():
        assert torch.equal(value, two.average.tensors()[name]), name


def test_without_a_known_length_nothing_is_finished(pictures):
    made = contest(pictures, finish=1.0)
    made.step(0)
    assert made.finer == 1


def test_a_step_moves_each_network_by_its_own_loss_alone(pictures):
    made = contest(pictures)
    made._schedule(0)
    critic = [parameter.clone() for parameter in made.critic.parameters()]
    generator = [parameter.clone() for parameter in made.generator.parameters()]
    made.critic.requires_grad_(False)
    fake, numbers = played(made)
    assert all(torch.equal(a, b) for a, b in zip(critic, made.critic.parameters(), strict=True))
    moved = [parameter.clone() for parameter in made.generator.parameters()]
    assert sum(not torch.equal(a, b) for a, b in zip(generator, moved, strict=True)) > 20
    made.critic.requires_grad_(True)
    made._critic_share(*made._lesson(np.arange(4)), fake, made.labels[:4])
    made._learn("critic")
    assert sum(not torch.equal(a, b) for a, b in zip(critic, made.critic.parameters(), strict=True)) > 10
    assert all(torch.equal(a, b) for a, b in zip(moved, made.generator.parameters(), strict=True))
    assert numbers["generator"] > 0


def test_the_critic_learns_to_tell_when_the_generator_stands_still(pictures):
    made = contest(pictures, blur=0.0)
    for group in made.adams["generator"].param_groups:
        group["lr"] = 0.0
    told = [float(made.step(step)["told"]) for step in range(40)]
    assert np.mean(told[-10:]) > 0.95


def test_rates_of_the_decoder_are_those_of_equalised_layers(pictures):
    """Weights as they are used move by rate / sqrt(inputs) in those, and biases by the rate itself."""
    made = contest(pictures)
    rates = {id(p): group["lr"] for group in made.adams["generator"].param_groups for p in group["params"]}
    assert len(rates) == len(list(made.generator.parameters()))
    decoder, rate = made.generator.decoder, made.preset.recipe.rate
    for layer in (decoder.shape_net[0], decoder.shape_net[2], decoder.color_net[2]):
        assert rates[id(layer.bias)] == rate
        assert rates[id(layer.weight)] == pytest.approx(rate / decoder.width**0.5)


class Taste(nn.Module):
    """A critic that takes pictures for real the darker (sign -1) or the brighter (1) they are."""

    def __init__(self, sign: float):
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, pictures, label):
        return self.sign * 10 * pictures.mean((1, 2, 3))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_generator_makes_what_the_critic_takes_for_real(pictures, sign):
    """Before a white background: larger, and darker, where dark is real; smaller where bright is."""
    made = contest(pictures, settle=10.0, eikonal=0.1)
    made.critic = Taste(sign)
    made._schedule(0)
    seen = [played(made)[1]["opacity"] for _ in range(15)]
    assert (seen[-1] - seen[0]) * sign < -0.01


def test_health_of_a_ball_and_of_what_has_gone_wrong(pictures):
    made = contest(pictures)
    numbers = health(made.average, made.labels, made.background, 0)
    assert numbers["slope"] == pytest.approx(1, abs=0.1)
    assert numbers["walls"] == 0
    assert numbers["diversity"] < 0.2
    assert ailments(numbers, early=True) == []
    bias = made.average.decoder.shape_net[2].bias
    bias.fill_(-2.0)
    assert any("everything is inside" in said for said in ailments(_health(made), early=True))
    bias.fill_(2.0)
    assert any("empty" in said for said in ailments(_health(made), early=True))
    same = {**numbers, "diversity": 0.001, "told": 1.0}
    assert len(ailments(same, early=True)) == 0 < len(ailments(same, early=False)) == 2


def _health(made):
    return health(made.average, made.labels, made.background, 0)


def test_numbers_that_are_not_finite_stop_the_training(pictures, tmp_path):
    made = contest(pictures)
    with torch.no_grad():
        made.generator.decoder.color_net[2].bias.fill_(float("nan"))
    with pytest.raises(IsofieldError, match="diverged"):
        task.train_geogen(made, 6)


def test_processes_that_divide_a_batch_do_as_one_does(tmp_path, pictures):
    """Two processes, each on its half of every batch, against one that does the halves one after another."""
    script, out = Path(__file__).with_name("geogen_sets.py"), tmp_path / "average.safetensors"
    subprocess.run([sys.executable, str(script), "train", str(pictures), str(out)], env=ALONE, check=True)
    alone = shared(pictures)
    together = load_file(out)
    start = contest(pictures, shares=2).average.tensors()
    for name, value in alone.average.tensors().items():
        found = together[name]
        if name == "mapping.spread":  # of two shapes: the factor is a hundred times less sure than its covariance
            found, value = found @ found.T, value @ value.T
        torch.testing.assert_close(found, value, rtol=1e-5, atol=1e-6)
    assert not torch.equal(together["synthesis.blocks.0.constant"], start["synthesis.blocks.0.constant"])


@pytest.mark.slow
def test_the_verb_of_two_processes_goes_on_and_ends_as_one_does(tmp_path):
    """Begun with --processes, gone on with under torchrun."""
    pictures, words = write_set(tmp_path / "pictures", 16), ["--size", "16", "--shares", "2", "--kimg"]
    verb = ["-m", "isofield", "train", "geogen", str(pictures), "-o"]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", free_port()]
    for start, kimg in (([], "0.064"), (torchrun, "0.128")):
        command = [sys.executable, *start, *verb, str(tmp_path / "two"), *words, kimg, "--processes", "2"]
        subprocess.run(command, env=ALONE, check=True, timeout=600)
    alone = [sys.executable, *verb, str(tmp_path / "one"), *words, "0.128"]
    subprocess.run(alone, env=ALONE, check=True, timeout=600)
    together = load_generator(tmp_path / "two").tensors()
    for name, value in load_generator(tmp_path / "one").tensors().items():
        torch.testing.assert_close(together[name], value, rtol=1e-5, atol=1e-5)


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_half_the_bits_give_nearly_the_same_gradients(pictures):
    """Of generator, critic, and R1; pictures, styles and weights have all of theirs."""
    gradients = []
    for precision in ("32", "bf16"):
        made = contest(pictures, team=Team.launch(1, "cpu", precision))
        made._schedule(0)
        torch.manual_seed(0)
        fake, numbers = played(made)
        lesson = made._lesson(np.arange(4))
        made._critic_share(*lesson, fake, made.labels[:4])
        made._flatness_share(*lesson)
        assert {fake.dtype, *(value.dtype for value in numbers.values())} == {torch.float32}
        named = [*made.generator.named_parameters(), *made.critic.named_parameters()]
        gradients.append({name: weight.grad for name, weight in named if weight.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    whole, half = (torch.cat([grad.flatten() for grad in each.values()]) for each in gradients)
    assert whole.dtype == half.dtype == torch.float32
    assert 1e-5 < (whole - half).norm() / whole.norm() < 0.1


def test_gradients_of_halves_are_those_of_the_whole(pictures):
    """Of eight pictures; each half holds one of the groups whose spread the critic sees."""
    fake = torch.linspace(-1, 1, 8 * 3 * 64).reshape(3, 8, 8, 8).permute(3, 0, 1, 2)
    gradients = []
    for shares in (1, 2):
        made = contest(pictures, batch=8, shares=shares)
        made._schedule(0)
        for k in range(shares):
            part = slice(k, 8, shares)
            made._critic_share(*made._lesson(np.arange(8)[part]), fake[part], made.labels[part][: 8 // shares])
        gradients.append([parameter.grad for parameter in made.critic.parameters()])
    assert max(grad.abs().max() for grad in gradients[0]) > 0.01
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("variant", ["sdf", "density", "eg3d", "stylesdf"])
def test_every_row_of_the_ablation_trains(pictures, variant):
    made = presets.varied(PRESET, variant)
    one = task.Contest(replace(made, recipe=replace(made.recipe, settle=0.0)), contest(pictures).lessons, 0)
    for step in range(3):
        numbers = one.step(step)
    assert all(torch.isfinite(value) for value in numbers.values())
    assert ("smooth_density" in numbers) == (variant in ("density", "eg3d"))
    assert ("minimal_surface" in numbers) == (variant == "stylesdf")
    assert "depth" not in numbers
    assert sheet(one.average, *task.sides(one), [0], one.background).shape[2] == 3


class Steep(Triplanes):
    """With values of twice the distance where these scenes have distances."""

    def value(self, points: torch.Tensor) -> torch.Tensor:
        return 2 * super().value(points)


def test_further_points_of_a_ray_tell_a_distance_from_what_is_steeper(pictures):
    """Of the ball of radius 1/2 that training starts from, its depth right in both; and only with the loss of depth."""
    made = contest(pictures, along=50, settle=0.0, eikonal=0.0)
    rays = label_rays(made.labels[:4], 8)
    middle = (rays.near + rays.far) / 2
    closest = rays.at(middle[..., None]).norm(dim=-1)[..., 0]
    opacity, depth = (closest < 0.5).float(), middle - (0.25 - closest.square()).clamp_min(0).sqrt()
    ball = made.generator.scenes(torch.zeros(4, made.preset.architecture.latent))
    made._schedule(0)
    scenes = ball, Steep(ball.planes, ball.decoder)
    true, steep = (made._regularity(scene, rays, depth, opacity) for scene in scenes)
    assert max(true["depth"][1], steep["depth"][1], true["along"][1]) < 1e-6
    assert steep["along"][1] > 0.001
    assert "along" in made.step(0)
    assert "along" not in contest(pictures, along=50, settle=1.0).step(0)


@pytest.fixture
def tiny_preset(monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "toy", PRESET)


def test_the_verb_trains_meshes_and_goes_on(tmp_path, pictures, tiny_preset, capsys):
    run, out = tmp_path / "run", tmp_path / "out.ply"
    words = ["train", "geogen", str(pictures), "-o", str(run), "--json"]
    assert main([*words, "--kimg", "0.024"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["steps"] == 6
    assert "0.024 kimg at" in said.err
    assert "GB of memory" in said.err
    assert main([*words, "--kimg", "0.02"]) == 2
    assert "may only grow" in capsys.readouterr().err
    assert main([*words, "--kimg", "0.04", "--batch", "2"]) == 2
    assert "settings: batch null -> 2, recipe.batch 4 -> 2;" in capsys.readouterr().err
    assert main([*words, "--kimg", "0.04"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 10
    assert main(["mesh", str(run), "-o", str(out), "--resolution", "32", "--latent-seed", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["watertight"]
    assert main(["mesh", str(run), "-o", str(out), "--shape", "x"]) == 2


def test_the_verb_trains_with_half_the_bits_and_goes_on(tmp_path, pictures, tiny_preset, capsys):
    words = ["train", "geogen", str(pictures), "-o", str(tmp_path / "whole"), "--precision", "bf16", "--json", "--kimg"]
    assert main([*words, "0.048"]) == 0
    report = json.loads(capsys.readouterr().out)
    words[4] = str(tmp_path / "parts")
    assert main([*words, "0.024"]) == 0
    assert main([*words, "0.048"]) == 0
    whole, parts = (load_generator(tmp_path / run).tensors() for run in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert report["steps"] == 12
    capsys.readouterr()
    words.remove("--precision")
    words.remove("bf16")
    assert main([*words, "0.048"]) == 2
    assert 'precision "bf16" -> absent' in capsys.readouterr().err


def test_new_shapes_are_generated(tmp_path, whole, capsys, monkeypatch):
    monkeypatch.setattr(generate, "PIXELS", 40)
    monkeypatch.setattr(generate, "CELL", 64)
    words = ["generate", str(whole), "-o", str(tmp_path / "new"), "--resolution", "24", "--json"]
    assert main([*words, "-n", "2", "--seed", "3", "--truncation", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["count"] == report["closed"] == 2
    volumes = [shape["volume"] for shape in report["shapes"]]
    same = ["mesh", str(whole), "-o", str(tmp_path / "same.ply"), "--resolution", "24", "--latent-seed", "3"]
    assert main([*same, "--truncation", "1"]) == 0
    assert trimesh.load(tmp_path / "same.ply", process=False).volume == pytest.approx(volumes[0])
    capsys.readouterr()
    assert volumes[0] > 0 < volumes[1] != volumes[0]
    assert (tmp_path / "new" / "00001.glb").exists()
    for flags in (["--interpolate", "a", "b"], ["--arithmetic", "a", "b", "c"], ["--class", "car"]):
        assert main([*words, *flags]) == 2
        assert flags[0] in capsys.readouterr().err


def test_new_shapes_come_with_the_generators_own_pictures_and_depths(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(generate, "ROUGH", 8)
    out = tmp_path / "new"
    assert main(["generate", str(whole), "-o", str(out), "--resolution", "32", "-n", "2", "--truncation", "1"]) == 0
    generator = load_generator(whole)
    for index in range(2):
        depth = np.load(out / f"{index:05d}.depth.npy")
        with Image.open(out / f"{index:05d}.picture.png") as picture:
            assert picture.size == depth.shape == (FINE, FINE)
        studio, scale = generator.studio, generator.frame.scale
        camera = orbit(35, sum(studio.elevation) / 2, studio.distance, studio.focal, size=FINE)
        hit = np.isfinite(depth)
        assert 0.05 < hit.mean() < 0.9
        where = scale * camera.eye + (depth[..., None] * camera.rays())[hit]
        field = generator.field(generator.latent((0, index, 0), 1.0))
        distance = field.sdf(torch.tensor(where / scale, dtype=torch.float32)).detach()
        assert distance.median().abs() < 0.04  # beta is not small after so short a training
        assert distance.abs().max() < 0.2
    with Image.open(out / "turntable.gif") as animation:
        assert animation.n_frames == generate.TURNS


def test_a_walk_goes_from_the_shape_of_one_seed_to_that_of_another(tmp_path, whole, capsys, monkeypatch):
    monkeypatch.setattr(generate, "ROUGH", 8)
    monkeypatch.setattr(generate, "FRAMES", 3)
    words = ["--resolution", "24", "--truncation", "1"]
    walk = ["generate", str(whole), "-o", str(tmp_path / "walk"), "--interpolate", "3", "5", "4", "--json"]
    assert main([*walk, *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["interpolate"], report["count"], report["closed"]) == (["3", "5"], 4, 4)
    volumes = [shape["volume"] for shape in report["shapes"]]
    for seed, volume in ((3, volumes[0]), (5, volumes[-1])):
        mesh = ["mesh", str(whole), "-o", str(tmp_path / "end.ply"), "--latent-seed", str(seed)]
        assert main([*mesh, *words]) == 0
        assert trimesh.load(tmp_path / "end.ply", process=False).volume == pytest.approx(volume)
    assert len(set(volumes)) == 4
    with Image.open(tmp_path / "walk" / "video.gif") as video:
        assert video.n_frames == 4  # there and back
    assert main([*walk, *words]) == 0  # in the place of the one before


def test_a_conditioned_generator_listens_to_the_camera_and_draws_without_one(tmp_path, pictures, tiny_preset):
    run, out = tmp_path / "run", tmp_path / "out.ply"
    assert main(["train", "geogen", str(pictures), "-o", str(run), "--kimg", "0.008", "--conditioned"]) == 0
    generator, labels = load_generator(run), torch.as_tensor(contest(pictures).lessons.labels)
    front = torch.tensor(label_of(generator.studio.front()))
    assert front[3] == pytest.approx(0, abs=1e-5)
    assert front[11] > 0
    assert torch.equal(generator.latent(3), generator.latent(3, label=front))
    behind = labels[labels[:, 11].argmin()]
    assert not torch.allclose(generator.latent(3), generator.latent(3, label=behind))
    assert main(["mesh", str(run), "-o", str(out), "--resolution", "24", "--latent-seed", "3"]) == 0


def test_a_budget_is_turned_into_steps_once(tmp_path, pictures, tiny_preset, capsys):
    words = ["train", "geogen", str(pictures), "-o", str(tmp_path / "run"), "--json"]
    assert main([*words, "--budget", "1"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settled"] == {"steps": steps}
    assert main([*words, "--budget", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == steps


@no_gpu
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--size", "24"], "no power of two"),
        (["--size", "16"], "fewer than the 16"),
        (["--kimg", "1", "--budget", "1"], "choose one"),
        (["--kimg", "0"], "give a positive number"),
        (["--likeness", "-1"], "--likeness"),
        (["--device", "cuda"], "--device cuda: 1 are asked for and 0 are there"),
        (["--batch", "1"], "--batch: 1 is too small"),
        (["--batch", "8", "--shares", "3"], "--batch, --shares: 8 pictures cannot be cut into 3"),
    ],
)
def test_bad_usage_is_one_line(tmp_path, pictures, capsys, flags, said):
    assert main(["train", "geogen", str(pictures), "-o", str(tmp_path / "run"), *flags]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    assert main(["train", "--seed", "1", "geogen", str(pictures), "-o", str(tmp_path / "run")]) == 2
    assert "misplaced options: --seed" in capsys.readouterr().err


def test_likeness_needs_a_folder_for_each_shape(tmp_path, pictures, tiny_preset, capsys):
    """And where they have one, the verb has it, and a trial of one picture."""
    alone = shutil.copytree(pictures, tmp_path / "alone")
    shutil.rmtree(alone / "box1")
    listed = json.loads((alone / "dataset.json").read_text())
    listed["labels"] = [label for label in listed["labels"] if label[0].startswith("box0")]
    (alone / "dataset.json").write_text(json.dumps(listed))
    words = ["--size", "8", "--likeness", "30", "--kimg", "0.016"]
    assert main(["train", "geogen", str(alone), "-o", str(tmp_path / "run"), *words]) == 2
    assert "--likeness: the pictures of" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    made = contest(pictures, likeness=30.0, batch=2)
    task.estimate(replace(made.preset, recipe=replace(made.preset.recipe, batch=1)), made.lessons, 0, made.team)
    assert main(["train", "geogen", str(pictures), "-o", str(tmp_path / "run"), *words]) == 0
    assert "own.weight.weight" in newest_checkpoint(tmp_path / "run").state


def test_a_training_begins_with_another_generator(tmp_path, pictures, tiny_preset, capsys):
    """Its critic, and the latents of its shapes where these are the same; sharp as it is, with nothing to fade in."""
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["train", "geogen", str(pictures), "--likeness", "30", "--kimg"]
    assert main([*words, "0.08", "-o", str(first)]) == 0
    words += ["0.016", "-o"]
    made = contest(pictures, likeness=30.0)
    start = task.begun_with(first, PRESET.architecture, made.lessons)
    made.begin_with(start)
    left = newest_checkpoint(first)
    for network in (made.generator, made.average):
        for name, value in network.state_dict().items():
            assert torch.equal(value, left.tensors[name]), name
    for part, network in (("critic", made.critic), ("own", made.own)):
        for name, value in network.state_dict().items():
            assert torch.equal(value, left.state[f"{part}.weight.{name}"]), name
    recipe = task.going_on(made.preset, start).recipe
    assert recipe.beta == float(start.generator.decoder.density.beta) < PRESET.recipe.beta
    assert recipe.sharp == recipe.settle == recipe.seldom == 0
    assert main([*words, str(second), "--start", str(first)]) == 0
    capsys.readouterr()
    config = json.loads((second / "config.json").read_text())
    assert (config["start"], config["recipe"]["beta"]) == ("first", recipe.beta)
    assert main([*words, str(second)]) == 2
    assert 'start "first" -> null' in capsys.readouterr().err
    again = newest_checkpoint(second)
    assert not torch.equal(again.state["own.weight.weight"], left.state["own.weight.weight"])
    critic = [name for name in left.state if name.startswith("critic.weight.")]
    assert all(torch.equal(again.state[name], left.state[name]) for name in critic)  # the contest is over
    assert not torch.equal(again.tensors["mapping.mean"], left.tensors["mapping.mean"])
    untold = contest(pictures, likeness=30.0).own.weight
    moved = [(again.state["own.weight.weight"] - own).norm() for own in (left.state["own.weight.weight"], untold)]
    assert moved[0] < 0.5 * moved[1]


def test_a_training_begins_with_a_generator_of_other_pictures_or_without_a_critic(tmp_path, pictures, tiny_preset):
    run = tmp_path / "run"
    words = ["train", "geogen", str(pictures), "-o", str(run), "--likeness", "30", "--kimg", "0.008"]
    assert main(words) == 0
    other = contest(write_set(tmp_path / "other", count=10), likeness=30.0)
    before = other.own.weight.detach().clone()
    start = task.begun_with(run, PRESET.architecture, other.lessons)
    assert start.own is None
    beta = float(start.generator.decoder.density.beta)
    sharp = 0.02
    start.generator.decoder.density.sharpen(sharp)
    assert task.going_on(contest(pictures).preset, start).recipe.beta == pytest.approx(sharp)
    for soft, wanted in ((0.1, 0.1), (1.0, 1 / 8)):  # half of one of 8 pixels, but no softer than from nothing
        preset = replace(other.preset, recipe=replace(other.preset.recipe, beta=soft))
        assert task.going_on(preset, start).recipe.beta == pytest.approx(wanted)
    start.generator.decoder.density.sharpen(beta)
    other.begin_with(start)
    center = start.generator.mapping.center
    assert center.abs().max() > 0.01
    assert torch.equal(other.own.weight, center + before)
    critic = deepcopy(other.critic.state_dict())
    alone = task.begun_with(list_checkpoints(run)[-1][1], PRESET.architecture, other.lessons)
    other.begin_with(alone._replace(critic={}))
    assert all(torch.equal(value, critic[name]) for name, value in other.critic.state_dict().items())


@pytest.mark.parametrize(("start", "said"), [("heads", "is another generator: size 32 and not 8"), ("x", "not exist")])
def test_a_training_begins_with_a_generator_of_its_own_kind_only(tmp_path, pictures, tiny_preset, capsys, start, said):
    words = ["train", "geogen", str(pictures), "-o", str(tmp_path / "run"), "--start", start]
    assert main(words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_critics_penalty_is_weighted_by_size_and_batch(pictures):
    """Given explicitly, the same weight gives the same step; another one does not."""
    automatic, same, other = contest(pictures), contest(pictures, r1=r1_weight(8, 4)), contest(pictures, r1=50.0)
    for made in (automatic, same, other):
        made.step(0)
    first = [made.critic.blocks[0].conv0.weight for made in (automatic, same, other)]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
