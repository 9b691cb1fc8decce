"""Experiments of DeepSDF in its authors' layout, made here: the values of their forward pass, or refused."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

import isofield
from isofield.cli import main
from isofield.errors import InputError
from isofield.fields.deepsdf import load_deepsdf
from isofield.runs import load

CODE, WIDTH, SHAPES = 6, 24, 3
NETWORK = {
    "dims": [WIDTH] * 8,
    "dropout": [0, 1, 2, 3, 4, 5, 6, 7],
    "dropout_prob": 0.2,
    "norm_layers": [0, 1, 2, 3, 4, 5, 6, 7],
    "latent_in": [4],
    "xyz_in_all": False,
    "use_tanh": False,
    "latent_dropout": False,
    "weight_norm": True,
}


def weights() -> dict[str, Tensor]:
    """As torch.nn.utils.weight_norm stores them under DataParallel; lin3 leaves room for the inputs, lin8 is plain."""
    torch.manual_seed(0)
    state = {}
    for i in range(9):
        inputs, outputs = (WIDTH if i else CODE + 3), {3: WIDTH - CODE - 3, 8: 1}.get(i, WIDTH)
        state[f"module.lin{i}.bias"] = torch.randn(outputs) * 0.1
        if i < 8:
            state[f"module.lin{i}.weight_g"] = torch.rand(outputs, 1) + 1
            state[f"module.lin{i}.weight_v"] = torch.randn(outputs, inputs)
        else:
            state["module.lin8.weight"] = torch.randn(outputs, inputs) * 0.1
    return state


def forward(state: dict[str, Tensor], point: Tensor, code: Tensor) -> Tensor:
    """DeepSDF's decoder at one point, in double precision: input [code, xyz], once more at layer 4, tanh at the end."""
    entered = torch.cat([code, point]).double()
    hidden = entered
    for i in range(9):
        hidden = torch.cat([hidden, entered]) if i == 4 else hidden
        if i < 8:
            direction = state[f"module.lin{i}.weight_v"].double()
            rows = [g * row / row.norm() for g, row in zip(state[f"module.lin{i}.weight_g"], direction, strict=True)]
            weight = torch.stack(rows)
        else:
            weight = state["module.lin8.weight"].double()
        hidden = weight @ hidden + state[f"module.lin{i}.bias"].double()
        hidden = hidden.clamp_min(0) if i < 8 else hidden
    return hidden.tanh()[0]


def experiment(folder: Path, *, old: bool = False, name: str = "latest", **network: object) -> Path:
    """old: the file format and the list of codes (n, 1, c) of 2019."""
    for part in ("ModelParameters", "LatentCodes"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    specs = {"TrainSplit": "splits/train.json", "NetworkSpecs": {**NETWORK, **network}, "CodeLength": CODE}
    (folder / "specs.json").write_text(json.dumps(specs))
    codes = torch.randn(SHAPES, CODE, generator=torch.Generator().manual_seed(1))
    stored = codes[:, None] if old else {"weight": codes}
    kind = {"_use_new_zipfile_serialization": not old}
    torch.save({"epoch": 2000, "model_state_dict": weights()}, folder / "ModelParameters" / f"{name}.pth", **kind)
    torch.save({"epoch": 2000, "latent_codes": stored}, folder / "LatentCodes" / f"{name}.pth", **kind)
    return folder


@pytest.mark.parametrize(("old", "name"), [(False, "latest"), (True, "latest"), (True, "2000")])
def test_an_experiment_gives_the_values_of_its_authors_forward_pass(tmp_path, old, name):
    space = isofield.ShapeSpace.load(experiment(tmp_path / "chairs", old=old, name=name))
    codes = torch.randn(SHAPES, CODE, generator=torch.Generator().manual_seed(1))
    assert space.names == ["00000", "00001", "00002"]
    points = torch.rand(20, 3) * 2 - 1
    for shape, code in zip(space.names, codes, strict=True):
        expected = torch.stack([forward(weights(), point, code) for point in points])
        assert expected.std() > 0.01
        torch.testing.assert_close(space.field(shape).sdf(points).double(), expected, atol=1e-5, rtol=1e-4)


def test_a_checkpoint_as_plain_weights_of_an_undivided_network_is_the_same(tmp_path):
    folder, state = experiment(tmp_path), weights()
    plain = {f"lin{i}.bias": state[f"module.lin{i}.bias"] for i in range(9)} | {
        "lin8.weight": state["module.lin8.weight"]
    }
    for i in range(8):
        plain[f"lin{i}.weight"] = torch._weight_norm(
            state[f"module.lin{i}.weight_v"], state[f"module.lin{i}.weight_g"], 0
        )
    normed = load_deepsdf(folder)
    torch.save({"epoch": 1, "model_state_dict": plain}, folder / "ModelParameters" / "latest.pth")
    points = torch.rand(20, 3)
    torch.testing.assert_close(load_deepsdf(folder).field("00001").sdf(points), normed.field("00001").sdf(points))


def test_shapes_are_named_as_in_the_training_split_and_meshed_by_the_command(tmp_path, capsys):
    (tmp_path / "splits").mkdir()
    split = {"ShapeNetV2": {"03001627": ["b1", "a7"], "04379243": ["c0"]}}
    (tmp_path / "splits" / "train.json").write_text(json.dumps(split))
    folder = experiment(tmp_path / "examples" / "chairs")
    assert load_deepsdf(folder).names == ["b1", "a7", "c0"]
    assert main(["mesh", str(folder), "-o", str(tmp_path / "out.ply")]) == 2
    assert "space of 3 shapes; name one with --shape: b1, a7, c0" in capsys.readouterr().err
    points = torch.rand(5, 3)
    torch.testing.assert_close(load(folder, "a7").sdf(points), load_deepsdf(folder).field("a7").sdf(points))


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        ({"weight_norm": False}, "layer normalisation"),
        ({"xyz_in_all": True}, "xyz_in_all"),
        ({"use_tanh": True}, "use_tanh"),
        ({"dims": [24, 24, 24, 24, 24, 24, 24, 32]}, "different widths"),
        ({"dims": [16000] * 256}, "lin0 is .*'bias': \\(24,\\).* tells of \\(16000, 9\\)"),
        ({"dims": [10**9] * 8}, "no widths of layers"),
        ({"dims": [4] * 8}, "no room for 9 inputs"),
        ({"latent_in": [0]}, "no numbers of hidden layers"),
        ({"latent_in": [3]}, "lin2 is"),
    ],
)
def test_other_networks_are_refused(tmp_path, network, fault):
    with pytest.raises(InputError, match=fault):
        load_deepsdf(experiment(tmp_path, **network))


@pytest.mark.parametrize("missing", ["ModelParameters/latest.pth", "LatentCodes/latest.pth", "LatentCodes"])
def test_what_is_missing_is_named(tmp_path, missing):
    path = experiment(tmp_path) / missing
    if path.is_dir():
        (path / "latest.pth").unlink()
        path.rmdir()
    else:
        path.unlink()
    with pytest.raises(InputError, match=f"{missing}: is missing"):
        load_deepsdf(tmp_path)


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("ran"),))


def repeated() -> Tensor:
    return torch.zeros(1, CODE).expand(10**9, CODE)


@pytest.mark.parametrize(
    ("part", "content", "fault"),
    [
        ("ModelParameters", {"model_state_dict": Bomb()}, "holds code or objects"),
        ("LatentCodes", {"latent_codes": Bomb()}, "holds code or objects"),
        ("LatentCodes", {"latent_codes": torch.full((2, CODE), float("nan"))}, "not finite"),
        ("LatentCodes", {"latent_codes": torch.zeros(2, CODE + 1)}, r"codes are \(2, 7\), not \(n, 6\)"),
        ("LatentCodes", {"latent_codes": torch.zeros(2, 3, CODE)}, "not"),
        ("LatentCodes", {"latent_codes": repeated()}, "claims more numbers than the file holds"),
        ("LatentCodes", {"latent_codes": {"weight": "many"}}, "no tensor of numbers"),
        ("LatentCodes", {"codes": torch.zeros(2, CODE)}, "holds no latent_codes"),
        ("ModelParameters", {"model_state_dict": {}}, "holds no model_state_dict"),
        ("ModelParameters", {"model_state_dict": {"bn0.weight": torch.ones(24)}}, "layer normalisation"),
        ("ModelParameters", [1, 2], "holds no model_state_dict"),
    ],
)
def test_hostile_and_broken_files_are_refused_in_one_line_and_run_nothing(tmp_path, monkeypatch, part, content, fault):
    monkeypatch.chdir(tmp_path)
    path = experiment(tmp_path / "x") / part / "latest.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=fault) as caught:
        load_deepsdf(tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_cut_files_and_plain_pickles_are_refused(tmp_path, monkeypatch, keep):
    monkeypatch.chdir(tmp_path)
    path = experiment(tmp_path / "x") / "ModelParameters" / "latest.pth"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(InputError, match=r"is damaged|no file of torch|holds code"):
        load_deepsdf(tmp_path / "x")
    path.write_bytes(pickle.dumps({"model_state_dict": Bomb()}))
    with pytest.raises(InputError, match="holds code or objects"):
        load_deepsdf(tmp_path / "x")
    assert not (tmp_path / "ran").exists()
