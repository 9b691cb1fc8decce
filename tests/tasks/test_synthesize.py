"""`isofield synthesize`: the same bytes whoever makes them, what is missing is made, what is there is left alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals

from isofield.cli import main
from isofield.errors import InputError
from isofield.files import sha256
from isofield.jobs import map_jobs
from isofield.mesh.audit import audit, audit_file
from isofield.mesh.read import read_mesh
from isofield.tasks.synthesize import without_cavities


def synthesize(*arguments: object) -> int:
    return main(["synthesize", *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "env.json"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "tables"
    assert synthesize("tables", "-n", 3, "-o", folder, "--jobs", 1, "--seed", 3) == 0
    return folder


def test_the_bytes_do_not_depend_on_the_number_of_jobs(made, tmp_path):
    assert synthesize("tables", "-n", 3, "-o", tmp_path, "--jobs", 2, "--seed", 3) == 0
    one, two = contents(made), contents(tmp_path)
    assert one == two
    assert {f"tables_{k:05d}.{end}" for k in range(3) for end in ("ply", "json")} <= set(one)
    assert {"manifest.json", "sheet.png"} <= set(one)


def test_only_what_is_missing_or_damaged_is_made(made, tmp_path, capsys):
    folder = shutil.copytree(made, tmp_path / "tables")
    before, times = contents(folder), {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "tables_00001.ply").write_bytes(before["tables_00001.ply"][:-1])
    (folder / "tables_00002.json").unlink()
    assert synthesize("tables", "-n", 4, "-o", folder, "--jobs", 1, "--seed", 3, "--json") == 0
    assert json.loads(capsys.readouterr().out)["made"] == 3
    after = contents(folder)
    assert all(after[name] == before[name] for name in before if name.startswith("tables"))
    for name in ("tables_00000.ply", "tables_00000.json"):
        assert (folder / name).stat().st_mtime_ns == times[name]
    assert len(json.loads(after["manifest.json"])["shapes"]) == 4
    assert synthesize("tables", "-n", 3, "-o", folder, "--seed", 3) == 2, "what is there is not taken away"


def test_a_folder_keeps_to_its_family_and_seed(made, tmp_path, capsys):
    folder = shutil.copytree(made, tmp_path / "tables")
    assert synthesize("lamps", "-n", 3, "-o", folder, "--seed", 3) == 2
    assert 'family "tables" -> "lamps"' in capsys.readouterr().err
    assert synthesize("tables", "-n", 3, "-o", folder, "--seed", 1) == 2
    assert synthesize("lamps", "-n", 1, "-o", folder, "--seed", 1, "--restart") == 0
    assert not list(folder.glob("tables*"))
    assert synthesize("tables", "-n", 0, "-o", folder) == 2


def test_the_manifest_and_the_sheet_say_what_is_there(made):
    manifest = json.loads((made / "manifest.json").read_text())
    assert (manifest["family"], manifest["seed"], manifest["count"]) == ("tables", 3, 3)
    assert len({entry["sha256"] for entry in manifest["shapes"]}) == 3
    for entry in manifest["shapes"]:
        assert entry["sha256"] == sha256(made / entry["mesh"])
        assert entry["label"] == "table"
        about = json.loads((made / entry["about"]).read_text())
        mesh = read_mesh(made / entry["mesh"])
        assert about["parts"][-1]["faces"][1] == len(mesh.faces)
        part = about["parts"][0]
        rows = np.asarray(mesh.vertices)[slice(*part["vertices"])]
        local = (rows - part["box"]["center"]) @ np.array(part["box"]["axes"]).T
        assert np.abs(local).max(0) == pytest.approx(np.array(part["box"]["size"]) / 2, abs=1e-7)
        assert audit_file(made / entry["mesh"]).watertight
    picture = np.asarray(Image.open(made / "sheet.png"))
    assert picture.shape[2] == 3
    assert (picture < 250).any(2).mean() > 0.02


def test_a_union_is_one_closed_surface(tmp_path):
    assert synthesize("tables", "-n", 1, "-o", tmp_path, "--union", "--resolution", 32, "--seed", 1) == 0
    found = audit_file(tmp_path / "tables_00000.ply")
    assert found.watertight
    assert found.manifold
    assert found.volume > 0
    about = json.loads((tmp_path / "tables_00000.json").read_text())
    assert about["union"]
    assert found.components < len(about["parts"])


def test_what_a_union_encloses_is_filled():
    ball, hole, other = (
        trimesh.creation.icosphere(2, 2.0),
        trimesh.creation.icosphere(2, 1.0),
        trimesh.creation.icosphere(2),
    )
    hole.invert()
    other.apply_translation([4, 0, 0])
    mesh = trimesh.util.concatenate([ball, hole, other])
    mesh.visual = ColorVisuals(mesh, vertex_colors=np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4)))
    solid = without_cavities(mesh)
    found = audit(solid)
    assert found.components == 2
    assert found.watertight
    assert found.volume == pytest.approx(ball.volume + other.volume)
    count = len(ball.vertices)
    assert np.array_equal(solid.visual.vertex_colors[:count, :3], mesh.visual.vertex_colors[:count, :3])


@pytest.mark.slow
def test_a_killed_command_goes_on_and_ends_the_same(tmp_path):
    call = [sys.executable, "-m", "isofield", "synthesize", "sofas", "-n", "40", "--jobs", "2", "-o"]
    subprocess.run([*call, str(tmp_path / "whole")], check=True, capture_output=True)
    process = subprocess.Popen([*call, str(tmp_path / "killed")], stderr=subprocess.DEVNULL, start_new_session=True)
    while len(list((tmp_path / "killed").glob("sofas_*.json"))) < 8:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("sofas_*.json")}
    assert 8 <= len(done) < 40
    subprocess.run([*call, str(tmp_path / "killed")], check=True, capture_output=True)
    assert all(path.stat().st_mtime_ns == written for path, written in done.items())
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_jobs_come_back_in_order_and_errors_come_through():
    assert list(map_jobs(str, [3, 1, 2], jobs=2)) == ["3", "1", "2"]
    assert list(map_jobs(str, [], jobs=2)) == []
    with pytest.raises(InputError, match="--backend: 'nowhere' cannot be had"):
        list(map_jobs(str, [1, 2], jobs=2, backend="nowhere"))
    for jobs in (1, 2):
        with pytest.raises(ValueError, match="invalid literal"):
            list(map_jobs(int, ["1", "x"], jobs=jobs))
