"""The command: `isofield VERB INPUT -o OUTPUT`. Nothing heavy is imported before a verb runs."""

import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import tyro

from isofield import __version__
from isofield.console import answering, explain, json_text, rendered, show_warning, table_text
from isofield.data import generators, located
from isofield.errors import InputError, IsofieldError
from isofield.files import check_exists, real_path
from isofield.settings.families import (
    GenerateSettings,
    InvertSettings,
    ReconstructSettings,
    SampleSettings,
    SynthesizeSettings,
    TrainGeoGenSettings,
    TrainSettings,
    TrainSpaceSettings,
)
from isofield.settings.pictures import ConvertSettings, RenderSettings
from isofield.settings.shapes import (
    DemoSettings,
    EvaluateSettings,
    FitSettings,
    InspectSettings,
    MeshSettings,
    RepairSettings,
    ViewSettings,
)

DESCRIPTION = "Any mesh in, a signed distance field in the middle, a closed and coloured mesh out, measured."
_HELP_INDENT = " " * 9  # what the parser repeats of an option's help below its name
_RULE = re.compile(r"\s*[─-]{5,}\s*")


class Answer(NamedTuple):
    """What a verb has to say: JSON for --json, text for people."""

    json: Any
    text: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0, 2 for bad usage or input, 1 for anything else."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    warnings.showwarning = show_warning
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that temporary files are removed
    if arguments == ["--version"]:
        print(f"isofield {__version__}")
        return 0
    try:
        settings, verb = _parse(arguments)
        with answering(alone=settings.json):
            answer = verb(settings)
        print(json_text(answer.json) if settings.json else answer.text, end="", flush=True)
    except BrokenPipeError:  # the reader went away; nothing is left to tell it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in arguments:
            traceback.print_exc()
        code, line = explain(error)
        print(f"isofield: {line}", file=sys.stderr)
        return code
    return 0


def _inspect(settings: InspectSettings) -> Answer:
    check_exists(settings.input)
    from isofield.cloud.inspect import inspect_cloud
    from isofield.cloud.read import looks_like_cloud
    from isofield.mesh.inspect import inspect
    from isofield.views.read import is_views

    if is_views(settings.input):
        return _inspect_views(settings)
    if settings.output is not None:
        raise InputError("--output", "is for sets of pictures", "leave it out")
    inspection = inspect_cloud(settings.input) if looks_like_cloud(settings.input) else inspect(settings.input)
    return Answer(inspection.to_json(), f"{inspection}\n")


def _inspect_views(settings: InspectSettings) -> Answer:
    from isofield.views.inspect import inspect_views

    inspection = inspect_views(settings.input)
    if settings.output is not None:
        from isofield.render.pictures import save_png
        from isofield.views.chart import chart
        from isofield.views.read import scan

        save_png(chart(scan(settings.input)[0]), settings.output)
    return Answer(inspection.to_json(), f"{inspection}\n")


def _learned(path: Path) -> Path:
    """Where a run or a mesh lies, or the bundled generator of that name. Raises InputError where there is neither."""
    found = located(path)
    if not found.exists() and len(path.parts) == 1 and not path.suffix:
        near = get_close_matches(path.name, generators(), 1)
        meant = f"; perhaps you meant the bundled {near[0]}" if near else f" (bundled are: {', '.join(generators())})"
        raise InputError(path, "does not exist", f"check the path{meant}")
    check_exists(found)
    return found


def _fit(settings: FitSettings) -> Answer:
    check_exists(settings.input)
    real_path(settings.output)
    from isofield.tasks.fit import run_fit
    from isofield.tasks.results import described

    report = run_fit(settings)
    return Answer(report, described(report, settings.output))


def _mesh(settings: MeshSettings) -> Answer:
    _learned(settings.input)
    from isofield.tasks.mesh import run_mesh

    report = run_mesh(settings)
    return Answer(report, table_text(report))


def _repair(settings: RepairSettings) -> Answer:
    check_exists(settings.input)
    from isofield.tasks.repair import described, run_repair

    report = run_repair(settings)
    return Answer(report, described(report))


def _evaluate(settings: EvaluateSettings) -> Answer:
    _learned(settings.prediction)
    for path in (settings.truth, settings.meshes, settings.features, settings.identity):
        if path is not None:
            check_exists(path)
    from isofield.tasks.evaluate import run_evaluate, table

    report = run_evaluate(settings)
    return Answer(report, rendered(table(report)))


def _view(settings: ViewSettings) -> Answer:
    for path in (*settings.input, *([settings.truth] if settings.truth else [])):
        _learned(path)
    from isofield.viewer import run_view

    report = run_view(settings)
    return Answer(report, "".join(f"{line}\n" for line in (*report["notes"], report["screenshot"]) if line))


def _render(settings: RenderSettings) -> Answer:
    check_exists(settings.input)
    from isofield.tasks.render import run_render

    report = run_render(settings)
    return Answer(report, table_text(report))


def _convert(settings: ConvertSettings) -> Answer:
    check_exists(settings.input)
    from isofield.tasks.convert import run_convert

    report = run_convert(settings)
    return Answer(report, table_text(report))


def _synthesize(settings: SynthesizeSettings) -> Answer:
    real_path(settings.output)
    from isofield.tasks.synthesize import run_synthesize

    report = run_synthesize(settings)
    return Answer(report, table_text(report))


def _sample(settings: SampleSettings) -> Answer:
    check_exists(settings.input)
    if settings.classes is not None:
        check_exists(settings.classes)
    from isofield.tasks.sample import run_sample

    report = run_sample(settings)
    return Answer(report, table_text(report))


def _train_space(settings: TrainSpaceSettings) -> Answer:
    check_exists(settings.input)
    for path in (settings.descriptions, settings.text_model):
        if path is not None:
            check_exists(path)
    real_path(settings.output)
    from isofield.tasks.train_space import run_train_space

    report = run_train_space(settings)
    return Answer(report, table_text({key: value for key, value in report.items() if key != "shapes"}))


def _train_geogen(settings: TrainGeoGenSettings) -> Answer:
    check_exists(settings.input)
    real_path(settings.output)
    from isofield.tasks.train_geogen import run_train_geogen

    report = run_train_geogen(settings)
    return Answer(report, table_text(report))


def _generate(settings: GenerateSettings) -> Answer:
    _learned(settings.input)
    real_path(settings.output)
    from isofield.tasks.generate import described, run_generate

    report = run_generate(settings)
    return Answer(report, described(report, settings.output))


def _reconstruct(settings: ReconstructSettings) -> Answer:
    check_exists(settings.input)
    real_path(settings.output)
    from isofield.tasks.reconstruct import described, run_reconstruct

    report = run_reconstruct(settings)
    return Answer(report, described(report, settings.output))


def _invert(settings: InvertSettings) -> Answer:
    prior = _learned(settings.prior)
    for path in (*settings.input, *([settings.perceptual] if settings.perceptual else [])):
        check_exists(path)
    real_path(settings.output)
    from isofield.tasks.invert import described, run_invert

    report = run_invert(replace(settings, prior=prior))
    return Answer(report, described(report, settings.output))


def _demo(settings: DemoSettings) -> Answer:
    if settings.output.exists() and not settings.output.is_dir():
        raise InputError(settings.output, "is a file", "name a folder")
    from isofield.demo import run_demo

    report = run_demo(settings)
    return Answer(report, f"{settings.output / 'index.html'}\n")


VERBS: dict[str, tuple[type, Callable[[Any], Answer]]] = {
    "inspect": (InspectSettings, _inspect),
    "fit": (FitSettings, _fit),
    "mesh": (MeshSettings, _mesh),
    "repair": (RepairSettings, _repair),
    "evaluate": (EvaluateSettings, _evaluate),
    "view": (ViewSettings, _view),
    "render": (RenderSettings, _render),
    "convert": (ConvertSettings, _convert),
    "synthesize": (SynthesizeSettings, _synthesize),
    "sample": (SampleSettings, _sample),
    "train auto-decoder": (TrainSpaceSettings, _train_space),
    "train geogen": (TrainGeoGenSettings, _train_geogen),
    "generate": (GenerateSettings, _generate),
    "reconstruct": (ReconstructSettings, _reconstruct),
    "invert": (InvertSettings, _invert),
    "demo": (DemoSettings, _demo),
}
# What the parser is told: of two words the second is a verb of the first
PARSED: dict[str, Callable[..., Any]] = {
    name.split()[0]: settings if " " not in name else TrainSettings for name, (settings, _) in VERBS.items()
}


class _UsageError(IsofieldError):
    exit_code = 2


def _parse(arguments: list[str]) -> tuple[Any, Callable[[Any], Answer]]:
    """Settings and verb of a command line; help and errors of use leave as SystemExit or _UsageError."""
    _check_words(arguments)
    said = StringIO()
    try:
        with redirect_stderr(said):
            settings = _read(arguments)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise _UsageError(_usage_line(said.getvalue(), arguments)) from None
    if not 0 <= getattr(settings, "seed", 0) < 1 << 63:
        raise InputError("--seed", f"{settings.seed} is out of range", "give a whole number from 0 to 2^63 - 1")
    return settings, dict(VERBS.values())[type(settings)]


def _check_words(arguments: list[str]) -> None:
    """Raise _UsageError where the first word is no verb, or the second no verb of it."""
    trained = [name.split()[1] for name in VERBS if " " in name]
    for number, known in enumerate([list(PARSED), trained if arguments[:1] == ["train"] else []]):
        word = next(iter(arguments[number : number + 1]), "-")
        if known and not word.startswith("-") and word not in known:
            close = get_close_matches(word, known, 1)
            meant = f" (perhaps you meant {close[0]})" if close else ""
            raise _UsageError(f"{word!r} is no verb{meant}; choose one of {', '.join(known)}")


def _read(arguments: list[str]) -> Any:
    settings = tyro.extras.subcommand_cli_from_dict(
        PARSED,
        prog="isofield",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
    )
    return settings.what if isinstance(settings, TrainSettings) else settings


def _usage_line(said: str, arguments: list[str]) -> str:
    """The parser's framed message in one line, with the option that was perhaps meant and the way to the help."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    framed = "╭" in plain  # otherwise, where UTF-8 cannot be printed, the title is a section of its own
    lines = [line.strip("│").rstrip() for line in plain.splitlines() if not line.startswith(("╭", "╰"))]
    sections = "\n".join("" if _RULE.fullmatch(line) else line or " " for line in lines).split("\n\n")
    first = sections[0 if framed or len(sections) == 1 else 1]
    fault = [line.strip() for line in first.splitlines() if not line.startswith(_HELP_INDENT)]
    meant = [lines[i + 1].split()[0] for i, line in enumerate(lines[:-1]) if "Perhaps you meant" in line]
    words = next((words for n in (2, 1) if (words := " ".join(arguments[:n])) in {*VERBS, *PARSED}), "")
    hint = f" (perhaps you meant {meant[0]})" if meant else ""
    told = " ".join(fault).split("Got errors:")[0].replace("'what.", "'").rstrip(". ")
    return f"{_plain_words(told)}{hint}; see {f'isofield {words}'.rstrip()} --help"


def _plain_words(told: str) -> str:
    """What the parser says of a value that it cannot read, without names of types."""
    fault = re.match(r"Error parsing (?:-\w/)?(--[\w-]+): .*?(INT|FLOAT|int|float|STR.*STR)\b", told)
    if not fault:
        return told
    option, kind = fault.groups()
    wanted = {"INT": "a whole number", "FLOAT": "a number"}.get(kind.upper(), f"{kind.count('STR')} words")
    given = " ".join(re.findall(r"'([^']*)'", told))
    return f"{option}: {given!r} is not {wanted}"
