"""What a batch holds: every distance asked for is the exact one, with its sign; the recipes are those of the papers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from isofield import losses
from isofield.fields.activations import Softplus
from isofield.fields.encodings import Identity
from isofield.fields.neural import ColorHead, NeuralField
from isofield.frame import MARGIN, UnitFrame
from isofield.mesh.distance import MeshDistance
from isofield.mesh.sample import DEEPSDF_NEAR, DEEPSDF_NEAR_FRACTION
from isofield.tasks.objectives import Distances, Objective, OrientedPoints, TrainingData, deepsdf_distances
from isofield.tasks.training import Length, Training

COUNT = 6000


def sphere() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(5, 20.0).apply_translation((7, -3, 100))


def box() -> trimesh.Trimesh:
    return trimesh.creation.box((4, 2, 1)).apply_translation((7, -3, 100))


def sphere_sdf(points: torch.Tensor) -> torch.Tensor:
    return points.norm(dim=1) - 1 / MARGIN


def box_sdf(points: torch.Tensor) -> torch.Tensor:
    half = torch.tensor([4.0, 2.0, 1.0]) / (21**0.5 * MARGIN)
    outside = points.abs() - half
    return outside.clamp(min=0).norm(dim=1) + outside.amax(1).clamp(max=0)


def asked(recipe: Distances, mesh: trimesh.Trimesh, field: NeuralField | None = None, count: int = COUNT):
    """(data, points, target distances) of one batch, caught on the way to the field and to the loss."""
    caught = {}

    def distance_loss(predicted, true):
        caught["sdf"] = true.clone()
        return losses.l1(predicted, true)

    field = field or NeuralField(Identity(), width=4)
    sdf = field.sdf
    field.sdf = lambda points: (caught.update(points=points.clone()), sdf(points))[1]
    data = TrainingData(recipe.samples(mesh, count, 0))
    torch.manual_seed(0)
    replace(recipe, distance_loss=distance_loss).loss(field, data)
    return data, caught["points"], caught["sdf"]


def pretending(sdf) -> NeuralField:
    """A neural field that answers with a formula."""
    field = NeuralField(Identity(), width=4)
    field.sdf = sdf
    return field


@pytest.mark.parametrize("segments", [0.0, 0.1, 10.0])
@pytest.mark.parametrize(("make", "formula", "sag"), [(sphere, sphere_sdf, 1e-3), (box, box_sdf, 0.0)])
def test_every_distance_asked_for_is_exact(make, formula, sag, segments):
    """Against a new query of the mesh and against the shape's formula; both signs are there, near and far."""
    mesh = make()
    _, points, sdf = asked(Distances(batch=4000, segments=segments), mesh)
    frame = UnitFrame.of(mesh.vertices)
    exact = MeshDistance(frame.to_unit(mesh.vertices), mesh.faces)
    assert sdf.numpy() == pytest.approx(exact.closest(points.numpy()).distance * np.sign(sdf.numpy()), abs=2e-6)
    away = sdf.abs() > 1e-4 + sag
    assert np.array_equal(np.sign(sdf[away].numpy()), exact.sign(points[away].numpy()))
    assert torch.allclose(sdf, formula(points), atol=2e-6 + sag)
    for region in (sdf < -1e-3, sdf > 1e-3, sdf.abs() > 0.2):
        assert region.sum() > 50


def test_segments_bring_new_points_nearer_and_leave_far_ones_alone():
    data, points, _ = asked(Distances(batch=4000), box())
    given = {tuple(p) for p in data.points.tolist()}
    far = box_sdf(points).abs() > 0.1 + 1e-5
    known = torch.tensor([tuple(p) in given for p in points.tolist()])
    assert known[far].all()
    assert known[~far].float().mean() < 0.01
    _, plain, _ = asked(Distances(batch=4000, segments=0.0), box())
    assert box_sdf(points).abs().median() < 0.6 * box_sdf(plain).abs().median()


def test_a_batch_is_drawn_evenly_and_never_out_of_range():
    data = TrainingData(Distances().samples(box(), 1000, 0))
    torch.manual_seed(0)
    for count in (1, 7, 1000, 4096):
        drawn = data.draw(count)
        assert drawn.shape == (count,)
        assert (drawn.diff() >= 0).all()
        assert (drawn - torch.arange(count) * 1000 / count).abs().max() <= 1000 / count + 1
    counts = sum(torch.bincount(data.draw(100), minlength=1000) for _ in range(300))
    assert counts.float().mean() == pytest.approx(30)
    assert counts.max() < 75


def test_data_are_sorted_in_space_but_stay_together():
    samples = Distances().samples(sphere(), 3000, 0)
    data = TrainingData(samples)
    rows = {tuple(p): i for i, p in enumerate(samples.points.tolist())}
    order = [rows[tuple(p)] for p in data.points.tolist()]
    assert sorted(order) == list(range(3000))
    for name in ("sdf", "closest", "normals"):
        assert np.array_equal(getattr(data, name).numpy(), getattr(samples, name)[order])
    assert data.colors is None
    jumps = data.points.diff(dim=0).norm(dim=1).mean()
    assert jumps < 0.3 * torch.as_tensor(samples.points).diff(dim=0).norm(dim=1).mean()


def painted_box() -> trimesh.Trimesh:
    """Colour is position, so that a colour at a wrong place shows."""
    mesh = box().subdivide()
    share = (mesh.vertices - mesh.bounds[0]) / mesh.extents
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=np.round(share * 255).astype(np.uint8))
    return mesh


def test_colours_are_asked_for_at_every_fourth_point_and_belong_there():
    mesh, caught = painted_box(), {}
    field = NeuralField(Identity(), width=4, color=ColorHead.over(Identity(), width=4))
    color = field.color
    field.color = lambda points: (caught.update(points=points), color(points))[1]
    recipe = Distances(batch=400)
    data = TrainingData(recipe.samples(mesh, COUNT, 0))
    colored = recipe.loss(field, data)
    assert len(caught["points"]) == 100
    frame = UnitFrame.of(mesh.vertices)
    true = (frame.to_user(data.closest.numpy()) - mesh.bounds[0]) / mesh.extents
    assert data.colors.numpy() == pytest.approx(true, abs=0.01)
    perfect = pretending(box_sdf)
    perfect.color_head = field.color_head
    half = frame.scale / torch.as_tensor(mesh.extents.copy(), dtype=torch.float32)
    perfect.color = lambda points: (points * half + 0.5).clamp(0, 1)
    assert recipe.loss(perfect, data).item() < 0.06  # points a little off the surface
    perfect.color = lambda points: 1 - (points * half + 0.5).clamp(0, 1)
    assert recipe.loss(perfect, data).item() > 0.3
    plain = NeuralField(Identity(), width=4)
    plain.load_state_dict({k: v for k, v in field.state_dict().items() if not k.startswith("color_head")})
    torch.manual_seed(0)
    expected = recipe.loss(plain, data)
    torch.manual_seed(0)
    assert recipe.loss(field, data).item() > expected.item()
    assert colored.requires_grad


def test_a_perfect_field_has_no_loss_and_a_turned_one_has():
    for recipe in (Distances(batch=2000), deepsdf_distances()):
        data = TrainingData(recipe.samples(box(), COUNT, 0))
        perfect = recipe.loss(pretending(box_sdf), data).item()
        turned = recipe.loss(pretending(lambda points: -box_sdf(points)), data).item()
        assert perfect < 1e-4
        assert turned > 0.05


def test_deepsdf_is_what_the_paper_says():
    """Clamped L1 at 0.1 on the samples themselves, 16,384 a batch, two Gaussians and 6 % anywhere, Adam at 5e-4."""
    recipe = deepsdf_distances()
    assert (recipe.batch, recipe.rate, recipe.table_rate) == (16_384, 5e-4, 5e-4)
    assert (recipe.near, recipe.near_fraction) == (DEEPSDF_NEAR, DEEPSDF_NEAR_FRACTION)
    data, points, sdf = asked(recipe, box())
    given = {tuple(p): float(s) for p, s in zip(data.points.tolist(), data.sdf, strict=True)}
    assert all(given[tuple(p)] == s for p, s in zip(points.tolist(), sdf.tolist(), strict=True))
    field = pretending(lambda at: at[:, 0] * 0.3)
    torch.manual_seed(0)
    found = recipe.loss(field, data)
    expected = ((0.3 * points[:, 0]).clamp(-0.1, 0.1) - sdf.clamp(-0.1, 0.1)).abs().mean()
    torch.testing.assert_close(found, expected)


def test_oriented_points_lie_on_the_surface_with_outward_normals():
    data = TrainingData(OrientedPoints().samples(box(), 3000, 0))
    assert data.sdf.abs().max() < 1e-6
    assert box_sdf(data.points).abs().max() < 1e-6
    assert (box_sdf(data.closest + 0.01 * data.normals) > 0.009).all()


def test_sirens_recipe_wants_the_distance_and_not_its_negative():
    """Weights of SIREN's code on half the points each: aligned normals cost nothing, turned ones 2 * 100 / 2."""
    recipe = OrientedPoints()
    data = TrainingData(recipe.samples(sphere(), 3000, 0))
    found = {}
    for name, sign in (("right", 1), ("turned", -1)):
        torch.manual_seed(0)
        found[name] = recipe.loss(pretending(lambda points, sign=sign: sign * sphere_sdf(points)), data).item()
    torch.manual_seed(0)
    data.draw(recipe.batch)
    anywhere = torch.rand(recipe.batch, 3) * 2 - 1
    ghosts = 50 * torch.exp(-100 * sphere_sdf(anywhere).abs()).mean().item()
    assert found["right"] == pytest.approx(ghosts, abs=1.5)  # the sphere is one of flat triangles
    assert found["turned"] - found["right"] == pytest.approx(100, abs=0.5)


def test_sirens_recipe_lowers_its_loss():
    torch.manual_seed(0)
    field, recipe = NeuralField(Identity(), Softplus(), width=32, depth=2), OrientedPoints(batch=300, rate=2e-3)
    data = TrainingData(recipe.samples(box(), 3000, 0))
    training = Training(field, recipe, data, Length((60,), 3000), 0)
    values = [training.step(step).item() for step in range(60)]
    assert np.mean(values[-10:]) < 0.6 * np.mean(values[:5])


def test_recipes_are_objectives_with_the_same_samples_for_the_same_seed():
    for recipe in (Distances(), deepsdf_distances(), OrientedPoints()):
        assert isinstance(recipe, Objective)
        first, again, other = (recipe.samples(box(), 500, seed) for seed in (3, 3, 4))
        assert first.points.tobytes() == again.points.tobytes()
        assert first.points.tobytes() != other.points.tobytes()
