"""The demo's page: plain data in, a page out that stands alone and draws in a real browser."""

import base64
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from isofield.demo import drawn, found
from isofield.demo.display import View, creased_normals, decimated, refined, to_uint8
from isofield.demo.exhibit import compared_views, numbers
from isofield.demo.packing import packed
from isofield.demo.page import Exhibit, Number, Picture, render_page
from isofield.demo.run import MODELS, command, fit_settings, run_demo
from isofield.render.colormap import error_colors
from isofield.settings.shapes import DemoSettings
from needs import CHROMIUM, chromium

VOID = {"meta", "link", "img", "br", "hr", "input"}
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


# Does to the first viewer what a hand would do, and counts the views that look different after each act.
ACTS = """
<script>
(async () => {
  const viewer = document.querySelector(".viewer"), views = [...viewer.querySelectorAll("canvas")], page = document.documentElement;
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const shot = () => views.map((view) => view.toDataURL());
  const pointer = (kind, x) => new PointerEvent(kind, { pointerId: 1, clientX: x, clientY: 10 });
  views[0].setPointerCapture = () => {};
  const acts = {
    key: () => views[0].dispatchEvent(new KeyboardEvent("keydown", { key: "+" })),
    drag: () => { for (const [k, x] of [["pointerdown", 10], ["pointermove", 60], ["pointerup", 60]]) views[0].dispatchEvent(pointer(k, x)); },
    idlewheel: () => { views[1].blur(); views[0].blur(); views[0].dispatchEvent(new WheelEvent("wheel", { deltaY: 100 })); },
    wheel: () => { views[0].focus(); views[0].dispatchEvent(new WheelEvent("wheel", { deltaY: 100 })); },
    layer: () => viewer.querySelector('[data-layer="error"]').click(),
  };
  for (const [name, act] of Object.entries(acts)) {
    await frame();
    const before = shot();
    act();
    await frame();
    page.dataset[name] = String(shot().filter((picture, k) => picture !== before[k]).length);
  }
  page.dataset.legend = String(!viewer.querySelector(".legend").hidden);
})();
</script>
"""  # noqa: E501


class Outline(HTMLParser):
    """Checks that tags nest, and keeps every attribute that names something to load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for key, value in attrs if key in ("src", "href", "srcset", "data", "poster")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def ball(radius: float = 1.0, colored: bool = False) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(3, radius)
    if colored:
        mesh.visual.vertex_colors = np.tile(np.array([200, 40, 40, 255], np.uint8), (len(mesh.vertices), 1))
    return mesh


@pytest.fixture(scope="module")
def page() -> str:
    torn = ball(colored=True)
    torn.update_faces(np.arange(len(torn.faces)) > 60)
    views, top = compared_views(torn, ball(1.01, colored=True))
    rich = Exhibit(
        "A ball <torn>",
        'with "quotes" & more',
        views,
        heat=f"{top:g}",
        pictures=[Picture(PNG, "a dot")],
        numbers=[Number("closed", "yes", "It is.")],
        commands=["isofield fit a.ply -o run"],
        downloads=[("mesh", "run/mesh.glb")],
        credit="by nobody",
    )
    return render_page("isofield", "lead", [rich, Exhibit("Bare"), Exhibit("Other", views=views[:1])], "today")


def test_page_is_well_formed_and_loads_nothing_from_the_network(page):
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    assert all(load.startswith(("data:", "#", "run/")) for load in outline.loads)
    assert not re.search(r"https?://|//cdn|@import|url\(|fetch\(|XMLHttpRequest|import\(", page)


def test_text_is_escaped_and_views_are_json(page):
    assert "A ball &lt;torn&gt;" in page
    assert "&quot;quotes&quot; &amp; more" in page
    stored = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert [len(json.loads(text)) for text in stored] == [2, 1]


def test_packed_views_unpack_to_the_same_triangles_in_one_box():
    small, large = ball(0.5), ball(1.0)
    views = [View("b", *refined(large)[:2]), View("a", small, creased_normals(small.vertices, small.faces))]
    radii = []
    for view, mesh in zip(packed(views), (large, small), strict=True):
        points = unpack(view["positions"], "<u2").reshape(-1, 3) / 65535 * 2 - 1
        faces = unpack(view["indices"], f"<u{view['index_bytes']}").reshape(-1, 3)
        normals = unpack(view["normals"], "<i1").reshape(-1, 3) / 127
        restored = trimesh.Trimesh(points, faces, process=False)
        assert restored.volume > 0
        assert len(points) == view["vertices"]
        assert len(faces) == view["faces"] >= len(mesh.faces)
        assert np.einsum("ij,ij->i", normals, points).min() > 0.9 * np.linalg.norm(points, axis=1).min()
        radii.append(np.linalg.norm(points, axis=1).max())
    assert radii[1] / radii[0] == pytest.approx(0.5, abs=1e-3)
    assert radii[0] == pytest.approx(1 / np.sqrt(3), abs=1e-3)


def test_a_stray_part_of_the_result_does_not_make_the_input_small():
    stray = ball()
    stray.vertices[0] = (20, 0, 0)
    views = [
        View(name, mesh, creased_normals(mesh.vertices, mesh.faces)) for name, mesh in (("a", ball()), ("b", stray))
    ]
    first, second = packed(views)
    assert first["span"] == second["span"] == pytest.approx(np.sqrt(12) / 40)
    reach = np.ptp(unpack(first["positions"], "<u2").reshape(-1, 3) / 65535, axis=0)
    assert reach == pytest.approx(np.full(3, first["span"] / np.sqrt(3)), abs=1e-3)


def test_z_up_is_turned_to_y_up_without_mirroring():
    mesh = trimesh.creation.box((1, 2, 4))
    mesh.apply_translation((0, 0, 2))
    (view,) = packed([View("box", mesh, creased_normals(mesh.vertices, mesh.faces))], up="z")
    points = unpack(view["positions"], "<u2").reshape(-1, 3) / 65535.0
    faces = unpack(view["indices"], "<u2").reshape(-1, 3)
    assert np.ptp(points, axis=0) / np.ptp(points[:, 0]) == pytest.approx([1, 4, 2], abs=1e-3)
    assert trimesh.Trimesh(points, faces, process=False).volume > 0


def test_normals_are_sharp_on_a_box_and_smooth_on_a_ball():
    box, sphere = trimesh.creation.box(), ball()
    flat = creased_normals(box.vertices, box.faces)
    assert flat == pytest.approx(np.repeat(box.face_normals[:, None], 3, 1), abs=1e-12)
    smooth = creased_normals(sphere.vertices, sphere.faces)
    assert np.einsum("fij,fij->fi", smooth, sphere.triangles).min() > 0.999


def test_refining_keeps_shape_and_looks_up_the_texture():
    fine = refined(textured_square(), faces=600)
    assert fine.mesh.area == pytest.approx(1.0)
    assert 500 < len(fine.mesh.faces) <= 600
    x = fine.mesh.vertices[:, 0]
    assert (fine.colors[(x > 0.05) & (x < 0.45)] == (255, 0, 0)).all()
    assert (fine.colors[(x > 0.55) & (x < 0.95)] == (0, 0, 255)).all()


def test_decimation_keeps_volume_and_colour():
    mesh = trimesh.creation.icosphere(5)
    mesh.visual.vertex_colors = np.c_[heat(mesh.vertices[:, 0] + 1, 2.0), np.full(len(mesh.vertices), 255)]
    small = decimated(mesh, faces=2000)
    assert len(small.mesh.faces) <= 2000
    assert small.mesh.volume == pytest.approx(mesh.volume, rel=0.01)
    expected = heat(np.asarray(small.mesh.vertices[:, 0] + 1), 2.0).astype(int)
    assert np.abs(small.colors.astype(int) - expected).mean() < 3


def test_error_layer_shows_the_distance_to_the_other_mesh():
    views, top = compared_views(ball(1.0), ball(1.1))
    assert 0.09 < top <= 0.2
    errors = [view.layers["error"].astype(float) for view in views]
    assert errors[0] == pytest.approx(heat(np.full(len(errors[0]), 0.1), top).astype(float), abs=12)
    assert not (views[0].layers.keys() | views[1].layers.keys()) - {"error"}


def test_numbers_say_what_the_report_says_and_no_more():
    shown = {n.name: n.value for n in numbers({"watertight": False, "point_to_surface": 0.00123, "bytes": 3_200_000})}
    assert shown == {"closed": "no", "mean error": "0.123 %", "stored field": "3.20 MB"}


def test_commands_on_the_page_are_the_settings_of_the_fit():
    usual = fit_settings(DemoSettings(output=Path("demo"), budget=20.0), Path("demo/models/lion.glb"))
    assert command(usual) == "isofield fit demo/models/lion.glb -o demo/lion --budget 20"
    short = fit_settings(DemoSettings(output=Path("demo"), short=True, seed=3), Path("demo/models/lion.glb"))
    assert command(short) == "isofield fit demo/models/lion.glb -o demo/lion --steps 400 --resolution 64 --seed 3"


def test_demo_fits_every_model_draws_heads_and_writes_one_page(tmp_path, monkeypatch):
    def fit(settings):
        settings.output.mkdir()
        ball(float(np.ptp(trimesh.load_mesh(settings.input).vertices))).export(settings.output / "mesh.ply")
        (settings.output / "preview.png").write_bytes(PNG)
        return {"watertight": True, "point_to_surface": 0.5}

    monkeypatch.setattr(drawn, "COUNT", 3)
    monkeypatch.setattr(found, "SHORT_STEPS", 3)
    done = run_demo(DemoSettings(output=tmp_path / "out", short=True), fit)
    text = Path(done["page"]).read_text()
    assert done["models"].keys() == {model.name for model in MODELS}
    assert all(model.title in text and f"-o {tmp_path / 'out' / model.name}" in text for model in MODELS)
    assert (tmp_path / "out/models/lion.glb").exists()
    assert (done["heads"]["count"], done["heads"]["closed"]) == (3, 3)
    assert "isofield generate heads -n 3" in text
    assert (tmp_path / "out/heads/00002.ply").exists()
    assert done["found"]["watertight"]
    assert f"isofield invert {tmp_path / 'out/models/head-views/heads_00000/000.png'} --prior heads" in text
    assert len(text) < 12_000_000
    with Image.open(tmp_path / "out/overview.png") as overview:
        assert overview.size == (1200, 3 * 1200)


@chromium
def test_a_real_browser_draws_every_view_without_an_error(page, tmp_path):
    dom, log = browse(page, tmp_path)
    assert re.search(r"<html[^>]*data-webgl=\"ready\"", dom), log
    assert 'data-errors="0"' in dom
    assert 'data-drawn="3"' in dom
    covered = [int(count) for count in re.findall(r'data-pixels="(\d+)"', dom)]
    assert len(covered) == 3
    assert min(covered) > 5_000
    said = [line for line in log.splitlines() if ":CONSOLE" in line and "GPU stall" not in line]
    assert said == []


@chromium
def test_views_turn_zoom_and_change_colour_together(page, tmp_path):
    dom, log = browse(page.replace("</body>", ACTS + "</body>"), tmp_path)
    acts = dict(re.findall(r'data-(key|drag|idlewheel|wheel|layer|legend)="(\w+)"', dom.split("<head>")[0]))
    expected = {"key": "2", "drag": "2", "idlewheel": "0", "wheel": "2", "layer": "2", "legend": "true"}
    assert acts == expected, log


@chromium
def test_without_webgl_the_page_says_so(page, tmp_path):
    dom, _ = browse(page, tmp_path, "--disable-3d-apis")
    assert 'data-webgl="missing"' in dom
    assert 'class="nogl">' in re.sub(r'\s(hidden|style)=""', "", dom)
    assert 'data-errors="0"' in dom


def browse(page: str, folder: Path, *flags: str) -> tuple[str, str]:
    """The document after its scripts ran, and the browser's log; frames come by the clock: headless ones may not."""
    clock = "<script>window.requestAnimationFrame = (draw) => setTimeout(draw, 16);</script></head>"
    (folder / "index.html").write_text(page.replace("</head>", clock), encoding="utf-8")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    quiet += ["--disable-background-networking", "--disable-sync", "--no-first-run", "--enable-logging=stderr"]
    address = (folder / "index.html").as_uri() + "#probe"
    own = [
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=20000",
        "--window-size=1200,2400",
        "--dump-dom",
    ]
    done = subprocess.run(
        [CHROMIUM, *quiet, *own, *flags, address], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout, done.stderr


def heat(distances: np.ndarray, limit: float) -> np.ndarray:
    return to_uint8(error_colors(np.asarray(distances), limit))


def textured_square() -> trimesh.Trimesh:
    """A unit square whose texture is red on the left and blue on the right."""
    image = Image.new("RGB", (64, 64), (255, 0, 0))
    image.paste((0, 0, 255), (32, 0, 64, 64))
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    mesh = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    mesh.visual = trimesh.visual.TextureVisuals(
        corners[:, :2], trimesh.visual.material.PBRMaterial(baseColorTexture=image)
    )
    return mesh


def unpack(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)
