"""A store larger than the memory that the process may take is trained on, since it is read a run of rows at a time."""

import json
import struct
import subprocess
import sys
from pathlib import Path

from isofield.samples.store import FORMAT, MANIFEST, SampleStore
from needs import linux

SHAPES, ROWS = 24, 500_000  # 16 MB each, 384 MB together
ALLOWED = 96 << 20  # bytes beyond what is there before training

PROGRAM = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from isofield.fields.activations import Relu
from isofield.samples.store import SampleStore
from isofield.tasks.space_objectives import SharedDistances
from isofield.tasks.space_presets import new_space, preset
from isofield.tasks.train_space import train_space

def known(name):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(name))

torch.set_num_threads(1)
store = SampleStore(sys.argv[1])
torch.manual_seed(0)
space, recipe = new_space(preset("default"), store), SharedDistances(shapes=8, points=256)
train_space(space, store, recipe, steps=2)
space.train().requires_grad_(True)
allowed, before = int(sys.argv[2]), known("RssAnon")
resource.setrlimit(resource.RLIMIT_DATA, (known("VmData") + allowed,) * 2)
train_space(space, store, recipe, steps=40)
assert known("RssAnon") - before < allowed, known("RssAnon") - before
try:
    whole = [store.rows(number, 0, shape.count) for number, shape in enumerate(store.shapes)]
except MemoryError:
    print("too much")
"""


def write_sparse(path: Path, rows: int) -> None:
    """A shape whose samples are all zero: a file of holes, which takes no space and reads like any other."""
    columns = {"points": [rows, 3], "sdf": [rows], "closest": [rows, 3]}
    header, end = {"__metadata__": {"isofield": json.dumps({"format": FORMAT})}}, 0
    for name, shape in columns.items():
        size = 4 * rows * (3 if len(shape) == 2 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


@linux
def test_a_store_larger_than_the_allowed_memory_trains(tmp_path):
    """And reading all of it at once does not fit: the limit holds."""
    shapes = []
    for k in range(SHAPES):
        write_sparse(tmp_path / f"{k}.safetensors", ROWS)
        shapes.append({
            "name": str(k), "file": f"{k}.safetensors", "count": ROWS, "columns": ["points", "sdf", "closest"],
            "frame": {"center": [0.0, 0.0, 0.0], "scale": 1.0}, "label": None, "source": "",
        })  # fmt: skip
    (tmp_path / MANIFEST).write_text(json.dumps({"format": FORMAT, "shapes": shapes}))
    size = sum(shape.path.stat().st_size for shape in SampleStore(tmp_path).shapes)
    assert size > 3 * ALLOWED
    call = [sys.executable, "-c", PROGRAM, str(tmp_path), str(ALLOWED)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "too much\n"
