"""Every verb over every input of the corpus: an answer or one line and exit code 2, and then nothing is left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import SECRET, Case, Refused, all_cases
from hostile_shapes import obj
from test_corpus import answer_of, listing

pytestmark = pytest.mark.usefixtures("hasty")

INSPECTED = [c for c in all_cases() if c.arguments[0] == "inspect" and c.arguments[1].startswith("{}/")]
WRONG = [c for c in INSPECTED if isinstance(c.expected, Refused) and not c.bomb]
MESHES = [
    c for c in INSPECTED
    if not isinstance(c.expected, Refused) and not c.bomb
    and c.group in ("ply", "stl", "obj", "off", "glb", "gltf", "dae")
]  # fmt: skip
CLOUDS = [
    c for c in INSPECTED
    if not isinstance(c.expected, Refused) and not c.bomb and c.group in ("xyz", "points-ply", "pcd", "npz", "las")
]  # fmt: skip
SMALL = ("--resolution", "16", "--json")
VERBS = {
    "repair": ("repair", "{x}", "-o", "{}/new/out.ply", *SMALL),
    "mesh": ("mesh", "{x}", "-o", "{}/new/out.ply", *SMALL),
    "evaluate": ("evaluate", "{x}", "{x}", "--json"),
    "fit": ("fit", "{x}", "-o", "{}/new/run", "--steps", "2", *SMALL),
    "exact": ("fit", "{x}", "-o", "{}/new/run", "--method", "exact", *SMALL),
    "poisson": ("fit", "{x}", "-o", "{}/new/run", "--method", "poisson", *SMALL),
    "mls": ("fit", "{x}", "-o", "{}/new/run", "--method", "mls", *SMALL),
    "rbf": ("fit", "{x}", "-o", "{}/new/run", "--method", "rbf", *SMALL),
    "sal": ("fit", "{x}", "-o", "{}/new/run", "--method", "sal", "--steps", "2", *SMALL),
    "ball-pivoting": ("fit", "{x}", "-o", "{}/new/run", "--method", "ball-pivoting", *SMALL),
}


def swept(each: Case, verb: str, folder: Path, capfd) -> tuple[int, str, str]:
    """Answer of a verb to a case's input, after checks of what holds for any answer."""
    own = folder / "corpus" / each.group / each.name
    own.mkdir(parents=True)
    each.make(own)
    target = each.command(own)[1]
    before = listing(folder)
    arguments = tuple(a.replace("{x}", target).replace("{}", str(folder)) for a in VERBS[verb])
    code, out, err, seen = answer_of(Case(each.group, each.name, each.make, arguments, each.expected), own, capfd, 200)
    assert "Traceback" not in err
    assert "unexpected" not in err
    assert SECRET not in out + err
    assert seen.outside == []
    unpickles = "pickle.find_class" if code != 2 else "nothing"  # as does whoever looks up kernels compiled before
    assert [event for event in seen.reached_out if not event.startswith(unpickles)] == []
    after = listing(folder)
    assert before.items() <= after.items()
    assert all(name.startswith("new") and ".isofield-tmp-" not in name for name in after.keys() - before.keys())
    if code:
        assert out == ""
        lines = err.splitlines()
        assert lines[-1].startswith("isofield: ")
        assert len(lines[-1]) < 600
    else:
        assert json.loads(out)
    return code, out, err


@pytest.mark.parametrize("verb", ["repair", "mesh", "evaluate", "fit"])
def test_what_inspect_refuses_every_verb_refuses_in_one_line_and_writes_nothing(verb, tmp_path, capfd):
    wrong = WRONG[:: {"repair": 1, "fit": 2}.get(verb, 4)]
    for each in wrong:
        if each.needs_user and os.geteuid() == 0:
            continue
        folder = tmp_path / each.group / each.name
        code, _, err = swept(each, verb, folder, capfd)
        assert code == 2, (each.group, each.name, err)
        assert [line for line in err.splitlines()[:-1] if "warning:" not in line] == [], (each.name, err)
        assert not (folder / "new").exists(), each.name


ODD = (
    "zero-area", "face-of-two", "huge-polygon", "nan-colours", "good-tiny", "good-coordinates-1e30", "good-far-away",
    "good-zero-area-faces-too", "good-unused-nan", "good-quads",
)  # fmt: skip


@pytest.mark.parametrize("verb", ["repair", "evaluate", "exact"])
@pytest.mark.parametrize("each", [c for c in MESHES if c.name in ODD], ids=lambda c: f"{c.group}-{c.name}")
def test_odd_meshes_are_worked_with_or_refused(each, verb, tmp_path, capfd):
    code, _, err = swept(each, verb, tmp_path, capfd)
    sheet = each.name == "huge-polygon" and verb != "evaluate"
    assert code == (2 if sheet else 0), err
    assert (tmp_path / "new").exists() == (code == 0 and verb != "evaluate")


@pytest.mark.parametrize("verb", ["repair", "evaluate", "exact", "fit"])
@pytest.mark.parametrize("each", MESHES, ids=lambda c: f"{c.group}-{c.name}")
@pytest.mark.slow
def test_every_mesh_in_every_verb(each, verb, tmp_path, capfd):
    code, _, err = swept(each, verb, tmp_path, capfd)
    unlearned = verb == "fit" and "no surface at level 0" in err  # after the few steps that a sweep can afford
    assert code in (0, 2) or (code == 1 and unlearned), err


@pytest.mark.parametrize("verb", ["fit", "poisson", "ball-pivoting", "repair", "evaluate"])
@pytest.mark.parametrize("name", ["on-a-line", "two-points"])
def test_clouds_without_a_surface_are_refused_before_anything_is_written(name, verb, tmp_path, capfd):
    code, _, err = swept(next(c for c in CLOUDS if c.name == name), verb, tmp_path, capfd)
    assert code == 2, err
    assert "isofield fit" in err or verb not in ("repair", "evaluate")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("verb", ["fit", "poisson", "mls", "rbf", "sal", "ball-pivoting", "repair", "evaluate"])
@pytest.mark.parametrize("each", CLOUDS, ids=lambda c: f"{c.group}-{c.name}")
@pytest.mark.slow
def test_every_cloud_in_every_verb(each, verb, tmp_path, capfd):
    code, _, err = swept(each, verb, tmp_path, capfd)
    assert code in (0, 1, 2), err


def command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "isofield", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


SOME = [
    pytest.param(c, marks=pytest.mark.slow if k else (), id=f"{c.group}-{c.name}") for k, c in enumerate(WRONG[::40])
]


@pytest.mark.parametrize("each", SOME)
def test_a_process_of_its_own_answers_the_same(each, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    each.make(own)
    before = listing(tmp_path)
    done = command("repair", each.command(own)[1], "-o", tmp_path / "out.ply", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("isofield: ")
    assert done.stderr.count("\n") == 1
    assert listing(tmp_path) == before


@pytest.fixture
def box(tmp_path):
    path = tmp_path / "box.obj"
    path.write_text(obj())
    return path


def refusal(capfd, *arguments: object) -> str:
    """The one line with which a command is refused."""
    from isofield.cli import main

    assert main(list(map(str, arguments))) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_the_input_may_be_the_output_of_a_repair(box, tmp_path, capfd):
    from isofield.cli import main

    assert main(["repair", str(box), "-o", str(box), *SMALL]) == 0
    assert json.loads(capfd.readouterr().out)["watertight"]
    assert main(["inspect", str(box), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["volume"] == pytest.approx(24, rel=0.1)
    assert os.listdir(tmp_path) == ["box.obj"]


def test_outputs_that_cannot_be_are_refused_before_any_work(box, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.ply").mkdir()
    (tmp_path / "folder.ply" / "kept").write_text("x")
    before = listing(tmp_path)
    for output, said in (
        ("folder.ply", "is a folder"),
        ("box.obj/out.ply", "folder"),
        ("out", "cannot be written as"),
        ("", ""),
        (".", "cannot be written"),
        ("out.xyz", "cannot be written as '.xyz'"),
        ("/dev/full/out.ply", "folder"),
    ):
        assert said in refusal(capfd, "repair", box, "-o", output, *SMALL)
    assert "address" in refusal(capfd, "repair", "https://example.com/box.obj", "-o", "out.ply")
    assert listing(tmp_path) == before


def test_missing_folders_of_an_output_are_made(box, tmp_path, capfd):
    from isofield.cli import main

    assert main(["repair", str(box), "-o", str(tmp_path / "a/b/out.ply"), *SMALL]) == 0
    assert os.listdir(tmp_path / "a/b") == ["out.ply"]
