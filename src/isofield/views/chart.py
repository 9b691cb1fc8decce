"""A set of posed pictures as one picture: where the cameras stand, and a cube of the world drawn into what they see."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from isofield.errors import InputError
from isofield.render.camera import Camera, orbit
from isofield.render.pictures import INK, font_of
from isofield.views.image_set import ImageSet
from isofield.views.inspect import BINS
from isofield.views.poses import AXES, Poses, bearings, poses_of

SIDE = 640
SHOWN = 6  # pictures with the cube
MOST = 400  # frusta
FINE = 2  # drawn so many times larger, then reduced
RED, GREEN, BLUE = (214, 60, 60), (40, 150, 60), (50, 90, 220)
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
EDGES = [(i, j, k) for i in range(8) for k, bit in ((2, 1), (1, 2), (0, 4)) for j in [i ^ bit] if j > i]
COLORS = (RED, GREEN, BLUE)  # of edges along x, y, z


def chart(views: ImageSet) -> UInt8[np.ndarray, "h w 3"]:
    """Frusta around the point that all cameras look at, histograms of azimuth and elevation, and pictures with the
    edges of a cube around that point: along x red, along y green, along z blue."""
    cameras = [view.camera for view in views.views]
    poses = poses_of(cameras)
    half = _half_of_cube(cameras, poses)
    top = np.concatenate([_frusta(cameras, poses, half), _shown(views, poses, half)], axis=1)
    return np.concatenate([top, _histograms(cameras, poses, top.shape[1])])


def _frusta(cameras: list[Camera], poses: Poses, half: float) -> UInt8[np.ndarray, "_ _ 3"]:
    size, radius = SIDE * FINE, float(poses.distances.max()) * 1.25 + half
    x, y, z = poses.target.tolist()
    ux, uy, uz = AXES[poses.up or "+y"]
    eye = orbit(30, 25, 6 * radius, 2.9, size=size, target=(x, y, z), up=(ux, uy, uz))
    canvas = Image.new("RGB", (size, size), "white")
    pen = ImageDraw.Draw(canvas)
    _cube(pen, eye, poses.target, half, 2 * FINE)
    for camera in cameras[:: max(1, -(-len(cameras) // MOST))]:
        depth = 0.12 * radius
        corners = [(0, 0), (camera.width, 0), (camera.width, camera.height), (0, camera.height)]
        rays = np.array([np.linalg.inv(camera.intrinsics) @ (*corner, 1) for corner in corners])
        tips = camera.eye + depth * rays @ camera.camera_to_world[:3, :3].T
        points, _ = eye.project(np.vstack([camera.eye, tips]))
        pixels = [tuple(point) for point in points.tolist()]
        for k in range(4):
            pen.line([pixels[0], pixels[k + 1]], fill=(120, 120, 130), width=FINE)
            pen.line([pixels[k + 1], pixels[(k + 1) % 4 + 1]], fill=INK, width=2 * FINE if k == 0 else FINE)
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _shown(views: ImageSet, poses: Poses, half: float) -> UInt8[np.ndarray, "_ _ 3"]:
    """Some pictures spread over the set, three in a column, with the cube."""
    tile = SIDE // 3
    canvas = Image.new("RGB", (2 * tile, SIDE), "white")
    step = max(1, len(views) // SHOWN)
    for place, index in enumerate(range(0, min(len(views), SHOWN * step), step)):
        camera = views.views[index].camera
        factor = FINE * tile / max(camera.width, camera.height)
        try:
            picture = Image.fromarray(views.picture(index))
        except InputError:  # the report names it
            continue
        picture = picture.resize(
            (round(camera.width * factor), round(camera.height * factor)), Image.Resampling.BICUBIC
        )
        scaled = Camera(
            camera.camera_to_world, np.diag([factor, factor, 1]) @ camera.intrinsics, picture.width, picture.height
        )
        _cube(ImageDraw.Draw(picture), scaled, poses.target, half, 2 * FINE)
        small = picture.resize((picture.width // FINE, picture.height // FINE), Image.Resampling.LANCZOS)
        canvas.paste(small, (place // 3 * tile, place % 3 * tile))
    return np.asarray(canvas)


def _histograms(cameras: list[Camera], poses: Poses, width: int) -> UInt8[np.ndarray, "_ _ 3"]:
    azimuth, elevation = bearings(cameras, poses.target, poses.up)
    height, font = 150, font_of(280)
    canvas = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(canvas)
    parts = (("azimuth", azimuth, 180, 0), ("elevation", elevation, 90, width // 2))
    for title, values, limit, left in parts:
        counts = np.histogram(values, BINS, (-limit, limit))[0]
        step = (width // 2 - 40) / BINS
        pen.text((left + 20, 4), f"{title} (degrees), {len(cameras):,} pictures", fill=INK, font=font)
        for k, count in enumerate(counts):
            x, bar = left + 20 + k * step, (height - 60) * count / max(counts.max(), 1)
            pen.rectangle((x + 1, height - 24 - bar, x + step - 1, height - 24), fill=(120, 150, 200))
            if k % 3 == 0:
                pen.text((x, height - 20), f"{round(-limit + 2 * limit * k / BINS)}", fill=INK, font=font)
    return np.asarray(canvas)


def _cube(pen: ImageDraw.ImageDraw, camera: Camera, center: Float[np.ndarray, "3"], half: float, width: int) -> None:
    pixels, depth = camera.project(center + half * CORNERS)
    if (depth <= 1e-6).any():
        return
    for i, j, axis in EDGES:
        pen.line([tuple(pixels[i].tolist()), tuple(pixels[j].tolist())], fill=COLORS[axis], width=width)


def _half_of_cube(cameras: list[Camera], poses: Poses) -> float:
    """Half its side: it fills about two thirds of the usual picture."""
    fields = [d * min(c.width / c.intrinsics[0, 0], c.height / c.intrinsics[1, 1])
              for c, d in zip(cameras, poses.distances, strict=True)]  # fmt: skip
    return float(np.median(fields)) / 2 * 0.55
