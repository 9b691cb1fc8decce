"""Cleaning: what is put in goes out again, and nothing else; inspection says so."""

import json

import numpy as np
import pytest

from isofield.cli import main
from isofield.cloud.clean import clean, dimensions, first_of_equals, outlier_mask, thinned_rows
from isofield.cloud.cloud import Cloud, frame_of
from isofield.cloud.inspect import inspect_cloud
from isofield.errors import InputError

RNG = np.random.default_rng(11)


def sphere(count):
    normals = np.random.default_rng(0).normal(size=(count, 3))
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def wire(count, radius=0.02):
    """A thin ring, round in section."""
    u, v = np.random.default_rng(1).uniform(0, 2 * np.pi, (2, count))
    ring = 1 + radius * np.cos(v)
    return np.stack([ring * np.cos(u), ring * np.sin(u), radius * np.sin(v)], 1)


@pytest.mark.parametrize("shape", [sphere(5000), np.concatenate([sphere(4000) * 0.5, wire(1500)])])
def test_ten_percent_of_uniform_outliers_go_and_thin_parts_stay(shape):
    outliers = RNG.uniform(-1.2, 1.2, (len(shape) // 10, 3))
    mask = outlier_mask(np.concatenate([shape, outliers]))
    assert mask[: len(shape)].mean() < 0.005
    off = np.array([np.linalg.norm(shape - point, axis=1).min() for point in outliers])
    assert mask[len(shape) :][off > 0.1].mean() > 0.99
    assert mask[len(shape) :].mean() > 0.8
    assert outlier_mask(shape).mean() < 0.005


@pytest.mark.parametrize(("kept", "count"), [([1, 1, 1e-3], 3), ([1, 1, 0], 2), ([1, 0, 0], 1), ([0, 0, 0], 0)])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_points_of_one_plane_or_line_are_known_however_they_lie(kept, count, kind):
    turned = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    assert dimensions((RNG.normal(size=(500, 3)) * kept @ turned).astype(kind).astype(float) * 1e9) == count
    assert dimensions(np.array([[0, 0, 0], [1, 2, 3.0]])) == 1
    assert dimensions(np.ones((1, 3))) == 0


def test_a_sparse_surface_is_no_outlier():
    """Density falls by a hundred, as with the distance from a scanner."""
    radius, angle = 10 ** RNG.uniform(-1, 0, 8000), RNG.uniform(0, 2 * np.pi, 8000)
    plane = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], 1)
    assert outlier_mask(plane).mean() < 0.005


def test_noise_is_not_taken_for_outliers():
    points = sphere(5000)
    assert outlier_mask(points + 0.01 * RNG.normal(size=points.shape)).mean() < 0.01


def test_the_report_counts_what_was_put_in():
    points = sphere(3000)
    colors = RNG.integers(0, 255, (3000, 3)).astype(np.uint8)
    far = np.array([[5.0, 0, 0], [0, 7, 0]])
    order = RNG.permutation(6002)
    everything = np.concatenate([points, points, far])[order]
    paint = np.concatenate([colors, colors, colors[:2]])[order]
    kept, report = clean(Cloud(everything, colors=paint))
    assert (report.points, report.duplicates, report.outliers, report.kept) == (6002, 3000, 2, 3000)
    assert report.kept == len(kept)
    rows = np.lexsort(kept.points.T), np.lexsort(points.T)
    np.testing.assert_array_equal(kept.points[rows[0]], points[rows[1]])
    np.testing.assert_array_equal(kept.colors[rows[0]], colors[rows[1]])
    assert report.noise < 1e-3
    assert report.spacing == pytest.approx(0.5 * np.sqrt(4 * np.pi / 3000), rel=0.15)  # of points at random
    assert frame_of(kept).scale == pytest.approx(1.03, rel=1e-2)
    assert json.loads(json.dumps(report.to_json()))["outliers"] == 2


def test_units_do_not_matter():
    points = np.concatenate([sphere(2000), RNG.uniform(-1.2, 1.2, (200, 3))])
    mask = outlier_mask(points)
    for scale, offset in ((1e-9, 0.0), (1e9, 1e9)):
        assert (outlier_mask(points * scale + offset) == mask).mean() > 0.999


def test_a_million_repeated_points_are_one_cloud():
    points = np.repeat(sphere(100), 10_000, axis=0)
    points[5] = -points[5] * -1.0
    assert len(first_of_equals(points)) == 100
    np.testing.assert_array_equal(first_of_equals(np.array([[0.0, 1, 2], [3, 4, 5], [-0.0, 1, 2]])), [0, 1])
    kept, report = clean(Cloud(points))
    assert (len(kept), report.duplicates) == (100, 999_900)


def test_thinning_keeps_the_number_and_spreads_it():
    points = np.concatenate([sphere(20000), sphere(20000)[:10000] * [1, 1, 0.999]])
    rows = thinned_rows(points, 2000)
    assert 1600 <= len(rows) <= 2000
    assert len(np.unique(rows)) == len(rows)
    assert abs(points[rows].mean(0)).max() < 0.03
    kept, report = clean(Cloud(points), at_most=2000)
    assert report.thinned + report.outliers + report.duplicates + report.kept == 30000
    assert len(kept) <= 2000


@pytest.mark.parametrize("count", [1, 2, 5, 40, 70])
def test_few_points_are_left_alone(count):
    points = RNG.normal(size=(count, 3))
    kept, report = clean(Cloud(points))
    if count < 64:
        np.testing.assert_array_equal(kept.points, points)
    assert np.isfinite([report.spacing, report.noise]).all()


def test_inspection_says_what_there_is_and_what_is_done(tmp_path):
    points = np.concatenate([sphere(2000), sphere(50), [[9.0, 0, 0], [np.nan, 0, 0]]])
    np.savez(tmp_path / "a.npz", points=points, sensors=np.array([0.0, 0, 9]))
    found = inspect_cloud(tmp_path / "a.npz")
    assert (found.points, found.dropped, found.duplicates, found.outliers, found.kept) == (2051, 1, 50, 1, 2000)
    assert (found.normals, found.colors, found.sensors) == (False, False, True)
    assert found.extent == pytest.approx((2, 2, 2), rel=0.01)
    assert found.plan == (
        "do without 1 row whose coordinates are not finite",
        "take 50 repeated points once",
        "leave out 1 outlier",
        "estimate normals and turn them towards the sensors",
    )
    assert json.loads(json.dumps(found.to_json()))["spacing"] == found.spacing
    assert "2,051" in str(found)
    (tmp_path / "a.xyz").write_text("1 2\n")
    with pytest.raises(InputError):
        inspect_cloud(tmp_path / "a.xyz")


def test_a_flat_cloud_and_colours_are_named(tmp_path):
    table = np.concatenate([RNG.uniform(size=(500, 2)), np.zeros((500, 1)), RNG.integers(0, 256, (500, 3))], 1)
    np.savetxt(tmp_path / "a.xyz", table)
    plan = inspect_cloud(tmp_path / "a.xyz").plan
    assert "find no inside: all points lie in one plane" in plan
    assert "fit its colour as well" in plan
    assert "estimate normals and turn them outward, by their winding number" in plan


def test_the_command_inspects_clouds(tmp_path, capsys):
    np.savetxt(tmp_path / "a.xyz", sphere(500))
    assert main(["inspect", str(tmp_path / "a.xyz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["points"], found["normals"]) == (500, False)
    assert main(["inspect", str(tmp_path / "a.xyz")]) == 0
    assert "estimate normals" in capsys.readouterr().out
    (tmp_path / "bad.xyz").write_text("1 2 3\n1,5 2,5 3,5\n")
    assert main(["inspect", str(tmp_path / "bad.xyz")]) == 2
    assert "line 2" in capsys.readouterr().err
