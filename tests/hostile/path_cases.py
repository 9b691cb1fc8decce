"""What stands where a file is expected: folders, pipes, devices, loops, archives; and outputs that cannot be."""

import bz2
import gzip
import io
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

from corpus import Case, Good, case, refused, writer
from hostile_shapes import obj, ply_binary, stl

GOOD = Good()
BOX = writer({"box.obj": obj()})


def linked(target: str, name: str = "a.obj") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).symlink_to(target)

    return make


def fifo(name: str = "a.obj") -> Callable[[Path], None]:
    return lambda folder: os.mkfifo(folder / name)


def bound_socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("a.obj")
    finally:
        os.chdir(here)


def subfolder(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).mkdir(parents=True)

    return make


def unreadable(folder: Path) -> None:
    BOX(folder)
    (folder / "box.obj").chmod(0)


def closed_folder(folder: Path) -> None:
    writer({"closed/box.obj": obj()})(folder)
    (folder / "closed").chmod(0)


def both(*makers: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for each in makers:
            each(folder)

    return make


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
    return stream.getvalue()


def one(
    name: str,
    make: Callable[[Path], None],
    *says: str,
    file: str = "a.obj",
    arguments: tuple[str, ...] = (),
    needs_user: bool = False,
) -> Case:
    return case("path", name, make, refused(*says), file=file, arguments=arguments, needs_user=needs_user)


INPUTS = (
    one("missing", BOX, "does not exist"),
    one("folder", subfolder("a.obj"), "is a folder"),
    one("fifo", fifo(), "pipe"),
    one("socket", bound_socket, "socket"),
    one("device", linked("/dev/zero"), "device"),
    one("null-device", linked("/dev/null"), "device"),
    one("terminal", linked("/dev/tty"), "device"),
    one("link-loop", both(linked("b.obj"), linked("a.obj", "b.obj")), "loop"),
    one("link-to-itself", linked("a.obj"), "loop"),
    one("link-to-nothing", linked("gone.obj"), "does not exist"),
    one("link-to-folder", linked("."), "is a folder"),
    one("unreadable", unreadable, "permission", file="box.obj", needs_user=True),
    one("closed-folder", closed_folder, "permission", file="closed/box.obj", needs_user=True),
    one("below-a-file", BOX, "folder", file="box.obj/a.obj"),
    one("name-too-long", BOX, "too long", file="n" * 300 + ".obj"),
    one("network-address", BOX, "address", "download", file="x.obj", arguments=("inspect", "https://example.com/box.obj", "--json")),
    one("network-points", BOX, "address", "download", file="x.xyz", arguments=("inspect", "ftp://example.com/scan.xyz", "--json")),
    one("file-address", BOX, "address", arguments=("inspect", "file://{}/box.obj", "--json")),
    one("standard-input", BOX, "does not exist", arguments=("inspect", "./-", "--json")),
    one("no-extension", writer({"box": obj()}), "extension", file="box"),
    one("unknown-extension", writer({"box.fbx": b"Kaydara FBX Binary"}), ".fbx", file="box.fbx"),
    one("only-an-extension", writer({".obj": ""}), file=".obj"),
    case("path", "nul-in-name", BOX, refused("name"), arguments=("inspect", "{}/a\0.obj", "--json")),
    case("path", "empty-name", BOX, refused(), arguments=("inspect", "", "--json")),
    case("path", "texture-is-a-pipe", both(writer({"a.obj": "mtllib m.mtl\n" + obj()}), fifo("m.mtl")), GOOD, file="a.obj"),
    case("path", "texture-is-a-device", both(writer({"a.obj": "mtllib m.mtl\n" + obj()}), linked("/dev/zero", "m.mtl")), GOOD, file="a.obj"),
    case("path", "texture-links-out", both(writer({"a.obj": "mtllib m.mtl\n" + obj()}), linked("../secret.txt", "m.mtl")), GOOD, file="a.obj"),
    case("path", "good-name-with-spaces", obj(), GOOD, file="my own box (1).obj"),
    case("path", "good-name-in-other-script", obj(), GOOD, file="Würfel 箱 📦.obj"),
    case("path", "good-name-with-line-break", obj(), GOOD, file="a\nb.obj"),
    case("path", "good-name-with-dash", obj(), GOOD, file="--help.obj"),
    case("path", "good-long-name", obj(), GOOD, file="n" * 200 + ".obj"),
    case("path", "good-capitals", obj(), GOOD, file="BOX.OBJ"),
    case("path", "good-several-dots", obj(), GOOD, file="box.final.v2.ply.obj"),
    case("path", "good-link", both(BOX, linked("box.obj")), GOOD, file="a.obj"),
)  # fmt: skip

ARCHIVES = (
    case("archive", "zip", zipped("box.obj", obj().encode()), refused(".zip"), file="box.zip"),
    case("archive", "zip-escaping", zipped("../../escaped.obj", obj().encode()), refused(".zip"), file="box.zip"),
    case("archive", "zip-bomb", zipped("box.obj", bytes(1 << 24)), refused(".zip"), file="box.zip", bomb=True),
    case("archive", "3mf-bomb", zipped("3D/3dmodel.model", bytes(1 << 24)), refused(".3mf"), file="box.3mf", bomb=True),
    case("archive", "gzip", gzip.compress(obj().encode(), mtime=0), refused(".gz"), file="box.obj.gz"),
    case("archive", "gzip-as-stl", gzip.compress(stl(), mtime=0), refused("gzip"), file="box.stl"),
    case("archive", "bzip2-as-ply", bz2.compress(ply_binary()), refused("bzip2"), file="box.ply"),
    case("archive", "tar-bomb-name", b"ustar" * 20, refused(".tar"), file="box.tar"),
    case("archive", "numpy-with-code", b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(128) + b"cos\nsystem\n(S'touch canary'\ntR.", refused(".npy"), file="box.npy"),
    case("archive", "pickle-with-code", b"cos\nsystem\n(S'touch canary'\ntR.", refused(".pt"), file="box.pt"),
)  # fmt: skip
POINTS = tuple(
    one(f"points-{name}{suffix}", make, said, file=f"a{suffix}")
    for suffix in (".xyz", ".pcd", ".npz", ".las", ".ply")
    for name, make, said in (
        ("missing", BOX, "does not exist"),
        ("folder", subfolder(f"a{suffix}"), "is a folder"),
        ("fifo", fifo(f"a{suffix}"), "pipe"),
        ("device", linked("/dev/zero", f"a{suffix}"), "device"),
        ("link-to-itself", linked(f"a{suffix}", f"a{suffix}"), "loop"),
    )
)
PATHS: tuple[Case, ...] = (*INPUTS, *POINTS, *ARCHIVES)
