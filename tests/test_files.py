"""Files and folders are whole or not there."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from isofield.errors import InputError, IsofieldError
from isofield.files import read_json, remove_leftovers, replacing, replacing_folder, sha256, write_json
from needs import linux, posix


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: type[BaseException]) -> None:
    path.write_text("half")
    raise error


def test_content_appears_only_at_the_end(tmp_path):
    path = tmp_path / "sub" / "a.glb"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".glb"
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["a.glb"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_no_litter(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        write_half(temporary, error)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_full_disk_is_one_line_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def full(self, data):
        with open(self, "wb") as file:
            file.write(data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(IsofieldError, match=r"a\.json: no space left on the disk; free some") as caught:
        write_json(path, {"a": 2})
    assert not isinstance(caught.value, InputError)
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_denied_and_impossible_places_are_input_errors(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a part of the path is a file"), replacing(tmp_path / "file" / "a" / "b.ply"):
        pass
    with pytest.raises(InputError, match="is a folder; name a file"), replacing(tmp_path):
        pass
    with pytest.raises(InputError, match="is a file; name a folder"), replacing_folder(tmp_path / "file"):
        pass
    with pytest.raises(InputError, match="name is too long"):
        write_json(tmp_path / ("a" * 300) / "b.json", 1)

    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "a.json"))

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(InputError, match="cannot be written: permission denied"):
        write_json(tmp_path / "a.json", 1)
    assert names(tmp_path) == ["file"]


@linux
def test_a_place_that_takes_no_files_is_refused():
    with pytest.raises(InputError, match="takes no files"), replacing("/proc/a.txt") as temporary:
        temporary.write_text("x")


def test_errors_of_a_device_are_one_sentence(tmp_path):
    failed = pytest.raises(IsofieldError, match=r"a\.txt: cannot be written \(Input/output error\)")
    with failed, replacing(tmp_path / "a.txt"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert os.listdir(tmp_path) == []


def test_an_unreadable_input_is_not_blamed_on_the_output(tmp_path):
    elsewhere = str(tmp_path / "other" / "input.ply")
    with pytest.raises(PermissionError), replacing(tmp_path / "a.ply"):
        raise PermissionError(errno.EACCES, "Permission denied", elsewhere)


@posix
def test_modes_follow_umask_and_a_replaced_file_keeps_its_own(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", 1)
        assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640
        (tmp_path / "a.json").chmod(0o604)
        write_json(tmp_path / "a.json", 2)
        assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o604
        with replacing_folder(tmp_path / "folder") as staged:
            (staged / "x").write_text("x")
        assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(before)


@posix
def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "real.json").write_text("0")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write_json(tmp_path / "link.json", 1)
    assert (tmp_path / "link.json").is_symlink()
    assert read_json(tmp_path / "real.json") == 1


def test_folder_replaces_the_old_one_as_a_whole(tmp_path):
    target = tmp_path / "folder"
    for name in ("one", "two"):
        with replacing_folder(target) as staged:
            (staged / "sub").mkdir()
            (staged / "sub" / name).write_text(name)
            assert not (target / "sub" / name).exists()
    assert names(target / "sub") == ["two"]
    with pytest.raises(RuntimeError), replacing_folder(target) as staged:
        write_half(staged / "three", RuntimeError)
    assert names(target / "sub") == ["two"]
    assert names(tmp_path) == ["folder"]


def test_files_are_synced_before_the_rename_and_folders_after(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("sync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("rename"), replace(a, b))[1])
    write_json(tmp_path / "a.json", 1)
    assert events == (["sync", "rename", "sync"] if os.name == "posix" else ["sync", "rename"])


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_json_keeps_order_takes_numpy_refuses_nan(tmp_path):
    path = tmp_path / "a.json"
    value = {"z": np.float32(0.5), "a": np.arange(2), "b": np.bool_(True), "p": Path("x")}
    write_json(path, value)
    assert list(read_json(path).items()) == [("z", 0.5), ("a", [0, 1]), ("b", True), ("p", "x")]
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(TypeError, match="object has no form in JSON"):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text())["z"] == 0.5


@pytest.mark.parametrize(
    ("content", "fault"), [(b'{"a":\n 1,,}', "line 2, column 4"), (b'"\xff"', "byte 1"), (None, "does not exist")]
)
def test_broken_json_says_where(tmp_path, content, fault):
    path = tmp_path / "a.json"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=fault):
        read_json(path)


def test_only_our_leftovers_are_removed(tmp_path):
    (tmp_path / ".isofield-tmp-1-abc.ply").write_text("half")
    (tmp_path / ".isofield-tmp-1-abd" / "sub").mkdir(parents=True)
    (tmp_path / "mine.tmp").write_text("keep")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["mine.tmp"]
