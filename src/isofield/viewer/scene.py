"""Items and a choice of how to look at them -> what is drawn where, in which colours. Nothing here knows a browser."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer, UInt8

from isofield.cloud.cloud import Cloud
from isofield.errors import InputError
from isofield.fields.field import Field
from isofield.render.camera import Vector
from isofield.render.colormap import round_limit
from isofield.settings.common import Axis, Colors
from isofield.viewer.drawn import Drawn, Points, Surface, colored, drawn, note, spacing
from isofield.viewer.items import Item
from isofield.viewer.layout import Place, View, side_by_side, start_view, to_scale, view_axes
from isofield.viewer.slices import Slice, slice_of

UPS: dict[str, Vector] = {"y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
AXES: tuple[Axis, ...] = ("x", "y", "z")
MARGIN = 0.12  # unit lengths that a slice reaches beyond the shape
LABEL = 0.12  # scene units between an item and its name
SLICE_PIXELS = 320
WIDTH = 2.4  # of a point, in median distances to the nearest: points spread at random then leave few gaps


@dataclass(frozen=True)
class Choice:
    """How to look: resolution and level are for runs; `at` is where the slice lies; level and at in unit lengths."""

    colors: Colors = "own"
    resolution: int = 128
    level: float = 0.0
    slice: Axis | None = None
    at: float = 0.0
    up: str = "y"


@dataclass(frozen=True, eq=False)
class Solid:
    """Triangles in the scene, with unit normals at corners and sRGB at vertices."""

    name: str
    vertices: Float[np.ndarray, "v 3"]
    faces: Integer[np.ndarray, "f 3"]
    normals: Float[np.ndarray, "f 3 3"]
    colors: UInt8[np.ndarray, "v 3"]


@dataclass(frozen=True, eq=False)
class Dots:
    """Points in the scene, each to be drawn `size` wide."""

    name: str
    points: Float[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    size: float


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn. limit: percent of the radius at the dark end of the error colours; notes: a line per item."""

    solids: list[Solid]
    dots: list[Dots]
    slices: list[tuple[str, Slice]]
    labels: list[tuple[str, Vector]]
    notes: list[str]
    limit: float | None
    outline: Float[np.ndarray, "n 3"]
    up: Vector

    def view(self, aspect: float) -> View:
        """The start view for a picture of this width over height."""
        return start_view(self.outline, self.up, aspect)


@dataclass(frozen=True)
class Offer:
    """Which choices make sense for some items."""

    colors: tuple[Colors, ...]
    levels: bool
    slices: bool


def offer(items: list[Item]) -> Offer:
    sensible: dict[Colors, bool] = {
        "own": any(item.has_color for item in items),
        "plain": True,
        "error": any(item.truth is not None for item in items),
        "seen": any(item.seen is not None or item.scan is not None for item in items),
    }
    return Offer(
        tuple(color for color, makes_sense in sensible.items() if makes_sense),
        levels=any(isinstance(item.shape, Field) for item in items),
        slices=not all(isinstance(item.shape, Cloud) for item in items),
    )


def check_choice(items: list[Item], choice: Choice) -> None:
    """Raise InputError for a choice that shows nothing with these items."""
    offered = offer(items)
    if choice.colors == "error" and "error" not in offered.colors:
        raise InputError("--colors error", "there is nothing to measure against", "give the true mesh as --truth")
    if choice.colors == "seen" and "seen" not in offered.colors:
        fault = "no mesh has a vertex property `seen`, and no run was fitted to points that can be found"
        raise InputError("--colors seen", fault, "choose own, plain or error")
    if choice.slice is not None and not offered.slices:
        raise InputError("--slice", "a cloud has no signed distance", "fit it first, and view the run")


def compose(items: list[Item], choice: Choice, draw: Callable[..., Drawn] = drawn) -> Scene:
    """Everything that the choice shows of the items, side by side in the scene's coordinates.

    draw: `drawn`, or what remembers its results; called without resolution and level where they change nothing.
    """
    up, cut = UPS[choice.up], _Cut.of(choice)
    boxes = [item.outline if cut is None or isinstance(item.shape, Cloud) else _box(item) for item in items]
    places = side_by_side([item.outline for item in items], up, boxes)
    wanted = choice.resolution, choice.level
    parts = [draw(item, *wanted) if isinstance(item.shape, Field) else draw(item) for item in items]
    limit = _limit(parts) if choice.colors == "error" else None
    solids, dots, slices = [], [], []
    for k, (part, place) in enumerate(zip(parts, places, strict=True)):
        colors = colored(part, choice.colors, limit or 1.0, up)
        if isinstance(part, Points):
            dots.append(_dots(f"/{k}/points", part, colors, place))
            continue
        if len(part.mesh.faces):
            solids.append(_solid(f"/{k}/surface", part, colors, place, cut))
        if cut is not None:
            slices.append((f"/{k}/slice", _placed(cut.slice(part.item, choice.level), place)))
    outline = [place.to_scene(box) for place, box in zip(places, boxes, strict=True)]
    labels = [(item.name, _above(points, up)) for item, points in zip(items, outline, strict=True)]
    notes = [note(part) for part in parts]
    if not to_scale([item.outline for item in items]):
        notes.append("Sizes differ too much to be shown in one scale.")
    everything = np.concatenate([*outline, np.array([position for _, position in labels])])
    return Scene(solids, dots, slices, labels, notes, limit, everything, up)


@dataclass(frozen=True)
class _Cut:
    """A plane of the unit frame across an axis; what lies between it and the start view is cut away."""

    axis: int
    at: float
    side: float  # sign of the half space that is cut away

    @classmethod
    def of(cls, choice: Choice) -> "_Cut | None":
        if choice.slice is None:
            return None
        axis = AXES.index(choice.slice)
        return cls(axis, choice.at, -float(np.sign(view_axes(UPS[choice.up])[axis, 2]) or -1.0))

    def slice(self, item: Item, level: float) -> Slice:
        assert item.sdf is not None
        box = item.frame.to_unit(_box(item))
        shown = level if isinstance(item.shape, Field) else 0.0
        return slice_of(item.sdf, self.axis, self.at, box.min(0), box.max(0), SLICE_PIXELS, shown)

    def kept(self, surface: Surface) -> Bool[np.ndarray, " f"]:
        """The faces of which nothing lies on the side that is cut away."""
        height = (surface.item.frame.to_unit(surface.mesh.vertices)[:, self.axis] - self.at) * self.side
        return np.all(height[surface.mesh.faces] <= 0, axis=1)


def _limit(parts: list[Drawn]) -> float:
    known = [part.errors for part in parts if part.errors is not None and len(part.errors)]
    return round_limit(np.concatenate(known)) if known else 1.0


def _solid(name: str, surface: Surface, colors: np.ndarray, place: Place, cut: _Cut | None) -> Solid:
    kept = slice(None) if cut is None else cut.kept(surface)
    vertices, faces = place.to_scene(surface.mesh.vertices), np.asarray(surface.mesh.faces)
    return Solid(name, vertices, faces[kept], surface.normals[kept], colors)


def _dots(name: str, part: Points, colors: np.ndarray, place: Place) -> Dots:
    points = place.to_scene(part.cloud.points)
    return Dots(name, points, colors, float(np.clip(WIDTH * spacing(points), 0.008, 0.1)))


def _placed(piece: Slice, place: Place) -> Slice:
    along, across = place.turned(np.stack([piece.along, piece.across]))
    return Slice(place.to_scene(piece.origin[None])[0], along, across, piece.image)


def _box(item: Item) -> np.ndarray:
    """Corners of the outline's box and a margin, in the user's coordinates: what slices cover."""
    unit = item.frame.to_unit(item.outline)
    corners = np.stack(np.meshgrid(*np.stack([unit.min(0) - MARGIN, unit.max(0) + MARGIN], 1)), -1)
    return item.frame.to_user(corners.reshape(-1, 3))


def _above(points: np.ndarray, up: Vector) -> Vector:
    """Over the middle of the points as the start view shows them."""
    axes = view_axes(up)
    local = points @ axes
    middle = (local.min(0) + local.max(0)) / 2
    middle[1] = local[:, 1].min() - LABEL
    x, y, z = (axes @ middle).tolist()
    return x, y, z
