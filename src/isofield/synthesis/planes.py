"""Aeroplanes: airliners, business jets, turboprops, light aircraft, biplanes, fighters, gliders."""

from dataclasses import asdict

import numpy as np

from isofield.synthesis.palette import exact, shaded
from isofield.synthesis.parts import Group, Member, Part, Shape, mirrored
from isofield.synthesis.plane_kinds import Plane
from isofield.synthesis.solids import Number, loft, loft_colors, tube
from isofield.synthesis.wings import fin, gear, jet, propeller, wing

PANE = (38, 46, 60)
ROUND = 32  # points around a fuselage


def plane(rng: np.random.Generator) -> Shape:
    """An aeroplane of any kind; its nose looks to +z."""
    p = Plane.sample(rng)
    members: list[Member] = [_fuselage(p), _wings(p), _tail(p)]
    members += _engines(p)
    if p.kind in ("fighter", "warbird", "glider"):
        members.append(_canopy(p))
    if p.wheels:
        members.append(_undercarriage(p))
    return Shape("plane", Group("plane", tuple(members)), asdict(p))


# (share of the length, height of the middle, half width, half height), all but the first in radii
PROFILES = {
    "airliner": [
        (0, -0.2, 0.03, 0.03), (0.012, -0.17, 0.3, 0.3), (0.04, -0.1, 0.62, 0.6), (0.09, 0, 0.92, 0.93),
        (0.14, 0, 1, 1), (0.64, 0, 1, 1), (0.78, 0.12, 0.88, 0.86), (0.9, 0.33, 0.52, 0.54),
        (0.98, 0.5, 0.16, 0.2), (1, 0.53, 0.04, 0.06),
    ],
    "light": [
        (0, 0, 0.42, 0.42), (0.02, 0, 0.62, 0.62), (0.17, 0.05, 0.86, 0.82), (0.24, 0.25, 0.95, 1.1),
        (0.34, 0.28, 0.98, 1.15), (0.5, 0.16, 0.8, 0.92), (0.7, 0.1, 0.42, 0.5), (0.95, 0.1, 0.14, 0.26),
        (1, 0.1, 0.06, 0.12),
    ],
    "biplane": [
        (0, 0, 0.7, 0.7), (0.02, 0, 0.95, 0.95), (0.12, 0, 1, 1), (0.3, 0, 0.96, 1.05),
        (0.5, 0.02, 0.8, 0.9), (0.8, 0.1, 0.36, 0.5), (1, 0.15, 0.06, 0.22),
    ],
    "fighter": [
        (0, -0.05, 0.02, 0.02), (0.08, -0.02, 0.32, 0.3), (0.2, 0.05, 0.68, 0.68), (0.32, 0.05, 0.98, 0.9),
        (0.5, 0, 1.2, 0.86), (0.75, 0, 1.25, 0.82), (0.95, 0, 1.0, 0.68), (1, 0, 0.9, 0.6),
    ],
    "warbird": [
        (0, 0, 0.5, 0.5), (0.03, 0, 0.82, 0.84), (0.12, 0, 0.95, 1), (0.3, 0, 1, 1.06),
        (0.5, 0.06, 0.82, 1), (0.75, 0.14, 0.46, 0.66), (0.97, 0.2, 0.12, 0.25), (1, 0.2, 0.05, 0.1),
    ],
    "glider": [
        (0, -0.1, 0.04, 0.04), (0.04, -0.08, 0.5, 0.5), (0.12, 0, 0.85, 0.9), (0.25, 0.05, 1, 1.1),
        (0.36, 0.15, 0.72, 0.82), (0.48, 0.24, 0.36, 0.4), (0.95, 0.3, 0.2, 0.24), (1, 0.3, 0.08, 0.1),
    ],
}  # fmt: skip
PROFILES |= {"business": PROFILES["airliner"], "turboprop": PROFILES["airliner"]}


def _fuselage(p: Plane) -> Part:
    """A tube through ellipses, its squares painted: panes, stripe, nose."""
    knots = np.array(PROFILES[p.kind], np.float64)
    at = np.sort(np.concatenate([np.linspace(0, 1, 64) ** 1.15, _pane_edges(p), knots[:, 0]]))
    at = at[np.concatenate([[True], np.diff(at) > 1e-4])]
    y, w, h = (np.interp(at, fine := np.linspace(0, 1, 801), _smooth(knots, k, fine)) * p.radius for k in (1, 2, 3))
    angle = np.linspace(0, 2 * np.pi, ROUND, endpoint=False) + np.pi / ROUND
    rings = np.stack(
        [
            w[:, None] * np.cos(angle),
            y[:, None] + h[:, None] * np.sin(angle),
            np.repeat(p.length * (0.5 - at)[:, None], ROUND, 1),
        ],
        -1,
    )
    return Part("fuselage", loft(rings), _livery(p, (at[:-1] + at[1:]) / 2, angle + np.pi / ROUND))


def _smooth(knots: np.ndarray, column: int, at: np.ndarray) -> np.ndarray:
    """Through the knots without overshooting: piecewise linear, averaged over a window that shrinks at the ends."""
    values = np.interp(at, knots[:, 0], knots[:, column])
    total = np.concatenate([[0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(at))])
    reach = np.minimum(np.minimum(0.045, at), 1 - at) + 1e-4
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach, 1)
    return (np.interp(high, at, total) - np.interp(low, at, total)) / (high - low)


def _panes(p: Plane) -> tuple[float, float, int]:
    """Where the row of windows begins and ends, and how many there are."""
    return {"airliner": (0.15, 0.78, 34), "business": (0.22, 0.55, 7), "turboprop": (0.16, 0.72, 14)}.get(
        p.kind, (0.0, 0.0, 0)
    )


def _pane_edges(p: Plane) -> np.ndarray:
    start, end, count = _panes(p)
    return np.linspace(start, end, 2 * count + 1) if count else np.zeros(1)


def _livery(p: Plane, at: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Colour of each face of the fuselage, by its share of the length and its angle (0 right, 90 degrees up)."""
    up, side = np.sin(angle)[None], np.abs(np.cos(angle))[None]
    place = np.broadcast_to(at[:, None], (len(at), ROUND))
    colors = np.broadcast_to(p.paint, (*place.shape, 3)).copy()
    if p.stripe == "line":
        colors[np.broadcast_to((up < -0.02) & (up > -0.3), place.shape)] = p.accent
    elif p.stripe == "belly":
        colors[np.broadcast_to(up < -0.35, place.shape)] = p.accent
    elif p.stripe == "nose":
        colors[place < 0.1] = p.accent
    start, end, count = _panes(p)
    if count:
        cell = np.floor((place - start) / (end - start) * 2 * count)
        pane = (place > start) & (place < end) & (cell % 2 == 1) & (up > 0.14) & (up < 0.36) & (side > 0.8)
        cockpit = (place > 0.028) & (place < 0.058) & (up > 0.3) & (up < 0.85)
        colors[pane | cockpit] = PANE
    elif p.kind == "light":
        colors[(place > 0.2) & (place < 0.45) & (up > 0.1) & (up < 0.8)] = PANE
    elif p.kind == "biplane":
        colors[place < 0.1] = shaded(p.accent, 0.9)
        colors[(place > 0.36) & (place < 0.46) & (up > 0.72)] = (40, 32, 28)
    return loft_colors(colors, np.stack([colors[0, 0], shaded(colors[-1, 0], 0.5)]))


def _wing_half(p: Plane, y: Number) -> list[tuple[float, float, float, float, float]]:
    """Sections of the right wing, from within the fuselage to a rounded tip."""
    half, z0 = p.span / 2, p.z(p.wing_at) + 0.3 * p.chord
    sections = []
    for t in (0.02, 0.3, 0.65, 0.94, 0.985, 1.0):
        chord = p.chord * (1 - (1 - p.taper) * t) * {0.985: 0.86, 1.0: 0.5}.get(t, 1.0)
        x = t * half
        z = z0 - x * np.tan(np.deg2rad(p.sweep)) - (0.06 * p.chord if t > 0.99 else 0.0)
        sections.append((x, y + x * np.tan(np.deg2rad(p.dihedral)), z, chord, 0.06 if p.kind == "fighter" else 0.12))
    return sections


def _wings(p: Plane) -> Group:
    y = p.wing_height * p.radius
    sections = _wing_half(p, y)
    color = p.accent if p.kind == "biplane" else shaded(p.paint, 0.92)
    right: list[Member] = [Part("wing", wing(sections), color)]
    x, tip_y, z, chord, _ = sections[-2]
    if p.winglets:
        tall = 0.06 * p.span
        up = [
            (x, tip_y - 0.01, z, 0.9 * chord, 0.1),
            (x + 0.25 * tall, tip_y + tall, z - 0.9 * tall, 0.35 * chord, 0.1),
        ]
        right.append(Part("winglet", fin(up), p.accent))
    if p.kind == "light":
        right.append(_strut(p, (0.8 * p.radius, -0.45 * p.radius), sections, 0.45))
    if p.kind == "biplane":
        right += _upper_wing(p, sections)
    return mirrored("wings", Group("wing", tuple(right)))


def _strut(p: Plane, foot: tuple[Number, Number], sections: list, share: Number) -> Part:
    """A thin brace from the side of the fuselage to the wing."""
    x, z = share * p.span / 2, sections[0][2] - 0.35 * p.chord
    y = sections[0][1] + x * np.tan(np.deg2rad(p.dihedral))
    return Part("strut", tube([(foot[0], foot[1], z), (x, y, z)], 0.035, 8), shaded(p.paint, 0.85))


def _upper_wing(p: Plane, lower: list) -> list[Member]:
    """The second wing of a biplane with its struts and bracing wires."""
    lift, ahead = 1.55 * p.radius + 0.75, 0.25 * p.chord
    upper = [(x, y + lift, z + ahead, chord, t) for x, y, z, chord, t in lower]
    members: list[Member] = [Part("upper wing", wing(upper), p.accent)]
    for share, back in ((0.62, 0.2), (0.62, 0.7)):
        x = share * p.span / 2
        y = lower[0][1] + x * np.tan(np.deg2rad(p.dihedral))
        z = lower[0][2] - x * np.tan(np.deg2rad(p.sweep)) - back * p.chord
        members.append(Part("strut", tube([(x, y, z), (x, y + lift, z + ahead)], 0.028, 8), exact((150, 116, 76))))
    z = lower[0][2] - 0.3 * p.chord
    for dz in (0.25, -0.25):
        place = (0.5 * p.radius, 0.6 * p.radius, z + dz * p.chord)
        members.append(
            Part(
                "strut",
                tube([place, (0.62 * p.radius, lower[0][1] + lift + 0.02, place[2] + ahead)], 0.024, 8),
                exact((150, 116, 76)),
            )
        )
    x = 0.62 * p.span / 2
    y, slope = lower[0][1], np.tan(np.deg2rad(p.dihedral))
    for start, end in (
        ((0.6 * p.radius, y + 0.05), (x, y + x * slope + lift)),
        ((x, y + x * slope), (0.62 * p.radius, y + lift + 0.02)),
    ):
        wire = tube([(*start, z), (*end, z + ahead * 0.6)], 0.011, 6)
        members.append(Part("wire", wire, exact((90, 90, 92))))
    return members


def _tail(p: Plane) -> Group:
    """Fins and the horizontal tail."""
    root = p.fin * (0.17 if p.kind != "glider" else 0.11) * p.length
    tall = p.fin * {"airliner": 0.15, "fighter": 0.16, "glider": 0.16}.get(p.kind, 0.17) * p.length
    back, sweep = p.z(0.985), np.tan(np.deg2rad(max(p.sweep, 18) + 8))
    base = (0.35 if p.kind != "fighter" else 0.3) * p.radius
    tip = 0.42 * root
    upright = [(0.0, base, back + root, root, 0.09), (0.0, base + tall, back + root - sweep * tall, tip, 0.09)]
    if p.tail == "twin":
        x = 0.85 * p.radius
        pair = [
            (x, base, back + root, root, 0.07),
            (x + 0.3 * tall, base + tall, back + root - sweep * tall, tip, 0.07),
        ]
        fins: Member = mirrored("fins", Part("fin", fin(pair), p.accent))
    else:
        fins = Part("fin", fin(upright), p.accent)
    level = base + 0.93 * tall if p.tail == "T" else 0.3 * p.radius
    lead = back + root - (sweep * 0.93 * tall if p.tail == "T" else 0.18 * root)
    half, chord = 0.36 * p.span * (0.5 if p.kind == "glider" else 1), (0.62 if p.tail != "T" else 0.42) * root
    half = min(half, 0.21 * p.length) if p.kind != "biplane" else 0.2 * p.length
    lag = np.tan(np.deg2rad(max(p.sweep, 5) + 3))
    flat = [
        (0.004, level, lead, chord, 0.09),
        (0.94 * half, level, lead - lag * half, 0.5 * chord, 0.09),
        (half, level, lead - lag * half - 0.1 * chord, 0.3 * chord, 0.08),
    ]
    return Group("tail", (fins, mirrored("stabilisers", Part("stabiliser", wing(flat), shaded(p.paint, 0.92)))))


def _engines(p: Plane) -> list[Member]:
    wings = _wing_half(p, p.wing_height * p.radius)
    if p.kind == "airliner":
        pairs = [_hung_engine(p, wings, share) for share in ((0.34,) if p.engines == 2 else (0.3, 0.56))]
        return [mirrored("engines", Group("engines of one side", tuple(pairs)))]
    if p.kind == "business":
        size = 0.55 * p.radius
        x, y, z = 1.0 * p.radius + 0.95 * size, 0.45 * p.radius, p.z(0.72)
        parts = [one.mapped(np.eye(3), np.array([x, y, z])) for one in jet(4.2 * size, size)]
        pylon = wing(
            [(0.5 * p.radius, 0.9 * y, z + size, 2.2 * size, 0.12), (x - 0.9 * size, y, z + size, 2.0 * size, 0.12)]
        )
        return [mirrored("engines", Group("engine", (*parts, Part("pylon", pylon, p.paint))))]
    if p.kind == "turboprop":
        return [_nacelle(p, wings)]
    if p.kind == "fighter":
        return _exhausts(p)
    if p.engines:
        size = {"light": 0.95, "biplane": 1.15, "warbird": 1.55}[p.kind]
        return [
            propeller(size, p.blades, p.accent).mapped(np.eye(3), np.array([0.0, 0.0, p.z(0.0) - 0.02 + 0.08 * size]))
        ]
    return []


def _hung_engine(p: Plane, wings: list, share: Number) -> Group:
    """A jet under the wing, and its pylon."""
    size = 0.52 * p.radius if p.engines == 2 else 0.42 * p.radius
    x = share * p.span / 2
    y = wings[0][1] + x * np.tan(np.deg2rad(p.dihedral))
    lead = wings[0][2] - x * np.tan(np.deg2rad(p.sweep))
    place = np.array([x, y - 1.25 * size, lead + 0.6 * size])
    parts = [one.mapped(np.eye(3), place) for one in jet(3.4 * size, size)]
    low, high = place[1] + 0.9 * size, y
    pylon = fin([(x, low, lead + 1.2 * size, 2.6 * size, 0.1), (x, high, lead - 0.1 * size, 2.6 * size, 0.1)])
    return Group("engine", (*parts, Part("pylon", pylon, shaded(p.paint, 0.9))))


def _nacelle(p: Plane, wings: list) -> Group:
    """Propeller engines before the wing."""
    x, size = 0.27 * p.span / 2, 0.42 * p.radius
    y, lead = wings[0][1] - 0.1 * size, wings[0][2]
    front = lead + 0.75 * p.chord
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    rings = [
        np.stack([x + r * size * np.cos(angle), y + lift * size + r * 1.15 * size * np.sin(angle), np.full(20, z)], 1)
        for z, r, lift in (
            (front, 0.5, 0),
            (front - 0.15 * p.chord, 0.85, 0),
            (lead, 1.0, -0.1),
            (lead - 0.7 * p.chord, 0.7, 0),
            (lead - 1.1 * p.chord, 0.2, 0.15),
        )
    ]
    body = Part("nacelle", loft(np.array(rings)), p.paint)
    screw = propeller(1.25 * p.radius, max(p.blades, 4), p.accent).mapped(
        np.eye(3), np.array([x, y, front + 0.09 * p.radius])
    )
    return mirrored("engines", Group("engine", (body, screw)))


def _exhausts(p: Plane) -> list[Member]:
    """Nozzles at the end, intakes at the sides."""
    size = 0.5 * p.radius
    z, angle = p.z(1.0), np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([size * np.cos(angle), size * np.sin(angle), 0 * angle], 1)
    levels = [(0.6, 1.0), (-0.3, 1.05), (-0.9, 0.82), (-0.85, 0.7), (-0.2, 0.6)]
    nozzle = loft(np.array([ring * [r, r, 0] + [0, 0, z + d * size] for d, r in levels]))
    part = Part("nozzle", nozzle, exact((58, 56, 56)))
    engines: Member = part
    if p.engines == 2:
        engines = mirrored("nozzles", part.mapped(np.eye(3), np.array([0.55 * p.radius, 0, 0])))
    x, front = 1.0 * p.radius, p.z(0.34)
    square = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * [0.3 * p.radius, 0.5 * p.radius]
    lip = [
        np.stack([x + s * square[:, 0], square[:, 1] * s, np.full(4, z)], 1)
        for z, s in ((front + 0.2, 0.92), (front, 1.0), (p.z(0.6), 1.05))
    ]
    intake = mirrored("intakes", Part("intake", loft(np.array(lip)), shaded(p.paint, 0.8)))
    return [engines, intake]


def _canopy(p: Plane) -> Part:
    """A bubble over the pilot."""
    start, end, y = {"fighter": (0.13, 0.36, 0.42), "warbird": (0.32, 0.5, 0.72), "glider": (0.06, 0.25, 0.35)}[p.kind]
    at = np.linspace(0, 1, 17)
    tall = np.sin(np.pi * at**0.8) ** 0.7 * 0.72 * p.radius + 0.02
    wide = np.sin(np.pi * at) ** 0.5 * 0.5 * p.radius + 0.02
    base = y * p.radius * np.interp(at, [0, 0.5, 1], [0.55 if p.kind != "warbird" else 1, 1, 1])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = np.stack(
        [
            wide[:, None] * np.cos(angle),
            base[:, None] + tall[:, None] * np.sin(angle),
            np.repeat(p.length * (0.5 - start - at * (end - start))[:, None], 24, 1),
        ],
        -1,
    )
    return Part("canopy", loft(rings), exact((64, 84, 108)))


def _undercarriage(p: Plane) -> Group:
    """Wheels on thin legs: two mains, and one under nose or tail."""
    r, strut = 0.26 * p.radius + 0.1, 0.05 * p.radius + 0.012
    drop = {"airliner": 1.9, "biplane": 2.0, "warbird": 2.2, "light": 1.9, "turboprop": 1.9}.get(p.kind, 1.7) * p.radius
    taildragger = p.kind in ("biplane", "warbird")
    x, z = (
        {"airliner": 1.1, "turboprop": 0.9}.get(p.kind, 1.3) * p.radius,
        p.z(0.16 if taildragger else p.wing_at + 0.13),
    )
    top = (0.45 * p.radius, -0.3 * p.radius, z - 0.1)
    if p.kind == "warbird":
        z = p.z(p.wing_at + 0.01)
        top = (x, p.wing_height * p.radius + x * np.tan(np.deg2rad(p.dihedral)), z - 0.2)
    main = mirrored("main gear", Group("gear", tuple(gear(top, (x, -drop, z), r, strut, exact((120, 122, 126))))))
    far, level = (p.z(0.9), 0.0) if taildragger else (p.z(0.1), -0.4 if p.kind != "fighter" else -0.1)
    size = 0.5 * r if taildragger else 0.8 * r
    low = -0.45 * p.radius if taildragger else -drop - 0.2 * r
    single = Group(
        "gear", tuple(gear((0, level * p.radius, far), (0.0, low, far), size, strut * 0.8, exact((120, 122, 126))))
    )
    return Group("undercarriage", (main, single))
