"""Three real models to fields and back to meshes, what a generator draws and finds, and the page that shows them."""

import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path

from PIL import Image

from isofield import __version__
from isofield.data import attribution, bundled
from isofield.demo.drawn import draw_heads, drawn_exhibit
from isofield.demo.exhibit import fitted_exhibit
from isofield.demo.found import find_head, found_exhibit
from isofield.demo.page import Exhibit, render_page
from isofield.files import replacing
from isofield.settings.shapes import DemoSettings, FitSettings

BUDGET = 40.0  # seconds of training for each model
SHORT_STEPS = 400  # a number, for a budget of seconds says little on a busy machine
RESOLUTION, SHORT_RESOLUTION = 256, 64
LEAD = (
    "Real models turned into signed distance fields, at most 4 MB of weights each, and back into closed, "
    "coloured meshes in their own place and scale. Every number below was measured on the files as written."
)


@dataclass(frozen=True)
class Model:
    """One bundled model of the demo; up: its own axis that points up; yaw: degrees that it is first turned about it."""

    file: str
    title: str
    text: str
    up: str
    yaw: float = -35.0

    @property
    def name(self) -> str:
        return Path(self.file).stem


MODELS = (
    Model(
        "lion.glb",
        "A textured scan",
        "A toy lion, scanned in metres with a photographic texture. The field learns shape and colour together; the "
        "mesh that comes out carries its colours at the vertices.",
        "z",
    ),
    Model(
        "featuretype.stl",
        "A machined part",
        "Flat faces, bores and sharp edges, as loose triangles without colour. Sharp edges are the hard case for a "
        "network and for marching cubes alike: look at them in the error view.",
        "z",
    ),
    Model(
        "fish_holes.obj",
        "A broken mesh",
        "A fish with holes torn into it; through them you see the inside of the far wall. The winding number still "
        "knows inside from outside, so the result is closed.",
        "y",
        yaw=-80.0,
    ),
)


def run_demo(settings: DemoSettings, fit: Callable[[FitSettings], dict] | None = None) -> dict:
    """Fit every model, draw new heads, find one in a picture, write index.html and overview.png.

    Returns {"page": path, "models": {name: report}, "heads": report of the new ones, "found": of the one found}.

    fit: what turns FitSettings into a run folder and its report; `isofield.tasks.fit.run_fit` if not given.
    """
    fit = fit or _run_fit()
    settings.output.mkdir(parents=True, exist_ok=True)
    reports, exhibits = {}, []
    for model in MODELS:
        source = _provide(model, settings.output)
        reports[model.name] = fit(fit_settings(settings, source))
        exhibits.append(_exhibit(model, settings, source, reports[model.name]))
    with replacing(settings.output / "overview.png") as path:
        stacked([picture.png for exhibit in exhibits for picture in exhibit.pictures]).save(path, optimize=True)
    heads = draw_heads(settings)
    exhibits.append(drawn_exhibit(settings.output / "heads", settings.seed))
    found = find_head(settings)
    exhibits.append(found_exhibit(settings.output, found))
    page = settings.output / "index.html"
    with replacing(page) as path:
        path.write_text(render_page("isofield", LEAD, exhibits, _origin()), encoding="utf-8")
    return {"page": str(page), "models": reports, "heads": heads, "found": found}


def stacked(pngs: list[bytes], width: int = 1200) -> Image.Image:
    """Pictures below each other, each scaled to the same width."""
    images = [Image.open(BytesIO(png)).convert("RGB") for png in pngs]
    rows = [
        image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS) for image in images
    ]
    sheet = Image.new("RGB", (width, max(sum(row.height for row in rows), 1)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def fit_settings(settings: DemoSettings, source: Path) -> FitSettings:
    """How the demo fits one model; the run folder has its name."""
    steps = SHORT_STEPS if settings.short and settings.budget is None else None
    return FitSettings(
        input=source,
        output=settings.output / source.stem,
        budget=None if steps else settings.budget or BUDGET,
        steps=steps,
        resolution=SHORT_RESOLUTION if settings.short else RESOLUTION,
        seed=settings.seed,
        restart=True,
    )


def command(fitting: FitSettings) -> str:
    """The command line that does the same."""
    words = ["isofield fit", str(fitting.input), "-o", str(fitting.output), _length(fitting)]
    if fitting.resolution != RESOLUTION:
        words.append(f"--resolution {fitting.resolution}")
    return " ".join([*words, *([f"--seed {fitting.seed}"] if fitting.seed else [])])


def _length(fitting: FitSettings) -> str:
    return f"--steps {fitting.steps}" if fitting.steps else f"--budget {fitting.budget:g}"


def _exhibit(model: Model, settings: DemoSettings, source: Path, report: dict) -> Exhibit:
    fitting = fit_settings(settings, source)
    commands = [
        f"isofield inspect {source}",
        command(fitting),
        f"isofield evaluate {fitting.output / 'mesh.ply'} {source}",
        f"isofield mesh {fitting.output} -o {fitting.output / 'fine.glb'} --resolution 512",
    ]
    about = attribution()[model.file]
    credit = (
        f"Model: {about['what it is']}, by {about['author']}; {about['source']}; licence {about['licence']}; "
        f"changes: {about['changes']}. The meshes made from it are adaptations under the same terms."
    )
    plan = Exhibit(model.title, model.text, up=model.up, yaw=model.yaw, commands=commands, credit=credit)
    return fitted_exhibit(plan, source, fitting.output, report)


def _provide(model: Model, folder: Path) -> Path:
    """A copy of the bundled model beside the results, so that the commands on the page work as they stand."""
    path = folder / "models" / model.file
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(bundled(model.file), path)
    return path


def _run_fit() -> Callable[[FitSettings], dict]:
    from isofield.tasks.fit import run_fit

    return run_fit


def _origin() -> str:
    return f"Made by isofield {__version__} on {date.today():%d %B %Y}, Python {platform.python_version()}."
