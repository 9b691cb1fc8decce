import numpy as np
import pytest
import torch
import trimesh

from isofield.render.camera import Camera, look_at, orbit, pinhole
from isofield.render.rasterize import rasterize


def draw(mesh, camera, **options):
    return rasterize(torch.as_tensor(np.array(mesh.vertices)), torch.as_tensor(np.array(mesh.faces)), camera, **options)


def cast(vertices, faces, camera, near):
    """The slow twin: every ray against every triangle, by solving for the plane point (Moller and Trumbore 1997)."""
    origin, rays = camera.eye, camera.rays().reshape(-1, 3)
    forward = camera.camera_to_world[:3, 2]
    best = np.full(len(rays), np.inf)
    found = np.full(len(rays), -1)
    for index, (a, b, c) in enumerate(vertices[faces]):
        for k, ray in enumerate(rays):
            t, u, v = np.linalg.solve(np.stack([-ray, b - a, c - a], axis=1), origin - a)
            if min(u, v, 1 - u - v) >= 0 and t * (ray @ forward) >= near and t < best[k]:
                best[k], found[k] = t, index
    return found, best


def soup(count, spread, seed):
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-spread, spread, (count, 1, 3))
    vertices = (centers + rng.normal(scale=0.4, size=(count, 3, 3))).reshape(-1, 3)
    return vertices, np.arange(3 * count).reshape(-1, 3)


@pytest.mark.parametrize("distance", [9.0, 0.5])  # in front of the camera; all around it
def test_a_soup_is_seen_as_by_casting_every_ray(distance):
    vertices, faces = soup(40, 0.8, seed=3)
    camera = orbit(25, 15, distance, 4.2647 if distance > 1 else 0.5, size=24)
    fragments = rasterize(torch.as_tensor(vertices), torch.as_tensor(faces), camera, near=0.1)
    face, depth = cast(vertices, faces, camera, near=0.1)
    assert (face >= 0).mean() > 0.5
    assert np.array_equal(fragments.face.numpy().ravel(), face)
    assert np.allclose(fragments.depth.numpy().ravel(), depth, rtol=1e-6)
    corners = vertices[faces][face[face >= 0]]
    points = np.einsum("nk,nkd->nd", fragments.barycentric.numpy().reshape(-1, 3)[face >= 0], corners)
    expected = camera.eye + depth[face >= 0, None] * camera.rays().reshape(-1, 3)[face >= 0]
    assert np.allclose(points, expected, atol=1e-5)


def test_the_depth_of_a_sphere_is_the_closed_form():
    camera = orbit(30, 20, size=64)
    depth = draw(trimesh.creation.icosphere(6), camera).depth.numpy()
    along = -(camera.rays() @ camera.eye)  # of the point of the ray nearest to the centre
    half = 1 - (9.0**2 - along**2)
    inner = half > 0.05  # away from the silhouette, where the facets differ from the sphere
    exact = along - np.sqrt(np.where(inner, half, 0))
    assert inner.mean() > 0.6
    assert np.abs(depth - exact)[inner].max() < 1e-3
    assert np.isinf(depth[half < -0.01]).all()
    assert np.isfinite(depth[half > 0.01]).all()


def test_a_floor_that_crosses_the_near_plane_is_cut_there_and_nowhere_else():
    vertices = np.array([[-50.0, -1, 50], [50, -1, 50], [0, -1, -50]])
    camera = Camera(look_at((0, 0, 0), (0, 0, 1)), pinhole(32, 32, 0.5), 32, 32)
    fragments = rasterize(torch.as_tensor(vertices), torch.tensor([[0, 1, 2]]), camera, near=1.5)
    rays = camera.rays()
    t = -1 / np.minimum(rays[..., 1], -1e-9)
    hit = t[..., None] * rays
    slope = (50 - hit[..., 2]) / 100  # the triangle narrows from z = 50 to a point at z = -50
    inside = (rays[..., 1] < 0) & (hit[..., 2] >= 1.5) & (hit[..., 2] <= 50) & (np.abs(hit[..., 0]) <= 50 * (1 - slope))
    assert 0.2 < inside.mean() < 0.5
    assert np.array_equal(fragments.face.numpy() == 0, inside)
    assert np.allclose(fragments.depth.numpy()[inside], t[inside], rtol=1e-6)


def test_what_lies_behind_the_camera_is_not_seen():
    vertices = torch.tensor([[-1.0, -1, 20], [1, -1, 20], [0, 1, 20]])
    assert (rasterize(vertices, torch.tensor([[0, 1, 2]]), orbit(0, 0, size=8)).face == -1).all()


def test_back_faces_are_seen_like_front_faces():
    mesh = trimesh.creation.icosphere(2)
    inverted = trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)
    front, back = draw(mesh, orbit(10, 20, size=40)), draw(inverted, orbit(10, 20, size=40))
    assert torch.equal(front.face, back.face)
    assert torch.equal(front.depth, back.depth)


def test_a_closed_mesh_leaves_no_gap_at_its_edges():
    camera = Camera(look_at((0, 0, 9), (0, 0, 0)), pinhole(64, 64, 9.0), 64, 64)  # the picture lies inside the outline
    assert (draw(trimesh.creation.icosphere(5), camera).face >= 0).all()
    grid = trimesh.Trimesh([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    assert (draw(grid, camera).face >= 0).all()  # the diagonal passes through pixel centres


def test_equal_faces_give_the_first_one_whatever_the_chunks(monkeypatch):
    mesh = trimesh.creation.icosphere(3)
    double = trimesh.Trimesh(mesh.vertices, np.concatenate([mesh.faces, mesh.faces]), process=False)
    whole = draw(double, orbit(0, 0, size=48))
    assert int(whole.face.max()) < len(mesh.faces)
    monkeypatch.setattr("isofield.render.rasterize.PAIRS", 1000)
    parts = draw(double, orbit(0, 0, size=48))
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_an_empty_mesh_gives_an_empty_picture():
    fragments = rasterize(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64), orbit(0, 0, size=4))
    assert (fragments.face == -1).all()
    assert torch.isinf(fragments.depth).all()
