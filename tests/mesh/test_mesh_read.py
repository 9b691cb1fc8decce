"""Reading: what is a mesh comes back exactly; what is not gets one sentence and nothing but InputError."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from isofield.errors import InputError
from isofield.mesh.audit import audit
from isofield.mesh.read import READABLE, read_mesh, weld
from isofield.mesh.write import write_mesh

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
PLY = """ply
format ascii 1.0
element vertex 4
property float x
property float y
property float z
element face 4
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
0 1 0
0 0 1
3 0 2 1
3 0 1 3
3 0 3 2
3 1 2 3
"""
OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
OFF = "OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n"
DATA = Path(__file__).parents[3] / "shared" / "data"


def refusal(path: Path, content: str | bytes) -> str:
    """The one line with which a file of this content is refused."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "text"), [("a.ply", PLY), ("a.obj", OBJ), ("a.off", OFF), ("a.OBJ", OBJ)])
def test_text_formats_come_back_as_written(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    mesh = read_mesh(tmp_path / name)
    np.testing.assert_array_equal(mesh.vertices, CORNERS)
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.vertices.dtype == np.float64


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl", ".glb"])
def test_what_we_write_we_read(tmp_path, suffix):
    ball = trimesh.creation.icosphere(3, radius=7.0)
    write_mesh(ball, tmp_path / f"ball{suffix}")
    found = audit(read_mesh(tmp_path / f"ball{suffix}"))
    assert found.watertight
    assert found.vertices == len(ball.vertices)
    assert found.volume == pytest.approx(ball.volume, rel=1e-6)


def test_text_stl_of_several_solids_is_one_mesh(tmp_path):
    solid = trimesh.exchange.stl.export_stl_ascii(trimesh.Trimesh(CORNERS, FACES, process=False))
    (tmp_path / "two.stl").write_text(solid + "\n" + solid.replace("vertex ", "vertex 1"))
    assert len(read_mesh(tmp_path / "two.stl").faces) == 8


def test_weld_merges_equal_vertices_and_no_others():
    soup = trimesh.Trimesh(CORNERS[FACES.reshape(-1)], np.arange(12).reshape(-1, 3), process=False)
    welded = weld(soup)
    assert len(welded.vertices) == 4
    np.testing.assert_array_equal(welded.triangles, soup.triangles)
    soup.vertices[0, 2] = 1e-300
    assert len(weld(soup).vertices) == 5
    soup.vertices[0, 2] = -0.0
    assert len(weld(soup).vertices) == 4


def test_what_is_no_file_at_all(tmp_path):
    for path, fault in ((tmp_path / "no.ply", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=fault):
            read_mesh(path)
    assert "unknown extension '.fbx'" in refusal(tmp_path / "a.fbx", "0 0 0")
    assert "points by its extension '.xyz'; give a mesh, or make one" in refusal(tmp_path / "a.xyz", "0 0 0")
    for suffix in READABLE:
        assert "is empty" in refusal(tmp_path / f"a{suffix}", "")


def test_clouds_and_files_without_triangles(tmp_path):
    assert "point cloud (4 points" in refusal(tmp_path / "a.obj", OBJ.split("f ")[0])
    cloud = PLY.split("3 0 2 1")[0].replace("element face 4\nproperty list uchar int vertex_indices\n", "")
    assert "point cloud (4 points" in refusal(tmp_path / "a.ply", cloud)
    assert "no triangles" in refusal(tmp_path / "a.stl", bytes(84))


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(("name", "text"), [("a.ply", PLY), ("a.obj", OBJ), ("a.off", OFF)])
def test_vertices_that_are_no_numbers(tmp_path, name, text, bad):
    assert "not finite" in refusal(tmp_path / name, text.replace("0 0 1\n", f"0 0 {bad}\n", 1))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ply", PLY.replace("3 1 2 3", "3 1 2 4")),
        ("a.ply", PLY.replace("3 1 2 3", "3 1 2 -1")),
        ("a.off", OFF.replace("3 1 2 3", "3 1 2 9")),
        ("a.obj", OBJ.replace("f 2 3 4", "f 2 3 5")),
    ],
)
def test_indices_out_of_range(tmp_path, name, text):
    assert "vert" in refusal(tmp_path / name, text)


def test_no_extent(tmp_path):
    assert "extent 0" in refusal(tmp_path / "a.obj", "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n")


def test_truncated_ply_says_what_is_missing(tmp_path):
    assert "truncated" in refusal(tmp_path / "a.ply", PLY.removesuffix("3 1 2 3\n"))
    assert "truncated" in refusal(tmp_path / "a.ply", PLY.replace("vertex 4", "vertex 9"))
    assert "line 13" in refusal(tmp_path / "a.ply", PLY.replace("vertex 4", "vertex 3").replace("face 4", "face 5"))
    ball = trimesh.creation.icosphere(2)
    write_mesh(ball, tmp_path / "whole.ply")
    whole = (tmp_path / "whole.ply").read_bytes()
    for missing in (1, 100, 4000, len(whole) - 300):
        assert "truncated" in refusal(tmp_path / "b.ply", whole[:-missing])
    assert "PLY header" in refusal(tmp_path / "b.ply", whole[:100])


def test_off_with_colours_comments_and_polygons(tmp_path):
    (tmp_path / "a.off").write_text(
        "COFF # c\n\n4 1 0\n0 0 0 255 0 0 255\n1 0 0 0 255 0 255\n1 1 0 0 0 255 255\n0 1 0 0 0 0 255\n4 0 1 2 3\n"
    )
    mesh = read_mesh(tmp_path / "a.off")
    assert mesh.area == 1.0
    np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]])


def test_truncated_off(tmp_path):
    refusal(tmp_path / "a.off", OFF.removesuffix("3 1 2 3\n"))
    refusal(tmp_path / "a.off", OFF.split("3 0 2 1")[0])


@pytest.mark.parametrize("suffix", [".stl", ".glb"])
def test_truncated_binary_files(tmp_path, suffix):
    write_mesh(trimesh.creation.icosphere(2), tmp_path / f"whole{suffix}")
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    for missing in (1, 100, 4000, len(whole) - 10):
        refusal(tmp_path / f"cut{suffix}", whole[:-missing])


@pytest.mark.filterwarnings("ignore:.*fewer than three corners")
@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl", ".glb", ".off"])
def test_damaged_bytes_never_raise_anything_else(tmp_path, suffix):
    """Single bytes changed, pieces cut out, pieces doubled: a mesh or an InputError, and every mesh is sound."""
    ball = trimesh.creation.icosphere(1)
    ball.visual.vertex_colors = np.arange(len(ball.vertices) * 4).reshape(-1, 4) % 251
    whole_path = tmp_path / f"whole{suffix}"
    write_mesh(ball, whole_path) if suffix != ".off" else ball.export(whole_path)
    whole, rng = whole_path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for turn in range(120):
        data, at, other = bytearray(whole), *np.sort(rng.integers(0, len(whole), 2))
        if turn % 3 == 0:
            data[rng.integers(0, min(len(data), 400)) if turn % 2 else at] = rng.integers(0, 256)
        else:
            data[at:other] = data[at:other] * 2 if turn % 3 == 1 else b""
        (tmp_path / f"bad{suffix}").write_bytes(data)
        try:
            mesh = read_mesh(tmp_path / f"bad{suffix}")
        except InputError:
            refused += 1
        else:
            assert np.isfinite(mesh.vertices).all()
            assert mesh.faces.max() < len(mesh.vertices)
    assert refused > 10


def test_real_files_agree_with_their_manifest():
    if not DATA.exists():
        pytest.skip("needs the models that are not shipped")
    import json

    entries = {e["file"]: e for e in json.loads((DATA / "MANIFEST.json").read_text())}
    for name in (
        "classic/fuze.obj",
        "scans/Dino_3.glb",
        "scans/Dino_4/model.obj",
        "classic/round.stl",
        "classic/torus.obj",
    ):
        mesh = read_mesh(DATA / name)
        assert len(mesh.faces) == entries[name]["faces"]
        np.testing.assert_allclose(mesh.extents, entries[name]["extent"], atol=6e-5)
        assert audit(mesh).watertight == entries[name]["watertight"]
