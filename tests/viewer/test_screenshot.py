import json

import numpy as np
import pytest
import trimesh
from PIL import Image

from isofield.cli import main
from isofield.viewer.items import read_items
from isofield.viewer.scene import Choice, Dots, compose
from isofield.viewer.screenshot import dot_triangles, joined, screenshot, slice_triangles, to_pixels


def drawn(image):
    return (image < 250).any(-1)


def test_the_picture_shows_what_the_start_view_shows(files):
    scene = compose(read_items((files / "unit.ply", files / "moved.ply")), Choice())
    image = screenshot(scene, 240)
    camera = scene.view(image.shape[1] / image.shape[0]).camera(image.shape[1], image.shape[0])
    for solid in scene.solids:
        x, y = np.round(to_pixels(camera, solid.vertices.mean(0)[None])[0]).astype(int)
        assert drawn(image)[y - 4 : y + 5, x - 4 : x + 5].all()
        edges = to_pixels(camera, solid.vertices)
        rows, columns = np.nonzero(drawn(image)[:, int(edges[:, 0].min()) : int(edges[:, 0].max()) + 1])
        assert np.ptp(columns) == pytest.approx(np.ptp(edges[:, 0]), abs=2)
        assert rows.max() == pytest.approx(edges[:, 1].max(), abs=1.5)
    assert np.array_equal(image, screenshot(scene, 240))


def test_error_colours_come_with_their_scale(files):
    shown = read_items((files / "larger.ply",), files / "unit.ply")
    plain, measured = (screenshot(compose(shown, Choice(colors=colors)), 200) for colors in ("plain", "error"))
    assert measured.shape[1] > plain.shape[1]
    bar = measured[:, plain.shape[1] :]
    assert bar[30].astype(int).min() < bar[-30].astype(int).min() - 50


def test_slices_show_their_colours_unlit(files):
    scene = compose(read_items((files / "unit.ply",)), Choice(slice="z"))
    image, piece = screenshot(scene, 300), scene.slices[0][1]
    camera = scene.view(image.shape[1] / 300).camera(image.shape[1], 300)
    height, width, _ = piece.image.shape
    for u, v in ((0.5, 0.55), (0.06, 0.06), (0.94, 0.06), (0.06, 0.94)):
        point = piece.origin + u * piece.along + v * piece.across
        x, y = to_pixels(camera, point[None])[0].astype(int)
        expected = piece.image[int((1 - v) * height), int(u * width)]
        assert np.abs(image[y, x].astype(int) - expected).max() < 30


def test_a_slice_keeps_its_place_as_triangles(files):
    piece = compose(read_items((files / "unit.ply",)), Choice(slice="x")).slices[0][1]
    vertices, faces, colors = slice_triangles(piece)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    height, width, _ = piece.image.shape
    area = np.linalg.norm(np.cross(piece.along, piece.across)) * (1 - 1 / height) * (1 - 1 / width)
    assert mesh.area == pytest.approx(area, rel=1e-6)
    assert len(colors) == len(vertices) == height * width


def test_dots_have_their_size_and_face_the_camera(files):
    scene = compose(read_items((files / "cloud.xyz",)), Choice())
    camera = scene.view(1.0).camera(64, 64)
    dots = Dots("/0", np.array([[0.1, 0.2, 0.3], [1.0, 0, 0]]), np.array([[1, 2, 3], [4, 5, 6]], np.uint8), 0.2)
    vertices, faces, colors = dot_triangles(dots, camera)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.area == pytest.approx(2 * np.pi * 0.1**2, rel=1e-6)
    assert np.abs(mesh.face_normals @ camera.camera_to_world[:3, 2]) == pytest.approx(1)
    assert vertices[:6].mean(0) == pytest.approx(dots.points[0])
    assert (colors[6:] * 255 == [4, 5, 6]).all()


def test_nothing_joined_is_nothing():
    assert [len(part) for part in joined([])] == [0, 0, 0]


def test_the_verb_writes_the_picture(files, tmp_path, capsys):
    path = tmp_path / "new" / "a.png"
    inputs = [str(files / "unit.ply"), str(files / "cloud.xyz")]
    assert main(["view", *inputs, "--screenshot", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["items"] == ["unit.ply", "cloud.xyz"]
    assert report["screenshot"] == str(path)
    assert drawn(np.array(Image.open(path))).mean() > 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to look at"),
        (["UNIT", "--screenshot", "a.jpg"], "let it end in .png"),
        (["UNIT", "--colors", "error", "--screenshot", "a.png"], "--truth"),
        (["UNIT", "--port", "70000"], "at most 65535"),
        (["UNIT", "--at", "2"], "from -1 to 1"),
        (["no/such.ply", "--screenshot", "a.png"], "no/such.ply: does not exist"),
    ],
)
def test_bad_use_is_one_line(files, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(["view", *[a.replace("UNIT", str(files / "unit.ply")) for a in arguments]]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []
