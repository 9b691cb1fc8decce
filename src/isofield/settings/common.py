"""What the settings of several verbs share."""

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import arg

from isofield.errors import InputError

Output = Annotated[Path, arg(aliases=("-o",))]
Unit = Literal["mm", "cm", "m", "in"]
Axis = Literal["x", "y", "z"]
Colors = Literal["own", "plain", "error", "seen"]
METERS: dict[Unit, float] = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}
MOST = {
    "resolution": 8192,
    "size": 8192,
    "crop": 8192,
    "samples": 9,
    "width": 1 << 14,
    "depth": 256,
}  # what is beyond fills any memory
BUDGET = 30.0  # seconds of a fit that is told no length


def config_of(settings: Any) -> dict[str, Any]:
    """The settings that decide a result, as JSON: those about where to write and what to print are left out."""
    ways = ("output", "restart", "json", "debug", "tensorboard")
    values = {key: value for key, value in asdict(settings).items() if key not in ways}
    return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}


def check_at_least(settings: Any, **least: int) -> None:
    """Raise InputError for a number below its bound, or beyond what any memory holds."""
    for name, bound in least.items():
        value = getattr(settings, name)
        if value is not None and value < bound:
            raise InputError(f"--{name}", f"{value} is too small", f"give at least {bound}")
        if value is not None and value > MOST.get(name, value):
            raise InputError(f"--{name}", f"{value} is too large", f"give at most {MOST[name]}")


def check_positive(settings: Any, *names: str) -> None:
    """Raise InputError for a number that is none, or not above zero."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"--{name}", f"{value} is out of range", "give a positive number")


def check_length(settings: Any, exact: str) -> None:
    """Raise InputError for a budget that is no time, or that is given beside an exact length."""
    if settings.budget is not None and not 0 < settings.budget < float("inf"):
        raise InputError("--budget", f"{settings.budget} seconds are no length", "give a positive number of seconds")
    if settings.budget is not None and getattr(settings, exact) is not None:
        raise InputError(f"--budget, --{exact}", "both give the length", "choose one")


def check_board(settings: Any) -> None:
    """Raise InputError where events are asked for that nothing here can write."""
    if settings.tensorboard and find_spec("tensorboard") is None:
        raise InputError("--tensorboard", "tensorboard is not installed", 'pip install "isofield[tensorboard]"')
