"""NeRF's transforms.json, as Blender scripts, instant-ngp and nerfstudio write it.

`frames`: file_path (often without a suffix) and transform_matrix, cam-to-world with OpenGL axes (x right, y up, z
backward). Intrinsics for all, or in a frame: fl_x, fl_y, cx, cy, w, h in pixels, or camera_angle_x in radians.
The world is left as it is: Blender's has z up.
"""

import json
import math
import posixpath
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from isofield.errors import InputError
from isofield.render.camera import Camera
from isofield.views import checks
from isofield.views.image_set import PICTURES, View, size_of
from isofield.views.store import Store

FILE = "transforms.json"
SPLITS = ("transforms_train.json", "transforms_val.json", "transforms_test.json")
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])  # between OpenGL's and OpenCV's camera axes, both ways
LENS = ("k1", "k2", "k3", "k4", "p1", "p2")
UNDISTORT = "undistort the pictures first (colmap image_undistorter)"


def read(store: Store, files: dict[str, Any]) -> tuple[list[View], list[InputError]]:
    """Views of all frames of these parsed files, and what is wrong with single frames.

    Raises InputError where a file holds no frames.
    """
    views: list[View] = []
    faults: list[InputError] = []
    seen: set[str] = set()
    for file, content in files.items():
        for number, frame in enumerate(_frames(f"{store.path}/{file}", content)):
            where = f"{store.path}/{file}: frame {number}"
            try:
                views.append(_view(store, where, posixpath.dirname(file), {**_globals(content), **frame}, seen))
            except InputError as error:
                faults.append(error)
    return views, faults


def cameras(where: str, content: Any, width: int, height: int) -> list[Camera]:
    """The cameras of a transforms.json alone, for pictures of this size; raises InputError."""
    return [
        _camera(f"{where}: frame {number}", {**_globals(content), **frame}, None).resized(width, height)
        for number, frame in enumerate(_frames(where, content))
    ]


def text_of(views: Sequence[View]) -> str:
    """transforms.json of these views; each frame has its own intrinsics, shared ones are stated once."""
    frames = [
        {"file_path": view.name, "transform_matrix": to_opengl(view.camera).tolist(), **_lens_of(view.camera)}
        for view in views
    ]
    first = _lens_of(views[0].camera)
    shared = {key: value for key, value in first.items() if all(frame[key] == value for frame in frames)}
    if shared.keys() == first.keys():
        shared["camera_angle_x"] = 2 * math.atan(first["w"] / (2 * first["fl_x"]))
    frames = [{key: value for key, value in frame.items() if key not in shared} for frame in frames]
    rows = ",\n".join(json.dumps(frame, allow_nan=False) for frame in frames)
    return json.dumps(shared, allow_nan=False)[:-1] + (", " if shared else "") + '"frames": [\n' + rows + "\n]}\n"


def to_opengl(camera: Camera) -> Float[np.ndarray, "4 4"]:
    return camera.camera_to_world @ OPENGL


def _view(store: Store, where: str, folder: str, frame: dict[str, Any], seen: set[str]) -> View:
    name = _picture(store, where, folder, frame.get("file_path"))
    if name in seen:
        raise InputError(where, f"{name} comes a second time", "keep one frame of them")
    seen.add(name)
    return View(name, _camera(f"{where} ({name})", frame, size_of(store, name)))


def _picture(store: Store, where: str, folder: str, path: Any) -> str:
    if not isinstance(path, str) or not path:
        raise InputError(where, "has no file_path", "name its picture")
    name = posixpath.normpath(posixpath.join(folder, path.replace("\\", "/")))
    if name.startswith(("..", "/")):
        raise InputError(where, f"its picture {path} lies outside of the set", "write paths relative to the JSON file")
    for suffix in ("", *PICTURES):
        if name + suffix in store.names:
            return name + suffix
    missing = name if PurePosixPath(name).suffix else f"{name}.png"
    raise InputError(where, f"{missing} is not there", "add the picture, or take the frame out")


def _camera(where: str, frame: dict[str, Any], size: tuple[int, int] | None) -> Camera:
    for key in LENS:
        if abs(float(checks.numbers(where, frame.get(key, 0), 1, key)[0])) > 1e-9:
            raise InputError(where, f"its lens is distorted ({key} = {frame[key]:g})", UNDISTORT)
    width, height = _size(where, frame, size)
    matrix = checks.numbers(where, frame.get("transform_matrix", []), 16, "transform_matrix").reshape(4, 4)
    fx, fy = _focals(where, frame, width, height)
    cx, cy = (
        float(checks.numbers(where, frame.get(key, side / 2), 1, key)[0])
        for key, side in (("cx", width), ("cy", height))
    )
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return checks.camera(where, matrix @ OPENGL, intrinsics, width, height)


def _size(where: str, frame: dict[str, Any], size: tuple[int, int] | None) -> tuple[int, int]:
    """Of the picture; where the file states one it must agree."""
    if "w" not in frame or "h" not in frame:
        if size is None and "camera_angle_x" not in frame:
            raise InputError(where, "states no size (w, h)", "add them")
        return size or (1000, 1000)
    width, height = (int(checks.positive(where, frame[key], key)) for key in ("w", "h"))
    if size is not None and size != (width, height):
        fault = f"its picture is {size[0]} x {size[1]}, the file says {width} x {height}"
        raise InputError(where, fault, "scale the pictures, or the intrinsics")
    return width, height


def _focals(where: str, frame: dict[str, Any], width: int, height: int) -> tuple[float, float]:
    if "fl_x" in frame:
        focal = checks.positive(where, frame["fl_x"], "fl_x")
        return focal, checks.positive(where, frame.get("fl_y", focal), "fl_y")
    if "camera_angle_x" not in frame:
        raise InputError(where, "states neither fl_x nor camera_angle_x", "add one of them")
    angle = checks.positive(where, frame["camera_angle_x"], "camera_angle_x")
    if angle >= math.pi:
        raise InputError(where, f"camera_angle_x is {angle:g}, beyond pi", "write it in radians")
    focal = width / (2 * math.tan(angle / 2))
    if "camera_angle_y" not in frame:
        return focal, focal
    other = checks.positive(where, frame["camera_angle_y"], "camera_angle_y")
    return focal, height / (2 * math.tan(other / 2))


def _lens_of(camera: Camera) -> dict[str, Any]:
    k = camera.intrinsics
    if abs(k[0, 1]) > 1e-9:
        raise InputError("transforms.json", "cannot hold skewed intrinsics", "choose EG3D's format")
    values = {"fl_x": k[0, 0], "fl_y": k[1, 1], "cx": k[0, 2], "cy": k[1, 2]}
    return {**{key: float(value) for key, value in values.items()}, "w": camera.width, "h": camera.height}


def _frames(where: str, content: Any) -> list[dict[str, Any]]:
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
        raise InputError(where, "holds no frames", 'write {"frames": [{"file_path": ..., "transform_matrix": ...}]}')
    return frames


def _globals(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key != "frames"}
