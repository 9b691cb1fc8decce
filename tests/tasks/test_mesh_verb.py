"""`isofield mesh`: a run comes back as a mesh file in place, in the units and axes asked for."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import trimesh

from isofield.cli import main
from isofield.fields.exact import ExactField
from isofield.frame import UnitFrame
from isofield.mesh.audit import audit_file
from isofield.mesh.read import read_mesh
from isofield.runs import open_run
from isofield.tasks.mesh import peak_memory, reduced, scaled

SIZE, CENTER = np.array([60.0, 40.0, 20.0]), np.array([500.0, -300.0, 70.0])  # a brick, off-centre, all sides unlike


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "brick"
    brick = trimesh.creation.box(SIZE)
    vertices = np.asarray(brick.vertices) + CENTER
    frame = UnitFrame.of(vertices)
    field = ExactField(frame.to_unit(vertices), brick.faces, frame)
    with open_run(folder, {"seed": 0}) as opened:
        opened.save(0, field.spec(), field.tensors())
    return folder


def mesh_json(capsys, *arguments: str) -> dict:
    assert main(["mesh", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("suffix", [".ply", ".glb", ".obj", ".stl"])
def test_every_format_comes_back_closed_and_in_place(run, tmp_path, capsys, suffix):
    path = tmp_path / f"out{suffix}"
    report = mesh_json(capsys, str(run), "-o", str(path), "--resolution", "48")
    audit = audit_file(path)
    assert audit.watertight
    assert audit.manifold
    assert (report["watertight"], report["manifold"], report["components"]) == (True, True, 1)
    assert audit.volume == pytest.approx(SIZE.prod(), rel=0.02)  # positive: faces look outward
    low, high = read_mesh(path).bounds
    cell = 2 * UnitFrame.of(np.stack([CENTER - SIZE / 2, CENTER + SIZE / 2])).scale / 47
    assert np.abs(low - (CENTER - SIZE / 2)).max() < cell / 2
    assert np.abs(high - (CENTER + SIZE / 2)).max() < cell / 2


def test_json_counts_what_was_asked_and_written(run, tmp_path, capsys):
    path = tmp_path / "out.ply"
    report = mesh_json(capsys, str(run), "-o", str(path), "--resolution", "64")
    mesh = read_mesh(path)
    assert (report["vertices"], report["faces"]) == (len(mesh.vertices), len(mesh.faces))
    assert report["dense_queries"] == 64**3
    assert report["queries"] < 64**3 / 4
    assert report["guard"] == "proven"
    assert report["seconds"] > 0
    assert report["peak_memory"] is None or report["peak_memory"] > 1 << 20


def test_same_call_same_bytes(run, tmp_path, capsys):
    for name in ("a.glb", "b.glb"):
        mesh_json(capsys, str(run), "-o", str(tmp_path / name), "--resolution", "32")
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_units_scale_about_the_origin(run, tmp_path, capsys):
    plain, inches = tmp_path / "mm.ply", tmp_path / "in.ply"
    mesh_json(capsys, str(run), "-o", str(plain), "--resolution", "32")
    mesh_json(capsys, str(run), "-o", str(inches), "--resolution", "32", "--from-units", "mm", "--units", "in")
    assert np.allclose(read_mesh(plain).vertices, read_mesh(inches).vertices * 25.4, rtol=1e-5)
    mesh_json(capsys, str(run), "-o", str(inches), "--resolution", "32", "--from-units", "m", "--units", "m")
    assert inches.read_bytes() == plain.read_bytes()


@pytest.mark.parametrize(("up", "turned"), [("y", [0, 2, -1]), ("z", [0, -2, 1])])
def test_up_is_a_turn_and_no_mirror(run, tmp_path, capsys, up, turned):
    plain, path = tmp_path / "plain.ply", tmp_path / "up.ply"
    mesh_json(capsys, str(run), "-o", str(plain), "--resolution", "32")
    mesh_json(capsys, str(run), "-o", str(path), "--resolution", "32", "--up", up)
    expected = read_mesh(plain).vertices[:, np.abs(turned)] * np.where(np.array(turned) < 0, -1, 1)
    assert np.array_equal(read_mesh(path).vertices, expected)
    assert audit_file(path).volume == pytest.approx(audit_file(plain).volume, rel=1e-5)


def test_fewer_faces(run, tmp_path, capsys):
    path = tmp_path / "few.ply"
    report = mesh_json(capsys, str(run), "-o", str(path), "--resolution", "48", "--faces", "500")
    assert len(read_mesh(path).faces) == report["faces"]
    assert report["faces"] == pytest.approx(500, abs=10)
    assert report["watertight"]
    assert audit_file(path).volume == pytest.approx(SIZE.prod(), rel=0.03)


def test_a_mesh_small_enough_is_left_alone():
    box = trimesh.creation.box()
    assert reduced(box, 12) is box
    assert scaled(box, None, None) is box
    assert scaled(box, "cm", "cm") is box
    assert scaled(box, "m", "mm").volume == pytest.approx(1e9)
    assert box.volume == pytest.approx(1.0)  # the mesh given is not touched


def test_peak_memory_is_in_bytes():
    peak = peak_memory()
    assert peak is None or 20 << 20 < peak < 1 << 40


@pytest.mark.parametrize("name", ["out.xyz", "out", "folder.ply"])
def test_a_bad_output_is_refused_before_any_work(run, tmp_path, capsys, monkeypatch, name):
    monkeypatch.setattr("isofield.tasks.mesh.load", lambda _: pytest.fail("loaded"))
    (tmp_path / "folder.ply").mkdir()
    assert main(["mesh", str(run), "-o", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.ply"]


def test_no_run_and_damaged_runs_are_one_line(run, tmp_path, capsys):
    out = str(tmp_path / "out.ply")
    for place, fault in ((tmp_path, "holds no isofield run"), (Path(__file__), "is a file, not a run folder")):
        assert main(["mesh", str(place), "-o", out]) == 2
        assert fault in capsys.readouterr().err
    copy = tmp_path / "copy"
    for path in run.rglob("*.*"):
        if path.is_file():
            target = copy / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    model = copy / "checkpoint-00000000" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-1] + b"\x7f")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["mesh", str(copy), "-o", out]) == 2
    err = capsys.readouterr().err
    assert "no checkpoint is whole" in err
    assert not Path(out).exists()
