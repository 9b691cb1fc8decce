"""The hash grid: its compiled path against the plain twin, the twin against a definition written out point by point."""

import numpy as np
import pytest
import torch

from isofield.fields.hash_grid import HashGrid, look_up
from isofield.fields.hash_kernel import PRIME_Y, PRIME_Z
from isofield.fields.neural import NeuralField

MIXED = {"levels": 4, "base": 4, "growth": 1.7, "log2_entries": 9, "features": 3}  # two dense levels, two hashed ones


def grid(**changes) -> HashGrid:
    """A grid whose table is not nearly zero, so that errors show."""
    made = HashGrid(**{**MIXED, **changes})
    with torch.no_grad():
        made.table.copy_(torch.randn(made.table.shape, generator=torch.Generator().manual_seed(7)))
    return made


def points(count: int = 700, reach: float = 1.0) -> torch.Tensor:
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(3)) * 2 - 1) * reach


def written_out(made: HashGrid, point: np.ndarray) -> np.ndarray:
    """Trilinear interpolation of each level's lattice, one corner at a time, in float64."""
    table, features = made.table.detach().double().numpy(), []
    for resolution, first, rows, dense in made.layout.tolist():
        place = np.clip(point / 2 + 0.5, 0, 1) * resolution
        cell = np.minimum(np.floor(place).astype(int), resolution - 1)
        total = np.zeros(table.shape[1])
        for dx in (0, 1):
            for dy in (0, 1):
                for dz in (0, 1):
                    x, y, z = (int(c) + d for c, d in zip(cell, (dx, dy, dz), strict=True))
                    hashed = (x ^ (y * 2654435761 % 2**32) ^ (z * 805459861 % 2**32)) % rows
                    row = x + (resolution + 1) * (y + (resolution + 1) * z) if dense else hashed
                    weight = np.prod(1 - np.abs(place - (x, y, z)))
                    total += weight * table[first + row]
        features.append(total)
    return np.concatenate(features)


def test_the_layout_is_dense_while_the_lattice_fits():
    layout = grid().layout
    assert layout[:, 0].tolist() == [4, 6, 11, 19]  # floor(4 * 1.7^k)
    assert layout[:, 2].tolist() == [5**3, 7**3, 512, 512]
    assert layout[:, 1].tolist() == [0, 125, 468, 980]
    assert layout[:, 3].tolist() == [1, 1, 0, 0]
    assert len(grid().table) == 125 + 343 + 512 + 512
    assert HashGrid(levels=2, base=1, growth=8.0, log2_entries=9).layout[1].tolist() == [8, 8, 512, 0]


@pytest.mark.parametrize(("levels", "growth", "resolutions"), [(5, 2.0, [16, 32, 64, 128, 256]), (1, 3.0, [16])])
def test_resolutions_grow_without_rounding_trouble(levels, growth, resolutions):
    assert HashGrid(levels=levels, growth=growth).layout[:, 0].tolist() == resolutions
    assert HashGrid(levels=4, base=10, growth=1.1).layout[:, 0].tolist() == [10, 11, 12, 13]


def test_the_hash_is_that_of_instant_ngp():
    """Müller et al. 2022, Eq. 4: (x ^ 2654435761 y ^ 805459861 z) mod T, in 32 bits."""
    assert (PRIME_Y, PRIME_Z) == (2654435761, 805459861)
    made = HashGrid(levels=1, base=100, log2_entries=10, features=1)
    with torch.no_grad():
        made.table.copy_(torch.arange(1024.0)[:, None])
    lattice = np.array([[3, 5, 7], [99, 98, 1], [100, 100, 100], [0, 64, 33]])
    found = made(torch.as_tensor(lattice / 50 - 1, dtype=torch.float32))[:, 0]
    expected = [(x ^ (y * 2654435761) ^ (z * 805459861)) % 1024 for x, y, z in lattice.tolist()]
    assert found.detach().numpy() == pytest.approx(expected, abs=0.02)


def test_values_are_trilinear_interpolation_written_out():
    made = grid()
    some = torch.cat([points(30, 1.2), torch.tensor([[-1.0, -1, -1], [1, 1, 1], [0, 0, 0], [1, -1, 0.25]])])
    expected = np.stack([written_out(made, p) for p in some.double().numpy()])
    assert np.abs(expected).max() > 1
    with torch.no_grad():
        assert made(some).numpy() == pytest.approx(expected, abs=2e-4)
        assert look_up(some * 0.5 + 0.5, made.table, made.layout).numpy() == pytest.approx(expected, abs=2e-4)
        double = look_up(some.double() * 0.5 + 0.5, made.table.double(), made.layout)
    assert double.numpy() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("changes", [{}, {"log2_entries": 14}, {"log2_entries": 4}, {"features": 1, "levels": 1}])
def test_compiled_path_equals_its_twin_in_values_and_gradients(changes):
    made, some = grid(**changes), points(reach=1.3)
    upstream = torch.randn(len(some), made.width, generator=torch.Generator().manual_seed(5))
    results = []
    for compiled in (True, False):
        at = some.clone().requires_grad_()
        values = made(at) if compiled else look_up(at * 0.5 + 0.5, made.table, made.layout)
        results.append((values, *torch.autograd.grad(values, (at, made.table), upstream)))
    (values, by_point, by_table), (twin, twin_by_point, twin_by_table) = results
    assert values.grad_fn.name() != twin.grad_fn.name()
    torch.testing.assert_close(values, twin, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(by_table, twin_by_table, rtol=1e-4, atol=1e-4)
    scale = float(twin_by_point.abs().max())
    torch.testing.assert_close(by_point, twin_by_point, rtol=1e-3, atol=1e-4 * scale)


def test_only_the_gradients_asked_for_are_made():
    made, some = grid(), points(20)
    made(some).sum().backward()
    assert made.table.grad is not None
    made.table.requires_grad_(False)
    at = some.clone().requires_grad_()
    made(at).sum().backward()
    assert at.grad is not None
    assert not made(some).requires_grad


def test_the_gradient_vanishes_outside_the_box_and_is_one_sided_on_its_faces():
    made = grid()
    beyond = torch.tensor([[1.2, 0.1, 0.2], [0.1, -1.4, 0.2], [1.3, 1.3, -1.3], [1.0, 0.3, 0.1], [-1.0, -1.0, 0.4]])
    slopes = []
    for compiled in (True, False):
        at = beyond.clone().requires_grad_()
        values = made(at) if compiled else look_up(at * 0.5 + 0.5, made.table, made.layout)
        slopes.append(torch.autograd.grad(values.square().sum(), at)[0])
    compiled, twin = slopes
    torch.testing.assert_close(compiled, twin, rtol=1e-4, atol=1e-3)
    off = beyond.abs() > 1
    assert (compiled[off] == 0).all()
    assert (compiled[~off] != 0).all()
    with torch.no_grad():
        torch.testing.assert_close(made(beyond), made(beyond.clamp(-1, 1)), rtol=0, atol=0)


def test_strided_inputs_and_no_points_at_all():
    made, some = grid(), points(40)
    turned = some.t().contiguous().t()
    assert not turned.is_contiguous()
    assert torch.equal(made(turned), made(some))
    at = turned.clone().requires_grad_()
    made(at).sum().backward()  # an upstream gradient that is one number spread out
    assert at.grad is not None
    none = torch.zeros(0, 3, requires_grad=True)
    out = made(none)
    out.sum().backward()
    assert out.shape == (0, made.width)
    assert not made.table.grad[0].isnan().any()


def eikonal_gradients(made: HashGrid, some: torch.Tensor, compiled: bool) -> tuple[torch.Tensor, ...]:
    """Derivatives of sum (|grad f| - 1)^2 with respect to table and points; f mixes features, not linearly."""
    at = some.clone().requires_grad_()
    features = made(at) if compiled else look_up(at * 0.5 + 0.5, made.table, made.layout)
    (slope,) = torch.autograd.grad(torch.sin(features).sum(), at, create_graph=True)
    loss = (slope.norm(dim=1) - 1).square().sum()
    return torch.autograd.grad(loss, (made.table, at))


def test_second_derivatives_equal_the_twins():
    made = grid()
    for found, expected in zip(
        eikonal_gradients(made, points(200), True), eikonal_gradients(made, points(200), False), strict=True
    ):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("log2_entries", [2, 9])
def test_the_twins_derivatives_are_those_of_its_values(log2_entries):
    """In float64, by finite differences, first and second order, inside cells."""
    made = HashGrid(levels=2, base=2, growth=2.0, log2_entries=log2_entries, features=2)
    table = torch.randn(made.table.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    cell = torch.tensor([[0.1, 0.3, 0.85], [0.6, 0.2, 0.4], [1.3, 0.6, 0.1]], dtype=torch.float64)

    def mixed(positions, entries):
        return torch.sin(look_up(positions, entries, made.layout))

    inputs = (cell.requires_grad_(), table.requires_grad_())
    assert torch.autograd.gradcheck(mixed, inputs)
    assert torch.autograd.gradgradcheck(mixed, inputs)


def test_sums_are_the_same_bytes_for_any_number_of_threads():
    """Rows are shared by many points here: one addition in another order would show."""
    made, some = grid(log2_entries=6), points(5000)
    upstream = torch.randn(len(some), made.width, generator=torch.Generator().manual_seed(5))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            at = some.clone().requires_grad_()
            values = made(at)
            gradients = torch.autograd.grad(values, (at, made.table), upstream)
            found.append([tensor.detach().numpy().tobytes() for tensor in (values, *gradients)])
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_a_levels_share_of_the_gradient_is_the_sum_in_the_order_of_the_points():
    """The compiled sum against a loop in float32: the same order, so the same but for fused multiplications."""
    made, some = grid(levels=1, base=2, features=1), points(300)
    upstream = torch.randn(len(some), 1, generator=torch.Generator().manual_seed(5))
    (found,) = torch.autograd.grad(made(some), made.table, upstream)
    columns = []
    for corner in np.eye(len(made.table), dtype=np.float32):  # the weight of each row, by asking for it
        columns.append(look_up(some * 0.5 + 0.5, torch.as_tensor(corner)[:, None], made.layout))
    expected = (torch.cat(columns, 1).double() * upstream.double()).sum(0)
    assert found[:, 0].numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_not_a_number_is_no_crash():
    made = grid()
    bad = torch.tensor([[float("nan"), 0, 0], [float("inf"), -float("inf"), 0]])
    with torch.no_grad():
        found = made(bad)
    assert torch.equal(found[1], made(torch.tensor([[1.0, -1.0, 0.0]]))[0])


def test_the_description_builds_the_same_layout_again():
    made = grid()
    spec = made.spec()
    assert spec.pop("type") == "HashGrid"
    again = HashGrid(**spec)
    assert np.array_equal(again.layout, made.layout)
    assert again.table.shape == made.table.shape
    assert again.width == made.width == 12


def test_the_first_table_is_small_and_comes_from_the_seed():
    first = HashGrid(seed=4).table.detach()
    assert torch.equal(first, HashGrid(seed=4).table)
    assert not torch.equal(first, HashGrid(seed=5).table)
    assert 0.9e-4 < float(first.abs().max()) <= 1e-4
    assert abs(float(first.mean())) < 1e-6


def test_tables_are_stored_in_half_precision_and_nothing_else_is():
    field = NeuralField(grid())
    stored = field.tensors()
    assert stored["encoding.table"].dtype == torch.float16
    assert {value.dtype for name, value in stored.items() if name != "encoding.table"} == {torch.float32}
    table = field.encoding.table.detach()
    assert float(((stored["encoding.table"].float() - table) / table).abs().max()) <= 2**-11
