"""`isofield sample`: stores and DeepSDF's files, the same bytes whoever makes them, one bad mesh left out."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from isofield.cli import main
from isofield.errors import InputError
from isofield.files import sha256
from isofield.locking import locked
from isofield.runs import load_space
from isofield.samples import deepsdf
from isofield.samples.store import SampleStore, read_arrays, write_shape
from isofield.tasks import sample as sample_task
from isofield.tasks.sample import NEAR
from needs import posix


def sample(*arguments: object) -> int:
    return main(["sample", *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "env.json"}


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    """Two balls and two bricks, in folders by class; one ball is coloured by its height."""
    folder = tmp_path_factory.mktemp("meshes")
    for label in ("balls", "bricks"):
        (folder / label).mkdir()
    for k in range(2):
        ball = trimesh.creation.icosphere(3, 2.0 + k)
        if k:
            colors = np.zeros((len(ball.vertices), 4), np.uint8)
            colors[:, 0], colors[:, 3] = np.where(ball.vertices[:, 2] > 0, 255, 0), 255
            ball.visual = ColorVisuals(ball, vertex_colors=colors)
        ball.export(folder / "balls" / f"{k}.ply")
        trimesh.creation.box((1, 1, 2 + k)).export(folder / "bricks" / f"{k}.ply")
    return folder


@pytest.fixture(scope="module")
def store(meshes, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("store") / "store"
    assert sample(meshes, "-o", folder, "--count", 4000, "--jobs", 1) == 0
    return folder


def test_the_store_holds_the_distance_to_each_shape_in_its_unit_frame(store):
    shapes = SampleStore(store).shapes
    assert [shape.name for shape in shapes] == ["balls-0", "balls-1", "bricks-0", "bricks-1"]
    assert [shape.label for shape in shapes] == ["balls", "balls", "bricks", "bricks"]
    rows = SampleStore(store).rows(0, 0, 4000)
    np.testing.assert_allclose(rows["sdf"], np.linalg.norm(rows["points"], axis=1) - 1 / 1.03, atol=5e-3)
    assert (rows["sdf"] < 0).mean() == pytest.approx(0.5, abs=0.1)
    np.testing.assert_allclose(np.linalg.norm(rows["closest"] - rows["points"], axis=1), abs(rows["sdf"]), atol=1e-6)
    outward = np.einsum("nd,nd->n", rows["normals"], rows["closest"])
    assert outward.min() > 0.9
    assert shapes[0].frame.scale == pytest.approx(2 * 1.03)
    assert shapes[2].columns == ("points", "sdf", "closest", "normals")


def test_colours_and_view_directions_come_with_coloured_meshes(store):
    rows = SampleStore(store).rows(1, 0, 4000)
    high = rows["closest"][:, 2] > 0.3
    assert (rows["colors"][high] == (255, 0, 0)).all()
    assert (np.einsum("nd,nd->n", rows["directions"], rows["normals"]) <= 1e-6).all(), "seen from outside"


def test_any_run_of_rows_is_a_fair_draw(store):
    """Rows in the order of sampling would put those near the surface first."""
    shares = [(abs(SampleStore(store).rows(2, k * 1000, 1000)["sdf"]) < NEAR[0]).mean() for k in range(4)]
    assert np.ptp(shares) < 0.06
    assert len(SampleStore(store).rows(0, 3990, 100)["sdf"]) == 10


def test_the_manifest_names_every_file_with_its_digest(store, meshes):
    manifest = json.loads((store / "manifest.json").read_text())
    assert (manifest["count"], manifest["seed"], manifest["failed"]) == (4000, 0, {})
    for entry in manifest["shapes"]:
        assert entry["sha256"] == sha256(store / entry["file"])
        assert entry["source_sha256"] == sha256(entry["source"])


def test_the_bytes_do_not_depend_on_the_number_of_jobs(store, meshes, tmp_path):
    assert sample(meshes, "-o", tmp_path / "store", "--count", 4000, "--jobs", 2) == 0
    assert contents(tmp_path / "store") == contents(store)


def test_one_bad_mesh_is_named_and_left_out_and_only_what_is_missing_is_made(meshes, tmp_path, capsys):
    mine = shutil.copytree(meshes, tmp_path / "meshes")
    (mine / "bricks" / "bad.ply").write_bytes(b"ply\nformat nothing\n")
    command = (mine, "-o", tmp_path / "store", "--count", 500, "--jobs", 1, "--json")
    assert sample(*command) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["shapes"], first["resumed"], list(first["failed"])) == (4, 0, ["bricks-bad"])
    whole = contents(tmp_path / "store")
    path = tmp_path / "store" / "balls-1.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    shutil.copy(mine / "balls" / "1.ply", mine / "balls" / "0.ply")
    (mine / "bricks" / "bad.ply").unlink()
    capsys.readouterr()
    assert sample(*command) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["shapes"], again["resumed"], again["failed"]) == (4, 2, {})
    after = contents(tmp_path / "store")
    assert after["balls-1.safetensors"] == whole["balls-1.safetensors"]
    assert after["balls-0.safetensors"] != whole["balls-0.safetensors"], "its mesh is another"
    assert sample(mine, "-o", tmp_path / "store", "--count", 600) == 2
    assert "count 500 -> 600" in capsys.readouterr().err


def test_what_nobody_foresaw_costs_one_mesh_and_not_the_others(meshes, tmp_path, capsys, monkeypatch):
    usual = sample_task._columns

    def fails(job):
        if job.source.stem == "1":
            raise RuntimeError("a cosmic ray")
        return usual(job)

    monkeypatch.setattr(sample_task, "_columns", fails)
    assert sample(meshes, "-o", tmp_path / "store", "--count", 500, "--jobs", 1, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["shapes"] + len(report["failed"]) == 4
    assert all("1.ply: RuntimeError: a cosmic ray" in fault for fault in report["failed"].values())
    assert report["failed"]


@posix
def test_killed_and_gone_on_with_is_the_same_as_never_killed(meshes, store, tmp_path, capsys):
    command = [str(meshes), "-o", str(tmp_path / "store"), "--count", "4000", "--jobs", "1"]
    process = subprocess.Popen([sys.executable, "-m", "isofield", "sample", *command], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "store" / "balls-0.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sample(*command, "--json") == 0
    assert json.loads(capsys.readouterr().out)["resumed"] >= 1
    assert contents(tmp_path / "store") == contents(store)


def test_two_writers(meshes, tmp_path, capsys):
    (tmp_path / "store").mkdir()
    with locked(tmp_path / "store"):
        assert sample(meshes, "-o", tmp_path / "store", "--count", 100) == 2
    assert "another isofield process writes here" in capsys.readouterr().err
    assert not list((tmp_path / "store").glob("*.safetensors"))


def test_classes_from_a_file_and_equal_numbers_of_each(meshes, tmp_path, capsys):
    classes = tmp_path / "classes.csv"
    classes.write_text("balls-0,round\nballs-1,round\nbricks-0,round\nbricks-1,square\n")
    command = (meshes, "--count", 100, "--jobs", 1, "--classes", classes)
    assert sample(*command, "-o", tmp_path / "one", "--per-class", 1) == 0
    assert sorted(str(shape.label) for shape in SampleStore(tmp_path / "one").shapes) == ["round", "square"]
    assert sample(*command, "-o", tmp_path / "two", "--per-class", 2) == 2
    assert "there are 1 of square" in capsys.readouterr().err
    classes.write_text('balls-0,"a",b\n')
    assert sample(*command, "-o", tmp_path / "three") == 2
    assert "line 1 has 3 columns" in capsys.readouterr().err


def test_deepsdf_files_come_back_as_they_were_written(meshes, tmp_path):
    """Through the command both ways; the sets of samples are the same, colours and view directions too."""
    assert sample(meshes / "balls", "-o", tmp_path / "npz", "--count", 2000, "--jobs", 1, "--format", "deepsdf") == 0
    assert {path.name for path in (tmp_path / "npz").glob("*.npz")} == {"0.npz", "1.npz"}
    with np.load(tmp_path / "npz" / "1.npz") as archive:
        outside, inside = archive["pos"], archive["neg"]
    assert outside.shape[1] == inside.shape[1] == 9
    assert (outside[:, 3] >= 0).all()
    assert (inside[:, 3] < 0).all()
    np.testing.assert_allclose(np.linalg.norm(inside[:, :3], axis=1) - 1 / 1.03, inside[:, 3], atol=5e-3)
    assert sample(tmp_path / "npz", "-o", tmp_path / "store", "--count", 2000, "--jobs", 1) == 0
    back = SampleStore(tmp_path / "store").rows(1, 0, 2000)
    deepsdf.write_npz(tmp_path / "again.npz", back)
    with np.load(tmp_path / "again.npz") as archive:
        for before, after in ((outside, archive["pos"]), (inside, archive["neg"])):
            order = [np.lexsort(table[:, :4].T) for table in (before, after)]
            np.testing.assert_allclose(before[order[0]], after[order[1]], atol=1e-6)


def test_view_angles_by_hand():
    directions = np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0], [0, 0, -1]])
    angles = deepsdf.angles_of(directions)
    np.testing.assert_allclose(angles[1:], [[np.pi / 2, 0], [np.pi / 2, np.pi / 2], [np.pi / 2, np.pi]], atol=1e-12)
    np.testing.assert_allclose(deepsdf.directions_of(angles), directions, atol=1e-7)


def test_rows_without_numbers_are_left_out_and_other_archives_refused(tmp_path):
    rows = np.array([[0, 0, 0.5, 0.1], [np.nan, 0, 0, 0.2], [0.1, 0, 0, np.nan]], np.float32)
    np.savez(tmp_path / "a.npz", pos=rows, neg=np.zeros((0, 4), np.float32))
    np.testing.assert_array_equal(deepsdf.read_npz(tmp_path / "a.npz")["points"], rows[:1, :3])
    for name, arrays in {
        "five": {"pos": np.zeros((3, 5)), "neg": np.zeros((3, 5))},
        "none": {"pos": rows[1:], "neg": rows[1:]},
        "cloud": {"points": np.zeros((3, 3))},
        "objects": {"pos": np.array([{}], object), "neg": rows},
    }.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(InputError, match=r"store two arrays|plain numbers"):
            deepsdf.read_npz(tmp_path / f"{name}.npz")


def test_a_sheet_that_is_to_have_an_inside_is_refused_and_may_then_be_sampled_without(tmp_path, capsys):
    (tmp_path / "sheets").mkdir()
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False).export(tmp_path / "sheets" / "a.ply")
    command = (tmp_path / "sheets", "-o", tmp_path / "store", "--count", 100, "--jobs", 1)
    assert sample(*command, "--signs", "winding") == 2
    assert "has no inside" in capsys.readouterr().err
    assert sample(*command, "--signs", "none") == 0
    assert not SampleStore(tmp_path / "store").shapes[0].signed
    with pytest.raises(InputError, match="is what `isofield sample` wrote"):
        load_space(tmp_path / "store")


def test_damaged_and_foreign_stores_are_refused(store, tmp_path):
    with pytest.raises(InputError, match="holds no samples"):
        SampleStore(tmp_path)
    holed = {"points": np.zeros((3, 3), np.float32), "sdf": np.array([0, np.nan, 0], np.float32)}
    write_shape(tmp_path / "nan.safetensors", holed, {})
    with pytest.raises(InputError, match="sdf that are not finite"):
        read_arrays(tmp_path / "nan.safetensors")
    copy = shutil.copytree(store, tmp_path / "store")
    path = copy / "balls-0.safetensors"
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])
    with pytest.raises(InputError, match="is damaged"):
        SampleStore(copy).rows(0, 0, 10)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 7}))
    with pytest.raises(InputError, match="format 7"):
        SampleStore(copy)
