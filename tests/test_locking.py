"""A folder has one writer, and none after a crash."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isofield.errors import InputError
from isofield.locking import locked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_second_holder_is_refused_with_the_first_ones_id(tmp_path):
    refusal = rf"another isofield process writes here \(process {os.getpid()}\)"
    with locked(tmp_path):
        with pytest.raises(InputError, match=refusal), locked(tmp_path):
            pass
        with pytest.raises(InputError), locked(tmp_path):  # still held after a refusal
            pass
    assert names(tmp_path) == []
    with locked(tmp_path):
        pass


def test_lock_ends_with_a_killed_process(tmp_path):
    program = (
        "from isofield.locking import locked\nimport sys\nwith locked(sys.argv[1]): print('held', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=str(holder.pid)), locked(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
    assert names(tmp_path) == []


def test_a_full_disk_still_locks(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with locked(tmp_path), pytest.raises(InputError, match="process unknown"), locked(tmp_path):
        pass
    assert names(tmp_path) == []
