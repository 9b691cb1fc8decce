"""Chairs: seat, back, legs and arms of several kinds, in most combinations that carpenters know."""

from dataclasses import asdict, dataclass

import numpy as np

from isofield.synthesis.chance import maybe, near, pick, span, whole
from isofield.synthesis.palette import METALS, PLASTICS, RUBBER, WOODS, Color, cloth, exact, one_of, shaded
from isofield.synthesis.parts import Group, Member, Part, Shape, around, mirrored, repeated
from isofield.synthesis.solids import (
    Number,
    Solid,
    about,
    ball,
    bar,
    circle,
    curve,
    plate,
    revolve,
    ribbon,
    rounded_box,
    rounded_rectangle,
    superellipse,
    sweep,
    tube,
)

SUNK = 0.012  # metres by which a part reaches into the one that holds it
BEND = 0.035  # how far the rails of a back bend
SPINDLE, WIRE = 0.0055, 0.0035  # radii


@dataclass(frozen=True)
class Chair:
    """Lengths in metres; recline and splay in degrees."""

    kind: str
    back: str
    arms: str
    stretchers: str
    width: float
    depth: float
    height: float
    thickness: float
    roundness: float
    back_height: float
    recline: float
    splay: float
    leg: float
    bars: int
    cushion: bool
    round_legs: bool
    base: Color
    accent: Color
    soft: Color

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Chair":
        kind = pick(rng, {"four legs": 5.0, "shell": 1.6, "office": 1.5, "cantilever": 0.9, "stool": 0.9, "wire": 0.9})
        backs = {"slats": 3.0, "ladder": 2.5, "panel": 2.0, "spindles": 2.0, "cushioned": 1.5, "cross": 0.8}
        back = pick(rng, backs) if kind == "four legs" else "cushioned"
        tall = kind == "stool" and maybe(rng, 0.6)
        metal = kind in ("office", "cantilever", "wire") or maybe(rng, 0.15)
        base = one_of(rng, METALS if metal else WOODS) if maybe(rng, 0.88) else one_of(rng, PLASTICS)
        return cls(
            kind=kind,
            back=back,
            arms=pick(rng, {"none": 6.0, "posts": 2.0, "pads": 1.0}) if kind in ("four legs", "office") else "none",
            stretchers=pick(rng, {"none": 3.0, "H": 2.0, "box": 2.0, "ladder": 1.0}),
            width=near(rng, 0.46, 0.08),
            depth=near(rng, 0.45, 0.08),
            height=near(rng, 0.72 if tall else 0.45, 0.05),
            thickness=span(rng, 0.018, 0.045),
            roundness=span(rng, 2.6, 9.0),
            back_height=span(rng, 0.34, 0.62),
            recline=span(rng, 3, 15),
            splay=span(rng, 0, 11) if maybe(rng, 0.6) else 0.0,
            leg=span(rng, 0.013, 0.026),
            bars=whole(rng, 3, 9),
            cushion=maybe(rng, 0.4),
            round_legs=maybe(rng, 0.45),
            base=base,
            accent=one_of(rng, PLASTICS + WOODS),
            soft=cloth(rng),
        )


def chair(rng: np.random.Generator) -> Shape:
    """A chair of any kind."""
    drawn = Chair.sample(rng)
    build = {"shell": _shell, "office": _office, "cantilever": _cantilever, "stool": _stool, "wire": _wire}
    members = build.get(drawn.kind, _four_legged)(drawn)
    return Shape("chair", Group("chair", members), asdict(drawn))


def _four_legged(c: Chair) -> tuple[Member, ...]:
    members = [*_seat(c), _legs(c), *_stretchers(c), _back(c)]
    if c.arms != "none":
        members.append(_arms(c))
    return tuple(members)


def _seat(c: Chair) -> list[Member]:
    outline = superellipse(c.width, c.depth, c.roundness)
    seat = Part("seat", plate(outline, c.height - c.thickness, c.height, 0.008), c.base)
    if not c.cushion:
        return [seat]
    pad = plate(outline * 0.94, c.height - SUNK / 2, c.height + 0.04, 0.018, 3)
    return [seat, Part("cushion", pad, c.soft)]


def _corner(c: Chair) -> tuple[float, float]:
    """Where a leg meets the seat: (x, z) of the front right one."""
    inset = 0.5 ** (1 / c.roundness) * 0.98  # the corner of a superellipse lies inside that of its box
    return c.width / 2 * inset - c.leg, c.depth / 2 * inset - c.leg


def _foot(c: Chair) -> tuple[float, float]:
    x, z = _corner(c)
    out = np.tan(np.deg2rad(c.splay)) * c.height
    return x + 0.6 * out, z + out


def _leg(c: Chair, front: bool) -> Part:
    sign = 1.0 if front else -1.0
    (x, z), (foot_x, foot_z) = _corner(c), _foot(c)
    top, foot = (x, c.height - 0.3 * c.thickness, sign * z), (foot_x, 0.0, sign * foot_z)
    if c.round_legs:
        middle = 0.35 * np.array(top) + 0.65 * np.array(foot)
        solid = tube([top, middle, foot], np.array([1.15, 1.0, 0.7]) * c.leg, 12)
    else:
        solid = bar(top, foot, 2 * c.leg, 2 * c.leg, 0.75)
    return Part("leg", solid, c.base)


def _legs(c: Chair) -> Group:
    return Group("legs", (mirrored("front legs", _leg(c, True)), mirrored("back legs", _leg(c, False))))


def _between(c: Chair, height: Number, front: Number) -> np.ndarray:
    """The axis of the right front (front = 1) or back leg (-1) at a height."""
    (x, z), (foot_x, foot_z) = _corner(c), _foot(c)
    t = height / c.height
    return np.array([foot_x + (x - foot_x) * t, height, front * (foot_z + (z - foot_z) * t)])


def _stretchers(c: Chair) -> list[Member]:
    if c.stretchers == "none":
        return []
    radius, flip = 0.55 * c.leg, np.array([-1.0, 1.0, 1.0])
    levels = {"H": (0.36,), "box": (0.30,), "ladder": (0.22, 0.5)}[c.stretchers]
    members: list[Member] = []
    for level in levels:
        start, end = _between(c, level * c.height, 1.0), _between(c, level * c.height, -1.0)
        side = Part("stretcher", tube([start, end], radius, 8), shaded(c.base, 0.94))
        members.append(mirrored("side stretchers", side))
        if c.stretchers == "H":
            middle = (start + end) / 2
            members.append(Part("stretcher", tube([middle, middle * flip], radius, 8), shaded(c.base, 0.94)))
    if c.stretchers != "H":
        for front in (1.0, -1.0):
            end = _between(c, 0.42 * c.height, front)
            members.append(Part("stretcher", tube([end, end * flip], radius, 8), shaded(c.base, 0.94)))
    return [Group("stretchers", tuple(members))]


def _back(c: Chair) -> Group:
    """Built upright over the back edge of the seat, then tilted."""
    x, z = _corner(c)
    tall, post = c.back_height, max(c.leg, 0.014)
    thin = 0.5 * post
    posts = mirrored("posts", Part("post", bar((x, -SUNK, 0), (x, tall + SUNK, 0), 2 * post, 2 * post, 0.8), c.base))
    top = _rail(x, tall, 0.055, thin * 2)
    members: list[Member] = [posts, Part("rail", top, c.base)]
    low = 0.22 * tall
    if c.back in ("slats", "spindles", "cross"):
        members.append(Part("rail", _rail(x, low, 0.035, thin * 2), c.base))
    if c.back == "slats":
        members.append(_uprights(c, x, low, tall, c.bars, 0.9 * x / c.bars))
    elif c.back == "spindles":
        members.append(_uprights(c, x, low, tall, c.bars + 2, None))
    elif c.back == "cross":
        ends = (x, low, 0.0), (-x, tall, 0.0)
        crossing = Part("slat", bar(*ends, 0.03, 0.014), c.base)
        members.append(mirrored("cross", crossing))
    elif c.back == "ladder":
        count = min(c.bars, 5)
        step = (tall - low) / count
        rung = Part("slat", _rail(x, low, 0.5 * step, thin * 1.4), c.base)
        members.append(repeated("ladder", rung, (0.0, step, 0.0), count))
    elif c.back == "panel":
        board = rounded_box((2 * x, 0.72 * tall, 1.3 * thin), 0.004).moved(0, 0.62 * tall, 0)
        members.append(Part("panel", board, shaded(c.base, 1.05)))
    else:
        pad = rounded_box((2 * x, 0.7 * tall, 0.05), 0.022, 3).moved(0, 0.64 * tall, 0.004)
        members.append(Part("cushion", pad, c.soft))
    tilt = about(0, -c.recline)
    return Group("back", tuple(members)).mapped(tilt, np.array([0.0, c.height, -z]))


def _rail(x: Number, y: Number, height: Number, depth: Number) -> Solid:
    """Board between two posts at +-x, a little bent backwards."""
    path = curve([(-x, y, 0.0), (0.0, y, -BEND), (x, y, 0.0)], 9)
    return sweep(path, rounded_rectangle(height, depth, 0.3 * depth, 2), side=(0.0, 1.0, 0.0))


def _uprights(c: Chair, x: Number, low: Number, high: Number, count: int, width: Number | None) -> Group:
    """Slats `width` wide, or round spindles, between two bent rails: pairs, and one in the middle of an odd number."""
    members: list[Member] = []
    for k in range((count + 1) // 2):
        at = x * (1 - 2 * (k + 1) / (count + 1))
        bend = -BEND * (1 - (at / x) ** 2)
        ends = (at, low, bend), (at, (low + high) / 2, bend), (at, high, bend)
        solid = bar(ends[0], ends[2], width, 0.011) if width else tube(ends, SPINDLE * np.array([1, 1.5, 1]), 8)
        one = Part("slat" if width else "spindle", solid, c.base)
        members.append(one if abs(at) < 1e-9 else mirrored("uprights", one))
    return Group("uprights", tuple(members))


def _arms(c: Chair) -> Group:
    """An armrest on each side, from the back to a support that stands on the seat."""
    x, z = _corner(c)
    level, front = c.height + 0.2, 0.6 * z
    back = -z - 0.2 * np.tan(np.deg2rad(c.recline))
    path = curve([(x, level, back), (x + 0.03, level + 0.012, 0.0), (x + 0.02, level, front + 0.05)], 10)
    rest = Part("arm", sweep(path, rounded_rectangle(0.045, 0.022, 0.008, 2), side=(1.0, 0.0, 0.0)), c.base)
    post = tube([(x, c.height - SUNK, front), (x + 0.022, level + 0.005, front)], 0.013, 10)
    members: list[Member] = [rest, Part("arm support", post, c.base)]
    if c.arms == "pads":
        pad = rounded_box((0.05, 0.03, 0.2), 0.013, 3).moved(x + 0.026, level + 0.022, 0.3 * front)
        members.append(Part("arm pad", pad, c.soft))
    return mirrored("arms", Group("arm", tuple(members)))


def _shell(c: Chair) -> tuple[Member, ...]:
    """Seat and back moulded of one piece, on thin legs."""
    h, d = c.height, c.depth
    lean = np.tan(np.deg2rad(c.recline + 8))
    profile = [(h - 0.03, d / 2), (h, 0.36 * d), (h - 0.012, 0.0), (h - 0.01, -0.3 * d), (h + 0.07, -0.5 * d)]
    profile += [(h + 0.5 * c.back_height + 0.06, -0.5 * d - 0.4 * c.back_height * lean)]
    profile += [(h + c.back_height, -0.5 * d - c.back_height * lean)]
    rows = np.unique(np.rint(100 + 100 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 44))).astype(int))
    path, t = curve(profile, 201)[rows], rows / 200  # denser at the rounded ends
    rim = np.minimum(1, 1 - np.maximum(np.maximum(0.08 - t, t - 0.9) / 0.1, 0) ** 2 * 0.6)
    width = c.width * rim * np.interp(t, [0, 0.4, 0.75, 1], [0.98, 1.0, 0.86, 0.9])
    shell = Part("shell", ribbon(path, width, 0.014), c.accent)
    reach, thin = (
        0.5 * min(c.width, d) + 0.35 * np.tan(np.deg2rad(c.splay)) * h,
        0.5 * c.leg if not c.round_legs else c.leg,
    )
    x, z = 0.6 * c.width / 2, 0.55 * d / 2
    front_y, back_y = (float(np.interp(side * z, path[::-1, 1], path[::-1, 0])) for side in (1, -1))
    top = (x, front_y, z)
    leg = Part("leg", tube([top, (0.95 * reach, 0.0, reach)], [1.2 * thin, 0.8 * thin], 10), c.base)
    back = Part("leg", tube([(x, back_y, -z), (0.95 * reach, 0.0, -reach)], [1.2 * thin, 0.8 * thin], 10), c.base)
    return shell, Group("legs", (mirrored("front legs", leg), mirrored("back legs", back)))


def _office(c: Chair) -> tuple[Member, ...]:
    """A swivel chair: star, casters, gas spring, padded seat and back."""
    h, spokes = c.height, 5
    outline = superellipse(c.width, c.depth, c.roundness)
    seat = Part("seat", plate(outline, h - 0.07, h, 0.03, 3), c.soft)
    spring = Part(
        "pedestal", revolve([(0.028, 0.07), (0.028, 0.3 * h), (0.017, 0.3 * h), (0.017, h - 0.06)], 16), exact(RUBBER)
    )
    arm = curve([(0.0, 0.1, 0.0), (0.14, 0.085, 0.0), (0.29, 0.062, 0.0)], 6)
    spoke = Part("spoke", tube(arm, np.linspace(0.024, 0.014, 6), 10), c.base)
    wheel = Part("caster", ball((0.028, 0.032, 0.02), 14).moved(0.285, 0.032, 0), exact(RUBBER))
    star = around("star", Group("foot", (spoke, wheel)), spokes)
    tilt, z = about(0, -c.recline), -0.5 * c.depth + 0.03
    tall = c.back_height + 0.1
    pad = rounded_box((0.9 * c.width, tall, 0.06), 0.028, 3, 3).moved(0, 0.62 * tall, 0)
    stem = tube(curve([(0, -0.075, 0.2), (0, -0.06, 0.02), (0, 0.03, -0.045), (0, 0.6 * tall, -0.02)], 14), 0.014, 10)
    back = Group("back", (Part("cushion", pad, c.soft), Part("stem", stem, c.base))).mapped(tilt, np.array([0, h, z]))
    members: list[Member] = [seat, Group("base", (spring, star)), back]
    if c.arms != "none":
        x = c.width / 2
        loop = curve([(0.7 * x, h - 0.04, -0.02), (x + 0.03, h - 0.02, -0.02), (x + 0.04, h + 0.2, -0.02)], 12)
        pad = rounded_box((0.06, 0.03, 0.24), 0.013, 3).moved(x + 0.04, h + 0.205, -0.02)
        arm_parts = Part("arm support", tube(loop, 0.013, 10), c.base), Part("arm", pad, exact(RUBBER))
        members.append(mirrored("arms", Group("arm", arm_parts)))
    return tuple(members)


def _cantilever(c: Chair) -> tuple[Member, ...]:
    """One bent tube on each side carries seat and back; nothing stands behind."""
    x, d, h = c.width / 2, c.depth / 2, c.height
    lean, tall = np.tan(np.deg2rad(c.recline)), c.back_height
    path = [(x, 0.014, -d), (x, 0.014, 0), (x, 0.016, 0.85 * d), (x, 0.09, d), (x, 0.5 * h, d), (x, h - 0.08, d)]
    path += [(x, h - 0.014, 0.85 * d), (x, h - 0.014, 0), (x, h - 0.014, -0.85 * d), (x, h + 0.08, -d)]
    path += [(x, h + tall, -d - tall * lean)]
    side = mirrored("frame", Part("frame", tube(curve(path, 60), 0.012, 10), c.base))
    foot = Part("stretcher", tube([(-x, 0.014, -d), (x, 0.014, -d)], 0.011, 10), c.base)
    seat = Part("seat", rounded_box((2 * x, 0.03, 1.7 * d), 0.012, 2).moved(0, h, 0), c.soft)
    pad = rounded_box((2 * x, 0.55 * tall, 0.026), 0.011, 2).mapped(about(0, -c.recline))
    z = -d - 0.68 * tall * lean
    return side, foot, seat, Part("back panel", pad.moved(0, h + 0.68 * tall, z), c.soft)


def _stool(c: Chair) -> tuple[Member, ...]:
    """No back: a round seat on three or four splayed legs with a ring or rungs."""
    radius, h, count = 0.4 * c.width, c.height, 3 + c.bars % 2
    seat = Part("seat", plate(radius * circle(36), h - c.thickness, h, 0.01), c.accent)
    foot = 0.85 * radius + h * np.tan(np.deg2rad(4 + 0.5 * c.splay))
    top = np.array([0.65 * radius, h - 0.3 * c.thickness, 0.0])
    leg = Part("leg", tube([top, (foot, 0.0, 0.0)], [c.leg, 0.75 * c.leg], 12), c.base)
    legs = around("legs", leg, count)
    level = 0.35
    at = top + (np.array([foot, 0.0, 0.0]) - top) * (1 - level)
    following = about(1, 360 / count) @ at
    rung = tube([at + 0.01 * (following - at), following], 0.5 * c.leg, 8)
    rungs = around("stretchers", Part("stretcher", rung, c.base), count)
    pad = (
        [Part("cushion", plate(0.93 * radius * circle(36), h - 0.006, h + 0.035, 0.016, 3), c.soft)]
        if c.cushion
        else []
    )
    return (seat, *pad, legs, rungs)


def _wire(c: Chair) -> tuple[Member, ...]:
    """A moulded basket of wires on a wire base, with a seat pad."""
    h, d, x = c.height, c.depth / 2, c.width / 2
    lean = np.tan(np.deg2rad(c.recline + 6))
    tall = 0.75 * c.back_height
    spine = curve(
        [
            (h + 0.01, d),
            (h - 0.015, 0.3 * d),
            (h - 0.01, -0.6 * d),
            (h + 0.09, -d - 0.02),
            (h + tall, -d - tall * lean),
        ],
        24,
    )
    count = 5 + c.bars % 3
    members: list[Member] = []
    for k in range(count // 2 + 1):
        at = x * (1 - 2 * k / (count - 1)) if k < count // 2 else 0.0
        lift = 0.06 * (at / x) ** 2
        path = np.stack([np.full(24, at), spine[:, 0] + lift, spine[:, 1] + lift], 1)
        one = Part("wire", tube(path, WIRE, 7), c.base)
        members.append(one if at == 0 else mirrored("long wires", one))
    across = np.linspace(-x, x, 13)
    for y, z in spine[[0, 4, 8, 12, 16, 20, 23]]:
        bow = 0.06 * (across / x) ** 2
        members.append(Part("wire", tube(np.stack([across, y + bow, z + bow], 1), WIRE, 7), c.base))
    pad = rounded_box((1.5 * x, 0.03, 1.3 * d), 0.013, 2).moved(0, h + 0.006, 0.12 * d)
    reach = x + 0.02
    hoop = curve(
        [
            (0.35 * x, h - 0.012, 0.45 * d),
            (0.9 * reach, 0.3 * h, 0.9 * d),
            (reach, 0.008, d),
            (reach, 0.008, 0),
            (reach, 0.008, -d),
            (0.9 * reach, 0.3 * h, -0.9 * d),
            (0.35 * x, h - 0.008, -0.45 * d),
        ],
        40,
    )
    leg = mirrored("legs", Part("leg", tube(hoop, 1.7 * WIRE, 8), c.base))
    return Group("basket", tuple(members)), Part("cushion", pad, c.soft), leg
