"""`isofield sample`: meshes become a store of samples of their signed distance, or DeepSDF's files.

A shape is done when its file is there whole and names the mesh it was made of: what a killed run made is kept.
"""

import csv
import sys
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from isofield.cloud.clean import clean
from isofield.cloud.read import looks_like_cloud, read_cloud
from isofield.errors import InputError, IsofieldError
from isofield.files import is_plain, read_json, sha256, write_json
from isofield.frame import UnitFrame
from isofield.jobs import map_jobs
from isofield.mesh.color import color_kind
from isofield.mesh.enclosure import enclosed_share
from isofield.mesh.read import READABLE, read_mesh
from isofield.mesh.sample import DEEPSDF_NEAR, DEEPSDF_NEAR_FRACTION, sample
from isofield.mesh.shine import seen_colors
from isofield.progress import progress
from isofield.runs import open_run
from isofield.samples import deepsdf
from isofield.samples.store import FORMAT, MANIFEST, SUFFIX, Columns, columns_of, read_about, write_shape
from isofield.settings.common import config_of
from isofield.settings.families import SampleSettings
from isofield.tasks.render import mesh_files
from isofield.tasks.sal import SignAgnostic, points_alone

NEAR, NEAR_FRACTION = (*DEEPSDF_NEAR, 0.005), 0.9  # standard deviations around the surface, and their share
ENCLOSED = 0.5  # a mesh of which a smaller share of the area bounds an inside has distances without sign
MOST_POINTS = 200_000  # of a cloud
NPZ = ".npz"  # DeepSDF's
CLOUDS = (".xyz", ".pcd", ".las", ".laz")  # that are points by their name; .ply and .obj by what is in them


@dataclass(frozen=True)
class SampleJob:
    """One shape to sample: the same job gives the same bytes, whichever process does it."""

    name: str
    source: Path
    target: Path
    label: str | None
    settings: SampleSettings

    @property
    def seed(self) -> int:
        return int(np.random.SeedSequence([self.settings.seed, zlib.crc32(self.name.encode())]).generate_state(1)[0])


@dataclass(frozen=True)
class Sampled:
    """entry: of the manifest, None where the shape could not be sampled, for the reason `fault`."""

    entry: dict[str, Any] | None
    fault: str = ""
    made: bool = True


def run_sample(settings: SampleSettings) -> dict[str, Any]:
    """Sample what is not there yet, then write the manifest; returns the verb's JSON.

    What cannot be read is left out and named under `failed`. Raises InputError where nothing can, where another
    process writes to the store, and where it was begun with other settings.
    """
    begun = time.perf_counter()
    files = mesh_files(settings.input, (*READABLE, NPZ, *CLOUDS))
    labels = _labels(settings, files)
    chosen = _balanced(labels, settings) if settings.per_class else list(files)
    suffix = SUFFIX if settings.format == "store" else NPZ
    jobs = [SampleJob(n, files[n], settings.output / f"{n}{suffix}", labels[n], settings) for n in chosen]
    with open_run(settings.output, _config(settings), length=(), restart=settings.restart):
        if settings.restart:
            _clear(settings.output)
        results: list[Sampled] = []
        with progress("sample", len(jobs)) as advance:
            for result in map_jobs(sample_shape, jobs, jobs=settings.jobs, backend=settings.backend):
                results.append(result)
                advance(len(results))
        failed = {job.name: result.fault for job, result in zip(jobs, results, strict=True) if result.entry is None}
        if len(failed) == len(jobs):
            raise InputError(settings.input, f"nothing could be sampled: {next(iter(failed.values()))}", "mend it")
        shapes = [result.entry for result in results if result.entry is not None]
        manifest = {"format": FORMAT, "count": settings.count, "seed": settings.seed, "shapes": shapes}
        write_json(settings.output / MANIFEST, {**manifest, "failed": failed})
    for name, fault in failed.items():
        print(f"sample: left out {name}: {fault}", file=sys.stderr)
    return {
        "output": str(settings.output),
        "shapes": len(shapes),
        "samples": sum(entry["count"] for entry in shapes),
        "classes": sorted({entry["label"] for entry in shapes if entry["label"] is not None}),
        "unsigned": sum(not entry["signed"] for entry in shapes),
        "resumed": sum(result.entry is not None and not result.made for result in results),
        "failed": failed,
        "seconds": time.perf_counter() - begun,
    }


def sample_shape(job: SampleJob) -> Sampled:
    """Write the file of one shape unless it is there; a mesh that cannot be used is a fault, not an exception."""
    try:
        digest = sha256(job.source)
        if made := not _is_done(job, digest):
            columns, frame, signed = _columns(job)
            about = {"source_sha256": digest, "label": job.label, "frame": frame.to_json(), "signed": signed}
            _write(job, columns, about)
        return Sampled(_entry(job), made=made)
    except (IsofieldError, OSError) as error:
        return Sampled(None, str(error))
    except Exception as error:  # of a thousand meshes one that nobody foresaw must not cost the others
        return Sampled(None, f"{job.source}: {type(error).__name__}: {error}")


def _columns(job: SampleJob) -> tuple[Columns, UnitFrame, bool]:
    """What is stored, the frame of the shape, and whether its distances have a sign."""
    if job.source.suffix.lower() == NPZ:
        return deepsdf.read_npz(job.source, job.seed), UnitFrame(), True
    if looks_like_cloud(job.source):
        return _of_points(job)
    mesh = read_mesh(job.source)
    signed = job.settings.signs == "winding" or (job.settings.signs == "auto" and enclosed_share(mesh) >= ENCLOSED)
    as_deepsdf = job.settings.format == "deepsdf"
    if as_deepsdf and not signed:
        fault = f"encloses less than {ENCLOSED:.0%} of what it shows: it has no inside"
        raise InputError(job.source, fault, "take --format store, or --signs winding")
    colored = color_kind(mesh) != "none"
    samples = sample(
        mesh, job.settings.count, seed=job.seed, near=DEEPSDF_NEAR if as_deepsdf else NEAR,
        near_fraction=DEEPSDF_NEAR_FRACTION if as_deepsdf else NEAR_FRACTION, directions=colored,
        source=str(job.source),
    )  # fmt: skip
    if job.settings.shine is not None and samples.colors is not None and samples.directions is not None:
        lit = seen_colors(samples.colors, samples.normals, samples.directions, job.settings.shine)
        samples = replace(samples, colors=lit.astype(np.float32))
    if signed and not (samples.sdf < 0).any():
        raise InputError(job.source, "has no inside: none of its samples lies there", "take --signs none")
    columns = columns_of(samples)
    if not signed:
        columns["sdf"] = np.abs(columns["sdf"])
        del columns["normals"]  # of faces that need not agree about their sides
    return columns, samples.frame, signed


def _of_points(job: SampleJob) -> tuple[Columns, UnitFrame, bool]:
    """Unsigned distances to the discs of cleaned points; colours have no side to be seen from."""
    if job.settings.signs == "winding" or job.settings.format == "deepsdf":
        raise InputError(job.source, "is a cloud of points: its distances have no sign", "fit and mesh it first")
    cloud, _ = clean(read_cloud(job.source), at_most=MOST_POINTS)
    samples = SignAgnostic().samples(points_alone(cloud), job.settings.count, job.seed)
    columns = columns_of(samples)
    del columns["normals"]
    return columns, samples.frame, False


def _write(job: SampleJob, columns: Columns, about: dict[str, Any]) -> None:
    if job.target.suffix == SUFFIX:
        write_shape(job.target, columns, about)
        return
    deepsdf.write_npz(job.target, columns)
    kept = [name for name in ("points", "sdf", "colors", "directions") if name in columns]
    about = {**about, "columns": kept, "count": len(columns["sdf"]), "sha256": sha256(job.target)}
    write_json(_beside(job.target), about)


def _is_done(job: SampleJob, digest: str) -> bool:
    """Whether the file is there whole, made of this very mesh under this label."""
    try:
        about = _about(job)
    except InputError:
        return False
    whole = job.target.suffix == SUFFIX or about.get("sha256") == sha256(job.target)
    return whole and about.get("source_sha256") == digest and about.get("label") == job.label


def _about(job: SampleJob) -> dict[str, Any]:
    return read_about(job.target) if job.target.suffix == SUFFIX else read_json(_beside(job.target))


def _beside(path: Path) -> Path:
    """Where it is kept what a DeepSDF file has no place for."""
    return path.with_suffix(".json")


def _entry(job: SampleJob) -> dict[str, Any]:
    about = _about(job)
    entry = {"name": job.name, "file": job.target.name, "sha256": sha256(job.target), "source": str(job.source)}
    return {**entry, **{key: about[key] for key in ("source_sha256", "label", "frame", "columns", "count", "signed")}}


def _labels(settings: SampleSettings, files: dict[str, Path]) -> dict[str, str | None]:
    """Class of each shape: of the file of classes, else the folder below the input, else the manifest beside it."""
    if settings.classes is not None:
        given = read_table(settings.classes)
        found = {name: given.get(name, given.get(path.name)) for name, path in files.items()}
        if missing := [name for name, label in found.items() if label is None]:
            raise InputError(settings.classes, f"names no class for {missing[0]}", "add one for each shape")
        return found
    root = settings.input if settings.input.is_dir() else settings.input.parent
    beside = _labels_beside(root)
    folders = {name: path.relative_to(root).parts[:-1] for name, path in files.items()}
    return {name: folders[name][0] if folders[name] else beside.get(path.name) for name, path in files.items()}


def _labels_beside(folder: Path) -> dict[str, str]:
    """Labels by file name of a manifest.json as `isofield synthesize` writes it."""
    content = read_json(folder / MANIFEST) if is_plain(folder / MANIFEST) else None
    shapes = content.get("shapes") if isinstance(content, dict) else None
    entries = [entry for entry in shapes or [] if isinstance(entry, dict) and {"mesh", "label"} <= entry.keys()]
    return {entry["mesh"]: entry["label"] for entry in entries}


def read_table(path: Path) -> dict[str, str]:
    """Name -> text, of a JSON object or of lines "name,text"; raises InputError."""
    if path.suffix.lower() == ".json":
        content = read_json(path)
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise InputError(path, "is no object of names and texts", 'write {"chair_01": "chair"}')
        return content
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise InputError(path, f"line {number} has {len(row)} columns", 'write lines of name,text (or name,"a, b")')
    return {name.strip(): text.strip() for name, text in rows}


def _balanced(labels: dict[str, str | None], settings: SampleSettings) -> list[str]:
    """The same number of shapes of each class, drawn by the seed; in the order of their names."""
    by_class: dict[str | None, list[str]] = {}
    for name, label in labels.items():
        by_class.setdefault(label, []).append(name)
    rng, chosen = np.random.default_rng(settings.seed), set()
    for label, names in sorted(by_class.items(), key=lambda pair: str(pair[0])):
        if len(names) < (settings.per_class or 0):
            fault = f"{settings.per_class} of each class are wanted, and there are {len(names)} of {label}"
            raise InputError("--per-class", fault, f"give at most {min(map(len, by_class.values()))}")
        chosen.update(rng.permutation(names)[: settings.per_class].tolist())
    return [name for name in labels if name in chosen]


def _config(settings: SampleSettings) -> dict[str, Any]:
    config = {key: value for key, value in config_of(settings).items() if key not in ("jobs", "backend")}
    config["input"] = str(Path(settings.input).resolve())
    if settings.classes is not None:
        config["classes"] = sha256(settings.classes)
    return {"verb": "sample", **config}


def _clear(folder: Path) -> None:
    """Remove what an earlier call listed, and nothing else."""
    if is_plain(folder / MANIFEST):
        for entry in read_json(folder / MANIFEST)["shapes"]:
            path = folder / Path(entry["file"]).name
            path.unlink(missing_ok=True)
            if path.suffix == NPZ:
                _beside(path).unlink(missing_ok=True)
        (folder / MANIFEST).unlink()
