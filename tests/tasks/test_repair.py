"""`isofield repair`: whatever is broken comes back closed, manifold and oriented, the right volume, or is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import SimpleMaterial

from isofield.cli import main
from isofield.data import bundled
from isofield.errors import InputError
from isofield.mesh.audit import audit_file
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.tasks.repair import Repaired, repair

BALL = trimesh.creation.icosphere(4)
CELLS = 40


@pytest.fixture(autouse=True)
def fewer_samples(monkeypatch):
    monkeypatch.setattr("isofield.tasks.repair.SAMPLES", 10_000)


def of(vertices, faces) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, faces, process=False)


def shells(*radii_and_senses: tuple[float, int]) -> trimesh.Trimesh:
    return trimesh.util.concatenate(
        [of(BALL.vertices * radius, BALL.faces[:, ::sense]) for radius, sense in radii_and_senses]
    )


def height_field() -> trimesh.Trimesh:
    x, y = np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30), indexing="ij")
    hills = 0.15 * np.sin(3 * x) * np.cos(4 * y)
    index = np.arange(900).reshape(30, 30)
    a, b, c, d = (part.reshape(-1) for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    return of(
        np.stack([x, y, hills], 2).reshape(-1, 3), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    )


def moebius(length: int = 60) -> trimesh.Trimesh:
    turn = np.linspace(0, 2 * np.pi, length, endpoint=False)
    radial = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    across = np.sin(turn / 2)[:, None] * radial + np.cos(turn / 2)[:, None] * [0, 0, 1]
    low, high = np.arange(length), np.arange(length) + length
    following, above = np.roll(low, -1), np.roll(high, -1)
    following[-1], above[-1] = length, 0
    faces = np.concatenate([np.stack([low, following, high], 1), np.stack([following, above, high], 1)])
    return of(np.concatenate([radial * 3 - across, radial * 3 + across]), faces)


def checked(repaired: Repaired, tmp_path: Path) -> float:
    """Volume of the result, closed, manifold and oriented as read back from a file."""
    write_mesh(repaired.mesh, tmp_path / "out.ply")
    found = audit_file(tmp_path / "out.ply")
    assert (found.watertight, found.manifold, found.oriented) == (True, True, True)
    return found.volume


def test_a_ball_with_a_hole_keeps_its_volume_and_the_patch_is_reported(tmp_path):
    broken = of(BALL.vertices, BALL.faces[BALL.triangles_center[:, 2] < 0.9])
    repaired = repair(broken, CELLS)
    findings = repaired.findings
    assert checked(repaired, tmp_path) == pytest.approx(BALL.volume, rel=0.02)
    assert findings.holes == 1
    assert findings.guesses.patches == 1
    rim = (1 - 0.9**2) ** 0.5
    assert findings.guesses.invented_area == pytest.approx(np.pi * (rim - findings.cell) ** 2, rel=0.15)
    assert findings.guesses.farthest == pytest.approx(rim, rel=0.15)
    assert "1 hole closed" in findings.repaired()[0]
    assert "invented" in findings.doubtful()[0]


def test_a_small_hole_is_closed_as_the_ball_goes_on(tmp_path):
    repaired = repair(of(BALL.vertices, BALL.faces[BALL.triangles_center[:, 2] < 0.96]), CELLS)
    assert checked(repaired, tmp_path) == pytest.approx(BALL.volume, rel=0.003)
    assert repaired.mesh.bounds[1, 2] == pytest.approx(1, abs=0.005)
    assert (repaired.findings.holes, repaired.findings.patched) == (1, 1)
    assert repaired.findings.guesses.patches == 1  # a smooth patch is invented all the same


def test_a_hollow_ball_keeps_its_cavity(tmp_path):
    repaired = repair(shells((1.0, 1), (0.6, -1)), CELLS)
    assert checked(repaired, tmp_path) == pytest.approx(BALL.volume * (1 - 0.6**3), rel=0.005)
    assert repaired.findings.after.components == 2
    assert repaired.findings.fate.inner == 0


def test_flipped_faces_holes_and_a_cavity_at_once(tmp_path):
    rng = np.random.default_rng(0)
    mesh = shells((1.0, 1), (0.6, -1))
    faces = mesh.faces.copy()
    flip = rng.random(len(faces)) < np.where(np.arange(len(faces)) < len(BALL.faces), 0.3, 0)
    faces[flip] = faces[flip][:, ::-1]
    repaired = repair(of(mesh.vertices, faces[rng.random(len(faces)) > 0.01]), CELLS)
    assert checked(repaired, tmp_path) == pytest.approx(BALL.volume * (1 - 0.6**3), rel=0.01)
    assert repaired.findings.cleaned.turned.sum() == pytest.approx(flip.sum(), abs=30)


def test_a_doubled_wall_becomes_one(tmp_path):
    repaired = repair(shells((1.0, 1), (0.85, 1)), CELLS)
    assert checked(repaired, tmp_path) == pytest.approx(BALL.volume, rel=0.005)
    assert repaired.findings.after.components == 1
    assert repaired.findings.fate.inner == pytest.approx(0.85**2 / (1 + 0.85**2), rel=0.02)
    assert repaired.findings.guesses.patches == 0


def test_balls_that_run_into_each_other_become_one_with_its_crease(tmp_path):
    mesh = trimesh.util.concatenate([BALL, of(BALL.vertices + np.array([1, 0, 0]), BALL.faces)])
    repaired = repair(mesh, CELLS)
    lens = np.pi * 5 / 12  # of two unit balls at distance 1: pi (4 + d) (2 - d)^2 / 12
    assert checked(repaired, tmp_path) == pytest.approx(2 * 4 / 3 * np.pi - lens, rel=0.01)
    assert repaired.findings.after.components == 1
    ring = np.linspace(0, 2 * np.pi, 50)
    crease = np.stack([0 * ring + 0.5, 0.75**0.5 * np.cos(ring), 0.75**0.5 * np.sin(ring)], 1)
    vertices = repaired.mesh.vertices
    gaps = np.linalg.norm(crease[:, None] - vertices[None], axis=2).min(1)
    assert repaired.findings.features > 20
    assert np.median(gaps) < repaired.findings.cell


@pytest.mark.parametrize(
    "sheet", [height_field(), moebius(), of([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])]
)
def test_open_sheets_are_refused_and_get_a_wall_on_request(sheet, tmp_path):
    with pytest.raises(InputError, match=r"mesh: is an open sheet.*--thickness"):
        repair(sheet, CELLS)
    thickness = 0.12 * float(np.ptp(sheet.vertices, axis=0).max())
    repaired = repair(sheet, CELLS, thickness=thickness)
    assert checked(repaired, tmp_path) > sheet.area * thickness * 0.9
    assert repaired.findings.repaired() == [
        f"a wall {thickness:g} thick was built around {len(sheet.faces):,} triangles"
    ]


def test_a_wall_around_a_square_has_the_volume_of_the_formula(tmp_path):
    square = of([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    t = 0.2
    expected = (
        t + 4 * np.pi * (t / 2) ** 2 / 2 + 4 / 3 * np.pi * (t / 2) ** 3
    )  # slab, half cylinders, a ball in quarters
    assert checked(repair(square, 48, thickness=t), tmp_path) == pytest.approx(expected, rel=0.01)


def test_a_wall_thinner_than_two_cells_is_refused_with_the_least_that_is_not():
    with pytest.raises(InputError, match=r"--thickness: 0.01 is thinner than 2 cells.*--resolution"):
        repair(height_field(), 32, thickness=0.01)


def test_vertex_colours_and_place_are_kept(tmp_path):
    colors = np.uint8(np.clip(128 + 120 * BALL.vertices, 0, 255))
    broken = of(BALL.vertices * 30 + [500, -200, 40], BALL.faces[: len(BALL.faces) - 20])
    broken.visual = ColorVisuals(broken, vertex_colors=colors)
    mesh = repair(broken, CELLS).mesh
    unit = (mesh.vertices - [500, -200, 40]) / 30
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=0.02)
    wanted = np.clip(128 + 120 * unit, 0, 255)
    assert np.abs(np.asarray(mesh.visual.vertex_colors)[:, :3] - wanted).mean() < 2


def test_a_texture_finer_than_the_faces_is_kept():
    """A square column of 12 triangles, its sides striped 20 times along x: no vertex colour could show that."""
    box = trimesh.creation.box((2, 1, 1))
    corners = of(box.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3))
    stripes = np.repeat(np.tile(np.uint8([[255, 0, 0], [0, 0, 255]]), (10, 1)), 8, axis=0)
    uv = np.stack([(corners.vertices[:, 0] + 1) / 2, np.full(36, 0.5)], 1)
    corners.visual = TextureVisuals(uv, SimpleMaterial(image=Image.fromarray(np.tile(stripes, (4, 1, 1)))))
    mesh = repair(corners, 80).mesh
    x = (mesh.vertices[:, 0] + 1) / 2
    inner = (np.abs(x * 20 - np.round(x * 20)) > 0.2) & (x > 0.01) & (x < 0.99)
    red = np.asarray(mesh.visual.vertex_colors)[inner, 0] > 128
    assert inner.sum() > 1000
    np.testing.assert_array_equal(red, np.floor(x[inner] * 20) % 2 == 0)


def test_a_sheet_beside_a_solid_is_left_out_and_said():
    fin = of([[1.5, 0, 0], [4.5, 0, 0], [4.5, 2, 0], [1.5, 2, 0]], [[0, 1, 2], [0, 2, 3]])
    findings = repair(trimesh.util.concatenate([BALL, fin]), CELLS).findings
    assert findings.fate.sheets == pytest.approx(6 / (6 + BALL.area), rel=0.02)
    assert "sheets that enclose nothing" in " ".join(findings.doubtful())


def test_parts_thinner_than_a_cell_are_said_to_be_lost():
    plate = trimesh.creation.box((2, 2, 0.001))
    plate.apply_translation([0, 0, 3])
    findings = repair(trimesh.util.concatenate([BALL, plate]), CELLS).findings
    assert findings.fate.thin == pytest.approx(8 / (8 + BALL.area), rel=0.1)
    with pytest.raises(InputError, match="thicker than a cell"):
        repair(plate, 24)


@pytest.mark.parametrize("name", ["koala_soup.stl", "spot_flipped30.ply", "fish_holes.obj"])
@pytest.mark.parametrize("suffix", [".glb"])
def test_bundled_broken_models_by_command(name, suffix, tmp_path, capsys):
    out = tmp_path / f"out{suffix}"
    assert main(["repair", str(bundled(name)), "-o", str(out), "--resolution", "40", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = audit_file(out)
    assert (found.watertight, found.manifold, found.oriented, found.volume > 0) == (True, True, True, True)
    assert (report["watertight"], report["faces"]) == (True, found.faces)
    low, high = read_mesh(bundled(name)).bounds
    assert np.abs(read_mesh(out).bounds - [low, high]).max() < 2 * report["cell_user"]
    assert report["repaired"]


def test_the_command_says_what_it_did_and_refuses_in_one_line(tmp_path, capsys):
    broken = tmp_path / "broken.ply"
    write_mesh(of(BALL.vertices, BALL.faces[:-30]), broken)
    assert main(["repair", str(broken), "-o", str(tmp_path / "out.stl"), "--resolution", "32"]) == 0
    said = capsys.readouterr().out
    assert "closed, manifold, oriented  yes, yes, yes" in said
    assert "hole closed" in said or "holes closed" in said
    write_mesh(height_field(), broken)
    assert main(["repair", str(broken), "-o", str(tmp_path / "none.stl"), "--resolution", "32"]) == 2
    assert str(broken) in capsys.readouterr().err
    assert not (tmp_path / "none.stl").exists()


def test_a_second_wall_just_below_the_first_leaves_no_dents():
    repaired = repair(shells((1.0, 1), (0.98, 1)), CELLS)  # 0.4 cells apart
    assert repaired.findings.cell > 0.05
    np.testing.assert_allclose(np.linalg.norm(repaired.mesh.vertices, axis=1), 1, atol=0.003)


def test_walls_thinner_than_a_cell_are_said_even_where_pieces_of_them_remain():
    findings = repair(shells((1.0, 1), (0.99, -1)), CELLS).findings
    assert findings.fate.thin > 0.9
    assert "thinner than a cell" in findings.doubtful()[0]
    assert repair(shells((1.0, 1), (0.8, -1)), CELLS).findings.fate.thin == 0
