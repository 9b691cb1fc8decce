"""Progress: a bar on a terminal, few plain lines elsewhere, nothing when silent."""

import re
import sys
from io import StringIO

import pytest

from isofield import progress as module
from isofield.progress import progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests move by hand."""
    time = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: time[0])
    return time


def test_lines_come_every_five_seconds_and_at_the_end(clock, capsys):
    with progress("fit", 100) as advance:
        for done in range(1, 101):
            clock[0] += 1.0
            advance(done, loss=0.5 / done)
    lines = capsys.readouterr().err.splitlines()
    assert [int(re.findall(r"\d+", line)[0]) for line in lines] == list(range(10, 101, 10))
    assert lines[0] == "fit: 10/100 loss 0.05"


def test_a_fast_job_says_only_that_it_is_done(clock, capsys):
    with progress("fit", 1000) as advance:
        for done in range(1, 1001):
            advance(done)
        advance(1000)
    assert capsys.readouterr().err == "fit: 1000/1000\n"


def test_terminal_gets_a_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    with progress("fit", 4) as advance:
        advance(4, loss=0.25)
    assert "fit" in stream.getvalue()
    assert "100%" in stream.getvalue()
    assert "loss 0.25" in stream.getvalue()


def test_bar_ends_with_an_exception(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(RuntimeError), progress("fit", 4):
        raise RuntimeError
    with progress("again", 1):  # rich allows one live display at a time
        pass


def test_silent_and_stderr_by_default(capsys):
    with progress("fit", 1, silent=True) as advance:
        advance(1, loss=1.0)
    assert capsys.readouterr() == ("", "")
    with progress("fit", 1) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "fit: 1/1\n")
