"""What the page shows of a bundled generator's answer to one picture of a head that it never saw."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from isofield.data import attribution, resource
from isofield.demo.drawn import GENERATOR
from isofield.demo.exhibit import compared_views, heat_label
from isofield.demo.page import Exhibit, Picture
from isofield.mesh.read import read_mesh
from isofield.settings.families import InvertSettings, SynthesizeSettings
from isofield.settings.pictures import RenderSettings
from isofield.settings.shapes import DemoSettings

SEED = 4711  # of a head that is none of those the generator learned from
AZIMUTH, ELEVATION = (25.0, 35.0), (5.0, 15.0)  # degrees, where its picture is taken from
STEPS, SHORT_STEPS = 100, 10  # for the latent, and as many for the generator
RESOLUTION, SHORT_RESOLUTION = 128, 48
PLAN = Exhibit(
    "A head from one picture",
    "Left is a head that the generator never saw, right what it finds in a single picture of it: first the latent that "
    "looks most like it, then the generator is tuned around this. What the picture does not show is invented.",
    yaw=-25.0,
)


def find_head(settings: DemoSettings) -> dict[str, Any]:
    """A new head, its picture and what is found in it, beside the demo's other results; the report of `isofield
    invert`."""
    from isofield.tasks.invert import run_invert
    from isofield.tasks.render import run_render
    from isofield.tasks.synthesize import run_synthesize

    mesh, picture = _files(settings.output)
    steps = SHORT_STEPS if settings.short else STEPS
    run_synthesize(SynthesizeSettings("heads", mesh.parent, count=1, seed=SEED, jobs=1, restart=True))
    run_render(
        RenderSettings(
            mesh,
            picture.parents[1],
            views=1,
            azimuth=AZIMUTH,
            elevation=ELEVATION,
            color_only=True,
            jobs=1,
            restart=True,
        )
    )
    return run_invert(
        InvertSettings(
            (picture,),
            resource(GENERATOR),
            settings.output / "found",
            steps=steps,
            tune=steps,
            resolution=SHORT_RESOLUTION if settings.short else RESOLUTION,
            seed=settings.seed,
            restart=True,
        )
    )


def found_exhibit(folder: Path, report: dict[str, Any]) -> Exhibit:
    """folder: of the demo; report: what `find_head` returned."""
    (mesh, picture), out = _files(folder), folder / "found"
    true = read_mesh(mesh)
    caption = (
        f"Given; by the latent alone, {report['psnr_latent']:.1f} dB; by the tuned generator, {report['psnr']:.1f} dB; "
        f"its mesh. Found in {report['seconds']:.0f} s."
    )
    views, top = compared_views(true, read_mesh(out / "mesh.ply"))
    return replace(
        PLAN,
        views=views,
        heat=heat_label(top, true),
        pictures=[
            Picture((out / "preview.png").read_bytes(), caption),
            Picture((out / "views.png").read_bytes(), "From all sides: pictures, and the mesh."),
        ],
        commands=[
            f"isofield synthesize heads -n 1 --seed {SEED} -o {mesh.parent}",
            f"isofield render {mesh} -o {picture.parents[1]} --views 1 --azimuth {' '.join(f'{a:g}' for a in AZIMUTH)} "
            f"--elevation {' '.join(f'{e:g}' for e in ELEVATION)} --color-only",
            f"isofield invert {picture} --prior heads -o {out} --steps {report['steps']} --tune {report['tune']}",
        ],
        downloads=[(name, f"{out.name}/{name}") for name in ("mesh.glb", "mesh.ply", "turntable.gif", "report.json")],
        credit="Generator: {what it is}, by {author}; licence {licence}; {changes}.".format(**attribution()[GENERATOR]),
    )


def _files(folder: Path) -> tuple[Path, Path]:
    """Mesh of the head, and its picture."""
    return folder / "models" / "head" / "heads_00000.ply", folder / "models" / "head-views" / "heads_00000" / "000.png"
