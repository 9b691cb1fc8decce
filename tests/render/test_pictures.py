import numpy as np
import pytest
import trimesh
from PIL import Image

from isofield.frame import UnitFrame
from isofield.mesh.color import to_linear
from isofield.render.camera import orbit
from isofield.render.pictures import color_bar, framing, likely_up, preview, save_png, side_by_side, view
from isofield.render.shade import draw, normals_seen, picture


@pytest.fixture(scope="module")
def ball():
    return trimesh.creation.icosphere(4)


def painted(mesh, colors):
    copy = mesh.copy()
    copy.visual = trimesh.visual.ColorVisuals(copy, vertex_colors=colors)
    return copy


def test_a_picture_is_white_outside_and_repeats(ball):
    image = picture(ball, orbit(0, 0, size=48))
    assert image.shape == (48, 48, 3)
    assert (image[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    assert (image[24, 24] < 250).all()
    assert np.array_equal(image, picture(ball, orbit(0, 0, size=48)))


def test_light_comes_from_above_left_and_the_far_side_is_darker(ball):
    image = picture(ball, orbit(0, 0, size=48)).astype(int).sum(-1)
    assert image[14, 14] > image[34, 34] + 30


def test_the_silhouette_is_antialiased(ball):
    image = picture(ball, orbit(0, 0, size=48), colors=np.zeros((len(ball.vertices), 3)))
    levels = np.unique(image[..., 0])
    assert levels[0] == 0
    assert levels[-1] == 255
    assert len(levels) >= 6


def test_colors_land_where_they_belong(ball):
    x, y = ball.vertices[:, 0], ball.vertices[:, 1]
    colors = np.stack([x > 0, y > 0, np.zeros(len(x)), np.ones(len(x))], axis=1) * 255
    image = picture(painted(ball, colors.astype(np.uint8)), orbit(0, 0, size=48)).astype(int)
    for row, column, red, green in ((14, 34, 1, 1), (34, 34, 1, 0), (14, 14, 0, 1), (34, 14, 0, 0)):
        assert np.array_equal(image[row, column] > 60, [red, green, 0])


def test_shading_scales_the_color_in_linear_light(ball):
    gray, white = (np.full((len(ball.vertices), 3), tone) for tone in (0.3, 0.5))
    camera = orbit(0, 0, size=32)
    dark, light = (to_linear(picture(ball, camera, colors=c)[12:20, 12:20] / 255.0) for c in (gray, white))
    assert np.allclose(light / dark, to_linear(np.array(0.5)) / to_linear(np.array(0.3)), rtol=0.05)


def test_flat_shading_shows_the_faces():
    coarse, camera = trimesh.creation.icosphere(1), orbit(10, 10, size=64)
    fragments = draw(coarse, camera, UnitFrame())
    seen = fragments.face.numpy()[fragments.face.numpy() >= 0]
    assert np.allclose(normals_seen(coarse, fragments, camera, flat=True), coarse.face_normals[seen])
    assert not np.array_equal(picture(coarse, camera, flat=True), picture(coarse, camera))


def test_inside_out_looks_the_same(ball):
    inverted = trimesh.Trimesh(ball.vertices, ball.faces[:, ::-1], process=False)
    camera = orbit(30, 20, size=32)
    assert np.array_equal(picture(ball, camera), picture(inverted, camera))


def test_normals_of_a_sphere_are_its_points(ball):
    camera = orbit(20, 30, size=40)
    fragments = draw(ball, camera, UnitFrame())
    hit = np.isfinite(fragments.depth.numpy())
    points = camera.eye + fragments.depth.numpy()[hit][:, None] * camera.rays()[hit]
    normals = normals_seen(ball, fragments, camera)
    assert (np.einsum("nd,nd->n", normals, points) > 0.995).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_view_is_filled_by_the_mesh_wherever_it_lies(scale):
    mesh = trimesh.creation.box((3 * scale, 0.5 * scale, 1 * scale))
    mesh.apply_translation((7 * scale, -2 * scale, scale))
    image = view(mesh, 64, 30, 20)
    rows, columns = np.nonzero((image < 250).any(-1))
    assert 57 <= np.ptp(columns) + 1 <= 63
    assert abs(rows.min() + rows.max() - 63) <= 3
    assert abs(columns.min() + columns.max() - 63) <= 3


def test_a_framed_camera_shows_every_vertex():
    mesh = trimesh.creation.cone(0.2, 3.0)
    frame = UnitFrame.of(mesh.vertices)
    camera = framing(mesh, frame, 100, 70, -30)
    local = (frame.to_unit(mesh.vertices) - camera.eye) @ camera.camera_to_world[:3, :3] @ camera.intrinsics.T
    pixels = local[:, :2] / local[:, 2:]
    assert pixels.min() >= 0
    assert pixels.max() <= 100


def test_up_is_y_unless_the_shape_stands_on_the_z_plane():
    box = trimesh.creation.box((1, 1, 2))
    assert likely_up(box.vertices) == (0, 1, 0)
    assert likely_up(box.vertices + np.array([0, 0, 1])) == (0, 0, 1)
    assert likely_up(box.vertices + np.array([0.5, 0.5, 1])) == (0, 1, 0)


def test_side_by_side_keeps_the_pictures():
    red, blue = (np.full((60, 40, 3), color, np.uint8) for color in ((255, 0, 0), (0, 0, 255)))
    strip = side_by_side([red, blue], ["a", "b"])
    assert np.array_equal(strip[-60:, :40], red)
    assert np.array_equal(strip[-60:, -40:], blue)
    title = strip[:-60]
    assert (title[:, :40] < 128).any()
    assert (title[:, -40:] < 128).any()


def test_the_color_bar_runs_from_the_limit_down_to_zero():
    bar = color_bar(200, 0.5, "mm")
    column = bar[20:180, 2].astype(int).sum(1)
    assert (np.diff(column) >= 0).all()
    assert column[-1] > column[0] + 200
    assert (bar[:, 20:] < 128).any()


def test_a_preview_shows_errors_where_they_are(ball):
    dented = trimesh.Trimesh(ball.vertices * (1 + 0.1 * (ball.vertices[:, :1] > 0.3)), ball.faces, process=False)
    image = preview(ball, dented, size=96, up=(0, 1, 0), unit="mm")
    strip = image[-96:].astype(int)
    gap = 4
    panels = [strip[:, k * (96 + gap) : k * (96 + gap) + 96] for k in range(4)]
    assert np.abs(panels[0] - panels[1]).max() > 20
    light = panels[3].sum(-1)  # no error is ivory, the limit deep violet
    assert light[30:66, 10:25].mean() > light[30:66, 60:80].mean() + 200


def test_saving_replaces_the_file_as_a_whole(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    save_png(image[::-1], tmp_path / "a.png")
    save_png(image, tmp_path / "a.png")
    assert np.array_equal(np.array(Image.open(tmp_path / "a.png")), image)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_mesh_out_of_sight_leaves_a_white_picture(ball):
    away = trimesh.Trimesh(ball.vertices + np.array([0, 0, 50]), ball.faces, process=False)
    assert (picture(away, orbit(0, 0, size=8)) == 255).all()


def test_stray_vertices_do_not_shrink_the_view(ball):
    stray = trimesh.Trimesh(np.concatenate([ball.vertices, [[99.0, 0, 0]]]), ball.faces, process=False)
    assert np.array_equal(view(stray, 32), view(ball, 32))
