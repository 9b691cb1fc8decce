"""Pictures to look at: single views, strips with titles, error maps. (Imports torch.)"""

from os import PathLike

import numpy as np
import trimesh
from jaxtyping import Float, Shaped, UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import uniform_filter

from isofield.files import replacing
from isofield.frame import UnitFrame
from isofield.mesh.distance import MeshDistance
from isofield.mesh.paint import CLAY
from isofield.render.camera import Camera, Number, Vector, orbit
from isofield.render.colormap import error_colors, ramp, round_limit
from isofield.render.shade import draw, look, normals_seen, paint, picture

Picture = UInt8[np.ndarray, "h w 3"]
AnyPicture = UInt8[np.ndarray, "_ _ 3"]
INK = (40, 44, 52)
AZIMUTH, ELEVATION = 35.0, 20.0


def view(
    mesh: trimesh.Trimesh,
    size: int = 512,
    azimuth: Number = AZIMUTH,
    elevation: Number = ELEVATION,
    *,
    up: Vector | None = None,
    colors: Shaped[np.ndarray, "v 3"] | None = None,
    flat: bool = False,
) -> Picture:
    """A square picture that the mesh fills, in the colours it has. Angles in degrees, see `orbit`.

    up: the axis that points up, by default `likely_up`. colors: sRGB in [0, 1] per vertex, in place of the mesh's own.
    """
    frame = UnitFrame.of(_used(mesh))
    return picture(mesh, framing(mesh, frame, size, azimuth, elevation, up=up), frame=frame, colors=colors, flat=flat)


def framing(
    mesh: trimesh.Trimesh,
    frame: UnitFrame,
    size: int,
    azimuth: Number = AZIMUTH,
    elevation: Number = ELEVATION,
    *,
    up: Vector | None = None,
) -> Camera:
    """A camera in the unit frame that the mesh fills but for a margin."""
    vertices = _used(mesh)
    camera = orbit(azimuth, elevation, size=size, up=up or likely_up(vertices))
    local = (frame.to_unit(vertices) - camera.eye) @ camera.camera_to_world[:3, :3] @ camera.intrinsics.T
    pixels = local[:, :2] / local[:, 2:]
    low, high = pixels.min(0), pixels.max(0)
    return zoomed(camera, (low + high) / 2, min(0.94 * size / max(float((high - low).max()), 1e-6), 20.0))


def zoomed(camera: Camera, center: Shaped[np.ndarray, "2"], factor: float) -> Camera:
    """The same view enlarged, with the pixel position `center` in the middle."""
    middle = np.array([camera.width, camera.height]) / 2
    crop = np.array(
        [[factor, 0, middle[0] - factor * center[0]], [0, factor, middle[1] - factor * center[1]], [0, 0, 1]]
    )
    return Camera(camera.camera_to_world, crop @ camera.intrinsics, camera.width, camera.height)


def likely_up(vertices: Shaped[np.ndarray, "v 3"]) -> Vector:
    """z for what stands on the plane z = 0 and not on y = 0, as scans on a turntable do; else y, as glTF has it."""
    vertices = np.asarray(vertices, np.float64)
    low, extent = vertices.min(0), np.ptp(vertices, axis=0).max() or 1.0
    stands = np.abs(low) < 0.02 * extent
    return (0.0, 0.0, 1.0) if stands[2] and not stands[1] else (0.0, 1.0, 0.0)


def side_by_side(images: list[AnyPicture], titles: list[str]) -> Picture:
    """Pictures of equal height in one row, each under its title."""
    height, gap = images[0].shape[0], max(4, images[0].shape[0] // 40)
    font = font_of(height)
    head = int(font.size * 1.9)
    width = sum(image.shape[1] for image in images) + gap * (len(images) - 1)
    strip = Image.new("RGB", (width, height + head), "white")
    pen, x = ImageDraw.Draw(strip), 0
    for image, title in zip(images, titles, strict=True):
        strip.paste(Image.fromarray(image), (x, head))
        pen.text((x + image.shape[1] / 2, head / 2), title, fill=INK, font=font, anchor="mm")
        x += image.shape[1] + gap
    return np.array(strip)


def color_bar(height: int, limit: float, unit: str = "") -> Picture:
    """The scale of `error_colors`, from 0 at the bottom to `limit`, with numbers."""
    font = font_of(height, 0.75)
    labels = [f"{limit * k / 4:.3g}{' ' + unit if unit else ''}" for k in range(5)]
    bar, pad = max(8, height // 20), int(font.size)
    room = int(max(font.getlength(label) for label in labels))
    image = np.full((height, bar + room + 2 * pad, 3), 255, np.uint8)
    rows = np.linspace(1, 0, height - 2 * pad)
    image[pad : height - pad, :bar] = np.round(ramp(rows) * 255).astype(np.uint8)[:, None]
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    for k, label in enumerate(labels):
        y = height - pad - k / 4 * (height - 2 * pad)
        pen.text((bar + pad / 2, y), label, fill=INK, font=font, anchor="lm")
    return np.array(canvas)


def preview(
    truth: trimesh.Trimesh,
    result: trimesh.Trimesh,
    errors: Float[np.ndarray, " v"] | None = None,
    *,
    size: int = 400,
    up: Vector | None = None,
    unit: str = "",
) -> Picture:
    """Input, result, an uncoloured close-up of the result's faces, and its distance to the input, in one strip.

    errors: distance of each vertex of the result to the input, in the user's units; computed where not given.
    """
    frame = UnitFrame.of(_used(truth))
    camera = framing(truth, frame, size, up=up)
    if errors is None:
        errors = MeshDistance(truth.vertices, truth.faces).closest(result.vertices).distance
    limit = round_limit(errors)
    close = zoomed(camera, _liveliest(truth, camera, frame), 4.0)
    seen = look(result, camera, frame)
    images = [
        picture(truth, camera, frame=frame),
        paint(result, seen),
        picture(result, close, frame=frame, colors=np.tile(CLAY, (len(result.vertices), 1)), flat=True),
        paint(result, seen, error_colors(errors, limit)),
        color_bar(size, limit, unit),
    ]
    return side_by_side(images, ["input", "result", "result, close up", "distance to input", ""])


def save_png(image: Picture, path: str | PathLike) -> None:
    """Write a picture, whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG", optimize=True)


def _used(mesh: trimesh.Trimesh) -> Float[np.ndarray, "v 3"]:
    """The vertices that faces use: stray ones are not to be seen."""
    return np.asarray(mesh.vertices, np.float64)[np.unique(np.asarray(mesh.faces))]


def _liveliest(mesh: trimesh.Trimesh, camera: Camera, frame: UnitFrame) -> Float[np.ndarray, "2"]:
    """The pixel position around which the surface shows most detail."""
    fragments = draw(mesh, camera, frame)
    hit = fragments.face.numpy() >= 0
    normals = np.zeros((*hit.shape, 3))
    normals[hit] = normals_seen(mesh, fragments, camera)
    detail = np.stack([normals[..., k] - _blurred(normals[..., k], camera.width // 40) for k in range(3)], axis=-1)
    inside = _blurred(hit.astype(np.float64), camera.width // 40) > 0.999
    score = _blurred(np.where(inside, np.linalg.norm(detail, axis=-1), 0), camera.width // 4)
    y, x = np.unravel_index(int(score.argmax()), score.shape)
    return np.array([x + 0.5, y + 0.5])


def _blurred(image: Float[np.ndarray, "h w"], window: int) -> Float[np.ndarray, "h w"]:
    return uniform_filter(image, max(3, window), mode="constant")


def font_of(height: int, scale: float = 1.0) -> ImageFont.FreeTypeFont:
    """For the titles of a picture of this height."""
    font = ImageFont.load_default(size=max(11, int(height / 20 * scale)))
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
