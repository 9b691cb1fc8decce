"""Ctrl-C once saves and stops, twice stops now: in real processes, through the real command."""

import signal
import subprocess
import sys
import threading

import pytest

from isofield.interrupt import Interrupted, interruptible
from needs import posix

pytestmark = posix

# A `fit` whose loop is small; "slow" saves so slowly that a second signal comes in between.
PROGRAM = """
import sys, time, types
from pathlib import Path

from isofield.cli import main
from isofield.files import replacing
from isofield.interrupt import interruptible

def run_fit(settings):
    if settings.class_name == "no loop":
        with replacing(settings.output) as temporary:
            temporary.write_text("half")
            print("ready", flush=True)
            time.sleep(30)
    with interruptible() as stop:
        print("ready", flush=True)
        while not stop.requested:
            time.sleep(0.01)
        with replacing(settings.output) as temporary:
            temporary.write_text("half")
            print("saving", flush=True)
            time.sleep(30 if settings.class_name == "slow" else 0)
        raise stop.error("stopped at step 3; run the same command again to go on")

sys.modules["isofield.tasks.fit"] = types.SimpleNamespace(run_fit=run_fit)
sys.modules["isofield.tasks.results"] = types.SimpleNamespace(described=None)  # which would import torch
sys.exit(main(["fit", __file__ if "__file__" in globals() else ".", "-o", sys.argv[1], "--class", sys.argv[2]]))
"""


def start(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_once_saves_and_says_how_to_resume(tmp_path, number, code):
    with start(str(tmp_path / "out"), "quick") as process:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stdout == "saving\n"
    assert stderr == "isofield: stopped at step 3; run the same command again to go on\n"
    assert (tmp_path / "out").read_text() == "half"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_twice_stops_at_once_and_leaves_no_half_file(tmp_path, number, code):
    with start(str(tmp_path / "out"), "slow") as process:
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.readline() == "saving\n"
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_outside_a_loop_once_is_enough_and_leaves_no_half_file(tmp_path, number, code):
    with start(str(tmp_path / "out"), "no loop") as process:
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruptible() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        error = stop.error("saved")
    assert isinstance(error, Interrupted)
    assert (error.exit_code, str(error)) == (143, "saved")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_are_left_alone():
    seen = []

    def work() -> None:
        with interruptible() as stop:
            seen.append(stop.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
