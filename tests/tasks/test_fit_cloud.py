"""`isofield fit` for points: what it writes, what it says of seen and invented, what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from isofield.cli import main
from isofield.cloud.cloud import Cloud
from isofield.errors import InputError
from isofield.fields.field import sdf_numpy
from isofield.mesh.audit import audit, audit_file
from isofield.mesh.read import read_mesh
from isofield.runs import load
from isofield.settings.shapes import FitSettings
from isofield.tasks import cloud_results, fit_cloud, training
from isofield.tasks.cloud_results import without_pinches
from isofield.tasks.fit import run_fit
from isofield.tasks.fit_cloud import with_sides

SIZE = 64  # of the preview's pictures
RADIUS, CENTER = 20.0, np.array([7.0, -3.0, 100.0])


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    monkeypatch.setattr(cloud_results, "PICTURE", SIZE)


def directions(count: int = 1000) -> np.ndarray:
    points = np.random.default_rng(0).standard_normal((count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def write_cloud(path: Path, outward: np.ndarray, normals: bool = True) -> Path:
    points = outward * RADIUS + CENTER
    np.savetxt(path, np.hstack([points, outward]) if normals else points)
    return path


def fit_file(path: Path, folder: Path, **options) -> dict:
    return run_fit(FitSettings(path, folder, **{"resolution": 40, "method": "poisson", **options}))


def seen_of(path: Path) -> np.ndarray:
    """The vertex property, read without our own reader."""
    return trimesh.load(path, process=False).metadata["_ply_raw"]["vertex"]["data"]["seen"].reshape(-1)


def test_points_with_normals_become_a_closed_sphere(tmp_path, capsys):
    report = fit_file(write_cloud(tmp_path / "ball.xyz", directions()), tmp_path / "run")
    assert {p.name for p in (tmp_path / "run").iterdir()} >= {"mesh.ply", "mesh.glb", "report.json", "preview.png"}
    assert report == json.loads((tmp_path / "run/report.json").read_text())
    said = capsys.readouterr().err
    assert "points, with normals: screened Poisson" in said
    assert "open" not in said
    assert (report["sides"], report["trimmed"], report["watertight"], report["manifold"]) == (
        "given",
        False,
        True,
        True,
    )
    assert report["residual_mean_user"] < 0.02 * RADIUS
    assert report["residual_mean_user"] == pytest.approx(report["residual_mean"] * report["unit_length_user"])
    audited = audit_file(tmp_path / "run/mesh.ply")
    assert audited.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.05)
    assert (report["seen_share"], report["points_off"], report["ghosts_removed"]) == (1, 0, 0)
    assert (seen_of(tmp_path / "run/mesh.ply") == 1).all()
    with Image.open(tmp_path / "run/preview.png") as image:
        assert image.width >= 3 * SIZE
    field = load(tmp_path / "run")
    assert sdf_numpy(field, field.frame.to_unit(CENTER[None]))[0] < -0.5


def test_the_unseen_half_is_left_out_unless_asked_for(tmp_path, capsys):
    outward = directions(2000)
    path = write_cloud(tmp_path / "bowl.xyz", outward[outward[:, 2] < 0.2])
    report = fit_file(path, tmp_path / "open")
    assert "the mesh is open; --close keeps it" in capsys.readouterr().err
    assert (report["trimmed"], report["watertight"], report["manifold"]) == (True, False, True)
    assert report["trimmed_share"] > 0.1
    mesh = read_mesh(tmp_path / "open/mesh.ply")
    assert mesh.vertices[:, 2].max() < CENTER[2] + 0.45 * RADIUS
    assert np.abs(np.linalg.norm(mesh.vertices - CENTER, axis=1) - RADIUS).max() < 0.35 * RADIUS
    closed = fit_file(path, tmp_path / "closed", close=True)
    assert (closed["trimmed"], closed["watertight"]) == (False, True)
    assert closed["invented_share"] == pytest.approx(report["trimmed_share"], abs=0.02)
    mesh, seen = read_mesh(tmp_path / "closed/mesh.ply"), seen_of(tmp_path / "closed/mesh.ply")
    assert (seen[mesh.vertices[:, 2] < CENTER[2]] == 1).all()
    assert 0 < (seen == 0).mean() < 0.6


@pytest.fixture
def few_samples(monkeypatch):
    monkeypatch.setattr(training, "FEWEST", 10_000)


def test_a_network_learns_from_points_without_normals(tmp_path, capsys, few_samples):
    path = write_cloud(tmp_path / "ball.xyz", directions(), normals=False)
    report = fit_file(
        path, tmp_path / "run", method="learned", steps=100, encoding="none", activation="softplus", width=32, depth=2
    )
    assert "turned outward by their winding number" in capsys.readouterr().err
    assert (report["steps"], report["sides"]) == (100, "winding number")
    field = load(tmp_path / "run")
    radius = RADIUS / field.frame.scale
    at = np.concatenate([directions(300) * radius * 0.8, directions(300) * radius * 1.15])
    values = sdf_numpy(field, at + field.frame.to_unit(CENTER[None]))
    assert ((values < 0) == (np.arange(600) < 300)).mean() > 0.97


@pytest.mark.parametrize("method", ["exact", "grid", "mls", "rbf"])
def test_every_method_finds_the_same_ball_where_it_lies(tmp_path, method):
    report = fit_file(write_cloud(tmp_path / "ball.xyz", directions()), tmp_path / "run", method=method)
    assert (report["watertight"], report["manifold"], report["euler"]) == (True, True, 2)
    assert report["residual_mean_user"] < 0.01 * RADIUS
    assert load(tmp_path / "run").frame.center == pytest.approx(CENTER, abs=0.1)
    assert report["volume"] == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.02)


def test_ball_pivoting_leaves_a_mesh_and_no_field(tmp_path, capsys):
    path = write_cloud(tmp_path / "ball.xyz", directions())
    report = fit_file(path, tmp_path / "run", method="ball-pivoting")
    mesh = read_mesh(tmp_path / "run/mesh.ply")
    assert np.linalg.norm(mesh.vertices - CENTER, axis=1) == pytest.approx(RADIUS, rel=1e-5)
    assert np.einsum("fd,fd->f", mesh.face_normals, mesh.triangles_center - CENTER).min() > 0
    assert report["residual_median"] < 1e-6
    assert report["border_edges"] == 0 or not report["watertight"]
    assert {"queries", "guard", "bytes"}.isdisjoint(report)
    assert main(["mesh", str(tmp_path / "run"), "-o", str(tmp_path / "out.ply")]) == 2
    assert "a mesh and no field; take its mesh.ply" in capsys.readouterr().err
    assert fit_file(path, tmp_path / "run", method="ball-pivoting")["border_edges"] == report["border_edges"]


def test_sign_agnostic_learning_is_tested_for_its_sides(tmp_path, few_samples):
    path = write_cloud(tmp_path / "ball.xyz", directions(), normals=False)
    report = fit_file(path, tmp_path / "run", method="sal", steps=40)
    assert report["sign_crossed"] > 0.95
    assert report["sign_inside"] == pytest.approx(4 / 3 * np.pi / 1.03**3 / 8, abs=0.05)
    assert report["sides"] == "none"


def test_where_sides_cannot_be_told_none_are_needed(tmp_path, capsys, monkeypatch):
    path = write_cloud(tmp_path / "ball.xyz", directions(), normals=False)
    monkeypatch.setattr(fit_cloud, "DOUBTFUL", 2.0)
    with pytest.warns(UserWarning, match="doubtful"):
        assert fit_file(path, tmp_path / "sided")["sides"] == "winding number"
    monkeypatch.setattr(fit_cloud, "DOUBTFUL", 0.8)
    monkeypatch.setattr(training, "FEWEST", 10_000)
    monkeypatch.setattr(fit_cloud, "HOPELESS", 2.0)
    report = fit_file(path, tmp_path / "run", method="learned", steps=40)
    assert "cannot be told" in capsys.readouterr().err
    assert (report["method"], report["sides"]) == ("sal", "none")
    assert report["sign_crossed"] > 0.95
    assert fit_file(path, tmp_path / "run", method="learned", steps=40)["sign_crossed"] == report["sign_crossed"]


def test_normals_of_the_file_count_and_others_are_made():
    outward = directions()
    cloud = Cloud(outward * RADIUS + CENTER, source="ball")
    made = with_sides(cloud)
    assert made.by == "winding number"
    assert (np.einsum("nd,nd->n", made.cloud.normals, outward) > 0.9).all()
    seen = with_sides(Cloud(cloud.points, sensors=np.tile(CENTER, (len(outward), 1))))
    assert seen.by == "sensors"
    assert (np.einsum("nd,nd->n", seen.cloud.normals, outward) < -0.9).all()
    given = with_sides(Cloud(cloud.points, normals=-outward))
    assert given.by == "given"
    assert np.array_equal(given.cloud.normals, -outward)


def test_what_does_not_fit_together_is_refused(tmp_path):
    trimesh.creation.box().export(tmp_path / "box.ply")
    with pytest.raises(InputError, match="poisson needs points"):
        fit_file(tmp_path / "box.ply", tmp_path / "run")
    with pytest.raises(InputError, match="--close: is about points"):
        fit_file(tmp_path / "box.ply", tmp_path / "run", method="exact", close=True)
    with pytest.raises(InputError, match="20 of its 20 points"):
        fit_file(write_cloud(tmp_path / "few.xyz", directions(20)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_faces_round_a_pinch_are_taken_away():
    """Two fans that meet in one vertex."""
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 4, 5], [6, 4, 5]])
    assert without_pinches(faces).tolist() == [[6, 4, 5]]
    whole = trimesh.creation.icosphere(2)
    assert len(without_pinches(np.asarray(whole.faces))) == len(whole.faces)
    cut = np.asarray(whole.faces)[np.random.default_rng(0).random(len(whole.faces)) < 0.7]
    left = without_pinches(cut)
    assert 0 < len(left) < len(cut)
    assert audit(trimesh.Trimesh(whole.vertices, left, process=False)).manifold
