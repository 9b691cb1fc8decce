"""How fast meshes become pictures, and how near depth pictures come back to the mesh.

python benchmarks/rendering.py [--shapes 50 | --made FOLDER] [--fused 20] [--picture]

--made takes shapes that `isofield synthesize heads` made before, all of them. Ray casting by embreex and open3d is
measured beside it where they are installed. --picture only draws docs/images/rendered_scans.png from the scans beside
the repository, and --random VIEWS OUT.jpg only a sheet of pictures of a set, drawn by chance.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image
from scipy.spatial import cKDTree
from trimesh.visual import ColorVisuals

from common import ROOT, table, write_result
from isofield.frame import UnitFrame
from isofield.jobs import map_jobs
from isofield.mesh.area import sample_surface
from isofield.mesh.audit import audit
from isofield.mesh.distance import MeshDistance
from isofield.mesh.read import read_mesh
from isofield.meshing.fuse import fuse_depths, mesh_of_points
from isofield.render.camera import Camera, orbit
from isofield.render.pictures import zoomed
from isofield.render.rasterize import rasterize, rasterize_torch
from isofield.render.render import Surface, render
from isofield.settings.families import SynthesizeSettings
from isofield.settings.pictures import RenderSettings
from isofield.tasks.render import run_render
from isofield.tasks.synthesize import run_synthesize
from isofield.views.image_set import ImageSet
from isofield.views.read import read_views

FAMILY = "heads"
SCANS = ROOT.parent / "shared" / "data" / "scans"
SIZES = (128, 512)
SIDES = 10
COLUMNS = 12
FEW = 30  # shapes for processor time
NEAR = 2  # footprints of a pixel within which a point counts as seen


def measured_mesh() -> trimesh.Trimesh:
    """A bumpy ball of 81,920 faces with a colour at each vertex."""
    mesh = trimesh.creation.icosphere(6)
    x, y, z = np.asarray(mesh.vertices).T
    mesh.vertices = mesh.vertices * (0.85 + 0.1 * np.sin(7 * x) * np.sin(8 * y) * np.sin(9 * z))[:, None]
    rgb = np.round(127.5 * (1 + np.sin(12 * np.asarray(mesh.vertices)))).astype(np.uint8)
    mesh.visual = ColorVisuals(mesh, vertex_colors=np.column_stack([rgb, np.full(len(rgb), 255, np.uint8)]))
    return mesh


def milliseconds(draw: Callable[[Camera], Any], size: int, rounds: int) -> float:
    """Processor time a view, the median of some rounds of ten views; one thread."""
    cameras = [orbit(36 * side, 15, size=size) for side in range(SIDES)]
    draw(cameras[0])
    spent = []
    for _ in range(rounds):
        begun = time.process_time()
        for camera in cameras:
            draw(camera)
        spent.append((time.process_time() - begun) / SIDES * 1e3)
    return median(spent)


def unlit(mesh: trimesh.Trimesh, surface: Surface) -> Callable[[Camera], Any]:
    """The z-buffer with what the ray caster is asked for: depth and vertex colours."""
    colors, faces = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(np.float32), np.asarray(mesh.faces)

    def draw(camera: Camera) -> Any:
        face, weights, depth = (part.numpy() for part in rasterize(surface.vertices, surface.faces, camera))
        hit = face >= 0
        shown = np.full((*face.shape, 3), 255, np.float32)
        shown[hit] = np.einsum("nk,nkc->nc", weights[hit], colors[faces[face[hit]]])
        return depth, shown

    return draw


def ray_caster(mesh: trimesh.Trimesh) -> Callable[[Camera], Any]:
    """Embree: nearest face and depth of each pixel, then vertex colours."""
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    vertices, faces = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, vertices, faces)
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(np.float32)

    def draw(camera: Camera) -> Any:
        rays = camera.rays().reshape(-1, 3).astype(np.float32)
        eyes = np.repeat(camera.eye[None].astype(np.float32), len(rays), axis=0)
        hits = scene.run(eyes, rays, output=1)
        face, hit = hits["primID"], hits["primID"] >= 0
        u, v = hits["u"][hit], hits["v"][hit]
        weights = np.stack([1 - u - v, u, v], axis=1)
        shown = np.full((len(rays), 3), 255, np.float32)
        shown[hit] = np.einsum("nk,nkc->nc", weights, colors[faces[face[hit]]])
        return hits["tfar"], shown

    return draw


def open3d_caster(mesh: trimesh.Trimesh) -> Callable[[Camera], Any]:
    """The same by open3d's scene, which makes the rays itself."""
    from open3d.core import Tensor
    from open3d.t.geometry import RaycastingScene

    scene = RaycastingScene(nthreads=1)
    faces = np.asarray(mesh.faces)
    scene.add_triangles(Tensor(np.asarray(mesh.vertices, np.float32)), Tensor(faces.astype(np.uint32)))
    colors = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(np.float32)

    def draw(camera: Camera) -> Any:
        pose = np.linalg.inv(camera.camera_to_world)
        rays = scene.create_rays_pinhole(Tensor(camera.intrinsics), Tensor(pose), camera.width, camera.height)
        hits = scene.cast_rays(rays, nthreads=1)
        depth, face, uv = (hits[key].numpy() for key in ("t_hit", "primitive_ids", "primitive_uvs"))
        hit = np.isfinite(depth)
        u, v = uv[hit].T
        shown = np.full((*hit.shape, 3), 255, np.float32)
        shown[hit] = np.einsum("nk,nkc->nc", np.stack([1 - u - v, u, v], axis=1), colors[faces[face[hit]]])
        return depth, shown

    return draw


def speed(rounds: int) -> dict:
    mesh = measured_mesh()
    surface = Surface.of(mesh)
    points, faces = surface.vertices, surface.faces
    ways: dict[str, Callable[[Camera], Any]] = {
        "z-buffer, compiled: face, depth, barycentric": lambda camera: rasterize(points, faces, camera),
        "z-buffer, compiled: unlit colour, depth": unlit(mesh, surface),
        "z-buffer, plain torch: face, depth, barycentric": lambda camera: rasterize_torch(points, faces, camera),
        "render, 1 sample a pixel: lit colour, depth, normals, mask": lambda camera: render(surface, camera, samples=1),
        "render, 3 x 3 samples (default): the same, antialiased": lambda camera: render(surface, camera),
    }
    if find_spec("embreex"):
        ways["embreex (ray casting): unlit colour, depth"] = ray_caster(mesh)
    if find_spec("open3d"):
        ways["open3d (ray casting): unlit colour, depth"] = open3d_caster(mesh)
    rows = [[name, *(milliseconds(draw, size, rounds) for size in SIZES)] for name, draw in ways.items()]
    title = f"Milliseconds of one core for a view, {len(mesh.faces):,} faces with vertex colours"
    return table(title, ["way", *(f"{size} x {size}" for size in SIZES)], rows)


def whole_verb(folder: Path, shapes: Path) -> dict:
    """Wall time of the verb with two processes for all shapes; processor time of one process for some of them."""
    meshes = sorted(shapes.glob("*.ply"))
    begun = time.perf_counter()
    run_render(RenderSettings(shapes, folder / "two", views=SIDES, size=128, jobs=2))
    wall = time.perf_counter() - begun
    few = chosen(folder / "few", meshes[:FEW])
    begun = time.process_time()
    run_render(RenderSettings(few, folder / "one", views=SIDES, size=128, jobs=1))
    cpu = (time.process_time() - begun) / (len(meshes[:FEW]) * SIDES)
    faces, pictures = median(len(read_mesh(path).faces) for path in meshes[:FEW]), len(meshes) * SIDES
    rows = [[FAMILY, len(meshes), int(faces), pictures, wall, pictures / wall, 1e3 * cpu]]
    columns = ["family", "shapes", "faces (median)", "pictures", "seconds, 2 processes", "pictures a second",
               "ms of one core a picture"]  # fmt: skip
    return table(f"isofield render: {SIDES} views of 128 x 128 a shape, all truth written", columns, rows)


def chosen(folder: Path, meshes: list[Path]) -> Path:
    """A folder of some of the shapes."""
    folder.mkdir()
    for path in meshes:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def fused(folder: Path, meshes: list[Path], size: int) -> list[Any]:
    """Summary row: errors of meshes from depth pictures, in the unit frame, over what was seen."""
    out = folder / f"fuse-{size}"
    some = chosen(folder / f"chosen-{size}", meshes)
    run_render(RenderSettings(some, out, views=SIDES, size=size))
    rows = list(map_jobs(_compared, [(out, path) for path in sorted(some.glob("*.ply"))]))
    errors = np.array([row[:5] for row in rows])
    ok = all(row[5] for row in rows)
    middle, half_sums = np.median(errors, axis=0).tolist(), errors[:, :2].mean(1)
    lengths = [1e3 * value for value in (*middle[:2], float(np.median(half_sums)), float(half_sums.max()))]
    return [f"{size} x {size}", len(rows), *lengths, *middle[2:], ok]


def _compared(given: tuple[Path, Path]) -> list[Any]:
    """Both mean exact distances over seen samples, the seen shares, CPU seconds, closed and manifold."""
    folder, path = given
    views = read_views(folder)
    indices = views.shapes()[path.stem]
    begun = time.process_time()
    points = fuse_depths(views, indices)
    pred = mesh_of_points(points)
    seconds = time.process_time() - begun
    truth = read_mesh(path)
    truth.vertices = UnitFrame.of(truth.vertices).to_unit(truth.vertices)
    there, back = (MeshDistance(np.asarray(mesh.vertices), np.asarray(mesh.faces)) for mesh in (truth, pred))
    ours, theirs = (np.asarray(sample_surface(mesh, 100_000, seed)[0]) for seed, mesh in enumerate((pred, truth)))
    measured = cKDTree(points.points).query(ours)[0] < NEAR * points.footprint
    seen = _seen(views, indices, theirs, points.footprint)
    one, other = there.closest(ours).distance[measured].mean(), back.closest(theirs).distance[seen].mean()
    checked = audit(pred)
    return [one, other, measured.mean(), seen.mean(), seconds, checked.watertight and checked.manifold]


def _seen(views: ImageSet, indices: list[int], points: np.ndarray, footprint: float) -> np.ndarray:
    seen = np.zeros(len(points), bool)
    for index in indices:
        camera, depth = views.views[index].camera, views.depth(index)
        column, row = camera.project(points)[0].astype(int).T
        seen |= np.abs(np.linalg.norm(points - camera.eye, axis=1) - depth[row, column]) < NEAR * footprint
    return seen


def sheet(path: Path, columns: int = 6, size: int = 200) -> None:
    """Textured scans, each from two sides."""
    files = [file for file in sorted(SCANS.rglob("*")) if file.suffix in (".glb", ".obj")]
    tiles = []
    for file in files[:: max(1, len(files) // (2 * columns))][: 2 * columns]:
        mesh = read_mesh(file)
        x, y, z = np.asarray(mesh.vertices).T
        mesh.vertices = np.column_stack([x, z, -y])  # scans have z up
        surface = Surface.of(mesh, UnitFrame.of(mesh.vertices))
        sides = [render(surface, framed(surface, orbit(azimuth, 20, size=size))).color for azimuth in (35, 215)]
        tiles.append(np.concatenate(sides))
    rows = [np.concatenate(tiles[k : k + columns], axis=1) for k in range(0, len(tiles), columns)]
    image = Image.fromarray(np.concatenate(rows)).quantize(200, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def random_pictures(views: ImageSet, path: Path, rows: int) -> None:
    """Pictures of a set, drawn by chance."""
    chosen = np.random.default_rng(0).choice(len(views), (rows, COLUMNS), replace=False)
    lines = [np.concatenate([views.picture(int(index)) for index in line], axis=1) for line in chosen]
    Image.fromarray(np.concatenate(lines)).save(path, quality=82)


def framed(surface: Surface, camera: Camera) -> Camera:
    """The same view, filled by the shape."""
    pixels, _ = camera.project(surface.vertices.numpy())
    low, high = pixels.min(0), pixels.max(0)
    return zoomed(camera, (low + high) / 2, 0.92 * camera.width / float((high - low).max()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", type=int, default=50)
    parser.add_argument("--made", type=Path)
    parser.add_argument("--fused", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--picture", action="store_true")
    parser.add_argument("--random", type=Path, nargs=2)
    parser.add_argument("--rows", type=int, default=3)
    given = parser.parse_args()
    if given.random:
        random_pictures(read_views(given.random[0]), given.random[1], given.rows)
        return
    if given.picture:
        sheet(ROOT / "docs" / "images" / "rendered_scans.png")
        return
    torch.set_num_threads(1)
    tables = [speed(given.rounds)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shapes = given.made or folder / "shapes"
        if given.made is None:
            run_synthesize(SynthesizeSettings(FAMILY, shapes, count=given.shapes))
        meshes = sorted(shapes.glob("*.ply"))
        tables.append(whole_verb(folder, shapes))
        columns = ["pictures", "shapes", "mesh to truth x1e3", "truth to mesh x1e3", "half-sum x1e3, median", "worst",
                   "part of the mesh that was seen", "part of the truth that was seen", "CPU-s a shape",
                   "closed, manifold"]  # fmt: skip
        rows = [fused(folder, meshes[: given.fused], 128), fused(folder, meshes[: max(1, given.fused // 4)], 256)]
        tables.append(table(f"{SIDES} depth pictures fused to a mesh: {FAMILY}, unit frame, seen parts", columns, rows))
    notes = [
        "Processor time of one thread, median of several rounds; the seconds of two processes are wall time, and on a "
        "busy machine an upper bound.",
        f"Seen: mesh samples within {NEAR} pixel footprints of a fused point, true samples within as much of a depth "
        "in one of the pictures. What no camera saw (inside, under hair, below the cut) is closed by a membrane.",
    ]
    write_result("rendering", "Rendering", tables, notes)


if __name__ == "__main__":
    main()
