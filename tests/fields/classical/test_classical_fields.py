"""Closed forms on spheres and tori, signs, gaps, colours and files, for every classical reconstruction."""

import numpy as np
import pytest
import torch

from isofield.errors import InputError
from isofield.fields.analytic import Sphere, Torus
from isofield.fields.classical.mls import MlsField, best_support, implicit
from isofield.fields.classical.points import OrientedPoints
from isofield.fields.classical.poisson import PoissonField
from isofield.fields.classical.rbf import RbfField, biharmonic, off_surface, thinned
from isofield.fields.classical.winding import Inside, WindingField
from isofield.fields.field import sdf_numpy
from isofield.fields.saved import restore
from isofield.frame import UnitFrame
from isofield.mesh.audit import audit
from isofield.meshing.extract import extract

RADIUS, MAJOR, MINOR = 0.8, 0.6, 0.25
COUNT = 3000
FIELDS = [PoissonField, MlsField, RbfField, WindingField]


def ball(count: int = COUNT, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    normals = np.random.default_rng(seed).standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return RADIUS * normals, normals


def ring(count: int = COUNT, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Evenly by area: the share of an angle around the tube grows with its distance from the axis."""
    rng = np.random.default_rng(seed)
    around, tube = rng.uniform(0, 2 * np.pi, (2, 3 * count))
    kept = np.flatnonzero(rng.uniform(0, MAJOR + MINOR, 3 * count) < MAJOR + MINOR * np.cos(tube))[:count]
    around, tube = around[kept], tube[kept]
    normals = np.column_stack([np.cos(tube) * np.cos(around), np.sin(tube), np.cos(tube) * np.sin(around)])
    middle = MAJOR * np.column_stack([np.cos(around), np.zeros(len(kept)), np.sin(around)])
    return middle + MINOR * normals, normals


TRUE_RING = Torus(MAJOR, MINOR)


@pytest.fixture(scope="module")
def rings() -> dict[type, torch.nn.Module]:
    points, normals = ring()
    return {kind: kind.of(points, normals) for kind in FIELDS}


def close_by(distance: float, count: int = 2000) -> torch.Tensor:
    """Points within a distance of the ring."""
    points, normals = ring(count, seed=1)
    shift = np.random.default_rng(2).uniform(-distance, distance, (count, 1))
    return torch.as_tensor(points + shift * normals)


def test_the_test_samples_the_ring_it_measures() -> None:
    points, normals = map(torch.as_tensor, ring())
    assert TRUE_RING.sdf(points).abs().max() < 1e-6
    assert torch.allclose(TRUE_RING.sdf(points + 0.05 * normals), torch.tensor(0.05).double(), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "on", "beside"), [(MlsField, 3e-4, 1e-3), (RbfField, 3e-4, 1.5e-3), (PoissonField, 2e-3, 8e-3),
                               (WindingField, 5e-3, 1e-2)],
)  # fmt: skip
def test_it_is_the_signed_distance_near_the_surface(rings, kind, on, beside) -> None:
    """Mean error on the surface and within half a spacing of it; a turned sign would err by the distance itself."""
    field = rings[kind]
    assert field.sdf(close_by(0)).abs().mean() < on
    at = close_by(0.02)
    assert (field.sdf(at) - TRUE_RING.sdf(at)).abs().mean() < beside


@pytest.mark.parametrize("kind", FIELDS)
def test_inside_and_outside_near_and_far(rings, kind) -> None:
    box = torch.rand(4000, 3, generator=torch.Generator().manual_seed(3)).double() * 2 - 1
    truth = TRUE_RING.sdf(box)
    clear = truth.abs() > 0.04
    assert clear.sum() > 3000
    assert ((truth < 0) & clear).sum() > 100
    assert torch.equal(rings[kind].sdf(box)[clear] < 0, truth[clear] < 0)
    middle_of_tube = torch.tensor([[MAJOR, 0, 0], [0, 0, -MAJOR]]).double()
    assert (rings[kind].sdf(middle_of_tube) < -0.1).all()
    assert (rings[kind].sdf(torch.zeros(1, 3).double()) > 0.1).all()


@pytest.mark.parametrize("kind", FIELDS)
def test_its_mesh_is_one_closed_ring(rings, kind) -> None:
    found = audit(extract(rings[kind], 49).mesh)
    assert (found.watertight, found.manifold, found.components, found.euler) == (True, True, 1, 0)
    assert found.volume == pytest.approx(2 * np.pi**2 * MAJOR * MINOR**2, rel=0.03)


@pytest.mark.parametrize("kind", FIELDS)
def test_inside_out_normals_turn_the_sign_over(kind) -> None:
    points, normals = ball(800)
    field = kind.of(points, -normals)
    at = torch.as_tensor(np.concatenate([0.9 * points, 1.1 * points, np.zeros((1, 3))]))
    truth = Sphere(RADIUS).sdf(at)
    assert ((field.sdf(at) < 0) == (truth > 0)).all()


@pytest.mark.parametrize("kind", FIELDS)
def test_it_comes_back_from_its_tensors(kind) -> None:
    points, normals = ball(400)
    frame = UnitFrame((1.0, 2.0, 3.0), 7.0)
    field = kind.of(points, normals, (127.5 + 127.5 * normals).astype(np.uint8), frame=frame)
    again = restore(field.spec(), field.tensors())
    assert type(again) is kind
    at = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    assert torch.equal(again.sdf(at), field.sdf(at))
    assert torch.equal(again.color(at), field.color(at))
    assert (again.frame, again.bounds, again.lipschitz) == (frame, field.bounds, field.lipschitz)


def test_colours_are_those_of_the_points_nearby() -> None:
    points, normals = ball()
    field = MlsField.of(points, normals, np.round(127.5 + 127.5 * normals).astype(np.uint8))
    fresh, there = ball(500, seed=9)
    assert (field.color(torch.as_tensor(fresh)).numpy() - (0.5 + 0.5 * there)).max() < 0.05
    assert not MlsField.of(points, normals).has_color


@pytest.mark.parametrize("kind", FIELDS)
def test_a_gap_is_closed_and_said_to_be_invented(kind) -> None:
    points, normals = ball()
    points, normals = points[kept := points[:, 1] < 0.5], normals[kept]
    field = kind.of(points, normals)
    mesh = extract(field, 33)
    assert mesh.watertight
    assert audit(mesh.mesh).components == 1
    high = mesh.vertices_unit[:, 1] > 0.5 + 4 * field.cloud.spacing
    assert not field.seen(mesh.vertices_unit[high]).any()
    assert field.seen(points).all()
    assert field.seen(mesh.vertices_unit[mesh.vertices_unit[:, 1] < 0.3]).mean() > 0.99


def test_symmetric_planes_are_exact_on_a_sphere_and_plain_ones_are_not() -> None:
    points, normals = ball()
    at, _ = ball(50, seed=4)
    near = OrientedPoints.of(points, normals).tree.query(at, k=40)[1]
    value, normal = implicit(at, points[near], normals[near])
    plain = np.einsum("nkd,nkd->nk", at[:, None] - points[near], normals[near]).mean(1)
    assert np.abs(value).max() < 0.1 * np.abs(plain).mean()
    assert np.einsum("nd,nd->n", normal, at / RADIUS).min() > 0.999


def test_more_noise_is_averaged_over_more_points() -> None:
    points, normals = ring()
    noise = np.random.default_rng(5).standard_normal(points.shape)
    supports = [best_support(OrientedPoints.of(points + level * noise, normals)) for level in (0, 0.003, 0.03)]
    assert supports[0] < supports[2]
    assert supports == sorted(supports)


def test_another_sheet_above_is_not_taken_for_noise() -> None:
    """Two plates that look the same way, as the back of an arm and the body behind it do."""
    flat = np.column_stack([np.random.default_rng(9).uniform(-0.5, 0.5, (3000, 2)), np.zeros(3000)])
    flat[:, 2] = 0.3 * flat[:, 0] ** 2
    normals = np.column_stack([-0.6 * flat[:, 0], np.zeros(3000), np.ones(3000)])
    points = np.concatenate([flat, flat + np.array([0, 0, 0.12])])
    assert best_support(OrientedPoints.of(points, np.tile(normals, (2, 1)))) <= 16


def test_areas_and_winding_number_have_their_closed_forms() -> None:
    cloud = OrientedPoints.of(*ball())
    assert cloud.areas.sum() == pytest.approx(4 * np.pi * RADIUS**2, rel=0.05)
    at = np.array([[0, 0, 0], [0.5, 0, 0], [0, -1.0, 0], [3, 0, 0]], float)
    assert Inside(cloud).winding(at) == pytest.approx([1, 1, 0, 0], abs=0.03)


def test_a_spline_meets_its_values_and_is_exact_for_linear_functions() -> None:
    rng = np.random.default_rng(6)
    centers, slope = rng.uniform(-1, 1, (60, 3)), np.array([0.3, -2.0, 0.7])
    weights, linear = biharmonic(centers, 0.5 + centers @ slope)
    assert np.abs(weights).max() < 1e-9
    assert linear == pytest.approx([0.5, *slope], abs=1e-9)
    values = rng.standard_normal(60)
    weights, linear = biharmonic(centers, values)
    distance = np.linalg.norm(centers[:, None] - centers, axis=2)
    assert distance @ weights + linear[0] + centers @ linear[1:] == pytest.approx(values, abs=1e-8)
    assert weights @ np.column_stack([np.ones(60), centers]) == pytest.approx(np.zeros(4), abs=1e-9)


def test_points_beside_a_thin_plate_stay_on_their_own_side() -> None:
    flat = np.column_stack([np.random.default_rng(7).uniform(-0.5, 0.5, (2000, 2)), np.zeros(2000)])
    up = np.tile([0.0, 0, 1], (2000, 1))
    thick = 0.01
    cloud = OrientedPoints.of(np.concatenate([flat, flat + np.array([0.01, 0.01, -thick])]), np.concatenate([up, -up]))
    centers, values = off_surface(cloud)
    truth = np.maximum(centers[:, 2], -thick - centers[:, 2])
    beside = values != 0
    assert beside.sum() > 1000
    inner = (values < 0) & (np.abs(centers[:, :2]) < 0.45).all(1)
    assert (truth[values > 0] > 0).all()
    assert (truth[inner] < 0).mean() > 0.95


def test_thinning_keeps_both_sides_of_a_plate_apart() -> None:
    flat = np.column_stack([np.random.default_rng(8).uniform(-0.5, 0.5, (3000, 2)), np.full(3000, 0.005)])
    up = np.tile([0.0, 0, 1], (3000, 1))
    cloud = thinned(OrientedPoints.of(np.concatenate([flat, flat * [1, 1, -1]]), np.concatenate([up, -up])), 1000)
    assert 300 < len(cloud) <= 1000
    assert np.abs(cloud.points[:, 2]) == pytest.approx(0.005)
    assert (np.sign(cloud.points[:, 2]) == cloud.normals[:, 2]).all()


def test_what_cannot_be_used_is_refused() -> None:
    points, normals = ball(100)
    for bad, fault in ((points[:5], "only 5 points"), (points * np.nan, "not finite"), (points * 3, "beyond")):
        with pytest.raises(InputError, match=fault):
            PoissonField.of(bad, normals[: len(bad)])
    with pytest.raises(InputError, match="multiple of 64"):
        PoissonField.of(points, normals, cells=100)
    with pytest.raises(InputError, match="only 0 points with a normal"):
        OrientedPoints.of(points, 0 * normals)


def test_repeated_points_and_long_normals_change_nothing() -> None:
    points, normals = ball(500)
    once, at = MlsField.of(points, normals), ball(200, seed=3)[0] * 1.02
    again = MlsField.of(np.repeat(points, 3, axis=0), 5 * np.repeat(normals, 3, axis=0))
    assert sdf_numpy(again, at) == pytest.approx(sdf_numpy(once, at), abs=1e-9)
