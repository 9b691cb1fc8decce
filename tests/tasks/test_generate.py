"""`isofield generate` on a space of rounded boxes whose network is written down: the code is half their sides."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import isofield
from isofield.cli import main
from isofield.errors import InputError
from isofield.fields.activations import Relu
from isofield.fields.analytic import Sphere
from isofield.fields.classes import ClassTable
from isofield.fields.decoder import ColorBranch, LatentDecoder
from isofield.fields.encodings import Identity
from isofield.fields.mlp import MLP
from isofield.fields.space import Member, ShapeSpace
from isofield.frame import UnitFrame
from isofield.mesh.read import read_mesh
from isofield.models.drawing import Drawn, SpaceGenerator
from isofield.models.priors import Mixture
from isofield.runs import open_run
from isofield.tasks import generate
from isofield.tasks.generate import drawn_shape, largest_share

ROUND = 0.1
SIDES = {"flat": (0.5, 0.1, 0.5), "tall": (0.2, 0.7, 0.2)}  # mean half sides of the boxes of a class
PLACE = UnitFrame((10.0, 20.0, 30.0), 2.0)


def box_decoder(classes: int = 0) -> LatentDecoder:
    """f = sum_i relu(x_i - c_i) + relu(-x_i - c_i) - ROUND: the 1-norm distance to a box, less a margin."""
    network = MLP(6 + classes, 1, 6, 1, Relu())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.layers[0].weight[:, :3] = torch.cat([torch.eye(3), -torch.eye(3)])
        network.layers[0].weight[:, 3:6] = -torch.cat([torch.eye(3), torch.eye(3)])
        network.layers[1].weight[:] = 1
        network.layers[1].bias[:] = -ROUND
    return LatentDecoder(Identity(), network, 3 + classes, modulated=False)


def boxes(each: int = 6, *, spread: float = 0.03, labelled: bool = True, colored: bool = False) -> ShapeSpace:
    torch.manual_seed(0)
    members = [Member(f"{kind}{i}", kind if labelled else None, PLACE) for kind in SIDES for i in range(each)]
    classes = ClassTable.one_hot(["flat", "tall"]) if labelled else None
    space = ShapeSpace(
        box_decoder(2 * labelled), members, classes=classes, painter=ColorBranch(6, 2) if colored else None
    )
    with torch.no_grad():
        means = torch.tensor([SIDES[member.name[:4]] for member in members])
        space.codes.copy_(means + spread * torch.randn(len(members), 3))
    return space.eval().requires_grad_(False)


def saved(space: ShapeSpace, folder: Path) -> Path:
    with open_run(folder, {}) as run:
        run.save(1, space.spec(), space.tensors())
    return folder


def run(*arguments: object) -> int:
    return main([*map(str, arguments)])


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def half_sides(path: Path) -> np.ndarray:
    low, high = read_mesh(path).bounds
    return (high - low) / 2 - ROUND


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch) -> None:
    monkeypatch.setattr(generate, "PIXELS", 40)
    monkeypatch.setattr(generate, "CELL", 64)


@pytest.fixture(scope="module")
def box_run(tmp_path_factory) -> Path:
    return saved(boxes(), tmp_path_factory.mktemp("boxes") / "run")


def test_new_shapes_are_closed_of_their_class_and_stand_beside_the_nearest_trained_one(box_run, tmp_path):
    assert run("generate", box_run, "-n", 4, "-o", tmp_path / "out", "--class", "tall", "--resolution", 40) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    shapes = {f"{i:05d}.{suffix}" for i in range(4) for suffix in ("ply", "glb", "png")}
    assert names == shapes | {"sheet.png", "report.json"}
    report = report_of(tmp_path / "out")
    assert (report["count"], report["closed"], report["single"], report["empty"], report["torn"]) == (4, 4, 4, 0, 0)
    for entry in report["shapes"]:
        assert entry["largest"] == 1
        sides = half_sides(tmp_path / "out" / f"{entry['name']}.ply")
        np.testing.assert_allclose(sides, SIDES["tall"], atol=0.12)
        assert entry["label"] == "tall"
        assert entry["nearest"].startswith("tall")
        assert 0 < entry["novelty"] < 0.1
        assert entry["volume"] == pytest.approx(8 * np.prod(sides + ROUND), rel=0.35)
    assert 0 < report["novelty_of_trained"] < 0.1
    assert report["compared"] == [4, 4]
    assert size_of(tmp_path / "out" / "sheet.png")[0] == 4 * 2 * generate.CELL


def test_the_same_seed_gives_the_same_bytes_and_more_shapes_leave_the_first_as_they_were(box_run, tmp_path):
    for out, count in (("a", 2), ("b", 3)):
        assert run("generate", box_run, "-n", count, "-o", tmp_path / out, "--seed", 7, "--resolution", 24) == 0
    for name in ("00000.ply", "00001.glb", "00001.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert run("mesh", box_run, "--latent-seed", 7, "-o", tmp_path / "m.ply", "--resolution", 24) == 0
    assert (tmp_path / "m.ply").read_bytes() == (tmp_path / "a" / "00000.ply").read_bytes()
    fields = isofield.ShapeSpace.load(box_run).sample(2, seed=7)
    np.testing.assert_allclose(fields[1].mesh(24).bounds, read_mesh(tmp_path / "a" / "00001.ply").bounds, atol=1e-6)


def test_truncation_leads_to_the_mean_of_the_class():
    generator = SpaceGenerator(boxes(), Mixture(1), "flat")
    latents = torch.stack([generator.draw((0, i, 0), 0.0).field.latent for i in range(3)])
    torch.testing.assert_close(latents[:, :3], boxes().codes[:6].mean(0).expand(3, -1))
    assert latents[0, 3:].tolist() == [1, 0]
    wide = torch.stack([generator.draw((0, i, 0), 1.0).field.latent for i in range(200)])
    half = torch.stack([generator.draw((0, i, 0), 0.5).field.latent for i in range(200)])
    torch.testing.assert_close(2 * half[:, :3].std(0), wide[:, :3].std(0))


def test_draws_without_surface_are_counted_and_others_drawn(tmp_path):
    """Boxes about as large as 0: some codes are of none."""
    space = boxes(3, labelled=False)
    space.codes -= torch.tensor([SIDES[name[:4]] for name in space.names])
    folder = saved(space, tmp_path / "run")
    assert run("generate", folder, "-n", 4, "-o", tmp_path / "out", "--resolution", 16, "--truncation", 2) == 0
    report = report_of(tmp_path / "out")
    assert report["empty"] > 0
    assert report["count"] == len(list((tmp_path / "out").glob("0*.ply"))) > 0
    space.codes -= 1
    assert run("generate", saved(space, tmp_path / "none"), "-n", 1, "-o", tmp_path / "no", "--resolution", 8) == 1
    assert not (tmp_path / "no").exists()


class Balls:
    """Draws balls side by side, of these radii."""

    def __init__(self, *attempts: tuple[float, float]):
        self.names, self.attempts = [], attempts

    def draw(self, seeds, truncation):
        left, right = self.attempts[seeds[2]]
        return Drawn(Sphere(left).translate((-0.45, 0, 0)) | Sphere(right).translate((0.45, 0, 0)))

    def field(self, name):
        raise KeyError(name)


def test_shapes_in_pieces_are_drawn_anew_and_the_wholest_taken():
    balls = Balls((0.3, 0.3), (-1.0, -1.0), (0.4, 0.1), (0.4, 0.2), (0.3, 0.3))

    def drawn(whole: float) -> tuple[float, int, int]:
        made = drawn_shape(balls, 0, 0, 1.0, 64, whole)
        return largest_share(made.extraction.mesh), made.empty, made.torn

    assert drawn(0.0) == (pytest.approx(0.5, abs=0.01), 0, 0)
    assert drawn(0.9) == (pytest.approx(16 / 17, abs=0.01), 1, 1)
    assert drawn(1.0) == (pytest.approx(16 / 17, abs=0.01), 1, 3), "none is, so the one that comes nearest"


def test_the_way_from_one_shape_to_another_is_even_and_ends_in_both(box_run, tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "FRAMES", 4)
    way = ("--interpolate", "flat0", "tall1", "3")
    assert run("generate", box_run, *way, "-o", tmp_path / "way", "--resolution", 40) == 0
    space = isofield.ShapeSpace.load(box_run)
    for name, code in (
        ("00000", space.codes[0]),
        ("00002", space.codes[7]),
        ("00001", (space.codes[0] + space.codes[7]) / 2),
    ):
        mesh = read_mesh(tmp_path / "way" / f"{name}.ply")
        np.testing.assert_allclose(np.ptp(mesh.bounds, axis=0) / 2 / PLACE.scale - ROUND, code, atol=0.03)
        np.testing.assert_allclose(mesh.bounds.mean(0), PLACE.center, atol=0.05)
    with Image.open(tmp_path / "way" / "video.gif") as video:
        assert video.n_frames == 2 * 4 - 2
    assert size_of(tmp_path / "way" / "strip.png")[0] == 3 * generate.CELL
    ends = space.interpolate("flat0", "tall1", 2)
    points = torch.rand(50, 3) * 2 - 1
    torch.testing.assert_close(ends[1].sdf(points), space.field("tall1").sdf(points), atol=0, rtol=0)
    back = space.interpolate(ends[1], "flat0", 5)[-1]
    torch.testing.assert_close(back.latent, ends[0].latent)


def test_shapes_are_added_up(box_run, tmp_path):
    assert (
        run("generate", box_run, "--arithmetic", "flat0", "flat1", "tall2", "-o", tmp_path / "sum", "--resolution", 40)
        == 0
    )
    codes = isofield.ShapeSpace.load(box_run).codes
    expected = (codes[0] - codes[1] + codes[8]).numpy()
    np.testing.assert_allclose(
        half_sides(tmp_path / "sum" / "00000.ply") / 1, 2 * (expected + ROUND) - ROUND, atol=0.05
    )
    assert report_of(tmp_path / "sum")["closed"] == 1
    assert (tmp_path / "sum" / "strip.png").exists()


def test_colours_are_drawn_with_the_shapes(tmp_path):
    space = boxes(colored=True)
    assert run("generate", saved(space, tmp_path / "run"), "-n", 1, "-o", tmp_path / "out", "--resolution", 24) == 0
    assert read_mesh(tmp_path / "out" / "00000.ply").visual.kind == "vertex"
    hues = torch.stack([field.hue for field in space.sample(4)])
    assert hues.std(0).min() > 0.1


def test_only_what_this_verb_wrote_is_replaced(box_run, tmp_path, capsys):
    out = tmp_path / "out"
    command = ("generate", box_run, "-n", 1, "-o", out, "--resolution", 24)
    assert run(*command) == 0
    assert run("generate", box_run, "-n", 2, "-o", out, "--resolution", 24) == 0
    assert run(*command) == 0
    assert not (out / "00001.ply").exists()
    (out / "notes.txt").touch()
    assert run(*command) == 2
    assert run("generate", box_run, "-n", 1, "-o", box_run) == 2
    assert "choose another output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (("--class", "round"), "'round' is unknown here; name one of flat, tall"),
        (("-n", "0"), "0 shapes are none"),
        (("--truncation", "-1"), "is no factor"),
        (("--whole", "90"), "is no share"),
        (("--interpolate", "flat0"), "give A B, or A B STEPS"),
        (("--interpolate", "flat0", "tall0", "1"), "give A B, or A B STEPS"),
        (("--interpolate", "flat0", "nobody"), "'nobody'"),
        (("--interpolate", "flat0", "tall0", "-n", "3"), "each says what to make"),
        (("--arithmetic", "flat0", "flat1", "nobody"), "'nobody'"),
    ],
)
def test_bad_usage_is_said_in_one_line(box_run, tmp_path, capsys, flags, fault):
    assert run("generate", box_run, "-o", tmp_path / "out", *flags) == 2
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_runs_that_are_no_spaces_are_refused(tmp_path, capsys):
    field = isofield.NeuralField(Identity(), width=8, depth=1)
    with open_run(tmp_path / "run", {}) as opened:
        opened.save(1, field.spec(), field.tensors())
    assert run("generate", tmp_path / "run", "-o", tmp_path / "out") == 2
    assert "holds no shape space" in capsys.readouterr().err
    assert run("mesh", tmp_path / "run", "--latent-seed", 1, "-o", tmp_path / "m.ply") == 2
    assert "holds no generator" in capsys.readouterr().err
    with pytest.raises(InputError, match="unknown here; leave it out"):
        boxes(labelled=False).sample(1, label="tall")
