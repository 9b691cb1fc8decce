"""Lamps: on a table, a floor or a ceiling; shades, globes, arms, tripods, cords and wire cages."""

from dataclasses import asdict, dataclass

import numpy as np

from isofield.synthesis.chance import maybe, near, pick, span, whole
from isofield.synthesis.palette import BULB, METALS, RUBBER, SHADES, WOODS, Color, exact, one_of, vivid
from isofield.synthesis.parts import Group, Member, Part, Shape, around, mirrored
from isofield.synthesis.solids import (
    Number,
    Points,
    Solid,
    about,
    ball,
    circle,
    curve,
    plate,
    revolve,
    revolve_ring,
    tube,
)

WALL = 0.004  # of a shade, in metres


@dataclass(frozen=True)
class Lamp:
    """Lengths in metres."""

    kind: str
    shade: str
    height: float
    radius: float
    shade_height: float
    opening: float
    stem: float
    foot: float
    arms: int
    cord: bool
    ribs: tuple[float, ...]
    body: Color
    cover: Color

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Lamp":
        kinds = {
            "table": 3.0,
            "floor": 2.2,
            "tripod": 1.0,
            "arc": 0.9,
            "desk": 1.7,
            "pendant": 1.7,
            "cage": 0.8,
            "chandelier": 1.1,
        }
        kind = pick(rng, kinds)
        heights = {
            "table": 0.52,
            "floor": 1.55,
            "tripod": 1.45,
            "arc": 1.9,
            "desk": 0.5,
            "pendant": 0.9,
            "cage": 0.9,
            "chandelier": 0.8,
        }
        radii = {
            "table": 0.15,
            "floor": 0.19,
            "tripod": 0.24,
            "arc": 0.19,
            "desk": 0.08,
            "pendant": 0.19,
            "cage": 0.12,
            "chandelier": 0.3,
        }
        radius = near(rng, radii[kind], 0.15)
        wood = kind in ("table", "tripod", "floor") and maybe(rng, 0.45)
        ceramic = kind == "table" and maybe(rng, 0.4)
        return cls(
            kind=kind,
            shade=pick(rng, {"cone": 3.0, "drum": 2.0, "empire": 2.0, "dome": 1.4, "globe": 1.2}),
            height=near(rng, heights[kind], 0.09),
            radius=radius,
            shade_height=radius * span(rng, 1.0, 1.6),
            opening=span(rng, 0.4, 0.72),
            stem=span(rng, 0.006, 0.013),
            foot=radius * span(rng, 0.55, 0.85),
            arms=whole(rng, 4, 8),
            cord=maybe(rng, 0.6),
            ribs=tuple(span(rng, 0.3, 1.0) for _ in range(6)),
            body=vivid(rng) if ceramic else one_of(rng, WOODS if wood else METALS),
            cover=one_of(rng, SHADES) if maybe(rng, 0.75) else vivid(rng, (0.2, 0.6)),
        )


def lamp(rng: np.random.Generator) -> Shape:
    """A lamp of any kind."""
    drawn = Lamp.sample(rng)
    build = {
        "table": _table, "floor": _floor, "tripod": _tripod, "arc": _arc, "desk": _desk, "pendant": _pendant,
        "cage": _cage, "chandelier": _chandelier,
    }[drawn.kind]  # fmt: skip
    return Shape("lamp", Group("lamp", build(drawn)), asdict(drawn))


def _shell(outer: Points) -> Solid:
    """A thin wall inside an outline of (radius, height) pairs, open at both ends."""
    outline = np.array(outer)
    inner = outline - [WALL, 0]
    return revolve_ring(np.concatenate([outline, inner[::-1]]), 40)


def _cover(n: Lamp, top: Number) -> Group:
    """The shade with its upper rim at a height, three spokes that hold it, and the bulb."""
    tall, r = n.shade_height, n.radius
    narrow = {"cone": n.opening, "drum": 0.97, "empire": 0.5, "dome": 0.25, "globe": 0.3}[n.shade]
    if n.shade == "globe":
        globe = Part("shade", ball(0.75 * r, 32).moved(0, top - 0.75 * r, 0), n.cover)
        return Group("head", (globe,))
    if n.shade == "dome":
        angle = np.linspace(0, 0.46 * np.pi, 10)
        outline = [(r * np.cos(a), top - tall * 0.7 * (1 - np.sin(a))) for a in angle]
        narrow = outline[-1][0] / r
        top = outline[-1][1]
    elif n.shade == "empire":
        t = np.linspace(0, 1, 8)
        outline = list(zip(r * (narrow + (1 - narrow) * (1 - t) ** 1.8), top - tall * (1 - t), strict=True))
    else:
        outline = [(r, top - tall), (r * (1 + narrow) / 2, top - tall / 2), (r * narrow, top)]
    shade = Part("shade", _shell(outline), n.cover)
    places, heights = np.array(outline).T
    rim = (float(np.interp(top - 0.008, heights, places)) - WALL / 2, top - 0.008, 0.0)
    spokes = around("spokes", Part("spoke", tube([(0.0, top - 0.02, 0.0), rim], 0.0022, 7), n.body), 3)
    socket = Part("socket", revolve([(0.014, top - 0.35 * tall - 0.05), (0.014, top - 0.01)], 14), n.body)
    size = min(0.032, 0.25 * r)
    bulb = Part("bulb", ball((size, 1.3 * size, size), 16).moved(0, top - 0.35 * tall - 0.05 - size, 0), exact(BULB))
    return Group("head", (shade, spokes, socket, bulb))


def _foot(n: Lamp, radius: Number) -> Part:
    low = 0.014 + 0.01 * n.ribs[0]
    return Part(
        "base",
        revolve([(radius, 0.0), (radius, 0.6 * low), (0.94 * radius, low), (1.6 * n.stem, 1.4 * low)], 36),
        n.body,
    )


def _table(n: Lamp) -> tuple[Member, ...]:
    """A turned body under a shade."""
    neck, belly = 0.6 * n.height, 0.5 * n.foot
    levels = np.linspace(0.0, 1.0, 7)
    bulge = np.array(
        [n.ribs[0] + 0.4, 0.5 + n.ribs[1], 0.5 + n.ribs[2], 0.35 + n.ribs[3], 0.3 + 0.5 * n.ribs[4], 0.25, 0.2]
    )
    t = np.linspace(0, 1, 30)
    radius = belly * curve(np.stack([levels, bulge], 1), 30)[:, 1]
    profile = [
        (0.9 * n.foot, 0.0),
        (0.9 * n.foot, 0.015),
        *zip(np.maximum(radius, 0.012), 0.02 + neck * t, strict=True),
    ]
    body = Part("body", revolve(profile, 32), n.body)
    top = n.height
    stem = Part("stem", tube([(0, neck, 0), (0, top - 0.012, 0)], n.stem, 10), n.body)
    members: list[Member] = [body, stem, _cover(n, top)]
    if n.cord:
        path = curve(
            [
                (0, 0.012, -0.5 * n.foot),
                (0.02, 0.006, -1.5 * n.foot),
                (0.1, 0.004, -1.9 * n.foot),
                (0.22, 0.004, -1.8 * n.foot),
            ],
            20,
        )
        members.append(Part("cord", tube(path, 0.0028, 6), exact(RUBBER)))
    return tuple(members)


def _floor(n: Lamp) -> tuple[Member, ...]:
    pole = Part("pole", tube([(0, 0.01, 0), (0, n.height - 0.012, 0)], n.stem, 12), n.body)
    return _foot(n, 0.85 * n.foot + 0.03), pole, _cover(n, n.height)


def _tripod(n: Lamp) -> tuple[Member, ...]:
    hub, reach = 0.72 * n.height, 0.28 * n.height
    knob = Part("hub", revolve([(0.03, hub - 0.03), (0.034, hub), (0.025, hub + 0.03)], 20), n.body)
    leg = tube(
        [(0.012, hub, 0.0), (0.55 * reach, 0.45 * hub, 0.0), (reach, 0.0, 0.0)],
        [1.2 * n.stem, 1.2 * n.stem, 0.8 * n.stem],
        10,
    )
    pole = Part("pole", tube([(0, hub, 0), (0, n.height - 0.012, 0)], n.stem, 12), n.body)
    return around("legs", Part("leg", leg, n.body), 3), knob, pole, _cover(n, n.height)


def _arc(n: Lamp) -> tuple[Member, ...]:
    """A long bow that carries the shade far in front of a heavy foot."""
    reach = 0.62 * n.height
    path = curve(
        [
            (-reach / 2, 0.01, 0),
            (-reach / 2, 0.6 * n.height, 0),
            (-0.25 * reach, 0.93 * n.height, 0),
            (0.15 * reach, n.height, 0),
            (reach / 2, 0.86 * n.height, 0),
        ],
        40,
    )
    bow = Part("arm", tube(path, np.linspace(1.2, 0.7, 40) * n.stem, 10), n.body)
    head = _cover(n, 0.86 * n.height + 0.01).mapped(np.eye(3), np.array([reach / 2, 0.0, 0.0]))
    foot = _foot(n, n.foot + 0.05).mapped(np.eye(3), np.array([-reach / 2, 0.0, 0.0]))
    return foot, bow, head


def _desk(n: Lamp) -> tuple[Member, ...]:
    """Two jointed arms, each a pair of thin rods with a spring, and a tilted bell."""
    elbow = np.array([0.0, 0.05 + 0.5 * n.height, -0.30 * n.height * n.ribs[1]])
    wrist = elbow + np.array([0.0, 0.34 * n.height * (0.4 + n.ribs[2]), 0.5 * n.height])
    start = np.array([0.0, 0.03, 0.0])
    rods = []
    for name, a, b, x in (("lower arm", start, elbow, 0.011), ("upper arm", elbow, wrist, 0.0165)):
        rod = Part("rod", tube(np.stack([a, b]) + np.array([x, 0, 0]), 0.0045, 8), n.body)
        rods.append(mirrored(name, rod))
    joint = _joint(elbow, n)
    wrist_joint = _joint(wrist, n)
    spring_path = _spring(start + 0.12 * (elbow - start), start + 0.5 * (elbow - start), 0.006)
    spring = Part("spring", tube(spring_path, 0.0016, 6), exact((150, 152, 156)))
    tilt = about(0, 25 + 20 * n.ribs[3])
    r = n.radius
    bell = [(r, -0.11), (0.92 * r, -0.08), (0.7 * r, -0.035), (0.4 * r, -0.005), (0.3 * r, 0.03)]
    shade = Part("shade", _shell(bell), n.body if n.cord else n.cover)
    cap = Part("socket", revolve([(0.3 * r, -0.01), (0.34 * r, 0.03), (0.2 * r, 0.05)], 20), n.body)
    bulb = Part("bulb", ball(0.3 * r, 14).moved(0, -0.2 * r - 0.01, 0), exact(BULB))
    head = Group("head", (shade, cap, bulb)).mapped(tilt, wrist + np.array([0.0, -0.014, 0.008]))
    clip = Part("clip", tube(start + np.array([[-0.014, 0, 0], [0.014, 0, 0]]), 0.009, 8), n.body)
    return _foot(n, 0.08 + 0.3 * n.foot), clip, *rods, joint, wrist_joint, spring, head


def _joint(place: np.ndarray, n: Lamp) -> Part:
    return Part("joint", tube(place + np.array([[-0.018, 0, 0], [0.018, 0, 0]]), 0.009, 12), n.body)


def _spring(start: np.ndarray, end: np.ndarray, radius: Number, turns: int = 9) -> np.ndarray:
    t = np.linspace(0, 1, 10 * turns)
    angle = 2 * np.pi * turns * t
    across = np.array([1.0, 0.0, 0.0])
    other = np.cross((end - start) / np.linalg.norm(end - start), across)
    coil = radius * (np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * other)
    return start + t[:, None] * (end - start) + coil + np.array([0.011, 0, 0])


def _hung(n: Lamp, top: Number) -> tuple[Member, ...]:
    """Ceiling rose and cord from a height down to the lamp."""
    high = top + 0.6 * n.height
    rose = Part("canopy", revolve([(0.05, high - 0.02), (0.055, high - 0.005), (0.05, high)], 28), n.body)
    cord = Part("cord", tube([(0, top - 0.012, 0), (0, high - 0.01, 0)], 0.0035, 7), exact(RUBBER))
    return rose, cord


def _pendant(n: Lamp) -> tuple[Member, ...]:
    return _cover(n, 0.0), *_hung(n, 0.0)


def _cage(n: Lamp) -> tuple[Member, ...]:
    """A bare bulb in a cage of wires."""
    r, count = n.radius, n.arms + 2
    angle = np.linspace(0.04 * np.pi, 0.96 * np.pi, 24)
    low = 1.25 * r
    path = np.stack([r * np.sin(angle) ** 0.8, low * np.cos(angle) - low, 0 * angle], 1)
    wires = around("cage", Part("wire", tube(path, 0.0026, 6), n.body), count)
    hoops = []
    for at in (0.3, 0.52, 0.75):
        radius, y = r * np.sin(at * np.pi) ** 0.8, low * np.cos(at * np.pi) - low
        hoops.append(Part("hoop", revolve_ring(0.003 * circle(6) + [radius, y], 36), n.body))
    cap = Part("socket", revolve([(0.02, -0.09), (0.024, -0.03), (0.03, 0.0), (0.012, 0.02)], 16), n.body)
    foot = Part("hub", plate(0.028 * circle(16), -2 * low - 0.004, -2 * low + 0.014), n.body)
    bulb = Part("bulb", ball((0.032, 0.045, 0.032), 18).moved(0, -0.12, 0), exact(BULB))
    return wires, *hoops, cap, foot, bulb, *_hung(n, 0.02)


def _chandelier(n: Lamp) -> tuple[Member, ...]:
    """Curved arms around a turned column, a candle on each."""
    r = n.radius
    column = Part(
        "column",
        revolve(
            [(0.0, -0.16), (0.02, -0.14), (0.035, -0.1), (0.016, -0.05), (0.022, 0.03), (0.01, 0.08), (0.014, 0.2)], 20
        ),
        n.body,
    )
    arm = curve([(0.01, -0.08, 0), (0.4 * r, -0.15 - 0.04 * n.ribs[2], 0), (0.85 * r, -0.1, 0), (r, 0.0, 0)], 18)
    dish = revolve([(0.008, -0.008), (0.03, 0.0), (0.032, 0.008), (0.014, 0.012)], 18).moved(r, 0, 0)
    candle = revolve([(0.011, 0.006), (0.011, 0.085)], 12).moved(r, 0, 0)
    flame = ball((0.012, 0.024, 0.012), 12).moved(r, 0.103, 0)
    one = (
        Part("arm", tube(arm, 0.007, 8), n.body),
        Part("dish", dish, n.body),
        Part("candle", candle, exact((240, 236, 224))),
        Part("bulb", flame, exact(BULB)),
    )
    arms = around("arms", Group("branch", one), n.arms)
    return column, arms, *_hung(n, 0.19)
