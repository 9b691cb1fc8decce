"""EG3D's dataset.json: {"labels": [[picture, 25 numbers], ...]}.

16 numbers: cam-to-world by rows, OpenCV axes (x right, y down, z forward); 9 numbers: intrinsics by rows, the first row
divided by the picture's width, the second by its height. What else the file holds its other readers pass over; we keep
the world's scale and where the shapes came from in it.
"""

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from isofield.errors import InputError
from isofield.render.camera import Camera
from isofield.views import checks
from isofield.views.image_set import PICTURES, TRUTH, View, World, beside, size_of
from isofield.views.store import Store

FILE = "dataset.json"
WRITE_LABELS = 'write {"labels": [["picture.png", [25 numbers]], ...]}'


def read(store: Store, content: Any) -> tuple[list[View], World, list[InputError]]:
    """Views, the world's scale, and what is wrong with single entries. Raises InputError where nothing can be read."""
    where = f"{store.path}/{FILE}"
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, list) or not labels:
        fault = "holds no labels" if isinstance(content, dict) else "is no JSON object"
        raise InputError(where, fault, WRITE_LABELS)
    views: list[View] = []
    faults: list[InputError] = []
    seen: set[str] = set()
    for number, entry in enumerate(labels):
        try:
            views.append(_view(store, f"{where}: label {number}", entry, seen))
        except InputError as error:
            faults.append(error)
    faults += [
        InputError(f"{store.path}/{name}", f"has no label in {FILE}", "add one, or take the picture out")
        for name in unlabelled(store, seen)
    ]
    return views, world_of(where, content.get("world")), faults


def cameras(where: str, content: Any, width: int, height: int) -> list[Camera]:
    """The cameras of a dataset.json alone, for pictures of this size; raises InputError."""
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, list) or not labels:
        raise InputError(where, "holds no labels", WRITE_LABELS)
    found = []
    for number, entry in enumerate(labels):
        _, values = _parts(f"{where}: label {number}", entry)
        found.append(from_label(f"{where}: label {number}", values, width, height))
    return found


def label_of(camera: Camera) -> list[float]:
    """The 25 numbers."""
    intrinsics = camera.intrinsics / np.array([[camera.width], [camera.height], [1]])
    return [*camera.camera_to_world.reshape(-1).tolist(), *intrinsics.reshape(-1).tolist()]


def from_label(where: str, label: Any, width: int, height: int) -> Camera:
    """The camera of 25 numbers, for a picture of this size; raises InputError."""
    values = checks.numbers(where, label, 25, "its label")
    scaled = values[16:].reshape(3, 3)
    if scaled[0, 0] > checks.FOCALS[1] or scaled[1, 2] > 3:
        raise InputError(where, "its intrinsics are in pixels", "divide them by the picture's size")
    intrinsics = scaled * np.array([[width], [height], [1]])
    return checks.camera(where, values[:16].reshape(4, 4), intrinsics, width, height)


def text_of(views: Sequence[View], world: World, shapes: dict[str, Any] | None = None) -> str:
    """dataset.json of these views; shapes: anything to keep about each shape."""
    about = {"radius": world.radius, "near": world.near, "far": world.far, "background": list(world.background)}
    head = json.dumps({"world": about, **({"shapes": shapes} if shapes else {})}, allow_nan=False)
    rows = [json.dumps([view.name, label_of(view.camera)], allow_nan=False) for view in views]
    return '{"labels": [\n' + ",\n".join(rows) + "\n],\n" + head[1:] + "\n"


def unlabelled(store: Store, labelled: set[str]) -> list[str]:
    """Pictures that no label names; the truth beside a labelled picture needs none."""
    truth = {beside(name, suffix) for name in labelled for suffix in TRUTH}
    pictures = {name for name in store.names if PurePosixPath(name).suffix.lower() in PICTURES}
    return sorted(pictures - labelled - truth)


def world_of(where: str, about: Any) -> World:
    """The scale that a set of ours keeps; nothing is known where there is none. Raises InputError."""
    if about is None:
        return World()
    if not isinstance(about, dict):
        raise InputError(where, "its world is no JSON object", "take it out")
    lengths = {
        key: None if about.get(key) is None else checks.positive(where, about[key], f"its world's {key}")
        for key in ("radius", "near", "far")
    }
    background = checks.numbers(where, about.get("background", [1, 1, 1]), 3, "its world's background")
    red, green, blue = background.tolist()
    return World(lengths["radius"], lengths["near"], lengths["far"], (red, green, blue))


def _view(store: Store, where: str, entry: Any, seen: set[str]) -> View:
    name, label = _parts(where, entry)
    if name in seen:
        raise InputError(where, f"{name} has a second label", "keep one of them")
    seen.add(name)
    if name not in store.names:
        raise InputError(where, f"{name} is not there", "add the picture, or take its label out")
    width, height = size_of(store, name)
    return View(name, from_label(f"{where} ({name})", label, width, height))


def _parts(where: str, entry: Any) -> tuple[str, Any]:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str):
        raise InputError(where, f"is {json.dumps(entry):.60}", WRITE_LABELS)
    return entry[0].replace("\\", "/"), entry[1]
