"""Where the files of a set lie: in a folder, or in an uncompressed zip; read in the same way."""

import zipfile
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

from isofield.errors import InputError
from isofield.files import check_exists, check_plain, explained


class Store(ABC):
    """A tree of files. Names are relative, with slashes."""

    path: Path

    @property
    @abstractmethod
    def names(self) -> frozenset[str]: ...

    @abstractmethod
    def read(self, name: str) -> bytes: ...


class Folder(Store):
    """The files below a folder; what begins with a dot is passed over."""

    def __init__(self, path: Path):
        self.path = path

    @cached_property
    def names(self) -> frozenset[str]:
        found = (file.relative_to(self.path) for file in self.path.rglob("*") if file.is_file())
        return frozenset(name.as_posix() for name in found if not any(part.startswith(".") for part in name.parts))

    def read(self, name: str) -> bytes:
        path = self.path / name
        check_plain(path)
        with explained(path):
            return path.read_bytes()


class Zip(Store):
    """The files of a zip archive, as if the folder that holds all of them were the root.

    Raises InputError for what is no zip, or holds compressed entries: those cannot be read in any order.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(path, f"is no readable zip archive ({error})", "pack the folder again") from None
        squeezed = next((entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED), None)
        if squeezed is not None:
            raise InputError(path, f"{squeezed} is compressed", "unpack it, or pack it uncompressed (zip -0 -r)")
        names = [entry.filename for entry in entries]
        top = names[0].split("/")[0] + "/" if names else ""
        self._root = top if all(name.startswith(top) for name in names) else ""

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    @cached_property
    def names(self) -> frozenset[str]:
        found = (name[len(self._root) :] for name in self._archive.namelist() if not name.endswith("/"))
        return frozenset(name for name in found if not name.startswith("."))

    def read(self, name: str) -> bytes:
        try:
            return self._archive.read(self._root + name)
        except (zipfile.BadZipFile, OSError, EOFError) as error:
            raise InputError(f"{self.path}/{name}", f"cannot be read ({error})", "pack the folder again") from None

    def __getstate__(self) -> dict:
        return {"path": self.path, "_root": self._root}


def open_store(path: Path) -> Store:
    """A folder or a .zip; raises InputError for anything else."""
    check_exists(path)
    if path.is_dir():
        return Folder(path)
    if path.suffix.lower() != ".zip":
        raise InputError(path, "is no set of pictures", "name a folder, a .zip or a transforms.json")
    check_plain(path)
    return Zip(path)
