"""Generators in the package: commands and Python take their names in the place of a run."""

import json

import numpy as np
import pytest
import torch
import trimesh

from isofield.cli import main
from isofield.data import generators
from isofield.meshing.extract import extract
from isofield.runs import load, load_generator
from isofield.viewer.items import read_item

TALL = {"heads": (1, 0, 2), "cars": (2, 0, 1)}  # axes by extent, longest first


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", generators())
def test_shapes_are_closed_coloured_whole_and_not_alike(name):
    meshes = [extract(load(name, latent_seed=seed), 48).mesh for seed in range(4)]
    for mesh in meshes:
        assert mesh.is_watertight
        assert mesh.volume > 0.1
        assert max(np.linalg.norm(mesh.vertices, axis=1)) < 1
        assert tuple(np.argsort(-mesh.extents)) in (TALL[name], (TALL[name][0], *TALL[name][:0:-1]))
        largest = max(mesh.split(), key=lambda part: part.volume)
        assert largest.volume > 0.98 * mesh.volume
        assert np.ptp(np.asarray(mesh.visual.vertex_colors)[:, :3], axis=0).min() > 60
    mean = extract(load(name), 48).mesh
    assert len({round(mesh.volume, 4) for mesh in (*meshes, mean)}) == 5


def test_left_and_right_of_the_mean_head_are_alike_and_front_and_back_are_not():
    mean = load("heads")
    points = np.random.default_rng(0).uniform((-0.5, 0, -0.5), (0.5, 0.9, 0.5), (4000, 3)).astype(np.float32)

    def values(signs: tuple[int, int, int]) -> torch.Tensor:
        with torch.no_grad():
            return mean.sdf(torch.as_tensor(points * np.array(signs, np.float32)))

    sideways = (values((1, 1, 1)) - values((-1, 1, 1))).abs().mean()
    through = (values((1, 1, 1)) - values((1, 1, -1))).abs().mean()
    assert 2 * sideways < through


def test_commands_take_the_name_and_an_existing_path_wins(tmp_path, capsys):
    assert main(["mesh", "heads", "-o", "one.ply", "--latent-seed", "3", "--resolution", "32", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["watertight"]
    assert len(trimesh.load_mesh("one.ply").faces) > 1000
    assert read_item(tmp_path.relative_to(tmp_path) / "heads").has_color
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "notes.txt").touch()
    assert main(["mesh", "heads", "-o", "two.ply"]) == 2
    assert "holds no isofield run" in capsys.readouterr().err


def test_what_is_stored_is_the_averaged_model_in_half_precision():
    made = load_generator("heads")
    assert sum(parameter.numel() for parameter in made.parameters()) < 400_000
    assert all(np.array_equal(p.numpy(), p.half().float().numpy()) for p in made.parameters())
