"""A face: identity, age, expression, and the colours of its skin."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from isofield.synthesis.chance import maybe, pick, span
from isofield.synthesis.heads.basis import BASE, Basis, normals, ripples, smoothstep
from isofield.synthesis.palette import Color, vivid
from isofield.synthesis.parts import Group, Part
from isofield.synthesis.solids import Number, Solid, outward, revolve

TONES = (
    (255, 226, 204),
    (244, 205, 175),
    (226, 180, 142),
    (198, 146, 108),
    (154, 104, 74),
    (108, 70, 50),
    (70, 46, 36),
)
FOOT = 3.0  # height over the foot of the bust below which a long chest is pressed together
IRISES = ((84, 54, 32), (60, 40, 28), (98, 112, 64), (74, 112, 150), (112, 126, 132), (120, 86, 44))
EXPRESSIONS = {
    "calm": {},
    "smile": {"mouthSmile_L": 0.8, "mouthSmile_R": 0.8, "eyeSquint_L": 0.3, "eyeSquint_R": 0.3},
    "grin": {"mouthSmile_L": 1.0, "mouthSmile_R": 0.9, "jawOpen": 0.18, "eyeSquint_L": 0.5, "eyeSquint_R": 0.5},
    "smirk": {"mouthSmile_L": 0.9, "mouthStretch_R": 0.2},
    "frown": {"browDown_L": 0.7, "browDown_R": 0.7, "mouthFrown_L": 0.7, "mouthFrown_R": 0.7},
    "surprise": {"jawOpen": 0.45, "browInnerUp_L": 0.8, "browInnerUp_R": 0.8, "eyeWide_L": 0.7, "eyeWide_R": 0.7},
    "talk": {"jawOpen": 0.25, "mouthStretch_L": 0.3, "mouthStretch_R": 0.3},
    "pout": {"mouthPucker": 0.8, "browInnerUp_L": 0.3, "browInnerUp_R": 0.3},
    "wink": {"eyeBlink_L": 0.95, "mouthSmile_L": 0.6, "cheekPuff_L": 0.2},
    "sneer": {"noseSneer_L": 0.7, "noseSneer_R": 0.7, "browDown_L": 0.4, "browDown_R": 0.4},
}


@dataclass(frozen=True)
class Face:
    """age in years; tone: 0 light to 6 dark; expression: name, and how much of it."""

    identity: tuple[float, ...]
    age: float
    expression: str
    strength: float
    tone: float
    blush: float
    lips: float
    lipstick: float
    freckles: float
    brows: float
    iris: Color
    beard: str
    beard_length: float
    skin: Color
    hair: Color

    @classmethod
    def sample(cls, rng: np.random.Generator, modes: int) -> "Face":
        age = pick(rng, {"child": 1.2, "young": 4.0, "middle": 3.0, "old": 2.0})
        years = span(rng, *{"child": (6, 14), "young": (16, 35), "middle": (35, 58), "old": (58, 85)}[age])
        tone = float(rng.beta(1.1, 1.4) * 6)
        adult = years > 19
        beard = (
            pick(rng, {"none": 6.0, "stubble": 1.4, "moustache": 0.7, "goatee": 0.7, "full": 1.3}) if adult else "none"
        )
        return cls(
            identity=tuple(np.clip(rng.normal(size=modes), -2.2, 2.2).tolist()),
            age=years,
            expression=pick(
                rng, dict(zip(EXPRESSIONS, (6.0, 2.5, 1.2, 0.8, 0.9, 0.8, 0.9, 0.6, 0.3, 0.4), strict=True))
            ),
            strength=span(rng, 0.5, 1.0),
            tone=tone,
            blush=span(rng, 0.1, 0.8),
            lips=span(rng, 0.5, 1.0),
            lipstick=span(rng, 0.4, 0.9) if adult and beard == "none" and maybe(rng, 0.22) else 0.0,
            freckles=span(rng, 0.3, 1.0) if tone < 2 and maybe(rng, 0.2) else 0.0,
            brows=span(rng, 0.3, 0.72),
            iris=_iris(rng, tone),
            beard=beard,
            beard_length=span(rng, 0.2, 0.9),
            skin=_skin(rng, tone),
            hair=_hair_color(rng, tone, years),
        )


def _iris(rng: np.random.Generator, tone: float) -> Color:
    chosen = IRISES[0] if tone > 3 else IRISES[rng.integers(len(IRISES))]
    return np.clip(np.array(chosen) * span(rng, 0.8, 1.2), 10, 220)


def _skin(rng: np.random.Generator, tone: float) -> Color:
    levels = np.array(TONES, np.float64)
    color = np.array([np.interp(tone, np.arange(len(levels)), levels[:, k]) for k in range(3)])
    return np.clip(color + rng.normal(0, 3, 3), 30, 252)


def _hair_color(rng: np.random.Generator, tone: float, years: float) -> Color:
    """Black to blond and red, greying with age; now and then dyed."""
    light = ((22, 18, 16), (52, 34, 24), (92, 62, 40), (142, 100, 60), (206, 168, 112), (152, 70, 34))
    weights = (2.0, 3.0, 2.5, 1.5, 1.4, 0.8) if tone < 2.5 else (5.0, 2.0, 0.5, 0.15, 0.05, 0.05)
    color = np.array(light[int(rng.choice(6, p=np.array(weights) / sum(weights)))], np.float64)
    if maybe(rng, 0.06) and 15 < years < 50:
        color = vivid(rng, (0.4, 0.8))
    grey = float(smoothstep(42, 72, np.array(years + rng.normal(0, 8))))
    return np.clip(color * span(rng, 0.85, 1.15) * (1 - grey) + grey * span(rng, 130, 225), 8, 240)


def shaped(basis: Basis, face: Face) -> Float[np.ndarray, "v 3"]:
    """The vertices of the face: mean, identity, expression, age."""
    vertices = basis.mean + np.einsum("k,kvd->vd", np.array(face.identity), basis.identity)
    for name, amount in EXPRESSIONS[face.expression].items():
        vertices = vertices + face.strength * amount * basis.expressions[name]
    old = float(smoothstep(45, 85, np.array(face.age)))
    vertices = vertices + old * 0.35 * (basis.expressions["mouthFrown_L"] + basis.expressions["mouthFrown_R"])
    outer = normals(vertices, basis.faces[basis.faces.max(1) < len(vertices)])
    sink = (
        0.42 * basis.masks["cheek"]
        + 0.12 * basis.masks["lips"]
        - 0.10 * basis.masks["nose"]
        - 0.05 * basis.masks["eye"]
    )
    return above_foot(aged(vertices - old * sink[:, None] * outer, face.age))


def above_foot(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """A chest that reaches down to the foot of the bust or further is pressed together above it."""
    low = np.maximum(BASE + FOOT - points[:, 1], 0)
    return points + np.stack([0 * low, low - 0.8 * FOOT * (1 - np.exp(-low / (0.8 * FOOT))), 0 * low], 1)


def aged(points: Float[np.ndarray, "n 3"], years: Number) -> Float[np.ndarray, "n 3"]:
    """Children have a large skull, a short face, a thin neck and narrow shoulders; a smooth warp of space."""
    young = float(np.clip((18 - years) / 12, 0, 1))
    x, y, z = points.T
    wide = 1 + young * (0.05 * smoothstep(3, 10, y) - 0.06 * smoothstep(-2, 7, -y) - 0.22 * smoothstep(6, 12, -y))
    face = smoothstep(-1, 5, -y) * smoothstep(-14, -6, y)
    lift = young * 0.9 * smoothstep(-4, 9, -y)  # the chin comes up
    flat = 1 - young * 0.10 * face * smoothstep(6, 11, z)
    return np.stack([x * wide, y + lift, z * wide * flat], 1)


def eyes(basis: Basis, face: Face, vertices: Float[np.ndarray, "v 3"]) -> Group:
    """Two balls behind the lids, each with iris and pupil."""
    neutral = basis.mean + np.einsum("k,kvd->vd", np.array(face.identity), basis.identity)
    balls = []
    for side in range(2):
        corners = basis.landmarks[36:42] if side else basis.landmarks[42:48]
        centre = basis.eye_center[side] + np.einsum("k,kd->d", np.array(face.identity), basis.eye_modes[side])
        centre = centre + aged(neutral[corners], face.age).mean(0) - neutral[corners].mean(0)
        balls.append(_eye(centre, basis.eye_radius[side] * 0.985, basis.eye_direction[side], face))
    return Group("eyes", tuple(balls))


def _eye(centre: np.ndarray, radius: float, direction: np.ndarray, face: Face) -> Part:
    angle = np.concatenate([np.linspace(0, 0.62, 14), np.linspace(0.72, np.pi, 14)])
    profile = np.stack([np.sin(angle), np.cos(angle)], 1) * radius
    profile[[0, -1], 0] = 0
    solid = revolve(profile, 32)
    direction = direction / np.linalg.norm(direction)
    across = np.cross([0.0, 1.0, 0.0], direction)
    across /= np.linalg.norm(across)
    matrix = np.stack([across, direction, np.cross(across, direction)], 1)
    away = np.arccos(np.clip(solid.vertices[solid.faces].mean(1)[:, 1] / radius, -1, 1))
    colors = np.tile([236.0, 231, 226], (len(solid.faces), 1))
    ring = (away < 0.46) & (away > 0.4)
    colors[away < 0.46] = face.iris
    colors[ring] = face.iris * 0.55
    colors[away < 0.19] = 10
    return Part("eye", solid.mapped(matrix, centre), colors)


def skin(basis: Basis, face: Face, vertices: Float[np.ndarray, "v 3"], rng: np.random.Generator) -> Part:
    """The closed bust, beard included, coloured at its vertices."""
    masks = basis.masks
    inner = basis.faces[basis.faces.max(1) < len(vertices)]
    amount = _beard(basis, face)
    if face.beard in ("full", "goatee", "moustache"):
        rough = 1 + 0.3 * ripples(rng, vertices, 0.7)
        vertices = vertices + normals(vertices, inner) * (face.beard_length * amount * rough)[:, None]
    colors = np.tile(face.skin, (len(vertices), 1)) * (1 + 0.025 * ripples(rng, vertices, 3.0))[:, None]
    red = np.array([1.05, 0.84, 0.82]) if face.tone < 3.5 else np.array([1.06, 0.93, 0.90])
    for region, share in (("cheek", 0.8 * face.blush), ("nose", 0.55 * face.blush)):
        colors = colors * (1 + (red - 1) * (share * masks[region])[:, None])
    if face.freckles:
        spots = smoothstep(0.75, 1.1, ripples(rng, vertices, 0.28, 2)) * (masks["cheek"] + masks["nose"])
        colors = colors * (1 - 0.22 * face.freckles * np.clip(spots, 0, 1))[:, None]
    old = float(smoothstep(45, 85, np.array(face.age)))
    colors = colors * (1 - (0.06 + 0.14 * old) * masks["eye"])[:, None]
    colors = _blend(colors, face.skin * [0.88, 0.60, 0.60], face.lips * masks["lips"])
    if face.lipstick:
        shade = np.array([168, 36, 54]) * (1.1 - 0.08 * face.tone)
        colors = _blend(colors, shade, face.lipstick * masks["lips"])
    brow = face.hair * 0.8 + 0.08 * face.skin
    colors = _blend(colors, brow, face.brows * smoothstep(0.3, 1.0, masks["brow"]))
    if face.beard != "none":
        strength = 0.38 if face.beard == "stubble" else 0.92
        colors = _blend(colors, face.hair * (1 + 0.10 * ripples(rng, vertices, 0.5))[:, None], strength * amount)
    colors = _blend(colors, np.array([54, 34, 30]), 0.75 * _lashes(basis))
    mouth = masks["inner"] > 0.5
    colors[mouth] = np.where(vertices[mouth, 1:2] > vertices[basis.landmarks[30], 1], [150, 96, 88], [104, 40, 42])
    closed = basis.closed(vertices)
    extra = np.tile(face.skin, (len(closed) - len(vertices), 1))
    solid: Solid = outward(closed, basis.faces)
    return Part("skin", solid, np.clip(np.concatenate([colors, extra]), 4, 252), smooth=True)


def _beard(basis: Basis, face: Face) -> Float[np.ndarray, " v"]:
    """How much of a beard grows at each vertex."""
    y = basis.mean[:, 1]
    fade = smoothstep(-9.6, -7.0, y)
    chin, lip = basis.masks["beard"] * fade, np.clip(1.5 * basis.masks["stache"], 0, 1)
    if face.beard == "moustache":
        return lip
    if face.beard == "goatee":
        narrow = 1 - smoothstep(2.0, 3.2, np.abs(basis.mean[:, 0]))
        return np.clip(chin * narrow + 0.8 * lip * narrow, 0, 1)
    return np.clip(np.maximum(chin, lip), 0, 1)


def _lashes(basis: Basis) -> Float[np.ndarray, " v"]:
    """1 on the rims of the lids: skin that borders on the inside of the eye sockets."""
    inner = basis.masks["inner"] > 0.5
    inside = basis.faces[basis.faces.max(1) < len(inner)]
    mixed = inner[inside].any(1) & ~inner[inside].all(1)
    rim = np.zeros(len(inner))
    rim[inside[mixed]] = 1
    rim[inner] = 0
    return rim * (basis.mean[:, 1] > basis.mean[basis.landmarks[30], 1])


def _blend(colors: np.ndarray, target: np.ndarray, share: np.ndarray) -> np.ndarray:
    return colors + (target - colors) * np.clip(share, 0, 1)[:, None]
