"""Whatever bytes a reader meets, only our own errors leave it, on one line; what it accepts can be computed with."""

import copy
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_shapes import glb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import CLOUD_SEEDS, MESH_SEEDS, TOKENS, Mutation, flip
from run_cases import CHECKPOINT, resealed, whole_run
from scene_cases import SPARSE, inline, pictured, png

from isofield.cloud.inspect import inspect_cloud
from isofield.cloud.read import read_cloud
from isofield.errors import InputError, IsofieldError
from isofield.mesh.inspect import inspect
from isofield.mesh.read import read_mesh
from isofield.runs import load

PUT = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8))
CHANGES = st.lists(
    st.one_of(
        st.builds(Mutation, st.floats(0, 1), st.integers(0, 40), PUT),
        st.integers(0, 1 << 20),
    ),
    min_size=1,
    max_size=6,
)
FEW, MANY = 40, 3000
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def spoiled(data: bytes, changes: list[Mutation | int]) -> bytes:
    for change in changes:
        data = change.apply(data) if isinstance(change, Mutation) else flip(data, change)
    return data


def only_our_errors(read: Callable[[Path], object], path: Path) -> object:
    """What is read, or None if it is refused in one line that names the file."""
    refusal = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read(path)
        except IsofieldError as error:
            refusal = error
    if isinstance(refusal, InputError):
        assert str(path.parent) in refusal.where
        assert refusal.fault
        assert refusal.remedy
    return None


def check_mesh(folder: Path, seed: tuple[str, bytes], changes: list) -> None:
    path = folder / f"a{seed[0]}"
    path.write_bytes(spoiled(seed[1], changes))
    mesh = only_our_errors(read_mesh, path)
    if mesh is not None:
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.min() >= 0
        assert mesh.faces.max() < len(mesh.vertices)
        only_our_errors(inspect, path)


def check_cloud(folder: Path, seed: tuple[str, bytes], changes: list) -> None:
    path = folder / f"a{seed[0]}"
    path.write_bytes(spoiled(seed[1], changes))
    cloud = only_our_errors(read_cloud, path)
    if cloud is not None:
        assert len(cloud) > 0
        assert np.isfinite(cloud.points).all()
        only_our_errors(inspect_cloud, path)


def check_run(folder: Path, name: str, changes: list, sealed: bool) -> None:
    """A file of a run spoiled; `sealed`: with its digests made anew, as by an attacker."""
    for each, content in whole_run().items():
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_bytes(content)
    content = spoiled(whole_run()[name], changes)
    (folder / name).write_bytes(content)
    if sealed and name.endswith("model.safetensors"):
        resealed(lambda _: None, content)(folder)
    only_our_errors(load, folder / "run")


@settings(max_examples=FEW, deadline=None, suppress_health_check=QUIET)
@given(st.data())
@pytest.mark.parametrize("seed", MESH_SEEDS, ids=lambda s: s[0])
def test_mesh_readers(seed, tmp_path, data):
    check_mesh(tmp_path, seed, data.draw(CHANGES))


@settings(max_examples=FEW, deadline=None, suppress_health_check=QUIET)
@given(st.data())
@pytest.mark.parametrize("seed", CLOUD_SEEDS, ids=lambda s: s[0])
def test_cloud_readers(seed, tmp_path, data):
    check_cloud(tmp_path, seed, data.draw(CHANGES))


RUN_FILES = ("run/config.json", f"{CHECKPOINT}/config.json", f"{CHECKPOINT}/model.safetensors")


@settings(max_examples=FEW, deadline=None, suppress_health_check=QUIET)
@given(st.sampled_from(RUN_FILES), CHANGES, st.booleans())
def test_runs(tmp_path, name, changes, sealed):
    check_run(tmp_path, name, changes, sealed)


def scene() -> dict:
    document = json.loads(pictured(inline(png(2, 2)))[20:].split(b"BIN\0")[0].rpartition(b"}")[0] + b"}")
    document["nodes"] = [{"children": [1], "scale": [1, 2, 1]}, {"mesh": 0, "rotation": [0, 0, 0, 1]}]
    document["bufferViews"][0]["byteStride"] = 12
    document["accessors"][0]["sparse"] = SPARSE
    document["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [1, 0.5, 1, 1]
    return document


SCENE = scene()


def leaves(value: object, path: tuple = ()) -> list[tuple]:
    """Places of all values in a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in leaves(item, (*path, key)))]


def with_value(document: dict, place: tuple, value: object) -> None:
    *outer, last = place
    for key in outer:
        document = document[key]
    document[last] = value


VALUES = st.sampled_from([None, True, -1, 0, 3, 1.5, 1e300, 1 << 60, "", "x", [], {}, [1, 2], {"a": 1}])


@settings(max_examples=FEW, deadline=None, suppress_health_check=QUIET)
@given(st.data(), VALUES)
def test_descriptions_of_fields(tmp_path, data, value):
    """Any value of a sealed checkpoint's description replaced by any other."""
    content = json.loads(whole_run()[f"{CHECKPOINT}/config.json"])
    places = [place for place in leaves(content) if place and place[0] in ("field", "step", "format", "sha256")]
    place = data.draw(st.sampled_from(places))
    for each, whole in whole_run().items():
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_bytes(whole)
    resealed(lambda description: with_value(description, place, value))(tmp_path)
    only_our_errors(load, tmp_path / "run")


@settings(max_examples=5 * FEW, deadline=None, suppress_health_check=QUIET)
@given(st.data(), VALUES)
def test_gltf_documents(tmp_path, data, value):
    """Any value of a scene's JSON replaced by any other; it has nested nodes, a texture, a sparse accessor."""
    document = copy.deepcopy(SCENE)
    with_value(document, data.draw(st.sampled_from([place for place in leaves(document) if place])), value)
    (tmp_path / "a.glb").write_bytes(glb(document))
    only_our_errors(inspect, tmp_path / "a.glb")


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None, suppress_health_check=QUIET)
@given(st.sampled_from(MESH_SEEDS), CHANGES)
def test_mesh_readers_for_long(tmp_path, seed, changes):
    check_mesh(tmp_path, seed, changes)


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None, suppress_health_check=QUIET)
@given(st.sampled_from(CLOUD_SEEDS), CHANGES)
def test_cloud_readers_for_long(tmp_path, seed, changes):
    check_cloud(tmp_path, seed, changes)


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None, suppress_health_check=QUIET)
@given(st.sampled_from(RUN_FILES), CHANGES, st.booleans())
def test_runs_for_long(tmp_path, name, changes, sealed):
    check_run(tmp_path, name, changes, sealed)
