"""The page without a browser: what is sent, what the controls do, and how the command ends."""

import signal
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import trimesh

from isofield.cli import main
from isofield.errors import InputError, IsofieldError
from isofield.mesh.read import read_mesh
from isofield.viewer.items import read_items
from isofield.viewer.scene import Choice, compose
from isofield.viewer.server import Viewer, free_port
from isofield.viewer.stage import image_turn, merged_corners, solid_glb
from needs import posix, viser

HOST = "127.0.0.1"


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_is_refused_and_a_free_one_is_found(taken, monkeypatch):
    with pytest.raises(InputError, match=f"--port {taken}: is in use; choose another"):
        free_port(HOST, taken)
    monkeypatch.setattr("isofield.viewer.server.PORT", taken)
    assert free_port(HOST, None) not in (taken, 0)
    with pytest.raises(InputError, match=r"--host 203.0.113.7: is no address of this machine"):
        free_port("203.0.113.7", None)
    with pytest.raises(InputError, match=r"--host no.such.host.invalid"):
        free_port("no.such.host.invalid", None)


@viser
def test_a_taken_port_is_one_line_before_anything_is_read(files, taken, capsys):
    assert main(["view", str(files / "no.ply"), "--port", str(taken)]) == 2
    assert main(["view", str(files / "unit.ply"), "--port", str(taken)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert f"--port {taken}: is in use" in lines[1]


def test_without_viser_the_way_to_it_is_said(files, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "viser", None)
    assert main(["view", str(files / "unit.ply")]) == 1
    said = capsys.readouterr().err
    assert 'pip install "isofield[view]"' in said
    assert said.count("\n") == 1


def test_what_is_sent_is_the_solid(files, tmp_path):
    solid = compose(read_items((files / "seen.ply",)), Choice(colors="seen")).solids[0]
    (tmp_path / "a.glb").write_bytes(solid_glb(solid))
    assert b'"doubleSided":true' in (tmp_path / "a.glb").read_bytes()
    back = read_mesh(tmp_path / "a.glb")
    assert np.abs(back.vertices[back.faces] - solid.vertices[solid.faces]).max() < 1e-6
    colors = np.asarray(back.visual.vertex_colors)[back.faces][..., :3].astype(int)
    assert np.abs(colors - solid.colors[solid.faces]).max() <= 1


def test_corners_are_merged_where_normals_agree_and_kept_apart_at_edges():
    cube = trimesh.creation.box()
    flat = np.repeat(np.asarray(cube.face_normals)[:, None], 3, axis=1)
    vertex, faces, normals = merged_corners(np.asarray(cube.faces), flat)
    assert len(vertex) == 24  # three sides at each of 8 vertices
    assert np.array_equal(vertex[faces], cube.faces)
    assert normals[faces] == pytest.approx(flat, abs=0.01)
    smooth = np.asarray(cube.vertex_normals)[cube.faces]
    assert len(merged_corners(np.asarray(cube.faces), smooth)[0]) == 8


def test_an_image_lies_as_its_slice(files):
    for axis in ("x", "y", "z"):
        piece = compose(read_items((files / "unit.ply",)), Choice(slice=axis)).slices[0][1]
        turn = trimesh.transformations.quaternion_matrix(image_turn(piece))[:3, :3]
        assert turn @ [1, 0, 0] == pytest.approx(piece.along / np.linalg.norm(piece.along))
        assert turn @ [0, 1, 0] == pytest.approx(-piece.across / np.linalg.norm(piece.across))


@viser
def test_controls_change_what_is_sent_and_only_that(files):
    items = read_items((files / "run", files / "unit.ply", files / "cloud.xyz"))
    with Viewer(items, Choice(resolution=24, up="z"), HOST, 0) as viewer:
        sent = viewer.stage.sent
        assert viewer.url == f"http://{HOST}:{viewer.port}"
        assert {"/0/surface", "/1/surface", "/2/points", "/0/name", "/1/name", "/2/name"} == set(sent)
        assert viewer.panel.choice() == Choice(colors="plain", resolution=24, up="z")
        before, note = dict(sent), viewer.panel.notes.content
        viewer.panel.level.value = -0.1
        assert viewer.changed.wait(5)
        viewer.refresh()
        assert {name for name in sent if sent[name] != before[name]} == {"/0/surface"}
        assert viewer.panel.notes.content != note
        viewer.panel.slice.value = "x"
        viewer.refresh()
        assert {"/0/slice", "/1/slice"} <= set(sent)
        viewer.panel.slice.value = "off"
        viewer.panel.colors.value = "error"
        viewer.refresh()
        assert "/0/slice" not in sent
        assert viewer.panel.bar.visible
        viewer.panel.up.value = "y"
        viewer.refresh()
        assert viewer.scene.up == (0.0, 1.0, 0.0)
    free_port(HOST, viewer.port)


@viser
def test_what_cannot_be_drawn_is_said_and_the_page_goes_on(files, monkeypatch):

    def refuse(*_):
        raise IsofieldError("not like that")

    with Viewer(read_items((files / "unit.ply",)), Choice(), HOST, 0) as viewer:
        sent, scene = dict(viewer.stage.sent), viewer.scene
        with monkeypatch.context() as patch:
            patch.setattr("isofield.viewer.server.compose", refuse)
            viewer.refresh()
        assert viewer.panel.notes.content == "not like that"
        assert viewer.scene is scene
        assert viewer.stage.sent == sent
        viewer.refresh()
        assert "1,280 triangles" in viewer.panel.notes.content


@posix
@viser
def test_ctrl_c_leaves_cleanly_and_the_address_is_said(files):
    command = [sys.executable, "-m", "isofield", "view", str(files / "unit.ply"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith(f"view: http://{HOST}:"), line + process.stderr.read()
        port = int(line.split(":")[3].split()[0])
        with urllib.request.urlopen(f"http://{HOST}:{port}", timeout=120) as page:
            assert b"<html" in page.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == ""
    assert "Traceback" not in err
