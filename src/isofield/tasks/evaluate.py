"""isofield evaluate: two meshes, or two folders of them, to numbers; a generator is measured in a file of its own."""

from pathlib import Path
from statistics import median
from typing import Any, Literal

from rich.table import Table

from isofield.data import located
from isofield.errors import InputError, IsofieldError
from isofield.mesh.read import READABLE, read_mesh
from isofield.metrics.evaluate import evaluate, geogen_protocol
from isofield.settings.shapes import EvaluateSettings
from isofield.views.read import holds_views

Preset = Literal["default", "geogen"]
COLUMNS = (
    "point_to_surface", "chamfer_l1", "hausdorff", "normal_consistency", "f_score", "iou", "ghost_components",
    "watertight", "manifold",
)  # fmt: skip
GEOGEN_COLUMNS = ("chamfer_l1", "mse", "hausdorff", "emd", "msd")
OF_GENERATORS = {"count": "-n", "shapes": "--shapes", "meshes": "--meshes", "features": "--features",
                 "identity": "--identity"}  # fmt: skip


def run_evaluate(settings: EvaluateSettings) -> dict[str, Any]:
    """Where the truth is a set of pictures, the prediction is a generator; else both are meshes. Raises InputError."""
    if holds_views(settings.truth):
        from isofield.tasks.evaluate_generator import evaluate_generator

        return evaluate_generator(settings)
    given = [flag for name, flag in OF_GENERATORS.items() if getattr(settings, name) is not None]
    if given:
        raise InputError(given[0], "is for a generator and a set of pictures", "leave it out, or name such a set")
    return evaluate_paths(settings.prediction, settings.truth, settings.preset, settings.seed)


def evaluate_paths(pred: Path, truth: Path, preset: Preset = "default", seed: int = 0) -> dict[str, Any]:
    """Compare two mesh files, or the files of two folders that have the same name but for the suffix.

    Files: the keys of `evaluate` (or `geogen_protocol`). Folders: `shapes` (name -> those keys), `summary` (median of
    each number, share of each yes), `failed` (name -> why), and the names without a partner, `missing_predictions` and
    `missing_truths`. Raises InputError where nothing can be compared.
    """
    pred, truth = Path(pred), Path(truth)
    if located(pred) != pred:
        raise InputError(truth, "is no set of posed pictures", "name one, as `isofield render` writes it")
    about = {"prediction": str(pred), "truth": str(truth), "preset": preset, "seed": seed}
    if pred.is_dir() != truth.is_dir():
        folder = pred if pred.is_dir() else truth
        raise InputError(folder, "is a folder and the other one a file", "give two files or two folders")
    if not pred.is_dir():
        return about | _compare(pred, truth, preset, seed)
    return about | _compare_folders(pred, truth, preset, seed)


def table(result: dict[str, Any]) -> Table:
    """What `run_evaluate` found, to be read by people."""
    if "pictures" in result:
        from isofield.tasks.evaluate_generator import generator_table

        return generator_table(result)
    return _folder_table(result) if "shapes" in result else _pair_table(result)


def _compare(pred: Path, truth: Path, preset: Preset, seed: int) -> dict[str, Any]:
    measure = geogen_protocol if preset == "geogen" else evaluate
    return measure(read_mesh(pred), read_mesh(truth), seed=seed)


def _compare_folders(pred: Path, truth: Path, preset: Preset, seed: int) -> dict[str, Any]:
    preds, truths = _by_stem(pred), _by_stem(truth)
    common = sorted(set(preds) & set(truths))
    if not common:
        fault = f"none of its {len(preds)} meshes has the name of one of the {len(truths)} in {truth}"
        raise InputError(pred, fault, "name the files alike, whatever their suffix")
    shapes: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for stem in common:
        try:
            shapes[stem] = _compare(preds[stem], truths[stem], preset, seed)
        except IsofieldError as error:
            failed[stem] = str(error)
    if not shapes:
        raise InputError(pred, f"no pair could be compared, the first because {failed[common[0]]}", "mend the files")
    return {
        "shapes": shapes,
        "summary": _summary(list(shapes.values())),
        "failed": failed,
        "missing_predictions": sorted(set(truths) - set(preds)),
        "missing_truths": sorted(set(preds) - set(truths)),
    }


def _by_stem(folder: Path) -> dict[str, Path]:
    """Mesh files by name; of several with one name the first in the order .ply, .obj, .off, ... is taken."""
    order = [".ply", *(suffix for suffix in READABLE if suffix != ".ply")]
    files = [path for path in folder.iterdir() if path.suffix.lower() in READABLE and path.is_file()]
    files.sort(key=lambda path: (order.index(path.suffix.lower()), path.name), reverse=True)
    return {path.stem: path for path in files}


def _summary(results: list[dict[str, Any]]) -> dict[str, float]:
    """Median of each number over the shapes that have it; share of the shapes of which each yes-or-no is true."""
    columns = {key: [r[key] for r in results if isinstance(r.get(key), int | float)] for key in results[0]}
    kept = {
        key: values for key, values in columns.items() if values and key not in ("seed", "samples", "unit_length_user")
    }
    return {
        key: sum(values) / len(values) if isinstance(values[0], bool) else float(median(values))
        for key, values in kept.items()
    }


def _pair_table(result: dict[str, Any]) -> Table:
    geogen = result["preset"] == "geogen"
    shown = Table(title=f"{Path(result['prediction']).name} against {Path(result['truth']).name}", title_justify="left")
    shown.add_column("metric")
    for column in ("mean", "deviation") if geogen else ("unit frame", "user units"):
        shown.add_column(column, justify="right")
    if geogen:
        shown.caption = result["protocol"]
    about = ("prediction", "truth", "preset", "seed", "protocol")
    other = "deviation" if geogen else "user"
    for key, value in result.items():
        if key not in about and not key.endswith(f"_{other}"):
            shown.add_row(key, _text(value), _text(result.get(f"{key}_{other}", "")))
    return shown


def _folder_table(result: dict[str, Any]) -> Table:
    columns = GEOGEN_COLUMNS if result["preset"] == "geogen" else COLUMNS
    shown = Table(
        title=f"{result['prediction']} against {result['truth']}", title_justify="left", caption=_caption(result)
    )
    shown.add_column("shape")
    for column in columns:
        shown.add_column(column.replace("_", " "), justify="right")
    for stem, values in result["shapes"].items():
        shown.add_row(stem, *(_text(values[column]) for column in columns))
    shown.add_section()
    shown.add_row("median / share", *(_text(result["summary"].get(column)) for column in columns), style="bold")
    return shown


def _caption(result: dict[str, Any]) -> str:
    parts = ["lengths in the truth's unit frame" if result["preset"] == "default" else "GeoGen's protocol"]
    for key, meaning in (("missing_predictions", "no prediction for"), ("missing_truths", "no truth for")):
        if result[key]:
            parts.append(f"{meaning} {', '.join(result[key])}")
    parts += [f"{name} failed: {why}" for name, why in result["failed"].items()]
    return "; ".join(parts)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
