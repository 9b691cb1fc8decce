"""A tiny set of pictures and a tiny recipe, for the tests of training and for the processes that they start."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from isofield.models.presets import Architecture, Preset, Recipe
from isofield.render.render import Surface, render
from isofield.render.rig import around
from isofield.views.eg3d import label_of
from isofield.views.image_set import View, World

SHOWN = 2  # latents in the sheets
PRESET = Preset(
    Architecture(
        size=8, raw=8, latent=8, mapping_depth=1, plane_size=8, plane_channels=4, base=64, most=8,
        critic_base=64, critic_most=8, critic_depth=1, width=8, octaves=1, coarse=6, fine=6,
    ),
    Recipe(batch=4, settle=0.03, eikonal=0.1, blur=1.0, sharp=0.04, half_life=0.02, lazy=4, tick=0.024),
)  # fmt: skip


def write_set(folder: Path, size: int = 8, count: int = 12) -> Path:
    """Two boxes seen from all sides, in EG3D's layout, with the scale of their world."""
    from isofield.views.eg3d import text_of

    views = []
    for number, extents in enumerate(((1.2, 0.5, 0.6), (0.8, 0.8, 0.5))):
        surface = Surface.of(trimesh.creation.box(extents))
        for index, camera in enumerate(around(np.random.default_rng(number), count // 2, size)):
            name = f"box{number}/{index:03}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(render(surface, camera).color).save(folder / name)
            views.append(View(name, camera))
    (folder / "dataset.json").write_text(text_of(views, World(1.0)))
    assert label_of(views[0].camera)
    return folder


def contest(folder: Path, team=None, **changes):
    from isofield.tasks.gan import Contest
    from isofield.views.lessons import Lessons
    from isofield.views.read import read_views

    preset = replace(PRESET, recipe=replace(PRESET.recipe, **changes))
    return Contest(preset, Lessons(read_views(folder), 8), 0, team)


def trained(pictures: Path, run: Path, steps: int, stop_at: int = 0, signum: int = 0):
    """Train; in step `stop_at`, counted in this process from 1, the signal is sent."""
    from isofield.runs import open_run
    from isofield.tasks import gan_sheet
    from isofield.tasks import train_geogen as task

    task.SHOWN, gan_sheet.TAKEN, gan_sheet.LATTICE = SHOWN, 16, 16
    made, count = contest(pictures), [0]
    step = made.step

    def counted(number):
        count[0] += 1
        if count[0] == stop_at:
            os.kill(os.getpid(), signum)
        return step(number)

    made.step = counted
    with open_run(run, {"seed": 0, "kimg": steps * 4 / 1000}, length=("kimg",)) as opened:
        task.train_geogen(made, steps, opened)
    return made


def shared(pictures: Path, team=None):
    """Three steps of batches in two shares."""
    made = contest(pictures, team, shares=2, likeness=30.0)
    for step in range(3):
        made.step(step)
    return made


def together(pictures: Path, out: Path) -> None:
    """The same as one of two processes; the first saves the average."""
    from safetensors.torch import save_file

    from isofield.tasks.team import Team

    team = Team.launch(2)
    made = shared(pictures, team)
    if team.leads:
        save_file(made.average.tensors(), out)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        together(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        trained(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
