"""The documents say what is so: their Python runs, their commands and flags exist, their links lead somewhere."""

import re
import shlex
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from isofield.cli import VERBS, main
from isofield.frame import UnitFrame
from isofield.metrics import evaluate as metrics
from isofield.tasks import training

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in PAGES}
SLOW = {"03_learn_a_field.py"}
EXAMPLES = [
    pytest.param(path, id=path.name, marks=[pytest.mark.slow] * (path.name in SLOW))
    for path in sorted((ROOT / "examples").glob("*.py"))
]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def command_lines() -> list[tuple[str, list[str]]]:
    """Every line of a bash block and every `isofield ...` between backticks, with the page it stands on."""
    found = []
    for page, text in TEXTS.items():
        lines = [line for block in blocks(text, "bash") for line in block.splitlines()]
        lines += [line.replace("\\|", "|") for line in re.findall(r"`(isofield [a-z][^`]*)`", text)]
        found += [(page, shlex.split(line, comments=True)) for line in lines]
    return [(page, words) for page, words in found if words]


@cache
def help_of(verb: str) -> str:
    said = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        with redirect_stdout(said), pytest.raises(SystemExit):
            main([*verb.split(), "--help"])
    return said.getvalue()


@pytest.mark.parametrize("number", range(len(blocks(TEXTS["README.md"], "python"))))
def test_python_of_the_readme_runs(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "FEWEST", 20_000)
    monkeypatch.setattr(metrics, "EMD_POINTS", 64)
    code = blocks(TEXTS["README.md"], "python")[number]
    code = code.replace("budget=30", "steps=150").replace("resolution=128", "resolution=48")
    exec(code, {})
    assert "True True" in capsys.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_run(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = path.read_text().replace('"--steps", "800"', '"--steps", "200"')
    exec(compile(source, path, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


def verb_of(words: list[str]) -> str:
    return next((verb for verb in (" ".join(words[1:3]), words[1]) if verb in VERBS), words[1])


def test_commands_in_the_documents_exist():
    calls = [(page, words) for page, words in command_lines() if words[0] == "isofield" and words[1] != "VERB"]
    documented = [(page, verb_of(words), " ".join(words)) for page, words in calls]
    assert {verb for _, verb, _ in documented} == set(VERBS), "every verb is documented, and no other"
    for page, verb, line in documented:
        for flag in re.findall(r"--[a-z-]+|(?<!\S)\[?-[a-z]\b", line):
            assert flag.strip("[") in help_of(verb), f"{page}: isofield {verb} has no {flag}"


def test_make_targets_and_scripts_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page, text in TEXTS.items():
        assert set(re.findall(r"`make ([a-z]+)", text)) <= targets, page
    for page, words in command_lines():
        if words[0] == "make":
            assert words[1] in targets, page
        elif words[0] not in ("isofield", "pip", ".venv/bin/pre-commit"):
            assert (ROOT / words[0]).exists(), f"{page}: {words[0]}"


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page])]
    local = [link for link in links if link and not link.startswith("http")]
    assert [link for link in local if not ((ROOT / page).parent / link).exists()] == []


def test_tests_named_by_the_conventions_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXTS["docs/conventions.md"])
    assert len(named) > 15
    for path, test in named:
        assert (ROOT / path).is_file(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"


def test_unit_frame_is_as_the_conventions_say():
    vertices = np.random.default_rng(0).normal(size=(100, 3)) * (3, 1, 2) + (10, -20, 5)
    frame = UnitFrame.of(vertices)
    unit = frame.to_unit(vertices)
    assert unit.min(0) == pytest.approx(-unit.max(0))
    assert np.linalg.norm(unit, axis=1).max() == pytest.approx(1 / 1.03)
    assert frame.to_user(unit) == pytest.approx(vertices, abs=1e-12)
    assert frame.scale > 0  # so axes keep their directions: the map is a positive multiple plus a shift
