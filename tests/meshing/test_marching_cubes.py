import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fields import KINDS, random_field
from twin import faults, volume

from isofield.errors import IsofieldError
from isofield.mesh.audit import audit
from isofield.meshing.marching_cubes import NEAREST, marching_cubes, polygonise


@pytest.mark.parametrize("kind", KINDS)
def test_any_field_gives_a_closed_manifold(kind: str) -> None:
    """By an independent audit, after rounding to float32 where the unit frame would put the vertices."""
    for seed in range(60):
        values = random_field(kind, seed)
        vertices, faces = marching_cubes(values)
        assert faults(vertices / 512 - 1, faces) == [], (kind, seed)
        assert (len(faces) > 0) == bool((values < 0).any())
        assert volume(vertices, faces) > 0 or not len(faces)


@pytest.mark.parametrize("case", range(1, 256))
def test_every_case_alone_and_beside_itself(case: int) -> None:
    signs = 1.0 - 2.0 * np.array([case >> c & 1 for c in range(8)]).reshape(2, 2, 2)
    for values in (signs, *(np.concatenate([signs, np.flip(signs, axis)], axis) for axis in range(3))):
        assert faults(*marching_cubes(values)) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.0, 0.0, 1.0, -1e-30, 1e30]), min_size=27, max_size=27))
def test_awkward_values(values: list[float]) -> None:
    assert faults(*marching_cubes(np.reshape(values, (3, 3, 3)))) == []


def test_both_audits_agree() -> None:
    for seed in range(20):
        verdict = audit(trimesh.Trimesh(*marching_cubes(random_field("integer", 1000 + seed)), process=False))
        assert verdict.watertight
        assert verdict.manifold


@pytest.mark.parametrize(("broken", "fault"), [(0, "no opposite"), (1, "twice"), (2, "fan"), (3, "float32")])
def test_the_audit_of_these_tests_finds_faults(broken: int, fault: str) -> None:
    vertices, faces = marching_cubes(-np.pad(np.ones((1, 1, 1)), 1))
    if broken == 0:
        faces = faces[1:]
    if broken == 1:
        faces = np.concatenate([faces, faces[:1]])
    if broken == 2:  # two bodies that share a vertex
        shifted = np.where(faces == 0, 0, faces + len(vertices) - 1)
        vertices, faces = np.concatenate([vertices, vertices[1:] + 5]), np.concatenate([faces, shifted])
    if broken == 3:
        vertices = vertices * 1e-12 + 1
    assert any(fault in found for found in faults(vertices, faces))


def ball(n: int, radius: float = 0.7) -> np.ndarray:
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n)] * 3, indexing="ij")
    return np.sqrt(x**2 + y**2 + z**2) - radius


def test_sphere() -> None:
    for n, error in ((17, 0.03), (65, 0.002)):
        vertices, faces = marching_cubes(ball(n))
        mesh = trimesh.Trimesh(vertices * 2 / (n - 1) - 1, faces, process=False)
        assert mesh.euler_number == 2
        assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=error)
        assert np.allclose(np.linalg.norm(mesh.vertices, axis=1), 0.7, atol=error)
        assert (mesh.face_normals * mesh.triangles_center).sum(1).min() > 0


def test_vertices_lie_where_the_values_say() -> None:
    values = np.array([[[-1.0, 3.0]]]).repeat(2, 0).repeat(2, 1)
    vertices, _ = marching_cubes(values, level=1.0)
    crossing = vertices[(vertices[:, 2] > 0.1)]
    assert np.allclose(crossing[:, 2], 0.5)
    assert len(crossing) == 4


def test_equality_is_outside_and_vertices_stay_apart() -> None:
    values = np.ones((3, 3, 3))
    values[1, 1, 1] = -1.0
    values[1, 1, 2] = 0.0
    vertices, _ = marching_cubes(values)
    assert np.allclose(vertices.max(0), (1.5, 1.5, 2 - NEAREST))
    assert len(marching_cubes(np.zeros((3, 3, 3)))[1]) == 0


def test_a_surface_that_leaves_the_lattice_is_capped() -> None:
    vertices, faces = marching_cubes(-np.ones((3, 4, 5)))
    assert faults(vertices, faces) == []
    assert np.allclose([vertices.min(0), vertices.max(0)], [[-NEAREST] * 3, np.array([2, 3, 4]) + NEAREST])


def test_level_is_where_the_surface_is() -> None:
    a, b = marching_cubes(ball(20, 0.5)), marching_cubes(ball(20, 0.0), level=0.5)
    assert np.allclose(a[0], b[0])
    assert np.array_equal(a[1], b[1])


def test_values_that_are_not_finite_are_refused() -> None:
    values = np.ones((4, 4, 4))
    values[1, 2, 3], values[3, 3, 3] = np.nan, np.inf
    with pytest.raises(IsofieldError, match=r"2 of 64 values are not finite, the first at index \(1, 2, 3\)"):
        marching_cubes(values)


def test_order_of_cells_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    cells = np.array(list(np.ndindex(3, 3, 3))) - 1
    padded = np.full((4, 4, 4), np.inf)
    padded[1:3, 1:3, 1:3] = rng.standard_normal((2, 2, 2))
    corners = np.stack([padded[tuple((cells + 1 + c).T)] for c in np.ndindex(2, 2, 2)], axis=1)
    order = rng.permutation(27)
    a, b = polygonise(cells, corners), polygonise(cells[order], corners[order])
    assert np.array_equal(a[0], b[0])
    assert {tuple(f) for f in a[1].tolist()} == {tuple(f) for f in b[1].tolist()}
