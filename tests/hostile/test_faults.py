"""Kills, full disks, second writers, damaged checkpoints: going on gives the same bytes, or one line says why not."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from cloud_shapes import BALL, NORMALS, lines
from hostile_shapes import obj
from safetensors.torch import load_file

from isofield.checkpoints import list_checkpoints
from isofield.cli import main
from isofield.locking import locked
from needs import posix

pytestmark = [
    pytest.mark.usefixtures("hasty"),
    posix,
]
FIT = ("--encoding", "none", "--width", "8", "--depth", "1", "--resolution", "16", "--json")
COMMAND = """
import sys
from functools import partial
import numpy as np
from isofield.metrics import evaluate as metrics
from isofield.tasks import results, training
training.FEWEST, metrics.EMD_POINTS, metrics.L2_SAMPLES = 2000, 64, 200
results.evaluate = partial(metrics.evaluate, samples=300)
results.evaluate_field = partial(metrics.evaluate_field, count=300)
results.preview = lambda *_: np.zeros((8, 8, 3), np.uint8)
from isofield.cli import main
sys.exit(main())
"""


@pytest.fixture
def box(tmp_path) -> Path:
    path = tmp_path / "box.obj"
    path.write_text(obj())
    return path


def fit(box: Path, run: Path, steps: int, *more: str) -> int:
    return main(["fit", str(box), "-o", str(run), "--steps", str(steps), *FIT, *more])


def started(box: Path, run: Path, steps: int) -> subprocess.Popen:
    """The command in a process of its own, with few samples to measure."""
    arguments = [sys.executable, "-c", COMMAND, "fit", str(box), "-o", str(run), "--steps", str(steps), *FIT]
    threads = str(torch.get_num_threads())  # sums are those of this process only with as many threads as it has
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": str(random.randrange(1000))}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Exit code and what it said on stderr."""
    _, said = process.communicate(timeout=300)
    return process.returncode, said


def kept(run: Path) -> dict[str, object]:
    """All that a run leaves, but for times, names and machine."""
    _, newest = list_checkpoints(run)[-1]
    state = {name: value.numpy().tobytes() for name, value in load_file(newest / "state.safetensors").items()}
    report = json.loads((run / "report.json").read_text())
    timed = ("seconds", "cpu_seconds", "input")
    return {
        "files": sorted(path.name for path in run.iterdir()),
        "checkpoint": newest.name,
        "model": (newest / "model.safetensors").read_bytes(),
        "state": {name: value for name, value in state.items() if name != "cost"},
        "log": (run / "log.jsonl").read_text(),
        "mesh": (run / "mesh.ply").read_bytes(),
        "report": {key: value for key, value in report.items() if key not in timed},
    }


def assert_same(run: Path, whole: Path) -> None:
    ours, theirs = kept(run), kept(whole)
    assert [name for name in ours if ours[name] != theirs[name]] == []


def wait_for(process: subprocess.Popen, condition) -> None:
    deadline = time.monotonic() + 200
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def lines_of(run: Path) -> int:
    log = run / "log.jsonl"
    return len(log.read_bytes().splitlines()) if log.exists() else 0


def test_killed_and_started_again_is_as_never_killed(box, tmp_path):
    run = tmp_path / "run"
    first = started(box, run, 300)
    wait_for(first, lambda: lines_of(run) > 25)
    first.kill()
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    assert fit(box, run, 300) == fit(box, tmp_path / "whole", 300) == 0
    assert_same(run, tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seed"), [("box.obj", 0), ("box.obj", 1), ("ball.xyz", 2)])
def test_killed_at_any_moment_again_and_again(box, tmp_path, name, seed, capfd):
    """Also before anything is written, while saving, and while the results are written."""
    (tmp_path / "ball.xyz").write_text(lines(BALL, NORMALS))
    run, dice, box = tmp_path / "run", random.Random(seed), tmp_path / name
    begun = time.monotonic()
    assert ended(started(box, tmp_path / "whole", 200))[0] == 0
    whole = time.monotonic() - begun
    for _ in range(8):
        process = started(box, run, 200)
        time.sleep(dice.uniform(0.2, 1.1) * whole)
        process.kill()
        process.communicate()
        if run.exists():
            assert main(["mesh", str(run), "-o", str(tmp_path / "out.ply"), "--resolution", "16"]) in (0, 2)
            assert "unexpected" not in capfd.readouterr().err
    code, said = ended(started(box, run, 200))
    assert code == 0, said
    assert_same(run, tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_on_one_folder(box, tmp_path):
    run = tmp_path / "run"
    first = started(box, run, 3000)
    wait_for(first, lambda: lines_of(run) > 2)
    code, said = ended(started(box, run, 3000))
    assert code == 2
    assert said.count("\n") == 1
    assert f"process {first.pid}" in said
    assert ended(first)[0] == 0


def test_a_second_writer_is_refused_and_the_first_one_not_disturbed(box, tmp_path, capfd):
    run = tmp_path / "run"
    assert fit(box, run, 10) == 0
    before, _ = kept(run), capfd.readouterr()
    with locked(run):
        for more in ((), ("--restart",)):
            assert fit(box, run, 20, *more) == 2
            assert "another isofield process writes here" in capfd.readouterr().err
    assert kept(run) == before


def test_a_run_that_was_moved_goes_on(box, tmp_path):
    assert fit(box, tmp_path / "whole", 20) == 0
    assert fit(box, tmp_path / "run", 20) == 0
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").rename(tmp_path / "elsewhere/moved")
    moved = shutil.move(box, tmp_path / "elsewhere/box.obj")
    assert fit(Path(moved), tmp_path / "elsewhere/moved", 40) == 0
    box.write_text(obj())
    assert fit(box, tmp_path / "whole", 40) == 0
    assert_same(tmp_path / "elsewhere/moved", tmp_path / "whole")


def test_another_file_of_the_same_name_is_refused(box, tmp_path, capfd):
    assert fit(box, tmp_path / "run", 10) == 0
    before, _ = kept(tmp_path / "run"), capfd.readouterr()
    box.write_text(obj().replace("2.0", "2.5"))
    assert fit(box, tmp_path / "run", 20) == 2
    assert "input_sha256" in capfd.readouterr().err
    assert kept(tmp_path / "run") == before


def flip(path: Path, share: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["model.safetensors", "state.safetensors", "config.json"])
def test_a_damaged_checkpoint_is_passed_over_and_the_result_the_same(box, tmp_path, name, recwarn):
    for run in ("run", "whole"):
        assert fit(box, tmp_path / run, 20) == 0
    _, newest = list_checkpoints(tmp_path / "run")[-1]
    flip(newest / name, 0.6)
    assert fit(box, tmp_path / "run", 20) == 0
    for run in ("run", "whole"):
        assert fit(box, tmp_path / run, 40) == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_when_no_checkpoint_is_whole_it_is_said_and_nothing_is_overwritten(box, tmp_path, capfd, recwarn):
    run = tmp_path / "run"
    assert fit(box, run, 20) == 0
    for _, folder in list_checkpoints(run):
        flip(folder / "model.safetensors", 0.6)
    capfd.readouterr()
    assert fit(box, run, 40) == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert "no checkpoint is whole" in said
    assert "--restart" in said
    assert len(list_checkpoints(run)) == 2
    assert fit(box, run, 40, "--restart") == 0


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own, and a way to mount it anew."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip("needs the right to mount a disk")

    if shutil.which("mount") is None:
        pytest.skip("needs the right to mount a disk")
    mount("size=1m")
    yield folder, mount
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path, spare: int = 0) -> Path:
    filler, free = folder / "filler", shutil.disk_usage(folder).free
    filler.write_bytes(bytes(max(free - spare, 0)))
    return filler


@pytest.mark.parametrize("spare", [0, 8192, 20480])
def test_a_full_disk_keeps_the_checkpoints_and_the_run_goes_on_later(box, tmp_path, disk, capfd, spare):
    run = disk[0] / "run"
    for folder in (run, tmp_path / "whole"):
        assert fit(box, folder, 20) == 0
    capfd.readouterr()
    filler = fill(disk[0], spare)
    assert fit(box, run, 40) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "no space left" in err.splitlines()[-1]
    assert "unexpected" not in err
    assert not list(run.glob(".isofield-tmp-*"))
    filler.unlink()
    for folder in (run, tmp_path / "whole"):
        assert fit(box, folder, 40) == 0
    assert_same(run, tmp_path / "whole")


def test_a_full_disk_at_the_end_of_a_repair_keeps_what_was_there(box, disk, capfd):
    output = disk[0] / "out.ply"
    output.write_text("before")
    fill(disk[0])
    assert main(["repair", str(box), "-o", str(output), "--resolution", "16"]) == 1
    assert "no space left" in capfd.readouterr().err.splitlines()[-1]
    assert output.read_text() == "before"
    assert sorted(path.name for path in disk[0].iterdir()) == ["filler", "out.ply"]


def test_a_disk_that_may_only_be_read(box, disk, capfd):
    run, mount = disk[0] / "run", disk[1]
    assert fit(box, run, 10) == 0
    before = kept(run)
    mount("remount,ro")
    capfd.readouterr()
    for arguments in (
        ("fit", box, "-o", run, "--steps", "20", *FIT),
        ("fit", box, "-o", disk[0] / "new", "--steps", "20", *FIT),
        ("repair", box, "-o", disk[0] / "out.ply", "--resolution", "16"),
        ("mesh", run, "-o", disk[0] / "out.ply", "--resolution", "16"),
    ):
        assert main(list(map(str, arguments))) == 2
        assert capfd.readouterr().err.count("\n") == 1
    assert main(["mesh", str(run), "-o", str(box.parent / "out.ply"), "--resolution", "16"]) == 0
    assert kept(run) == before
