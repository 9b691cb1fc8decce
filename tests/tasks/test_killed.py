"""A run killed in mid-step, and gone on with in another process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from safetensors.torch import load_file

from isofield.runs import list_checkpoints
from needs import posix

PROGRAM = """
import os, signal, sys
from dataclasses import dataclass
import torch, trimesh
from isofield.fields.hash_grid import HashGrid
from isofield.fields.neural import NeuralField
from isofield.runs import open_run
from isofield.tasks import training
from isofield.tasks.fit import fit
from isofield.tasks.objectives import Distances

training.FEWEST = 3000
count = 0

@dataclass(frozen=True)
class Killed(Distances):
    def loss(self, field, data):
        global count
        count += 1
        if count == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(field, data)

for folder in sys.argv[2:]:
    torch.manual_seed(0)
    field = NeuralField(HashGrid(levels=2, base=8, log2_entries=10))
    with open_run(folder, {"seed": 0, "steps": 20}) as run:
        fit(trimesh.creation.icosphere(2, 5.0), field, Killed(batch=256), steps=20, run=run)
"""


def run_program(*folders: Path, kill_at: int, hash_seed: str) -> int:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(kill_at), *map(str, folders)]
    return subprocess.run(command, env=environment, check=False, timeout=300).returncode


def left_behind(folder: Path) -> tuple[bytes, dict[str, bytes], str]:
    """Model, training state but for the times in it, and log."""
    newest = list_checkpoints(folder)[-1][1]
    state = {name: value.numpy().tobytes() for name, value in load_file(newest / "state.safetensors").items()}
    del state["cost"]
    return (newest / "model.safetensors").read_bytes(), state, (folder / "log.jsonl").read_text()


@posix
def test_killed_and_gone_on_with_in_another_process_is_the_same_as_never_killed(tmp_path):
    """Killed between two checkpoints; the processes differ in their hash seeds."""
    assert run_program(tmp_path / "killed", kill_at=11, hash_seed="1") == -signal.SIGKILL
    assert list_checkpoints(tmp_path / "killed")[-1][0] == 8
    assert run_program(tmp_path / "killed", tmp_path / "whole", kill_at=0, hash_seed="2") == 0
    assert left_behind(tmp_path / "killed") == left_behind(tmp_path / "whole")
