"""Bundled models and trained generators, for the demo, the tests and first experiments.

ATTRIBUTION.md says whose they are, and the card beside each generator what it was trained on.
"""

from importlib.resources import files
from pathlib import Path

from isofield.errors import InputError


def bundled(name: str) -> Path:
    """Path of a bundled model, such as "lion.glb". Raises InputError, with the names there are, for any other name."""
    if name not in names():
        raise InputError(name, "no bundled model has this name", f"choose one of {', '.join(names())}")
    return _folder() / name


def resource(name: str) -> Path:
    """Path of a bundled file that is no model, such as "head_basis.npz"."""
    return _folder() / name


def names() -> list[str]:
    """Names of all bundled models, sorted."""
    return sorted(path.name for path in _folder().iterdir() if path.suffix in (".glb", ".obj", ".off", ".ply", ".stl"))


def generators() -> list[str]:
    """Names of all bundled generators, such as "heads", sorted; commands take them in the place of a run."""
    return sorted(path.name for path in (_folder() / "generators").iterdir() if path.is_dir())


def located(path: str | Path) -> Path:
    """The path itself; where nothing lies there, or an empty folder, and it is the name of a bundled generator, the run
    folder of that."""
    path = Path(path)
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    return _folder() / "generators" / path if str(path) in generators() and not taken else path


def attribution() -> dict[str, dict[str, str]]:
    """For each bundled file: what it is, author, source, licence and changes, as ATTRIBUTION.md states them."""
    lines = (_folder() / "ATTRIBUTION.md").read_text(encoding="utf-8").splitlines()
    head, _, *rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("|")
    ]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def _folder() -> Path:
    return Path(str(files(__name__)))
