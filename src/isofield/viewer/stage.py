"""A scene in viser: what was sent, and what must be sent anew."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from isofield.mesh.glb import glb_bytes
from isofield.viewer.scene import Dots, Scene, Solid
from isofield.viewer.slices import Slice


class Stage:
    """What is in the page's scene; only what changed is sent again."""

    def __init__(self, scene_api: Any):
        self.api = scene_api
        self.sent: dict[str, tuple[str, Any]] = {}

    def show(self, scene: Scene) -> None:
        self.api.set_up_direction(scene.up)
        before = set(self.sent)
        shown = {self._solid(solid) for solid in scene.solids} | {self._dots(dots) for dots in scene.dots}
        shown |= {self._slice(name, piece) for name, piece in scene.slices}
        shown |= {self._label(f"/{k}/name", text, position) for k, (text, position) in enumerate(scene.labels)}
        for name in before - shown:
            self.sent.pop(name)[1].remove()

    def _put(self, name: str, content: bytes, add: Callable[[], Any]) -> str:
        digest = hashlib.sha256(content).hexdigest()
        if name not in self.sent or self.sent[name][0] != digest:
            self.sent[name] = (digest, add())
        return name

    def _solid(self, solid: Solid) -> str:
        data = solid_glb(solid)
        return self._put(solid.name, data, lambda: self.api.add_glb(solid.name, data, cast_shadow=False))

    def _dots(self, dots: Dots) -> str:
        points, look = dots.points.astype(np.float32), {"point_size": dots.size / 2, "point_shape": "circle"}
        content = points.tobytes() + dots.colors.tobytes()
        return self._put(
            dots.name,
            content,
            lambda: self.api.add_point_cloud(dots.name, points, dots.colors, precision="float32", **look),
        )

    def _slice(self, name: str, piece: Slice) -> str:
        width, height = (float(np.linalg.norm(side)) for side in (piece.along, piece.across))
        middle = piece.origin + piece.along / 2 + piece.across / 2
        place = {"wxyz": image_turn(piece), "position": middle}
        return self._put(
            name,
            piece.image.tobytes() + middle.tobytes() + piece.along.tobytes(),
            lambda: self.api.add_image(name, piece.image, width, height, format="png", cast_shadow=False, **place),
        )

    def _label(self, name: str, text: str, position: tuple) -> str:
        return self._put(
            name,
            f"{text} {position}".encode(),
            lambda: self.api.add_label(name, text, position=position, anchor="center-center"),
        )


def solid_glb(solid: Solid) -> bytes:
    """The triangles as a .glb that is seen from both sides, with the normals of its corners."""
    vertex, faces, normals = merged_corners(solid.faces, solid.normals)
    if not len(faces):  # all of it cut away
        vertex, faces, normals = np.zeros(1, np.int64), np.zeros((1, 3), np.int64), np.array([[0.0, 0.0, 1.0]])
    return glb_bytes(solid.vertices[vertex], faces, normals, solid.colors[vertex], both_sides=True)


def merged_corners(
    faces: Int[np.ndarray, "f 3"], normals: Float[np.ndarray, "f 3 3"]
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, "f 3"], Float[np.ndarray, "n 3"]]:
    """Corners of one vertex that have one normal (to a part in a hundred) become one.

    Returns the vertex of each (n,), the faces over them, and their normals.
    """
    steps = np.round((normals.reshape(-1, 3) + 1) * 100).astype(np.int64)
    keys = ((faces.reshape(-1) * 256 + steps[:, 0]) * 256 + steps[:, 1]) * 256 + steps[:, 2]
    _, first, index = np.unique(keys, return_index=True, return_inverse=True)
    return faces.reshape(-1)[first], index.reshape(-1, 3), normals.reshape(-1, 3)[first]


def image_turn(piece: Slice) -> Float[np.ndarray, "4"]:
    """The rotation (w, x, y, z) that takes an image's right, down and away to the slice's along, minus across, and
    the rest of a right-handed system."""
    right, down = (side / np.linalg.norm(side) for side in (piece.along, -piece.across))
    x, y, z, w = Rotation.from_matrix(np.stack([right, down, np.cross(right, down)], axis=1)).as_quat()
    return np.array([w, x, y, z])
