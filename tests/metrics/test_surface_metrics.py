import numpy as np
import pytest
import trimesh

from isofield.errors import InputError
from isofield.frame import UnitFrame
from isofield.metrics import distances
from isofield.metrics.ghosts import face_components, ghost_components
from isofield.metrics.surface import BothWays, OneWay, Surface, both_ways, referenced_frame
from isofield.metrics.volume import iou

COUNT = 10_000


def surface(mesh):
    return Surface.of(mesh, UnitFrame())


def sphere(radius, center=(0, 0, 0)):
    mesh = trimesh.creation.icosphere(4, radius=radius)
    mesh.apply_translation(center)
    return mesh


def moved(mesh, offset):
    return trimesh.Trimesh(mesh.vertices + np.asarray(offset), mesh.faces, process=False)


def together(*meshes):
    return trimesh.util.concatenate(list(meshes))


@pytest.fixture(scope="module")
def spheres():
    return surface(sphere(0.5)), surface(sphere(0.6))


@pytest.fixture(scope="module")
def between_spheres(spheres):
    return both_ways(*spheres, COUNT, seed=1)


def test_concentric_spheres_are_a_tenth_apart_everywhere(between_spheres):
    both = between_spheres
    for value in (distances.point_to_surface(both), distances.hausdorff(both), distances.msd(both)):
        assert value == pytest.approx(0.1, abs=2e-3)  # facets lie up to 1e-3 inside the sphere
    assert distances.mse(both) == pytest.approx(0.01, rel=0.02)
    assert distances.normal_consistency(both) == pytest.approx(1, abs=2e-3)
    assert distances.f_score(both, tau=0.01) == 0
    assert distances.f_score(both, tau=0.11) == 1


def test_iou_of_concentric_spheres_is_the_ratio_of_their_volumes(spheres):
    assert iou(*spheres) == pytest.approx((0.5 / 0.6) ** 3, abs=0.01)  # 100,000 points: deviation 0.002


def test_iou_of_a_half_shifted_box_is_a_third():
    box = trimesh.creation.box()
    assert iou(surface(box), surface(moved(box, (0.5, 0, 0)))) == pytest.approx(1 / 3, abs=0.01)


def test_iou_without_any_inside_is_undefined():
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]], [[0, 1, 2]], process=False)
    assert np.isnan(iou(surface(sheet), surface(sheet)))


def test_a_translated_cube():
    box, offset = trimesh.creation.box(), 0.1
    both = both_ways(surface(moved(box, (offset, 0, 0))), surface(box), COUNT, seed=0)
    # the side in front is `offset` away, the one behind lies inside, nearer to the flanks at its rim (the integral of
    # (1 - 2x)^2 up to the offset), and on each of the four flanks a strip of width `offset` sticks out
    expected = (offset + (1 - (1 - 2 * offset) ** 3) / 6 + 4 * offset**2 / 2) / 6
    assert distances.msd(both) == pytest.approx(expected, rel=0.03)
    assert distances.point_to_surface(both) == pytest.approx(expected, rel=0.03)
    assert distances.hausdorff(both) == pytest.approx(offset, abs=1e-12)


def test_directions_are_kept_apart():
    small, large = sphere(0.2), together(sphere(0.2), sphere(0.2, (1, 0, 0)))
    both = both_ways(surface(small), surface(large), COUNT, seed=0)
    assert both.pred.distance.max() < 1e-12
    assert both.truth.distance.mean() == pytest.approx((1 + 0.2**2 / 3 - 0.2) / 2, rel=0.03)  # <|p|> of the far sphere
    assert distances.msd(both) < 1e-12 < distances.hausdorff(both)
    assert distances.f_score(both) == pytest.approx(2 * 0.5 / 1.5, abs=0.01)


def test_a_mesh_equals_itself_whatever_the_samples():
    mesh = surface(sphere(0.5))
    both = both_ways(mesh, mesh, COUNT, seed=5)
    assert distances.hausdorff(both) < 1e-15
    assert not np.array_equal(both.pred.points, both.truth.points)
    assert distances.f_score(both) == 1


def test_inside_out_has_the_opposite_normals():
    mesh = sphere(0.5)
    inverted = trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)
    both = both_ways(surface(inverted), surface(mesh), COUNT, seed=0)
    assert distances.normal_consistency(both) == pytest.approx(-1, abs=2e-3)
    assert iou(surface(inverted), surface(mesh)) == 0


def test_a_torn_truth_is_put_right_and_a_prediction_is_not():
    mesh = sphere(0.5)
    faces = mesh.faces.copy()
    faces[::3] = faces[::3, ::-1]
    torn = trimesh.Trimesh(mesh.vertices, faces, process=False)
    right, wrong = Surface.reference(torn, UnitFrame()), Surface.of(torn, UnitFrame())
    assert distances.normal_consistency(both_ways(surface(mesh), right, COUNT)) > 0.99
    assert distances.normal_consistency(both_ways(surface(mesh), wrong, COUNT)) < 0.5


def test_faces_without_area_are_passed_over():
    mesh = sphere(0.5)
    faces = np.concatenate([mesh.faces, [[0, 0, 1], [2, 2, 2]]])
    assert len(surface(trimesh.Trimesh(mesh.vertices, faces, process=False)).mesh.faces) == len(mesh.faces)


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), np.array([[0, 1, 1]])])
def test_nothing_to_measure_is_said_in_one_line(faces):
    mesh = trimesh.Trimesh([[0, 0, 0], [1, 0, 0.0]], faces, process=False)
    with pytest.raises(InputError, match="prediction: no face has an area"):
        Surface.of(mesh, UnitFrame(), "prediction")


def test_stray_vertices_do_not_move_the_frame():
    mesh = sphere(0.5)
    stray = trimesh.Trimesh(np.concatenate([mesh.vertices, [[100.0, 0, 0]]]), mesh.faces, process=False)
    assert referenced_frame(stray).scale == referenced_frame(mesh).scale


def test_a_blob_far_from_the_truth_is_a_ghost():
    truth = surface(sphere(0.5))
    for center, ghosts in ((0.8, 1), (0.62, 0), (0.0, 1)):  # free, touching the 0.05 shell, inside
        result = surface(together(sphere(0.5), sphere(0.1, (center, 0, 0))))
        assert ghost_components(result, truth) == ghosts
        assert ghost_components(result, truth, both_ways(result, truth, 1000).pred) == ghosts


def test_a_large_triangle_that_passes_near_in_its_middle_is_no_ghost():
    truth = surface(sphere(0.01))
    for height, ghosts in ((0.059, 0), (0.061, 1)):
        corners = np.array([[-9.0, -3, height], [7, -5, height], [1, 8, height]])
        assert ghost_components(surface(trimesh.Trimesh(corners, [[0, 1, 2]], process=False)), truth) == ghosts


def test_components_hang_together_by_equal_vertices():
    box = trimesh.creation.box()
    soup = trimesh.Trimesh(box.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    labels = face_components(together(soup, moved(soup, (5, 0, 0))))
    assert np.array_equal(np.unique(labels), [0, 1])
    assert (labels[:12] == labels[0]).all()
    assert (labels[12:] == labels[12]).all()


def test_the_f_score_of_nothing_near_is_zero():
    far = OneWay(np.zeros((1, 3)), np.zeros(1, int), np.ones(1), np.ones(1))
    assert distances.f_score(BothWays(far, far)) == 0
