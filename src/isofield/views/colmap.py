"""COLMAP's text model: cameras.txt and images.txt.

cameras.txt: CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS in pixels. images.txt, two lines for each picture: IMAGE_ID QW QX
QY QZ TX TY TZ CAMERA_ID NAME, world-to-camera with OpenCV axes, and a line of points that is passed over.
"""

import posixpath
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from isofield.errors import InputError
from isofield.render.camera import Camera
from isofield.views import checks
from isofield.views.image_set import View, size_of
from isofield.views.store import Store

CAMERAS, IMAGES = "cameras.txt", "images.txt"
FOLDERS = ("", "sparse/0", "sparse", "sparse/0_text", "sparse_txt", "colmap/sparse/0")
PICTURES = ("images", "", "input")
FOCALS = {  # model -> (number of focal lengths, number of all parameters)
    "SIMPLE_PINHOLE": (1, 3), "PINHOLE": (2, 4), "SIMPLE_RADIAL": (1, 4), "RADIAL": (1, 5), "OPENCV": (2, 8),
    "FULL_OPENCV": (2, 12),
}  # fmt: skip
UNDISTORT = "undistort the pictures first (colmap image_undistorter)"
Lens = tuple[Float[np.ndarray, "3 3"], int, int]


def folder_of(store: Store) -> str | None:
    """Where in the store a text model lies; raises InputError for a binary one."""
    for folder in FOLDERS:
        names = {posixpath.join(folder, name) for name in (CAMERAS, IMAGES)}
        if names <= store.names:
            return folder
    for folder in FOLDERS:
        if posixpath.join(folder, "images.bin") in store.names:
            remedy = "convert it: colmap model_converter --output_type TXT"
            raise InputError(store.path / folder, "is a binary COLMAP model", remedy)
    return None


def read(store: Store, folder: str) -> tuple[list[View], list[InputError]]:
    """Views of a text model, and what is wrong with single pictures. Raises InputError where a file is damaged."""
    lenses = _lenses(f"{store.path}/{posixpath.join(folder, CAMERAS)}", _lines(store, posixpath.join(folder, CAMERAS)))
    where = f"{store.path}/{posixpath.join(folder, IMAGES)}"
    views: list[View] = []
    faults: list[InputError] = []
    for number, line in _lines(store, posixpath.join(folder, IMAGES), keep_empty=True)[::2]:
        try:
            views.append(_view(store, f"{where}: line {number}", line, lenses))
        except InputError as error:
            faults.append(error)
    if not views and not faults:
        raise InputError(where, "holds no picture", "export the model again")
    return views, faults


def text_of(views: Sequence[View]) -> dict[str, str]:
    """cameras.txt, images.txt and an empty points3D.txt of these views."""
    lenses: dict[str, int] = {}
    images = ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME; POINTS2D"]
    for number, view in enumerate(views, 1):
        k, camera = view.camera.intrinsics, view.camera
        lens = " ".join(repr(float(x)) for x in (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
        which = lenses.setdefault(f"PINHOLE {camera.width} {camera.height} {lens}", len(lenses) + 1)
        rotation = camera.camera_to_world[:3, :3].T
        x, y, z, w = Rotation.from_matrix(rotation).as_quat()
        place = [w, x, y, z, *(-rotation @ camera.eye)]
        images += [f"{number} {' '.join(repr(float(v)) for v in place)} {which} {view.name}", ""]
    cameras = ["# CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]", *(f"{which} {lens}" for lens, which in lenses.items())]
    return {CAMERAS: "\n".join(cameras) + "\n", IMAGES: "\n".join(images) + "\n", "points3D.txt": ""}


def _lenses(where: str, lines: list[tuple[int, str]]) -> dict[str, Lens]:
    lenses: dict[str, Lens] = {}
    for number, line in lines:
        here, words = f"{where}: line {number}", line.split()
        if len(words) < 5:
            raise InputError(here, "is no camera", "write CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS")
        lenses[words[0]] = _lens(here, words[1], words[2:])
    return lenses


def _lens(where: str, model: str, words: list[str]) -> Lens:
    if model not in FOCALS:
        raise InputError(where, f"its model {model} is no pinhole", UNDISTORT)
    focals, count = FOCALS[model]
    width, height = (int(checks.positive(where, value, "its size")) for value in _numbers(where, words[:2], 2))
    values = _numbers(where, words[2:], count)
    fx, fy = values[0], values[focals - 1]
    cx, cy = values[focals : focals + 2]
    bent = [value for value in values[focals + 2 :] if abs(value) > 1e-9]
    if bent:
        raise InputError(where, f"its lens is distorted ({bent[0]:g})", UNDISTORT)
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return checks.intrinsics(where, matrix, width, height), width, height


def _view(store: Store, where: str, line: str, lenses: dict[str, Lens]) -> View:
    words = line.split(maxsplit=9)
    if len(words) < 10:
        raise InputError(where, "is no picture", "write IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME")
    values, which, path = np.array(_numbers(where, words[1:8], 7)), words[8], words[9].strip()
    if which not in lenses:
        raise InputError(where, f"camera {which} is not in {CAMERAS}", "export the model again")
    matrix, width, height = lenses[which]
    name = _picture(store, where, path)
    size = size_of(store, name)
    if size != (width, height):
        fault = f"{name} is {size[0]} x {size[1]}, its camera says {width} x {height}"
        raise InputError(where, fault, "give the pictures that the model was made from")
    return View(name, Camera(_pose(where, values), matrix, width, height))


def _pose(where: str, values: Float[np.ndarray, "7"]) -> Float[np.ndarray, "4 4"]:
    length = float(np.linalg.norm(values[:4]))
    if abs(length - 1) > 1e-3:
        raise InputError(where, f"its quaternion has length {length:.4g}, not 1", "export the model again")
    w, x, y, z = values[:4] / length
    rotation = Rotation.from_quat([x, y, z, w]).as_matrix()
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.T, -rotation.T @ values[4:]
    return pose


def _picture(store: Store, where: str, path: str) -> str:
    for folder in PICTURES:
        name = posixpath.normpath(posixpath.join(folder, path))
        if name in store.names:
            return name
    raise InputError(where, f"{path} is not there", "put the pictures into the folder images")


def _numbers(where: str, words: list[str], count: int) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        raise InputError(where, f"{wrong!r:.40} is no number", "export the model again") from None
    return checks.numbers(where, values, count, "it").tolist()


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _lines(store: Store, name: str, *, keep_empty: bool = False) -> list[tuple[int, str]]:
    """Numbered lines without comments."""
    try:
        text = store.read(name).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{store.path}/{name}", f"is no text: byte {error.start}", "export it again") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not line.lstrip().startswith("#")]
    return lines if keep_empty else [(number, line) for number, line in lines if line.strip()]
