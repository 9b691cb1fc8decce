"""A scene as a picture by our own renderer: no browser, no screen, the same bytes every time. (Imports torch.)"""

import numpy as np
import trimesh
from jaxtyping import Float
from PIL import Image, ImageDraw

from isofield.frame import UnitFrame
from isofield.render.camera import Camera
from isofield.render.pictures import INK, Picture, color_bar, font_of
from isofield.render.shade import look, paint
from isofield.viewer.layout import natural_aspect
from isofield.viewer.scene import Dots, Scene
from isofield.viewer.slices import Slice

HEIGHT = 600
SUPERSAMPLE = 2
Triangles = tuple[np.ndarray, np.ndarray, np.ndarray]  # vertices (v, 3), faces (f, 3), sRGB in [0, 1] (v, 3)


def screenshot(scene: Scene, height: int) -> Picture:
    """The scene from its start view, with names, and with the scale of the error colours where there is one."""
    width = round(height * natural_aspect(scene.outline, scene.up))
    camera = scene.view(width / height).camera(width, height)
    image = _named(rendered(scene, camera), scene, camera)
    if scene.limit is None:
        return image
    return np.concatenate([image, color_bar(height, scene.limit, "%")], axis=1)


def rendered(scene: Scene, camera: Camera) -> Picture:
    """The scene without names: solids are lit; points and slices show their colours as they are."""
    lit = [(solid.vertices, solid.faces, solid.colors / 255.0) for solid in scene.solids]
    bare = [dot_triangles(dots, camera) for dots in scene.dots] + [slice_triangles(piece) for _, piece in scene.slices]
    vertices, faces, colors = joined([*lit, *bare])
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    seen = look(mesh, camera, UnitFrame(), supersample=SUPERSAMPLE)
    face = seen.fragments.face.numpy()
    light = np.where(face[face >= 0] < sum(len(part[1]) for part in lit), seen.light, 1.0)
    return paint(mesh, seen._replace(light=light), colors)


def dot_triangles(dots: Dots, camera: Camera) -> Triangles:
    """A hexagon around each point, of the area of a disc of its size, square to the view."""
    right, down = camera.camera_to_world[:3, 0], camera.camera_to_world[:3, 1]
    angles = np.arange(6) * np.pi / 3
    radius = dots.size / 2 * np.sqrt(2 * np.pi / (3 * np.sqrt(3)))
    corners = radius * (np.cos(angles)[:, None] * right + np.sin(angles)[:, None] * down)
    vertices = (dots.points[:, None] + corners).reshape(-1, 3)
    fan = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]])
    faces = (6 * np.arange(len(dots.points))[:, None, None] + fan).reshape(-1, 3)
    return vertices, faces, np.repeat(dots.colors / 255.0, 6, axis=0)


def slice_triangles(piece: Slice) -> Triangles:
    """A lattice of triangles whose vertices are the pixel centres."""
    height, width, _ = piece.image.shape
    u, v = (np.arange(width) + 0.5) / width, 1 - (np.arange(height) + 0.5) / height
    vertices = piece.origin + u[None, :, None] * piece.along + v[:, None, None] * piece.across
    number = np.arange(height * width).reshape(height, width)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    faces = np.concatenate([np.stack(corner, -1).reshape(-1, 3) for corner in ((a, b, c), (a, c, d))])
    return vertices.reshape(-1, 3), faces, piece.image.reshape(-1, 3) / 255.0


def joined(parts: list[Triangles]) -> Triangles:
    if not parts:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64), np.zeros((0, 3))
    starts = np.cumsum([0, *(len(vertices) for vertices, _, _ in parts)])
    faces = [faces + start for (_, faces, _), start in zip(parts, starts[:-1], strict=True)]
    return np.concatenate([p[0] for p in parts]), np.concatenate(faces), np.concatenate([p[2] for p in parts])


def to_pixels(camera: Camera, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    local = (points - camera.eye) @ camera.camera_to_world[:3, :3] @ camera.intrinsics.T
    return local[:, :2] / local[:, 2:]


def _named(image: Picture, scene: Scene, camera: Camera) -> Picture:
    canvas = Image.fromarray(image)
    pen, font = ImageDraw.Draw(canvas), font_of(camera.height, 0.8)
    positions = to_pixels(camera, np.array([position for _, position in scene.labels]))
    for (text, _), (x, y) in zip(scene.labels, positions, strict=True):
        half = font.getlength(text) / 2
        x = min(max(x, half + 4), max(camera.width - half - 4, half + 4))
        pen.text((x, max(y, font.size / 2 + 4)), text, fill=INK, font=font, anchor="mm")
    return np.array(canvas)
