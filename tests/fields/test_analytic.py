import pytest
import torch

from isofield.fields.analytic import Box, Capsule, Cylinder, Gyroid, Plane, Shape, Sphere, Torus, rotation
from isofield.fields.field import gradient

POINTS = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
TILTED = Box((0.2, 0.3, 0.4)).rotate((1.0, 2.0, 3.0), 40).translate((0.1, -0.2, 0.3))
EXACT = {
    "sphere": Sphere(0.6),
    "box": Box((0.3, 0.5, 0.7)),
    "torus": Torus(0.5, 0.2),
    "cylinder": Cylinder(0.3, 0.6),
    "capsule": Capsule((-0.3, 0.1, 0.0), (0.4, -0.2, 0.5), 0.2),
    "plane": Plane((1.0, 2.0, -2.0), 0.1),
    "tilted box": TILTED,
    "scaled": TILTED.scale(1.7),
}
BOUNDS = {
    "gyroid": Gyroid(0.4),
    "union": Sphere(0.5) | Box((0.2, 0.2, 0.8)),
    "intersection": Sphere(0.5) & Box((0.2, 0.2, 0.8)),
    "difference": Box() - Torus(),
    "smooth": Sphere(0.4).smooth_union(Box((0.1, 0.1, 0.7)), 0.2),
    "shell": Torus().shell(0.1),
    "clamp": Sphere().clamp(0.1),
    "offset": Box((0.2, 0.2, 0.2)).offset(0.2),
}


@pytest.mark.parametrize("shape", EXACT.values(), ids=EXACT)
def test_exact_distance_reaches_the_surface_and_nothing_is_nearer(shape: Shape) -> None:
    """Going f against the gradient lands on the surface, and no surface is nearer since f is 1-Lipschitz."""
    far_from_edges = POINTS[shape.sdf(POINTS) > 0.02]  # outside there is one nearest point almost everywhere
    slope = gradient(shape, far_from_edges)
    torch.testing.assert_close(slope.norm(dim=1), torch.ones(len(far_from_edges)), atol=1e-4, rtol=0)
    landed = far_from_edges - shape.sdf(far_from_edges)[:, None] * slope
    assert shape.sdf(landed).abs().max() < 5e-4  # float32, and the edges of boxes


@pytest.mark.parametrize("shape", [*EXACT.values(), *BOUNDS.values()], ids=[*EXACT, *BOUNDS])
def test_stated_lipschitz_constant_holds(shape: Shape) -> None:
    a, b = POINTS, POINTS.roll(1, 0) * 0.05 + POINTS * 0.95
    assert shape.lipschitz == 1.0
    assert ((shape.sdf(a) - shape.sdf(b)).abs() <= (a - b).norm(dim=1) * 1.0001 + 1e-6).all()


def test_closed_forms() -> None:
    at = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.9, 0.0], [0.7, 0.0, 0.0]])
    torch.testing.assert_close(Sphere(0.5).sdf(at), torch.tensor([-0.5, 0.4, 0.2]))
    torch.testing.assert_close(Box((0.1, 0.2, 0.3)).sdf(at), torch.tensor([-0.1, 0.7, 0.6]))
    torch.testing.assert_close(Torus(0.5, 0.2).sdf(at), torch.tensor([0.3, (0.5**2 + 0.9**2) ** 0.5 - 0.2, 0.0]))
    torch.testing.assert_close(Cylinder(0.3, 0.6).sdf(at), torch.tensor([-0.3, 0.3, 0.4]))
    torch.testing.assert_close(Capsule((0, 0, 0), (0, 0.5, 0), 0.1).sdf(at), torch.tensor([-0.1, 0.3, 0.6]))
    torch.testing.assert_close(Plane((0.0, 2.0, 0.0), 0.2).sdf(at), torch.tensor([-0.2, 0.7, -0.2]))
    corner = torch.tensor([[0.1 + 0.3, 0.2 + 0.4, 0.3]])
    torch.testing.assert_close(Box((0.1, 0.2, 0.3)).sdf(corner), torch.tensor([0.5]))


def test_set_operations_agree_with_logic() -> None:
    a, b = Sphere(0.6), Box((0.3, 0.9, 0.3)).translate((0.2, 0.0, 0.0))
    in_a, in_b = a.sdf(POINTS) < 0, b.sdf(POINTS) < 0
    assert torch.equal((a | b).sdf(POINTS) < 0, in_a | in_b)
    assert torch.equal((a & b).sdf(POINTS) < 0, in_a & in_b)
    assert torch.equal((a - b).sdf(POINTS) < 0, in_a & (b.sdf(POINTS) > 0))
    assert ((a.smooth_union(b, 0.3)).sdf(POINTS) <= (a | b).sdf(POINTS)).all()


def test_motions_move_the_shape_itself() -> None:
    point = torch.tensor([[0.0, 0.9, 0.0]])
    rod = Capsule((0, 0, 0), (0.9, 0, 0), 0.01)
    assert rod.rotate((0, 0, 1), 90).sdf(point) < 0 < rod.rotate((0, 0, 1), -90).sdf(point)
    assert Sphere(0.1).translate((0, 0.9, 0)).sdf(point).item() == pytest.approx(-0.1)
    torch.testing.assert_close(Sphere(0.2).scale(3).sdf(POINTS), Sphere(0.6).sdf(POINTS))
    turn = rotation((1, 2, 3), 50)
    torch.testing.assert_close(turn @ turn.T, torch.eye(3))
    assert torch.linalg.det(turn).item() == pytest.approx(1)


def test_value_operations() -> None:
    sphere = Sphere(0.5)
    torch.testing.assert_close(sphere.offset(0.1).sdf(POINTS), Sphere(0.6).sdf(POINTS))
    shell = sphere.shell(0.1).sdf(POINTS) < 0
    assert torch.equal(shell, (sphere.sdf(POINTS).abs() < 0.05))
    assert sphere.clamp(0.1).sdf(POINTS).abs().max() <= 0.1
    assert sphere.map(torch.tanh).lipschitz is None
    assert (sphere | sphere.map(torch.tanh)).lipschitz is None


def test_union_takes_the_colour_of_the_nearer() -> None:
    red, blue = (
        Sphere(0.2).colored(1, 0, 0).translate((-0.5, 0, 0)),
        Sphere(0.2).colored(0, 0, 1).translate((0.5, 0, 0)),
    )
    at = torch.tensor([[-0.4, 0.0, 0.0], [0.4, 0.0, 0.0]])
    assert (red | blue).has_color
    assert (red | blue).color(at).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert (Sphere(0.2).translate((-0.5, 0, 0)) | blue).color(at)[1].tolist() == [0, 0, 1]
    assert not (Sphere() | Sphere()).has_color
    with pytest.raises(AttributeError, match="no colour"):
        Sphere().color(at)
