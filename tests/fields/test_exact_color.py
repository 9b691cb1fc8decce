"""Colours of the exact field: those of the mesh at the nearest surface point, however the mesh stores them."""

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import SimpleMaterial

from isofield.errors import InputError
from isofield.fields.exact import ExactField, lattice, lattice_weights, steps_of
from isofield.mesh.color import surface_colors
from isofield.runs import load, open_run

PLACE, SIZE = np.array([50.0, -20.0, 10.0]), 8.0
FACE_COLORS = np.array([[20 * i, 255 - 20 * i, 7 * i, 255] for i in range(12)], np.uint8)


def box(visual=None) -> trimesh.Trimesh:
    plain = trimesh.creation.box((SIZE, SIZE, SIZE))
    mesh = trimesh.Trimesh(plain.vertices + PLACE, plain.faces, process=False)
    if visual:
        mesh.visual = visual(mesh)
    return mesh


def above(mesh: trimesh.Trimesh, field: ExactField, lift: float = 0.05) -> torch.Tensor:
    """A point of the unit frame above the centroid of each face."""
    centers = np.asarray(mesh.triangles_center) + lift * SIZE * np.asarray(mesh.face_normals)
    return torch.as_tensor(field.frame.to_unit(centers), dtype=torch.float32)


def test_no_colour_where_the_mesh_has_none():
    field = ExactField.of(box())
    assert not field.has_color
    assert "colors" not in field.tensors()
    with pytest.raises(AttributeError, match="ExactField has no colour"):
        field.color(torch.zeros(1, 3))


@pytest.mark.parametrize("lift", [0.05, 0.0, -0.05])
def test_face_colours_are_those_of_the_nearest_face(lift):
    mesh = box(lambda m: ColorVisuals(m, face_colors=FACE_COLORS))
    field = ExactField.of(mesh)
    assert field.has_color
    found = field.color(above(mesh, field, lift)).numpy() * 255
    assert found == pytest.approx(FACE_COLORS[:, :3].astype(float), abs=0.51)


def test_vertex_colours_are_interpolated_linearly():
    """Red grows with x, green with y, blue with z: the colour at a point of the surface is its position."""

    def painted(mesh):
        share = (np.asarray(mesh.vertices) - PLACE) / SIZE + 0.5
        return ColorVisuals(
            mesh, vertex_colors=np.column_stack([share * 255, np.full(len(share), 255)]).astype(np.uint8)
        )

    mesh = box(painted)
    field = ExactField.of(mesh)
    points, _ = trimesh.sample.sample_surface(mesh, 400, seed=1)
    found = field.color(torch.as_tensor(field.frame.to_unit(points), dtype=torch.float32)).numpy()
    assert found == pytest.approx((np.asarray(points) - PLACE) / SIZE + 0.5, abs=0.004)


def test_texture_is_read_at_the_corners_the_right_way_up():
    """Left half red, right half blue, the upper rows darker: u grows to the right, v upwards."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32, 0], image[:, 32:, 2] = 255, 255
    image[:32] //= 2
    flat = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]], float)
    uv = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    sheet = trimesh.Trimesh(flat, [[0, 1, 2], [0, 2, 3]], process=False)
    sheet.visual = TextureVisuals(uv, material=SimpleMaterial(image=Image.fromarray(image)))
    field = ExactField.of(sheet)
    found = field.color(torch.as_tensor(field.frame.to_unit(flat), dtype=torch.float32)).numpy()
    assert found == pytest.approx(np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0.5], [0.5, 0, 0]]), abs=0.02)


def test_colours_stay_with_their_faces_where_faces_are_dropped_or_turned():
    """A degenerate and a repeated face go, one face is turned: the others keep their own colours."""
    mesh = box()
    faces = np.vstack([[0, 0, 1], mesh.faces, mesh.faces[:1]])
    faces[5] = faces[5, ::-1]
    colors = np.vstack([[9, 9, 9, 255], FACE_COLORS, [9, 9, 9, 255]]).astype(np.uint8)
    broken = trimesh.Trimesh(mesh.vertices, faces, process=False)
    broken.visual = ColorVisuals(broken, face_colors=colors)
    field = ExactField.of(broken)
    assert len(field.mesh_distance.faces) == 12
    found = field.color(above(mesh, field)).numpy() * 255
    assert found == pytest.approx(FACE_COLORS[:, :3].astype(float), abs=0.51)
    assert float(field.sdf(torch.zeros(1, 3))) < 0


def test_needle_faces_have_finite_colours():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1e-9, 0], [0.5, 1, 0]])
    needle = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3], [2, 1, 3]], process=False)
    needle.visual = ColorVisuals(needle, vertex_colors=np.full((4, 4), 200, np.uint8))
    field = ExactField.of(needle)
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert field.color(points).numpy() == pytest.approx(200 / 255, abs=1e-3)


def test_colours_and_frame_survive_files(tmp_path):
    mesh = box(lambda m: ColorVisuals(m, face_colors=FACE_COLORS))
    field = ExactField.of(mesh)
    with open_run(tmp_path / "run", {}) as run:
        run.save(0, field.spec(), field.tensors())
    again = load(tmp_path / "run")
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(again.color(points), field.color(points))
    assert torch.equal(again.sdf(points), field.sdf(points))
    assert again.frame == field.frame


def test_a_mesh_without_any_area_is_refused_in_one_line():
    line = trimesh.Trimesh([[0, 0, 0], [1, 1, 1], [2, 2, 2]], [[0, 1, 2]], process=False)
    with pytest.raises(InputError, match="none of its triangles has an area"):
        ExactField.of(line)


def test_a_texture_shows_between_the_corners_of_large_faces():
    """A wave across each face, which its corners cannot tell; as sharp after storing."""
    wave = np.round(127.5 + 127.5 * np.sin(np.linspace(0, 6 * np.pi, 256))).astype(np.uint8)
    image = Image.fromarray(np.repeat(np.repeat(wave[None, :, None], 16, 0), 3, 2))

    def visual(mesh):
        uv = (np.asarray(mesh.vertices)[:, :2] - PLACE[:2]) / SIZE * 0.98 + 0.5
        return TextureVisuals(uv=uv, material=SimpleMaterial(image=image))

    mesh = box(visual)
    field = ExactField.of(mesh)
    points, face = trimesh.sample.sample_surface(mesh, 500, seed=3)
    truth = surface_colors(mesh, face, points)
    unit = torch.as_tensor(field.frame.to_unit(points), dtype=torch.float32)
    assert truth.std() > 0.25
    assert np.abs(field.color(unit).numpy() - truth).max() < 0.03
    again = ExactField.restore(field.spec(), field.tensors())
    assert torch.equal(again.color(unit), field.color(unit))


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_colours_between_lattice_points_are_linear(steps):
    places = np.random.default_rng(0).dirichlet(np.ones(3), 200)
    places = np.concatenate([places, np.eye(3), lattice(steps), [[0, 0.5, 0.5], [0.5, 0.5, 0]]])
    index, weights = lattice_weights(places, steps)
    assert weights.min() > -1e-9
    assert np.einsum("nc,ncd->nd", weights, lattice(steps)[index]) == pytest.approx(places, abs=1e-12)
    assert np.abs(lattice(steps)[index] - places[:, None]).max() < 1 / steps + 1e-9


def test_a_triangle_of_colours_has_a_size():
    assert [steps_of(len(lattice(steps))) for steps in (1, 2, 30)] == [1, 2, 30]
    for count in (0, 1, 2, 4, 5):
        with pytest.raises(ValueError, match="no triangle"):
            steps_of(count)
