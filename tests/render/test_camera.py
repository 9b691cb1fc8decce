import numpy as np
import pytest

from isofield.render.camera import look_at, orbit, pinhole


def project(camera, points):
    local = (points - camera.eye) @ camera.camera_to_world[:3, :3]
    pixels = local @ camera.intrinsics.T
    return pixels[:, :2] / pixels[:, 2:], local[:, 2]


@pytest.mark.parametrize("azimuth", [0, 37, 180, -90])
@pytest.mark.parametrize("elevation", [-90, -20, 0, 90])
def test_an_orbit_is_a_rigid_motion_that_faces_the_target(azimuth, elevation):
    camera = orbit(azimuth, elevation, size=64)
    rotation = camera.camera_to_world[:3, :3]
    assert np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    pixels, depth = project(camera, np.zeros((1, 3)))
    assert np.allclose(pixels, 32)
    assert depth[0] == pytest.approx(9)


def test_the_front_view_has_x_to_the_right_and_y_up():
    pixels, _ = project(orbit(0, 0, size=100), np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0]]))
    right, up = pixels[1] - pixels[0], pixels[2] - pixels[0]
    assert right[0] > 20
    assert right[1] == pytest.approx(0, abs=1e-9)
    assert up[1] < -20
    assert up[0] == pytest.approx(0, abs=1e-9)


def test_azimuth_walks_to_the_right_and_elevation_up():
    assert np.allclose(orbit(90, 0).eye, (9, 0, 0))
    assert np.allclose(orbit(0, 90).eye, (0, 9, 0))
    assert np.allclose(orbit(0, 0, up=(0, 0, 1)).eye, (0, -9, 0))
    assert np.allclose(orbit(90, 0, up=(0, 0, 1)).eye, (9, 0, 0))


def test_the_unit_sphere_fits_the_standard_picture_with_a_small_margin():
    camera = orbit(20, 30, size=256)
    points = np.random.default_rng(0).normal(size=(20_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    pixels, _ = project(camera, points)
    assert pixels.min() > 0
    assert pixels.max() < 256
    assert pixels.max() > 256 * 0.95


def test_rays_pass_through_the_points_that_project_to_their_pixels():
    camera = orbit(40, -15, size=8)
    points = camera.eye + 3.0 * camera.rays().reshape(-1, 3)
    pixels, _ = project(camera, points)
    y, x = np.divmod(np.arange(64), 8)
    assert np.allclose(pixels, np.stack([x, y], axis=1) + 0.5)


def test_an_enlarged_picture_shows_the_same():
    camera, large = orbit(10, 10, size=16), orbit(10, 10, size=16).enlarged(3)
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (10, 3))
    assert np.allclose(project(camera, points)[0] * 3, project(large, points)[0])
    assert (large.width, large.height) == (48, 48)


def test_looking_along_up_still_gives_a_rotation():
    pose = look_at((0, 5, 0))
    assert np.allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3))
    assert np.allclose(pose[:3, 2], (0, -1, 0))


def test_a_pinhole_has_its_principal_point_in_the_middle():
    assert np.allclose(pinhole(200, 100, 2.0), [[400, 0, 100], [0, 400, 50], [0, 0, 1]])
