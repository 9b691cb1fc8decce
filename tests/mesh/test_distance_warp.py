"""The GPU twin of the exact distance against the CPU's, on whatever device Warp finds."""

import sys

import numpy as np
import pytest
import trimesh

from isofield.errors import IsofieldError
from isofield.mesh import distance_warp
from isofield.mesh.distance import MeshDistance, mesh_distance
from isofield.mesh.distance_warp import WarpMeshDistance


@pytest.fixture
def warp():
    return pytest.importorskip("warp", reason="needs warp")


@pytest.fixture(scope="module")
def points():
    """Half in the box, half near the unit sphere."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(4000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    near = directions * (1 + rng.normal(scale=0.02, size=(4000, 1)))
    return np.concatenate([rng.uniform(-1.2, 1.2, (4000, 3)), near])


def sphere(radius=1.0):
    return trimesh.creation.icosphere(3, radius)


def holed():
    mesh = sphere()
    return trimesh.Trimesh(mesh.vertices, mesh.faces[60:], process=False)


def nested():
    """A ball with a smaller ball inside it, both facing outward: solid throughout."""
    return trimesh.util.concatenate([sphere(), sphere(0.8)])


def hollow():
    """A ball with a cavity, whose wall faces inward."""
    wall = sphere(0.5)
    wall.invert()
    return trimesh.util.concatenate([sphere(), wall])


@pytest.mark.usefixtures("warp")
@pytest.mark.parametrize("build", [sphere, holed, nested, hollow])
def test_the_twin_gives_the_same_distances_and_signs(build, points):
    mesh = build()
    cpu, gpu = MeshDistance(mesh.vertices, mesh.faces), WarpMeshDistance(mesh.vertices, mesh.faces)
    expected = cpu.closest(points)
    got = gpu.closest(points)
    np.testing.assert_allclose(got.distance, expected.distance, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points - got.point, axis=1), got.distance, atol=1e-12)
    winding = cpu.winding_number(points)
    np.testing.assert_allclose(gpu.winding_number(points), winding, atol=0.02)  # both approximate: worst seen 0.004
    sure = (np.abs(winding - 0.5) > 0.02) & (expected.distance > 1e-6)
    assert sure.mean() > 0.98
    np.testing.assert_array_equal(gpu.sign(points)[sure], cpu.sign(points)[sure])
    np.testing.assert_allclose(gpu.signed(points)[sure], cpu.signed(points)[sure], atol=1e-6)


@pytest.mark.usefixtures("warp")
def test_the_nearest_point_lies_on_the_named_face(points):
    mesh = sphere()
    closest = WarpMeshDistance(mesh.vertices, mesh.faces).closest(points)
    own = trimesh.triangles.closest_point(mesh.triangles[closest.face], points)
    np.testing.assert_allclose(own, closest.point, atol=1e-6)


@pytest.mark.usefixtures("warp")
def test_distances_of_the_sphere_are_negative_inside_and_euclidean():
    mesh = trimesh.creation.icosphere(5)
    distance = WarpMeshDistance(mesh.vertices, mesh.faces)
    query = np.array([[0.0, 0, 0], [0, 0.5, 0], [0, 0, 1.5], [10, 0, 0]])
    np.testing.assert_allclose(distance.signed(query), [-1, -0.5, 0.5, 9], atol=1e-3)


@pytest.mark.usefixtures("warp")
def test_units_and_place_of_the_mesh_cost_no_precision(points):
    mesh, offset, scale = sphere(), np.array([1e5, -2e5, 3e4]), 1e3
    here = MeshDistance(mesh.vertices, mesh.faces).signed(points)
    there = WarpMeshDistance(mesh.vertices * scale + offset, mesh.faces).signed(points * scale + offset)
    np.testing.assert_allclose(there / scale, here, atol=1e-6)


def fallback_signs(warp, mesh, points):
    """What Warp's own query says of a mesh that was built without support for winding numbers."""

    @warp.kernel(enable_backward=False)
    def kernel(mesh: warp.uint64, points: warp.array(dtype=warp.vec3), out: warp.array(dtype=warp.float32)):
        i = warp.tid()
        out[i] = warp.mesh_query_point_sign_winding_number(mesh, points[i], 1.0e6).sign

    vertices = warp.array(mesh.vertices.astype(np.float32), dtype=warp.vec3)
    built = warp.Mesh(vertices, warp.array(mesh.faces.astype(np.int32).ravel(), dtype=warp.int32))
    out = warp.zeros(len(points), dtype=warp.float32)
    warp.launch(kernel, len(points), [built.id, warp.array(points.astype(np.float32), dtype=warp.vec3)], [out])
    return out.numpy()


def test_the_signs_are_no_ray_votes(warp, points):
    """Between nested balls Warp's silent fall-back calls part of the solid empty; ours must not be that."""
    radius, mesh = np.linalg.norm(points, axis=1), nested()
    solid = points[(radius < 0.95) & (abs(radius - 0.8) > 0.02)]
    assert (fallback_signs(warp, mesh, solid) > 0).mean() > 0.05
    assert (WarpMeshDistance(mesh.vertices, mesh.faces).sign(solid) == -1).all()


@pytest.mark.usefixtures("warp")
def test_more_points_than_a_chunk(monkeypatch, points):
    mesh = sphere()
    whole = WarpMeshDistance(mesh.vertices, mesh.faces).signed(points)
    monkeypatch.setattr(distance_warp, "CHUNK", 1001)
    np.testing.assert_array_equal(WarpMeshDistance(mesh.vertices, mesh.faces).signed(points), whole)
    assert WarpMeshDistance(mesh.vertices, mesh.faces).signed(points[:0]).shape == (0,)


@pytest.mark.usefixtures("warp")
def test_it_prints_nothing(capfd, points):
    mesh = sphere()
    WarpMeshDistance(mesh.vertices, mesh.faces).signed(points)
    assert capfd.readouterr().out == ""


@pytest.mark.usefixtures("warp")
def test_a_point_nowhere_is_an_error_not_a_number():
    with pytest.raises(IsofieldError, match="not finite"):
        WarpMeshDistance(sphere().vertices, sphere().faces).signed(np.array([[0, 0, 0], [0, np.nan, 0]]))


@pytest.mark.usefixtures("warp")
def test_an_unknown_device_is_named():
    with pytest.raises(IsofieldError, match="cuda:99"):
        mesh_distance(sphere().vertices, sphere().faces, device="cuda:99")


def test_without_warp_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)
    with pytest.raises(IsofieldError, match=r"pip install 'isofield\[gpu\]'"):
        mesh_distance(sphere().vertices, sphere().faces, device="cuda")


def test_the_processor_needs_no_warp(monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)
    assert isinstance(mesh_distance(sphere().vertices, sphere().faces), MeshDistance)
