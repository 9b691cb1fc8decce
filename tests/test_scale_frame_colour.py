"""A textured model in millimetres, off-centre, z up: what comes back is in place, the right way round, and painted."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import SimpleMaterial

from isofield.mesh.color import surface_colors
from isofield.mesh.distance import MeshDistance
from isofield.mesh.read import read_mesh
from isofield.settings.shapes import FitSettings
from isofield.tasks.fit import run_fit
from isofield.tasks.objectives import Distances

EXTENT, PLACE = 250.0, np.array([1000.0, -500.0, 300.0])


def model() -> trimesh.Trimesh:
    """A seat, a back, one arm and a knob, apart from each other; equal to none of its mirror images or turns."""
    parts = [((250, 200, 40), (0, 0, 0)), ((250, 40, 130), (0, 80, 100)), ((40, 130, 70), (-105, -35, 70))]
    boxes = [trimesh.creation.box(size).apply_translation(at) for size, at in parts]
    boxes.append(trimesh.creation.icosphere(3, 35).apply_translation((60, -40, 70)))
    whole = trimesh.util.concatenate([box.subdivide().subdivide() for box in boxes])
    vertices = np.asarray(whole.vertices) + PLACE
    low, size = vertices.min(0), np.ptp(vertices, axis=0)
    share = (vertices - low) / size
    uv = np.column_stack([0.05 + 0.9 * share[:, 0], 0.05 + 0.9 * share[:, 2]])  # along x, and up along z
    mesh = trimesh.Trimesh(vertices, whole.faces, process=False)
    mesh.visual = TextureVisuals(uv, material=SimpleMaterial(image=Image.fromarray(picture())))
    return mesh


def picture(size: int = 128) -> np.ndarray:
    """Red grows to the right, green upwards, and a blue stripe stands on the left third."""
    along = np.linspace(0, 255, size)
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0], image[..., 1] = along[None, :], along[::-1, None]
    image[:, size // 6 : size // 3, 2] = 255
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The run of the model as a file, a few hundred small steps."""
    place = tmp_path_factory.mktemp("scale")
    model().export(place / "model.obj")
    with pytest.MonkeyPatch.context() as patch:
        recipe = Distances(batch=4096, rate=5e-3, table_rate=1e-2, near_fraction=0.5)
        patch.setattr("isofield.tasks.choice.Distances", lambda: recipe)
        patch.setattr("isofield.tasks.training.FEWEST", 60_000)
        patch.setattr("isofield.tasks.training.HASTE", 1.0)
        patch.setattr("isofield.tasks.results.preview", lambda *_: np.zeros((2, 2, 3), np.uint8))
        patch.setattr("isofield.tasks.results.evaluate", lambda *_, **__: {})
        patch.setattr("isofield.tasks.results.evaluate_field", lambda *_, **__: {})
        run_fit(FitSettings(place / "model.obj", place / "run", steps=300, resolution=72))
    return place / "run"


@pytest.fixture(scope="module")
def truth() -> trimesh.Trimesh:
    return model()


@pytest.mark.parametrize("name", ["mesh.ply", "mesh.glb"])
def test_it_is_in_place_and_neither_mirrored_nor_turned(folder, truth, name):
    mesh = read_mesh(folder / name)
    assert truth.extents.max() == pytest.approx(EXTENT)
    assert np.abs(np.asarray(mesh.bounds) - truth.bounds).max() < 0.01 * EXTENT
    found = trimesh.sample.sample_surface(mesh, 4000, seed=0)[0]
    given = trimesh.sample.sample_surface(truth, 4000, seed=0)[0]
    there, back = distance(truth, found), distance(mesh, given)
    assert there < 0.004 * EXTENT
    center = truth.bounds.mean(0)
    for turned in (np.diag([-1, 1, 1]), np.diag([1, -1, 1]), np.diag([-1, -1, 1]), np.eye(3)[[0, 2, 1]]):
        assert distance(truth, (found - center) @ turned.T + center) > 5 * there
    assert back < 0.004 * EXTENT
    assert mesh.volume == pytest.approx(truth.volume, rel=0.03)


@pytest.mark.parametrize("name", ["mesh.ply", "mesh.glb"])
def test_it_is_painted_as_it_was(folder, truth, name):
    """Mean difference in sRGB at nearest points; the same colours upside down or mirrored would differ by far more."""
    mesh = read_mesh(folder / name)
    points, face = trimesh.sample.sample_surface(mesh, 4000, seed=1)
    found = surface_colors(mesh, np.asarray(face), np.asarray(points))
    near = MeshDistance(truth.vertices, truth.faces).closest(points)
    true = surface_colors(truth, near.face, near.point)
    assert np.abs(found - true).mean() < 0.1
    assert np.abs(found - true[::-1]).mean() > 0.2
    for channel, axis in ((0, 0), (1, 2)):
        share = (points[:, axis] - truth.bounds[0, axis]) / truth.extents[axis]
        assert np.corrcoef(found[:, channel], share)[0, 1] > 0.9


def distance(surface: trimesh.Trimesh, points: np.ndarray) -> float:
    """Mean exact distance of points to a surface, in the user's units."""
    return float(MeshDistance(surface.vertices, surface.faces).closest(points).distance.mean())
