"""Colours at surface points, and the two transfer functions."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from isofield.mesh.color import barycentric, bilinear, color_kind, surface_colors, to_linear, to_srgb


def quad(visual=None) -> trimesh.Trimesh:
    """The unit square of the xy plane as two triangles."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], process=False)
    if visual is not None:
        mesh.visual = visual
    return mesh


def on_quad(count: int) -> tuple[np.ndarray, np.ndarray]:
    points = np.random.default_rng(0).random((count, 3)) * [1, 1, 0]
    return (points[:, 1] > points[:, 0]).astype(int), points


def test_transfer_functions_are_inverse_and_have_the_standards_values():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(to_srgb(to_linear(values)), values, atol=1e-7)
    np.testing.assert_allclose(to_linear(np.array([0, 0.04045, 0.5, 1])), [0, 0.0031308, 0.2140411, 1], atol=1e-7)


def test_picture_lies_on_the_square_as_it_is_seen():
    """A picture of (x, 1 - y) on uv = (x, y): red grows to the right, green downwards, like the file."""
    size = 64
    ramp = (np.arange(size) + 0.5) / size * 255
    pixels = np.stack([np.tile(ramp, (size, 1)), np.tile(ramp[:, None], (1, size)), np.zeros((size, size))], -1)
    visual = TextureVisuals([[0, 0], [1, 0], [1, 1], [0, 1]], image=Image.fromarray(np.rint(pixels).astype(np.uint8)))
    faces, points = on_quad(2000)
    inside = (np.abs(points[:, :2] - 0.5) < 0.49).all(1)
    colors = surface_colors(quad(visual), faces, points)[inside]
    expected = np.stack([points[:, 0], 1 - points[:, 1], np.zeros(2000)], 1)[inside]
    np.testing.assert_allclose(colors, expected, atol=0.6 / 255)


def test_bilinear_hits_texel_centres_and_repeats():
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3))
    x, y = np.meshgrid(np.arange(5), np.arange(3))
    uv = np.stack([(x + 0.5) / 5, 1 - (y + 0.5) / 3], -1).reshape(-1, 2)
    for shift in ([0, 0], [1, 0], [-3, 7]):
        np.testing.assert_allclose(bilinear(image, uv + shift), image.reshape(-1, 3), atol=1e-9)
    seam = bilinear(image, np.array([[0.0, 1 - 0.5 / 3]]))
    np.testing.assert_allclose(seam[0], (image[0, 0] + image[0, 4]) / 2)


def test_vertex_colours_are_interpolated_and_face_colours_are_not():
    corners = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
    faces, points = on_quad(200)
    mesh = quad()
    mesh.visual = ColorVisuals(mesh, vertex_colors=corners)
    assert color_kind(mesh) == "vertex"
    x, y = points[:, 0], points[:, 1]
    lower, upper = np.stack([1 - x, x - y, y], 1), np.stack([1 - y, 0 * x, x], 1) + (y - x)[:, None]
    np.testing.assert_allclose(surface_colors(mesh, faces, points), np.where(faces[:, None], upper, lower), atol=1e-12)
    mesh.visual = ColorVisuals(mesh, face_colors=corners[:2])
    assert color_kind(mesh) == "face"
    np.testing.assert_array_equal(surface_colors(mesh, faces, points), corners[faces] / 255)


def test_no_colour_is_grey_and_says_none():
    assert color_kind(quad()) == color_kind(quad(TextureVisuals(np.zeros((4, 2))))) == "none"
    np.testing.assert_array_equal(surface_colors(quad(), *on_quad(3)), np.full((3, 3), 0.5))


def test_materials_without_pictures_pbr_linear_and_simple_srgb():
    pbr = quad(TextureVisuals(np.zeros((4, 2)), PBRMaterial(baseColorFactor=[255, 55, 0, 255])))
    simple = quad(TextureVisuals(np.zeros((4, 2)), SimpleMaterial(diffuse=[255, 55, 0, 255])))
    assert color_kind(pbr) == color_kind(simple) == "face"
    np.testing.assert_allclose(surface_colors(simple, *on_quad(1))[0], [1, 55 / 255, 0])
    np.testing.assert_allclose(surface_colors(pbr, *on_quad(1))[0], [1, to_srgb(np.array(55 / 255)), 0], atol=1e-12)


@pytest.mark.parametrize("shape", ["thin", "flat", "point"])
def test_barycentric_coordinates_of_poor_triangles_stay_in_the_triangle(shape):
    triangle = {
        "thin": [[0, 0, 0], [1, 0, 0], [0.5, 1e-12, 0]],
        "flat": [[0, 0, 0], [1, 0, 0], [2, 0, 0]],
        "point": [[1, 1, 1]] * 3,
    }[shape]
    weights = barycentric(np.array([triangle] * 5, float), np.random.default_rng(0).random((5, 3)))
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1)


def test_barycentric_coordinates_rebuild_the_point():
    rng = np.random.default_rng(0)
    triangles, weights = rng.random((100, 3, 3)), rng.dirichlet([1, 1, 1], 100)
    points = np.einsum("nk,nkd->nd", weights, triangles)
    np.testing.assert_allclose(barycentric(triangles, points), weights, atol=1e-8)
