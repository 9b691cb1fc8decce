"""The benchmark of Table 2 at a size where it takes seconds: a row is made once, and what is there is used again."""

import argparse
import importlib.util
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trimesh
from geogen_sets import PRESET

from isofield.files import write_json
from isofield.metrics.evaluate import geogen_protocol
from isofield.tasks import gan_sheet, generator_numbers, train_geogen

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("geogen_ablation", BENCHMARKS / "geogen_ablation.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "geogen_ablation", module)
    spec.loader.exec_module(module)
    return module


def test_spans_fit_into_the_run_and_studies_change_one_thing(ablation):
    rows = {row.name: row.preset(8.0) for row in (*ablation.TABLE, *ablation.STUDIES)}
    geogen = rows["geogen"]
    assert (geogen.recipe.settle, geogen.recipe.sharp, geogen.recipe.half_life) == (4.0, 4.0, 1.0)
    assert rows["sdf"].recipe.depth == 0 < geogen.recipe.depth
    assert rows["density"].architecture.density == rows["eg3d"].architecture.density == "SoftplusDensity"
    assert rows["eg3d"].architecture.octaves == rows["no code"].architecture.octaves == 0
    assert rows["no code"].recipe == geogen.recipe
    assert rows["beta 0.03"].recipe.beta == 0.03
    assert rows["beta 0.03"].recipe.settle > 1e6
    assert (rows["lambda from 0"].recipe.settle, rows["lambda from 3/4"].recipe.settle) == (0, 6)
    assert geogen.recipe.eikonal == rows["sdf"].recipe.eikonal > 0


def test_a_row_from_pictures_to_the_table(ablation, tmp_path, monkeypatch):
    heads = tmp_path / "heads"
    heads.mkdir()
    (heads / "manifest.json").write_text("{}")
    for number, extents in enumerate(((1.2, 0.5, 0.6), (0.8, 0.8, 0.5), (1.0, 0.6, 0.6))):
        trimesh.creation.box(extents).export(heads / f"heads_{number:05d}.ply")
    written = []

    def stand_in(settings):  # for minutes of steps: the first box as its mesh
        settings.output.mkdir()
        trimesh.load_mesh(heads / "heads_00000.ply").export(settings.output / "mesh.ply")
        return {"psnr": 20.0}

    monkeypatch.setattr(ablation, "run_invert", stand_in)
    monkeypatch.setattr(ablation, "geogen_protocol", partial(geogen_protocol, samples=300))
    monkeypatch.setattr(generator_numbers, "LATTICE", 24)
    for module, name in ((train_geogen, "SHOWN"), (gan_sheet, "LATTICE"), (gan_sheet, "TAKEN")):
        monkeypatch.setattr(module, name, 2 if name == "SHOWN" else 16)
    changes = {"TRAINED": 2, "HELD": 1, "VIEWS": 3, "PICTURES": 4, "SURFACES": 2, "PRESETS": {"toy": PRESET}}
    for name, value in changes.items():
        monkeypatch.setattr(ablation, name, value)
    monkeypatch.setattr(ablation, "write_result", lambda *arguments: written.append(arguments))
    arguments = ["--work", str(tmp_path), "--kimg", "0.024", "--seeds", "1", "--steps", "3", "--repeats", "1"]
    monkeypatch.setattr(sys, "argv", ["geogen_ablation.py", *arguments, "--rows", "sdf"])
    ablation.main()
    name, title, (table,), notes = written[-1]
    assert (name, title) == ("geogen_ablation", ablation.TITLE)
    assert [row[:3] for row in table["rows"]] == [["sdf", 0, 0.024]]
    sdf = dict(zip(ablation.COLUMNS, table["rows"][0], strict=True))
    assert sdf["no surface"] == 0
    assert 0 < sdf["msd"] < sdf["hausdorff"] < 1
    assert np.isfinite([sdf[key] for key in ("Frechet", "kernel x1e3", "depth gap", "PSNR, dB", "emd")]).all()
    assert "FID" not in " ".join(ablation.COLUMNS)
    assert "no FID" in " ".join(notes)
    monkeypatch.setattr(
        sys, "argv", ["geogen_ablation.py", *arguments, "--rows", "sdf", "--kimg", "0.032", "--inverted", "0"]
    )
    ablation.main()
    first, second = written[-1][2]
    assert dict(zip(ablation.COLUMNS, first["rows"][0], strict=True))["emd"] is None
    assert second == table
    monkeypatch.setattr(ablation, "trained", None)  # nothing is made twice
    monkeypatch.setattr(ablation, "inverted", None)
    ablation.main()
    assert written[-1][2] == [first, second]


def test_rows_stand_in_the_order_of_the_paper_and_another_length_is_another_table(ablation, tmp_path, monkeypatch):
    for number, (name, kimg) in enumerate((("geogen", 1.0), ("geogen", 2.0), ("lambda from 0", 2.0), ("eg3d", 2.0))):
        cells = [name, 0, kimg, *[0.0] * (len(ablation.COLUMNS) - 3)]
        write_json(tmp_path / f"{number}.json", {"cells": cells, "floor": [0.1, 0.2]})
    written = []
    monkeypatch.setattr(ablation, "write_result", lambda *arguments: written.append(arguments))
    ablation.keep(argparse.Namespace(work=tmp_path, family="heads", steps=1, repeats=1))
    tables = written[-1][2]
    assert [table["title"] for table in tables] == ["heads, 2 kimg", "heads, 1 kimg"]
    assert [[row[0] for row in table["rows"]] for table in tables] == [["eg3d", "geogen", "lambda from 0"], ["geogen"]]
