import subprocess
import sys
from functools import partial
from io import StringIO

import numpy as np
import pytest
import trimesh
from rich.console import Console

from isofield.errors import InputError
from isofield.metrics import evaluate as metrics
from isofield.metrics.evaluate import geogen_protocol
from isofield.tasks import evaluate as verb
from isofield.tasks.evaluate import evaluate_paths, table


def ball(path, radius=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.creation.icosphere(2, radius=radius).export(path)
    return path


def printed(result):
    console = Console(width=200, record=True, file=StringIO())
    console.print(table(result))
    return console.export_text()


@pytest.fixture(scope="module", autouse=True)
def few_samples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "EMD_POINTS", 64)
        patch.setattr(metrics, "L2_SAMPLES", 500)
        patch.setattr(verb, "evaluate", partial(verb.evaluate, samples=4000))
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("folders")
    for stem, radius in (("one", 1.0), ("two", 2.0), ("only_pred", 1.0)):
        ball(root / "pred" / f"{stem}.ply", radius)
    for stem, radius in (("one", 1.0), ("two", 2.2), ("only_truth", 1.0)):
        ball(root / "truth" / f"{stem}.stl", radius)
    ball(root / "pred" / "one.obj", 5.0)  # the .ply of that name comes first
    (root / "pred" / "notes.txt").write_text("no mesh")
    return root / "pred", root / "truth"


@pytest.fixture(scope="module")
def both(folders):
    return evaluate_paths(*folders, seed=3)


def test_two_files(tmp_path):
    result = evaluate_paths(ball(tmp_path / "a.ply", 25.4), ball(tmp_path / "b.obj", 25.4))
    assert result["point_to_surface"] < 1e-6
    assert result["watertight"] is True
    assert result["volume"] == pytest.approx(trimesh.creation.icosphere(2, radius=25.4).volume, rel=1e-5)
    text = printed(result)
    assert "a.ply against b.obj" in text
    assert "point_to_surface" in text
    assert "point_to_surface_user" not in text


def test_folders_are_matched_by_stem_and_the_rest_is_named(both):
    assert set(both["shapes"]) == {"one", "two"}
    assert both["shapes"]["one"]["point_to_surface"] < 1e-6
    assert both["shapes"]["two"]["point_to_surface_user"] == pytest.approx(0.2, rel=0.05)
    assert both["missing_predictions"] == ["only_truth"]
    assert both["missing_truths"] == ["only_pred"]
    assert both["failed"] == {}


def test_the_summary_is_the_median_and_the_share_of_yes(both):
    one, two = both["shapes"]["one"], both["shapes"]["two"]
    assert both["summary"]["hausdorff"] == pytest.approx((one["hausdorff"] + two["hausdorff"]) / 2)
    assert both["summary"]["watertight"] == 1.0
    assert isinstance(both["summary"]["watertight"], float)


def test_the_table_names_shapes_and_missing_partners(both):
    text = printed(both)
    for word in ("one", "two", "median", "no prediction for only_truth", "no truth for only_pred"):
        assert word in text


def test_a_broken_file_among_many_is_named_and_the_others_measured(folders, tmp_path):
    pred, truth = tmp_path / "pred", tmp_path / "truth"
    for folder in (pred, truth):
        ball(folder / "good.ply")
        ball(folder / "bad.ply")
    (pred / "bad.ply").write_bytes(b"ply\nbroken")
    result = evaluate_paths(pred, truth, preset="default")
    assert set(result["shapes"]) == {"good"}
    assert "bad.ply" in result["failed"]["bad"]
    assert "bad failed" in printed(result)


def test_nothing_in_common_is_bad_input(tmp_path):
    ball(tmp_path / "pred" / "a.ply")
    ball(tmp_path / "truth" / "b.ply")
    with pytest.raises(InputError, match="none of its 1 meshes"):
        evaluate_paths(tmp_path / "pred", tmp_path / "truth")


def test_a_file_and_a_folder_are_bad_input(tmp_path):
    path = ball(tmp_path / "truth" / "b.ply")
    with pytest.raises(InputError, match="two files or two folders"):
        evaluate_paths(path, path.parent)


def test_geogen_says_what_it_did(tmp_path, monkeypatch):
    quick = partial(geogen_protocol, samples=1000, repeats=2)
    monkeypatch.setattr("isofield.tasks.evaluate.geogen_protocol", quick)
    result = evaluate_paths(ball(tmp_path / "a.ply", 3.0), ball(tmp_path / "b.ply", 1.0), preset="geogen")
    assert result["msd"] < 1e-6
    assert "unit sphere" in result["protocol"]
    assert "unit sphere" in printed(result).replace("\n", " ")
    assert np.isfinite(result["emd_deviation"])


def test_importing_the_verb_does_not_import_torch():
    code = "import sys, isofield.tasks.evaluate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
