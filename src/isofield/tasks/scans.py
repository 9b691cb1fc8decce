"""Whatever was scanned, as observations that a code can be fitted to."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt

from isofield.cloud.clean import clean
from isofield.cloud.cloud import Cloud, frame_of
from isofield.cloud.normals import noise_level
from isofield.cloud.orient import with_normals
from isofield.cloud.read import looks_like_cloud, read_cloud
from isofield.errors import InputError
from isofield.fields.codes.observations import Colors, Observations
from isofield.files import check_exists
from isofield.frame import UnitFrame
from isofield.mesh.read import read_mesh
from isofield.mesh.sample import DEEPSDF_NEAR, sample
from isofield.render.camera import Camera
from isofield.samples import deepsdf
from isofield.samples.store import SUFFIX, read_about, read_arrays
from isofield.views import eg3d
from isofield.views.labels import Label, given_labels, nearby_label

COUNT = 30_000  # samples of a mesh
FEWEST = 16  # points
RAYS = 20_000  # of a sensor, that say where space is free
CLOSE = 0.02  # no nearer to what a ray hit, space before it counts as free
REACH, SMALL = 1.1, 0.1  # radii about the origin that a scan in the frame of a space keeps within, and exceeds
CELLS = 64  # of the box along each side, in which space is carved
DEPTH = ".depth.npy"


@dataclass(frozen=True)
class Scan:
    """observations: in the frame `frame`, which is that of the space unless the scan is to be aligned.

    What the result can be compared with: the true mesh, or the scanned points, in the user's coordinates.
    """

    kind: str
    seen: Observations
    frame: UnitFrame
    mesh: trimesh.Trimesh | None = None
    cloud: Cloud | None = None


def read_scan(path: Path, *, camera: Path | None = None, align: bool = False, seed: int = 0) -> Scan:
    """A mesh or the samples of one, in the unit frame of that shape; points, or a depth picture with its camera, in
    the frame of the space as they are.

    camera: of a depth picture, see `read_depth`. align: points have a unit frame of their own, from which they must
    then be brought to the space. Raises InputError for what is none of these, and for points that do not lie in the
    frame of a space.
    """
    check_exists(path)
    if path.name.endswith(DEPTH):
        cloud, view = read_depth(path, camera)
        return scan_of_points(cloud, view=view, align=align, seed=seed, kind="depth picture")
    if camera is not None:
        raise InputError("--camera", f"{path.name} is no depth picture", "leave it out, or give a NAME.depth.npy")
    if path.suffix == SUFFIX:
        about = read_about(path)
        return Scan("samples", _sampled(read_arrays(path)), UnitFrame.from_json(about["frame"]))
    if path.suffix.lower() == ".npz" and _is_deepsdf(path):
        return Scan("samples", _sampled(deepsdf.read_npz(path, seed)), UnitFrame())
    if looks_like_cloud(path):
        return scan_of_points(read_cloud(path), align=align, seed=seed)
    mesh = read_mesh(path)
    samples = sample(mesh, COUNT, seed=seed, near=DEEPSDF_NEAR, near_fraction=0.9, source=str(path))
    columns = {"points": samples.points, "sdf": samples.sdf}
    if samples.colors is not None:
        columns["colors"] = samples.colors * np.float32(255)
    return Scan("mesh", _sampled(columns), samples.frame, mesh=mesh)


@dataclass(frozen=True)
class DepthView:
    """depth (h, w): along the rays, infinite where nothing is hit."""

    camera: Camera
    depth: Float[np.ndarray, "h w"]

    def missed(self) -> Float[np.ndarray, "m 3"]:
        """Directions of the rays that hit nothing."""
        return self.camera.rays()[~np.isfinite(self.depth)]

    def clearance(self, frame: UnitFrame, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """How far around points of a unit frame all is free, at least: space carving on cells (Kutulakos and Seitz
        2000), less the diagonal of a cell. What the picture does not show is not free."""
        steps = (np.arange(CELLS) + 0.5) * (2 / CELLS) - 1
        centers = frame.to_user(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3))
        pixels, ahead = self.camera.project(centers)
        shown = (ahead > 0) & (pixels >= 0).all(1) & (pixels < self.depth.shape[::-1]).all(1)
        column, row = np.where(shown[:, None], pixels, 0).astype(int).T
        free = shown & (np.linalg.norm(centers - self.camera.eye, axis=1) < self.depth[row, column])
        wide = distance_transform_edt(free.reshape(CELLS, CELLS, CELLS)) * (2 / CELLS)
        x, y, z = ((points + 1) * (CELLS / 2)).astype(int).clip(0, CELLS - 1).T
        return np.maximum(wide[x, y, z] - np.sqrt(3) * (2 / CELLS), 0)


def read_depth(path: Path, camera: Path | None = None) -> tuple[Cloud, DepthView]:
    """What the pixels of NAME.depth.npy hit, in the world, and the view itself; with the colours of NAME.png, if any.

    camera: a file as for `given_labels`, with the label of NAME.png; by default the dataset.json of the set that it
    belongs to. Raises InputError.
    """
    label = _label_of(path, camera)
    try:
        depth = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(path, f"is no array ({error})", "render it again") from None
    if depth.ndim != 2 or depth.dtype.kind != "f":
        raise InputError(path, f"holds {depth.dtype} {depth.shape}, not floats by rows", "render it again")
    height, width = depth.shape
    return _unprojected(path, depth.astype(np.float64), eg3d.from_label(*label, width, height))


def scan_of_points(
    cloud: Cloud,
    *,
    view: "DepthView | None" = None,
    align: bool = False,
    seed: int = 0,
    kind: str = "points",
) -> Scan:
    """Of points in the frame of a space, or with `align` of a part of a shape anywhere; view: that they are from.

    Raises InputError as `read_scan` does.
    """
    cloud = clean(cloud)[0]
    if len(cloud) < FEWEST:
        raise InputError(cloud.source, f"has {len(cloud)} points", f"give at least {FEWEST}")
    frame = frame_of(cloud) if align else UnitFrame()
    if not align:
        _check_placed(cloud)
    return Scan(kind, surface_points(cloud, frame, view, seed), frame, cloud=cloud)


def surface_points(cloud: Cloud, frame: UnitFrame, view: "DepthView | None", seed: int) -> Observations:
    """Zeros on the points, distances beside them where their sides are known, free space before the sensors.

    cloud: cleaned; view: that it is from, which also tells what is free around free points; both in the user's
    coordinates.
    """
    rng = np.random.default_rng(seed)
    points, noise = frame.to_unit(cloud.points), float(noise_level(cloud.points)) / frame.scale
    free, rows, directions = [np.zeros((0, 3))], rng.permutation(len(points))[:RAYS], None
    if cloud.sensors is not None:
        origins = frame.to_unit(cloud.sensors)
        ways = points - origins
        length = np.linalg.norm(ways, axis=1, keepdims=True)
        directions = ways / np.maximum(length, 1e-12)
        gap = CLOSE + 3 * noise
        free.append(_along(rng, origins[rows], directions[rows], length[rows] - gap))
    if view is not None:
        ways = view.missed()
        origins = np.broadcast_to(frame.to_unit(view.camera.eye[None]), ways.shape)
        free.append(_along(rng, origins, ways, np.full((len(ways), 1), np.inf)))
    places = np.concatenate(free)
    clearance = None if view is None else _tensor(view.clearance(frame, places))
    colors = None
    if cloud.colors is not None:
        colors = Colors(
            _tensor(points), _tensor(cloud.colors / 255), None if directions is None else _tensor(directions)
        )
    normals, known = _normals(cloud), _tensor(points)
    return Observations.of_surface(known, normals, _tensor(places), noise, colors, clearance)


def _check_placed(cloud: Cloud) -> None:
    """InputError for points that are no part of a shape in the unit frame."""
    radius = np.linalg.norm(cloud.points, axis=1)
    outside, size = float((radius > REACH).mean()), float(np.ptp(cloud.points, axis=0).max()) / 2
    if outside > 0.05 or size < SMALL:
        fault = f"{outside:.0%} of its points lie outside the unit sphere" if outside > 0.05 else f"is {size:.2g} small"
        where = "where the shapes of a space lie, " if outside > 0.05 else "where they fill the unit sphere, "
        raise InputError(cloud.source, f"{fault}, {where}".rstrip(", "), "give --align, or bring it to their frame")


def _normals(cloud: Cloud) -> torch.Tensor | None:
    """Outward ones where they are given, or where sensors tell the side; of a part alone it cannot be told."""
    if cloud.normals is not None and cloud.normals.any(axis=1).all():
        return _tensor(cloud.normals)
    return _tensor(with_normals(cloud)[0].normals) if cloud.sensors is not None else None


def _along(
    rng: np.random.Generator, origins: np.ndarray, directions: np.ndarray, length: np.ndarray
) -> Float[np.ndarray, "k 3"]:
    """A point of each ray within the unit ball, no farther than `length`."""
    middle = -np.einsum("nd,nd->n", origins, directions)[:, None]
    nearest = origins + middle * directions
    half = np.sqrt(np.maximum(1 - (nearest**2).sum(1, keepdims=True), 0))
    near, far = np.maximum(middle - half, 0), np.minimum(middle + half, length)
    points = origins + (near + (far - near) * rng.random((len(origins), 1))) * directions
    return points[(far > near)[:, 0]]


def _sampled(columns: dict[str, np.ndarray]) -> Observations:
    points, sdf = _tensor(columns["points"]), _tensor(columns["sdf"])
    colors = None
    if "colors" in columns:
        directions = _tensor(columns["directions"]) if "directions" in columns else None
        colors = Colors(points, _tensor(columns["colors"]) / 255, directions)
    return Observations(points, sdf, points[:0], colors=colors)


def _label_of(path: Path, camera: Path | None) -> Label:
    picture = path.with_name(path.name.removesuffix(DEPTH) + ".png")
    label = nearby_label(picture) if camera is None else given_labels((picture,), camera)[0]
    if label is None:
        fault = f"has no camera: no {eg3d.FILE} above it names {picture.name}"
        raise InputError(path, fault, "give --camera, or keep it in the set that `isofield render` wrote")
    return label


def _unprojected(path: Path, depth: np.ndarray, camera: Camera) -> tuple[Cloud, DepthView]:
    rays, hit = camera.rays(), np.isfinite(depth)
    if not hit.any():
        raise InputError(path, "shows nothing", "give a depth picture of a shape")
    points = camera.eye + depth[hit][:, None] * rays[hit]
    sensors = np.broadcast_to(camera.eye, points.shape).copy()
    colors = _picture_colors(path, depth.shape)
    cloud = Cloud(points, colors=None if colors is None else colors[hit], sensors=sensors, source=str(path))
    return cloud, DepthView(camera, depth)


def _picture_colors(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    from PIL import Image

    picture = path.with_name(path.name.removesuffix(DEPTH) + ".png")
    if not picture.exists():
        return None
    try:
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return pixels if pixels.shape[:2] == shape else None


def _is_deepsdf(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"pos.npy", "neg.npy"} <= set(archive.namelist())


def _tensor(values: np.ndarray | None) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
