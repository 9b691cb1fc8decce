import shutil

import numpy as np
import pytest
import trimesh

from isofield.cloud.cloud import Cloud
from isofield.errors import InputError
from isofield.fields.exact import ExactField
from isofield.viewer.drawn import drawn, spacing, thinned
from isofield.viewer.items import read_items, run_input

NOT_MUCH = 0.02


def one(path, **more):
    return read_items((path,), **more)[0]


def test_each_kind_of_input_is_what_it_is(files):
    mesh, cloud, run = read_items((files / "unit.ply", files / "cloud.xyz", files / "run"))
    assert isinstance(mesh.shape, trimesh.Trimesh)
    assert isinstance(cloud.shape, Cloud)
    assert isinstance(run.shape, ExactField)
    assert [item.name for item in (mesh, cloud, run)] == ["unit.ply", "cloud.xyz", "run"]
    assert cloud.sdf is None
    for item in (mesh, run):
        assert np.linalg.norm(item.outline, axis=1) == pytest.approx(np.ones(len(item.outline)))
        assert item.frame.scale == pytest.approx(1.03, rel=1e-3)


def test_equal_names_are_told_apart(files, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(files / "unit.ply", tmp_path / folder)
    paths = (tmp_path / "a" / "unit.ply", tmp_path / "b" / "unit.ply", tmp_path / "b" / "unit.ply")
    assert [item.name for item in read_items(paths)] == ["a/unit.ply", "b/unit.ply", "b/unit.ply (2)"]


def test_nonsense_is_refused(files, tmp_path):
    with pytest.raises(InputError, match="holds no isofield run"):
        read_items((tmp_path,))
    with pytest.raises(InputError, match=r"cloud\.xyz"):
        read_items((files / "unit.ply",), files / "cloud.xyz")


def test_the_input_of_a_run_is_found_until_it_changes(files, tmp_path):
    shutil.copytree(files / "run", tmp_path / "run")
    assert run_input(tmp_path / "run") == files / "unit.ply"
    (tmp_path / "run" / "report.json").unlink()
    assert run_input(tmp_path / "run") is None
    shutil.copy(files / "unit.ply", tmp_path)
    assert run_input(tmp_path / "run") == tmp_path / "unit.ply"
    assert one(tmp_path / "run").truth is not None
    (tmp_path / "unit.ply").write_bytes((files / "larger.ply").read_bytes())
    assert run_input(tmp_path / "run") is None
    assert one(tmp_path / "run").truth is None


def test_a_checkpoint_is_its_run(files):
    checkpoint = next((files / "run").glob("checkpoint-*"))
    item = one(checkpoint)
    assert isinstance(item.shape, ExactField)
    assert item.truth is not None


def test_errors_are_percent_of_the_truths_radius(files):
    found = drawn(one(files / "larger.ply", truth=files / "unit.ply"), 0, 0.0)
    at_vertices = found.errors[np.abs(np.linalg.norm(found.mesh.vertices, axis=1) - 1.1) < 1e-6]
    assert at_vertices == pytest.approx(np.full(len(at_vertices), 10), rel=0.03)
    same = drawn(one(files / "unit.ply", truth=files / "unit.ply"), 0, 0.0)
    assert same.errors.max() < 1e-6
    assert drawn(one(files / "unit.ply"), 0, 0.0).errors is None
    truth = one(files / "cloud.xyz", truth=files / "larger.ply").truth
    assert truth.errors(np.array([[0.0, 0, 3.3]])) == pytest.approx(200)


def test_a_run_is_extracted_at_the_level_asked_for(files):
    item = one(files / "run")
    for level in (0.0, 0.02, -0.2):
        radius = np.linalg.norm(drawn(item, 40, level).mesh.vertices, axis=1)
        assert radius == pytest.approx(np.full(len(radius), 1 + 1.03 * level), abs=NOT_MUCH)
    nothing = drawn(item, 40, -5.0)
    assert len(nothing.mesh.faces) == 0
    assert "no surface at level -5" in nothing.about


def test_what_was_seen_is_read_from_the_file_and_carried_to_finer_triangles(files):
    item = one(files / "seen.ply")
    assert np.array_equal(item.seen, item.shape.vertices[:, 0] > 0)
    found = drawn(item, 0, 0.0)
    clear = np.abs(found.mesh.vertices[:, 0]) > 0.2
    assert np.array_equal(found.seen[clear], found.mesh.vertices[clear, 0] > 0)
    assert drawn(one(files / "unit.ply"), 0, 0.0).seen is None


def test_a_run_fitted_to_points_was_seen_where_they_are(files):
    item = one(files / "scanned")
    assert item.truth is None
    assert np.linalg.norm(item.outline, axis=1) == pytest.approx(np.ones(len(item.outline)), abs=NOT_MUCH)
    found = drawn(item, 40, 0.0)
    x = found.mesh.vertices[:, 0]
    assert found.seen[x > 0.05].all()
    assert not found.seen[x < -0.2].any()
    assert drawn(item, 40, -5.0).seen is None
    assert drawn(one(files / "run"), 40, 0.0).seen is None


def test_a_fine_mesh_is_thinned_and_counted_as_it_is(files, monkeypatch):
    monkeypatch.setattr("isofield.viewer.drawn.MOST_FACES", 500)
    found = drawn(one(files / "unit.ply"))
    assert len(found.mesh.faces) <= 500
    assert np.linalg.norm(found.mesh.vertices, axis=1) == pytest.approx(np.ones(len(found.mesh.vertices)), abs=0.03)
    assert found.about == "1,280 triangles, closed"


def test_thinning_keeps_rows_of_the_cloud_and_spacing_is_that_of_a_lattice(files):
    cloud = one(files / "cloud.xyz").shape
    few = thinned(cloud, 100)
    assert len(few) == 100
    assert set(map(tuple, few.points)) <= set(map(tuple, cloud.points))
    assert thinned(cloud, 10_000) is cloud
    lattice = np.stack(np.meshgrid(*[np.arange(6) * 0.25] * 3), -1).reshape(-1, 3)
    assert spacing(lattice) == pytest.approx(0.25)
    assert spacing(np.zeros((1, 3))) == 0.0
