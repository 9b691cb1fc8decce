"""Tables: tops of many outlines on legs, columns, trestles, panels and bent wire."""

from dataclasses import asdict, dataclass

import numpy as np

from isofield.synthesis.chance import maybe, near, pick, span, whole
from isofield.synthesis.palette import GLASS, METALS, PLASTICS, WOODS, Color, exact, one_of, shaded
from isofield.synthesis.parts import Group, Member, Part, Shape, around, mirrored, repeated
from isofield.synthesis.solids import (
    Number,
    about,
    bar,
    curve,
    plate,
    revolve,
    rounded_box,
    rounded_rectangle,
    superellipse,
    tube,
)


@dataclass(frozen=True)
class Table:
    """Lengths in metres, splay in degrees."""

    kind: str
    base: str
    outline: str
    width: float
    depth: float
    height: float
    thickness: float
    overhang: float
    leg: float
    taper: float
    splay: float
    apron: float
    shelf: bool
    stretchers: bool
    drawers: int
    wood: Color
    top: Color

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Table":
        kind = pick(rng, {"dining": 3.0, "coffee": 2.5, "side": 2.0, "desk": 1.5, "console": 1.0, "bar": 0.8})
        width, depth, height = {
            "dining": (1.6, 0.9, 0.75), "coffee": (1.05, 0.6, 0.42), "side": (0.5, 0.48, 0.55),
            "desk": (1.35, 0.66, 0.74), "console": (1.15, 0.36, 0.8), "bar": (0.7, 0.7, 1.06),
        }[kind]  # fmt: skip
        outline = pick(
            rng, {"rectangle": 4.0, "round": 2.0, "oval": 1.2, "soft": 1.2} if kind != "desk" else {"rectangle": 1.0}
        )
        bases = {"legs": 4.0, "turned": 1.4, "hairpin": 1.2, "trestle": 1.2, "cross": 1.0, "panels": 0.8, "frame": 1.0}
        if kind == "desk":
            bases = {"legs": 2.0, "hairpin": 0.6, "panels": 1.0, "pedestals": 2.5, "frame": 0.8}
        if outline == "round" or kind in ("bar", "side"):
            bases = {"pedestal": 3.0, "tripod": 1.5, "legs": 2.0, "turned": 0.8, "hairpin": 0.8}
        base = pick(rng, bases)
        metal = base in ("hairpin", "frame", "cross") or maybe(rng, 0.12)
        wood = one_of(rng, METALS if metal else WOODS)
        glass = maybe(rng, 0.15) and base not in ("pedestals", "panels")
        top = (
            exact(GLASS)
            if glass
            else one_of(rng, WOODS)
            if metal
            else wood
            if maybe(rng, 0.6)
            else one_of(rng, PLASTICS + WOODS)
        )
        diameter = near(rng, 0.7 * depth + 0.3 * width, 0.08)
        return cls(
            kind=kind,
            base=base,
            outline=outline,
            width=diameter if outline == "round" else near(rng, width, 0.12),
            depth=diameter if outline == "round" else near(rng, depth, 0.1),
            height=near(rng, height, 0.05),
            thickness=0.012 if glass else span(rng, 0.018, 0.05),
            overhang=span(rng, 0.02, 0.08),
            leg=span(rng, 0.018, 0.042),
            taper=span(rng, 0.5, 1.0),
            splay=span(rng, 3, 12) if maybe(rng, 0.4) else 0.0,
            apron=span(rng, 0.05, 0.11) if base in ("legs", "turned") and not glass else 0.0,
            shelf=base in ("legs", "turned") and kind in ("coffee", "side", "console") and maybe(rng, 0.4),
            stretchers=base in ("legs", "turned") and maybe(rng, 0.3),
            drawers=whole(rng, 1, 3) if maybe(rng, 0.35) and kind in ("desk", "console", "side") else 0,
            wood=wood,
            top=top,
        )


def table(rng: np.random.Generator) -> Shape:
    """A table of any kind."""
    t = Table.sample(rng)
    top = Part("top", plate(_outline(t), t.height - t.thickness, t.height, min(0.3 * t.thickness, 0.01)), t.top)
    build = {
        "legs": _legs, "turned": _legs, "hairpin": _hairpins, "pedestal": _pedestal, "tripod": _tripod,
        "trestle": _trestle, "cross": _cross, "panels": _panels, "frame": _frame, "pedestals": _pedestals,
    }[t.base]  # fmt: skip
    return Shape("table", Group("table", (top, *build(t))), asdict(t))


def _outline(t: Table) -> np.ndarray:
    if t.outline == "rectangle":
        return rounded_rectangle(t.width, t.depth, 0.02, 4)
    exponent = {"round": 2.0, "oval": 2.0, "soft": 3.4}[t.outline]
    return superellipse(t.width, t.depth, exponent, 56)


def _corner(t: Table) -> tuple[float, float]:
    """Where a leg meets the top: (x, z) of the front right one."""
    inset = {"rectangle": 1.0, "soft": 0.82, "round": 0.66, "oval": 0.66}[t.outline]
    return inset * t.width / 2 - t.overhang - t.leg, inset * t.depth / 2 - t.overhang - t.leg


def _under(t: Table) -> float:
    """The height up to which what carries the top reaches into it."""
    return t.height - 0.6 * t.thickness


def _legs(t: Table) -> list[Member]:
    x, z = _corner(t)
    out = t.height * np.tan(np.deg2rad(t.splay)) * 0.7 if t.base != "turned" else 0.0
    top, foot = (x, _under(t), z), (x + out, 0.0, z + out)
    if t.base == "turned":
        profile = [
            (0.8, 0.0),
            (0.55, 0.02),
            (0.6, 0.1),
            (0.95, 0.3),
            (1.0, 0.5),
            (0.75, 0.66),
            (0.6, 0.72),
            (1.0, 0.76),
        ]
        profile += [(0.6, 0.8), (1.0, 0.84), (1.05, 0.86), (1.05, 1.0)]
        solid = revolve([(1.1 * t.leg * r, _under(t) * y) for r, y in profile], 16).moved(x, 0, z)
    else:
        solid = bar(top, foot, 2 * t.leg, 2 * t.leg, t.taper)
    leg = Part("leg", solid, t.wood)
    members: list[Member] = [mirrored("legs", mirrored("side legs", leg, axis=2))]
    if t.apron:
        members.append(_apron(t, x, z))
    if t.shelf:
        reach = out * 0.75
        board = plate(
            rounded_rectangle(2 * (x + reach), 2 * (z + reach), 0.02), 0.24 * t.height, 0.24 * t.height + 0.02, 0.004
        )
        members.append(Part("shelf", board, t.top))
    elif t.stretchers:
        at, level = 1 - 0.2, 0.2 * t.height
        side = Part(
            "stretcher",
            tube([(x + at * out, level, -z - at * out), (x + at * out, level, z + at * out)], 0.45 * t.leg, 8),
            t.wood,
        )
        across = Part("stretcher", tube([(-x - at * out, level, 0), (x + at * out, level, 0)], 0.45 * t.leg, 8), t.wood)
        members.append(Group("stretchers", (mirrored("side stretchers", side), across)))
    return members


def _apron(t: Table, x: Number, z: Number) -> Group:
    """Four boards under the top, with drawers in the front one."""
    y, thin = _under(t) - t.apron / 2, 0.018
    front = Part("apron", rounded_box((2 * x, t.apron, thin), 0.002).moved(0, y, z), t.wood)
    side = Part("apron", rounded_box((thin, t.apron, 2 * z), 0.002).moved(x, y + 0.0007, 0), t.wood)
    members: list[Member] = [mirrored("long aprons", front, axis=2), mirrored("short aprons", side)]
    if t.drawers and t.base == "legs":
        members.append(_drawers(t, 2 * (x - t.leg), y, z, 0.75 * t.apron))
    return Group("aprons", tuple(members))


def _drawers(t: Table, width: Number, y: Number, z: Number, height: Number) -> Group:
    step = width / t.drawers
    place = -width / 2 + step / 2
    box = rounded_box((0.92 * step, height, 0.03), 0.004).moved(place, y, z)
    knob = revolve([(0.006, 0.0), (0.006, 0.02), (0.012, 0.022), (0.012, 0.03)], 12).mapped(about(0, 90))
    drawer = (
        Part("drawer", box, shaded(t.wood, 1.08)),
        Part("knob", knob.moved(place, y, z + 0.012), shaded(t.wood, 0.5)),
    )
    return repeated("drawers", Group("drawer", drawer), (step, 0.0, 0.0), t.drawers)


def _hairpins(t: Table) -> list[Member]:
    """Legs of bent wire."""
    x, z = _corner(t)
    wide, out, top = 0.055, 0.03, _under(t)
    path = curve(
        [
            (x - wide, top, z),
            (x - 0.3 * wide + out, 0.3 * t.height, z + out),
            (x + out, 0.008, z + out + 0.01),
            (x + 0.4 * wide + out, 0.3 * t.height, z + out),
            (x + wide, top, z),
        ],
        30,
    )
    leg = Part("leg", tube(path, 0.0055, 8), t.wood)
    return [mirrored("legs", mirrored("side legs", leg, axis=2))]


def _pedestal(t: Table) -> list[Member]:
    """A column on a foot plate."""
    reach = 0.32 * min(t.width, t.depth) + 0.06
    slim, top = 0.9 * t.leg, _under(t)
    flare = t.taper < 0.75
    profile = [(reach, 0.0), (reach, 0.012), (0.9 * reach, 0.02), (2.2 * slim, 0.05 if not flare else 0.12)]
    profile += [(1.1 * slim, 0.35 * t.height), (slim, 0.6 * t.height), (1.4 * slim, top - 0.1), (3.2 * slim, top)]
    return [Part("pedestal", revolve(profile, 40), t.wood)]


def _tripod(t: Table) -> list[Member]:
    """A column on three or four curved feet."""
    slim, top, level = 0.8 * t.leg, _under(t), 0.38 * t.height
    column = [
        (1.2 * slim, 0.26 * t.height),
        (1.5 * slim, 0.33 * t.height),
        (slim, 0.5 * t.height),
        (1.3 * slim, top - 0.06),
        (3 * slim, top),
    ]
    reach = 0.42 * min(t.width, t.depth) + 0.05
    foot = curve(
        [(0.0, level, 0.0), (0.35 * reach, 0.8 * level, 0.0), (0.8 * reach, 0.2 * level, 0.0), (reach, 0.02, 0.0)], 14
    )
    leg = Part("leg", tube(foot, np.linspace(1.0, 0.7, 14) * slim, 10), t.wood)
    return [Part("pedestal", revolve(column, 24), t.wood), around("legs", leg, 3 + int(t.stretchers or t.splay > 0))]


def _trestle(t: Table) -> list[Member]:
    """An upright on a long foot at each end, and a beam between them."""
    x, z = 0.68 * t.width / 2, _corner(t)[1]
    side = [
        Part("foot", rounded_box((0.07, 0.05, 1.7 * z), 0.012).moved(x, 0.025, 0), t.wood),
        Part(
            "upright",
            rounded_box((0.05, _under(t) - 0.03, 0.7 * z), 0.006).moved(x, 0.03 + (_under(t) - 0.03) / 2, 0),
            t.wood,
        ),
        Part("bearer", rounded_box((0.06, 0.05, 1.6 * z), 0.006).moved(x, _under(t) - 0.025, 0), t.wood),
    ]
    beam = rounded_box((2 * x, 0.09, 0.03), 0.004).moved(0, 0.45 * t.height, 0)
    return [mirrored("trestles", Group("trestle", tuple(side))), Part("stretcher", beam, t.wood)]


def _cross(t: Table) -> list[Member]:
    """Crossed legs at both ends."""
    inset = 1.0 if t.outline == "rectangle" else 0.76
    x, z = inset * 0.78 * t.width / 2, inset * 0.82 * t.depth / 2
    thick = max(0.022, t.leg)
    one = Part("leg", bar((x, 0.0, z), (x, _under(t), -z), thick, 1.6 * thick), t.wood)
    ends = mirrored("legs", mirrored("cross", one, axis=2))
    beam = tube([(-x, 0.5 * t.height, 0.0), (x, 0.5 * t.height, 0.0)], 0.5 * thick, 10)
    return [ends, Part("stretcher", beam, t.wood)]


def _panels(t: Table) -> list[Member]:
    """A board at each end, and one between them."""
    x, thin = t.width / 2 - t.overhang, 0.025
    side = rounded_box((thin, _under(t), t.depth - 2 * t.overhang), 0.003).moved(x, _under(t) / 2, 0)
    back = rounded_box((2 * x, 0.35 * t.height, thin), 0.003).moved(
        0, 0.68 * t.height, -0.6 * (t.depth / 2 - t.overhang)
    )
    members: list[Member] = [mirrored("sides", Part("side panel", side, t.wood)), Part("back panel", back, t.wood)]
    if t.shelf or t.kind in ("coffee", "console"):
        board = rounded_box((2 * x, 0.02, t.depth - 2.6 * t.overhang), 0.003).moved(0, 0.3 * t.height, 0)
        members.append(Part("shelf", board, t.wood))
    return members


def _frame(t: Table) -> list[Member]:
    """A rectangular loop of bar at each end, joined by thin rails."""
    x, z, thick = 0.8 * t.width / 2, 0.84 * t.depth / 2, 0.02
    top, low = _under(t), thick / 2
    leg = mirrored("uprights", Part("leg", bar((x, 0, z), (x, top, z), thick, thick), t.wood), axis=2)
    foot = Part("foot", rounded_box((thick, thick, 2 * z), 0.003).moved(x, low + 0.0004, 0), t.wood)
    head = Part("bearer", rounded_box((thick, thick, 2 * z), 0.003).moved(x, top - low - 0.0004, 0), t.wood)
    rail = tube([(-x, top - 2 * thick, z), (x, top - 2 * thick, z)], 0.006, 8)
    ends = mirrored("ends", Group("end", (leg, foot, head)))
    return [ends, mirrored("rails", Part("rail", rail, t.wood), axis=2)]


def _pedestals(t: Table) -> list[Member]:
    """A desk with a chest of drawers on one side or both."""
    top, deep = _under(t), t.depth - 2 * t.overhang
    wide, x = 0.26 * t.width, t.width / 2 - t.overhang - 0.13 * t.width
    chest = Part("cabinet", rounded_box((wide, top - 0.05, deep), 0.004).moved(x, 0.05 + (top - 0.05) / 2, 0), t.wood)
    count = 2 + t.drawers
    step = (top - 0.08) / count
    front = rounded_box((0.9 * wide, 0.86 * step, 0.03), 0.004).moved(x, 0.06 + step / 2, deep / 2)
    grip = tube(
        [(x - 0.15 * wide, 0.06 + 0.7 * step, deep / 2 + 0.02), (x + 0.15 * wide, 0.06 + 0.7 * step, deep / 2 + 0.02)],
        0.007,
        8,
    )
    drawer = Group("drawer", (Part("drawer", front, shaded(t.wood, 1.1)), Part("handle", grip, shaded(t.wood, 0.45))))
    drawers = repeated("drawers", drawer, (0.0, step, 0.0), count)
    plinth = Part("plinth", rounded_box((0.9 * wide, 0.06, 0.85 * deep), 0.003).moved(x, 0.03, 0), shaded(t.wood, 0.6))
    side = Group("pedestal", (chest, drawers, plinth))
    if t.taper > 0.6:
        return [mirrored("pedestals", side)]
    leg = Part("leg", bar((-x, top, deep / 2 - 0.04), (-x, 0.0, deep / 2 - 0.04), 0.05, 0.05), t.wood)
    return [side, mirrored("legs", leg, axis=2)]
