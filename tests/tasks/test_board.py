"""What TensorBoard shows of a training is what its log says and its pictures show."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from isofield.cli import main
from isofield.settings import common

SMALL = ("--code", "4", "--width", "16", "--depth", "2", "--shapes", "2", "--points", "64", "--draw", "1")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    for k in range(2):
        trimesh.creation.icosphere(2, 1.0 + k).export(folder / f"{k}.ply")
    assert main(["sample", str(folder), "-o", str(folder / "store"), "--count", "1000", "--jobs", "1"]) == 0
    return folder / "store"


def train(store: Path, run: Path, *more: str) -> int:
    return main(["train", "auto-decoder", str(store), "-o", str(run), *SMALL, *more])


def test_tensorboard_shows_log_and_pictures_of_a_run_that_was_gone_on_with(store, tmp_path):
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")
    run = tmp_path / "run"
    for steps in ("4", "6"):
        assert train(store, run, "--steps", steps, "--tensorboard") == 0
    shown = board.EventAccumulator(str(run / "events"), size_guidance={board.SCALARS: 0, board.IMAGES: 0}).Reload()
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 2, 3, 4, 5, 6]
    for name in ("loss", "rate"):
        events = [(event.step, event.value) for event in shown.Scalars(name)]
        assert events == [(line["step"], np.float32(line[name])) for line in log]
    for event in shown.Images("samples"):
        drawn = np.asarray(Image.open(run / "samples" / f"{event.step:08d}.png").convert("RGB"))
        np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(event.encoded_image_string))), drawn)
    assert shown.Images("samples")[-1].step == 6
    assert train(store, run, "--steps", "6", "--restart") == 0
    assert not (run / "events").exists()


def test_without_tensorboard_it_is_said_before_anything_is_written(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(common, "find_spec", lambda name: None)
    assert train(store, tmp_path / "run", "--tensorboard") == 2
    assert "isofield[tensorboard]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
