"""Every hostile input gets its answer: the right numbers, or one line and exit code 2; nothing else happens."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from corpus import SECRET, Case, Good, Points, Refused, all_cases, build
from watch import Seen, watched

from isofield.cli import main

CASES = all_cases()
SECONDS = 20  # of one case: hours on a machine that hangs, a second or less on any other
MEMORY = 3 << 30  # bytes of address space of a bomb; importing torch alone maps one of them


class TookTooLong(BaseException):
    """Not an Exception: the command may not turn it into an answer."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """TookTooLong after so many seconds of the processor, or ten times as many of the clock."""
    cpu, wall = time.process_time() + seconds, time.monotonic() + 10 * seconds

    def stop(*_: object) -> None:
        if time.process_time() > cpu or time.monotonic() > wall:
            raise TookTooLong
        signal.alarm(seconds)

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    build(folder, CASES)
    yield folder
    for path in folder.rglob("closed"):
        path.chmod(0o700)


def listing(folder: Path) -> dict[str, str]:
    """Every file with a digest of its content, links and pipes by their kind."""
    found = {}
    for path in sorted(folder.rglob("*")):
        plain = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
        found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest() if plain else "other"
    return found


def answer_of(each: Case, folder: Path, capfd, seconds: int = SECONDS) -> tuple[int, str, str, Seen]:
    with limited(seconds), watched(folder.parent) as seen, warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            code = main(each.command(folder))
        except SystemExit as stop:
            code = int(stop.code or 0)
    out, err = capfd.readouterr()
    return code, out, err, seen


def check(each: Case, folder: Path, code: int, out: str, err: str) -> None:
    assert "Traceback" not in err
    assert "unexpected" not in err
    assert SECRET not in out + err
    if not isinstance(each.expected, Refused):
        assert code == 0, err
        check_found = check_points if isinstance(each.expected, Points) else check_numbers
        check_found(each.expected, json.loads(out), out + err)
        return
    lines = err.splitlines()
    assert code == 2, (code, out, err)
    assert out == ""
    assert lines[-1].startswith("isofield: ")
    assert [line for line in lines[:-1] if "warning" not in line] == []
    assert len(lines[-1]) < 600
    for words in each.expected.says:
        assert words.lower() in err.lower(), err


def check_numbers(expected: Good, found: dict, said: str) -> None:
    if "queries" in found:  # of a mesh extracted from a run: closed and manifold, whatever its number of faces
        assert found["watertight"]
        assert found["manifold"]
        return
    for name in ("vertices", "faces", "watertight", "color"):
        value = getattr(expected, name)
        assert value is None or found[name] == value, (name, found)
    if expected.volume is not None:
        assert found["volume"] == pytest.approx(expected.volume, rel=1e-6, abs=0)
    for words in expected.says:
        assert words.lower() in said.lower()


def check_points(expected: Points, found: dict, said: str) -> None:
    for name in ("points", "dropped", "duplicates", "outliers", "normals", "colors", "sensors"):
        value = getattr(expected, name)
        assert value is None or found[name] == value, (name, found)
    assert found["kept"] == found["points"] - found["duplicates"] - found["outliers"]
    if expected.extent is not None:
        assert max(found["extent"]) == pytest.approx(expected.extent, rel=0.01)
    said = said.replace(json.dumps(found["file"]), "")  # keys and names of files hold many words
    for words in expected.says:
        assert words.lower() in said.lower()


@pytest.mark.parametrize("each", [c for c in CASES if not c.bomb], ids=lambda c: f"{c.group}-{c.name}")
def test_answer(each, folder, capfd):
    if each.needs_user and os.geteuid() == 0:
        pytest.skip("needs a user who is not root")
    own = folder / each.group / each.name
    before = listing(own)
    code, out, err, seen = answer_of(each, own, capfd)
    check(each, own, code, out, err)
    assert seen.outside == []
    assert seen.reached_out == []
    after = listing(own)
    if not isinstance(each.expected, Refused):
        assert before.items() <= after.items()
    else:
        assert after == before


RUNNER = """
import json, resource, signal, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from isofield.cli import main
for line in sys.stdin:
    said = StringIO(), StringIO()
    signal.alarm(int(sys.argv[2]))
    with redirect_stdout(said[0]), redirect_stderr(said[1]):
        code = main(json.loads(line))
    print(json.dumps([code, said[0].getvalue(), said[1].getvalue()]), flush=True)
"""


@pytest.fixture(scope="module")
def blasts(folder):
    """(exit code, stdout, stderr) of each bomb by name, all run by one process of limited memory."""
    bombs = [each for each in CASES if each.bomb]
    lines = "".join(json.dumps(each.command(folder / each.group / each.name)) + "\n" for each in bombs)
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(MEMORY), str(SECONDS)],
        input=lines, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(bombs), f"stopped at {bombs[len(answers)].name}: {done.stderr[-500:]}"
    return {f"{each.group}-{each.name}": answer for each, answer in zip(bombs, answers, strict=True)}


@pytest.mark.parametrize("each", [c for c in CASES if c.bomb], ids=lambda c: f"{c.group}-{c.name}")
def test_bomb(each, folder, blasts):
    check(each, folder / each.group / each.name, *blasts[f"{each.group}-{each.name}"])


def test_the_corpus_is_the_same_every_time_small_and_large_enough(folder, tmp_path):
    build(tmp_path / "again", CASES)
    made = {name: digest for name, digest in listing(tmp_path / "again").items() if "out" not in name}
    assert made.items() <= listing(folder).items()
    assert sum(path.lstat().st_size for path in (tmp_path / "again").rglob("*")) < 20 << 20
    assert len({(each.group, each.name) for each in CASES}) == len(CASES)
    assert len(CASES) >= 120


def test_nothing_was_executed(folder):
    assert not list(folder.rglob("canary"))
    assert not Path("canary").exists()
