"""The page and its server, through viser: only `Viewer` starts threads or listens."""

import errno
import socket
import threading
from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO
from typing import Any

import numpy as np

from isofield.errors import InputError, IsofieldError
from isofield.viewer.drawn import drawn
from isofield.viewer.items import Item
from isofield.viewer.panel import Panel
from isofield.viewer.scene import Choice, Scene, compose, offer
from isofield.viewer.stage import Stage

PORT = 8080
ASPECT = 1.5  # of a window that has not said its own
KEPT = 16  # drawings that need not be made anew
WAIT = 0.2  # seconds between looks at whether to stop
NO_PLACE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def import_viser() -> Any:
    try:
        import viser
    except ImportError:
        raise IsofieldError('the viewer needs viser: pip install "isofield[view]"; --screenshot needs none') from None
    return viser


def free_port(host: str, port: int | None) -> int:
    """The port, if it is free; where none is asked for, the usual one or else any free one.

    Raises InputError if the asked one cannot be had, or if the host is no address of this machine.
    """
    try:
        return _bound(host, PORT if port is None else port)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno in NO_PLACE:
            raise InputError(f"--host {host}", "is no address of this machine", "leave it out") from None
        if port is None:
            return _bound(host, 0)
        fault = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise InputError(f"--port {port}", fault, "choose another one, or leave it out") from None


def _bound(host: str, port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return probe.getsockname()[1]


class Viewer:
    """A page that shows the items and redraws what is changed on it; a context, which closes the page's server.

    What the page calls only notes that something changed: all work is done by whoever calls `watch` or `refresh`.
    """

    def __init__(self, items: list[Item], choice: Choice, host: str = "127.0.0.1", port: int | None = None):
        viser = import_viser()
        self.items, self.changed = items, threading.Event()
        self.framed: dict[int, float] = {}  # width over height of each open page, as its camera was aimed for
        with redirect_stdout(StringIO()):  # it prints a table
            self.server = viser.ViserServer(host=host, port=free_port(host, port), verbose=False)
        self.port: int = self.server.get_port()
        self.url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{self.port}"
        self.server.gui.configure_theme(show_share_button=False, show_logo=False)
        self.server.gui.main_panel.dock_right()
        self.drawn = lru_cache(KEPT)(drawn)
        self.panel = Panel(self.server.gui, offer(items), choice, self.changed.set, self.aim)
        self.stage = Stage(self.server.scene)
        self.scene = self._draw(choice)
        self.server.on_client_connect(self._welcome)

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        with redirect_stdout(StringIO()):
            self.server.stop()

    def watch(self, stop: threading.Event | None = None) -> None:
        """Redraw whenever something changed, until `stop` is set."""
        while stop is None or not stop.is_set():
            if self.changed.wait(WAIT):
                self.refresh()

    def refresh(self) -> None:
        """Draw what the panel says now, or say there why that cannot be."""
        self.changed.clear()
        before = self.scene.up
        try:
            self.scene = self._draw(self.panel.choice())
        except IsofieldError as error:
            self.panel.say([str(error)])
        if self.scene.up != before:
            self.aim()

    def aim(self) -> None:
        """Put the camera of every open page where it starts."""
        for client in self.server.get_clients().values():
            self._aim(client)

    def _draw(self, choice: Choice) -> Scene:
        self.panel.say(["working ..."])
        scene = compose(self.items, choice, self.drawn)
        self.stage.show(scene)
        self.panel.say(scene.notes)
        self.panel.show_scale(scene.limit)
        return scene

    def _welcome(self, client: Any) -> None:
        self._aim(client)
        client.camera.on_update(lambda _: self._reshaped(client))

    def _reshaped(self, client: Any) -> None:
        """Aim again if the window took another shape (as when the panel appears) and nobody turned the view."""
        framed, camera = self.framed[client.client_id], client.camera
        start = self.scene.view(framed).eye
        if not np.isclose(camera.aspect, framed, rtol=0.01) and np.allclose(camera.position, start, atol=1e-3):
            self._aim(client)

    def _aim(self, client: Any) -> None:
        self.framed[client.client_id] = client.camera.aspect or ASPECT
        view = self.scene.view(self.framed[client.client_id])
        with client.atomic():
            client.camera.up_direction = view.up
            client.camera.fov = view.fov
            client.camera.position = view.eye
            client.camera.look_at = view.target
