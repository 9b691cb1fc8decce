"""Extractors: the same numbers everywhere from nothing; and the files of users."""

import numpy as np
import pytest
import torch
from torch import nn

from isofield.errors import InputError
from isofield.metrics import features
from isofield.metrics.features import face_features, random_features, script_features
from isofield.metrics.picture_sets import frechet_distance

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # files of users come in no other form


class Means(nn.Module):
    """Mean of each channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


class Inception(nn.Module):
    """Answers as the published file does."""

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        return x.mean(dim=(2, 3)) if return_features else torch.zeros(len(x), 1008)


def pictures(count: int = 5, side: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.fixture
def script(tmp_path):
    def write(network: nn.Module):
        path = tmp_path / f"{type(network).__name__.lower()}.pt"
        torch.jit.script(network).save(str(path))
        return path

    return write


def test_random_features_have_a_name_and_are_of_each_picture_alone():
    found, shown = random_features(), pictures(70)
    assert found.name == "random-conv-0"
    assert not found.is_inception
    assert found(shown).shape == (70, 256)
    np.testing.assert_allclose(found(shown)[[3, 69]], found(shown[[3, 69]]), atol=1e-4)
    assert not np.allclose(found(shown), random_features(1)(shown))
    assert float(found(pictures()).sum()) == pytest.approx(188.6118, rel=1e-4)  # so that results can be compared


def test_the_more_a_set_is_spoiled_the_farther_it_is_by_random_features():
    rng, of = np.random.default_rng(0), random_features()
    y, x = np.mgrid[:32, :32]
    balls = [((x - a) ** 2 + (y - b) ** 2 < r * r) * c for a, b, r, c in rng.uniform(8, 24, (200, 4))]
    shown = np.repeat((200 - 8 * np.stack(balls))[..., None], 3, 3)
    real = of(shown.astype(np.uint8))
    noisy = [shown + rng.normal(size=shown.shape) * s for s in (0, 5, 20)]
    distances = [frechet_distance(of(n.clip(0, 255).astype(np.uint8)), real) for n in noisy]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[0] < distances[1] < distances[2] / 4
    collapsed = [frechet_distance(real[:k].repeat(200 // k, 0), real) for k in (100, 10, 2)]
    assert collapsed[0] < collapsed[1] < collapsed[2]


def test_a_file_of_the_user_is_taken_and_called_by_its_name(script):
    found = script_features(script(Means()))
    assert (found.name, found.is_inception) == ("means", False)
    np.testing.assert_allclose(found(pictures()), pictures().mean((1, 2)), rtol=1e-5)
    faces = face_features(script(Means()))
    np.testing.assert_allclose(faces(pictures(side=112)), pictures(side=112).mean((1, 2)) / 127.5 - 1, atol=1e-5)


def test_only_the_published_file_is_called_inception(script, monkeypatch):
    path = script(Inception())
    assert not script_features(path).is_inception
    monkeypatch.setattr(features, "INCEPTION", features.sha256(path.read_bytes()).hexdigest())
    found = script_features(path)
    assert found.is_inception
    assert found(pictures()).shape == (5, 3)


def test_what_is_no_network_of_pictures_is_refused(script, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        script_features(tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("weights")
    with pytest.raises(InputError, match="no TorchScript"):
        script_features(tmp_path / "text.pt")
    with pytest.raises(InputError, match=r"gives no finite \(b, d\)"):
        script_features(script(nn.Identity()))(pictures())
    with pytest.raises(InputError, match="does not take pictures"):
        script_features(script(nn.Linear(7, 2)))(pictures())
