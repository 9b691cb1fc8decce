"""`isofield view`: in the browser until Ctrl-C, or one picture."""

import sys
from typing import Any

from isofield.errors import InputError
from isofield.render.pictures import save_png
from isofield.settings.shapes import ViewSettings
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
    elif settings.screenshot.suffix.lower() != ".png":
        raise InputError(settings.screenshot, "is no name for a picture", "let it end in .png")
    items = read_items(settings.input, settings.truth)
    choice = start(items, settings)
    check_choice(items, choice)
    names = [item.name for item in items]
    if settings.screenshot is None:
        _serve(items, choice, settings)
        return {"items": names, "screenshot": None, "notes": []}
    scene = compose(items, choice)
    save_png(screenshot(scene, HEIGHT), settings.screenshot)
    return {"items": names, "screenshot": str(settings.screenshot), "notes": scene.notes}


def start(items: list[Item], settings: ViewSettings) -> Choice:
    """The choice that the view begins with; up is the first item's where not given."""
    guess = next(name for name, up in UPS.items() if up == items[0].up)
    return Choice(
        settings.colors, settings.resolution, settings.level, settings.slice, settings.at, settings.up or guess
    )


def _serve(items: list[Item], choice: Choice, settings: ViewSettings) -> None:
    try:
        with Viewer(items, choice, settings.host, settings.port) as viewer:
            print(f"view: {viewer.url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
            viewer.watch()
    except KeyboardInterrupt:
        print("view: closed", file=sys.stderr)
