"""What holds for the repository as a whole: bundled data, pins, make targets, layers, and the scripts in tools/."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from isofield.data import attribution, bundled, generators, located, names
from isofield.errors import InputError
from isofield.mesh.read import read_mesh

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "isofield"
LICENCES = {"CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "MIT", "MIT-0", "BSD-3-Clause", "Apache-2.0", "public domain"}
# Floors of the house, lowest first: an import runs downwards or stays on its floor. What is not named here is SUPPORT.
FLOORS = [
    {"errors", "__init__"},
    {"frame", "files", "settings", "data"},
    {"mesh"},
    {"cloud", "synthesis", "samples"},
    {"fields", "losses"},
    {"meshing", "render", "views", "metrics"},
    {"models"},
    {"checkpoints", "runs"},
    {"tasks"},
    {"demo", "viewer", "cli", "__main__"},
]
SUPPORT = 1
EXTRAS = ("docs", "texture", "compare", "view", "train", "tensorboard")
OTHER_DATA = {"head_basis.npz"}  # bundled files that are no models


def load(path: str) -> ModuleType:
    """A script of this repository as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_bundled_model_has_a_licence_and_an_author():
    assert set(attribution()) == {*names(), *OTHER_DATA, *(f"generators/{name}" for name in generators())}
    for about in attribution().values():
        assert about["licence"] in LICENCES
        assert about["author"]
        assert about["source"]
        assert about["changes"]


def test_the_data_folder_holds_the_listed_models_only_and_stays_small():
    files = [path for path in (PACKAGE / "data").iterdir() if path.is_file()]
    assert {path.name for path in files} == {*names(), *OTHER_DATA, "ATTRIBUTION.md", "__init__.py"}
    assert sum(path.stat().st_size for path in files) <= 8_000_000


@pytest.mark.parametrize("name", generators())
def test_bundled_generators_are_runs_with_a_card_and_stay_small(name, tmp_path, monkeypatch):
    folder = PACKAGE / "data" / "generators" / name
    (checkpoint,) = folder.glob("checkpoint-*")
    assert {path.name for path in folder.iterdir()} == {"MODEL_CARD.md", "config.json", "report.json", checkpoint.name}
    assert sum(path.stat().st_size for path in folder.rglob("*")) <= 2_000_000
    card, report = (folder / "MODEL_CARD.md").read_text(), json.loads((folder / "report.json").read_text())
    assert all(word in card for word in ("toy", "CPU", f"{report['kimg']:g} kimg", "Licence"))
    monkeypatch.chdir(tmp_path)
    assert located(name) == folder
    (tmp_path / name).mkdir()
    assert located(name) == folder
    (tmp_path / name / "config.json").touch()
    assert located(name) == Path(name)


@pytest.mark.parametrize("name", names())
def test_bundled_models_can_be_read(name):
    assert len(read_mesh(bundled(name)).faces) > 500


def test_an_unknown_model_is_an_input_error_that_lists_the_known_ones():
    with pytest.raises(InputError, match=r"lion\.glb"):
        bundled("tiger.glb")


def test_every_requirement_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(line for name in ("dev", *EXTRAS) for line in extras[name]),
    ]
    pinned = {normal(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {normal(line) for line in wanted} <= pinned


def test_pins_are_exact_and_complementary():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r'[\w.-]+==[\w.]+( ; python_version (<|>=) "3.11")?', line) for line in lines)
    assert "torch==2.13.0" in lines
    for line in lines:
        twins = [other for other in lines if normal(other) == normal(line)]
        assert len(twins) == 1 or sorted(t.split(" ; ")[1].split()[1] for t in twins) == ["<", ">="]


def test_imports_run_downwards():
    floor = {name: k for k, names_ in enumerate(FLOORS) for name in names_}
    sources = list(PACKAGE.rglob("*.py"))
    assert len(sources) > 200
    for path in sources:
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for target in imported(path):
            assert floor.get(target, SUPPORT) <= floor.get(own, SUPPORT), (
                f"{path.relative_to(ROOT)} imports isofield.{target} from above"
            )


def test_make_help_lists_every_target():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make (\w+)", said, re.M)) == {"help", "demo", "test", "lint", "bench", "docs", "clean"}


def test_sizes_measures_files_and_functions(tmp_path):
    sizes = load("tools/sizes.py")
    source, tests = tmp_path / "src", tmp_path / "tests"
    source.mkdir()
    tests.mkdir()
    (source / "long.py").write_text("def f():\n" + "    x = 1\n" * 99 + "x = 2\n" * 500)
    (source / "short.py").write_text("def g():\n    return 1\n")
    (tests / "test_it.py").write_text("x = 1\n" * 301)
    lines = sizes.report(source, tests)
    assert re.fullmatch(r"files      2, .*/ 600", lines[0])
    assert re.fullmatch(r"functions  2, .*/ 100", lines[1])
    assert lines[2].endswith("source 602, tests 301, ratio 0.50")
    assert [line.split() for line in lines[3:]] == [
        ["long", "file", "600", "long.py"],
        ["long", "function", "100", "long.py:1", "f"],
    ]


def test_results_become_a_page(tmp_path, monkeypatch):
    common, results = load("benchmarks/common.py"), load("tools/results.py")
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    monkeypatch.setattr(common, "render", lambda: None)
    monkeypatch.setattr(sys, "argv", [str(ROOT / "benchmarks" / "speed.py"), "--quick"])
    rows = [["hash", 0.00123456, 12_000, True], ["none", None, 3, False]]
    path = common.write_result(
        "speed", "Speed", [common.table("Points", ["field", "error", "n", "closed"], rows)], ["A note."]
    )
    stored = json.loads(path.read_text())
    text = results.page([stored])
    assert stored["command"] == "python benchmarks/speed.py --quick"
    assert stored["machine"]["cores"] >= 1
    assert "| field | error | n | closed |\n| --- | ---: | ---: | --- |" in text
    assert "| hash | 0.001235 | 12,000 | yes |" in text
    assert "- A note." in text
    with pytest.raises(ValueError, match="2 cells"):
        common.table("Bad", ["a", "b"], [[1]])


def test_results_page_is_what_the_stored_results_say():
    results = load("tools/results.py")
    stored = [json.loads(path.read_text()) for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))]
    assert (ROOT / "docs" / "results.md").read_text() == results.page(stored)


def normal(requirement: str) -> str:
    """The name of a requirement, as package indexes compare names."""
    name = re.match(r"[\w.-]+", requirement.strip())
    assert name is not None
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def imported(path: Path) -> set[str]:
    """First names below `isofield` that a file imports when it is imported (late imports inside functions are free)."""
    tree = ast.parse(path.read_text())
    nodes = [
        node for node in tree.body if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isofield")
    ]
    modules = {node.module for node in nodes if node.module != "isofield"}
    modules |= {f"isofield.{alias.name}" for node in nodes if node.module == "isofield" for alias in node.names}
    return {name.split(".")[1] for name in modules if name and name != "isofield.__version__"}
