"""The exact distance: against closed forms, a brute-force twin, and the traps that other libraries fall into."""

import subprocess
import sys

import igl
import numpy as np
import pytest
import trimesh

import isofield.mesh.distance as module
from isofield.mesh.distance import MeshDistance, morton_order


def distance_of(mesh: trimesh.Trimesh) -> MeshDistance:
    return MeshDistance(mesh.vertices, mesh.faces)


def box_sdf(points: np.ndarray, half: np.ndarray) -> np.ndarray:
    q = np.abs(points) - half
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)


def to_triangle(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Distance of one point to one triangle, the slow way: its plane if the foot lies inside, otherwise its edges."""
    normal = np.cross(b - a, c - a)
    foot = p - normal * ((p - a) @ normal) / (normal @ normal)
    inside = all(np.cross(v - u, foot - u) @ normal >= 0 for u, v in ((a, b), (b, c), (c, a)))
    if inside:
        return float(np.linalg.norm(p - foot))
    return min(
        float(np.linalg.norm(p - u - np.clip((p - u) @ (v - u) / ((v - u) @ (v - u)), 0, 1) * (v - u)))
        for u, v in ((a, b), (b, c), (c, a))
    )


def test_box_is_exact():
    half = np.array([0.3, 0.5, 0.8])
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (5000, 3))
    box = distance_of(trimesh.creation.box(2 * half))
    np.testing.assert_allclose(box.signed(points), box_sdf(points, half), atol=1e-14)


def test_ball_is_exact_up_to_its_facets():
    ball = trimesh.creation.icosphere(5)
    gap = 1 - np.linalg.norm(ball.triangles_center, axis=1).min()  # how deep a facet lies under the unit sphere
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (5000, 3))
    error = distance_of(ball).signed(points) - (np.linalg.norm(points, axis=1) - 1)
    assert error.min() > -1e-12
    assert error.max() < 1.01 * gap


def test_brute_force_twin_agrees():
    rng = np.random.default_rng(1)
    vertices, faces = rng.random((30, 3)), rng.permutation(30).reshape(10, 3)
    points = rng.uniform(-0.5, 1.5, (200, 3))
    found = MeshDistance(vertices, faces).closest(points)
    slow = np.array([[to_triangle(p, *vertices[face]) for face in faces] for p in points])
    np.testing.assert_allclose(found.distance, slow.min(1), atol=1e-12)
    np.testing.assert_allclose(slow[np.arange(200), found.face], slow.min(1), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(points - found.point, axis=1), found.distance, atol=1e-12)


def test_winding_number_is_the_sum_of_solid_angles():
    """Van Oosterom and Strackee's formula over all faces of a holed torus, against the fast approximation."""
    torus = trimesh.creation.torus(1.0, 0.4)
    faces = torus.faces[: len(torus.faces) * 3 // 4]
    points = np.random.default_rng(5).uniform(-1.5, 1.5, (300, 3))
    a, b, c = np.moveaxis(torus.vertices[faces][None] - points[:, None, None], 2, 0)
    la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
    top = np.einsum("nfd,nfd->nf", a, np.cross(b, c))
    low = la * lb * lc + np.sum(a * b, -1) * lc + np.sum(b * c, -1) * la + np.sum(c * a, -1) * lb
    slow = np.arctan2(top, low).sum(1) / (2 * np.pi)
    found = MeshDistance(torus.vertices, faces).winding_number(points)
    np.testing.assert_allclose(found, slow, atol=5e-3)
    assert slow.max() > 0.9


def test_nested_and_overlapping_shells_are_inside_where_parity_says_outside():
    ball = trimesh.creation.icosphere(4)
    nested = np.concatenate([ball.vertices, ball.vertices * 0.5])
    faces = np.concatenate([ball.faces, ball.faces + len(ball.vertices)])
    np.testing.assert_array_equal(
        MeshDistance(nested, faces).sign(np.array([[0, 0, 0], [0.7, 0, 0], [1.2, 0, 0]])), [-1, -1, 1]
    )
    aside = np.array([0.5, 0, 0])
    overlapping = np.concatenate([ball.vertices - aside, ball.vertices + aside])
    points = np.random.default_rng(2).uniform(-2, 2, (3000, 3))
    depth = np.minimum(*(np.linalg.norm(points - [x, 0, 0], axis=1) - 1 for x in (-0.5, 0.5)))
    clear = np.abs(depth) > 0.01
    np.testing.assert_array_equal(MeshDistance(overlapping, faces).sign(points)[clear], np.sign(depth)[clear])


def test_holes_keep_an_inside_and_the_value_is_a_distance_unlike_that_of_libigls_signed_distance():
    ball = trimesh.creation.icosphere(4)
    holed = ball.faces[ball.triangles_center[:, 2] < 0.8]
    points = np.random.default_rng(3).uniform(-1, 1, (500, 3))
    surface = MeshDistance(ball.vertices, holed)
    signed, closest = surface.signed(points), surface.closest(points)
    np.testing.assert_array_equal(np.abs(signed), closest.distance)
    np.testing.assert_array_equal(surface.sign(np.array([[0, 0, 0], [0, 0, -0.9], [0, 0, -1.1]])), [-1, -1, 1])
    theirs = igl.signed_distance(
        points, surface.vertices, surface.faces, sign_type=igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    )
    assert np.abs(np.abs(theirs[0]) - closest.distance).max() > 0.05


def test_chunks_bound_the_memory_and_change_nothing(monkeypatch):
    ball = distance_of(trimesh.creation.icosphere(3))
    points = np.random.default_rng(4).uniform(-1, 1, (1000, 3))
    whole = ball.signed(points), ball.closest(points)
    sizes = []
    monkeypatch.setattr(module, "CHUNK", 64)
    monkeypatch.setattr(module, "morton_order", lambda chunk: sizes.append(len(chunk)) or morton_order(chunk))
    np.testing.assert_array_equal(ball.signed(points), whole[0])
    for pieces, at_once in zip(ball.closest(points), whole[1], strict=True):
        np.testing.assert_array_equal(pieces, at_once)
    assert max(sizes) == 64


def test_few_points_none_and_impossible_ones():
    ball = distance_of(trimesh.creation.icosphere(2))
    assert ball.signed(np.zeros((0, 3))).shape == (0,)
    assert ball.closest(np.zeros((0, 3))).point.shape == (0, 3)
    assert ball.signed(np.zeros((1, 3)))[0] < -0.9
    assert (ball.signed(np.zeros((3, 3))) < -0.9).all()
    with pytest.raises(ValueError, match="finite"):
        ball.signed(np.array([[0, 0, np.nan]]))


@pytest.mark.parametrize(
    ("vertices", "faces", "fault"),
    [
        (np.eye(3), np.zeros((0, 3), int), "without triangles"),
        (np.eye(3), np.array([[0, 1, 3]]), "vertex 3"),
        (np.eye(3), np.array([[0, 1, -1]]), "vertex 1"),
        (np.diag([1, 1, np.nan]), np.array([[0, 1, 2]]), "finite"),
    ],
)
def test_meshes_that_would_end_the_process(vertices, faces, fault):
    with pytest.raises(ValueError, match=fault):
        MeshDistance(vertices, faces)


def test_morton_order_visits_octants_one_by_one():
    corners = np.stack(np.meshgrid(*[np.arange(8.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    order = morton_order(corners)
    np.testing.assert_array_equal(np.sort(order), np.arange(512))
    octant = (corners[order] >= 4) @ [1, 2, 4]
    assert (np.diff(octant) != 0).sum() == 7


def test_only_libigls_permissive_core_is_loaded():
    code = (
        "import sys, numpy as np; from isofield.mesh.distance import MeshDistance;"
        "MeshDistance(np.eye(3), np.array([[0, 1, 2]])).signed(np.zeros((4, 3)));"
        "import isofield.mesh.sample, isofield.mesh.inspect;"
        "bad = [m for m in sys.modules if m.startswith(('igl.copyleft', 'igl.triangle', 'igl.embree'))];"
        "sys.exit(repr(bad) if bad or 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
