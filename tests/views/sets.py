"""Small sets made by hand for the tests of this folder."""

import json
import math

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals

from isofield.render.camera import Camera
from isofield.render.light import FLAT
from isofield.render.render import Surface, render
from isofield.render.rig import around
from isofield.views.eg3d import label_of
from isofield.views.image_set import View
from isofield.views.nerf import to_opengl


def shape():
    """Nothing about it is symmetric: a box with three differently coloured and placed knobs."""
    parts = [trimesh.creation.box((0.5, 0.7, 0.4))]
    for center, radius in (((0.5, 0.3, 0.1), 0.25), ((-0.1, 0.5, 0.3), 0.2), ((0.1, -0.35, -0.5), 0.3)):
        parts.append(trimesh.creation.icosphere(2, radius).apply_translation(center))
    for part, color in zip(parts, ((200, 60, 60), (60, 200, 60), (60, 60, 200), (220, 200, 40)), strict=True):
        part.visual = ColorVisuals(part, vertex_colors=np.tile([*color, 255], (len(part.vertices), 1)))
    return trimesh.util.concatenate(parts)


def cameras(count=6, size=32, seed=0):
    return around(np.random.default_rng(seed), count, size, elevation=(-30.0, 50.0))


def odd_camera():
    """Not square, not centred."""
    camera = cameras(1)[0]
    return Camera(camera.camera_to_world, np.array([[90.0, 0, 21], [0, 80, 13], [0, 0, 1]]), 40, 30)


def pictures(views):
    """PNG of each camera, and the exact mask."""
    surface = Surface.of(shape())
    seen = [render(surface, camera, light=FLAT, samples=1) for camera in views]
    return [item.color for item in seen], [item.mask for item in seen]


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def eg3d_folder(folder, views=None, images=None):
    views = cameras() if views is None else views
    names = [f"thing/{index:03}.png" for index in range(len(views))]
    for name, image in zip(names, images or pictures(views)[0], strict=True):
        save(folder / name, image)
    labels = [[name, label_of(view)] for name, view in zip(names, views, strict=True)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def nerf_folder(folder, views=None):
    """As Blender's scripts write it: transparent pictures, paths without a suffix, one angle for all."""
    views = cameras() if views is None else views
    frames = []
    for index, (view, image, mask) in enumerate(zip(views, *pictures(views), strict=True)):
        save(folder / f"train/r_{index}.png", np.dstack([image, mask.astype(np.uint8) * 255]))
        frames.append({"file_path": f"./train/r_{index}", "transform_matrix": to_opengl(view).tolist()})
    angle = 2 * math.atan(views[0].width / (2 * views[0].intrinsics[0, 0]))
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": angle, "frames": frames}))
    return folder


def colmap_folder(folder, views=None):
    """By the format's own words: world-to-camera quaternion and translation."""
    views = cameras() if views is None else views
    lines = ["# comment"]
    for index, (view, image) in enumerate(zip(views, pictures(views)[0], strict=True)):
        save(folder / f"images/{index}.png", image)
        rotation = view.camera_to_world[:3, :3].T
        numbers = [*quaternion(rotation), *(-rotation @ view.eye)]
        lines += [f"{index + 1} {' '.join(map(repr, map(float, numbers)))} 1 {index}.png", "1.0 2.0 -1"]
    (folder / "sparse/0").mkdir(parents=True)
    (folder / "sparse/0/images.txt").write_text("\n".join(lines) + "\n")
    k = views[0].intrinsics
    line = f"1 PINHOLE {views[0].width} {views[0].height} {k[0, 0]} {k[1, 1]} {k[0, 2]} {k[1, 2]}"
    (folder / "sparse/0/cameras.txt").write_text(f"# comment\n{line}\n")
    return folder


def quaternion(rotation):
    """w, x, y, z of a rotation: the eigenvector of Bar-Itzhack's symmetric matrix (2000)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    k = np.array(
        [[a - e - i, d + b, g + c, h - f], [d + b, e - a - i, h + f, c - g], [g + c, h + f, i - a - e, d - b],
         [h - f, c - g, d - b, a + e + i]]
    )  # fmt: skip
    x, y, z, w = np.linalg.eigh(k)[1][:, -1]
    return w, x, y, z


def views_of(cameras_):
    return [View(f"{index}.png", camera) for index, camera in enumerate(cameras_)]
