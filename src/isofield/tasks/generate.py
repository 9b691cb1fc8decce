"""`isofield generate`: new shapes of a run by a prior over its codes, ways between trained ones, sums of them."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from torch import Tensor

from isofield.errors import InputError, IsofieldError
from isofield.fields.field import Field
from isofield.fields.space import ShapeSpace, combined
from isofield.files import is_plain, read_json, replacing_folder, write_json
from isofield.mesh.audit import Audit, audit_file
from isofield.mesh.write import write_mesh
from isofield.meshing.extract import Extraction, extract
from isofield.metrics.ghosts import face_components
from isofield.models.drawing import Drawn, Generator, LatentGenerator, SpaceGenerator
from isofield.models.geogen import GeoGen
from isofield.models.priors import Mixture
from isofield.progress import progress
from isofield.render.camera import orbit
from isofield.render.pictures import AnyPicture, save_png, view
from isofield.render.shade import picture
from isofield.render.sheet import captioned, save_gif
from isofield.runs import load_learned
from isofield.settings.families import GenerateSettings
from isofield.tasks.generator_pictures import Photograph, front_label, photographs, resized, turned, turntable
from isofield.tasks.novelty import Novelty, compared, unit_mesh

VERB = "generate"  # in report.json: that the folder is one of this verb's, and may be replaced
OURS = re.compile(
    r"\d{5,}\.(ply|glb|png|picture\.png|depth\.npy)|(sheet|strip)\.png|(video|turntable)\.gif|report\.json"
)
TRIES = 5  # draws of a shape, until one has a surface and is whole
COUNT, STEPS = 8, 8  # shapes, and fields on a way, by default
PIXELS, CELL, FRAMES = 320, 200, 24  # of a picture and in a sheet; pictures in a video, one way
AZIMUTH, ELEVATION, UP = 35.0, 20.0, (0, 1, 0)
TURNING, TURNS, ROUGH = 8, 12, 96  # shapes of a generator that turn together; pictures of the turn; pixels rendered


@dataclass(frozen=True)
class Made:
    """A shape as it is written. empty, torn: draws for it that had no surface, and that were more in pieces."""

    name: str
    drawn: Drawn
    extraction: Extraction
    empty: int = 0
    torn: int = 0


def run_generate(settings: GenerateSettings) -> dict[str, Any]:
    """Write OUT whole or not at all; returns what report.json holds. A folder that this verb wrote is replaced.

    Raises InputError for bad names, and for an output that holds something else; IsofieldError where no draw has a
    surface.
    """
    _check_replaceable(settings.output)
    found = load_learned(settings.input)
    with replacing_folder(settings.output) as folder:
        if settings.interpolate:
            facts = _interpolate(found, settings, folder)
        elif settings.arithmetic:
            facts = _add(_named(found), settings, folder)
        else:
            facts = _draw(generator_of(found, settings.prior, settings.class_name), settings, folder)
        report = {"verb": VERB, "input": str(settings.input), "resolution": settings.resolution, **facts}
        write_json(folder / "report.json", report)
    return report


def _named(found: ShapeSpace | GeoGen) -> ShapeSpace:
    if isinstance(found, GeoGen):
        fault = "a generator that was trained from pictures has no shapes with names"
        raise InputError("--arithmetic", fault, "draw new ones with -n")
    return found


def generator_of(found: ShapeSpace | GeoGen, prior: str = "mixture", label: str | None = None) -> Generator:
    """What draws new shapes of a loaded run. Raises InputError for a class that is unknown there."""
    if isinstance(found, GeoGen):
        if label is not None:
            raise InputError("--class", f"{label!r} is unknown here", "leave it out: this generator has none")
        return LatentGenerator(found)
    return SpaceGenerator(found, Mixture(1 if prior == "gaussian" else None), label)


def drawn_shape(
    generator: Generator, seed: int, index: int, truncation: float, resolution: int, whole: float = 0.0
) -> Made:
    """Shape number `index` of a seed: the first draw whose largest piece has the share `whole` of its surface, or of
    some draws the one whose piece has most. Raises IsofieldError when none has a surface.
    """
    best, most, found = None, -1.0, 0
    for attempt in range(TRIES):
        drawn = generator.draw((seed, index, attempt), truncation)
        surface = _surface(drawn.field, resolution)
        if surface is None:
            continue
        found, share = found + 1, largest_share(surface.mesh)
        if share > most:
            best, most = (drawn, surface), share
        if share >= whole:
            break
    if best is None:
        raise IsofieldError(
            f"{TRIES} draws in a row have no surface; raise --resolution, lower --truncation, or train longer"
        )
    return Made(f"{index:05d}", *best, empty=attempt + 1 - found, torn=found - 1)


def largest_share(mesh: trimesh.Trimesh) -> float:
    """Of the area of a mesh, that of its largest connected piece."""
    areas = np.bincount(face_components(mesh), mesh.area_faces)
    return float(areas.max() / areas.sum())


def _draw(generator: Generator, settings: GenerateSettings, folder: Path) -> dict[str, Any]:
    count = settings.count or COUNT
    made: list[Made] = []
    lost = 0
    with progress(VERB, count) as advance:
        for index in range(count):
            arguments = (settings.seed, index, settings.truncation, settings.resolution, settings.whole)
            try:
                made.append(replace(drawn_shape(generator, *arguments), name=f"{len(made):05d}"))
            except IsofieldError:
                lost += 1
            advance(index + 1)
    if not made:
        raise IsofieldError(
            f"none of {TRIES * count} draws has a surface; raise --resolution, lower --truncation, or train longer"
        )
    found, among = compared([shape.extraction for shape in made], [s.drawn.field for s in made], generator)
    entries = [_written(shape, folder) | _told(near) for shape, near in zip(made, found, strict=True)]
    for entry, shape in zip(entries, made, strict=True):
        entry["label"] = shape.drawn.label
    pictures = _taken(generator.generator, made, folder) if isinstance(generator, LatentGenerator) else []
    save_png(_sheet(made, found, pictures), folder / "sheet.png")
    empty = sum(shape.empty for shape in made) + TRIES * lost
    return {
        "seed": settings.seed,
        "prior": settings.prior if isinstance(generator, SpaceGenerator) else None,
        "class": settings.class_name,
        "truncation": settings.truncation,
        "count": len(made),
        "empty": empty,
        "whole": settings.whole,
        "torn": sum(shape.torn for shape in made),
        **_summary(entries),
        **among,
        "shapes": entries,
    }


def _interpolate(found: ShapeSpace | GeoGen, settings: GenerateSettings, folder: Path) -> dict[str, Any]:
    """Shapes on the way from one to another, in a strip, and a video of the way and back."""
    first, last, *number = settings.interpolate
    steps = int(number[0]) if number else STEPS
    made = _surfaces(_way(found, settings, steps), settings.resolution, VERB)
    if not made:
        raise IsofieldError("no shape on the way has a surface; train longer")
    entries = [_written(shape, folder) for shape in made]
    views = [view(shape.extraction.mesh, CELL, AZIMUTH, ELEVATION, up=UP) for shape in made]
    titles = [f"{int(shape.name) / max(steps - 1, 1):.2f}" for shape in made]
    way = _way(found, settings, FRAMES)
    if isinstance(found, GeoGen):
        pictures = _taken(found, made, folder)
        views = [np.concatenate(pair) for pair in zip(pictures, views, strict=True)]
        stills = [resized(_shot(found, drawn).picture, PIXELS) for drawn in way]
    else:
        stills = [_still(shape.extraction) for shape in _surfaces(way, min(settings.resolution, 96), "video")]
    save_png(captioned(views, titles, columns=8), folder / "strip.png")
    save_gif([*stills, *stills[-2:0:-1]], folder / "video.gif")
    return {"interpolate": [first, last], "count": len(made), **_summary(entries), "shapes": entries}


def _way(found: ShapeSpace | GeoGen, settings: GenerateSettings, steps: int) -> list[Drawn]:
    """From one trained shape to another; of a generator, straight from the style of one seed to that of another."""
    first, last = settings.interpolate[:2]
    if isinstance(found, ShapeSpace):
        return [Drawn(field) for field in found.interpolate(first, last, steps)]
    if not (first.isdecimal() and last.isdecimal()):
        fault = f"{first} and {last} are no seeds, and a generator that learned from pictures has no names of shapes"
        raise InputError("--interpolate", fault, "give two whole numbers, as --latent-seed of `isofield mesh`")
    start, end = (found.latent(int(seed), settings.truncation) for seed in (first, last))
    generator = LatentGenerator(found)
    return [generator.drawn(torch.lerp(start, end, float(share))) for share in np.linspace(0, 1, steps)]


def _add(space: ShapeSpace, settings: GenerateSettings, folder: Path) -> dict[str, Any]:
    """a - b + c, in the place of no one."""
    assert settings.arithmetic is not None
    terms = [space.field(name) for name in settings.arithmetic]
    total = combined(terms, (1, -1, 1))
    made = _surfaces([Drawn(field) for field in (*terms, total)], settings.resolution, VERB)
    if not made or made[-1].name != "00003":
        raise IsofieldError("the sum has no surface; try other shapes")
    result = Made("00000", made[-1].drawn, made[-1].extraction)
    entry = _written(result, folder)
    titles = {"00000": "a", "00001": "- b", "00002": "+ c", "00003": "="}
    views = [view(shape.extraction.mesh, CELL, AZIMUTH, ELEVATION, up=UP) for shape in made]
    save_png(captioned(views, [titles[shape.name] for shape in made]), folder / "strip.png")
    return {"arithmetic": list(settings.arithmetic), "count": 1, **_summary([entry]), "shapes": [entry]}


def _surfaces(drawn: list[Drawn], resolution: int, label: str) -> list[Made]:
    """Those that have one, named by their numbers."""
    made = []
    with progress(label, len(drawn)) as advance:
        for index, shape in enumerate(drawn):
            if (surface := _surface(shape.field, resolution)) is not None:
                made.append(Made(f"{index:05d}", shape, surface))
            advance(index + 1)
    return made


def _surface(field: Field, resolution: int) -> Extraction | None:
    try:
        return extract(field, resolution)
    except InputError:
        raise
    except IsofieldError:  # it has none
        return None


def _written(made: Made, folder: Path) -> dict[str, Any]:
    mesh = made.extraction.mesh
    for suffix in (".ply", ".glb"):
        write_mesh(mesh, folder / f"{made.name}{suffix}")
    save_png(view(mesh, PIXELS, AZIMUTH, ELEVATION, up=UP), folder / f"{made.name}.png")
    found: Audit = audit_file(folder / f"{made.name}.ply")
    numbers = {key: getattr(found, key) for key in ("watertight", "manifold", "components", "euler", "volume")}
    return {"name": made.name, **numbers, "largest": largest_share(mesh), "empty": made.empty, "torn": made.torn}


def _taken(generator: GeoGen, made: list[Made], folder: Path) -> list[AnyPicture]:
    """The generator's own picture of each, with its depth, and the first ones turning; returns pictures for sheets."""
    found = []
    with progress("pictures", len(made)) as advance:
        for index, shape in enumerate(made):
            shot = _shot(generator, shape.drawn)
            save_png(shot.picture, folder / f"{shape.name}.picture.png")
            np.save(folder / f"{shape.name}.depth.npy", shot.depth)
            found.append(resized(shot.picture, CELL))
            advance(index + 1)
    turning = [turntable(generator, _style(shape.drawn), _side(generator), TURNS, ROUGH) for shape in made[:TURNING]]
    names = [shape.name for shape in made[:TURNING]]
    frames = [captioned(list(frame), names, columns=4) for frame in zip(*turning, strict=True)]
    save_gif(frames, folder / "turntable.gif", seconds=0.12)
    return found


def _shot(generator: GeoGen, drawn: Drawn) -> Photograph:
    """From the side that pictures of meshes are from, at the height of the studio's front."""
    (shot,) = photographs(generator, _style(drawn), [_side(generator)])
    return shot


def _side(generator: GeoGen) -> Float[Tensor, "25"]:
    return turned(front_label(generator), AZIMUTH)


def _style(drawn: Drawn) -> Float[Tensor, " latent"]:
    assert drawn.style is not None
    return drawn.style


def _told(near: Novelty | None) -> dict[str, Any]:
    return {"nearest": near.name if near else None, "novelty": near.distance if near else None}


def _summary(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "closed": sum(entry["watertight"] and entry["manifold"] for entry in entries),
        "single": sum(entry["components"] == 1 for entry in entries),
    }


def _sheet(made: list[Made], found: list[Novelty | None], pictures: list[AnyPicture]) -> np.ndarray:
    """Each new shape, and beside it the nearest trained one, or the picture that the generator takes of it."""
    views, titles = [], []
    for index, (shape, near) in enumerate(zip(made, found, strict=True)):
        meshes: list[trimesh.Trimesh] = [shape.extraction.mesh, *([near.mesh] if near else [])]
        views += [view(mesh, CELL, AZIMUTH, ELEVATION, up=UP) for mesh in meshes]
        titles += [shape.name, *([f"nearest, {near.distance:.3f}"] if near else [])]
        if pictures:
            views.append(pictures[index])
            titles.append("picture")
    return captioned(views, titles, columns=8)


def _still(extraction: Extraction) -> np.ndarray:
    """From one place for all pictures of a video: of the unit frame, whose shapes keep their sizes."""
    return picture(unit_mesh(extraction), orbit(AZIMUTH, ELEVATION, size=PIXELS))


def _check_replaceable(path: Path) -> None:
    """A folder that is not there, empty, or of this verb alone."""
    if not path.is_dir() or not any(path.iterdir()):
        return
    report = path / "report.json"
    ours = is_plain(report) and isinstance(found := read_json(report), dict) and found.get("verb") == VERB
    if not ours or any(not OURS.fullmatch(entry.name) for entry in path.iterdir()):
        raise InputError(path, "holds other things than an earlier `isofield generate`", "choose another output")


def described(report: dict[str, Any], folder: Path) -> str:
    """What a person wants to know, in a few lines."""
    count, closed, single = (report[key] for key in ("count", "closed", "single"))
    lines = [f"{count} shapes, {closed} closed, {single} in one piece: {folder / '00000.glb'} ..."]
    passed = [f"{report[key]} {what}" for key, what in (("empty", "without a surface"), ("torn", "in pieces"))
              if report.get(key)]  # fmt: skip
    if passed:
        lines.append(f"passed over: draws {' and '.join(passed)}")
    sheet = "sheet.png" if (folder / "sheet.png").exists() else "strip.png"
    lines.append(f"look at {folder / sheet}; all numbers are in {folder / 'report.json'}")
    return "".join(f"{line}\n" for line in lines)
