"""`isofield view`: in the browser until Ctrl-C, or one picture."""

import sys
from pathlib import Path
from typing import Any

from isofield.errors import InputError
from isofield.render.pictures import save_png
from isofield.settings import ViewSettings
from isofield.viewer.items import Item, read_items
from isofield.viewer.scene import UPS, Choice, check_choice, compose
from isofield.viewer.screenshot import HEIGHT, screenshot
from isofield.viewer.server import Viewer, free_port, import_viser


def run_view(settings: ViewSettings) -> dict[str, Any]:
    """Show until Ctrl-C, or write the picture and return at once; returns the verb's JSON.

    Raises InputError for inputs that cannot be read, a choice that shows nothing, a port in use; IsofieldError without
    viser, which a screenshot does not need.
    """
    if settings.screenshot is None:
        import_viser()
        free_port(settings.host, settings.port)  # before anything is read
    else:
        _check_picture(settings.screenshot)
    items = read_items(settings.input, settings.truth)
    choice = start(items, settings)
    check_choice(items, choice)
    names = [item.name for item in items]
    if settings.screenshot is None:
        return {"items": names, "url": _serve(items, choice, settings), "screenshot": None, "notes": []}
    scene = compose(items, choice)
    save_png(screenshot(scene, HEIGHT), settings.screenshot)
    return {"items": names, "url": None, "screenshot": str(settings.screenshot), "notes": scene.notes}


def start(items: list[Item], settings: ViewSettings) -> Choice:
    """The choice that the view begins with; up is the first item's where not given."""
    guess = next(name for name, up in UPS.items() if up == items[0].up)
    return Choice(
        settings.colors, settings.resolution, settings.level, settings.slice, settings.at, settings.up or guess
    )


def _serve(items: list[Item], choice: Choice, settings: ViewSettings) -> str:
    with Viewer(items, choice, settings.host, settings.port) as viewer:
        print(f"view: {viewer.url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
        try:
            viewer.watch()
        except KeyboardInterrupt:
            print("view: closed", file=sys.stderr)
        return viewer.url


def _check_picture(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise InputError(path, "is no name for a picture", "let it end in .png")
    if not path.parent.is_dir():
        raise InputError(path, "its folder does not exist", "make it first")
