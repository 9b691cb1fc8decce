import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from isofield.data import bundled
from isofield.frame import UnitFrame
from isofield.mesh.color import surface_colors, to_linear, to_srgb
from isofield.mesh.paint import paint_of
from isofield.mesh.read import read_mesh
from isofield.render.camera import Camera, look_at, orbit, pinhole
from isofield.render.light import FLAT, studio, varied
from isofield.render.rasterize import rasterize, rasterize_torch
from isofield.render.render import Surface, _shade_compiled, render, shade_torch
from isofield.render.textures import look_up, pack
from needs import gpu


def cast(vertices, faces, origin, rays):
    """The slow twin: distance along each ray to the nearest triangle (Moller and Trumbore 1997)."""
    best = np.full(len(rays), np.inf)
    for a, b, c in vertices[faces]:
        p = np.cross(rays, c - a)
        det = p @ (b - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = (p @ (origin - a)) / det
            q = np.cross(origin - a, b - a)
            v, t = (rays @ q) / det, (q @ (c - a)) / det
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
        best[hit] = np.minimum(best[hit], t[hit])
    return best


def around(mask):
    """Pixels that differ from one of their neighbours."""
    edge = np.zeros_like(mask)
    for axis in (0, 1):
        for step in (1, -1):
            edge |= mask != np.roll(mask, step, axis)
    return edge


@pytest.fixture(scope="module")
def ball():
    return trimesh.creation.icosphere(6)


def test_depth_normals_and_mask_of_a_sphere_are_the_closed_form(ball):
    camera = orbit(30, 20, size=64)
    seen = render(Surface.of(ball), camera)
    along = -(camera.rays() @ camera.eye)
    half = 1 - (81 - along**2)
    inner = half > 0.05
    exact = along - np.sqrt(np.where(inner, half, 0))
    points = camera.eye + exact[..., None] * camera.rays()
    assert inner.mean() > 0.6
    assert np.abs(seen.depth - exact)[inner].max() < 1e-3
    assert np.abs(seen.normal - points)[inner].max() < 2e-3
    assert (seen.mask == (half > 0))[np.abs(half) > 0.01].all()
    assert np.isinf(seen.depth[~seen.mask]).all()
    assert (seen.normal[~seen.mask] == 0).all()
    assert (seen.depth.dtype, seen.color.dtype) == (np.float32, np.uint8)


def test_depth_and_normals_of_a_box_are_the_closed_form():
    half = np.array([0.3, 0.4, 0.5])
    camera = orbit(50, 30, size=64)
    seen = render(Surface.of(trimesh.creation.box(2 * half)), camera)
    rays = camera.rays()
    near = (-np.sign(rays) * half - camera.eye) / rays
    far = (np.sign(rays) * half - camera.eye) / rays
    entry, exit_ = near.max(-1), far.min(-1)
    assert np.array_equal(seen.mask, entry <= exit_)
    assert np.abs(seen.depth - entry)[seen.mask].max() < 1e-5
    axis = near.argmax(-1)[seen.mask]
    assert np.allclose(seen.normal[seen.mask], -np.sign(rays[seen.mask]) * np.eye(3)[axis], atol=1e-6)


def test_masks_are_those_of_brute_force_but_for_a_pixel_at_the_edge():
    mesh = read_mesh(bundled("torus.obj"))
    frame = UnitFrame.of(mesh.vertices)
    camera = orbit(70, 40, size=40)
    expected = cast(frame.to_unit(mesh.vertices), mesh.faces, camera.eye, camera.rays().reshape(-1, 3)).reshape(40, 40)
    seen = render(Surface.of(mesh, frame), camera)
    same = seen.mask == np.isfinite(expected)
    assert same[~around(np.isfinite(expected))].all()
    assert same.mean() > 0.99
    both = seen.mask & np.isfinite(expected)
    assert np.allclose(seen.depth[both], expected[both], atol=1e-4)


def test_a_vertex_lands_on_its_pixel():
    marks = np.random.default_rng(2).uniform(-0.5, 0.5, (12, 3))
    camera = orbit(110, -25, size=128)
    specks = [trimesh.creation.icosphere(1, 0.016).apply_translation(mark) for mark in marks]
    seen = render(Surface.of(trimesh.util.concatenate(specks)), camera)
    pixels, depth = camera.project(marks)
    columns, rows = np.floor(pixels).astype(int).T
    assert (depth > 0).all()
    assert seen.mask[rows, columns].all()
    assert seen.mask.sum() < 12 * 30
    along = np.linalg.norm(marks - camera.eye, axis=1)
    assert (np.abs(seen.depth[rows, columns] - along) < 0.03).all()


def test_flat_light_shows_colours_as_they_are_stored(ball):
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (len(ball.vertices), 4)).astype(np.uint8)
    painted = trimesh.Trimesh(ball.vertices, ball.faces, process=False)
    painted.visual = ColorVisuals(painted, vertex_colors=colors)
    camera = orbit(0, 0, size=32)
    seen = render(Surface.of(painted), camera, light=FLAT, samples=1)
    fragments = rasterize(torch.as_tensor(ball.vertices), torch.as_tensor(np.array(ball.faces)), camera)
    face = fragments.face.numpy()[seen.mask]
    points = np.einsum("nk,nkd->nd", fragments.barycentric.numpy()[seen.mask], ball.vertices[ball.faces[face]])
    assert np.abs(seen.color[seen.mask] - 255 * surface_colors(painted, face, points)).max() < 1.01


def quad(material):
    visual = TextureVisuals(np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), material)
    vertices = [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]
    return trimesh.Trimesh(vertices, [[0, 1, 2], [0, 2, 3]], process=False, visual=visual)


@pytest.mark.parametrize("azimuth", [0, 180])
def test_a_texture_is_upright_and_mirrored_from_behind(azimuth):
    texels = np.zeros((64, 64, 3), np.uint8)
    texels[:32, :32], texels[:32, 32:], texels[32:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    camera = orbit(azimuth, 0, focal=3, size=48)
    seen = render(Surface.of(quad(SimpleMaterial(image=Image.fromarray(texels)))), camera, light=FLAT).color
    left, right = (12, 36) if azimuth == 0 else (36, 12)
    assert seen[12, left].tolist() == [255, 0, 0]
    assert seen[12, right].tolist() == [0, 255, 0]
    assert seen[36, left].tolist() == [0, 0, 255]
    assert seen[36, right].tolist() == [0, 0, 0]


def test_a_fine_texture_far_away_is_its_mean_in_linear_light():
    checks = np.indices((512, 512)).sum(0) % 2 * 255
    material = SimpleMaterial(image=Image.fromarray(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)))
    seen = render(Surface.of(quad(material)), orbit(0, 0, size=16), light=FLAT).color
    assert np.abs(seen[6:10, 6:10] - 255 * to_srgb(np.array(0.5))).max() < 4


def test_a_base_colour_factor_and_a_texture_multiply_in_linear_light():
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    material = PBRMaterial(baseColorTexture=image, baseColorFactor=[0.5, 1.0, 0.25, 1.0])
    mesh = quad(material)
    seen = render(Surface.of(mesh), orbit(0, 0, size=16), light=FLAT).color[8, 8]
    expected = to_srgb(to_linear(np.array([200, 100, 50]) / 255) * np.asarray(material.baseColorFactor)[:3] / 255)
    assert np.abs(seen - 255 * expected).max() < 1.5


@pytest.mark.parametrize("name", ["rhino.glb", "lion.glb", "spot.obj"])
def test_paint_says_what_surface_colors_says(name):
    mesh = read_mesh(bundled(name))
    rng = np.random.default_rng(0)
    face = rng.integers(0, len(mesh.faces), 500)
    weights = rng.dirichlet(np.ones(3), 500)
    points = np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[face]])
    paint = paint_of(mesh, (0.5, 0.5, 0.5))
    colors = np.einsum("nk,nkc->nc", weights, paint.base[face])
    if paint.pictures:
        textures = pack(paint.pictures, torch.device("cpu"))
        uv = torch.as_tensor(np.einsum("nk,nkd->nd", weights, paint.uv[face]), dtype=torch.float32)
        picture = torch.as_tensor(paint.picture[face])
        colors = look_up(textures, picture, uv, torch.zeros(500, dtype=torch.long)).numpy()
    if paint.tint is not None:
        colors = to_srgb(to_linear(colors) * np.einsum("nk,nkc->nc", weights, paint.tint[face]))
    assert np.abs(colors - surface_colors(mesh, face, points)).max() < 5e-3


def test_light_is_fixed_in_the_world(ball):
    surface, tops = Surface.of(ball), []
    for azimuth in (0, 60, 200):
        camera = orbit(azimuth, 60, size=65)
        (x, y), _ = (part[0] for part in camera.project(np.array([[0.0, 1, 0]])))
        tops.append(render(surface, camera).color[int(y), int(x)].astype(int))
    assert np.ptp(tops, axis=0).max() <= 2


def test_environments_vary_and_repeat(ball):
    surface, camera = Surface.of(ball), orbit(0, 0, size=24)
    lights = [varied(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    same, again, other = (render(surface, camera, light=light).color for light in lights)
    assert np.array_equal(same, again)
    assert np.abs(same.astype(int) - other).max() > 8
    white = trimesh.Trimesh(
        ball.vertices, ball.faces, process=False, vertex_colors=np.full((len(ball.vertices), 4), 255)
    )
    for light in (studio(), *lights):
        shown = render(Surface.of(white), camera, light=light)
        assert shown.color[shown.mask].min() > 60  # no black side
        assert (shown.color[8:16, 8:16] == 255).mean() < 0.3  # hardly anything washed out


def test_a_chosen_background_and_soft_edges(ball):
    black = trimesh.Trimesh(ball.vertices, ball.faces, process=False, vertex_colors=np.zeros((len(ball.vertices), 4)))
    seen = render(Surface.of(black), orbit(0, 0, size=48), background=(1.0, 128 / 255, 0.0), light=FLAT).color
    assert seen[0, 0].tolist() == [255, 128, 0]
    assert seen[24, 24].tolist() == [0, 0, 0]
    assert len(np.unique(seen[..., 0])) >= 6
    assert len(np.unique(render(Surface.of(black), orbit(0, 0, size=48), light=FLAT, samples=1).color)) == 2


def test_both_sides_are_lit_alike_and_normals_look_at_the_camera(ball):
    inside_out = trimesh.Trimesh(ball.vertices, ball.faces[:, ::-1], process=False)
    camera = orbit(10, 20, size=40)
    one, other = render(Surface.of(ball), camera), render(Surface.of(inside_out), camera)
    assert np.abs(one.color.astype(int) - other.color).max() <= 1
    assert (np.einsum("hwd,hwd->hw", one.normal, camera.rays())[one.mask] < 0).all()
    assert np.allclose(one.normal, other.normal, atol=1e-5)


def test_from_inside_the_walls_are_seen(ball):
    camera = Camera(look_at((0.2, 0, 0), (0, 0, -1)), pinhole(24, 24, 0.5), 24, 24)
    seen = render(Surface.of(ball), camera)
    exact = -(camera.rays() @ camera.eye) + np.sqrt((camera.rays() @ camera.eye) ** 2 + 1 - 0.04)
    assert seen.mask.all()
    assert np.abs(seen.depth - exact).max() < 1e-3


@pytest.mark.parametrize(("distance", "focal"), [(9.0, 4.2647), (0.4, 0.5)])
def test_the_compiled_z_buffer_is_the_plain_one(distance, focal):
    rng = np.random.default_rng(5)
    vertices = torch.as_tensor(rng.uniform(-0.6, 0.6, (300, 1, 3)) + rng.normal(scale=0.2, size=(300, 3, 3))).reshape(
        -1, 3
    )
    faces = torch.arange(900).reshape(-1, 3)
    camera = orbit(20, 10, distance, focal, size=64)
    compiled, plain = (draw(vertices, faces, camera, near=0.1) for draw in (rasterize, rasterize_torch))
    assert (compiled.face >= 0).float().mean() > 0.5
    assert torch.equal(compiled.face, plain.face)
    assert torch.allclose(compiled.depth, plain.depth, rtol=1e-6)
    assert torch.allclose(compiled.barycentric, plain.barycentric, atol=1e-5)


def test_faces_smaller_than_pixels_are_drawn_alike(ball):
    bumps = 1 + 0.1 * np.sin(9 * ball.vertices).prod(1, keepdims=True)
    vertices, faces = torch.as_tensor(ball.vertices * bumps), torch.as_tensor(np.array(ball.faces))
    compiled, plain = (draw(vertices, faces, orbit(20, 10, size=48)) for draw in (rasterize, rasterize_torch))
    assert torch.equal(compiled.face, plain.face)
    assert torch.allclose(compiled.depth, plain.depth, rtol=1e-6)
    assert torch.allclose(compiled.barycentric, plain.barycentric, atol=1e-5)


@pytest.mark.parametrize("size", [32, 33])  # pixel centres beside the plane; in it
def test_faces_seen_edge_on_and_faces_without_area_leave_only_numbers_that_are_right(size):
    rng = np.random.default_rng(8)
    level = rng.uniform(-0.6, 0.6, (300, 3)) * [1, 0, 1]  # seen from its own height
    lines = np.repeat(rng.uniform(-0.6, 0.6, (100, 1, 3)), 3, axis=1)
    lines[:, 2] += rng.normal(size=(100, 3))
    vertices = torch.as_tensor(np.concatenate([level, lines.reshape(-1, 3)]))
    seen = rasterize(vertices, torch.arange(600).reshape(-1, 3), orbit(30, 0, size=size))
    hit = seen.face >= 0
    assert (seen.barycentric[hit] >= 0).all()
    assert torch.allclose(seen.barycentric[hit].sum(1), torch.ones(int(hit.sum())))
    assert ((seen.depth[hit] - 9).abs() < 1).all()
    assert torch.isinf(seen.depth[~hit]).all()


@pytest.mark.parametrize("name", ["rhino.glb", "spot.obj", "featuretype.stl"])
@pytest.mark.parametrize("samples", [1, 3])
def test_compiled_shading_is_the_plain_one(name, samples):
    mesh = read_mesh(bundled(name))
    surface, camera = Surface.of(mesh, UnitFrame.of(mesh.vertices)), orbit(200, 30, size=40 * samples)
    fragments = rasterize(surface.vertices, surface.faces, camera)
    given = (surface, fragments, camera, varied(np.random.default_rng(3)), np.array([1.0, 0.2, 0.0]), samples)
    (color, normal), (plain, plain_normal) = _shade_compiled(*given), shade_torch(*given)
    assert np.abs(color - plain).max() < 2e-3
    assert np.abs(normal - plain_normal).max() < 1e-5
    assert np.ptp(plain) > 0.3


def test_tinted_textures_are_shaded_alike():
    noise = Image.effect_noise((32, 32), 90).convert("RGB")
    material = PBRMaterial(baseColorTexture=noise, baseColorFactor=[0.5, 1, 0.2, 1])
    surface, camera = Surface.of(quad(material)), orbit(20, 10, size=60)
    given = (surface, rasterize(surface.vertices, surface.faces, camera), camera, studio(), np.ones(3), 3)
    assert np.abs(_shade_compiled(*given)[0] - shade_torch(*given)[0]).max() < 2e-3


def test_samples_are_odd(ball):
    with pytest.raises(ValueError, match="odd"):
        render(Surface.of(ball), orbit(0, 0, size=8), samples=2)


@gpu
def test_a_gpu_draws_the_same():
    mesh = read_mesh(bundled("rhino.glb"))
    frame, camera = UnitFrame.of(mesh.vertices), orbit(40, 20, size=96)
    one, other = (render(Surface.of(mesh, frame, device=device), camera) for device in ("cpu", "cuda"))
    assert (one.mask == other.mask).mean() > 0.999
    assert (np.abs(one.color.astype(int) - other.color).max(-1) > 2).mean() < 2e-3
