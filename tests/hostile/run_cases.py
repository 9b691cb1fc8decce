"""Damaged run folders and checkpoints, broken configurations, and outputs that may not be written."""

import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from corpus import Case, Good, case, refused, writer
from hostile_shapes import BOX, TRIANGLES, obj

CHECKPOINT = "run/checkpoint-00000000"
ANY = Good(None, None, None, None)
MESH = ("mesh", "{}/run", "-o", "{}/out.ply", "--resolution", "12", "--json")
FIT = ("fit", "{}/box.obj", "-o", "{}/run", "--method", "exact", "--resolution", "12", "--json")


@cache
def whole_run() -> dict[str, bytes]:
    """The files of a run that holds the exact distance to the box."""
    from isofield.fields.exact import ExactField
    from isofield.frame import UnitFrame
    from isofield.runs import open_run

    frame = UnitFrame.of(BOX)
    field = ExactField(frame.to_unit(BOX), np.array(TRIANGLES), frame)
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        with open_run(run, {"input": "box.obj", "seed": 0, "steps": None, "budget": None}) as opened:
            opened.save(0, field.spec(), field.tensors())
        (run / "env.json").write_text("{}\n")  # versions and machine: not the same bytes everywhere
        return {f"run/{path.relative_to(run)}": path.read_bytes() for path in run.rglob("*") if path.is_file()}


def spoiled(spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        writer(dict(whole_run()))(folder)
        spoil(folder)

    return make


def flipped(name: str, at: float) -> Callable[[Path], None]:
    """One bit of a file turned over, at a share of its length."""

    def spoil(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[int(at * (len(content) - 1))] ^= 16
        (folder / name).write_bytes(content)

    return spoil


def cut(name: str, share: float) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return spoil


def replaced(name: str, content: bytes | str) -> Callable[[Path], None]:
    return lambda folder: writer({name: content})(folder)


def removed(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


def resealed(change: Callable[[dict], None], model: bytes | None = None) -> Callable[[Path], None]:
    """A checkpoint whose description was changed and whose digests were made anew: only its content is wrong."""

    def spoil(folder: Path) -> None:
        import hashlib

        config, weights = folder / CHECKPOINT / "config.json", folder / CHECKPOINT / "model.safetensors"
        content = json.loads(config.read_text())
        if model is not None:
            weights.write_bytes(model)
            content["sha256"][weights.name] = hashlib.sha256(model).hexdigest()
        content.pop("sha256_of_the_above")
        change(content)
        seal = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        config.write_text(json.dumps({**content, "sha256_of_the_above": seal}))

    return spoil


def same(_: dict) -> None: ...


def safetensors(header: dict | bytes, body: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def tensor(dtype: str, array: np.ndarray, begin: int = 0) -> dict:
    return {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, begin + array.nbytes]}


def box_tensors(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    header = {"vertices": tensor("F64", vertices), "faces": tensor("I64", faces, vertices.nbytes)}
    return safetensors(header, vertices.tobytes() + faces.tobytes())


def outside_link(folder: Path) -> None:
    """The model is a link to a file of the same bytes beside the run folder's parent."""
    path = folder / CHECKPOINT / "model.safetensors"
    shutil.move(path, folder.parent / "model-elsewhere.safetensors")
    path.symlink_to(folder.parent / "model-elsewhere.safetensors")


def changed(**values: object) -> Callable[[dict], None]:
    return lambda content: content["field"].update(values)


def run(name: str, spoil: Callable[[Path], None], *says: str, bomb: bool = False) -> Case:
    return case("checkpoint", name, spoiled(spoil), refused(*says), arguments=MESH, bomb=bomb)


UNIT = BOX / 6.0
NAN = np.where(UNIT > 0.6, np.nan, UNIT)
SEALED = f"{CHECKPOINT}/config.json"
MODEL = f"{CHECKPOINT}/model.safetensors"
CHECKPOINTS = (
    *(run(f"bit-flipped-at-{share:.0%}"[:-1], flipped(MODEL, share), "damaged", "sha-256") for share in (0, 0.2, 0.5, 0.8, 1)),
    *(run(f"config-bit-flipped-at-{share:.0%}"[:-1], flipped(SEALED, share)) for share in (0, 0.3, 0.6, 0.9)),
    *(run(f"cut-to-{share:.0%}"[:-1], cut(MODEL, share), "damaged") for share in (0, 0.1, 0.9)),
    run("model-missing", removed(MODEL), "does not exist"),
    run("config-missing", removed(SEALED), "checkpoint"),
    run("state-missing", removed(f"{CHECKPOINT}/state.safetensors"), "does not exist"),
    run("future-format", resealed(lambda c: c.update(format=999)), "999", "version"),
    run("unknown-field", resealed(changed(type="os.system")), "unknown type", "os.system"),
    run("field-type-is-a-number", resealed(changed(type=7)), "unknown type"),
    run("field-is-a-list", resealed(lambda c: c.update(field=[])), "description"),
    run("frame-missing", resealed(lambda c: c["field"].pop("frame")), "frame"),
    run("frame-not-finite", resealed(changed(frame={"center": [0, 0, 1e999], "scale": 1})), "frame"),
    run("frame-of-no-size", resealed(changed(frame={"center": [0, 0, 0], "scale": 0})), "frame"),
    run("step-in-words", resealed(lambda c: c.update(step="last")), "step"),
    run("path-in-digests", resealed(lambda c: c["sha256"].update({"../../../secret.txt": "0" * 64})), "lists other files"),
    run("no-digests", resealed(lambda c: c.update(sha256={})), "model.safetensors"),
    run("huge-header", resealed(same, safetensors(b"{}", size=1 << 60)), "model.safetensors", bomb=True),
    run("huge-tensor", resealed(same, safetensors({"vertices": {"dtype": "F64", "shape": [1 << 40, 3], "data_offsets": [0, 3 << 43]}})), "model.safetensors", bomb=True),
    run("duplicate-keys", resealed(same, safetensors(b'{"vertices":%s,"vertices":%s}' % (2 * (json.dumps(tensor("F64", UNIT)).encode(),)), UNIT.tobytes())), "model.safetensors"),
    run("pickle-as-model", resealed(same, b"\x80\x04cos\nsystem\n(S'touch canary'\ntR."), "model.safetensors"),
    run("weights-nan", resealed(same, box_tensors(NAN, np.array(TRIANGLES))), "vertices", "finite"),
    run("weights-infinite", resealed(same, box_tensors(np.full_like(UNIT, np.inf), np.array(TRIANGLES))), "finite"),
    run("faces-out-of-range", resealed(same, box_tensors(UNIT, np.array(TRIANGLES) + 100)), "faces"),
    run("tensor-missing", resealed(same, safetensors({"vertices": tensor("F64", UNIT)}, UNIT.tobytes())), "faces"),
    run("tensor-of-another-shape", resealed(same, box_tensors(UNIT.T.copy(), np.array(TRIANGLES))), "vertices"),
    run("model-links-out", outside_link, "link"),
    run("model-is-a-pipe", lambda f: (removed(MODEL)(f), os.mkfifo(f / MODEL))[0], "pipe"),
    run("model-is-a-folder", lambda f: (removed(MODEL)(f), (f / MODEL).mkdir())[0]),
    run("no-checkpoint", removed(CHECKPOINT), "no checkpoint"),
    case("checkpoint", "good", spoiled(lambda _: None), Good(24.0, None, None), arguments=MESH),
    case("checkpoint", "good-moved", spoiled(lambda f: (f / "run").rename(f / "moved")), Good(24.0, None, None), arguments=tuple(a.replace("/run", "/moved") for a in MESH)),
    case("checkpoint", "good-damaged-newer-one", spoiled(lambda f: writer({"run/checkpoint-00000009/config.json": "{"})(f)), Good(24.0, None, None, says=("checkpoint before it",)), arguments=MESH),
)  # fmt: skip


def config(name: str, content: bytes | str, *says: str, arguments: tuple[str, ...] = MESH) -> Case:
    return case("config", name, spoiled(replaced("run/config.json", content)), refused(*says), arguments=arguments)


CONFIGS = (
    config("empty", "", "config.json", "line 1"),
    config("cut", '{"isofield_run": 1, "inp', "config.json", "line 1"),
    config("list", "[1, 2]", "no isofield run"),
    config("binary", bytes(range(128, 256)), "config.json", "utf-8"),
    config("deep", "[" * 100_000, "config.json", "nested"),
    config("future", '{"isofield_run": 2}', "version 2"),
    config("format-in-words", '{"isofield_run": "new"}', "new"),
    config("not-finite", '{"isofield_run": 1, "budget": NaN, "settled": Infinity}', "config.json", "nan", arguments=MESH),
    case("config", "settled-in-words", spoiled(lambda f: writer({"run/config.json": '{"isofield_run": 1, "settled": "yes"}', "box.obj": obj()})(f)), refused("config.json", "settled"), arguments=("fit", "{}/box.obj", "-o", "{}/run", "--steps", "1", "--json")),
    case("config", "is-a-folder", spoiled(lambda f: (removed("run/config.json")(f), (f / "run/config.json").mkdir())[0]), refused("config.json"), arguments=MESH),
    case("config", "is-a-pipe", spoiled(lambda f: (removed("run/config.json")(f), os.mkfifo(f / "run/config.json"))[0]), refused("pipe"), arguments=MESH),
)  # fmt: skip


def output(name: str, make: Callable[[Path], None], *says: str, arguments: tuple[str, ...]) -> Case:
    return case("output", name, make, refused(*says), arguments=arguments)


BOXED = writer({"box.obj": obj(), "file": "kept"})


def fit_to(target: str) -> tuple[str, ...]:
    return tuple(target if argument == "{}/run" else argument for argument in FIT)


def mesh_to(target: str) -> tuple[str, ...]:
    return tuple(target if argument == "{}/out.ply" else argument for argument in MESH)


OUTPUTS = (
    output("fit-onto-a-file", BOXED, "is a file", arguments=fit_to("{}/file")),
    output("fit-onto-the-input", BOXED, "is a file", arguments=fit_to("{}/box.obj")),
    output("fit-below-a-file", BOXED, "file", arguments=fit_to("{}/file/run")),
    output("fit-into-the-inputs-folder", BOXED, "not empty", arguments=fit_to("{}")),
    output("fit-name-too-long", BOXED, "too long", arguments=fit_to("{}/" + "n" * 300)),
    output("fit-nul-in-name", BOXED, arguments=fit_to("{}/r\0un")),
    output("fit-onto-a-loop", lambda f: (BOXED(f), (f / "loop").symlink_to("loop"))[0], "loop", arguments=fit_to("{}/loop")),
    output("mesh-onto-a-folder", spoiled(lambda f: (f / "out.ply").mkdir()), "is a folder", arguments=MESH),
    output("mesh-below-a-file", spoiled(BOXED), "folder", arguments=mesh_to("{}/file/out.ply")),
    output("mesh-unknown-extension", spoiled(BOXED), ".txt", arguments=mesh_to("{}/out.txt")),
    output("mesh-without-extension", spoiled(BOXED), arguments=mesh_to("{}/out")),
    output("mesh-name-too-long", spoiled(BOXED), "too long", arguments=mesh_to("{}/" + "n" * 300 + ".ply")),
    output("mesh-onto-a-pipe", spoiled(lambda f: os.mkfifo(f / "out.ply")), "pipe", arguments=MESH),
    output("mesh-onto-a-loop", spoiled(lambda f: (f / "out.ply").symlink_to("out.ply")), "loop", arguments=MESH),
    output("mesh-of-a-file", BOXED, "run folder", arguments=tuple(a.replace("{}/run", "{}/file") for a in MESH)),
    output("mesh-of-a-folder-that-is-no-run", BOXED, "no isofield run", arguments=tuple(a.replace("{}/run", "{}") for a in MESH)),
    output("evaluate-of-nothing", BOXED, "file", arguments=("evaluate", "{}/file", "{}/box.obj", "--json")),
    output("evaluate-folder-and-file", BOXED, "folder", arguments=("evaluate", "{}", "{}/box.obj", "--json")),
    output("evaluate-damaged-truth", writer({"box.obj": obj(), "bad.obj": "v 1 2\n"}), "bad.obj", arguments=("evaluate", "{}/box.obj", "{}/bad.obj", "--json")),
    output("fit-of-a-damaged-file", writer({"box.obj": obj()[:-30] + "f 1 2 900\n"}), "box.obj", "900", arguments=FIT),
    output("no-output", BOXED, "--output", arguments=("fit", "{}/box.obj")),
    output("two-lengths", BOXED, "--budget", arguments=(*FIT, "--steps", "5", "--budget", "5")),
    output("resolution-in-words", BOXED, "resolution", arguments=(*FIT[:-2], "many")),
    output("resolution-huge", spoiled(BOXED), "resolution", arguments=(*MESH[:-2], "1000000000")),
    output("seed-huge", BOXED, "--seed", arguments=(*FIT, "--seed", "1" + "0" * 40)),
)  # fmt: skip
RUNS: tuple[Case, ...] = (*CHECKPOINTS, *CONFIGS, *OUTPUTS)
