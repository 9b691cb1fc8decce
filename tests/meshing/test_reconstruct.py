"""Oriented points to the distance of a closed mesh."""

import numpy as np
import pytest
import torch

from isofield.fields.analytic import Sphere
from isofield.fields.field import sdf_numpy
from isofield.frame import UnitFrame
from isofield.meshing.extract import extract
from isofield.meshing.reconstruct import reconstruct_points

RADIUS = 0.8


def ball(count: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return (RADIUS + noise * rng.standard_normal((count, 1))) * normals, normals


@pytest.mark.parametrize(("noise", "most"), [(0.0, 1e-3), (0.01, 5e-3)])
def test_it_is_the_distance_everywhere_and_closed(noise: float, most: float) -> None:
    field = reconstruct_points(*ball(4000, noise))
    at = torch.rand(3000, 3, generator=torch.Generator().manual_seed(1)).double() * 2 - 1
    assert (field.sdf(at) - Sphere(RADIUS).sdf(at)).abs().mean() < most
    mesh = extract(field, 33)
    assert (mesh.watertight, mesh.guard) == (True, "proven")


def test_frame_and_colours_are_kept() -> None:
    points, normals = ball(1000)
    frame = UnitFrame((5.0, 0.0, 0.0), 3.0)
    field = reconstruct_points(points, normals, np.where(points > 0, 250, 10), frame=frame)
    assert field.frame == frame
    color = field.color(torch.tensor([[0.5, -0.5, 0.4]])).numpy() * 255
    assert color == pytest.approx(np.array([[250, 10, 250]]), abs=3)


def test_inside_out_normals_turn_the_sign_over() -> None:
    points, normals = ball(1000)
    values = sdf_numpy(reconstruct_points(points, -normals), np.array([[0.0, 0, 0], [0.95, 0, 0]]))
    assert values[0] > 0.5
    assert values[1] < 0
