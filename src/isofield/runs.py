"""Run folders: what was asked, where it ran, how it went, and the checkpoints to go on from.

RUN/config.json           the resolved settings; running again with the same ones goes on where the run stopped
RUN/env.json              versions, machine, threads, seed, commit
RUN/log.jsonl             one JSON object per line
RUN/checkpoint-00000123/  see `isofield.checkpoints`
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isofield.checkpoints import (
    FORMAT,
    NAME,
    Checkpoint,
    check_format,
    list_checkpoints,
    load_checkpoint,
    newest_checkpoint,
    save_checkpoint,
)
from isofield.data import located
from isofield.environment import environment
from isofield.errors import InputError
from isofield.files import TEMPORARY, explained, read_json, remove_leftovers, replacing, write_json
from isofield.locking import LOCK, locked

if TYPE_CHECKING:
    from torch import Tensor

    from isofield.fields.field import Field
    from isofield.fields.saved import Saveable
    from isofield.fields.space import ShapeSpace
    from isofield.models.geogen import GeoGen

KEPT = 2  # checkpoints
RESULTS = (
    "mesh.ply", "mesh.glb", "seen.glb", "preview.png", "views.png", "turntable.gif", "report.json", "code.safetensors",
)  # fmt: skip
EVENTS = "events"  # sub-folder that TensorBoard reads
SETTLED = "settled"
_MARK = "isofield_run"


@dataclass
class Run:
    """An open run folder, held by this process alone.

    config: as stored, so with the values an earlier call settled; previous: what was stored before this call, or None.
    board: torch's SummaryWriter, where TensorBoard is to show what is logged.
    """

    folder: Path
    config: dict[str, Any]
    previous: dict[str, Any] | None = None
    board: Any = None

    def settle(self, **values: Any) -> None:
        """Store what was only found on the way (a budget turned into steps) in the configuration.

        A value named `settled` is carried along for good: callers that come back need not know it.
        """
        self.config = {**self.config, **values}
        _write_config(self.folder, self.config)

    def log(self, **numbers: Any) -> None:
        """Append one line to log.jsonl; give `step`, so that a resumed run can drop what it will do again."""
        path = self.folder / "log.jsonl"
        line = json.dumps(numbers, allow_nan=False) + "\n"
        with explained(path), open(path, "a", encoding="utf-8", newline="\n") as file:
            file.write(line)
        if self.board:
            for name, value in numbers.items():
                self.board.add_scalar(name, value, numbers["step"])

    def save(
        self, step: int, spec: dict[str, Any], tensors: "dict[str, Tensor]", state: "dict[str, Tensor] | None" = None
    ) -> Path:
        """Write a checkpoint whole or not at all, keep the last two, return its folder.

        Those of later steps, damaged and passed over on resuming, are dropped.
        """
        folder = self.folder / f"checkpoint-{step:08d}"
        save_checkpoint(folder, step, spec, tensors, state or {})
        known = list_checkpoints(self.folder)
        kept = [path for number, path in known if number <= step][-KEPT:]
        for _, path in known:
            if path not in kept:
                shutil.rmtree(path)
        return folder

    def latest(self) -> Checkpoint | None:
        """The checkpoint to go on from, None at the beginning; the log is cut back to its step.

        Warns and raises as `isofield.checkpoints.newest_checkpoint` does.
        """
        checkpoint = newest_checkpoint(self.folder)
        _cut_log(self.folder / "log.jsonl", checkpoint.step if checkpoint else -1)
        return checkpoint


@contextmanager
def open_run(
    folder: str | Path,
    config: dict[str, Any],
    *,
    length: tuple[str, ...] = ("steps", "budget"),
    restart: bool = False,
) -> Iterator[Run]:
    """Begin a run, or go on with one of the same configuration; the folder is locked meanwhile.

    config: JSON values. Of the keys in `length` a number may grow, None takes the stored one, and a stored None takes
    the new one; `Run.config` is the result. `restart` first removes what a run consists of, and nothing else.
    Raises InputError if the folder is a file, holds something else, is in use, or was configured differently. A run
    that ends by an InputError before it has made anything leaves nothing: the next call may be told something else.
    """
    folder = Path(folder)
    _check_is_run_or_empty(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        remove_leftovers(folder)
        if restart:
            _clear(folder)
        previous = read_config(folder) if (folder / "config.json").exists() else None
        config = _merge(folder, previous, json.loads(json.dumps(config)), length)
        _write_config(folder, config)
        write_json(folder / "env.json", environment(config.get("seed")))
        try:
            yield Run(folder, config, previous)
        except InputError:
            if previous is None and {entry.name for entry in folder.iterdir()} <= {LOCK, "env.json", "config.json"}:
                _clear(folder)
            raise


def load(
    folder: str | Path, shape: str | None = None, *, latent_seed: int | None = None, truncation: float = 0.7
) -> "Field":
    """The field of a run's newest undamaged checkpoint, or of one checkpoint folder; raises InputError.

    shape: the name of one of the shapes of a shape space, which has a field for each. latent_seed: of the latent that a
    generator is given, drawn to the mean by the truncation; None: the mean of its latents. Of a shape space: of a code.
    """
    from isofield.fields.field import Field
    from isofield.fields.space import ShapeSpace
    from isofield.models.drawing import SpaceGenerator
    from isofield.models.geogen import GeoGen

    found = _newest(Path(folder))
    if isinstance(found, GeoGen) and shape is None:
        return found.field(found.mapping.mean if latent_seed is None else found.latent(latent_seed, truncation))
    if isinstance(found, ShapeSpace) and latent_seed is not None:
        return SpaceGenerator(found).draw((latent_seed, 0, 0), truncation).field
    if latent_seed is not None:
        raise InputError("--latent-seed", f"{folder} holds no generator", "leave it out")
    if not isinstance(found, ShapeSpace):
        if shape is not None:
            raise InputError("--shape", f"{folder} holds no shapes with names", "leave it out")
        assert isinstance(found, Field)
        return found
    if shape is None:
        some = ", ".join(found.names[:3])
        raise InputError(folder, f"is a space of {len(found)} shapes", f"name one with --shape: {some} ...")
    return found.field(shape)


def load_space(folder: str | Path) -> "ShapeSpace":
    """The shape space of a run's newest undamaged checkpoint, of one checkpoint folder, or of one of DeepSDF's
    experiments; raises InputError."""
    from isofield.fields.space import ShapeSpace

    found = _newest(Path(folder))
    if not isinstance(found, ShapeSpace):
        raise InputError(folder, "holds no shape space", "make one with `isofield train auto-decoder`")
    return found


def load_learned(folder: str | Path) -> "ShapeSpace | GeoGen":
    """What new shapes can be drawn from: a shape space or a generator, as their own functions load them."""
    from isofield.fields.space import ShapeSpace
    from isofield.models.geogen import GeoGen

    found = _newest(Path(folder))
    if not isinstance(found, ShapeSpace | GeoGen):
        raise InputError(folder, "holds no shape space and no generator", "make one with `isofield train`")
    return found


def load_generator(folder: str | Path) -> "GeoGen":
    """The generator of a run's newest undamaged checkpoint, or of one checkpoint folder; raises InputError."""
    from isofield.models.geogen import GeoGen

    found = _newest(Path(folder))
    if not isinstance(found, GeoGen):
        raise InputError(folder, "holds no generator", "make one with `isofield train geogen`")
    return found


def _newest(folder: Path) -> "Saveable":
    from isofield.fields.deepsdf import is_deepsdf, load_deepsdf

    folder = located(folder)
    if is_deepsdf(folder):
        return load_deepsdf(folder)
    if NAME.fullmatch(folder.name):
        return load_checkpoint(folder).field()
    config = read_config(folder)
    checkpoint = newest_checkpoint(folder)
    if checkpoint is None and config.get("method") == "ball-pivoting":
        raise InputError(
            folder, "ball pivoting gives a mesh and no field", "take its mesh.ply, or fit by another --method"
        )
    if checkpoint is None and (verb := config.get("verb", "reconstruct")) != "reconstruct":
        raise InputError(folder, f"is what `isofield {verb}` wrote, and no field", "name a run of a fit or a training")
    if checkpoint is None:
        raise InputError(folder, "this run has no checkpoint yet", "run the command that began it once more")
    return checkpoint.field()


def read_config(folder: str | Path) -> dict[str, Any]:
    """The configuration of a run; raises InputError where there is no run."""
    folder = Path(folder)
    remedy = "name the folder of a run, such as `isofield fit` and `isofield train` write"
    if not folder.is_dir():
        raise InputError(folder, "is a file, not a run folder" if folder.exists() else "does not exist", remedy)
    path = folder / "config.json"
    content = read_json(path) if path.exists() else None
    if not isinstance(content, dict) or _MARK not in content:
        raise InputError(folder, "holds no isofield run", remedy)
    check_format(path, content.pop(_MARK))
    _check_lengths(path, content)
    return content


def _check_lengths(path: Path, config: dict[str, Any]) -> None:
    """What is computed with before the configuration is compared: numbers, lists of them, or not there."""
    settled = config.get(SETTLED)
    if settled is not None and not isinstance(settled, dict):
        raise InputError(path, f"{SETTLED} is {settled!r:.40}, no object", "mend it or begin anew with --restart")
    lengths = {name: config.get(name) for name in ("steps", "budget", "kimg")} | (settled or {})
    for name, value in lengths.items():
        numbers = value if isinstance(value, list) else [] if value is None else [value]
        if any(isinstance(number, bool) or not isinstance(number, int | float) or number < 0 for number in numbers):
            raise InputError(path, f"{name} is {value!r:.40}, no number", "mend it or begin anew with --restart")


def _write_config(folder: Path, config: dict[str, Any]) -> None:
    write_json(folder / "config.json", {_MARK: FORMAT, **config})


def _check_is_run_or_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file", "choose another output folder")
    if (folder / "config.json").exists():
        read_config(folder)
    elif folder.exists() and any(p.name != LOCK and not p.name.startswith(TEMPORARY) for p in folder.iterdir()):
        raise InputError(folder, "is not empty and holds no isofield run", "choose another output folder")


def _merge(folder: Path, previous: dict | None, config: dict, length: tuple[str, ...]) -> dict[str, Any]:
    """The configuration to go on with; raises InputError with the difference where that cannot be."""
    if previous is None:
        return config
    carried = (*length, SETTLED)
    kept = {key: previous[key] for key in carried if config.get(key) is None and key in previous}
    merged = {**config, **kept}
    old, new = _flat(previous), _flat(merged)
    faults = [fault for key in {**old, **new} if (fault := _difference(key, old, new, key in length))]
    if faults:
        fault = f"this run was begun with other settings: {', '.join(faults)}"
        raise InputError(folder, fault, "give the old ones, choose another output, or begin anew with --restart")
    return merged


def _flat(config: dict[str, Any], before: str = "") -> dict[str, Any]:
    """The settings within settings as recipe.batch, and so on."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat


def _difference(key: str, previous: dict, config: dict, is_length: bool) -> str | None:
    """In words; none for a setting that is not given and that earlier versions did not have."""
    if key not in previous and (config[key] is None or config[key] is False):
        return None
    old, new = (json.dumps(side[key]) if key in side else "absent" for side in (previous, config))
    if old == new:
        return None
    if not is_length:
        return f"{key} {old} -> {new}"
    shrinks = previous.get(key) is not None and config[key] < previous[key]
    return f"{key} {old} -> {new} (may only grow)" if shrinks else None


def _clear(folder: Path) -> None:
    """Remove what a run consists of, the configuration last."""
    for _, path in list_checkpoints(folder):
        shutil.rmtree(path)
    shutil.rmtree(folder / EVENTS, ignore_errors=True)
    for name in ("log.jsonl", *RESULTS, "env.json", "config.json"):
        (folder / name).unlink(missing_ok=True)


def _cut_log(path: Path, step: int) -> None:
    """Keep the lines up to `step`; a line broken by a crash goes too."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if _logged_step(line) <= step]
    if kept != lines:
        with replacing(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8", newline="\n")


def _logged_step(line: str) -> int | float:
    try:
        return json.loads(line).get("step", -1)
    except json.JSONDecodeError:
        return float("inf")
