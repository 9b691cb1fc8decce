"""What is bolted to a car: wheels, lamps, mirrors, seats, rails, wings."""

import numpy as np

from isofield.synthesis.car_body import TRIM, Body
from isofield.synthesis.palette import RUBBER, Color, exact, shaded
from isofield.synthesis.parts import Group, Member, Part, around, mirrored, repeated
from isofield.synthesis.solids import (
    Number,
    Solid,
    about,
    ball,
    bar,
    curve,
    loft,
    revolve,
    revolve_ring,
    rounded_box,
    tube,
)

LEATHER = (94, 60, 38)
CHROME = (186, 190, 196)
WHITE_LAMP, RED_LAMP, AMBER = (250, 248, 232), (186, 20, 26), (240, 150, 40)


def wheels(body: Body, spokes: int) -> Group:
    """Four, each a tyre, a rim and spokes."""
    wide = 0.32 * body.radius + 0.1
    rim = 0.66 * body.radius
    half, w = wide / 2, wide
    tyre = [(rim, -half), (0.9 * body.radius, -half), (body.radius, -0.36 * w), (body.radius, 0.36 * w)]
    tyre += [(0.9 * body.radius, half), (rim, half), (0.95 * rim, 0.2 * w), (0.95 * rim, -0.2 * w)]
    hub = [
        (0.2 * rim, -0.34 * w),
        (0.97 * rim, -0.3 * w),
        (0.97 * rim, 0.08 * w),
        (0.3 * rim, 0.1 * w),
        (0.22 * rim, 0.36 * w),
        (0.0, 0.4 * w),
    ]
    spoke = bar((0.1 * rim, 0.28 * w, 0.0), (1.0 * rim, 0.30 * w, 0.0), 1.9 * rim / spokes * 0.55, 0.06 * w, 1.1)
    parts: tuple[Member, ...] = (
        Part("tyre", revolve_ring(tyre, 36), exact(RUBBER)),
        Part("rim", revolve(hub, 28), exact((96, 98, 102))),
        around("spokes", Part("spoke", spoke, exact(CHROME)), spokes),
    )
    wheel = Group("wheel", parts).mapped(about(2, -90))
    x = body.width / 2 - 0.46 * wide
    pairs = []
    for name, axle in zip(("rear wheels", "front wheels"), body.axles, strict=True):
        inset = float(body.half_width(np.array([axle]))[0]) - body.width / 2
        place = np.array([x + inset - 0.01, body.radius, body.z(axle)])
        shaft = tube(
            place
            + (place[0] - 0.02) * np.array([[-1.0, 0, 0], [-0.4, 0, 0], [0.4, 0, 0], [1, 0, 0]])
            - [place[0], 0, 0],
            0.04,
            10,
        )
        pairs.append(Group(name, (mirrored(name, wheel.mapped(np.eye(3), place)), Part("axle", shaft, exact(TRIM)))))
    return Group("wheels", tuple(pairs))


def _reach(body: Body, share: Number) -> float:
    """Half the width of the hull near an end, where lamps are set in."""
    return float(body.half_width(np.array([share]))[0]) * 0.95


def lamps(body: Body, kind: str, grille: Number, paint: Color) -> Group:
    """Head and tail lamps, grille, bumpers, plates."""
    nose, tail = body.z(1.0), body.z(0.0)
    y, x = body.nose - 0.14, 0.74 * _reach(body, 0.985)
    size = {"round": 0.085, "slim": 0.05, "block": 0.075}[kind]
    if kind == "round":
        head = ball((size, size, 0.07), 20).moved(x, y, nose - 0.05)
    else:
        wide = 0.36 if kind == "slim" else 0.24
        head = rounded_box((wide, 2 * size, 0.12), 0.03, 2).mapped(about(1, 14)).moved(x - 0.02, y, nose - 0.075)
    back_y, back_x = body.tail - 0.17, 0.80 * _reach(body, 0.01)
    tall = 0.30 if kind == "block" and body.height > 1.6 else 0.13
    rear = rounded_box((0.26 if tall < 0.2 else 0.13, tall, 0.1), 0.025, 2).moved(
        back_x, back_y - 0.3 * (tall - 0.13), tail + 0.032
    )
    open_width = grille * 1.1 * x
    floor = body.clearance
    bumper_y = floor + 0.19
    members: tuple[Member, ...] = (
        mirrored("head lamps", Part("head lamp", head, exact(WHITE_LAMP))),
        mirrored("tail lamps", Part("tail lamp", rear, exact(RED_LAMP))),
        Part(
            "grille",
            rounded_box((2 * open_width * 0.8, 0.13, 0.08), 0.03, 2).moved(0, y - 0.05, nose - 0.03),
            exact(TRIM),
        ),
        Part("bumper", _bumper(body, bumper_y, 1.0), shaded(paint, 0.55)),
        Part("bumper", _bumper(body, bumper_y, -1.0), shaded(paint, 0.55)),
        Part(
            "plate",
            rounded_box((0.46, 0.11, 0.05), 0.01).moved(0, bumper_y + 0.03, nose + 0.045),
            exact((236, 236, 230)),
        ),
        Part(
            "plate",
            rounded_box((0.46, 0.11, 0.05), 0.01).moved(0, bumper_y + 0.03, tail - 0.045),
            exact((236, 236, 230)),
        ),
        mirrored(
            "indicators",
            Part(
                "indicator",
                rounded_box((0.1, 0.04, 0.06), 0.015).moved(
                    0.84 * x, min(bumper_y + 0.13, body.nose - 0.2), nose - 0.07
                ),
                exact(AMBER),
            ),
        ),
    )
    return Group("front and rear", members)


def _bumper(body: Body, y: Number, side: Number) -> Solid:
    """A bent board around one end."""
    end = 0.985 if side > 0 else 0.015
    half = _reach(body, end) * 0.9
    z = side * body.length / 2
    path = curve(
        [
            (-half - 0.03, y, z - side * 0.22),
            (-0.82 * half, y, z - side * 0.02),
            (0.0, y, z + side * 0.03),
            (0.82 * half, y, z - side * 0.02),
            (half + 0.03, y, z - side * 0.22),
        ],
        25,
    )
    outline = np.array([(0.085, 0.02), (0.06, 0.045), (-0.06, 0.045), (-0.085, 0.02), (-0.085, -0.03), (0.085, -0.03)])
    rings = []
    for k, point in enumerate(path):
        step = path[min(k + 1, len(path) - 1)] - path[max(k - 1, 0)]
        out = np.array([-step[2], 0.0, step[0]])
        out *= np.sign(out[2] * side or 1) / np.linalg.norm(out)
        rings.append(point + outline[:, :1] * np.array([0.0, 1.0, 0.0]) + outline[:, 1:] * out)
    return loft(np.array(rings))


def fittings(body: Body, style: str, extra: str, taxi: bool, paint: Color) -> list[Member]:
    """Mirrors, handles, and what some cars carry."""
    members: list[Member] = [_mirrors(body, paint), _handles(body, style, paint)]
    roof_z, roof_x = body.z((body.roof_front + body.roof_rear) / 2), 0.36 * body.width * body.tumble
    if taxi:
        members.append(
            Part(
                "sign",
                rounded_box((0.5, 0.14, 0.2), 0.04, 2).moved(0, body.height + 0.055, roof_z),
                exact((250, 214, 50)),
            )
        )
    if style in ("roadster", "pickup"):
        return members
    reach = 0.42 * (body.roof_front - body.roof_rear) * body.length
    if extra in ("rails", "rack") and style in ("wagon", "suv", "van", "hatchback"):
        y = body.height + 0.025
        path = [(roof_x, y - 0.075, roof_z - reach), (roof_x, y, roof_z - 0.93 * reach), (roof_x, y + 0.01, roof_z)]
        path += [(roof_x, y, roof_z + 0.93 * reach), (roof_x, y - 0.075, roof_z + reach)]
        members.append(mirrored("rails", Part("rail", tube(path, 0.018, 8), exact(CHROME))))
        if extra == "rack":
            rung = tube(
                [(-roof_x, y + 0.004, roof_z - 0.7 * reach), (roof_x, y + 0.004, roof_z - 0.7 * reach)], 0.014, 8
            )
            members.append(repeated("rack", Part("bar", rung, exact(TRIM)), (0.0, 0.0, 0.35 * reach), 5))
    if extra == "spoiler" and style in ("coupe", "sedan", "hatchback"):
        members.append(_spoiler(body, paint, style))
    if extra == "antenna":
        z = body.z(body.roof_rear) + 0.35
        path = [(0.0, body.height - 0.06, z), (0.0, body.height + 0.35, z - 0.18)]
        members.append(Part("antenna", tube(path, [0.008, 0.004], 7), exact(TRIM)))
    return members


def _mirrors(body: Body, paint: Color) -> Group:
    z = body.z(body.cowl + (body.roof_front - body.cowl) * 0.28) - (0.1 if body.length < 8 else 0.25)
    x, y = 0.48 * body.width + 0.1, body.belt + 0.07
    shell = Part("mirror", ball((0.1, 0.065, 0.05), 16).moved(x, y, z), paint)
    arm = Part("arm", tube([(0.36 * body.width, body.belt - 0.01, z), (x, y, z)], 0.02, 8), exact(TRIM))
    return mirrored("mirrors", Group("mirror", (shell, arm)))


def _handles(body: Body, style: str, paint: Color) -> Group:
    """A door handle behind each pillar but the last."""
    span = body.cowl - body.rear
    places = body.pillars[: 1 if len(body.pillars) < 3 or style == "bus" else 3] or (0.62,)
    members: list[Member] = []
    for place in places:
        share = body.cowl - span * (0.045 + 0.9 * place) - (body.cowl - body.roof_front) * 0.3 + 0.02
        x = float(body.half_width(np.array([share]))[0]) * 0.975
        grip = rounded_box((0.045, 0.028, 0.17), 0.012).moved(x + 0.003, body.belt - 0.145, body.z(share))
        members.append(mirrored("handles", Part("handle", grip, shaded(paint, 0.45))))
    return Group("handles", tuple(members))


def _spoiler(body: Body, paint: Color, style: str) -> Group:
    high = style != "hatchback"
    z = body.z(0.035 if high else body.roof_rear + 0.01)
    base = float(body.top(np.array([0.035]))[0]) if high else body.height - 0.06
    y = base + (0.17 if high else 0.03)
    board = rounded_box((0.8 * body.width, 0.03, 0.22), 0.012, 2).mapped(about(0, 6)).moved(0, y, z)
    post = bar((0.28 * body.width, base - 0.06, z), (0.28 * body.width, y, z), 0.03, 0.1)
    return Group("spoiler", (Part("wing", board, paint), mirrored("posts", Part("post", post, exact(TRIM)))))


def bed(body: Body, paint: Color) -> Group:
    """The open box of a pickup: side walls, tailgate, dark floor."""
    front, low, high = body.rear + 0.005, body.tail - 0.08, body.belt + 0.06
    long = front * body.length - 0.06
    z = body.z(front / 2 + 0.004)
    x = float(body.half_width(np.array([front / 2]))[0]) * 0.93
    wall = rounded_box((0.09, high - low, long), 0.03, 2).moved(x - 0.045, (low + high) / 2, z)
    gate = rounded_box((1.9 * x, high - low - 0.02, 0.08), 0.03, 2).moved(0, (low + high) / 2, z - long / 2 + 0.03)
    floor = rounded_box((1.8 * x, 0.05, long), 0.01).moved(0, body.tail + 0.0, z)
    members = (
        mirrored("walls", Part("wall", wall, paint)),
        Part("tailgate", gate, paint),
        Part("floor", floor, exact(TRIM)),
    )
    return Group("bed", members)


def dashboard(body: Body) -> Group:
    """What is open to the sky in a roadster: windscreen in its frame, seats, steering wheel."""
    z, y, tall = body.z(body.cowl), body.belt, body.height - body.belt
    lean = (body.cowl - body.roof_front) * body.length
    half = 0.43 * body.width
    rim = curve(
        [
            (-half, y - 0.05, z - 0.14),
            (-0.93 * half, y + 0.9 * tall, z - 0.95 * lean),
            (0.0, y + tall, z - 0.9 * lean),
            (0.93 * half, y + 0.9 * tall, z - 0.95 * lean),
            (half, y - 0.05, z - 0.14),
        ],
        33,
    )
    pane = loft(np.array([_pane(half, y - 0.04, z - 0.03), _pane(0.93 * half, y + 0.93 * tall, z - 0.9 * lean)]))
    place = body.z(0.5 * (body.rear + body.cowl) - 0.02)
    x = 0.24 * body.width
    cushion = rounded_box((0.5, 0.2, 0.5), 0.06, 3).moved(x, y - 0.02, place)
    rest = rounded_box((0.48, 0.62, 0.16), 0.06, 3).mapped(about(0, -16)).moved(x, y + 0.17, place - 0.3)
    pad = Group("seat", (Part("cushion", cushion, exact(LEATHER)), Part("backrest", rest, exact(LEATHER))))
    hoop = revolve_ring(np.array([(0.19 + 0.013 * a, 0.013 * b) for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1))]), 28)
    turn, at = about(0, 62), np.array([0.24 * body.width, y + 0.12, place + 0.52])
    column = tube(at + np.array([[0, -0.2, 0.25], [0, 0, 0]]), 0.02, 8)
    spoke = tube(at + np.array([[-0.19, 0, 0], [0.19, 0, 0]]), 0.012, 8)
    steering = Group(
        "steering",
        (
            Part("wheel", hoop.mapped(turn, at), exact(TRIM)),
            Part("column", column, exact(TRIM)),
            Part("spoke", spoke, exact(TRIM)),
        ),
    )
    return Group(
        "cockpit",
        (
            Part("frame", tube(rim, 0.022, 8), exact(TRIM)),
            Part("windscreen", pane, exact((120, 150, 160))),
            mirrored("seats", pad),
            steering,
        ),
    )


def _pane(half: Number, y: Number, z: Number) -> np.ndarray:
    x = half * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    bow = 0.06 * (1 - (x / half) ** 2)
    front = np.stack([x, np.full(5, y), z + bow], 1)
    return np.concatenate([front, (front - [0.0, 0.0, 0.012])[::-1]])
