"""Writing: what comes back is the same shape, in the same place, of the same colour; or nothing was touched."""

import json
import os
import struct

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isofield.errors import InputError, IsofieldError
from isofield.mesh.audit import audit, audit_file
from isofield.mesh.color import color_kind, surface_colors, to_srgb
from isofield.mesh.read import read_mesh, weld
from isofield.mesh.write import turn, vertex_normals, write_mesh

SUFFIXES = (".ply", ".glb", ".obj", ".stl")


def colored_ball(radius: float = 1.0, center=(0.0, 0.0, 0.0)) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(3)
    ball = trimesh.Trimesh(ball.vertices * radius + center, ball.faces, process=False)
    colors = np.random.default_rng(0).integers(0, 256, (len(ball.vertices), 4), dtype=np.uint8)
    colors[:, 3] = 255
    ball.visual.vertex_colors = colors
    return ball


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_shape_place_and_colour_survive(tmp_path, suffix):
    ball = colored_ball(7.0, (100.0, -20.0, 3.0))
    write_mesh(ball, tmp_path / f"a{suffix}")
    back = read_mesh(tmp_path / f"a{suffix}")
    found = audit(back)
    assert found.watertight
    assert found.manifold
    assert found.volume == pytest.approx(ball.volume, rel=1e-6)
    np.testing.assert_allclose(back.bounds, ball.bounds, rtol=1e-6)
    if suffix != ".stl":
        np.testing.assert_array_equal(back.faces, ball.faces)
        assert np.abs(back.visual.vertex_colors[:, :3] - ball.visual.vertex_colors[:, :3].astype(int)).max() <= 1


def test_glb_is_right_for_other_readers_too(tmp_path):
    """trimesh, knowing nothing of us: closed, same volume, linear colours; and the header is what glTF asks for."""
    ball = colored_ball(7.0, (1e5, 0.0, 0.0))
    write_mesh(ball, tmp_path / "a.glb")
    scene = trimesh.load(tmp_path / "a.glb", process=False)
    np.testing.assert_allclose(scene.bounds, ball.bounds, rtol=1e-9)
    theirs = next(iter(scene.geometry.values()))
    assert theirs.is_watertight
    assert theirs.volume == pytest.approx(ball.volume, rel=1e-6)
    linear = np.asarray(theirs.visual.vertex_attributes["color"])[:, :3] / 65535
    np.testing.assert_allclose(to_srgb(linear), ball.visual.vertex_colors[:, :3] / 255, atol=1 / 255)
    np.testing.assert_allclose(np.einsum("nd,nd->n", theirs.vertex_normals, vertex_normals(ball)), 1, atol=1e-6)
    data = (tmp_path / "a.glb").read_bytes()
    magic, version, total, size, kind = struct.unpack_from("<4sIII4s", data)
    document = json.loads(data[20 : 20 + size])
    assert (magic, version, total, kind, size % 4) == (b"glTF", 2, len(data), b"JSON", 0)
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    position = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    np.testing.assert_allclose(np.subtract(position["max"], position["min"]), np.ptp(ball.vertices, axis=0), rtol=1e-6)
    material = document["materials"][0]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert not material["doubleSided"]


def test_far_off_the_origin_no_vertices_fall_together(tmp_path):
    """At 1e8 a unit ball has fewer than ten float32 coordinates per axis."""
    ball = colored_ball(1.0, (1e8, 0.0, 0.0))
    assert len(np.unique(ball.vertices.astype(np.float32), axis=0)) < len(ball.vertices)
    for suffix in (".ply", ".glb", ".obj"):
        write_mesh(ball, tmp_path / f"a{suffix}")
        assert audit_file(tmp_path / f"a{suffix}") == pytest.approx(audit_file(tmp_path / f"a{suffix}"))
        assert audit_file(tmp_path / f"a{suffix}").watertight
        assert len(weld(read_mesh(tmp_path / f"a{suffix}")).vertices) == len(ball.vertices)


def test_ply_has_the_narrowest_type_that_keeps_vertices_apart(tmp_path):
    write_mesh(colored_ball(), tmp_path / "a.ply")
    assert b"property float x" in (tmp_path / "a.ply").read_bytes()
    write_mesh(colored_ball(1.0, (1e8, 0, 0)), tmp_path / "a.ply")
    assert b"property double x" in (tmp_path / "a.ply").read_bytes()


@pytest.mark.parametrize("suffix", [".ply", ".glb", ".obj"])
def test_face_colours_split_vertices_only_where_colours_meet(tmp_path, suffix):
    box = trimesh.creation.box()
    box = trimesh.Trimesh(box.vertices, box.faces, process=False)
    box.visual.face_colors = np.where(box.face_normals[:, 2:] > 0.5, [[255, 0, 0, 255]], [[0, 0, 255, 255]])
    write_mesh(box, tmp_path / f"a{suffix}")
    back = read_mesh(tmp_path / f"a{suffix}")
    assert len(back.vertices) == 12
    assert audit(back).watertight
    points, index = back.triangles_center, np.arange(12)
    top = back.face_normals[:, 2:] > 0.5
    np.testing.assert_allclose(surface_colors(back, index, points), np.where(top, [1, 0, 0], [0, 0, 1]), atol=1 / 255)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_up_turns_the_mesh_and_its_normals(tmp_path, suffix):
    """A cone along +z written with y up points along +y; the reverse brings it back; no mirror image."""
    cone = trimesh.creation.cone(1.0, 5.0)
    for up, axis in (("y", 1), ("z", 2)):
        write_mesh(cone if up == "y" else read_mesh(tmp_path / f"y{suffix}"), tmp_path / f"{up}{suffix}", up=up)
        back = read_mesh(tmp_path / f"{up}{suffix}")
        assert back.vertices[:, axis].max() == pytest.approx(5.0)
        assert back.extents.argmax() == axis
        assert audit(back).volume == pytest.approx(cone.volume, rel=1e-6)
    np.testing.assert_allclose(back.triangles.mean((0, 1)), cone.triangles.mean((0, 1)), atol=1e-6)


def test_turn_is_a_rotation_and_its_own_inverse_the_other_way():
    axes = np.eye(3)
    assert np.linalg.det(turn(axes, "y")) == np.linalg.det(turn(axes, "z")) == 1
    np.testing.assert_array_equal(turn(axes, "y")[2], [0, 1, 0])
    np.testing.assert_array_equal(turn(axes, "z")[1], [0, 0, 1])
    np.testing.assert_array_equal(turn(turn(axes, "y"), "z"), axes)


def test_normals_of_a_ball_are_radial_and_unit():
    ball = trimesh.creation.icosphere(4)
    assert np.einsum("nd,nd->n", vertex_normals(ball), ball.vertices).min() > 0.9999
    lonely = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]], [[0, 1, 2]], process=False)
    np.testing.assert_array_equal(vertex_normals(lonely), np.tile([0.0, 0, 1], (4, 1)))


def test_refusals_come_before_any_work(tmp_path):
    ball = colored_ball()
    (tmp_path / "file").write_text("x")
    (tmp_path / "dir.ply").mkdir()
    for path in (tmp_path / "a.fbx", tmp_path / "a", tmp_path / "dir.ply", tmp_path / "file" / "a.ply"):
        with pytest.raises(InputError):
            write_mesh(ball, path)
    assert sorted(os.listdir(tmp_path)) == ["dir.ply", "file"]


def test_nothing_is_written_for_a_mesh_that_is_none(tmp_path):
    for vertices, faces in (
        (np.zeros((0, 3)), np.zeros((0, 3), int)),
        ([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]], [[0, 1, 2]]),
    ):
        with pytest.raises(IsofieldError, match="nothing is written"):
            write_mesh(trimesh.Trimesh(vertices, faces, process=False), tmp_path / "a.glb")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_tiny_and_huge_shapes_survive(tmp_path, size):
    ball = colored_ball(size)
    for suffix in SUFFIXES:
        write_mesh(ball, tmp_path / f"a{suffix}")
        found = audit_file(tmp_path / f"a{suffix}")
        assert found.watertight
        assert found.volume == pytest.approx(ball.volume, rel=1e-6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(np.float64, (6, 3), elements=st.floats(-1e6, 1e6, allow_subnormal=False)))
def test_any_coordinates_stay_distinct_and_in_place(tmp_path, vertices):
    """Two triangles of arbitrary corners: in their place up to float32, and apart what was apart."""
    assume(np.ptp(vertices, axis=0).max() > 1e-99)
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [3, 4, 5]], process=False)
    distinct = len(np.unique(vertices + 0.0, axis=0))
    for suffix in (".obj", ".ply"):
        write_mesh(mesh, tmp_path / f"a{suffix}")
        back = read_mesh(tmp_path / f"a{suffix}")
        assert len(weld(back).vertices) == distinct
        np.testing.assert_allclose(back.triangles, mesh.triangles, rtol=1e-7, atol=1e-37)
        if suffix == ".obj":
            np.testing.assert_array_equal(back.triangles, mesh.triangles)


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a.ply"
    write_mesh(colored_ball(), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(Exception, match=r"space|full"):
        write_mesh(colored_ball(2.0), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.ply"]


def test_uncoloured_glb_comes_back_without_colour(tmp_path):
    write_mesh(trimesh.creation.box(), tmp_path / "plain.glb")
    assert color_kind(read_mesh(tmp_path / "plain.glb")) == "none"


def test_what_was_seen_is_a_vertex_property_of_a_ply(tmp_path):
    mesh = trimesh.creation.icosphere(1)
    mesh.vertex_attributes["seen"] = (mesh.vertices[:, 0] > 0).astype(np.uint8)
    write_mesh(mesh, tmp_path / "half.ply")
    raw = trimesh.load(tmp_path / "half.ply", process=False).metadata["_ply_raw"]["vertex"]["data"]
    assert np.array_equal(raw["seen"].reshape(-1), mesh.vertices[:, 0] > 0)
    back = read_mesh(tmp_path / "half.ply")
    assert np.array_equal(back.faces, mesh.faces)
    assert back.vertices == pytest.approx(mesh.vertices, abs=1e-6)
