"""Closed, manifold, oriented: what the audit counts on shapes whose topology is known."""

import numpy as np
import pytest
import trimesh

from isofield.mesh.audit import audit, audit_file
from isofield.mesh.write import write_mesh

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def mesh_of(vertices, faces) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, faces, process=False)


def two_tetrahedra(mirror: np.ndarray) -> trimesh.Trimesh:
    """The corner tetrahedron and its mirror image, outward both; what they share depends on the mirrored axes."""
    turned = TETRAHEDRON if np.prod(mirror) > 0 else TETRAHEDRON[:, ::-1]
    return mesh_of(np.vstack([CORNERS, CORNERS * mirror]), np.vstack([TETRAHEDRON, turned + 4]))


def strip(length: int, twist: bool) -> trimesh.Trimesh:
    """A band of quads closed to a ring, with a half twist (Moebius) or without (a cylinder's wall)."""
    turn = np.linspace(0, 2 * np.pi, length, endpoint=False)
    half = turn / 2 if twist else np.zeros(length)
    radial = np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)
    across = np.sin(half)[:, None] * radial + np.cos(half)[:, None] * [0, 0, 1]
    vertices = np.concatenate([radial * 3 - across, radial * 3 + across])
    low, high = np.arange(length), np.arange(length) + length
    following, above = np.roll(low, -1), np.roll(high, -1)
    if twist:
        following[-1], above[-1] = length, 0
    return mesh_of(
        vertices, np.concatenate([np.stack([low, following, high], 1), np.stack([following, above, high], 1)])
    )


def test_tetrahedron():
    found = audit(mesh_of(CORNERS, TETRAHEDRON))
    assert (found.watertight, found.manifold, found.oriented, found.components, found.euler) == (True, True, True, 1, 2)
    assert found.volume == pytest.approx(1 / 6, rel=1e-14)
    assert audit(mesh_of(CORNERS, TETRAHEDRON[:, ::-1])).volume == pytest.approx(-1 / 6, rel=1e-14)


def test_torus_has_euler_number_zero():
    torus = trimesh.creation.torus(1.0, 0.3)
    found = audit(torus)
    assert found.watertight
    assert found.manifold
    assert found.euler == 0
    assert found.volume == pytest.approx(torus.volume, rel=1e-12)


def test_far_from_the_origin_the_volume_keeps_its_digits():
    ball = trimesh.creation.icosphere(3)
    far = mesh_of(ball.vertices + 1e6, ball.faces)
    assert audit(far).volume == pytest.approx(ball.volume, rel=1e-8)


def test_cube_with_a_flipped_face_is_manifold_but_not_oriented():
    cube = trimesh.creation.box()
    faces = cube.faces.copy()
    faces[3] = faces[3, ::-1]
    found = audit(mesh_of(cube.vertices, faces))
    assert (found.watertight, found.manifold, found.oriented) == (False, True, False)
    assert (found.boundary_edges, found.nonmanifold_edges) == (0, 0)


def test_a_missing_face_leaves_three_boundary_edges():
    found = audit(mesh_of(CORNERS, TETRAHEDRON[1:]))
    assert (found.watertight, found.manifold, found.oriented, found.boundary_edges, found.euler) == (
        False,
        True,
        True,
        3,
        1,
    )


def test_two_tetrahedra_sharing_an_edge():
    found = audit(two_tetrahedra(np.array([-1, -1, 1])))
    assert (found.watertight, found.manifold, found.nonmanifold_edges, found.components) == (False, False, 1, 1)
    assert found.vertices == 6


def test_two_tetrahedra_sharing_a_vertex_are_closed_but_not_manifold():
    found = audit(two_tetrahedra(np.array([-1, -1, -1])))
    assert (found.watertight, found.manifold, found.oriented) == (True, False, True)
    assert (found.nonmanifold_vertices, found.nonmanifold_edges, found.components, found.vertices) == (1, 0, 1, 7)


def test_moebius_strip_is_manifold_but_cannot_be_oriented():
    moebius, wall = audit(strip(16, twist=True)), audit(strip(16, twist=False))
    assert (moebius.manifold, moebius.watertight, moebius.oriented) == (True, False, False)
    assert (wall.manifold, wall.watertight, wall.oriented) == (True, False, True)
    assert (moebius.euler, moebius.boundary_edges) == (wall.euler, wall.boundary_edges) == (0, 32)


def test_soup_of_equal_corners_is_the_solid_it_looks_like():
    ball = trimesh.creation.icosphere(2)
    soup = mesh_of(
        ball.vertices[ball.faces.reshape(-1)] * [1, 1, -1], np.arange(3 * len(ball.faces)).reshape(-1, 3)[:, ::-1]
    )
    found = audit(soup)
    assert found.watertight
    assert found.vertices == len(ball.vertices)
    soup.vertices[0, 0] = np.nextafter(soup.vertices[0, 0], 9)
    assert not audit(soup).watertight  # equal means equal, there is no tolerance


def test_doubled_and_degenerate_faces_are_counted():
    faces = np.vstack([TETRAHEDRON, TETRAHEDRON[:1, ::-1], [[0, 0, 1]]])
    found = audit(mesh_of(CORNERS, faces))
    assert (found.duplicate_faces, found.degenerate_faces, found.watertight, found.manifold) == (1, 1, False, False)


def test_agrees_with_trimesh_on_random_triangle_sets():
    rng = np.random.default_rng(0)
    for _ in range(40):
        faces = rng.integers(0, 7, (rng.integers(3, 12), 3))
        faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
        if not len(faces):
            continue
        mesh = mesh_of(rng.random((7, 3)), faces)
        found, directed = audit(mesh), [tuple(edge) for edge in mesh.edges]
        per_edge = np.array([directed.count(e) + directed.count(e[::-1]) for e in {tuple(sorted(e)) for e in directed}])
        assert found.boundary_edges == (per_edge == 1).sum()
        assert found.nonmanifold_edges == (per_edge > 2).sum()
        assert found.euler == len(np.unique(faces)) - len(per_edge) + len(faces)
        assert found.watertight == all(directed.count(e) == 1 and directed.count(e[::-1]) == 1 for e in directed)


def test_file_is_audited_as_it_is_read(tmp_path):
    write_mesh(trimesh.creation.icosphere(2), tmp_path / "ball.stl")
    assert audit_file(tmp_path / "ball.stl").watertight
