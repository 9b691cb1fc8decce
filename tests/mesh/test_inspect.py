"""Inspection: what is found in files whose faults are known, and that the plan says it in words."""

import json

import numpy as np
import pytest
import trimesh

from isofield.errors import InputError
from isofield.mesh.inspect import inspect
from isofield.mesh.write import write_mesh

BALL = trimesh.creation.icosphere(3)


def inspected(tmp_path, faces, vertices=BALL.vertices, name="a.ply"):
    write_mesh(trimesh.Trimesh(vertices, faces, process=False), tmp_path / name)
    return inspect(tmp_path / name)


def test_clean_ball(tmp_path):
    found = inspected(tmp_path, BALL.faces)
    assert found.watertight
    assert found.manifold
    assert (found.vertices, found.faces, found.components, found.holes, found.flipped_faces) == (642, 1280, 1, 0, 0)
    assert found.plan == ("take it as it is: closed and manifold",)
    assert found.extent == pytest.approx((2, 2, 2), abs=0.01)
    assert found.color == "none"


def test_holes_are_counted(tmp_path):
    high, low = BALL.triangles_center[:, 2] > 0.9, BALL.triangles_center[:, 2] < -0.9
    found = inspected(tmp_path, BALL.faces[~high & ~low])
    assert (found.holes, found.watertight) == (2, False)
    assert any("winding number" in line and "2 holes" in line for line in found.plan)


def test_flipped_and_repeated_faces_are_counted(tmp_path):
    faces = BALL.faces.copy()
    faces[::10] = faces[::10, ::-1]
    found = inspected(tmp_path, np.concatenate([faces, faces[5:8]]))
    assert (found.flipped_faces, found.duplicate_faces) == (128, 3)
    assert any(line.startswith("turn 128 faces") for line in found.plan)
    assert any(line.startswith("drop 3 repeated") for line in found.plan)


def test_nonmanifold_edges_and_pieces(tmp_path):
    tip = np.concatenate([BALL.vertices, [[0, 0, 3]]])
    fin = [[*BALL.faces[0][:2], len(BALL.vertices)]]
    found = inspected(tmp_path, np.concatenate([BALL.faces, fin]), tip)
    assert found.nonmanifold_edges == 1
    two = np.concatenate([BALL.vertices, BALL.vertices + 5])
    found = inspected(tmp_path, np.concatenate([BALL.faces, BALL.faces + len(BALL.vertices)]), two)
    assert found.components == 2
    assert any("2 pieces" in line for line in found.plan)


def test_soup_and_flat_meshes_are_named(tmp_path):
    triangles = BALL.triangles * 1.0 + np.random.default_rng(0).normal(0, 1e-3, (len(BALL.faces), 3, 3))
    soup = inspected(tmp_path, np.arange(3 * len(triangles)).reshape(-1, 3), triangles.reshape(-1, 3))
    assert any("soup" in line for line in soup.plan)
    flat = inspected(tmp_path, [[0, 1, 2]], np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]))
    assert any("plane" in line for line in flat.plan)


def test_units_up_and_offset_are_only_guessed_with_a_ground(tmp_path):
    millimetres = inspected(tmp_path, BALL.faces, BALL.vertices * 60 + [5000, 0, 0])
    assert "millimetres" in millimetres.unit_hint
    assert millimetres.up_hint is None
    assert any("off the origin" in line for line in millimetres.plan)
    assert inspected(tmp_path, BALL.faces).unit_hint is None
    glb = inspected(tmp_path, BALL.faces, name="a.glb")
    assert (glb.unit_hint.split()[0], glb.up_hint[0]) == ("metres", "y")


def test_json_and_text_hold_the_same(tmp_path):
    ball = trimesh.Trimesh(BALL.vertices, BALL.faces, process=False)
    ball.visual.vertex_colors = np.full((len(BALL.vertices), 4), 200, np.uint8)
    write_mesh(ball, tmp_path / "a.ply")
    found = inspect(tmp_path / "a.ply")
    again = json.loads(json.dumps(found.to_json()))
    assert again["watertight"] is True
    assert again["color"] == "vertex"
    assert len(again["extent"]) == 3
    for words in ("1,280 faces", "closed", "vertex", *found.plan):
        assert words in str(found)


def test_a_bad_file_is_refused(tmp_path):
    with pytest.raises(InputError):
        inspect(tmp_path / "none.ply")


def test_missing_materials_are_named(tmp_path):
    (tmp_path / "a.obj").write_text(
        "mtllib gone.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
    )
    found = inspect(tmp_path / "a.obj")
    assert found.missing == ("gone.mtl",)
    assert "do without gone.mtl, which is not beside the file" in found.plan
