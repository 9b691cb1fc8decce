"""`isofield fit` for posed pictures of one object: volume rendering of a signed distance, as VolSDF does it."""

import hashlib
import math
import sys
import time
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from isofield.errors import InputError
from isofield.fields.rendered import RenderedField
from isofield.files import write_json
from isofield.interrupt import interruptible
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.meshing.extract import extract
from isofield.metrics.evaluate import audit_numbers
from isofield.progress import progress
from isofield.render.pictures import save_png, side_by_side
from isofield.render.rays import rays_of
from isofield.render.volume import FieldScene, surface_normals
from isofield.runs import Run, open_run
from isofield.settings.common import BUDGET, config_of
from isofield.settings.shapes import FitSettings
from isofield.tasks.fit import seeded, settled_length
from isofield.tasks.pictures import Pixels, PosedPictures, frame_of_views, reduced, still
from isofield.tasks.results import size_of
from isofield.tasks.training import Clock, Cost, Length, Training, train
from isofield.views.image_set import ImageSet, beside
from isofield.views.read import read_views

EACH = 8  # of so many views one is held out
FEWEST = 3  # views to learn from
SHOWN = 3  # held-out views in the preview
DEFAULTS = {"method": "learned", "close": False, "encoding": "hash", "activation": "relu", "width": None, "depth": None}


def run_fit_views(settings: FitSettings) -> dict[str, Any]:
    """Write the run folder, return what report.json holds. Raises InputError, IsofieldError, Interrupted."""
    _check_options(settings)
    views = _of_one_object(read_views(settings.input))
    learned, held = split(len(views))
    if len(learned) < FEWEST:
        raise InputError(settings.input, f"holds {len(views)} pictures", f"give at least {FEWEST}, from all around")
    choice = (
        f"a signed distance on a hash grid by volume rendering, from {len(learned)} pictures; {len(held)} are held out"
    )
    config = {**config_of(settings), "input": settings.input.name, "input_sha256": digest(views)}
    with open_run(settings.output, config, length=("steps", "budget"), restart=settings.restart) as run:
        print(f"isofield: {choice}", file=sys.stderr)
        if run.config["steps"] is None and run.config["budget"] is None:
            run.settle(budget=BUDGET)
        steps, budget = run.config["steps"], run.config["budget"] or BUDGET
        with seeded(settings.seed):
            field = RenderedField(frame=frame_of_views(views))
        field, cost = fit_views(
            views, learned, field, steps=steps, budget=budget, seed=settings.seed, run=run, silent=False
        )
        facts = {"input": str(settings.input), "class": settings.class_name, "choice": choice, "pictures": len(learned)}
        return _write_results(run, views, held, field, cost, settings.resolution, facts)


def fit_views(
    views: ImageSet,
    indices: list[int],
    field: RenderedField,
    objective: PosedPictures | None = None,
    *,
    steps: int | None = None,
    budget: float = BUDGET,
    seed: int = 0,
    run: Run | None = None,
    silent: bool = True,
) -> tuple[RenderedField, Cost]:
    """Train a field on some views of one object; returns it as stored (hash tables rounded to float16), and the cost.

    steps: exact length; else `budget` seconds are turned into steps by timing a few. run: where to log and save, and
    from where to go on. Raises IsofieldError if training diverges, Interrupted after Ctrl-C.
    """
    objective = objective or PosedPictures()
    begun = time.perf_counter()
    data = Pixels.of(views, indices, field.frame, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        length = settled_length(run, steps, budget)
        if length is None:
            length = Length.of_steps(steps or _affordable(field, objective, data, budget - time.perf_counter() + begun))
        if run:
            run.settle(settled=vars(length))
        checkpoint = run.latest() if run else None
        before = Cost.restore(checkpoint.state) if checkpoint else Cost()
        clock, training = Clock(before), Training(field, objective, data, length, seed)
        if checkpoint:
            training.restore(checkpoint.state)
        with progress("fit", length.steps, silent=silent) as advance, interruptible() as interruption:
            cost = train(training, clock, run, interruption, advance)
    return RenderedField.restore(field.spec(), field.tensors()), cost


def split(count: int) -> tuple[list[int], list[int]]:
    """Indices to learn from, and those held out: every eighth, from the fourth on; none of three or fewer."""
    held = list(range(min(EACH // 2, count) - 1, count, EACH)) if count > FEWEST else []
    return [index for index in range(count) if index not in held], held


def digest(views: ImageSet) -> str:
    """Of the world, cameras, pictures, and masks or what stands for them."""
    sums = hashlib.sha256(repr(views.world).encode())
    for view in views.views:
        sums.update(f"{view.name} {view.camera.width} {view.camera.height}".encode())
        sums.update(view.camera.camera_to_world.tobytes() + view.camera.intrinsics.tobytes())
        for name in (view.name, *(beside(view.name, suffix) for suffix in (".mask.png", ".depth.npy"))):
            sums.update(views.store.read(name) if name in views.store.names else b"")
    return sums.hexdigest()


def _check_options(settings: FitSettings) -> None:
    for name, usual in DEFAULTS.items():
        if getattr(settings, name) != usual:
            fault = f"is not for pictures, and {settings.input} is a set of pictures"
            raise InputError(f"--{name}", fault, "leave it out")


def _of_one_object(views: ImageSet) -> ImageSet:
    """InputError where the folders of EG3D's layout are shapes, and more than one."""
    shapes = views.shapes()
    if views.kind == "EG3D" and len(shapes) > 1:
        fault = f"holds {len(shapes)} shapes ({', '.join(list(shapes)[:3])}, ...)"
        raise InputError(views.store.path, fault, "give the pictures of one of them, in a set of its own")
    return views


def _affordable(field: RenderedField, objective: PosedPictures, data: Pixels, budget: float) -> int:
    """Steps that take about so many seconds, by timing some of a copy."""
    trial = Training(deepcopy(field), objective, data, Length.of_steps(1), 0)
    return max(1, round(budget / trial.seconds_per_step(time.perf_counter)))


def _write_results(
    run: Run, views: ImageSet, held: list[int], field: RenderedField, cost: Cost, resolution: int, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write mesh.ply, mesh.glb, preview.png and report.json; returns the report."""
    folder = run.folder
    with progress("measure", 2 + len(held)) as advance:
        found = extract(field, resolution)
        write_mesh(found.mesh, folder / "mesh.ply")
        write_mesh(found.mesh, folder / "mesh.glb")
        advance(1)
        numbers: dict[str, dict[str, float | None]] = {}
        rows: list[list[np.ndarray]] = []
        for done, index in enumerate(held, 2):
            measured, row = _compared(views, index, field)
            numbers[views.views[index].name] = measured
            rows += [row] if len(rows) < SHOWN else []
            advance(done)
        sheet = _sheet(rows) if rows else _sheet([_compared(views, 0, field)[1]], "learned from")
        save_png(sheet, folder / "preview.png")
        advance(2 + len(held))
    overlaps = [one["silhouette_iou"] for one in numbers.values() if one["silhouette_iou"] is not None]
    report = {
        **facts,
        "psnr": float(np.mean([one["psnr"] for one in numbers.values()])) if numbers else None,
        "silhouette_iou": float(np.mean(overlaps)) if overlaps else None,
        "held_out": numbers,
        **audit_numbers(read_mesh(folder / "mesh.ply")),
        **size_of(folder, field),
        "beta": float(field.density.beta.detach()),  # type: ignore[operator, union-attr]
        "unit_length_user": field.frame.scale,
        **asdict(cost),
        "resolution": resolution,
        **found.cost,
    }
    write_json(folder / "report.json", report)
    return report


def _compared(views: ImageSet, index: int, field: RenderedField) -> tuple[dict[str, float | None], list[np.ndarray]]:
    """Peak signal to noise in dB over the whole picture and overlap of silhouettes; picture, rendering, normals."""
    camera, picture, mask = reduced(views, index)
    seen = still(field, camera, views.world.background)
    error = np.square(seen.color.numpy() - picture / 255).mean()
    ours = seen.opacity.numpy() > 0.5
    overlap = None if mask is None else float((ours & mask).sum() / max((ours | mask).sum(), 1))
    rays = rays_of([camera], field.frame)
    normals = (
        surface_normals(FieldScene(field, field.density), rays, seen.depth.view(1, -1))[0].view(*ours.shape, 3).numpy()
    )
    colored = np.where(ours[..., None], normals / 2 + 0.5, 1)
    images = [picture, _bytes(seen.color.numpy()), _bytes(colored)]
    return {"psnr": -10 * math.log10(max(error, 1e-10)), "silhouette_iou": overlap}, images


def _sheet(rows: list[list[np.ndarray]], first: str = "held out") -> np.ndarray:
    """Rows of picture, rendering and normals, of any sizes."""
    width = max(row[0].shape[1] for row in rows)
    columns = [[np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in column]
               for column in zip(*rows, strict=True)]  # fmt: skip
    return side_by_side([np.concatenate(column) for column in columns], [first, "rendered", "normals"])


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
