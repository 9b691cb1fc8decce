"""The demo's page: plain data in, one self-contained HTML file out."""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from isofield.demo.display import View, to_uint8
from isofield.demo.packing import packed
from isofield.render.colormap import ramp


@dataclass(frozen=True)
class Number:
    """One measured value, as text, and a sentence that says what it means."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Picture:
    """A PNG picture and its caption."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Exhibit:
    """One part of the page. Everything but the title may be empty.

    views: meshes that are turned together; up: the axis of theirs that points up; yaw: degrees that they are first
    turned about it; heat: what the dark end of the layer "error" stands for; numbers: the first few stand in the
    overview; downloads: label, and path from the page.
    """

    title: str
    text: str = ""
    views: list[View] = field(default_factory=list)
    up: str = "y"
    yaw: float = -35.0
    heat: str = ""
    pictures: list[Picture] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    downloads: list[tuple[str, str]] = field(default_factory=list)
    credit: str = ""


def render_page(title: str, lead: str, exhibits: list[Exhibit], origin: str = "", overview: int = 4) -> str:
    """The page as HTML. origin: when and by what it was made; overview: how many numbers of each the table shows."""
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        lead=escape(lead),
        origin=escape(origin),
        style=_asset("page.css"),
        overview=_overview(exhibits, overview),
        exhibits="\n".join(_exhibit(k, exhibit) for k, exhibit in enumerate(exhibits)),
        viewer=_asset("viewer.js"),
    )


def _overview(exhibits: list[Exhibit], count: int) -> str:
    measured = [(k, exhibit) for k, exhibit in enumerate(exhibits) if exhibit.numbers]
    if not measured:
        return ""
    head = "".join(f"<th>{escape(number.name)}</th>" for number in measured[0][1].numbers[:count])
    rows = "".join(
        f'<tr><th scope="row"><a href="#exhibit-{k}">{escape(exhibit.title)}</a></th>'
        + "".join(f"<td>{escape(number.value)}</td>" for number in exhibit.numbers[:count])
        + "</tr>"
        for k, exhibit in measured
    )
    return f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _exhibit(index: int, exhibit: Exhibit) -> str:
    parts = [
        f'<section class="exhibit" id="exhibit-{index}"><h2>{escape(exhibit.title)}</h2>',
        f"<p>{escape(exhibit.text)}</p>" if exhibit.text else "",
        _views(exhibit),
        "".join(_picture(picture) for picture in exhibit.pictures),
        _numbers(exhibit.numbers),
        _commands(exhibit),
        f'<p class="credit">{escape(exhibit.credit)}</p>' if exhibit.credit else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _views(exhibit: Exhibit) -> str:
    if not exhibit.views:
        return ""
    layers = dict.fromkeys(name for view in exhibit.views for name in view.layers)
    names = [name for name in layers if name != "error"] + ["plain"] + (["error"] if "error" in layers else [])
    buttons = "".join(f'<button type="button" data-layer="{name}">{name}</button>' for name in names)
    figures = "".join(
        f'<figure><canvas tabindex="0" role="img" aria-label="{escape(view.label)}: 3D view; arrow keys turn it, '
        f'plus and minus zoom"></canvas><figcaption>{escape(view.label)}</figcaption></figure>'
        for view in exhibit.views
    )
    scale = to_uint8(ramp(np.linspace(0, 1, 9)))
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in scale.tolist())
    legend = f'<div class="legend" hidden><span>0</span><i style="background:linear-gradient(90deg,{stops})"></i>'
    legend += f"<span>{escape(exhibit.heat)}</span></div>"
    return (
        f'<div class="viewer" data-yaw="{exhibit.yaw:g}"><div class="bar">'
        f'<div class="layers" role="group" aria-label="Colouring">{buttons}</div>'
        f'{legend}</div><div class="views">{figures}</div>'
        '<p class="hint">Drag or use the arrow keys to turn, click and then scroll to zoom (or + and -), 0 to reset. '
        "Faces seen from the inside are brick red.</p>"
        '<p class="nogl" hidden>This browser offers no WebGL, so the 3D view is left out; see the pictures.</p>'
        f'<script type="application/json">{json.dumps(packed(exhibit.views, exhibit.up))}</script></div>'
    )


def _picture(picture: Picture) -> str:
    source = "data:image/png;base64," + b64encode(picture.png).decode()
    caption = escape(picture.caption)
    return f'<figure class="picture"><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _numbers(numbers: list[Number]) -> str:
    if not numbers:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(n.name)}</th><td>{escape(n.value)}</td><td>{escape(n.meaning)}</td></tr>'
        for n in numbers
    )
    return f'<table class="numbers"><tbody>{rows}</tbody></table>'


def _commands(exhibit: Exhibit) -> str:
    commands = "\n".join(exhibit.commands)
    links = ", ".join(f'<a href="{escape(path)}">{escape(label)}</a>' for label, path in exhibit.downloads)
    return (f"<pre><code>{escape(commands)}</code></pre>" if commands else "") + (
        f"<p>Files: {links}</p>" if links else ""
    )


def _asset(name: str) -> str:
    return files("isofield.demo").joinpath(name).read_text(encoding="utf-8")
