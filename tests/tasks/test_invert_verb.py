"""isofield invert: pictures of one object to a shape that looks like them, and back."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

from isofield.cli import main
from isofield.errors import InputError
from isofield.frame import UnitFrame
from isofield.mesh.audit import audit_file
from isofield.models import pose_search
from isofield.models.geogen import GeoGen, new_density
from isofield.models.inversion import FINER, SHARP, Inversion, shots_of
from isofield.models.presets import PRESETS, Architecture
from isofield.models.studio import Studio
from isofield.render.camera import orbit
from isofield.runs import list_checkpoints, load, load_generator, open_run
from isofield.tasks import generator_pictures, invert_sheets
from isofield.tasks.portraits import camera_labels, read_portrait
from isofield.views.eg3d import label_of

TINY = Architecture(
    size=16, raw=16, latent=8, mapping_depth=2, plane_size=8, plane_channels=4, base=64, most=8,
    critic_base=64, critic_most=8, critic_depth=2, width=8, coarse=8, fine=8, octaves=1,
)  # fmt: skip
SIZE = FINER * TINY.size  # of the pictures
SCALE = 2.0  # of the generator's world
GRAY = (0.5, 0.5, 0.5)


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch) -> None:
    monkeypatch.setattr(generator_pictures, "FINE", 16)
    monkeypatch.setattr(generator_pictures, "FRAMES", 4)
    monkeypatch.setattr(invert_sheets, "CELL", 48)
    monkeypatch.setattr(pose_search, "STARTS", 6)
    monkeypatch.setattr(pose_search, "ROUNDS", ((3, 2, False), (2, 3, True)))


@pytest.fixture(scope="module")
def generator() -> GeoGen:
    torch.manual_seed(3)
    density = new_density(TINY.density, PRESETS["toy"].recipe)
    density.sharpen(1.3 * SHARP)
    made = GeoGen(TINY, density, UnitFrame(scale=SCALE), Studio(GRAY))
    nn.init.normal_(made.decoder.shape_net[2].weight, std=0.1)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def prior(tmp_path_factory, generator) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "prior"
    with open_run(folder, {"seed": 0}) as run:
        run.save(1, generator.spec(), generator.tensors())
    return folder


@pytest.fixture(scope="module")
def views(tmp_path_factory, generator) -> Path:
    """A set in EG3D's layout, of what the generator makes of one latent."""
    folder = tmp_path_factory.mktemp("views")
    labels = []
    for index, azimuth in enumerate((10.0, 130.0)):
        label = torch.tensor(label_of(orbit(azimuth, 10.0)), dtype=torch.float32)
        seen = shots_of(generator, generator.latent(5)[None], label[None], SIZE, jitter=False)[1].picture[0]
        name = f"thing/{index:03}.png"
        (folder / "thing").mkdir(exist_ok=True)
        Image.fromarray(((seen.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()).save(folder / name)
        label[[3, 7, 11]] *= SCALE
        labels.append([name, label.tolist()])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def run(*arguments: object) -> int:
    return main(["invert", *map(str, arguments)])


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


SHORT = ("--steps", 16, "--tune", 8, "--resolution", 32)


def test_pictures_become_a_closed_mesh_with_views_and_a_generator_around_it(prior, views, tmp_path, capsys):
    pictures, out = sorted(views.glob("thing/*.png")), tmp_path / "out"
    assert run(*pictures, "--prior", prior, "-o", out, *SHORT, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report == report_of(out)
    assert report["watertight"]
    assert report["manifold"]
    assert audit_file(out / "mesh.ply").watertight
    assert min(report["psnr"], report["psnr_latent"]) > 40  # of what a latent alone can show
    assert max(report["perceptual"], report["perceptual_latent"]) < 0.02
    assert [one["picture"] for one in report["pictures"]] == ["000.png", "001.png"]
    assert [camera["known"] for camera in report["cameras"]] == [True, True]
    assert [camera["azimuth"] for camera in report["cameras"]] == pytest.approx([10, 130], abs=1e-3)
    assert report["cameras"][0]["distance"] == pytest.approx(9 * SCALE, rel=1e-5)
    assert (report["steps"], report["tune"], report["unit_length_user"]) == (16, 8, SCALE)
    assert report["size"] == SIZE
    assert report["cpu_seconds"] > 0
    assert report["guard"] in ("proven", "estimated", "dense")
    with Image.open(out / "preview.png") as preview, Image.open(out / "views.png") as sides:
        assert preview.height > 2 * 48
        assert sides.width >= 8 * 48
    with Image.open(out / "turntable.gif") as turntable:
        assert turntable.n_frames == 4
    made = load_generator(out)
    with safe_open(out / "code.safetensors", "pt") as code:
        assert torch.equal(code.get_tensor("code"), made.mapping.mean)
        assert code.get_tensor("cameras").shape == (2, 25)
        assert json.loads(code.metadata()["isofield"])["frame"]["scale"] == SCALE
    points = torch.randn(200, 3)
    assert torch.equal(load(out).sdf(points), made.field(made.mapping.mean).sdf(points))
    assert main(["mesh", str(out), "-o", str(tmp_path / "again.ply"), "--resolution", "32"]) == 0
    assert (tmp_path / "again.ply").read_bytes() == (out / "mesh.ply").read_bytes()


def test_running_again_changes_nothing_and_other_settings_are_refused(prior, views, tmp_path, capsys):
    arguments = (views / "thing/000.png", "--prior", prior, "-o", tmp_path / "out")
    assert run(*arguments, *SHORT) == 0
    before = (tmp_path / "out/mesh.ply").read_bytes()
    assert run(*arguments, *SHORT) == 0
    assert (tmp_path / "out/mesh.ply").read_bytes() == before
    capsys.readouterr()
    assert run(*arguments, "--steps", 17, "--tune", 8, "--resolution", 32) == 2
    assert "steps 16 -> 17" in capsys.readouterr().err
    assert run(*arguments, "--steps", 1, "--tune", 0, "--resolution", 32, "--restart") == 0
    report = report_of(tmp_path / "out")
    assert report["psnr"] == report["psnr_latent"]


def test_a_picture_that_is_small_is_compared_as_small(prior, views, tmp_path):
    """Of two the smaller one says so."""
    first, second = views / "thing/000.png", tmp_path / "thing/001.png"
    (tmp_path / "dataset.json").write_text((views / "dataset.json").read_text())
    second.parent.mkdir()
    with Image.open(views / "thing/001.png") as large:
        large.resize((SIZE - 4,) * 2).save(second)
    once = ("--prior", prior, "-o", tmp_path / "out", "--steps", 1, "--tune", 0, "--resolution", 32)
    assert run(first, second, *once) == 0
    assert report_of(tmp_path / "out")["size"] == TINY.size


def test_what_is_stopped_goes_on_to_the_same_bytes(prior, views, tmp_path, monkeypatch, capsys):
    arguments = (views / "thing/000.png", "--prior", prior, *SHORT, "--camera", "auto")
    assert run(*arguments, "-o", tmp_path / "whole") == 0
    step, done = Inversion.step, []

    def counted(self, number):
        done.append(number)
        if number == 18:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, number)

    monkeypatch.setattr(Inversion, "step", counted)
    assert run(*arguments, "-o", tmp_path / "out") == 130
    assert "stopped at step 19 of 24" in capsys.readouterr().err
    assert done[-1] == 18
    assert run(*arguments, "-o", tmp_path / "out") == 0
    assert done[19:] == list(range(19, 24))
    names = ("mesh.ply", "views.png", "preview.png", "code.safetensors", "log.jsonl")
    assert all((tmp_path / "out" / n).read_bytes() == (tmp_path / "whole" / n).read_bytes() for n in names)
    assert len(list_checkpoints(tmp_path / "out")) == 2
    camera = report_of(tmp_path / "out")["cameras"][0]
    assert not camera["known"]
    assert camera["distance"] == pytest.approx(9 * SCALE, rel=0.3)


def test_cameras_are_read_from_the_set_from_a_file_or_not_at_all(views, tmp_path):
    first, second = views / "thing/000.png", views / "thing/001.png"
    given = [row for _, row in json.loads((views / "dataset.json").read_text())["labels"]]
    expected = np.array(given)
    expected[:, [3, 7, 11]] /= SCALE

    def found(pictures, camera=None):
        return camera_labels(pictures, camera, SCALE)

    assert np.allclose(found((first, second)), expected)
    assert np.allclose(found((second, first)), expected[::-1])
    assert np.allclose(found((second,), str(views / "dataset.json")), expected[1:])
    assert np.allclose(found((second,), str(views)), expected[1:])
    assert found((first, second), "auto") == [None, None]
    (tmp_path / "one.json").write_text(json.dumps(given[1]))
    (tmp_path / "two.json").write_text(json.dumps(given))
    assert np.allclose(found((first,), str(tmp_path / "one.json")), expected[1:])
    assert np.allclose(found((first, second), str(tmp_path / "two.json")), expected)
    alone = tmp_path / "alone.png"
    alone.write_bytes(first.read_bytes())
    assert found((alone,)) == [None]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("[1, 2]", "25"),
        ("{}", "holds no labels"),
        ('{"labels": [["other.png", []]]}', "in no label"),
        ('{"labels": [3]}', "label 0"),
        ("[[1], [2]]", "2 cameras for 1 pictures"),
        ("nonsense", "JSON"),
    ],
)
def test_cameras_that_cannot_be_are_refused(views, tmp_path, content, fault):
    (tmp_path / "camera.json").write_text(content)
    with pytest.raises(InputError, match=fault):
        camera_labels((views / "thing/000.png",), str(tmp_path / "camera.json"), 1.0)


def test_pictures_are_laid_on_the_background_and_resized(tmp_path):
    disc = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 20
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    clear = np.dstack([red, np.where(disc, 255, 0).astype(np.uint8)])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray(np.where(disc[..., None], red, (20, 220, 20)).astype(np.uint8)).save(tmp_path / "masked.png")
    Image.fromarray((disc * 255).astype(np.uint8)).save(tmp_path / "masked.mask.png")
    Image.fromarray(np.where(disc[..., None], red, 10).astype(np.uint8)).save(tmp_path / "even.png")
    for name in ("clear", "masked", "even"):
        seen = read_portrait(tmp_path / f"{name}.png", GRAY, 16)
        assert seen.shape == (16, 16, 3)
        assert np.abs(seen[8, 8].astype(int) - (200, 0, 0)).max() <= 1, name
        assert np.abs(seen[0].astype(int) - 128).max() <= 1, name


def test_bad_input_is_said_in_one_line(prior, views, tmp_path, capsys):
    picture, out = views / "thing/000.png", tmp_path / "out"
    wide = tmp_path / "wide.png"
    Image.new("RGB", (20, 16)).save(wide)
    text = tmp_path / "text.png"
    text.write_text("nothing")
    cases = {
        (wide, "--prior", prior): "20 x 16, not square",
        (text, "--prior", prior): "no readable picture",
        (tmp_path / "none.png", "--prior", prior): "does not exist",
        (picture, "--prior", tmp_path): "holds no isofield run",
        (picture, "--prior", prior, "--camera", tmp_path / "none.json"): "does not exist",
        (picture, "--prior", prior, "--steps", 0): "too small",
        (picture, wide, "--prior", prior): "not square",
    }
    for arguments, fault in cases.items():
        assert run(*arguments, "-o", out) == 2
        error = capsys.readouterr().err
        assert fault in error
        assert len(error.splitlines()) == 1
        assert not out.exists()
