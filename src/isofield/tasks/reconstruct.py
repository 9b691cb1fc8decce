"""`isofield reconstruct`: a scan, whole or partial, becomes the shape of a trained space that explains it best.

OUT is a run folder with mesh.ply (vertex properties `seen` and `deviation`), mesh.glb, preview.png, report.json, a
checkpoint of the field, and code.safetensors: code and, in spaces with colour, hue; its header holds class and frame.
Of points seen.glb too: what was seen grey, what was invented red.
"""

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Shaped
from safetensors.torch import save
from torch import Tensor
from trimesh.visual import ColorVisuals

from isofield.checkpoints import digest_of
from isofield.cloud.cloud import Cloud
from isofield.errors import InputError, IsofieldError
from isofield.fields.codes.adam import fit_code_by_adam
from isofield.fields.codes.align import fit_code_and_pose
from isofield.fields.codes.fit import (
    STARTS,
    THIN,
    CodeFit,
    Options,
    chosen_priors,
    deviation_of,
    fit_code,
    residual_of,
    spread_of,
)
from isofield.fields.codes.hue import fit_hue
from isofield.fields.codes.observations import Colors, Observations
from isofield.fields.codes.pose import Pose
from isofield.fields.codes.tune import tuned_decoder
from isofield.fields.space import ShapeField, ShapeSpace
from isofield.fields.turned import TurnedField
from isofield.files import replacing, sha256, write_json
from isofield.frame import UnitFrame
from isofield.mesh.read import read_mesh
from isofield.mesh.write import write_mesh
from isofield.meshing.extract import Extraction, extract
from isofield.metrics.evaluate import audit_numbers, evaluate
from isofield.metrics.residuals import Residuals
from isofield.progress import progress
from isofield.render.pictures import preview, save_png
from isofield.render.shade import CLAY
from isofield.render.sheet import contact_sheet
from isofield.runs import Run, load_space, open_run
from isofield.settings.common import config_of
from isofield.settings.families import ReconstructSettings
from isofield.tasks.cloud_results import INVENTED, cloud_preview
from isofield.tasks.scans import Scan, read_scan, scan_of_points
from isofield.tasks.training import Clock, Cost
from isofield.views.labels import file_of

VIEWS, PICTURE = ((35.0, 15.0), (215.0, 15.0)), 400  # of the picture where there is nothing to compare with


@dataclass(frozen=True)
class Reconstruction:
    """A shape found in a space. field: with the way back to the user's coordinates; hue: its code of colour; facts:
    what the report says of how it was found."""

    space: ShapeSpace
    found: CodeFit
    field: ShapeField | TurnedField
    hue: Float[Tensor, " k"] | None
    facts: dict[str, Any]

    @property
    def code(self) -> Float[Tensor, " c"]:
        return self.found.code

    @property
    def label(self) -> str | None:
        return self.found.label

    def mesh(self, resolution: int = 256) -> trimesh.Trimesh:
        """In the user's coordinates, with colours where the space has them."""
        return extract(self.field, resolution).mesh

    def doubt(self, points: Shaped[np.ndarray, "n 3"]) -> tuple[np.ndarray, np.ndarray]:
        """At some points of the user: standard deviation of the distance, and what of it is spread over the starts;
        in the unit frame."""
        unit = torch.from_numpy(self.field.frame.to_unit(points)).float()
        if isinstance(self.field, TurnedField):
            unit = unit @ self.field.rotation.T
        return deviation_of(self.space, self.found, unit).numpy(), spread_of(self.space, self.found, unit).numpy()


def run_reconstruct(settings: ReconstructSettings) -> dict[str, Any]:
    """Write the run folder, return what report.json holds. Raises InputError."""
    space = load_space(settings.prior)
    scan = read_scan(settings.input, camera=settings.camera, align=settings.align, seed=settings.seed)
    _check_class(space, settings.class_name)
    with open_run(settings.output, _config(settings), length=(), restart=settings.restart) as run:
        with progress("reconstruct", 3) as advance:
            found = reconstruct_scan(space, scan, settings)
            advance(1)
            extraction = _surface(found, settings)
            run.save(0, found.field.spec(), found.field.tensors())
            _write_code(run.folder, found, settings)
            advance(2)
            compared = _write_meshes(run, extraction, scan, found, settings.seed)
            advance(3)
        report = {
            "input": str(settings.input),
            "prior": str(settings.prior),
            "kind": scan.kind,
            "method": settings.method,
            **found.facts,
            **compared,
            **extraction.cost,
            "frame": found.field.frame.to_json(),
            "unit_length_user": found.field.frame.scale,
        }
        write_json(run.folder / "report.json", report)
    return report


def reconstruct_scan(space: ShapeSpace, scan: Scan, settings: ReconstructSettings) -> Reconstruction:
    """The code, and as asked pose, colour and a decoder of its own, for a scan. Raises InputError."""
    label = None if settings.class_name == "auto" else settings.class_name
    options = Options(label, settings.starts or STARTS, settings.refine, _thin(settings), settings.seed)
    adam = settings.method == "adam"
    return _reconstructed(space, scan, options, align=settings.align, adam=adam, finetune=settings.finetune)


def _thin(settings: ReconstructSettings) -> float:
    return THIN if settings.thin is None else settings.thin


def reconstruct_points(
    space: ShapeSpace,
    points: Shaped[np.ndarray, "n 3"],
    normals: Shaped[np.ndarray, "n 3"] | None = None,
    *,
    sensors: Shaped[np.ndarray, "n 3"] | None = None,
    align: bool = False,
    finetune: int = 0,
    options: Options | None = None,
) -> Reconstruction:
    """The shape of a space that explains points of its surface best, in the coordinates of the points.

    points: in the frame of the space, unless `align` is to find rotation, translation and scale. normals: outward unit
    normals. sensors: what saw each point, so that the way there is free. finetune: steps of the decoder, for what no
    code expresses. Raises InputError as the command does.
    """
    columns = (None if part is None else np.asarray(part, np.float64) for part in (normals, sensors))
    given, seen_from = columns
    cloud = Cloud(np.asarray(points, np.float64), normals=given, sensors=seen_from, source="points")
    scan = scan_of_points(cloud, align=align)
    return _reconstructed(space, scan, options or Options(), align=align, finetune=finetune)


def _reconstructed(
    space: ShapeSpace, scan: Scan, options: Options, *, align: bool, adam: bool = False, finetune: int = 0
) -> Reconstruction:
    clock = Clock(Cost())
    if adam:
        found = fit_code_by_adam(space, scan.seen, label=options.label, seed=options.seed)
    else:
        found = (fit_code_and_pose if align else fit_code)(space, scan.seen, options)
    latent, placed, decoder, tuning = (
        space.latent(found.code, found.label),
        _in_space(scan, found.pose),
        space.decoder,
        0,
    )
    if finetune:
        decoder, tuning = tuned_decoder(decoder, latent, placed.seen, finetune, options.seed)
        space = deepcopy(space)  # whose doubts are those of the shape that is given
        space.decoder = decoder
        found = replace(found, residual=residual_of(space, found, scan.seen))
    hue, facts = _hue(space, latent, placed.seen.colors, options.seed)
    shape = ShapeField(decoder, latent, space.painter, hue, placed.frame)
    field = shape if found.pose is None else TurnedField(shape, found.pose.rotation, placed.frame)
    cost = clock.read(0)
    facts |= {
        "class": found.label,
        "class_costs": {str(label): value for label, value in found.costs.items()},
        "observations": len(scan.seen.points),
        "free_points": len(scan.seen.free),
        "noise": scan.seen.noise,
        "residual": found.residual,
        "evaluations": found.evaluations + tuning,
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
    }
    if (pose := found.pose) is not None:
        facts["pose"] = {"rotation": pose.rotation.tolist(), "scale": pose.scale, "shift": pose.shift.tolist()}
    return Reconstruction(space, found, field, hue, facts)


def _hue(
    space: ShapeSpace, latent: Tensor, colors: Colors | None, seed: int
) -> tuple[Float[Tensor, " k"] | None, dict[str, Any]]:
    """The code of colour, the mean one where none was seen; and the error of the colours."""
    if space.hues is None:
        return None, {}
    if colors is None:
        return space.hues.mean(0).detach(), {}
    hue, off = fit_hue(space, latent, colors, seed)
    return hue, {"color_residual": off}


def _in_space(scan: Scan, pose: Pose | None) -> Scan:
    """The scan with its observations in the frame of the space, and the way back from there but for the rotation."""
    if pose is None:
        return scan
    seen, colors = scan.seen, scan.seen.colors
    if colors is not None:
        turned = None if colors.directions is None else colors.directions @ pose.rotation.T
        colors = Colors(pose.apply(colors.points), colors.rgb, turned)
    placed = Observations(
        pose.apply(seen.points),
        seen.sdf * pose.scale,
        pose.apply(seen.free),
        seen.noise * pose.scale,
        colors,
        seen.least * pose.scale,
    )
    scale = scan.frame.scale / pose.scale
    x, y, z = scan.frame.center - scale * (pose.rotation.T @ pose.shift).double().numpy()
    return replace(scan, seen=placed, frame=UnitFrame((float(x), float(y), float(z)), scale))


def _surface(found: Reconstruction, settings: ReconstructSettings) -> Extraction:
    try:
        return extract(found.field, settings.resolution)
    except InputError:
        raise
    except IsofieldError:
        fault = "has no shape with a surface that explains the scan"
        raise InputError(settings.prior, fault, "train it for longer, or bring the scan to it with --align") from None


def _check_class(space: ShapeSpace, name: str) -> None:
    if name != "auto":
        chosen_priors(space, name)


def _config(settings: ReconstructSettings) -> dict[str, Any]:
    """The settings, with digests of what was read."""
    config = {**config_of(settings), "input": settings.input.name, "prior": settings.prior.name}
    if settings.method != "adam":
        config |= {"starts": settings.starts or STARTS, "thin": _thin(settings)}
    if settings.camera is not None:
        config["camera"] = sha256(file_of(settings.camera))
    return {
        "verb": "reconstruct",
        **config,
        "input_sha256": sha256(settings.input),
        "prior_sha256": digest_of(settings.prior),
    }


def _write_meshes(run: Run, extraction: Extraction, scan: Scan, made: Reconstruction, seed: int) -> dict[str, Any]:
    """Write mesh.ply, mesh.glb and preview.png, of points what was seen too; what the comparison says."""
    folder, mesh, frame = run.folder, extraction.mesh, made.field.frame
    deviation, spread = made.doubt(np.asarray(mesh.vertices))
    mesh.vertex_attributes["deviation"] = (deviation * frame.scale).astype(np.float32)
    numbers: dict[str, Any] = {"deviation": float(deviation.mean()), "spread": float(spread.mean())}
    if scan.cloud is not None:
        compared = Residuals.of(scan.cloud.points, mesh, frame)
        seen = compared.seen
        mesh.vertex_attributes["seen"] = seen.astype(np.uint8)
        numbers |= compared.numbers(frame.scale)
        for name, part in (("deviation_seen", seen), ("deviation_invented", ~seen)):
            numbers[name] = float(deviation[part].mean()) if part.any() else None
        save_png(cloud_preview(scan.cloud, mesh, seen), folder / "preview.png")
        write_mesh(_marked(mesh, seen), folder / "seen.glb")
    write_mesh(mesh, folder / "mesh.ply")
    write_mesh(mesh, folder / "mesh.glb")
    stored = read_mesh(folder / "mesh.ply")
    if scan.mesh is not None:
        numbers |= evaluate(stored, scan.mesh, seed=seed)
        save_png(preview(scan.mesh, stored), folder / "preview.png")
    elif scan.cloud is None:
        save_png(contact_sheet([stored], VIEWS, PICTURE), folder / "preview.png")
    return {**numbers, **audit_numbers(stored)}


def _marked(mesh: trimesh.Trimesh, seen: np.ndarray) -> trimesh.Trimesh:
    """In two colours: seen and invented."""
    colors = np.where(seen[:, None], CLAY, INVENTED)
    marked = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    rgba = np.concatenate([np.round(colors * 255), np.full((len(colors), 1), 255)], 1).astype(np.uint8)
    marked.visual = ColorVisuals(marked, vertex_colors=rgba)
    return marked


def _write_code(folder: Path, made: Reconstruction, settings: ReconstructSettings) -> None:
    tensors = {"code": made.found.code} | ({} if made.hue is None else {"hue": made.hue})
    about: dict[str, Any] = {key: made.facts[key] for key in ("class", "pose") if key in made.facts}
    about |= {"frame": made.field.frame.to_json(), "prior": str(settings.prior)}
    content = save({name: t.contiguous() for name, t in tensors.items()}, {"isofield": json.dumps(about)})
    with replacing(folder / "code.safetensors") as temporary:
        temporary.write_bytes(content)


def described(report: dict[str, Any], folder: Path) -> str:
    """What a person wants to know, in a few lines."""
    kind = "" if report["class"] is None else f" ({report['class']})"
    lines = [f"{folder / 'mesh.glb'}, {folder / 'mesh.ply'}{kind}: {'closed' if report['watertight'] else 'open'}"]
    off, doubt = report["residual"], report["deviation"]
    lines.append(f"what was observed is off by {off:.1e} in the mean; likely answers deviate by {doubt:.1e}")
    if "point_to_surface" in report:
        lines.append(f"distance to the input: {report['point_to_surface']:.1e} of its radius in the mean")
    if "invented_share" in report:
        lines.append(f"invented, far from every point: {report['invented_share']:.1%} of the surface")
    lines.append(
        f"cost: {report['evaluations']:,} decoder evaluations, {report['cpu_seconds']:.3g} s of processor time"
    )
    lines.append(f"look at {folder / 'preview.png'}; all numbers are in {folder / 'report.json'}")
    return "".join(f"{line}\n" for line in lines)
