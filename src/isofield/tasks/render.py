"""`isofield render`: meshes become posed pictures with exact truth.

VIEWS/dataset.json          EG3D's labels of all pictures, the world's scale, each shape's source and frame
VIEWS/SHAPE/000.png         colour; beside it 000.depth.npy, 000.normal.png, 000.mask.png
VIEWS/SHAPE/shape.json      the labels of this shape: it is there when the shape is whole
"""

import shutil
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image, ImageColor

from isofield.errors import InputError, IsofieldError
from isofield.files import check_exists, read_json, replacing, replacing_folder, sha256, to_json
from isofield.frame import UnitFrame
from isofield.jobs import map_jobs
from isofield.mesh.read import READABLE, read_mesh
from isofield.progress import progress
from isofield.render.camera import Camera
from isofield.render.light import FLAT, Light, studio, varied
from isofield.render.render import Rendering, Surface, render
from isofield.render.rig import around, sphere_fits
from isofield.runs import open_run
from isofield.settings.common import config_of
from isofield.settings.pictures import RenderSettings
from isofield.views import eg3d
from isofield.views.image_set import View, World
from isofield.views.read import read_cameras

VIEWS = 10
MARGIN = 1.05  # of near and far around the sphere that holds the shapes
WHOLE = "shape.json"
FEW = 8  # shapes that other processes are not started for


@dataclass(frozen=True)
class ShapeJob:
    """One shape to render. folder: what to write; cameras: None for some of its own, drawn by its name."""

    name: str
    mesh: Path
    folder: Path
    settings: RenderSettings
    cameras: list[Camera] | None


def run_render(settings: RenderSettings) -> dict[str, Any]:
    """Render all shapes that are not there yet, then write dataset.json; returns the verb's JSON.

    A mesh that cannot be read is left out and named under `failed`. Raises InputError where none can, where nothing can
    be written, and where the folder was begun with other settings.
    """
    meshes, begun = mesh_files(settings.input), time.perf_counter()
    cameras = _given_cameras(settings)
    if not settings.input.is_dir():
        read_mesh(settings.input)  # a single mesh that is none is refused before anything is written
    with open_run(settings.output, _config(settings), length=(), restart=settings.restart):
        if settings.restart:
            _clear(settings.output)
        jobs = [ShapeJob(name, path, settings.output / name, settings, cameras) for name, path in meshes.items()]
        due = [job for job in jobs if not (job.folder / WHOLE).exists()]
        failed: dict[str, str] = {}
        alone = settings.device != "cpu" or len(due) < FEW
        count = settings.jobs or (1 if alone else None)
        with progress("render", len(due)) as advance:
            for done, (job, fault) in enumerate(zip(due, map_jobs(render_shape, due, jobs=count), strict=True), 1):
                if fault is not None:
                    failed[job.name] = fault
                advance(done)
        if len(failed) == len(jobs):
            raise InputError(settings.input, f"nothing could be rendered: {next(iter(failed.values()))}", "mend it")
        views = _write_labels(settings.output, [job for job in jobs if job.name not in failed])
    seconds = time.perf_counter() - begun
    for name, fault in failed.items():
        print(f"render: left out {name}: {fault}", file=sys.stderr)
    return {
        "output": str(settings.output),
        "shapes": len(jobs) - len(failed),
        "pictures": views,
        "resumed": len(jobs) - len(due),
        "failed": failed,
        "seconds": seconds,
    }


def mesh_files(path: Path, readable: tuple[str, ...] = READABLE) -> dict[str, Path]:
    """Name -> file: of one mesh, or of all below a folder in the order of their names; raises InputError.

    A name is the path below the folder without suffix, parts joined by "-"; where two would be one, suffixes stay.
    """
    check_exists(path)
    if not path.is_dir():
        return {path.stem: path}
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in readable and file.is_file())
    if not files:
        raise InputError(path, "holds no mesh", f"name a folder with {' '.join(readable)} files")
    short = ["-".join(file.relative_to(path).with_suffix("").parts) for file in files]
    long = ["-".join(file.relative_to(path).parts) for file in files]
    return {(a if short.count(a) == 1 else b): file for a, b, file in zip(short, long, files, strict=True)}


def render_shape(job: ShapeJob) -> str | None:
    """Write the folder of one shape, whole or not at all; the reason if its mesh cannot be rendered."""
    try:
        mesh, frame = _placed(job)
        surface = Surface.of(mesh, frame, device=job.settings.device)
    except IsofieldError as error:
        return str(error)
    settings, chance = job.settings, np.random.default_rng([job.settings.seed, zlib.crc32(job.name.encode())])
    cameras = job.cameras or around(
        chance, settings.views or VIEWS, settings.size, azimuth=settings.azimuth, elevation=settings.elevation,
        distance=settings.distance, focal=settings.focal,
    )  # fmt: skip
    light, background = _light(settings, chance), background_of(settings.background)
    digits, labels = max(3, len(str(len(cameras) - 1))), []
    with replacing_folder(job.folder) as folder:
        for number, camera in enumerate(cameras):
            seen = render(surface, camera, light=light, background=background, samples=settings.samples)
            save_rendering(seen, folder / f"{number:0{digits}}", truth=not settings.color_only)
            labels.append([f"{job.name}/{number:0{digits}}.png", eg3d.label_of(camera)])
        about = {"source": str(job.mesh), "up": settings.up, "frame": frame.to_json()}
        radius = float(np.linalg.norm(frame.to_unit(mesh.vertices), axis=1).max())
        content = {**about, "radius": radius, "size": [camera.width, camera.height], "labels": labels}
        (folder / WHOLE).write_text(to_json(content))
    return None


def save_rendering(seen: Rendering, path: Path, *, truth: bool = True) -> None:
    """Write PATH.png and, with truth, PATH.depth.npy, PATH.normal.png, PATH.mask.png; not atomic."""
    Image.fromarray(seen.color).save(f"{path}.png", compress_level=4)
    if truth:
        np.save(f"{path}.depth.npy", seen.depth)
        normal = np.round((seen.normal + 1) * 127.5).astype(np.uint8)
        Image.fromarray(normal).save(f"{path}.normal.png", compress_level=4)
        Image.fromarray(seen.mask.astype(np.uint8) * 255).save(f"{path}.mask.png", compress_level=4)


def background_of(name: str) -> tuple[float, float, float]:
    """sRGB in [0, 1] of a colour's name or #rrggbb; raises InputError."""
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise InputError("--background", f"{name!r} is no colour", 'write white, or "#rrggbb"') from None
    return red / 255, green / 255, blue / 255


def _placed(job: ShapeJob) -> tuple[trimesh.Trimesh, UnitFrame]:
    """The mesh with y up, and the frame that takes it to the cameras' world."""
    mesh = read_mesh(job.mesh)
    if job.settings.up == "z":
        mesh = mesh.copy()
        x, y, z = np.asarray(mesh.vertices).T
        mesh.vertices = np.column_stack([x, z, -y])
    if job.settings.frame == "own":
        return mesh, UnitFrame()
    used = np.zeros(len(mesh.vertices), bool)
    used[np.asarray(mesh.faces)] = True
    return mesh, UnitFrame.of(np.asarray(mesh.vertices)[used])


def _light(settings: RenderSettings, chance: np.random.Generator) -> Light:
    if settings.light == "varied":
        return varied(chance)
    return FLAT if settings.light == "flat" else studio()


def _given_cameras(settings: RenderSettings) -> list[Camera] | None:
    """Those of a file; None for cameras of our own, where it is said if they do not see the whole unit sphere."""
    background_of(settings.background)
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device", "torch finds no GPU here", "leave it out")
    if settings.cameras is not None:
        return read_cameras(settings.cameras, settings.size, settings.size)
    if settings.frame == "unit" and not sphere_fits(settings.distance, settings.focal):
        least = float(np.hypot(1, 2 * settings.focal))
        print(
            f"render: the unit sphere does not fit the picture; it would from --distance {least:.4g}", file=sys.stderr
        )
    return None


def _config(settings: RenderSettings) -> dict[str, Any]:
    config = {key: value for key, value in config_of(settings).items() if key not in ("jobs", "device")}
    config["input"] = str(Path(settings.input).resolve())
    if settings.cameras is not None:
        config["cameras"] = sha256(settings.cameras) if settings.cameras.is_file() else str(settings.cameras)
    return {"verb": "render", **config}


def _write_labels(folder: Path, jobs: list[ShapeJob]) -> int:
    """dataset.json of all shapes; returns the number of pictures."""
    views: list[View] = []
    shapes, radius = {}, 1.0 if jobs[0].settings.frame == "unit" else 0.0
    for job in jobs:
        about = read_json(job.folder / WHOLE)
        width, height = about["size"]
        views += [View(name, eg3d.from_label(name, label, width, height)) for name, label in about["labels"]]
        shapes[job.name] = {key: about[key] for key in ("source", "up", "frame")}
        radius = max(radius, about["radius"])
    distances = np.array([np.linalg.norm(view.camera.eye) for view in views])
    near, far = float(distances.min() - MARGIN * radius), float(distances.max() + MARGIN * radius)
    background = background_of(jobs[0].settings.background)
    world = World(radius, near if near > 0 else None, far, background)
    with replacing(folder / eg3d.FILE) as temporary:
        temporary.write_text(eg3d.text_of(views, world, shapes))
    return len(views)


def _clear(folder: Path) -> None:
    for path in folder.glob(f"*/{WHOLE}"):
        shutil.rmtree(path.parent)
    (folder / eg3d.FILE).unlink(missing_ok=True)
