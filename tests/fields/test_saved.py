"""Every field that can be saved comes back from files with the same values, and can be meshed."""

import json

import numpy as np
import pytest
import torch
import trimesh

from isofield.cli import main
from isofield.errors import InputError
from isofield.fields.exact import ExactField
from isofield.fields.field import Field
from isofield.fields.grid import SparseGrid
from isofield.fields.hash_grid import HashGrid
from isofield.fields.neural import NeuralField
from isofield.fields.saved import CLASSES, restore
from isofield.fields.space import ShapeSpace
from isofield.frame import UnitFrame
from isofield.runs import load, open_run

FRAME = UnitFrame((100.0, -20.0, 3.0), 40.0)


def exact() -> ExactField:
    ball = trimesh.creation.icosphere(3, 0.7)
    return ExactField(ball.vertices, ball.faces, FRAME)


def grid() -> SparseGrid:
    return SparseGrid.bake(exact(), 32)


def neural() -> NeuralField:
    torch.manual_seed(0)
    return NeuralField(HashGrid(levels=2), frame=FRAME)


@pytest.mark.parametrize("make", [exact, grid, neural])
def test_values_frame_and_bounds_survive_files(tmp_path, make):
    field = make()
    with open_run(tmp_path / "run", {}) as run:
        run.save(0, field.spec(), field.tensors())
    again = load(tmp_path / "run")
    assert type(again) is type(field)
    points = torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) * 2.4 - 1.2
    with torch.no_grad():
        expected, found = field.sdf(points), again.sdf(points)
    half = 1e-3 if make is neural else 0.0  # hash tables are stored as float16
    assert torch.allclose(found, expected, rtol=0, atol=half)
    assert again.frame == FRAME
    assert np.allclose(again.bounds, field.bounds, rtol=0, atol=0)
    assert again.lipschitz == field.lipschitz
    saved = again.tensors()
    assert all(torch.equal(saved[name], value) for name, value in field.tensors().items())


@pytest.mark.parametrize("make", [exact, grid])
def test_any_saved_field_can_be_meshed_in_place(tmp_path, capsys, make):
    field = make()
    with open_run(tmp_path / "run", {}) as run:
        run.save(0, field.spec(), field.tensors())
    out = tmp_path / "ball.ply"
    assert main(["mesh", str(tmp_path / "run"), "-o", str(out), "--resolution", "40", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["watertight"], report["manifold"], report["guard"]) == (True, True, "proven")
    ball = trimesh.load(out, process=False)
    radius = np.linalg.norm(ball.vertices - FRAME.center, axis=1)
    assert radius == pytest.approx(0.7 * FRAME.scale, rel=0.01)
    assert ball.volume == pytest.approx(4 / 3 * np.pi * (0.7 * FRAME.scale) ** 3, rel=0.02)


def test_names_are_those_of_the_classes():
    for name, find in CLASSES.items():
        assert find().__name__ == name
        assert issubclass(find(), Field | ShapeSpace)


def test_other_types_are_refused():
    for spec in ({}, {"type": "Tree"}, {"type": ["ExactField"]}):
        with pytest.raises(InputError, match="run: holds a field of unknown type"):
            restore(spec, {}, "run")
