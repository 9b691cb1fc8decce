"""Fuzz a reader until it is stopped: `pip install atheris`, then `python tools/fuzz.py mesh|cloud|run [-runs=N]`."""

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "hostile"))

with atheris.instrument_imports(include=["isofield"]):
    from isofield.cloud.inspect import inspect_cloud
    from isofield.errors import IsofieldError
    from isofield.mesh.inspect import inspect
    from isofield.runs import load

from mutations import CLOUD_SEEDS, MESH_SEEDS, mutated
from run_cases import CHECKPOINT, resealed, whole_run

FOLDER = Path(tempfile.mkdtemp(prefix="isofield-fuzz-"))
MODEL = f"{CHECKPOINT}/model.safetensors"


def one_file(data: bytes, seeds: tuple[tuple[str, bytes], ...], read) -> None:
    suffix, seed = seeds[data[0] % len(seeds)]
    path = FOLDER / f"a{suffix}"
    path.write_bytes(mutated(seed, data[1:]))
    read(path)


def one_run(data: bytes) -> None:
    """A checkpoint with its digests made anew over a spoiled model."""
    for name, content in whole_run().items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_bytes(content)
    resealed(lambda _: None, mutated(whole_run()[MODEL], data))(FOLDER)
    load(FOLDER / "run")


TARGETS = {
    "mesh": lambda data: one_file(data, MESH_SEEDS, inspect),
    "cloud": lambda data: one_file(data, CLOUD_SEEDS, inspect_cloud),
    "run": one_run,
}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]
    warnings.simplefilter("ignore")

    def test(data: bytes) -> None:
        try:
            if data:
                target(data)
        except IsofieldError:
            pass

    atheris.Setup(sys.argv, test)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
