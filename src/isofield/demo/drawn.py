"""What the page shows of a bundled generator: heads that nobody has seen, some of them to turn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from isofield.data import attribution, resource
from isofield.demo.display import View, decimated
from isofield.demo.page import Exhibit, Picture
from isofield.mesh.read import read_mesh
from isofield.settings.families import GenerateSettings
from isofield.settings.shapes import DemoSettings

COUNT, SHOWN = 6, 3  # heads that are drawn, and those of them that can be turned
RESOLUTION, SHORT_RESOLUTION = 96, 48
GENERATOR = "generators/heads"
PLAN = Exhibit(
    "Heads that nobody has seen",
    "A small generator (GeoGen) learned from pictures of synthetic heads what heads look like from all sides. Each "
    "random latent becomes a signed distance field with colours, and this a closed mesh. It is a toy, too coarse for "
    "eyes and mouths, and was trained on one processor.",
    yaw=-25.0,
)


def draw_heads(settings: DemoSettings) -> dict[str, Any]:
    """New heads beside the demo's other results; the report of `isofield generate`."""
    from isofield.tasks.generate import run_generate

    return run_generate(
        GenerateSettings(
            input=resource(GENERATOR),
            output=settings.output / "heads",
            count=COUNT,
            resolution=SHORT_RESOLUTION if settings.short else RESOLUTION,
            seed=settings.seed,
        )
    )


def drawn_exhibit(folder: Path, seed: int = 0) -> Exhibit:
    """folder: what `draw_heads` wrote."""
    meshes = [f"{number:05d}.ply" for number in range(SHOWN)]
    shown = [(name, decimated(read_mesh(folder / name))) for name in meshes]
    return replace(
        PLAN,
        views=[
            View(
                f"Head {name[:5]}: {len(mesh.faces):,} triangles",
                mesh,
                normals,
                {} if colors is None else {"color": colors},
            )
            for name, (mesh, normals, colors) in shown
        ],
        pictures=[Picture((folder / "sheet.png").read_bytes(), "All that were drawn.")],
        commands=[
            f"isofield generate heads -n {COUNT} -o {folder} --seed {seed}",
            f"isofield mesh heads --latent-seed {seed} -o {folder.parent / 'head.glb'}",
        ],
        downloads=[(name, f"{folder.name}/{name}") for name in (*meshes, "report.json")],
        credit="Generator: {what it is}, by {author}; licence {licence}; {changes}.".format(**attribution()[GENERATOR]),
    )
