"""Text as a vector: near as far as words are shared, and models only from folders that hold one."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from isofield.errors import InputError
from isofield.fields.classes import ClassTable
from isofield.fields.descriptors import Ngrams, text_model


def test_texts_are_near_as_far_as_they_share_words_or_parts_of_them():
    describe = Ngrams(256)

    def alike(one: str, other: str) -> float:
        return float(describe(one) @ describe(other))

    assert alike("Arm-chair", "arm chair!") == pytest.approx(1)
    assert alike("armchair", "armchairs") > 0.6 > alike("armchair", "chair") > 0.3
    assert abs(alike("sofa", "couch")) < 0.25
    assert alike("sofa, couch", "couch, sofa with two seats") > 0.4
    assert float(describe("lamp").norm()) == pytest.approx(1)
    assert not describe("...").any()


def test_hashing_is_the_same_in_every_process():
    """Unlike Python's own hash of strings."""
    expected = np.array([-2, -1, 2, -1, 0, 0, 0, 0]) / 10**0.5
    np.testing.assert_allclose(Ngrams(8)("cup").numpy(), expected, atol=1e-6)


def test_a_table_of_descriptions_takes_any_function_of_text():
    table = ClassTable.described(["a", "bb"], lambda text: torch.tensor([3.0, 4.0 * len(text)]))
    torch.testing.assert_close(table.vector("a"), torch.tensor([0.6, 0.8]))
    assert not list(table.parameters())


def test_a_model_in_a_folder_reads_text(tmp_path, monkeypatch):
    """By the package's own interface, here a stand-in that records how it is called."""
    calls = {}

    class Model:
        def __init__(self, folder, **options):
            calls.update(options, folder=folder)

        def encode(self, text):
            return np.array([len(text), 1.0])

    (tmp_path / "modules.json").write_text("[]")
    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=Model))
    torch.testing.assert_close(text_model(tmp_path)("four"), torch.tensor([4.0, 1.0]))
    assert calls["folder"] == str(tmp_path)
    assert calls["local_files_only"]
    assert calls["model_kwargs"] == {"use_safetensors": True}


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="holds no text model"):
        text_model(tmp_path)
    for package, kind in (("transformers", "clip"), ("sentence_transformers", "bert")):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(InputError, match=f"pip install {package.replace('_', '-')}"):
            text_model(tmp_path)
