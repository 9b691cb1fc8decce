import json

import numpy as np
import pytest
import torch
import trimesh

from isofield.errors import InputError
from isofield.fields.exact import ExactField
from isofield.fields.field import Field
from isofield.frame import UnitFrame
from isofield.metrics import evaluate as metrics
from isofield.metrics.evaluate import AREAS, LENGTHS, evaluate, evaluate_field, geogen_protocol

KEYS = {
    "point_to_surface", "pred_to_truth", "truth_to_pred", "chamfer_l1", "chamfer_floor", "chamfer_l2_squared",
    "hausdorff", "mse", "msd", "emd", "emd_points", "normal_consistency", "f_score", "iou", "ghost_components",
    "watertight", "manifold", "components", "euler", "volume",
}  # fmt: skip


def bumpy(amplitude=0.1, radius=1.0):
    mesh = trimesh.creation.icosphere(3, radius=radius)
    wave = np.sin(5 * mesh.vertices[:, :1] / radius)
    return trimesh.Trimesh(mesh.vertices * (1 + amplitude * wave), mesh.faces, process=False)


def quick(pred, truth, seed=0):
    return evaluate(pred, truth, seed=seed, samples=4_000)


@pytest.fixture(scope="module", autouse=True)
def few_points():
    """An exact assignment of 2,048 points takes most of the time."""
    assert metrics.EMD_POINTS == 2048
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "EMD_POINTS", 256)
        yield


@pytest.fixture(scope="module")
def result():
    return quick(bumpy(0.11), bumpy())


def test_every_key_of_the_contract_is_there_and_is_json(result):
    assert set(result) >= KEYS | {f"{key}_user" for key in LENGTHS + AREAS}
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["watertight"] is True
    assert result["manifold"] is True
    assert (result["components"], result["euler"], result["emd_points"]) == (1, 2, 256)


def test_user_units_scale_with_the_shape_and_the_frame_does_not(result):
    inches = quick(bumpy(0.11, 25.4), bumpy(0.1, 25.4))
    for key in LENGTHS:
        assert inches[key] == pytest.approx(result[key], rel=1e-9)
        assert inches[f"{key}_user"] == pytest.approx(25.4 * result[f"{key}_user"], rel=1e-9)
    for key in AREAS:
        assert inches[f"{key}_user"] == pytest.approx(25.4**2 * result[f"{key}_user"], rel=1e-9)
    assert inches["volume"] == pytest.approx(25.4**3 * result["volume"])


def test_user_lengths_are_unit_lengths_times_the_truths_scale(result):
    scale = UnitFrame.of(bumpy().vertices).scale
    assert all(result[f"{key}_user"] == pytest.approx(result[key] * scale) for key in LENGTHS)


def test_the_same_seed_gives_the_same_numbers(result):
    assert quick(bumpy(0.11), bumpy()) == result
    other = quick(bumpy(0.11), bumpy(), seed=1)
    assert other["point_to_surface"] != result["point_to_surface"]
    assert other["point_to_surface"] == pytest.approx(result["point_to_surface"], rel=0.1)


def test_a_perfect_result_reaches_the_floor_of_each_metric():
    result = quick(bumpy(), bumpy())
    assert result["point_to_surface"] < 1e-12
    assert result["hausdorff"] < 1e-12
    assert result["chamfer_l1"] == pytest.approx(result["chamfer_floor"], rel=0.05)
    assert result["emd"] == pytest.approx(result["emd_floor"], rel=0.3)
    assert (result["iou"], result["f_score"], result["ghost_components"]) == (1, 1, 0)


def test_an_open_truth_still_has_distances():
    whole = bumpy()
    holed = trimesh.Trimesh(whole.vertices, whole.faces[:-50], process=False)
    result = quick(whole, holed)
    assert result["truth_to_pred"] < 1e-12 < 1e-3 < result["pred_to_truth"]
    assert result["iou"] > 0.9
    assert quick(holed, whole)["watertight"] is False


def test_a_truth_without_inside_has_no_iou():
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]], [[0, 1, 2]], process=False)
    assert quick(sheet, sheet)["iou"] is None


def test_a_ghost_is_counted_in_the_result():
    blob = trimesh.creation.icosphere(2, radius=0.05)
    blob.apply_translation((0.3, 0.2, 0))
    assert quick(trimesh.util.concatenate([bumpy(), blob]), bumpy())["ghost_components"] == 1


def test_an_empty_prediction_is_bad_input():
    with pytest.raises(InputError, match="prediction"):
        quick(trimesh.Trimesh(), bumpy())
    with pytest.raises(InputError, match="truth"):
        quick(bumpy(), trimesh.Trimesh())


class Ball(Field):
    """A ball of the unit frame, its distance multiplied and shifted."""

    def __init__(self, slope=1.0, shift=0.0):
        self.slope, self.shift = slope, shift
        self.frame = UnitFrame((0.0, 0.0, 0.0), 2.0)

    def sdf(self, points):
        return self.slope * (points.norm(dim=1) - 0.5) + self.shift


BALL = trimesh.creation.icosphere(4, radius=1.0)  # radius 0.5 in the frame of Ball


def test_the_true_distance_has_no_error():
    found = evaluate_field(Ball(), BALL, count=10_000)
    assert found["sdf_error_near"] < 1e-3  # the facets
    assert found["sdf_error_volume"] < 1e-3
    assert found["eikonal_error"] < 1e-6


def test_a_shift_is_an_error_of_the_distance_only():
    found = evaluate_field(Ball(shift=-0.02), BALL, count=10_000)
    assert found["sdf_error_near"] == pytest.approx(0.02, abs=1e-3)
    assert found["sdf_error_volume"] == pytest.approx(0.02, abs=1e-3)
    assert found["eikonal_error"] < 1e-6


def test_a_slope_is_an_eikonal_error():
    found = evaluate_field(Ball(slope=1.25), BALL, count=10_000)
    assert found["eikonal_error"] == pytest.approx(0.25, abs=1e-5)
    assert found["sdf_error_near"] < 0.25 * 0.05
    assert found["sdf_error_volume"] > 0.05


def test_a_field_with_the_sign_flipped_is_caught():
    assert evaluate_field(Ball(slope=-1.0), BALL, count=10_000)["sdf_error_volume"] > 0.5


def test_the_exact_field_is_measured_by_differences():
    frame = UnitFrame((0.0, 0.0, 0.0), 2.0)
    found = evaluate_field(ExactField(frame.to_unit(BALL.vertices), np.asarray(BALL.faces), frame), BALL, count=10_000)
    assert found["sdf_error_near"] < 1e-7
    assert found["sdf_error_volume"] < 1e-7
    assert found["eikonal_error"] < 2e-3
    assert torch.is_grad_enabled()


def test_geogen_scales_each_shape_on_its_own():
    found = geogen_protocol(bumpy(radius=7.0), bumpy(radius=0.1), samples=1500, repeats=2)
    assert found["point_to_surface"] < 1e-12
    assert found["chamfer_l1"] > 1e-3
    assert 0 < found["chamfer_l1_deviation"] < 0.1 * found["chamfer_l1"]
    assert "1500 samples, 2 repeats" in found["protocol"]


def test_geogen_uses_the_unit_sphere_without_margin():
    found = geogen_protocol(
        trimesh.creation.box(), trimesh.creation.icosphere(4), samples=4000, repeats=2, emd_repeats=1
    )
    assert (found["emd_deviation"], found["emd_repeats"]) == (0.0, 1)
    assert found["mse_deviation"] > 0
    assert found["hausdorff"] == pytest.approx(1 - 1 / np.sqrt(3), abs=0.01)  # from the middle of a side to the sphere
