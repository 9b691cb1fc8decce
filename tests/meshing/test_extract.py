import numpy as np
import pytest
import torch
import trimesh
from hard_fields import Wrapped, hard_fields, unknown
from twin import faults

from isofield.errors import InputError, IsofieldError
from isofield.fields.analytic import Box, Gyroid, Plane, Shape, Sphere, Torus
from isofield.fields.exact import ExactField
from isofield.fields.field import Field, sdf_numpy
from isofield.frame import UnitFrame
from isofield.meshing.extract import Extraction, extract
from isofield.meshing.lattice import Lattice
from isofield.meshing.marching_cubes import marching_cubes

HARD = hard_fields()
BODY = Torus(0.5, 0.2).rotate((1, 2, 3), 40) | Sphere(0.1).translate((0.8, 0.1, 0.2))


def dense(shape: Shape, resolution: int, level: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Every lattice point asked, vertices in the unit frame."""
    lattice = Lattice.over(shape, resolution)
    values = sdf_numpy(shape, lattice.points(np.indices(lattice.shape).reshape(3, -1).T))
    vertices, faces = marching_cubes(values.reshape(lattice.shape), level)
    return lattice.points(vertices), faces


def assert_same_as_dense(found: Extraction, vertices: np.ndarray, faces: np.ndarray) -> None:
    """Vertices and faces come in the order of lattice edges and cells in both, so the arrays agree row by row."""
    assert found.vertices_unit.shape == vertices.shape
    assert (
        np.abs(found.vertices_unit - vertices).max() < 1e-6
    )  # a field may round differently in batches of other sizes
    assert np.array_equal(found.mesh.faces, faces)


@pytest.mark.parametrize("name", HARD)
def test_hard_fields_lose_nothing(name: str) -> None:
    found = extract(HARD[name], 64)
    assert_same_as_dense(found, *dense(HARD[name], 64))
    assert (found.watertight, found.manifold) == (True, True)
    assert found.queries < 1.3 * found.dense_queries


@pytest.mark.parametrize("resolution", [2, 3, 5, 17, 32, 33, 50, 100])
@pytest.mark.parametrize("shape", [BODY, unknown(BODY)], ids=["stated", "estimated"])
def test_any_resolution_equals_dense(shape: Shape, resolution: int) -> None:
    vertices, faces = dense(shape, resolution)
    if not len(faces):
        with pytest.raises(IsofieldError, match="no surface"):
            extract(shape, resolution)
        return
    assert_same_as_dense(extract(shape, resolution), vertices, faces)


def test_few_queries_on_a_distance() -> None:
    found = extract(BODY, 128)
    assert found.guard == "proven"
    assert found.dense_queries == 128**3
    assert found.dense_queries / found.queries > 30


def test_each_point_is_asked_once_near_the_surface() -> None:
    asked: list[np.ndarray] = []

    def record(points: torch.Tensor) -> torch.Tensor:
        asked.append(points.numpy().copy())
        return BODY.sdf(points)

    field = Wrapped(record)
    field.lipschitz = 1.0
    found = extract(field, 64)
    points = np.concatenate(asked)
    assert len(points) == found.queries == len(np.unique(points, axis=0))


@pytest.mark.parametrize("level", [-0.05, 0.1])
def test_level_is_an_offset_surface(level: float) -> None:
    found = extract(Sphere(0.5), 48, level=level)
    assert np.allclose(np.linalg.norm(found.vertices_unit, axis=1), 0.5 + level, atol=1e-3)
    assert_same_as_dense(found, *dense(Sphere(0.5), 48, level))


def test_users_frame_and_orientation() -> None:
    shape = Sphere(0.5)
    shape.frame = UnitFrame((100.0, -20.0, 3.0), 40.0)
    found = extract(shape, 64)
    assert found.mesh.volume == pytest.approx(4 / 3 * np.pi * 20**3, rel=5e-3)
    assert np.allclose(found.mesh.bounds.mean(0), (100, -20, 3), atol=1e-6)
    assert np.allclose(found.mesh.vertices, found.vertices_unit * 40 + (100, -20, 3))


def test_vertices_stay_distinct_in_float32_far_from_the_origin() -> None:
    shape = Box((0.5, 0.5, 0.5))  # faces on lattice points, where vertices come closest
    shape.frame = UnitFrame((5000.0, 0.0, 0.0), 1.0)
    found = extract(shape, 65)
    assert faults(found.mesh.vertices, found.mesh.faces) == []


def test_colours_come_along() -> None:
    red, blue = (
        Sphere(0.3).colored(1, 0, 0).translate((-0.4, 0, 0)),
        Sphere(0.3).colored(0, 0, 1).translate((0.4, 0, 0)),
    )
    found = extract(red | blue, 48)
    colors = np.asarray(found.mesh.visual.vertex_colors)
    expected = np.where(found.vertices_unit[:, :1] < 0, (255, 0, 0, 255), (0, 0, 255, 255))
    assert np.array_equal(colors, expected)


def test_bounds_that_are_no_cube() -> None:
    shape = Sphere(0.3).translate((0.5, 0.0, 0.0))
    shape.bounds = ((0.0, -0.4, -0.5), (1.0, 0.4, 0.5))
    found = extract(shape, 51)
    assert found.dense_queries == 51 * 41 * 51
    assert_same_as_dense(found, *dense(shape, 51))


def test_surface_that_leaves_the_bounds_is_capped() -> None:
    found = extract(Plane((1.0, 2.0, 3.0), 0.2), 40)
    assert faults(found.vertices_unit, found.mesh.faces) == []
    assert_same_as_dense(found, *dense(Plane((1.0, 2.0, 3.0), 0.2), 40))
    whole = extract(Gyroid(0.9), 40)
    assert faults(whole.vertices_unit, whole.mesh.faces) == []


@pytest.mark.parametrize("seed", range(2))
def test_noise_with_a_false_bound_is_closed_all_the_same(seed: int) -> None:
    """Nothing holds here, not even continuity; whatever is found must be closed and the claim withdrawn."""
    rng = np.random.default_rng(seed)
    size = 30
    values = torch.tensor(rng.integers(-2, 3, size**3) + 1.2, dtype=torch.float32)

    def lookup(points: torch.Tensor) -> torch.Tensor:
        index = ((points + 1) / 2 * (size - 1)).round().long()
        return values[(index * torch.tensor([size**2, size, 1])).sum(1)]

    noise = Wrapped(lookup)
    found = extract(noise, size, lipschitz=(3.0, 5.0)[seed % 2])
    assert found.guard == "estimated"
    assert faults(found.vertices_unit, found.mesh.faces) == []
    assert_same_as_dense(extract(noise, size), *dense(noise, size))


def test_open_mesh_whose_sign_jumps_is_followed() -> None:
    """A sphere without its upper quarter: the winding number closes the hole, where the stated bound does not hold."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.7)
    kept = ball.triangles_center[:, 1] < 0.4
    field = ExactField(ball.vertices, ball.faces[kept])
    found = extract(field, 64)
    assert found.guard == "estimated"
    assert found.queries < found.dense_queries / 8
    vertices, faces = dense(field, 64)
    assert_same_as_dense(found, vertices, faces)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (Sphere(0.5).map(lambda values: values * 0 + 3), "constant"),
        (Sphere(0.5).map(lambda values: values * 0), "constant"),
        (Sphere(0.5).offset(-0.6), "all is outside"),
        (Sphere(3.0), "all is inside"),
        (unknown(Sphere(3.0)), "all is inside"),
        (Sphere(0.1).translate((5, 5, 5)), "all is outside"),
        (Sphere(0.5).map(lambda values: torch.log(values)), "not finite"),
    ],
)
def test_a_field_without_a_surface_says_why(shape: Shape, why: str) -> None:
    with pytest.raises(IsofieldError, match=why):
        extract(shape, 32)


def test_resolution_must_make_a_cell() -> None:
    with pytest.raises(InputError, match="at least 2"):
        extract(Sphere(), 1)


def test_progress_is_told_in_words() -> None:
    said: list[str] = []
    extract(Sphere(), 32, progress=said.append)
    assert any("queries" in message for message in said)


def test_same_field_same_bytes() -> None:
    a, b = extract(unknown(BODY), 64), extract(unknown(BODY), 64)
    assert np.array_equal(a.mesh.vertices, b.mesh.vertices)
    assert np.array_equal(a.mesh.faces, b.mesh.faces)


class Faint(Field):
    """No surface, and slopes that an estimate learns only where it looks."""

    def sdf(self, points):
        return 0.4 + 0.01 * points[:, 0]


def test_a_field_without_surface_and_bound_is_searched_whole_and_named():
    with pytest.raises(IsofieldError, match="all is outside"):
        extract(Faint(), 48)
