"""The controls beside the scene, in viser."""

from collections.abc import Callable
from typing import Any

from isofield.render.pictures import color_bar
from isofield.settings.common import Colors
from isofield.viewer.scene import AXES, UPS, Choice, Offer

COLORS: dict[Colors, str] = {"own": "own", "plain": "plain", "error": "error", "seen": "seen / invented"}
OFF = "off"
DEEPEST, FINEST, COARSEST = 0.3, 384, 32  # ends of the sliders, unless the start lies beyond
BAR = 200  # pixels


class Panel:
    """The controls; `changed` is called when one of them is moved, `aim` when the camera is to be put back."""

    def __init__(self, gui: Any, offered: Offer, start: Choice, changed: Callable[[], None], aim: Callable[[], None]):
        names = [COLORS[color] for color in offered.colors]
        chosen = start.colors if start.colors in offered.colors else "plain"
        self.colors = gui.add_dropdown("Colours", names, initial_value=COLORS[chosen])
        self.bar = gui.add_image(color_bar(BAR, 1.0, "%"), label="Error, % of radius", visible=False)
        hint = "Signed distance of the surface shown, in unit lengths: the shape's radius is 0.97"
        ends = min(-DEEPEST, start.level), max(DEEPEST, start.level)
        self.level = gui.add_slider("Level", *ends, 0.005, start.level, visible=offered.levels, hint=hint)
        ends = min(COARSEST, start.resolution), max(FINEST, start.resolution)
        self.resolution = gui.add_slider("Resolution", *ends, 16, start.resolution, visible=offered.levels)
        self.slice = gui.add_dropdown("Slice", [OFF, *AXES], initial_value=start.slice or OFF, visible=offered.slices)
        self.at = gui.add_slider("Slice at", -1.0, 1.0, 0.01, start.at, visible=offered.slices)
        self.up = gui.add_dropdown("Up", list(UPS), initial_value=start.up)
        self.reset = gui.add_button("Reset camera")
        self.notes = gui.add_markdown("")
        for control in (self.colors, self.level, self.resolution, self.slice, self.at, self.up):
            control.on_update(lambda _: changed())
        self.reset.on_click(lambda _: aim())

    def choice(self) -> Choice:
        """What the controls say now."""
        colors = next(key for key, name in COLORS.items() if name == self.colors.value)
        return Choice(
            colors=colors,
            resolution=int(self.resolution.value),
            level=float(self.level.value),
            slice=None if self.slice.value == OFF else self.slice.value,
            at=float(self.at.value),
            up=self.up.value,
        )

    def say(self, lines: list[str]) -> None:
        self.notes.content = "\n\n".join(lines)

    def show_scale(self, limit: float | None) -> None:
        """The scale of the error colours up to `limit` percent, or none."""
        if limit is not None:
            self.bar.image = color_bar(BAR, limit, "%")
        self.bar.visible = limit is not None
