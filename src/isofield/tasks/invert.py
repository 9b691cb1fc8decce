"""`isofield invert`: pictures of one object become a shape of a generator that looks like them, by pivotal tuning.

OUT is a run folder with mesh.ply, mesh.glb, preview.png (each picture, its latent, the tuned generator, the mesh),
views.png and turntable.gif (from other sides), report.json, code.safetensors (w, and the cameras as EG3D's labels), and
a checkpoint of the tuned generator, whose mean latent is the one found: `isofield mesh OUT` gives the shape, and
`isofield generate OUT --truncation 0.3` others like it.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor

from isofield.checkpoints import digest_of
from isofield.errors import InputError, IsofieldError
from isofield.files import replacing, sha256, write_json
from isofield.interrupt import Interruption, interruptible
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.meshing.extract import extract
from isofield.metrics.evaluate import audit_numbers
from isofield.models.geogen import GeoGen
from isofield.models.inversion import Inversion, Sitting, picture_size
from isofield.models.perceptual import Perceptual, psnr, pyramid_distance, script_distance
from isofield.models.pose_search import found_camera
from isofield.progress import progress
from isofield.render.pictures import save_png
from isofield.render.sheet import save_gif
from isofield.runs import Run, load_generator, open_run
from isofield.settings.common import config_of
from isofield.settings.families import InvertSettings
from isofield.tasks.generator_pictures import turntable
from isofield.tasks.invert_sheets import compared, turned_views
from isofield.tasks.portraits import camera_labels, portrait_size, read_portrait
from isofield.tasks.training import Clock, Cost

SAVES, LOGS = 5, 100  # checkpoints of a run; lines of its log
Labels = list[Float[np.ndarray, "25"] | None]


def run_invert(settings: InvertSettings) -> dict[str, Any]:
    """Write the run folder, return what report.json holds. Raises InputError, IsofieldError, Interrupted."""
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device", "torch finds no GPU here", "leave it out")
    perceptual = script_distance(settings.perceptual, settings.device) if settings.perceptual else pyramid_distance
    generator = load_generator(settings.prior).to(settings.device)
    size = picture_size(generator, min(map(portrait_size, settings.input)))
    pictures = np.stack([read_portrait(path, generator.studio.background, size) for path in settings.input])
    labels = camera_labels(settings.input, settings.camera, generator.frame.scale)
    with open_run(settings.output, _config(settings, labels, size), length=(), restart=settings.restart) as run:
        checkpoint = run.latest()
        clock = Clock(Cost.restore(checkpoint.state) if checkpoint else Cost())
        given = torch.as_tensor(pictures, device=settings.device).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
        free = torch.tensor([label is None for label in labels], device=settings.device)
        if checkpoint:
            start = checkpoint.state["start"].to(given)
        else:
            start = starting_labels(generator, given, labels, perceptual, settings.seed)
        sitting = Sitting(given, start, free)
        inversion = Inversion(generator, sitting, perceptual, settings.steps, settings.tune, settings.seed)
        if checkpoint:
            inversion.restore(checkpoint.state)
        cost = invert(inversion, clock, run, silent=False)
        return _write_results(run, inversion, cost, settings)


def starting_labels(
    generator: GeoGen, pictures: Float[Tensor, "p 3 s s"], labels: Labels, perceptual: Perceptual, seed: int = 0
) -> Float[Tensor, "p 25"]:
    """The known ones, and what a search finds for the others."""
    found = []
    with progress("camera", len(labels), silent=all(label is not None for label in labels)) as advance:
        for index, label in enumerate(labels):
            known = None if label is None else torch.as_tensor(label).to(pictures)
            found.append(found_camera(generator, pictures[index], perceptual, seed) if known is None else known)
            advance(index + 1)
    return torch.stack(found)


def invert(inversion: Inversion, clock: Clock, run: Run | None = None, *, silent: bool = True) -> Cost:
    """All steps that are left; logs and saves on the way.

    Raises IsofieldError when a loss is no number, Interrupted (everything saved) when asked to stop.
    """
    length, cost = inversion.length, clock.before
    log_every, save_every = max(1, length // LOGS), -(-length // SAVES)
    with (
        torch.random.fork_rng(devices=[]),
        progress("invert", length, silent=silent) as advance,
        interruptible() as interruption,
    ):
        for step in range(clock.before.steps, length):
            loss = float(inversion.step(step))
            done = step + 1
            if not np.isfinite(loss):
                raise IsofieldError(f"the loss is {loss} at step {done}: the generator is no good start")
            stop = interruption.requested and done < length
            if run and (done % log_every == 0 or done == length):
                run.log(step=done, loss=loss)
            if done % log_every == 0:
                advance(done, loss=loss)
            if done % save_every == 0 or done == length or stop:
                cost = clock.read(done)
                _save(inversion, cost, run)
            if stop:
                raise _stopped(interruption, done, length, run)
    return cost


def _save(inversion: Inversion, cost: Cost, run: Run | None) -> None:
    if run:
        result = inversion.result()
        spent = torch.tensor([cost.steps, cost.seconds, cost.cpu_seconds], dtype=torch.float64)
        run.save(cost.steps, result.spec(), result.tensors(), {**inversion.state(), "cost": spent})


def _stopped(interruption: Interruption, done: int, length: int, run: Run | None) -> Exception:
    saved = f" and saved in {run.folder}; run the same command again to go on" if run else ""
    return interruption.error(f"stopped at step {done} of {length}{saved}")


def _config(settings: InvertSettings, labels: Labels, size: int) -> dict[str, Any]:
    """The settings, with digests of what was read."""
    cameras = json.dumps([None if label is None else label.tolist() for label in labels])
    return {
        "verb": "invert",
        **config_of(settings),
        "input": [path.name for path in settings.input],
        "input_sha256": [sha256(path) for path in settings.input],
        "size": size,
        "camera": settings.camera and ("auto" if settings.camera == "auto" else "file"),
        "cameras_sha256": hashlib.sha256(cameras.encode()).hexdigest(),
        "perceptual": settings.perceptual and sha256(settings.perceptual),
        "prior": settings.prior.name,
        "prior_sha256": digest_of(settings.prior),
    }


def _write_results(run: Run, inversion: Inversion, cost: Cost, settings: InvertSettings) -> dict[str, Any]:
    """Write meshes, pictures, code.safetensors and report.json; returns the report."""
    folder, made = run.folder, inversion.result()
    with progress("measure", 4) as advance:
        field = made.field(made.mapping.mean)
        found = extract(field, settings.resolution)
        write_mesh(found.mesh, folder / "mesh.ply")
        write_mesh(found.mesh, folder / "mesh.glb")
        advance(1)
        label = inversion.labels()[0].detach().cpu()
        save_png(compared(inversion, made, found.mesh), folder / "preview.png")
        advance(2)
        save_png(turned_views(made, found.mesh, label), folder / "views.png")
        advance(3)
        save_gif(turntable(made, made.mapping.mean, label), folder / "turntable.gif")
        advance(4)
    labels = _user_labels(inversion, made)
    _write_code(run, made, labels, settings)
    report = {
        "input": [str(path) for path in settings.input],
        "prior": str(settings.prior),
        "size": inversion.sitting.size,
        **_likeness(inversion, settings),
        "cameras": [_bearing(label, not free) for label, free in zip(labels, inversion.sitting.free, strict=True)],
        **audit_numbers(read_mesh(folder / "mesh.ply")),
        "steps": settings.steps,
        "tune": settings.tune,
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "resolution": settings.resolution,
        **found.cost,
        "frame": made.frame.to_json(),
        "unit_length_user": made.frame.scale,
    }
    write_json(folder / "report.json", report)
    return report


def _likeness(inversion: Inversion, settings: InvertSettings) -> dict[str, Any]:
    """Means over the pictures, and those of each; of the latent alone too."""
    given, tuned = inversion.sitting.pictures, inversion.looks()
    numbers = {
        "psnr": psnr(tuned, given),
        "psnr_latent": psnr(inversion.found, given),
        "perceptual": inversion.perceptual(tuned, given),
        "perceptual_latent": inversion.perceptual(inversion.found, given),
    }
    each = [
        {"picture": path.name, **{name: float(values[index]) for name, values in numbers.items()}}
        for index, path in enumerate(settings.input)
    ]
    return {**{name: float(values.mean()) for name, values in numbers.items()}, "pictures": each}


def _user_labels(inversion: Inversion, generator: GeoGen) -> Float[np.ndarray, "p 25"]:
    """In the world of the pictures that the generator learned from."""
    labels = inversion.labels().detach().cpu().double().numpy()
    labels[:, [3, 7, 11]] *= generator.frame.scale
    return labels


def _bearing(label: Float[np.ndarray, "25"], known: bool) -> dict[str, Any]:
    x, y, z = label[[3, 7, 11]]
    return {
        "known": bool(known),
        "azimuth": math.degrees(math.atan2(x, z)),
        "elevation": math.degrees(math.atan2(y, math.hypot(x, z))),
        "distance": math.sqrt(x * x + y * y + z * z),
        "label": label.tolist(),
    }


def _write_code(run: Run, generator: GeoGen, labels: Float[np.ndarray, "p 25"], settings: InvertSettings) -> None:
    about = {"frame": generator.frame.to_json(), "prior": str(settings.prior)}
    tensors = {"code": generator.mapping.mean.contiguous(), "cameras": torch.tensor(labels, dtype=torch.float32)}
    content = save(tensors, {"isofield": json.dumps(about)})
    with replacing(run.folder / "code.safetensors") as temporary:
        temporary.write_bytes(content)


def described(report: dict[str, Any], folder: Path) -> str:
    """What a person wants to know, in a few lines."""
    lines = [f"{folder / 'mesh.glb'}, {folder / 'mesh.ply'}: {'closed' if report['watertight'] else 'open'}"]
    lines.append(
        f"likeness: {report['psnr_latent']:.1f} dB by the latent, {report['psnr']:.1f} dB by the tuned generator"
    )
    for camera, one in zip(report["cameras"], report["pictures"], strict=True):
        if not camera["known"]:
            seen = f"azimuth {camera['azimuth']:.0f}, elevation {camera['elevation']:.0f} degrees"
            lines.append(f"{one['picture']}: taken from {seen}, as far as the search could tell")
    lines.append(f"cost: {report['cpu_seconds']:.3g} s of processor time")
    lines.append(
        f"look at {folder / 'preview.png'}, views.png and turntable.gif; numbers are in {folder / 'report.json'}"
    )
    return "".join(f"{line}\n" for line in lines)
