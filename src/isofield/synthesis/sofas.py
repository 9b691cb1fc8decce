"""Sofas: frame, arms, cushions and legs; armchairs, long ones, corners, daybeds, tufted backs."""

from dataclasses import asdict, dataclass

import numpy as np

from isofield.synthesis.chance import maybe, near, pick, span, whole
from isofield.synthesis.palette import METALS, WOODS, Color, cloth, one_of, shaded, vivid
from isofield.synthesis.parts import Group, Member, Part, Shape, mirrored, repeated
from isofield.synthesis.solids import Number, Solid, about, bar, revolve, rounded_box, tube


@dataclass(frozen=True)
class Sofa:
    """Lengths in metres."""

    arms: str
    legs: str
    back: str
    seats: int
    chaise: bool
    width: float
    depth: float
    seat_height: float
    back_height: float
    arm_width: float
    arm_height: float
    back_depth: float
    recline: float
    softness: float
    leg_height: float
    pillows: int
    fabric: Color
    wood: Color
    accent: Color

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Sofa":
        seats = pick(rng, {1: 1.6, 2: 2.5, 3: 3.0, 4: 0.7})
        arms = pick(rng, {"block": 3.0, "rolled": 2.0, "slope": 1.6, "wood": 1.2, "none": 0.8})
        legs = pick(rng, {"tapered": 3.0, "block": 1.5, "metal": 1.2, "turned": 1.2, "plinth": 1.2})
        return cls(
            arms=arms,
            legs=legs,
            back=pick(rng, {"cushions": 4.0, "solid": 1.5, "tufted": 1.2, "channels": 0.9}),
            seats=seats,
            chaise=seats >= 3 and maybe(rng, 0.35),
            width=seats * near(rng, 0.64, 0.07),
            depth=near(rng, 0.9, 0.06),
            seat_height=near(rng, 0.43, 0.05),
            back_height=near(rng, 0.82, 0.08),
            arm_width=span(rng, 0.1, 0.26) if arms in ("block", "slope") else span(rng, 0.14, 0.2),
            arm_height=span(rng, 0.52, 0.68),
            back_depth=span(rng, 0.14, 0.24),
            recline=span(rng, 4, 14),
            softness=span(rng, 0.025, 0.06),
            leg_height=0.04 if legs == "plinth" else span(rng, 0.06, 0.18),
            pillows=whole(rng, 0, 2) if maybe(rng, 0.5) else 0,
            fabric=cloth(rng),
            wood=one_of(rng, METALS if legs == "metal" else WOODS),
            accent=vivid(rng, (0.2, 0.7)),
        )


def sofa(rng: np.random.Generator) -> Shape:
    """A sofa of any kind."""
    s = Sofa.sample(rng)
    members: list[Member] = [_frame(s), _back(s), _cushions(s)]
    if s.arms != "wood" or s.chaise:
        members.append(_feet(s))
    if s.arms != "none":
        members.append(_arms(s))
    if s.pillows:
        members.append(_pillows(s))
    return Shape("sofa", Group("sofa", tuple(members)), asdict(s))


def _frame(s: Sofa) -> Member:
    """The body under the cushions, with its long side where it has a corner."""
    low, high = s.leg_height, s.seat_height - 0.12
    beside = {"none": 0.0, "wood": 0.0, "rolled": 1.5}.get(s.arms, 2.0)
    outer = s.width + beside * s.arm_width - 0.02
    body = rounded_box((outer, high - low, s.depth), 0.03, 3).moved(0, (low + high) / 2, 0)
    frame = Part("frame", body, shaded(s.fabric, 0.94))
    if not s.chaise:
        return frame
    unit = s.width / s.seats
    wing = rounded_box((unit + s.arm_width - 0.02, high - low - 0.004, 0.75), 0.03, 3)
    place = (s.width - unit + s.arm_width) / 2 - 0.01
    return Group(
        "base", (frame, Part("chaise", wing.moved(place, (low + high) / 2, s.depth / 2 + 0.3), shaded(s.fabric, 0.94)))
    )


def _cushions(s: Sofa) -> Group:
    unit, thick = s.width / s.seats, 0.17
    deep = s.depth - s.back_depth + 0.03
    z = s.back_depth / 2 + 0.025
    pad = _pillow((unit - 0.006, thick, deep), s.softness, 0.016)
    y = s.seat_height - thick / 2 + 0.02
    first = Part("seat cushion", pad.moved(-s.width / 2 + unit / 2, y, z), s.fabric)
    if not s.chaise:
        return repeated("seat cushions", first, (unit, 0.0, 0.0), s.seats)
    row = repeated("seat cushions", first, (unit, 0.0, 0.0), s.seats - 1)
    long = _pillow((unit - 0.006, thick, deep + 0.66), s.softness, 0.014).moved(s.width / 2 - unit / 2, y, z + 0.33)
    return Group("cushions", (row, Part("chaise cushion", long, s.fabric)))


def _pillow(size: tuple[Number, Number, Number], softness: Number, puff: Number) -> Solid:
    """A box with round edges, blown up in the middle of its large sides."""
    solid = rounded_box(size, min(softness, 0.45 * size[1]), 3, 6)
    half = np.array(size) / 2
    x, y, z = (solid.vertices / half).T
    bulge = puff * np.sign(y) * np.abs(y) ** 2 * np.clip(1 - x**4, 0, 1) * np.clip(1 - z**4, 0, 1)
    return Solid(solid.vertices + np.stack([0 * x, bulge, 0 * z], 1), solid.faces)


def _back(s: Sofa) -> Group:
    """Leaning wall behind the seats, plain or quilted, with loose cushions before it."""
    low = s.leg_height + 0.02
    tall = s.back_height - low
    outer = s.width + (0.8 * s.arm_width if s.arms not in ("none", "wood") else 0.0)
    thick = s.back_depth if s.back != "cushions" else 0.6 * s.back_depth
    wall = rounded_box((outer, tall, thick), s.softness, 3, 1)
    place = np.array([0.0, low + tall / 2, -s.depth / 2 + 0.55 * thick])
    tilt = about(0, -s.recline)
    if s.back in ("tufted", "channels"):
        wall = _quilted(s, outer, tall, thick)
    members: list[Member] = [Part("back", wall.mapped(tilt, place), s.fabric)]
    if s.back == "cushions":
        unit, high = s.width / s.seats, tall - (s.seat_height - low) + 0.02
        pad = _pillow((unit - 0.01, 0.17, high), 0.06, 0.03).mapped(about(0, 90))
        pad = pad.mapped(
            tilt, np.array([-s.width / 2 + unit / 2, s.seat_height + high / 2, -s.depth / 2 + thick + 0.075])
        )
        members.append(
            repeated("back cushions", Part("back cushion", pad, shaded(s.fabric, 1.05)), (unit, 0.0, 0.0), s.seats)
        )
    return Group("back", tuple(members))


def _quilted(s: Sofa, width: Number, tall: Number, thick: Number) -> Solid:
    """A wall with buttons in rows, or with upright channels, pressed into its front."""
    solid = rounded_box((width, tall, thick), s.softness, 3, 48)
    x, y, z = solid.vertices.T
    front = z > thick / 2 - 1.01 * s.softness
    period = width / (6 * s.seats if s.back == "channels" else 5 * s.seats)
    if s.back == "channels":
        groove = np.abs(np.sin(np.pi * x / period)) ** 0.6
        push = -0.028 * (1 - groove)
    else:
        u, v = x / period, y / (0.8 * period)
        push = -0.03 * np.clip(
            1 - np.abs(np.sin(np.pi * (u + v) / 1.0)) ** 0.5 * 0.7 - np.abs(np.sin(np.pi * (u - v))) ** 0.5 * 0.7, 0, 1
        )
    fade = np.clip((0.5 * tall - np.abs(y)) / 0.06, 0, 1) * np.clip((0.5 * width - np.abs(x)) / 0.05, 0, 1)
    return Solid(solid.vertices + np.stack([0 * x, 0 * y, np.where(front, push * fade, 0)], 1), solid.faces)


def _arms(s: Sofa) -> Group:
    """The arm on the right, and its mirror image."""
    x, low, deep = s.width / 2 + s.arm_width / 2, s.leg_height, s.depth
    tall = s.arm_height - low
    if s.arms == "wood":
        members = _wooden_arm(s, x)
    elif s.arms == "rolled":
        wall = rounded_box((0.7 * s.arm_width, tall - 0.05, 0.96 * deep), 0.02, 2).moved(
            x, low + (tall - 0.05) / 2, 0.01
        )
        radius = 0.62 * s.arm_width
        end = deep / 2 + 0.01
        roll = revolve(
            [
                (0.7 * radius, -end),
                (0.95 * radius, -end + 0.01),
                (radius, -end + 0.03),
                (radius, end - 0.03),
                (0.95 * radius, end - 0.01),
                (0.7 * radius, end),
            ],
            28,
        ).mapped(about(0, 90))
        members = (
            Part("arm", wall, s.fabric),
            Part("roll", roll.moved(x + 0.15 * radius, s.arm_height - 0.6 * radius, 0.01), s.fabric),
        )
    else:
        solid = rounded_box((s.arm_width, tall, deep + 0.005), min(s.softness, 0.3 * s.arm_width), 3)
        if s.arms == "slope":
            x_, y, z = solid.vertices.T
            drop = -0.28 * tall * np.clip(z / deep + 0.5, 0, 1) * np.clip(y / tall + 0.5, 0, 1)
            solid = Solid(np.stack([x_, y + drop, z], 1), solid.faces)
        members = (Part("arm", solid.moved(x, low + tall / 2, 0.003), s.fabric),)
    return mirrored("arms", Group("arm", members))


def _wooden_arm(s: Sofa, x: Number) -> tuple[Part, ...]:
    """An open frame: two posts and a board."""
    front, back, y = s.depth / 2 - 0.06, -s.depth / 2 + 0.1, s.arm_height
    board = rounded_box((0.075, 0.03, s.depth * 0.92), 0.01, 2).moved(x, y, 0)
    rail = tube([(x, s.leg_height + 0.08, back), (x, s.leg_height + 0.08, front)], 0.018, 10)
    posts = [bar((x, 0.0, z), (x, y, 0.96 * z), 0.045, 0.05, 0.8) for z in (front, back)]
    link = tube(
        [(s.width / 2 - 0.04, s.leg_height + 0.08, 0.7 * front), (x, s.leg_height + 0.08, 0.7 * front)], 0.014, 8
    )
    return (
        Part("arm", board, s.wood),
        Part("rail", rail, s.wood),
        Part("link", link, s.wood),
        *(Part("post", post, s.wood) for post in posts),
    )


def _feet(s: Sofa) -> Group:
    x, z, tall = s.width / 2 - 0.02, s.depth / 2 - 0.07, s.leg_height
    if s.legs == "plinth":
        return Group(
            "feet", (Part("plinth", rounded_box((2 * x, 0.09, 1.8 * z), 0.01).moved(0, 0.045, 0), shaded(s.wood, 0.5)),)
        )
    high = tall + 0.03
    if s.legs == "turned":
        solid = revolve(
            [
                (0.018, 0),
                (0.026, 0.1 * high),
                (0.03, 0.4 * high),
                (0.016, 0.6 * high),
                (0.032, 0.75 * high),
                (0.032, high),
            ],
            16,
        )
        solid = solid.moved(x, 0, z)
    elif s.legs == "block":
        solid = bar((x, 0, z), (x, high, z), 0.08, 0.08)
    elif s.legs == "metal":
        solid = tube([(x, 0, z), (x, high, z)], 0.009, 10)
    else:
        solid = tube([(x + 0.02, 0, z + 0.02), (x, high, z)], [0.012, 0.026], 12)
    leg = Part("leg", solid, s.wood)
    feet = mirrored("feet", mirrored("side feet", leg, axis=2))
    if not s.chaise:
        return feet
    unit = s.width / s.seats
    far = leg.mapped(np.eye(3), np.array([-0.01, 0.0, 0.58]))
    inner = far.mapped(np.eye(3), np.array([-unit + 0.08, 0.0, 0.0]))
    return Group("feet", (feet, far, inner))


def _pillows(s: Sofa) -> Group:
    """Loose cushions in the corners."""
    pad = _pillow((0.38, 0.12, 0.38), 0.05, 0.05).mapped(about(0, 90)).mapped(about(0, -24)).mapped(about(1, -16))
    front = -s.depth / 2 + (0.6 * s.back_depth + 0.2 if s.back == "cushions" else s.back_depth + 0.04)
    one = Part("pillow", pad.moved(s.width / 2 - 0.24, s.seat_height + 0.19, front), s.accent)
    return mirrored("pillows", one) if s.pillows == 2 and s.seats > 1 else Group("pillows", (one,))
