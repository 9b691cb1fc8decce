"""Points and triangles without sides become fields with sides; where they do not, it is said."""

import numpy as np
import pytest
import torch
import trimesh

from isofield.errors import InputError, IsofieldError
from isofield.fields.analytic import Sphere, Torus
from isofield.fields.encodings import Identity
from isofield.fields.field import sdf_numpy
from isofield.fields.neural import ColorHead
from isofield.frame import MARGIN
from isofield.mesh.audit import audit
from isofield.mesh.surfels import Surfels
from isofield.meshing.extract import extract
from isofield.tasks.fit import fit
from isofield.tasks.objectives import Objective, TrainingData
from isofield.tasks.sal import (
    SignAgnostic,
    check_sign,
    sign_agnostic_field,
    sign_agnostic_start,
    sign_test,
    surface_frame,
)
from isofield.tasks.shrink_wrap import wrap

MAJOR, MINOR, SCALE, SHIFT = 0.6, 0.25, 30.0, np.array([5.0, 6.0, 7.0])


def torus_points(count: int, seed: int = 1) -> np.ndarray:
    """Uniform over the area, in no order."""
    rng = np.random.default_rng(seed)
    u, v, w = rng.random((3, 3 * count)) * np.array([2 * np.pi, 2 * np.pi, 1])[:, None]
    ring = MAJOR + MINOR * np.cos(v)
    points = np.stack([ring * np.cos(u), MINOR * np.sin(v), ring * np.sin(u)], 1)
    return points[w < ring / (MAJOR + MINOR)][:count]


def sphere_points(count: int = 3000) -> np.ndarray:
    points = np.random.default_rng(2).standard_normal((count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def cloud(points: np.ndarray) -> trimesh.Trimesh:
    return trimesh.Trimesh(points, np.zeros((0, 3), int), process=False)


def overlap(field, shape, points: np.ndarray) -> float:
    a, b = sdf_numpy(field, points) < 0, sdf_numpy(shape, points) < 0
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def torus():
    """(points in the user's frame, the field learned from them, the true field in its frame)."""
    mesh = cloud(torus_points(5000) * SCALE + SHIFT)
    torch.manual_seed(0)
    field = fit(mesh, sign_agnostic_start(mesh), SignAgnostic(batch=1024), steps=200).field
    frame = field.frame
    truth = Torus(MAJOR * SCALE / frame.scale, MINOR * SCALE / frame.scale)
    return mesh, field, truth.translate(tuple(frame.to_unit(SHIFT[None])[0]))


def test_a_torus_of_points_without_normals_becomes_a_torus(torus):
    mesh, field, truth = torus
    anywhere = np.random.default_rng(0).uniform(-1, 1, (60_000, 3))
    assert overlap(field, truth, anywhere) > 0.98
    found = sign_test(field, field.frame.to_unit(mesh.vertices))
    assert found.crossed > 0.99
    assert found.off < 0.01
    assert found.inside == pytest.approx((sdf_numpy(truth, anywhere) < 0).mean(), abs=0.01)
    check_sign(found)
    surface = extract(field, 64).mesh
    audited = audit(surface)
    assert (audited.watertight, audited.components, audited.euler) == (True, 1, 0)
    assert audited.volume == pytest.approx(2 * np.pi**2 * MAJOR * MINOR**2 * SCALE**3, rel=0.03)


def test_unsigned_distance_is_found_out(torus):
    """The loss is as happy with the absolute value: 0 at the points, no inside anywhere."""
    mesh, field, truth = torus
    recipe = SignAgnostic(batch=4000)
    data = TrainingData(recipe.samples(mesh, 20_000, 0))
    signed, unsigned = truth, truth.map(torch.abs)
    values = []
    for answer in (signed, unsigned):
        torch.manual_seed(0)
        impostor = sign_agnostic_field()
        impostor.sdf = answer.sdf
        values.append(recipe.loss(impostor, data).item())
    assert values[0] == values[1] < 2e-3
    points = field.frame.to_unit(mesh.vertices)
    collapsed = sign_test(unsigned, points)
    assert (collapsed.inside, collapsed.crossed) == (0, 0)
    with pytest.raises(IsofieldError, match=r"unsigned collapse.*normals"):
        check_sign(collapsed, "torus.ply")


def test_points_that_the_field_leaves_aside_are_warned_of(torus):
    """A second ring of points that the field does not know."""
    mesh, field, _ = torus
    points = field.frame.to_unit(mesh.vertices)
    found = sign_test(field, np.concatenate([points, points[:1000] * 0.3]))
    assert 0.1 < found.off <= 1 / 6
    assert found.crossed < 0.9
    with pytest.warns(match="off the surface"), pytest.warns(match="changes sign at only"):
        check_sign(found)


def test_the_mirror_image_of_a_field_passes_nothing_off_as_inside():
    points = sphere_points() * 0.5
    found = sign_test(Sphere(0.5), points)
    assert (found.crossed, found.off) == (1, 0)
    assert found.inside == pytest.approx(4 / 3 * np.pi * 0.125 / 8, abs=0.01)
    assert sign_test(Sphere(0.5).map(torch.neg), points).inside > 0.9


def test_distances_to_points_and_to_a_soup_are_those_of_the_surface_between_them():
    """Points: off by curvature times spacing squared, not by the spacing; triangles: exact, whichever way they face."""
    radius = 1 / MARGIN
    sample = SignAgnostic().samples(cloud(sphere_points() * 7 + SHIFT), 20_000, 0)
    error = np.abs(np.abs(np.linalg.norm(sample.points, axis=1) - radius) - sample.sdf)
    assert error.mean() < 3e-3
    assert np.abs(np.linalg.norm(sample.closest, axis=1) - radius).max() < 0.02
    assert (sample.sdf >= 0).all()
    soup = trimesh.creation.icosphere(4)
    turned = np.random.default_rng(0).random(len(soup.faces)) < 0.5
    soup.faces[turned] = soup.faces[turned][:, ::-1]
    exact = SignAgnostic().samples(soup, 20_000, 0)
    assert np.abs(np.abs(np.linalg.norm(exact.points, axis=1) - radius) - exact.sdf).max() < 3e-3
    assert 0.3 < (np.linalg.norm(exact.points, axis=1) < radius).mean() < 0.7


def test_a_surfel_is_flat():
    """Points of a lattice in a plane: the distance to the plane itself, in the gaps too."""
    x, y = np.meshgrid(np.arange(10.0), np.arange(10.0))
    surfels = Surfels(np.stack([x.ravel(), y.ravel(), np.zeros(100)], 1))
    asked = np.array([[4.5, 4.5, 0.3], [4.2, 4.4, -0.7], [4, 4, 0]])
    found = surfels.closest(asked)
    assert found.distance == pytest.approx([0.3, 0.7, 0])
    assert found.point == pytest.approx(asked * [1, 1, 0])
    assert np.abs(surfels.normals) == pytest.approx(np.tile([0.0, 0, 1], (100, 1)))


def test_the_wrap_encloses_a_closed_surface_and_not_an_open_one():
    points = sphere_points() * 0.6
    wrapped = wrap(Surfels(points), 0.04)
    axis = np.linspace(-1, 1, len(wrapped))
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    assert (wrapped[radius < 0.6] < 0).all()
    assert (wrapped[radius > 0.75] > 0).all()
    assert wrap(Surfels(points[points[:, 0] > -0.3]), 0.04) is None


def test_without_a_wrap_the_field_starts_as_a_sphere():
    points = sphere_points()
    field = sign_agnostic_start(cloud(points[points[:, 0] > -0.3]))
    assert field.encoding.octaves == 0
    for radius in (0.1, 0.9):
        values = sdf_numpy(field, sphere_points(200) * radius)
        assert values.mean() == pytest.approx(radius - 0.5, abs=0.15)
        assert (np.sign(values) == np.sign(radius - 0.5)).mean() > 0.95


def test_indicator_asks_for_zero_at_the_points_and_one_elsewhere():
    recipe = SignAgnostic(indicator=True, batch=400)
    data = TrainingData(recipe.samples(cloud(sphere_points()), 2000, 0))
    field = sign_agnostic_field()
    on = []
    field.sdf = lambda points: on.append(points) or torch.zeros(len(points))
    assert recipe.loss(field, data).item() == pytest.approx(0.5)
    distance = (on[0].norm(dim=1) - 1 / MARGIN).abs()
    assert distance[::2].max() < 0.02 < distance[1::2].median()


def test_colours_are_those_of_the_nearest_point():
    points = sphere_points()
    mesh = cloud(points)
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=np.round((points + 1) / 2 * 255).astype(np.uint8))
    sample = SignAgnostic().samples(mesh, 5000, 0)
    assert np.abs(sample.colors - (sample.closest * MARGIN + 1) / 2).mean() < 0.02
    field = sign_agnostic_field(ColorHead.over(Identity(), width=4))
    plain = SignAgnostic(batch=100)
    data = TrainingData(sample)
    torch.manual_seed(0)
    colored = plain.loss(field, data).item()
    data.colors = None
    torch.manual_seed(0)
    assert colored > plain.loss(field, data).item() + 0.05


def test_the_recipe_is_an_objective_with_the_same_samples_for_the_same_seed():
    recipe, mesh = SignAgnostic(), cloud(sphere_points())
    assert isinstance(recipe, Objective)
    first, again, other = (recipe.samples(mesh, 500, seed).points.tobytes() for seed in (3, 3, 4))
    assert first == again != other


def test_few_points_are_refused():
    with pytest.raises(InputError, match="only 20"):
        SignAgnostic().samples(cloud(sphere_points(20)), 100, 0)


def test_the_frame_is_that_of_the_surface():
    mesh = cloud(sphere_points() * 4)
    assert surface_frame(mesh).scale == pytest.approx(4 * MARGIN, rel=1e-2)
    box = trimesh.creation.box((2, 2, 2))
    lonely = trimesh.Trimesh(np.concatenate([box.vertices, [[99, 0, 0]]]), box.faces, process=False)
    assert surface_frame(lonely).center == (0, 0, 0)
