"""Hair: a closed shell over the scalp that grows out of the skin, and what hangs from it or is tied up."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from isofield.mesh.distance import MeshDistance
from isofield.synthesis.chance import maybe, pick, span
from isofield.synthesis.heads.basis import BASE, SCALP, Basis, Places, normals, ripples, scalp, smoothstep
from isofield.synthesis.palette import Color
from isofield.synthesis.parts import Group, Member, Part
from isofield.synthesis.solids import ball, curve, loft, outward, tube

ROWS, HANGING = 40, 26  # rings of the shell on the head, and below its edge
SUNK = 1.0  # centimetres below the skin at which hair has run into a shoulder
AIR, CLOTH = 0.4, 0.6  # centimetres that hanging hair keeps from skin, and more of them from shoulders

# top and side thickness, length that hangs below the edge, crest in the middle, curl, wave of what hangs
STYLES: dict[str, tuple[float, float, float, float, float, float]] = {
    "bald": (0, 0, 0, 0, 0, 0),
    "buzz": (0.28, 0.22, 0, 0, 0, 0),
    "crop": (1.3, 0.5, 0, 0, 0.10, 0),
    "side part": (1.7, 0.8, 0, 0, 0, 0),
    "swept back": (1.6, 0.5, 0, 0.5, 0, 0),
    "quiff": (1.7, 0.4, 0, 1.6, 0.08, 0),
    "mohawk": (0.35, 0.28, 0, 4.2, 0.15, 0),
    "curly": (1.9, 1.4, 0, 0, 0.55, 0),
    "afro": (5.2, 4.6, 0, 0, 0.35, 0),
    "bob": (1.2, 1.2, 7.0, 0, 0, 0.15),
    "bob with fringe": (1.2, 1.2, 7.0, 0, 0, 0.1),
    "long": (1.1, 1.1, 17.0, 0, 0, 0.2),
    "long with fringe": (1.1, 1.1, 17.0, 0, 0, 0.2),
    "wavy": (1.3, 1.4, 14.0, 0, 0.10, 1.0),
    "ponytail": (0.6, 0.5, 0, 0, 0, 0),
    "bun": (0.7, 0.5, 0, 0, 0, 0),
    "pigtails": (0.8, 0.7, 0, 0, 0, 0),
    "receding": (0.5, 0.5, 0, 0, 0.04, 0),
    "horseshoe": (0.35, 0.6, 0, 0, 0.10, 0),
}
FOR_MEN = {
    "bald": 1.0,
    "buzz": 1.6,
    "crop": 3.0,
    "side part": 2.0,
    "swept back": 1.6,
    "quiff": 1.4,
    "mohawk": 0.3,
    "curly": 1.4,
    "afro": 0.8,
}
FOR_MEN |= {"receding": 1.0, "horseshoe": 0.7, "long": 0.4, "bun": 0.3, "ponytail": 0.3}
FOR_WOMEN = {
    "bob": 1.6,
    "bob with fringe": 1.3,
    "long": 2.0,
    "long with fringe": 1.2,
    "wavy": 2.0,
    "ponytail": 1.4,
    "bun": 1.3,
    "pigtails": 0.6,
}
FOR_WOMEN |= {"crop": 0.7, "curly": 1.0, "afro": 0.9, "side part": 0.8, "buzz": 0.15}


@dataclass(frozen=True)
class Hair:
    """Thicknesses and lengths in centimetres; line: how far the hairline is up (positive) or down the forehead."""

    style: str
    top: float
    side: float
    hang: float
    crest: float
    curl: float
    wave: float
    line: float
    parting: float
    opening: float
    color: Color

    @classmethod
    def sample(cls, rng: np.random.Generator, color: Color, years: float, bearded: bool) -> "Hair":
        weights = dict(FOR_MEN if bearded or maybe(rng, 0.42) else FOR_WOMEN)
        if years < 40:
            weights.pop("horseshoe", None)
            weights.pop("receding", None)
        if years < 20:
            weights.pop("bald", None)
        style = pick(rng, weights)
        top, side, hang, crest, curl, wave = (value * span(rng, 0.8, 1.25) for value in STYLES[style])
        return cls(
            style=style,
            top=top,
            side=side,
            hang=hang,
            crest=crest,
            curl=curl,
            wave=wave,
            line=span(rng, -0.4, 0.6) + {"receding": 2.2, "horseshoe": 2.6}.get(style, 0.0),
            parting=span(rng, 0.3, 0.62) * (1 if maybe(rng, 0.5) else -1),
            opening=span(rng, 52, 68),
            color=color,
        )


def hair(
    basis: Basis, drawn: Hair, vertices: Float[np.ndarray, "v 3"], color_of_skin: Color, rng: np.random.Generator
) -> Group | None:
    """The shell and what belongs to it; None for the bald."""
    if drawn.style == "bald":
        return None
    members: list[Member] = [_shell(basis, drawn, vertices, color_of_skin, rng)]
    if drawn.style in ("ponytail", "bun", "pigtails"):
        members += _tied(basis, drawn, vertices, rng)
    return Group("hair", tuple(members))


def _hairline(places: Places, drawn: Hair) -> Float[np.ndarray, " t"]:
    """Polar angle of the edge of the hair for each azimuth, in degrees: through points of the head, smoothed."""
    fringe = 2.1 if drawn.style.endswith("fringe") else 0.0
    low = drawn.hang > 0
    up = drawn.line - fringe
    points = [(0.0, 10.4 + up, 8.6), (3.0, 10.2 + up, 8.0), (5.4, 9.0 + 0.8 * up, 6.2), (6.7, 6.4 + 0.3 * up, 4.6)]
    points += [(7.1, 4.4, 3.6), (7.3, 2.4 if low else 5.9, 2.4 if low else 1.6), (7.3, 1.0 if low else 6.0, 0.2)]
    points += [(7.2, -0.5 if low else 3.6, -2.4), (6.0, -2.6, -5.2), (3.4, -3.8, -7.6), (0.0, -4.2, -8.4)]
    if drawn.style == "mohawk":
        points[5:8] = [(7.0, 6.4, 1.6), (7.0, 6.0, -0.6), (7.0, 4.2, -3.0)]
    turned = (np.array(points) - SCALP) @ _pole(places)
    azimuth = np.arctan2(turned[:, 0], -turned[:, 2])  # 0 behind, pi in front
    polar = np.rad2deg(np.arccos(turned[:, 1] / np.linalg.norm(turned, axis=1)))
    order = np.argsort(azimuth)
    count = places.faces.shape[1]
    t = 2 * np.pi * np.arange(count) / count
    edge = np.interp(np.minimum(t, 2 * np.pi - t), azimuth[order], polar[order])
    return _smoothed(edge, 13)


def _pole(places: Places) -> Float[np.ndarray, "3 3"]:
    """Columns: the axes in which azimuth and polar angle of the places are measured."""
    up = places.directions[0, 0]
    right = np.array([1.0, 0.0, 0.0])
    return np.stack([right, up, np.cross(right, up)], 1)


def _rows(values: Float[np.ndarray, "r t d"], row: Float[np.ndarray, "n t"]) -> Float[np.ndarray, "n t d"]:
    """Values at fractional rows."""
    low = np.minimum(row.astype(int), len(values) - 2)
    share = (row - low)[..., None]
    column = np.arange(values.shape[1])[None]
    return values[low, column] * (1 - share) + values[low + 1, column] * share


def _shell(basis: Basis, drawn: Hair, vertices: np.ndarray, color_of_skin: Color, rng: np.random.Generator) -> Part:
    """Outer rings from the whorl to the edge and down, then inner ones back; the edge dips into the skin."""
    places = scalp()
    closed = basis.closed(vertices)
    count = places.faces.shape[1]
    t = 2 * np.pi * np.arange(count) / count
    ahead = np.rad2deg(np.pi - np.minimum(t, 2 * np.pi - t))  # degrees from the front
    line = _hairline(places, drawn)
    u = np.linspace(0, 1, ROWS)[:, None]
    row = line[None] / 150 * (len(places.faces) - 1) * u
    ground = _rows(places.on(closed, basis.faces), row)
    outer_normal = _rows(places.on(normals(closed, basis.faces), basis.faces), row)
    radial = ground - SCALP
    direction = _unit(_unit(outer_normal) + 1.2 * _unit(radial))
    hanging = smoothstep(drawn.opening - 14, drawn.opening + 14, ahead) * (drawn.hang > 0)
    thick = _thickness(drawn, ground, direction, u, t, hanging, rng)
    strands = _strands(rng, t, u)
    outer = ground + direction * (thick * (1 + 0.07 * strands))[..., None]
    if drawn.curl:
        outer = outer + direction * (drawn.curl * ripples(rng, outer, 0.9, 2) * smoothstep(0.05, 0.3, 1 - u))[..., None]
    inner = ground - 0.5 * direction
    tint = 0.10 * strands + 0.05 * _strands(rng, t, u) - 0.10 * (1 - smoothstep(0.0, 0.5, thick))
    if drawn.hang:
        surface = MeshDistance(closed, basis.faces)
        tail, lining = _tail(drawn, outer, direction, t, hanging, rng)
        tail = _shortened(tail, surface)
        outer, tail = _pushed(outer, surface), _pushed(tail, surface)
        outer, inner = np.concatenate([outer, tail]), np.concatenate([inner, lining(tail)])
        tint = np.concatenate(
            [tint, np.repeat(tint[-1:], HANGING, axis=0) - 0.06 * np.linspace(0, 1, HANGING)[:, None]]
        )
    rings = np.concatenate([outer[1:], inner[:0:-1]])
    solid = loft(rings, [outer[0].mean(0), inner[0].mean(0)])
    both = np.concatenate([tint[1:], tint[:0:-1]]).reshape(-1, 1)
    return Part("hair", solid, _shade(drawn, np.concatenate([both, [[0.0], [0.0]]]), color_of_skin), smooth=True)


def _shade(drawn: Hair, tint: Float[np.ndarray, "v 1"], color_of_skin: Color) -> Float[np.ndarray, "v 3"]:
    """Colours at the vertices; the scalp shows through short hair."""
    shade = drawn.color * (1 + tint) + 40 * tint
    share = {"buzz": 0.3, "horseshoe": 0.12}.get(drawn.style, 0.0)
    return np.clip(shade * (1 - share) + share * color_of_skin, 3, 250)


def _thickness(
    drawn: Hair,
    ground: np.ndarray,
    direction: np.ndarray,
    u: np.ndarray,
    t: np.ndarray,
    hanging: np.ndarray,
    rng: np.random.Generator,
) -> Float[np.ndarray, "n t"]:
    """How high the hair stands over the skin: less at the sides, nothing at the edge where it does not hang."""
    top = smoothstep(0.15, 0.85, direction[..., 1])
    thick = drawn.side + (drawn.top - drawn.side) * top
    middle = np.exp(-((ground[..., 0] / (1.4 if drawn.style == "mohawk" else 3.6)) ** 2))
    front = smoothstep(-2, 7, ground[..., 2]) if drawn.style == "quiff" else 1.0
    thick = thick + drawn.crest * middle * top * front
    thick = thick * (1 + 0.12 * ripples(rng, ground, 5.0, 1))
    if drawn.style == "horseshoe":  # below the skin where the head is bald
        bald = smoothstep(6.5, 9.0, ground[..., 1] + 0.25 * ground[..., 2])
        thick = thick * (1 - bald) - 0.35 * bald
    if drawn.style in ("side part", "bob", "long", "wavy"):
        x = 6.0 * drawn.parting if drawn.style == "side part" else 2.0 * drawn.parting
        groove = np.exp(-(((ground[..., 0] - x) / 0.35) ** 2)) * smoothstep(0, 3, ground[..., 2]) * top
        thick = thick * (1 - 0.7 * groove)
    fringe = drawn.style.endswith("fringe")
    edge = hanging if not fringe else np.maximum(hanging, 0.35 * np.ones_like(hanging))
    fall = 1 - smoothstep(0.62, 1.0, u) * (1 - edge)
    return thick * fall - 0.22 * (1 - fall) * smoothstep(0.9, 1.0, u)


def _strands(rng: np.random.Generator, t: np.ndarray, u: np.ndarray) -> Float[np.ndarray, "n t"]:
    """Random values that change fast across the strands and slowly along them; quiet at the whorl."""
    total = np.zeros((len(u), len(t)))
    for wave in rng.integers(6, 64, 14):
        slant, phase = rng.normal(0, 1.2), rng.uniform(0, 2 * np.pi)
        total += np.sin(wave * t[None] + phase + slant * 4 * u) / 5
    return total * smoothstep(0.04, 0.35, u)


def _tail(
    drawn: Hair, outer: np.ndarray, direction: np.ndarray, t: np.ndarray, hanging: np.ndarray, rng: np.random.Generator
):
    """Rings below the edge: down where hair hangs, into the skin where it does not; and how to line them."""
    g = (np.arange(1, HANGING + 1) / HANGING)[:, None]
    flat = direction[-1] * [1, 0, 1]
    uneven = 1 + 0.06 * np.sin(2 * t + rng.uniform(0, 6.3)) + 0.03 * np.sin(9 * t + rng.uniform(0, 6.3))
    down = drawn.hang * hanging * uneven * g
    swing = (
        drawn.wave * np.sin(g * drawn.hang * 0.55 + 2.0 * np.sin(2 * t + rng.uniform(0, 6.3))) * np.minimum(g * 3, 1)
    )
    spread = (
        0.5 * np.sin(np.pi * g * 0.8) * min(drawn.hang / 8, 1) + 0.6 * (swing + drawn.wave * np.minimum(g * 3, 1))
    ) * hanging
    gather = 1 - 0.10 * g * hanging * min(drawn.hang / 12, 1)
    start = outer[-1]
    points = start[None] * np.stack([gather, 1 + 0 * gather, gather], -1) + flat[None] * spread[..., None]
    points = points - down[..., None] * [0, 1, 0] - direction[-1][None] * (0.45 * g * (1 - hanging))[..., None]
    depth = (drawn.side * (0.9 - 0.75 * g) + 0.12) * hanging + 0.08 * (1 - hanging)

    def lining(moved: np.ndarray) -> np.ndarray:
        return moved - flat[None] * depth[..., None] - 0.05 * direction[-1][None]

    return points, lining


def _shortened(tail: Float[np.ndarray, "n t 3"], surface: MeshDistance) -> Float[np.ndarray, "n t 3"]:
    """Strands that would run into a shoulder end on it, those that can be pushed out behind not below the bust."""
    depth = -surface.signed(tail.reshape(-1, 3)).reshape(tail.shape[:2])
    into = (depth > SUNK) & (tail[..., 1] < 0) & (tail[..., 2] > -5) | (tail[..., 1] < BASE + 2)
    reach = np.where(into.any(0), into.argmax(0), len(tail)) / len(tail)
    reach = _smoothed(np.min([np.roll(reach, k) for k in range(-2, 3)], axis=0), 13)
    row = np.linspace(0, 1, len(tail))[:, None] * np.maximum(reach, 0.15) * (len(tail) - 1)
    return _rows(tail, np.minimum(row, len(tail) - 1))


def _smoothed(values: Float[np.ndarray, " t"], width: int) -> Float[np.ndarray, " t"]:
    """Values around a circle, each the mean of its neighbours under a bell."""
    window = np.hanning(width)[1:-1]
    reach = len(window) // 2
    padded = np.concatenate([values[-reach:], values, values[:reach]])
    return np.convolve(padded, window / window.sum(), "valid")


def _pushed(points: Float[np.ndarray, "n t 3"], surface: MeshDistance) -> Float[np.ndarray, "n t 3"]:
    """Hanging hair moved out of neck and shoulders: behind straight backwards, elsewhere the shortest way."""
    flat = points.reshape(-1, 3).copy()
    low = np.flatnonzero(flat[:, 1] < 6.5)
    for _ in range(3):
        at = flat[low]
        near, inside = surface.closest(at), surface.sign(at) < 0
        depth = np.where(inside, -near.distance, near.distance)
        away = (at - near.point) / np.where(depth == 0, 1, depth)[:, None]
        back = smoothstep(4, 6, -at[:, 2])[:, None] * (at[:, 1:2] < -4)
        away = _unit((1 - back) * away + back * [0.0, 0.0, -1.0])
        air = AIR + CLOTH * smoothstep(6, 10, -at[:, 1])
        flat[low] = at + away * np.clip(air - depth, 0, 6)[:, None]
    return flat.reshape(points.shape)


def _tied(basis: Basis, drawn: Hair, vertices: np.ndarray, rng: np.random.Generator) -> list[Member]:
    """A tail, a bun or two tails."""
    closed, places = basis.closed(vertices), scalp()
    skin_at = places.on(closed, basis.faces)
    behind = skin_at[14, 0] if drawn.style != "bun" else skin_at[int(rng.integers(2, 20)), 0]
    out = _unit(behind - SCALP)
    if drawn.style == "bun":
        size = span(rng, 2.2, 3.4)
        knot = ball((size, 0.85 * size, size), 40)
        bumps = 1 + 0.06 * ripples(rng, knot.vertices, 1.0, 2)
        return [
            _colored(
                "bun", outward(knot.vertices * bumps[:, None] + behind + out * (0.75 * size), knot.faces), drawn, rng
            )
        ]
    if drawn.style == "ponytail":
        long = span(rng, 8, 17)
        path = [
            behind,
            behind + 2.2 * out,
            behind + 3.4 * out - [0, 0.3 * long, 0],
            behind + 2.4 * out - [0, 0.7 * long, 0],
            behind + 1.6 * out - [0, long, 0],
        ]
        return [_lock("ponytail", np.array(path), span(rng, 1.3, 1.9), drawn, rng)]
    side = skin_at[26, len(places.directions[0]) // 4]
    tails: list[Member] = []
    long = span(rng, 7, 13)
    for sign in (1.0, -1.0):
        start = side * [sign, 1, 1]
        away = np.array([sign, 0.25, -0.2])
        path = [start, start + 1.8 * away, start + 2.6 * away - [0, 0.35 * long, 0], start + 2.2 * away - [0, long, 0]]
        tails.append(_lock("pigtail", np.array(path), 1.3, drawn, rng))
    return tails


def _lock(label: str, path: np.ndarray, radius: float, drawn: Hair, rng: np.random.Generator) -> Part:
    """A bundle of hair along a path: thin where it is tied, full in the middle, pointed."""
    t = np.linspace(0, 1, 36)
    size = radius * np.interp(t, [0, 0.06, 0.3, 0.75, 0.95, 1.0], [0.75, 0.7, 1.0, 0.85, 0.35, 0.1])
    return _colored(label, tube(curve(path, 36), size, 28), drawn, rng)


def _colored(label: str, solid, drawn: Hair, rng: np.random.Generator) -> Part:
    shade = drawn.color * (1 + 0.10 * ripples(rng, solid.vertices * [1, 0.12, 1], 0.35, 2))[:, None]
    return Part(label, solid, np.clip(shade, 3, 250), smooth=True)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
