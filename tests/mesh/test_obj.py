"""Wavefront .obj: polygons, relative indices, materials."""

import numpy as np
import pytest
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.color import color_kind, surface_colors
from isofield.mesh.read import read_mesh

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def load(tmp_path, text: str):
    (tmp_path / "a.obj").write_text(text)
    return read_mesh(tmp_path / "a.obj")


def test_polygons_become_fans_and_keep_their_area(tmp_path):
    pentagon = "v 0 0 0\nv 2 0 0\nv 3 1 0\nv 1 2 0\nv -1 1 0\nf 1 2 3 4 5\n"
    mesh = load(tmp_path, pentagon)
    assert len(mesh.faces) == 3
    assert mesh.area == pytest.approx(5.0, rel=1e-12)
    assert (np.cross(*np.diff(mesh.triangles, axis=1).transpose(1, 0, 2))[:, 2] > 0).all()


def test_negative_indices_count_back_from_the_line_they_stand_in(tmp_path):
    mesh = load(tmp_path, "v 9 9 9\n" + SQUARE + "f -4 -3 -2\nv 5 5 5\nf -5 -4 -3\n")
    np.testing.assert_array_equal(mesh.triangles[0], mesh.triangles[1])
    np.testing.assert_array_equal(mesh.triangles[0], [[0, 0, 0], [1, 0, 0], [1, 1, 0]])


@pytest.mark.parametrize("face", ["f 0 1 2", "f 1 2 x", "f 1 2 -9", "f 1/9/1 2/9 3/9"])
def test_bad_faces_name_the_fault(tmp_path, face):
    with pytest.raises(InputError, match=r"line 5|texture point 9"):
        load(tmp_path, SQUARE + face + "\n")


def test_words_for_coordinates_name_the_line(tmp_path):
    with pytest.raises(InputError, match=r"line 2.*1,5"):
        load(tmp_path, "v 0 0 0\nv 1,5 0 0\nv 0 1 0\nf 1 2 3\n")


def test_binary_data_under_a_text_name(tmp_path):
    (tmp_path / "a.obj").write_bytes(b"v 1 2 3\nv \0\0")
    with pytest.raises(InputError, match=r"byte 10: is binary data"):
        read_mesh(tmp_path / "a.obj")


def test_continued_lines_comments_and_windows_ends(tmp_path):
    text = "# x\r\n" + SQUARE.replace("\n", " # here\r\n") + "f 1 2 \\\r\n 3 # and there\r\nf 1 3 4\r\n"
    np.testing.assert_array_equal(load(tmp_path, text).faces, [[0, 1, 2], [0, 2, 3]])


def test_vertex_colours_in_both_scales(tmp_path):
    unit = load(tmp_path, "v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 0.2\nf 1 2 3\n")
    np.testing.assert_array_equal(unit.visual.vertex_colors[:, :3], [[255, 0, 0], [0, 255, 0], [0, 0, 51]])
    byte = load(tmp_path, "v 0 0 0 255 0 0\nv 1 0 0 0 255 0\nv 0 1 0 0 0 51\nf 1 2 3\n")
    np.testing.assert_array_equal(byte.visual.vertex_colors, unit.visual.vertex_colors)


def test_each_part_keeps_its_own_texture_or_colour(tmp_path):
    """Three triangles: a red picture, a blue picture, a green material; a missing picture leaves its part grey."""
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "red one.png")
    Image.new("RGB", (4, 4), (0, 0, 255)).save(tmp_path / "blue.png")
    (tmp_path / "a.mtl").write_text(
        "newmtl r\nKd 0.5 0.5 0.5\nmap_Kd red one.png\nnewmtl b\nmap_Kd -s 1 1 1 blue.png\nnewmtl g\nKd 0 1 0\n"
        "newmtl gone\nmap_Kd nowhere.png\n"
    )
    faces = "usemtl r\nf 1/1 2/1 3/1\nusemtl b\nf 1/1 3/1 4/1\nusemtl g\nf 2 3 4\nusemtl gone\nf 1/1 2/1 4/1\n"
    mesh = load(tmp_path, "mtllib a.mtl\n" + SQUARE + "vt 0.5 0.5\n" + faces)
    assert color_kind(mesh) == "texture"
    assert mesh.metadata["missing"] == ["nowhere.png"]
    colors = surface_colors(mesh, np.arange(4), mesh.triangles_center)
    np.testing.assert_allclose(colors, [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0.5, 0.5, 0.5]], atol=1 / 255)
    np.testing.assert_array_equal(surface_colors(mesh.copy(), np.arange(4), mesh.triangles_center), colors)


def test_pictures_outside_of_the_folder_are_not_opened(tmp_path):
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "secret.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mtl").write_text("newmtl m\nmap_Kd ../secret.png\n")
    mesh = load(tmp_path / "in", "mtllib a.mtl\n" + SQUARE + "vt 0 0\nusemtl m\nf 1/1 2/1 3/1\n")
    assert color_kind(mesh) == "none"
