"""`isofield reconstruct`: scans of boxes become shapes of a space of boxes, whose decoder's weights are set by hand."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from safetensors import safe_open

from isofield.cli import main
from isofield.fields.activations import Relu
from isofield.fields.classes import ClassTable
from isofield.fields.decoder import ColorBranch, LatentDecoder
from isofield.fields.encodings import Identity
from isofield.fields.mlp import MLP
from isofield.fields.space import Member, ShapeSpace
from isofield.frame import UnitFrame
from isofield.mesh.ply import parse_header
from isofield.mesh.ply_rows import read_rows
from isofield.mesh.read import read_mesh
from isofield.mesh.sample import sample
from isofield.metrics import evaluate as metrics
from isofield.runs import load, load_space, open_run
from isofield.samples import deepsdf
from isofield.samples.store import columns_of, write_shape
from isofield.tasks import cloud_results
from isofield.tasks import reconstruct as verb
from isofield.tasks.scans import read_depth, read_scan

HALF, SIZE, CLASS = 0.5, 0.05, {"flat": -0.15, "tall": 0.15}  # half the sides, what a code of 1 and a class add to them
TALL, FLAT = (0.53, 0.66, 0.45), (0.54, 0.31, 0.46)  # boxes of the family


def box_decoder() -> LatentDecoder:
    """max(|x| - a, |y| - b, |z| - c), where a, b, c are HALF + SIZE code and the class adds to b: as max(u, v) is
    v + relu(u - v), four layers say so; 10 keeps what must only be passed on positive."""
    decoder = LatentDecoder(Identity(), MLP(3, 1, 6, 3, Relu()), 5, modulated=True)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.zero_()
        first, second, third, last = decoder.network.layers
        first.weight.copy_(torch.cat([torch.eye(3), -torch.eye(3)]))
        second.weight[0] = torch.tensor([1.0, -1, 0, 1, -1, 0])
        second.weight[1] = torch.tensor([0.0, 1, 0, 0, 1, 0])
        second.weight[2] = torch.tensor([0.0, 0, 1, 0, 0, 1])
        second.bias[1:3] = 10 - HALF
        of_y = torch.tensor([0, SIZE, 0, CLASS["flat"], CLASS["tall"]])
        decoder.shifts[1].weight[0] = of_y - torch.tensor([SIZE, 0, 0, 0, 0])
        decoder.shifts[1].weight[1] = -of_y
        decoder.shifts[1].weight[2] = -torch.tensor([0, 0, SIZE, 0, 0])
        third.weight[0, :3] = torch.tensor([1.0, 1, -1])
        third.weight[1, 2] = 1.0
        last.weight[0, :2] = 1.0
        last.bias[0] = -10.0
    return decoder


@pytest.fixture(autouse=True)
def small_measurements(monkeypatch):
    monkeypatch.setattr(metrics, "EMD_POINTS", 64)
    monkeypatch.setattr(metrics, "L2_SAMPLES", 500)
    monkeypatch.setattr(verb, "evaluate", partial(verb.evaluate, samples=4000))
    monkeypatch.setattr(verb, "preview", partial(verb.preview, size=64))
    monkeypatch.setattr(verb, "PICTURE", 64)
    monkeypatch.setattr(cloud_results, "PICTURE", 64)


@pytest.fixture(scope="module")
def prior(tmp_path_factory) -> Path:
    """A run as `isofield train auto-decoder` leaves it."""
    torch.manual_seed(0)
    members = [Member(f"s{i}", list(CLASS)[i % 2]) for i in range(12)]
    table = ClassTable.one_hot(list(CLASS))
    space = ShapeSpace(box_decoder(), members, classes=table, painter=ColorBranch(6, 4)).eval()
    with torch.no_grad():
        space.codes.copy_(torch.randn(12, 3))
    folder = tmp_path_factory.mktemp("space") / "run"
    with open_run(folder, {"what": "auto-decoder"}) as begun:
        begun.save(0, space.spec(), space.tensors())
    return folder


def run(*arguments: object) -> int:
    return main([*map(str, arguments)])


def box(half: tuple[float, float, float]) -> trimesh.Trimesh:
    return trimesh.creation.box(2 * np.array(half))


@pytest.fixture
def reconstruct(prior, tmp_path, capsys):
    """Runs the verb; gives the report and the output folder."""

    def call(scan: Path, *flags: object) -> tuple[dict, Path]:
        command = ("reconstruct", scan, "--prior", prior, "-o", tmp_path / "out", "--resolution", 40, "--json")
        capsys.readouterr()
        assert run(*command, *flags) == 0
        return json.loads(capsys.readouterr().out), tmp_path / "out"

    return call


def cloud(half: tuple[float, float, float], path: Path, *, keep=lambda points: points[:, 1] > 0.1) -> Path:
    """A part of a box, with normals."""
    mesh = box(half)
    points, face = trimesh.sample.sample_surface(mesh, 6000, seed=0)
    kept = keep(points)
    np.savez(path, points=points[kept], normals=mesh.face_normals[face][kept])
    return path


def test_the_decoder_is_a_box(prior):
    space = ShapeSpace.load(prior)
    field = space.decode(torch.tensor([1.0, 2.0, -1.0]), "tall")
    points = torch.rand(200, 3) * 2 - 1
    expected = (points.abs() - torch.tensor([0.55, 0.75, 0.45])).amax(1)
    torch.testing.assert_close(field.sdf(points), expected, atol=1e-5, rtol=0)


def test_half_a_scan_is_completed_and_what_was_seen_is_marked(reconstruct, tmp_path):
    """The upper half of a box; its lower half is known from the family alone."""
    report, out = reconstruct(cloud(FLAT, tmp_path / "scan.npz"))
    result = read_mesh(out / "mesh.ply")
    np.testing.assert_allclose(result.bounds, [np.negative(FLAT), FLAT], atol=0.02)
    assert (report["class"], report["kind"], report["watertight"]) == ("flat", "points", True)
    assert report["class_costs"]["flat"] < 0.5 * report["class_costs"]["tall"]
    assert 0.3 < report["seen_share"] < 0.6
    assert report["residual_mean"] < 0.01
    seen, deviation = (vertex_column(out / "mesh.ply", name) for name in ("seen", "deviation"))
    assert not seen[result.vertices[:, 1] < -0.1].any()
    assert seen[result.vertices[:, 1] > 0.2].all()
    assert 0 < deviation.max() < 0.01
    marked = read_mesh(out / "seen.glb")
    assert len(np.unique(marked.visual.vertex_colors, axis=0)) == 2
    with torch.no_grad():
        assert load(out).sdf(torch.from_numpy(result.vertices).float()).abs().max() < 0.005
    with safe_open(out / "code.safetensors", "pt") as file:
        assert file.get_tensor("code").shape == (3,)
        assert file.get_tensor("hue").shape == (4,)
        assert json.loads(file.metadata()["isofield"])["class"] == "flat"
    for name in ("mesh.glb", "preview.png", "report.json"):
        assert (out / name).stat().st_size


def test_what_was_not_seen_is_in_doubt(reconstruct, tmp_path):
    """Of top and bottom alone: how wide the box is, is a guess."""
    report, _ = reconstruct(cloud(FLAT, tmp_path / "scan.npz", keep=lambda points: np.abs(points).max(1) < 0.4))
    assert report["deviation_invented"] > 3 * report["deviation_seen"]


def test_a_mesh_is_reconstructed_in_its_own_place_and_measured(reconstruct, tmp_path):
    mesh = box(TALL)
    mesh.vertices = mesh.vertices * 10 + (100, 0, 0)
    mesh.export(tmp_path / "new.ply")
    report, out = reconstruct(tmp_path / "new.ply")
    assert report["class"] == "tall"
    assert report["point_to_surface"] < 0.01
    assert report["evaluations"] < 800 * 8000 * 3 / 20
    np.testing.assert_allclose(read_mesh(out / "mesh.glb").bounds.mean(0), (100, 0, 0), atol=0.2)


def test_the_command_again_gives_the_same_and_other_settings_are_refused(reconstruct, prior, tmp_path, capsys):
    scan = cloud(FLAT, tmp_path / "scan.npz")
    _, out = reconstruct(scan)
    first = (out / "mesh.ply").read_bytes()
    reconstruct(scan)
    assert (out / "mesh.ply").read_bytes() == first
    assert run("reconstruct", scan, "--prior", prior, "-o", out, "--starts", 2) == 2
    assert "starts 8 -> 2" in capsys.readouterr().err
    assert run("mesh", out, "-o", tmp_path / "again.ply", "--resolution", 40) == 0
    np.testing.assert_allclose(read_mesh(tmp_path / "again.ply").bounds, read_mesh(out / "mesh.ply").bounds, atol=1e-6)


def test_the_class_can_be_given(reconstruct, tmp_path):
    report, _ = reconstruct(cloud(FLAT, tmp_path / "scan.npz"), "--class", "tall")
    assert (report["class"], list(report["class_costs"])) == ("tall", ["tall"])


@pytest.mark.parametrize("kind", ["store", "deepsdf"])
def test_samples_of_distances_are_taken_as_they_are(reconstruct, tmp_path, kind):
    mesh = box(TALL)
    mesh.vertices = mesh.vertices * 3 + 5
    samples = sample(mesh, 6000, near_fraction=0.9)
    path = tmp_path / ("tall.safetensors" if kind == "store" else "tall.npz")
    if kind == "store":
        about = {"label": "tall", "source": "", "frame": samples.frame.to_json(), "name": "tall"}
        write_shape(path, columns_of(samples), about)
    else:
        deepsdf.write_npz(path, columns_of(samples))
    report, out = reconstruct(path, "--refine", 1, "--thin", 1)
    assert (report["kind"], report["class"]) == ("samples", "tall")
    truth = mesh.bounds if kind == "store" else samples.frame.to_unit(mesh.bounds)  # a store knows where shapes were
    np.testing.assert_allclose(read_mesh(out / "mesh.ply").bounds, truth, atol=0.02 * np.ptp(truth))


def test_a_depth_picture_is_completed(reconstruct, tmp_path):
    """One view of a box: what is behind it is known from the family alone, and where it looked past it, it is free."""
    box(TALL).export(tmp_path / "tall.ply")
    assert run("render", tmp_path / "tall.ply", "-o", tmp_path / "views", "--views", 1, "--size", 64) == 0
    report, out = reconstruct(next((tmp_path / "views").rglob("*.depth.npy")))
    assert (report["kind"], report["class"]) == ("depth picture", "tall")
    assert report["free_points"] > 1000
    truth = UnitFrame.of(box(TALL).vertices).to_unit(box(TALL).bounds)
    np.testing.assert_allclose(read_mesh(out / "mesh.ply").bounds, truth, atol=0.06)


def test_the_camera_of_a_depth_picture_may_lie_in_a_file_of_its_own(reconstruct, tmp_path):
    """25 numbers, or a dataset.json that names it; the same shape as where the picture lies in its set."""
    box(TALL).export(tmp_path / "tall.ply")
    assert run("render", tmp_path / "tall.ply", "-o", tmp_path / "views", "--views", 2, "--size", 32) == 0
    second = next((tmp_path / "views").rglob("001.depth.npy"))
    labels = dict(json.loads((tmp_path / "views" / "dataset.json").read_text())["labels"])
    apart = tmp_path / "apart" / second.name
    apart.parent.mkdir()
    shutil.copy(second, apart)
    shutil.copy(second.with_name("001.png"), apart.with_name("001.png"))
    cameras = {"numbers.json": labels["tall/001.png"], "named.json": {"labels": [["001.png", labels["tall/001.png"]]]}}
    inside, out = reconstruct(second)
    expected = (out / "mesh.ply").read_bytes()
    for name, content in cameras.items():
        (tmp_path / name).write_text(json.dumps(content))
        report, out = reconstruct(apart, "--camera", tmp_path / name, "--restart")
        assert report["residual"] == inside["residual"]
        assert (out / "mesh.ply").read_bytes() == expected
    (tmp_path / "numbers.json").write_text(json.dumps(labels["tall/000.png"]))
    other, _ = reconstruct(apart, "--camera", tmp_path / "numbers.json", "--restart")
    assert other["residual"] > 2 * inside["residual"], "another camera sees another shape"


def test_space_that_a_view_looks_through_is_free_as_far_as_the_picture_tells(tmp_path):
    box(TALL).export(tmp_path / "tall.ply")
    assert run("render", tmp_path / "tall.ply", "-o", tmp_path / "views", "--views", 1, "--size", 128) == 0
    _, view = read_depth(next((tmp_path / "views").rglob("*.depth.npy")))
    points = np.random.default_rng(0).uniform(-1, 1, (3000, 3))
    clearance = view.clearance(UnitFrame(), points)
    half = UnitFrame.of(box(TALL).vertices).to_unit(box(TALL).bounds)[1]
    outside = np.linalg.norm(np.maximum(np.abs(points) - half, 0), axis=1)
    assert (clearance <= outside).all()
    assert (clearance[outside == 0] == 0).all()
    assert clearance.max() > 0.2
    behind = (view.camera.eye * points).sum(1) < -0.5 * np.linalg.norm(view.camera.eye) * np.linalg.norm(points, axis=1)
    assert clearance[behind].mean() < 0.5 * clearance[(view.camera.eye * points).sum(1) > 0].mean()


def test_align_brings_a_scan_to_the_space_and_the_result_back(reconstruct, tmp_path):
    scan = cloud(TALL, tmp_path / "scan.npz", keep=lambda points: points[:, 2] > -0.2)
    turn = trimesh.transformations.rotation_matrix(0.7, [0.3, 1, 0.1])
    with np.load(scan) as arrays:
        points, normals = arrays["points"] @ turn[:3, :3].T, arrays["normals"] @ turn[:3, :3].T
    np.savez(scan, points=7 * points + (50, 0, 3), normals=normals)
    report, out = reconstruct(scan, "--align", "--starts", "2")
    found, whole = read_mesh(out / "mesh.ply"), box(TALL)
    whole.apply_transform(turn)
    np.testing.assert_allclose(found.bounds, 7 * whole.bounds + (50, 0, 3), atol=0.4)
    assert report["pose"]["scale"] == pytest.approx(1, abs=0.3)
    with torch.no_grad():
        field = load(out)
        on_it = torch.from_numpy(field.frame.to_unit(found.vertices)).float()
        assert field.sdf(on_it).abs().mean() < 0.003  # edges are cut off by the lattice


def test_a_tuned_network_is_stored_with_the_result(reconstruct, tmp_path):
    trimesh.creation.icosphere().export(tmp_path / "ball.ply")
    plain, out = reconstruct(tmp_path / "ball.ply")
    before = load(out).decoder.network.layers[0].weight
    tuned, out = reconstruct(tmp_path / "ball.ply", "--finetune", 60, "--restart")
    assert tuned["evaluations"] > plain["evaluations"] + 60 * 3 * 2048
    assert tuned["point_to_surface"] < plain["point_to_surface"]
    seen = read_scan(tmp_path / "ball.ply").seen
    with torch.no_grad():
        found = load(out).sdf(seen.points)
    beyond = (0.1 - found * seen.sdf.sign()).clamp_min(0)
    off = torch.where(seen.sdf.abs() > 0.1, beyond, (found - seen.sdf).abs()).mean()
    assert tuned["residual"] == pytest.approx(off.item(), rel=1e-4)
    assert tuned["residual"] < plain["residual"]
    assert not torch.equal(load(out).decoder.network.layers[0].weight, before)
    with torch.no_grad():
        vertices = torch.from_numpy(load(out).frame.to_unit(read_mesh(out / "mesh.ply").vertices)).float()
        assert load(out).sdf(vertices).abs().mean() < 0.005


def test_in_python_a_space_reconstructs_points(prior, tmp_path):
    space = ShapeSpace.load(prior)
    with np.load(cloud(FLAT, tmp_path / "scan.npz")) as arrays:
        found = space.reconstruct(arrays["points"], arrays["normals"])
        tuned = space.reconstruct(arrays["points"], arrays["normals"], finetune=5)
    np.testing.assert_allclose(found.mesh(40).bounds, [np.negative(FLAT), FLAT], atol=0.02)
    assert found.label == "flat"
    assert found.space.decoder is space.decoder
    assert tuned.space.decoder is tuned.field.decoder, "its doubts are those of the shape that it gives"
    assert not torch.equal(tuned.space.decoder.network.layers[0].weight, space.decoder.network.layers[0].weight)


def test_what_cannot_be_reconstructed_is_refused_in_one_line(prior, tmp_path, capsys):
    scan = cloud(FLAT, tmp_path / "scan.npz")
    with np.load(scan) as arrays:
        np.savez(tmp_path / "far.npz", points=arrays["points"] * 10 + 30)
        np.savez(tmp_path / "small.npz", points=arrays["points"] * 0.01)
        np.savez(tmp_path / "few.npz", points=arrays["points"][:5])
    (tmp_path / "none.xyz").write_text("\n")
    np.save(tmp_path / "a.depth.npy", np.ones((4, 4), np.float32))
    cases = [
        (scan, tmp_path, (), "holds no isofield run"),
        (scan, tmp_path / "nowhere", (), "does not exist"),
        (tmp_path / "far.npz", prior, (), "give --align"),
        (tmp_path / "small.npz", prior, (), "give --align"),
        (tmp_path / "few.npz", prior, (), "has 5 points; give at least 16"),
        (tmp_path / "none.xyz", prior, (), "holds no points"),
        (tmp_path / "a.depth.npy", prior, (), "no dataset.json above it names a.png"),
        (scan, prior, ("--class", "sofa"), "'sofa' is unknown here; name one of flat, tall, or auto"),
        (scan, prior, ("--method", "adam", "--align"), "adam knows no --align"),
        (scan, prior, ("--method", "adam", "--starts", "4"), "adam knows no --align, --starts"),
        (scan, prior, ("--camera", str(scan)), "scan.npz is no depth picture"),
    ]
    for path, run_folder, flags, fault in cases:
        assert run("reconstruct", path, "--prior", run_folder, "-o", tmp_path / "out", *flags) == 2, path
        said = capsys.readouterr().err
        assert fault in said
        assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_space_without_surfaces_is_refused_and_leaves_nothing(prior, tmp_path, capsys):
    space = load_space(prior)
    space.decoder.network.layers[1].bias += 9
    with open_run(tmp_path / "none", {}) as begun:
        begun.save(0, space.spec(), space.tensors())
    scan = cloud(FLAT, tmp_path / "scan.npz")
    assert run("reconstruct", scan, "--prior", tmp_path / "none", "-o", tmp_path / "out", "--resolution", 16) == 2
    assert "no shape with a surface that explains the scan" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def vertex_column(path: Path, name: str) -> np.ndarray:
    return np.asarray(read_rows(path, parse_header(path))["vertex"].columns[name])
