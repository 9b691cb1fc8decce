"""Checkpoint folders: staged whole, and verified before they are used.

Nothing but a digest tells damage: safetensors and torch.load both accept flipped bits.
"""

import hashlib
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isofield.errors import InputError
from isofield.files import read_json, replacing_folder, write_json

if TYPE_CHECKING:
    from torch import Tensor

    from isofield.fields.field import Field

FORMAT = 1  # of run folders and checkpoints
NAME = re.compile(r"checkpoint-(\d{8,})")
_MODEL, _STATE, _SEAL = "model.safetensors", "state.safetensors", "sha256_of_the_above"


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: the field's description and tensors, and the state that training goes on from."""

    folder: Path
    step: int
    spec: dict[str, Any]
    tensors: "dict[str, Tensor]"
    state: "dict[str, Tensor]"

    def field(self) -> "Field":
        """The field it holds."""
        from isofield.fields.saved import restore

        return restore(self.spec, self.tensors, str(self.folder))


def save_checkpoint(
    folder: str | Path, step: int, spec: dict[str, Any], tensors: "dict[str, Tensor]", state: "dict[str, Tensor]"
) -> None:
    """Write config.json (field, step, format, SHA-256 of each file), model.safetensors and state.safetensors.

    The folder appears whole or not at all. Raises as `isofield.files.replacing_folder` does.
    """
    with replacing_folder(folder) as staged:
        digests = {name: _write_tensors(staged / name, part) for name, part in ((_MODEL, tensors), (_STATE, state))}
        content = _as_read({"format": FORMAT, "step": step, "field": spec, "sha256": digests})
        write_json(staged / "config.json", {**content, _SEAL: _seal(content)})


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a checkpoint after verifying all of its files; raises InputError when one is damaged or missing."""
    from safetensors.torch import load

    folder = Path(folder)
    content = _verified_content(folder)
    parts = {name: load(_verified_bytes(folder / name, digest)) for name, digest in content["sha256"].items()}
    return Checkpoint(folder, content["step"], content["field"], parts[_MODEL], parts[_STATE])


def list_checkpoints(run: Path) -> list[tuple[int, Path]]:
    """(step, folder) of each checkpoint of a run, oldest first; not verified."""
    found = ((NAME.fullmatch(path.name), path) for path in run.glob("checkpoint-*"))
    return sorted((int(match[1]), path) for match, path in found if match)


def newest_checkpoint(run: Path) -> Checkpoint | None:
    """The newest undamaged checkpoint of a run, None where there is none yet.

    A damaged one is reported as a warning and the one before is used. Raises InputError when all are damaged.
    """
    errors = []
    for _, path in reversed(list_checkpoints(run)):
        try:
            return load_checkpoint(path)
        except InputError as error:
            errors.append(error)
            warnings.warn(f"{error.where}: {error.fault}; the checkpoint before it is tried", stacklevel=2)
    if errors:
        raise InputError(run, f"no checkpoint is whole ({errors[0].fault})", "begin anew with --restart")
    return None


def check_format(path: Path, version: Any) -> None:
    """Raise InputError for another format version than this one."""
    if version != FORMAT:
        fault = f"has format version {version!r}, and this isofield reads {FORMAT}"
        raise InputError(path, fault, "use the version of isofield that wrote it")


def _verified_content(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    content = read_json(path)
    if not isinstance(content, dict) or content.pop(_SEAL, None) != _seal(content):
        raise InputError(path, "is damaged (its SHA-256 differs)", "use another checkpoint")
    check_format(path, content.get("format"))
    return content


def _verified_bytes(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "use another checkpoint") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(path, "is damaged (its SHA-256 differs)", "use another checkpoint")
    return content


def _as_read(content: dict) -> dict:
    """As JSON gives it back: lists for tuples, names for keys."""
    return json.loads(json.dumps(content, allow_nan=False))


def _seal(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write_tensors(path: Path, tensors: "dict[str, Tensor]") -> str:
    from safetensors.torch import save

    content = save({name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()})
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
