import shutil

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from isofield.errors import InputError
from isofield.mesh.area import sample_surface
from isofield.mesh.audit import audit
from isofield.mesh.distance import MeshDistance
from isofield.meshing.fuse import fuse_depths, reconstruct_views
from isofield.render.light import FLAT
from isofield.render.render import Surface, render
from isofield.render.rig import around
from isofield.tasks.render import save_rendering
from isofield.views import eg3d
from isofield.views.image_set import View, World
from isofield.views.read import read_views


def shape():
    """Two balls far apart enough to hide each other, one red, one blue."""
    parts = [
        trimesh.creation.icosphere(4, 0.55),
        trimesh.creation.icosphere(4, 0.3).apply_translation((0.5, 0.45, 0.2)),
    ]
    for part, color in zip(parts, ((220, 20, 20), (20, 20, 220)), strict=True):
        part.visual = ColorVisuals(part, vertex_colors=np.tile([*color, 255], (len(part.vertices), 1)))
    return trimesh.util.concatenate(parts)


def photographed(folder, count=10, size=64):
    cameras = around(np.random.default_rng(0), count, size, elevation=(-50.0, 60.0))
    surface = Surface.of(shape())
    (folder / "thing").mkdir(parents=True)
    for index, camera in enumerate(cameras):
        save_rendering(render(surface, camera, light=FLAT), folder / f"thing/{index:03}")
    named = [View(f"thing/{index:03}.png", camera) for index, camera in enumerate(cameras)]
    (folder / "dataset.json").write_text(eg3d.text_of(named, World()))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return photographed(tmp_path_factory.mktemp("fuse") / "set")


def to_union(points):
    """Exact distance to the outer surface of the two balls, and its normals."""
    centers, radii = np.array([[0, 0, 0], [0.5, 0.45, 0.2]]), np.array([0.55, 0.3])
    offset = points[:, None] - centers
    distance = np.linalg.norm(offset, axis=2) - radii
    which = distance.argmin(1)
    normal = offset[np.arange(len(points)), which]
    return distance.min(1), normal / np.linalg.norm(normal, axis=1, keepdims=True), which


def test_fused_points_lie_on_the_surface_with_its_normals_and_colours(folder):
    fused = fuse_depths(read_views(folder))
    distance, normal, which = to_union(fused.points)
    assert len(fused.points) > 4000
    assert np.abs(distance).max() < 3e-3  # chords of the footprint, and the facets of the balls
    assert np.abs(distance).mean() < 6e-4
    assert np.einsum("nd,nd->n", fused.normals, normal).min() > 0.97
    red, blue = fused.colors[which == 0].astype(int), fused.colors[which == 1].astype(int)
    assert (red[:, 0] > red[:, 2]).mean() > 0.97
    assert (blue[:, 2] > blue[:, 0]).mean() > 0.97


def test_without_normals_beside_the_depth_they_come_from_the_depth(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.normal.png"))
    fused = fuse_depths(read_views(tmp_path))
    assert np.quantile(np.einsum("nd,nd->n", fused.normals, to_union(fused.points)[1]), 0.02) > 0.97


def test_the_mesh_of_the_depths_is_closed_and_near_the_truth(folder):
    mesh = reconstruct_views(read_views(folder))
    points, _ = sample_surface(mesh, 20_000, 0)
    distance, _, _ = to_union(points)
    checked = audit(mesh)
    assert checked.watertight
    assert checked.manifold
    assert checked.euler == 2
    assert np.abs(distance).mean() < 1.5e-3
    truth, _ = sample_surface(shape(), 20_000, 1)
    outer = np.abs(to_union(truth)[0]) < 1e-3
    back = MeshDistance(np.asarray(mesh.vertices), np.asarray(mesh.faces)).closest(truth[outer]).distance
    assert back.mean() < 2e-3
    box = np.random.default_rng(2).uniform(-0.9, 0.9, (200_000, 3))
    assert mesh.volume == pytest.approx(1.8**3 * (to_union(box)[0] < 0).mean(), rel=0.02)


def test_depths_that_others_look_through_are_dropped(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    depth = np.load(tmp_path / "thing/002.depth.npy")
    depth[25:35, 25:35] -= 0.6  # a slab that floats before the surface
    np.save(tmp_path / "thing/002.depth.npy", depth)
    distance, _, _ = to_union(fuse_depths(read_views(tmp_path)).points)
    assert np.abs(distance).max() < 0.05


def test_depths_must_be_there_and_show_something(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "thing/003.depth.npy").unlink()
    with pytest.raises(InputError, match=r"003\.png: has no depth"):
        fuse_depths(read_views(tmp_path))
    np.save(tmp_path / "thing/003.depth.npy", np.zeros((2, 2), np.float32))
    with pytest.raises(InputError, match=r"003\.depth\.npy: holds float32 \(2, 2\)"):
        fuse_depths(read_views(tmp_path))
    np.save(tmp_path / "thing/003.depth.npy", np.full((64, 64), np.inf, np.float32))
    with pytest.raises(InputError, match="show no surface"):
        fuse_depths(read_views(tmp_path), [3])
