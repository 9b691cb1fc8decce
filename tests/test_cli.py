"""The command: what it prints where, its exit codes, and that help is quick."""

import json
import os
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

from isofield import __version__
from isofield.cli import PARSED, VERBS, main
from isofield.console import table_text
from isofield.errors import InputError, IsofieldError
from isofield.settings.common import config_of
from isofield.settings.shapes import FitSettings, MeshSettings
from needs import posix

HEAVY = {"torch", "trimesh", "igl", "numba", "scipy", "numpy", "rich", "PIL", "safetensors"}


@pytest.fixture
def fit(monkeypatch, tmp_path):
    """Calls `isofield fit` on an existing file with another `run_fit`; returns the exit code."""

    def call(run_fit, *arguments: str) -> int:
        monkeypatch.setitem(sys.modules, "isofield.tasks.fit", types.SimpleNamespace(run_fit=run_fit))
        said = types.SimpleNamespace(described=lambda report, _: table_text(report))
        monkeypatch.setitem(sys.modules, "isofield.tasks.results", said)
        (tmp_path / "a.ply").write_text("ply")
        return main(["fit", str(tmp_path / "a.ply"), "-o", str(tmp_path / "run"), *arguments])

    return call


def raising(error: BaseException):
    def run_fit(_):
        raise error

    return run_fit


def usage_error(capsys, *arguments: str) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("isofield: ")
    return err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"], ["fit", "x"], ["inspect", "none"]])
def test_nothing_heavy_is_imported_before_a_verb_runs(arguments):
    program = f"""
import sys
from isofield.cli import main
try:
    main({arguments!r})
except SystemExit:
    pass
print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_module_and_version():
    done = subprocess.run([sys.executable, "-m", "isofield", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"isofield {__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_every_verb_has_help_and_the_common_ones_exist(capsys, verb):
    with pytest.raises(SystemExit) as stop:
        main([*verb.split(), "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in ("--json", "--seed", "--debug"):
        assert option in text
    options = re.split(r"\n[│ ] (?=-|PATH)", text)[1:]
    assert len(options) >= 5
    for option in options:
        words = re.findall(r"[a-z]{2,}", re.sub(r"\(.*?\)|\{.*?\}|--\S+", "", option))
        assert len(words) >= 2, option


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], [f"Expected one of {{{', '.join(PARSED)}}}"]),
        (["train", "geogn", "x"], ["'geogn' is no verb (perhaps you meant geogen)"]),
        (["fot", "x"], ["'fot' is no verb (perhaps you meant fit)"]),
        (["fit", "x"], ["Missing", "-o PATH", "see isofield fit --help"]),
        (["fit", "x", "-o", "y", "--stepz", "5"], ["--stepz", "perhaps you meant --steps"]),
        (["fit", "x", "-o", "y", "--steps", "a"], ["--steps: 'a' is not a whole number; see isofield fit --help"]),
        (["fit", "x", "-o", "y", "--budget", "a"], ["--budget: 'a' is not a number"]),
        (["fit", "x", "-o", "y", "--seed", "1.5"], ["--seed: '1.5' is not a whole number"]),
        (["generate", "x", "-o", "y", "--arithmetic", "a", "b"], ["--arithmetic: 'a b' is not 3 words"]),
        (["fit", "x", "-o", "y", "--method", "magic"], ["--method", "'magic'", "learned", "exact"]),
        (["fit", "x", "-o", "y", "--steps", "0"], ["--steps: 0 is too small; give at least 1"]),
        (["fit", "x", "-o", "y", "--budget", "nan"], ["--budget", "give a positive number"]),
        (["fit", "x", "-o", "y", "--budget", "3", "--steps", "5"], ["--budget, --steps", "choose one"]),
        (["mesh", "x", "-o", "y.ply", "--units", "mm"], ["--units", "give --from-units too"]),
        (["mesh", "x", "-o", "y.ply", "--from-units", "mm"], ["--from-units", "give --units too"]),
        (["inspect", "no/such/file.ply"], ["no/such/file.ply: does not exist; check the path"]),
        (["demo", "-o", __file__], [f"{__file__}: is a file; name a folder"]),
        (["evaluate", __file__, "no/such.ply"], ["no/such.ply: does not exist"]),
    ],
)
def test_bad_usage_is_one_line(capsys, arguments, parts):
    line = usage_error(capsys, *arguments)
    assert all(part in line for part in parts), line


def test_bad_usage_is_the_same_line_where_utf8_cannot_be_printed():
    for arguments in (["fit", "x", "-o", "y", "--stepz", "5"], ["fit", "x"]):
        command = [sys.executable, "-m", "isofield", *arguments]
        lines = {
            subprocess.run(
                command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": encoding}
            ).stderr
            for encoding in ("ascii", "utf-8")
        }
        assert len(lines) == 1
        assert len(lines.pop()) < 120


def test_inspect_answers_for_people_and_scripts(tmp_path, capsys):
    corners = "v 0 0 0\nv 3 0 0\nv 0 4 0\nv 0 0 5\n"
    (tmp_path / "a.obj").write_text(corners + "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    assert main(["inspect", str(tmp_path / "a.obj"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["watertight"], found["faces"], found["extent"]) == (True, 4, [3.0, 4.0, 5.0])
    assert main(["inspect", str(tmp_path / "a.obj")]) == 0
    assert "4 faces" in capsys.readouterr().out
    (tmp_path / "b.obj").write_text(corners + "f 1 3 x\n")
    assert "b.obj" in usage_error(capsys, "inspect", str(tmp_path / "b.obj"))


def test_evaluate_answers_for_people_and_scripts(monkeypatch, capsys):
    from isofield.tasks import evaluate

    seen = []

    def evaluate_paths(*arguments):
        seen.append(arguments)
        about = {"prediction": arguments[0], "truth": arguments[1], "preset": arguments[2]}
        return {**about, "point_to_surface": 0.25, "point_to_surface_user": 2.5, "watertight": True}

    monkeypatch.setattr(evaluate, "evaluate_paths", evaluate_paths)
    assert main(["evaluate", __file__, __file__, "--seed", "3"]) == 0
    assert seen == [(Path(__file__), Path(__file__), "default", 3)]
    lines = capsys.readouterr().out.splitlines()
    assert any(re.search(r"point_to_surface\W+0\.25\W+2\.5\b", line) for line in lines)
    assert not any(line.endswith(" ") for line in lines)
    assert main(["evaluate", __file__, __file__, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["point_to_surface"] == 0.25


def test_settings_arrive_typed_and_flat(fit, tmp_path):
    seen = []
    code = fit(lambda s: (seen.append(s), {})[1], "--steps", "5", "--class", "car", "--activation", "sine", "--restart")
    assert code == 0
    assert seen == [
        FitSettings(tmp_path / "a.ply", tmp_path / "run", steps=5, class_name="car", activation="sine", restart=True)
    ]


def test_report_for_people_and_for_scripts(fit, capsys):
    report = {"point_to_surface": 0.00123456789, "watertight": True, "emd": float("nan"), "steps": 5}
    assert fit(lambda _: report) == 0
    assert capsys.readouterr().out == (
        "point_to_surface  0.00123457\nwatertight        yes\nemd               nan\nsteps             5\n"
    )
    assert fit(lambda _: report, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {**report, "emd": None}
    assert err == ""


def test_json_is_alone_on_stdout_whatever_libraries_print():
    program = f"""
import ctypes, os, sys, types, warnings
def run_fit(_):
    print("from python")
    os.write(1, b"from a file descriptor\\n")
    ctypes.CDLL(None).puts(b"from compiled code")
    os.system("echo from a child")
    warnings.warn("from a warning")
    return {{"a": 1}}
sys.modules["isofield.tasks.fit"] = types.SimpleNamespace(run_fit=run_fit)
sys.modules["isofield.tasks.results"] = types.SimpleNamespace(described=lambda *_: '')
from isofield.cli import main
sys.exit(main(["fit", {__file__!r}, "-o", "unused", "--json"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"a": 1}
    said = ("from python", "from a file descriptor", "from compiled code", "from a child", "warning: from a warning")
    assert all(line in done.stderr for line in said)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a.ply", "line 3 is\nbroken", "mend it"), 2, "a.ply: line 3 is broken; mend it"),
        (IsofieldError("disk full"), 1, "disk full"),
        (KeyError("x"), 1, "unexpected KeyError: 'x'; run again with --debug to see where"),
        (MemoryError(), 1, "not enough memory; try a smaller --resolution or a smaller input"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_are_one_line_and_a_code(fit, capsys, error, code, line):
    assert fit(raising(error)) == code
    assert capsys.readouterr() == ("", f"isofield: {line}\n")
    assert fit(raising(error), "--debug", "--json") == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Traceback")


def test_warnings_are_one_line_on_stderr(fit, capsys, monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def run_fit(_):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("two\nlines", stacklevel=1)
        return {}

    assert fit(run_fit) == 0
    assert capsys.readouterr() == ("", "isofield: warning: two lines\n")


@posix
def test_a_closed_pipe_is_no_error_message():
    command = f"{sys.executable} -m isofield --help | true; {sys.executable} -m isofield fit --help | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_config_holds_what_decides_the_result_and_nothing_else():
    settings = FitSettings(Path("a.ply"), Path("run"), steps=3, json=True, restart=True, debug=True)
    config = config_of(settings)
    assert config["input"] == "a.ply"
    assert config["steps"] == 3
    assert not {"output", "json", "restart", "debug"} & set(config)
    assert json.loads(json.dumps(config)) == config
    assert config_of(MeshSettings(Path("r"), Path("o.ply"), up="z"))["up"] == "z"


def test_a_name_that_is_nearly_a_bundled_generator_is_told(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "perhaps you meant the bundled heads" in usage_error(capsys, "generate", "hads", "-o", "new")
    assert "bundled are: cars, heads" in usage_error(capsys, "invert", __file__, "--prior", "bob", "-o", "new")
    assert "bundled" not in usage_error(capsys, "mesh", "none.ply", "-o", "new.ply")
    (tmp_path / "a.obj").write_text("v 0 0 0")
    assert "no set of posed pictures" in usage_error(capsys, "evaluate", "heads", "a.obj")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.obj"]
