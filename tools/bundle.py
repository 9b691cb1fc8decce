"""Put a trained generator into the package: averaged weights as float16, settings, report and card.

    python tools/bundle.py RUN NAME

NAME: of benchmarks/results/geogen_toy_NAME.json too, what benchmarks/geogen_toy.py wrote about the run, for the card.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from isofield.checkpoints import newest_checkpoint, save_checkpoint
from isofield.data import attribution
from isofield.files import read_json, write_json
from results import cell

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "src" / "isofield" / "data" / "generators"
CARD = """# {name}: a toy generator

Draws {name} as signed distance fields with colours. It was trained from nothing on a CPU, to show that this works and
what it comes to, and is no more than that: what is finer than its planes of {texels} x {texels} texels is not there,
and shapes are round where real ones have edges. A 1-NNA near 1 says that what it draws is easily told from the true
ones; 0.5 would be no better than chance.

    isofield generate {name} -n 8 -o new
    isofield mesh {name} --latent-seed 3 -o one.glb

- Model: GeoGen (Esposito et al. 2024) by `isofield train geogen`, preset `{preset}`{likeness};
  {parameters:,} parameters, the average over training as float16.
- Data: {pictures:,} pictures of synthetic shapes on white: `isofield synthesize {name} -n {shapes}`,
  `isofield render {name} -o views --views {views}`. The critic saw them shrunk to {size} pixels{whole}.
- Training: {kimg:g} kimg (thousands of pictures made) in {minutes:.0f} minutes, with {cpu:.0f} minutes of processor
  time, on a machine that did other work too: {processor}, {cores} cores, no GPU{last}.
- Licence: {licence}; {changes}.

{reading}

Measured by `{command}`:

| | |
| --- | --- |
{rows}
"""


def main() -> None:
    run, name = Path(sys.argv[1]), sys.argv[2]
    checkpoint = newest_checkpoint(run)
    assert checkpoint is not None
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    halved = {key: value.half() for key, value in checkpoint.tensors.items()}
    save_checkpoint(folder / checkpoint.folder.name, checkpoint.step, checkpoint.spec, halved, {})
    for file in ("config.json", "report.json"):
        write_json(folder / file, read_json(run / file))
    result = json.loads((ROOT / "benchmarks" / "results" / f"geogen_toy_{name}.json").read_text())
    (folder / "MODEL_CARD.md").write_text(
        card(name, read_json(run / "config.json"), read_json(run / "report.json"), result)
    )
    print(folder.relative_to(ROOT))


def card(name: str, config: dict[str, Any], report: dict[str, Any], result: dict[str, Any]) -> str:
    views, about = 10, attribution()[f"generators/{name}"]
    alike = config.get("likeness")
    return CARD.format(
        name=name,
        size=config["architecture"]["size"],
        texels=config["architecture"]["plane_size"],
        preset=config["preset"],
        likeness=f" with `--likeness {alike:g}`" if alike else "",
        whole=";\n  likeness is of single pixels of them as they were" if alike else "",
        last="; the last of several trainings, see below" if config.get("start") else "",
        parameters=report["parameters"],
        pictures=report["pictures"],
        views=views,
        shapes=report["pictures"] // views,
        kimg=report["kimg"],
        minutes=report["seconds"] / 60,
        cpu=report["cpu_seconds"] / 60,
        processor=result["machine"]["processor"],
        cores=result["machine"]["cores"],
        licence=about["licence"],
        changes=about["changes"],
        reading=" ".join(result.get("reading", [])),
        command=result["command"],
        rows="\n".join(f"| {name} | {cell(value)} |" for name, value in result["tables"][1]["rows"]),
    )


if __name__ == "__main__":
    main()
