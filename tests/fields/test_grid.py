import numpy as np
import pytest
import torch

from isofield.errors import IsofieldError
from isofield.fields.analytic import Box, Shape, Sphere, Torus
from isofield.fields.field import gradient
from isofield.fields.grid import BRICK, SparseGrid
from isofield.frame import UnitFrame
from isofield.meshing.extract import extract

RANDOM = torch.Generator().manual_seed(0)
POINTS = torch.rand(20_000, 3, generator=RANDOM) * 2 - 1
BALL = Sphere(0.6).translate((0.1, 0.05, -0.03))


def near(shape: Shape, band: float = 0.05) -> torch.Tensor:
    return POINTS[shape.sdf(POINTS).abs() < band]


def test_error_near_the_surface_is_quadratic_in_the_spacing() -> None:
    """Trilinear interpolation errs by at most h^2 / 8 times the sum of the principal curvatures, here 2 / r."""
    at, errors = near(BALL), []
    for resolution in (33, 65, 129):
        grid = SparseGrid.bake(BALL, resolution)
        errors.append((grid.sdf(at) - BALL.sdf(at)).abs().max().item())
        assert errors[-1] < 1.1 * grid.spacing**2 / 8 * 2 / 0.55
    assert errors[0] / errors[1] > 3.3
    assert errors[1] / errors[2] > 3.3


def test_samples_are_the_field_itself_near_the_surface() -> None:
    grid = SparseGrid.bake(BALL, 65)
    lattice = -1 + grid.spacing * torch.randint(0, 65, (20_000, 3), generator=RANDOM)
    lattice = lattice[BALL.sdf(lattice).abs() < 0.05]
    torch.testing.assert_close(grid.sdf(lattice), BALL.sdf(lattice), atol=2e-6, rtol=0)


@pytest.mark.parametrize("shape", [BALL, Torus(), Box((0.2, 0.3, 0.4)), Sphere(0.9).translate((0.3, 0.0, 0.0))])
def test_it_is_continuous_and_its_lipschitz_constant_holds(shape: Shape) -> None:
    """Close pairs, many of them across the border between fine and coarse bricks."""
    grid = SparseGrid.bake(shape, 65)
    step = torch.randn(len(POINTS), 3, generator=RANDOM)
    for size in (1e-4, 0.02, 0.3):
        other = (POINTS + size * step / step.norm(dim=1, keepdim=True)).clamp(-1, 1)
        change = (grid.sdf(POINTS) - grid.sdf(other)).abs()
        assert (change <= grid.lipschitz * (POINTS - other).norm(dim=1) * 1.0001 + 1e-6).all()
    assert 0.99 < grid.lipschitz < 2.6  # steepest where fine samples meet the coarse grid


def test_the_stated_constant_is_reached_somewhere() -> None:
    grid = SparseGrid.bake(Box((0.2, 0.3, 0.4)).map(lambda values: 3 * values, 3.0), 33)
    slopes = gradient(grid, POINTS).norm(dim=1)
    assert 0.8 * grid.lipschitz < slopes.max() <= 1.0001 * grid.lipschitz


def test_lookup_agrees_with_a_slow_twin() -> None:
    grid = SparseGrid.bake(BALL, 33)
    table, values = grid.table.numpy(), grid.values.double().numpy()
    for point in POINTS[:200].double().numpy():
        place = (point + 1) / grid.spacing
        brick = np.minimum((place // BRICK).astype(int), np.array(table.shape) - 1)
        begin, side, inner = table[tuple(brick)], BRICK + 1, place - BRICK * brick
        if begin < 0:
            begin, side, inner = (
                np.ravel_multi_index(tuple(brick), np.array(table.shape) + 1),
                table.shape[0] + 1,
                inner / BRICK,
            )
        cell = np.minimum(inner.astype(int), BRICK - 1) if side == BRICK + 1 else np.zeros(3, int)
        total = 0.0
        for corner in np.ndindex(2, 2, 2):
            x, y, z = cell + corner
            weight = np.prod(np.where(np.array(corner) == 1, inner - cell, 1 - (inner - cell)))
            total += weight * values[begin + (x * side + y) * side + z]
        assert grid.sdf(torch.tensor(point[None], dtype=torch.float32)).item() == pytest.approx(total, abs=3e-6)


@pytest.mark.parametrize("resolution", [50, 64])
def test_meshing_at_its_own_resolution_gives_the_surface_of_the_field(resolution: int) -> None:
    shape = Torus() | BALL
    mine, truth = extract(SparseGrid.bake(shape, resolution), resolution), extract(shape, resolution)
    assert np.array_equal(mine.mesh.faces, truth.mesh.faces)
    assert np.abs(mine.vertices_unit - truth.vertices_unit).max() < 2e-5


def test_gradient_is_that_of_the_distance() -> None:
    at = near(BALL)
    slopes, truth = gradient(SparseGrid.bake(BALL, 129), at), gradient(BALL, at)
    assert (slopes - truth).norm(dim=1).max() < 0.04  # h / r
    assert (slopes * truth).sum(1).min() > 0.98


def test_it_is_sparse_and_restored_from_what_it_saves() -> None:
    grid = SparseGrid.bake(BALL.colored(1.0, 0.5, 0.0), 129)
    assert grid.bytes() < 129**3 * 4
    again = SparseGrid.restore(grid.spec(), grid.tensors())
    assert torch.equal(again.sdf(POINTS), grid.sdf(POINTS))
    assert torch.equal(again.color(POINTS), grid.color(POINTS))
    assert (again.frame, again.bounds, again.lipschitz) == (grid.frame, grid.bounds, grid.lipschitz)
    torch.testing.assert_close(grid.color(POINTS[:3]), torch.tensor([[1, 128 / 255, 0]]).expand(3, 3))
    assert not SparseGrid.bake(BALL, 33).has_color


def test_other_bounds_and_frame_are_kept() -> None:
    shape = Sphere(0.3)
    shape.bounds, shape.frame = ((-0.4, -0.5, -0.6), (0.4, 0.5, 0.6)), UnitFrame((1.0, 2.0, 3.0), 10.0)
    grid = SparseGrid.bake(shape, 65)
    assert grid.bounds == shape.bounds
    mesh = extract(grid, 65).mesh
    assert np.allclose(mesh.bounds.mean(0), (1, 2, 3), atol=0.01)
    assert np.isclose(mesh.volume, 4 / 3 * np.pi * 3**3, rtol=0.01)


def test_beyond_the_bounds_distance_grows() -> None:
    far = torch.tensor([[3.0, 0.0, 0.0]])
    grid = SparseGrid.bake(Sphere(0.5), 33)
    assert grid.sdf(far).item() == pytest.approx(2.5, abs=0.02)


def test_fields_without_a_bound_keep_their_surface() -> None:
    shape = Torus(0.5, 0.1).map(lambda values: torch.tanh(5 * values))
    at = near(shape, 0.1)
    grid = SparseGrid.bake(shape, 129)
    assert (grid.sdf(at) - shape.sdf(at)).abs().max() < 0.01


def test_fields_that_are_not_finite_are_refused() -> None:
    with pytest.raises(IsofieldError, match="not finite"):
        SparseGrid.bake(Sphere().map(torch.log), 17)
