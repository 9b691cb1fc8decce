"""A corpus of hostile and unlucky inputs, each with the answer it must get.

`python tests/hostile/corpus.py FOLDER` writes it: the same bytes every time, in seconds, a few megabytes in all.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECRET = "this line may never be read"


@dataclass(frozen=True)
class Good:
    """What `inspect` must find; None: not compared."""

    volume: float | None = 24.0
    vertices: int | None = 8
    faces: int | None = 12
    watertight: bool | None = True
    color: str | None = None
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Points:
    """What `inspect` must find in a cloud; None: not compared. extent: of the longest side, within one percent."""

    points: int | None = 300
    dropped: int = 0
    duplicates: int = 0
    outliers: int | None = 0
    normals: bool = False
    colors: bool = False
    sensors: bool = False
    extent: float | None = 4.0
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """Exit code 2 and one line that holds these words, whatever their case."""

    says: tuple[str, ...] = ()


def refused(*says: str) -> Refused:
    return Refused(says)


@dataclass(frozen=True)
class Case:
    """One command line: `make` writes into a folder of the case's own; "{}" in `arguments` stands for that folder.

    bomb: run under a limit of memory. group and name are those of the table and of the test.
    """

    group: str
    name: str
    make: Callable[[Path], None]
    arguments: tuple[str, ...]
    expected: Good | Points | Refused
    bomb: bool = False
    needs_user: bool = False  # root may read and write everything

    def command(self, folder: Path) -> list[str]:
        return [argument.replace("{}", str(folder)) for argument in self.arguments]


def case(
    group: str,
    name: str,
    content: bytes | str | dict[str, bytes | str] | Callable[[Path], None],
    expected: Good | Points | Refused,
    *,
    file: str = "",
    arguments: tuple[str, ...] = (),
    bomb: bool = False,
    needs_user: bool = False,
) -> Case:
    """A case of `isofield inspect FILE --json`, unless arguments are given; one file is called by the case's name."""
    file = file or f"{name}.{group}"
    files = {file: content} if isinstance(content, bytes | str) else content
    make = files if callable(files) else writer(files)
    return Case(group, name, make, arguments or ("inspect", "{}/" + file, "--json"), expected, bomb, needs_user)


def writer(files: dict[str, bytes | str]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def build(folder: Path, cases: tuple[Case, ...]) -> None:
    """Write each case into FOLDER/GROUP/NAME; beside it lies what none of them may read."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in cases:
        own = folder / each.group / each.name
        own.mkdir(parents=True)
        each.make(own)
        (own.parent / "secret.txt").write_text(SECRET)


def all_cases() -> tuple[Case, ...]:
    from cloud_cases import CLOUDS
    from mesh_cases import MESHES
    from path_cases import PATHS
    from run_cases import RUNS
    from scene_cases import SCENES

    return (*MESHES, *CLOUDS, *SCENES, *PATHS, *RUNS)


if __name__ == "__main__":
    build(Path(sys.argv[1]), all_cases())
    print(f"{len(all_cases())} cases in {sys.argv[1]}")
