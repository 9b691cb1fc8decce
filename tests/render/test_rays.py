"""Rays against the cameras they come from, solids they meet, and histograms they are drawn from."""

import numpy as np
import pytest
import torch

from isofield.frame import UnitFrame
from isofield.render.camera import orbit
from isofield.render.rays import (
    blurred,
    by_inverse_cdf,
    camera_rays,
    rays_of,
    rays_through,
    stratified,
    through_ball,
    through_box,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_rays_are_the_cameras_own_from_both_descriptions():
    cameras = [orbit(20, 30, size=6), orbit(-70, -10, 4.0, 2.0, size=6)]
    rays = rays_of(cameras)
    for k, camera in enumerate(cameras):
        np.testing.assert_allclose(rays.directions[k].view(6, 6, 3), camera.rays(), atol=1e-6)
        np.testing.assert_allclose(rays.origins[k, 7], camera.eye, atol=1e-6)
    poses = torch.tensor(np.stack([c.camera_to_world for c in cameras]), dtype=torch.float32)
    scaled = torch.tensor(np.stack([c.intrinsics / np.array([[6], [6], [1]]) for c in cameras]), dtype=torch.float32)
    for one, other in zip(camera_rays(poses, scaled, 6, 6), rays, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    some = torch.tensor([[[0.75, 0.25]], [[0.25, 0.75]]])  # of pixels (x, y) = (4, 1) and (1, 4)
    for one, other in zip(rays_through(poses, scaled, some), rays, strict=True):
        torch.testing.assert_close(one[:, 0], torch.stack([other[0, 10], other[1, 25]]), atol=1e-5, rtol=0)


def test_a_frame_takes_the_eye_along_and_leaves_directions():
    camera, frame = orbit(20, 30, 40.0, size=4, target=(10.0, 0.0, 0.0)), UnitFrame((10.0, 0.0, 0.0), 5.0)
    rays, same = rays_of([camera], frame), rays_of([orbit(20, 30, 8.0, size=4)])
    for one, other in zip(rays, same, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_entries_and_exits_of_the_ball_lie_on_it():
    eyes, directions = 3 * drawn(500, 3), torch.nn.functional.normalize(drawn(500, 3, seed=1), dim=1)
    near, far = through_ball(eyes, directions, 0.8)
    hit = far > near
    assert 0 < hit.sum() < 500
    out = eyes[hit] + far[hit, None] * directions[hit]
    torch.testing.assert_close(out.norm(dim=1), torch.full_like(far[hit], 0.8))
    enters = hit & (near > 0)
    into = eyes[enters] + near[enters, None] * directions[enters]
    torch.testing.assert_close(into.norm(dim=1), torch.full_like(near[enters], 0.8))
    assert (eyes[hit & (near == 0)].norm(dim=1) < 0.8).all()  # the eye is inside
    closest = eyes[~hit] + (-(eyes * directions).sum(1)).clamp_min(0)[~hit, None] * directions[~hit]
    assert (closest.norm(dim=1) >= 0.8 - 1e-12).all()


def test_the_ball_is_met_exactly_from_far_away_in_single_precision():
    eye, direction = torch.tensor([[0.3, 0.0, 1000.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    near, far = through_ball(eye, direction)
    assert (far - near).item() == pytest.approx(2 * (1 - 0.3**2) ** 0.5, abs=2e-4)


def test_box_bounds_are_where_the_largest_coordinate_is_one():
    eyes, directions = 3 * drawn(500, 3), torch.nn.functional.normalize(drawn(500, 3, seed=1), dim=1)
    directions[:3] = torch.eye(3, dtype=torch.float64)  # along axes
    near, far = through_box(eyes, directions)
    hit = far > near
    assert 0 < hit.sum() < 500
    out = eyes[hit] + far[hit, None] * directions[hit]
    torch.testing.assert_close(out.abs().amax(1), torch.ones_like(far[hit]))
    t = torch.linspace(0, 12, 4001, dtype=torch.float64)
    inside = ((eyes[:, None] + t[:, None] * directions[:, None]).abs() < 1).all(-1)
    inside &= (t > near[:, None] + 1e-9) | (t < near[:, None] - 1e-9)
    between = (t > near[:, None]) & (t < far[:, None])
    assert torch.equal(inside, inside & between)


def test_stratified_samples_have_one_in_each_part():
    near, far = torch.tensor([1.0, 5.0]), torch.tensor([2.0, 5.0])
    t = stratified(near, far, 10)
    assert torch.equal(((t[0] - 1) * 10).long(), torch.arange(10))
    assert torch.equal(t[1], torch.full((10,), 5.0))
    torch.testing.assert_close(stratified(near, far, 2, jitter=False)[0], torch.tensor([1.25, 1.75]))


def test_fine_samples_follow_the_histogram():
    edges, weights = torch.tensor([0.0, 1.0, 3.0, 4.0]), torch.tensor([1.0, 6.0, 3.0])
    t = by_inverse_cdf(edges.expand(100, 4), weights.expand(100, 3), 1000)
    assert (t.diff(dim=-1) >= 0).all()
    counts = torch.stack([(t < 1).float().mean(), ((t >= 1) & (t < 3)).float().mean(), (t >= 3).float().mean()])
    torch.testing.assert_close(counts, weights / 10, atol=2e-3, rtol=0)
    torch.testing.assert_close(((t >= 1) & (t < 2)).float().mean(), torch.tensor(0.3), atol=2e-3, rtol=0)


def test_fine_samples_without_any_weight_are_spread_over_all_intervals():
    t = by_inverse_cdf(torch.linspace(2, 3, 5), torch.zeros(4), 8, jitter=False)
    torch.testing.assert_close(t, 2 + (torch.arange(8) + 0.5) / 8)


def test_blurring_by_hand():
    weights = torch.tensor([0.0, 0.0, 1.0, 0.0])
    torch.testing.assert_close(blurred(weights), torch.tensor([0.0, 0.5, 1.0, 0.5]) + 0.01)
