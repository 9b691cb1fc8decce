"""The page in a real browser that reaches nothing but this machine: Chromium without a screen."""

import io
import os
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from isofield.viewer.items import read_items
from isofield.viewer.scene import Choice
from isofield.viewer.screenshot import rendered
from isofield.viewer.server import Viewer
from needs import CHROMIUM, chromium, viser

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", *(["--no-sandbox"] if os.name == "posix" else [])]
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
PATIENCE = 120.0  # seconds
STILL = 5  # pictures equal to the one before, half a second apart
pytestmark = [chromium, viser]


@pytest.fixture
def viewer(files) -> Iterator[Viewer]:
    stop = threading.Event()
    with Viewer(read_items((files / "run", files / "cloud.xyz")), Choice(resolution=32), port=0) as shown:
        thread = threading.Thread(target=shown.watch, args=(stop,))
        thread.start()
        yield shown
        stop.set()
        thread.join()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.25)


def settled(page) -> np.ndarray:
    """What is drawn, once pictures in a row are equal for so long that nothing more is being loaded."""
    last, equal = picture(page), 0
    end = time.monotonic() + PATIENCE
    while equal < STILL:
        assert time.monotonic() < end
        time.sleep(0.5)
        now = picture(page)
        last, equal = now, equal + 1 if np.array_equal(last, now) else 0
    return last


def picture(page) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(page.locator("canvas").first.screenshot())).convert("RGB"))


def drawn(image: np.ndarray) -> np.ndarray:
    return (image < 245).any(-1)


def test_the_page_draws_all_in_view_and_its_controls_reach_the_field(viewer, tmp_path):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, ALONE], timeout=1000 * PATIENCE)
        page = browser.new_page(viewport={"width": 1000, "height": 600})
        page.set_default_timeout(1000 * PATIENCE)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(viewer.url)
        page.add_style_tag(content=".mantine-Notification-root { display: none }")  # that rendering is in software
        page.wait_for_selector("canvas")
        until(lambda: drawn(picture(page)).mean() > 0.1)
        start, before = settled(page), viewer.scene
        level = page.locator("input[inputmode=decimal]").first
        level.fill("-0.2")
        level.press("Enter")
        until(lambda: viewer.panel.level.value == -0.2)
        until(lambda: not np.array_equal(picture(page), start))
        shrunk = settled(page)
        page.screenshot(path=tmp_path / "page.png")
        browser.close()
    height, width = start.shape[:2]
    rows, columns = np.nonzero(drawn(start))
    assert 0.8 < np.ptp(columns) / width < 0.95  # as wide as what the panel leaves
    assert abs((columns.min() + columns.max()) / width - 1) < 0.05
    assert 0 < rows.min() < rows.max() < height - 1
    middle = width // 2
    assert 0.55 < drawn(shrunk)[:, :middle].mean() / drawn(start)[:, :middle].mean() < 0.75  # radius 0.79 of 1
    assert np.array_equal(shrunk[:, middle:], start[:, middle:])
    ours = drawn(rendered(before, before.view(width / height).camera(width, height)))
    assert (ours & drawn(start)).sum() / (ours | drawn(start)).sum() > 0.9  # but for the names
    assert all(url.startswith((viewer.url, f"blob:{viewer.url}", "data:")) for url in asked)
