"""Edges and corners come back into a mesh that stays closed: against shapes whose edges are known."""

import numpy as np
import pytest
import trimesh

from isofield.fields.analytic import Box, Sphere, Torus
from isofield.fields.exact import ExactField
from isofield.fields.field import Field
from isofield.mesh.audit import audit
from isofield.mesh.distance import MeshDistance
from isofield.meshing.extract import Extraction, extract
from isofield.meshing.lattice import Lattice
from isofield.meshing.patches import patches
from isofield.meshing.planes import FieldSurface, MeshSurface
from isofield.meshing.sharpen import Sharpened, sharpen

HALF = np.array([0.5, 0.35, 0.25])


def turned_box(angles=(0.3, 0.5, 0.7), center=(0.0, 0.0, 0.0)) -> trimesh.Trimesh:
    box = trimesh.creation.box(2 * HALF)
    turn = trimesh.transformations.euler_matrix(*angles)
    return trimesh.Trimesh(trimesh.transform_points(box.vertices, turn) + center, box.faces, process=False)


def edge_points(mesh: trimesh.Trimesh, each: int = 200) -> np.ndarray:
    ends = mesh.vertices[mesh.face_adjacency_edges[mesh.face_adjacency_angles > 1]]
    t = np.linspace(0, 1, each)[:, None]
    return (ends[:, None, 0] * (1 - t) + ends[:, None, 1] * t).reshape(-1, 3)


def both(mesh: trimesh.Trimesh, resolution: int) -> tuple[Extraction, Sharpened, ExactField]:
    field = ExactField.of(mesh)
    plain = extract(field, resolution)
    return plain, sharpen(plain, field, resolution, MeshSurface(field.mesh_distance)), field


def gap(extraction: Extraction, mesh: trimesh.Trimesh, field: Field, resolution: int) -> float:
    """Mean distance of the true edges to the surface, in cells."""
    surface = MeshDistance(extraction.vertices_unit, extraction.mesh.faces)
    points = field.frame.to_unit(edge_points(mesh))
    return float(surface.closest(points).distance.mean() / Lattice.over(field, resolution).spacing)


def normal_error(mesh: trimesh.Trimesh, truth: trimesh.Trimesh) -> float:
    """Mean angle in degrees between faces and the truth below them, weighted with area."""
    near = MeshDistance(truth.vertices, truth.faces).closest(mesh.triangles_center)
    cosine = np.einsum("nd,nd->n", mesh.face_normals, truth.face_normals[near.face])
    return float(np.degrees(np.average(np.arccos(np.clip(cosine, -1, 1)), weights=mesh.area_faces)))


@pytest.mark.parametrize("resolution", [24, 57])
def test_edges_of_a_turned_box_come_back_ten_times_closer(resolution):
    truth = turned_box()
    plain, sharp, field = both(truth, resolution)
    assert gap(plain, truth, field, resolution) > 0.25
    assert gap(sharp.extraction, truth, field, resolution) < 0.1 * gap(plain, truth, field, resolution)
    assert normal_error(sharp.extraction.mesh, truth) < 0.3 * normal_error(plain.mesh, truth)
    assert sharp.extraction.mesh.volume == pytest.approx(truth.volume, rel=1e-3)
    assert sharp.features > 0


@pytest.mark.parametrize("seed", range(12))
def test_it_stays_closed_manifold_and_outward_whatever_the_shape(seed):
    rng = np.random.default_rng(seed)
    parts = [turned_box(rng.uniform(0, 3, 3), rng.uniform(-0.3, 0.3, 3)) for _ in range(3)]
    truth = trimesh.util.concatenate(parts)
    plain, sharp, _ = both(truth, int(rng.integers(9, 40)))
    found = audit(sharp.extraction.mesh)
    assert found.watertight
    assert found.manifold
    assert found.oriented
    assert (found.euler, found.components) == (audit(plain.mesh).euler, audit(plain.mesh).components)
    assert found.volume > audit(plain.mesh).volume > 0  # what the grid cut off is back


def test_no_triangle_looks_away_from_the_surface_below_it():
    truth = turned_box()
    _, sharp, field = both(truth, 40)
    mesh = sharp.extraction.mesh
    near = field.mesh_distance.closest(field.frame.to_unit(mesh.triangles_center))
    assert (np.einsum("nd,nd->n", mesh.face_normals, truth.face_normals[near.face]) > 0).all()


def test_a_smooth_surface_gets_no_edges():
    field = Torus(0.5, 0.2)
    plain = extract(field, 64)
    sharp = sharpen(plain, field, 64, FieldSurface(field))
    assert sharp.features == 0
    np.testing.assert_array_equal(sharp.extraction.mesh.faces, plain.mesh.faces)


def test_a_formula_has_edges_too():
    field = (Sphere(0.6) & Box((0.45, 0.45, 0.45))).rotate((1, 2, 3), 40)
    plain = extract(field, 48)
    sharp = sharpen(plain, field, 48, FieldSurface(field))
    fine = extract(field, 160).mesh
    surface = [MeshDistance(mesh.vertices, mesh.faces) for mesh in (plain.mesh, sharp.extraction.mesh)]
    rough, better = (near.closest(fine.vertices).distance for near in surface)
    assert better.max() < 0.6 * rough.max()
    assert sharp.extraction.watertight
    assert sharp.extraction.manifold


def test_colours_are_asked_anew_where_vertices_are_new():
    field = Box((0.5, 0.35, 0.25)).rotate((1, 2, 3), 40).colored(1, 0.5, 0)
    plain = extract(field, 24)
    mesh = sharpen(plain, field, 24, FieldSurface(field)).extraction.mesh
    assert len(mesh.vertices) > len(plain.mesh.vertices)
    np.testing.assert_array_equal(mesh.visual.vertex_colors, np.tile([255, 128, 0, 255], (len(mesh.vertices), 1)))


def test_patches_are_the_pieces_of_cells_and_their_segments_pair_up():
    field = Torus(0.5, 0.2)
    extraction = extract(field, 24)
    cut = patches(extraction.vertices_unit, np.asarray(extraction.mesh.faces), Lattice.over(field, 24))
    assert (np.bincount(cut.patch, minlength=len(cut.cell)) >= 3).all()
    np.testing.assert_array_equal(cut.start, cut.end[cut.twin])
    np.testing.assert_array_equal(cut.twin[cut.twin], np.arange(len(cut.twin)))
    assert (cut.patch != cut.patch[cut.twin]).all()
    discs = np.bincount(cut.of_face) - np.bincount(cut.patch)  # k segments, k - 2 faces
    np.testing.assert_array_equal(discs, -2)
