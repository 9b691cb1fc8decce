"""What heads wear: clothes, glasses, hats, earrings."""

import numpy as np
from jaxtyping import Float

from isofield.synthesis.heads.basis import BASE, SCALP, Basis, normals, scalp, shoulders, smoothstep
from isofield.synthesis.palette import Color, shaded
from isofield.synthesis.parts import Group, Member, Part, mirrored
from isofield.synthesis.solids import Number, ball, curve, loft, ring, tube

ROWS = 34
COLLARS = {
    "crew": (54.0, 42.0, 37.0),
    "scoop": (66.0, 47.0, 40.0),
    "v": (72.0, 43.0, 37.0),
    "turtle": (50.0, 36.0, 34.0),
}


def clothes(basis: Basis, vertices: Float[np.ndarray, "v 3"], collar: str, color: Color, stripes: bool) -> Part:
    """A closed garment over the shoulders; its collar is a smooth line around the neck."""
    places, closed = shoulders(), basis.closed(vertices)
    count = places.faces.shape[1]
    t = 2 * np.pi * np.arange(count) / count
    ahead = np.rad2deg(np.pi - np.minimum(t, 2 * np.pi - t))
    front, side, back = COLLARS[collar]
    sharp = 26.0 if collar == "v" else 60.0
    start = side + (front - side) * np.clip(1 - ahead / sharp, 0, 1) ** (1.0 if collar == "v" else 1.6)
    start = np.where(ahead > 90, side + (back - side) * smoothstep(90, 180, ahead), start)
    v = np.linspace(0, 1, ROWS)[:, None] ** 1.15
    skin = places.on(closed, basis.faces)
    above = (skin[..., 1] > BASE + 0.02).sum(0) - 1  # last row before the flat foot, whose edge must stay covered
    first = (start - 14) / (112 - 14) * (len(places.faces) - 1)
    row = first + (above - first) * v
    ground = _rows(skin, row)
    out = _rows(places.on(normals(closed, basis.faces), basis.faces), row)
    level = (ground - ground.mean(1, keepdims=True)) * [1, 0, 1]  # straight out, which near the foot is the better way
    level /= np.linalg.norm(level, axis=-1, keepdims=True)
    out = (
        out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9)
        + 3 * smoothstep(0.7, 0.95, v)[..., None] * level
    )
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    loose = 0.42 if collar != "turtle" else 0.36
    lift = loose * (0.75 + 0.25 * smoothstep(0.0, 0.12, v))
    outer, inner = ground + out * lift[..., None], ground - 0.45 * out
    outer[-1, :, 1] = inner[-1, :, 1] = BASE - 0.25
    outer[-2, :, 1] = np.maximum(outer[-2, :, 1], BASE + 0.3)
    lip = ground[:1] + out[:1] * (0.5 * loose) + [0, 0.16, 0]
    foot = (0.55 * (outer[-1] - outer[-1].mean(0)) + outer[-1].mean(0))[None]
    rings = np.concatenate([lip, outer, foot])
    inside = np.concatenate([inner[:1] + np.array([0, 0.02, 0]), inner[1:-2]])
    solid = loft(np.concatenate([inside[::-1], rings]))
    shade = np.tile(color, (len(solid.vertices), 1)).reshape(-1, 3)
    if stripes:
        rows = np.arange(len(inside) + len(rings))
        band = ((rows - len(inside)) // 3 % 2 == 0) & (rows > len(inside) + 3)
        shade[: len(rows) * count] = np.where(np.repeat(band, count)[:, None], shaded(color, 0.55), color)
    rim = slice((len(inside)) * count, (len(inside) + 3) * count)
    shade[rim] = shaded(color, 0.82)
    return Part("clothes", solid, shade, smooth=True)


def _rows(values: np.ndarray, row: np.ndarray) -> np.ndarray:
    low = np.clip(row.astype(int), 0, len(values) - 2)
    share = np.clip(row - low, 0, 1)[..., None]
    column = np.arange(values.shape[1])[None]
    return values[low, column] * (1 - share) + values[low + 1, column] * share


def glasses(
    basis: Basis, vertices: Float[np.ndarray, "v 3"], size: Number, tall: Number, wire: Number, color: Color
) -> Group:
    """Two rims, a bridge, and temples that reach behind the ears."""
    marks = vertices[basis.landmarks]
    depth = max(float(marks[27, 2]) + 0.55, float(marks[36:48, 2].max()) + 1.15)
    x, y = float(np.abs(marks[36:48, 0]).mean()), float(marks[36:48, 1].mean()) - 0.25
    turn = np.linspace(0, 2 * np.pi, 41)[:-1]
    rounded = np.sign([np.cos(turn), np.sin(turn)]) * np.abs([np.cos(turn), np.sin(turn)]) ** 0.8
    right = x + size * rounded[0]
    path = np.stack([right, y + tall * rounded[1], depth - 0.1 * (right - x + size)], 1)
    hinge_x, hinge_y, hinge_z = x + size, y + 0.25 * tall, depth - 0.2 * size
    ear_x, ear_y, ear_z = np.abs(marks[[0, 16]]).mean(0) + np.array([0.85, 1.3, -3.0])
    temple = [
        (hinge_x - 0.05, hinge_y, hinge_z),
        (hinge_x + 0.45, hinge_y + 0.03, hinge_z - 0.3),
        ((hinge_x + ear_x) / 2 + 0.45, (hinge_y + ear_y) / 2 + 0.15, (hinge_z + ear_z) / 2),
        (ear_x, ear_y, ear_z),
        (ear_x - 0.3, ear_y - 1.6, ear_z - 1.3),
    ]
    one = (Part("rim", ring(_around(path, wire)), color), Part("temple", tube(curve(temple, 22), 0.9 * wire, 8), color))
    near, far = x - size + 0.02, 0.45 * (x - size)
    bridge = [
        (near, y + 0.15, depth),
        (far, y + 0.42, depth + 0.1),
        (-far, y + 0.42, depth + 0.1),
        (-near, y + 0.15, depth),
    ]
    middle = Part("bridge", tube(curve(bridge, 14), wire, 8), color)
    return Group("glasses", (mirrored("halves", Group("half", one)), middle))


def _around(path: np.ndarray, radius: Number) -> np.ndarray:
    """Rings of a closed tube along a closed path."""
    along = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normal = np.cross(along[0], along[len(along) // 4])  # of the plane that the path lies in, more or less
    side = np.cross(along, normal)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(along, side)
    angle = np.linspace(0, 2 * np.pi, 9)[:-1]
    circle = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    return path[:, None] + radius * circle


def earrings(basis: Basis, vertices: Float[np.ndarray, "v 3"], hoop: bool, color: Color) -> Group:
    """A stud or a hoop at each ear lobe."""
    pieces = []
    for sign in (1, -1):
        x, y, z = _lobe(basis, vertices, sign)
        if hoop:
            angle = np.linspace(0, 2 * np.pi, 31)[:-1]
            circle = 0.9 * np.stack([0 * angle, np.cos(angle), np.sin(angle)], 1)
            pieces.append(
                Part("earring", ring(_around(circle + np.array([x + 0.05 * sign, y - 0.75, z]), 0.07)), color)
            )
        else:
            pieces.append(Part("earring", ball(0.28, 14).moved(x + 0.1 * sign, y + 0.35, z + 0.1), color))
    return Group("earrings", tuple(pieces))


def _lobe(basis: Basis, vertices: np.ndarray, sign: int) -> np.ndarray:
    """The lowest point of an ear."""
    x, y, z = basis.mean.T
    ear = vertices[(x * sign > 7.6) & (y > -2) & (y < 6) & (z < 2.2)]
    return ear[np.argmin(ear[:, 1])]


def hat(basis: Basis, vertices: Float[np.ndarray, "v 3"], kind: str, color: Color, puff: Number) -> Group:
    """A beanie with a rolled brim, or a cap with a visor."""
    places, closed = scalp(), basis.closed(vertices)
    count = places.faces.shape[1]
    t = 2 * np.pi * np.arange(count) / count
    ahead = np.rad2deg(np.pi - np.minimum(t, 2 * np.pi - t))
    edge = np.interp(ahead, [0, 40, 75, 110, 180], [66, 70, 84, 84, 74] if kind == "cap" else [68, 74, 92, 96, 84])
    u = np.linspace(0, 1, 30)[:, None]
    row = edge[None] * u / 150 * (len(places.faces) - 1)
    ground = _rows(places.on(closed, basis.faces), row)
    out = ground - SCALP
    out /= np.linalg.norm(out, axis=-1, keepdims=True)
    swell = 1.0 + puff * (1 - u**2) + (0.35 * np.abs(np.sin(20 * t)) ** 0.5 * u if kind == "beanie" else 0.0)
    outer, inner = ground + out * swell[..., None], ground - 0.4 * out
    solid = loft(np.concatenate([outer[1:], inner[:0:-1]]), [outer[0].mean(0), inner[0].mean(0)])
    members: list[Member] = [Part("hat", solid, color)]
    if kind == "beanie":
        path = ground[-1] + 0.95 * out[-1] + [0, 0.5, 0]
        members.append(Part("brim", ring(_band(path, out[-1], 0.5, 1.5)), shaded(color, 0.85)))
    else:
        members.append(_visor(ground[-1] + 0.6 * out[-1], ahead, color))
    return Group("hat", tuple(members))


def _band(path: np.ndarray, out: np.ndarray, thick: Number, tall: Number) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 13)[:-1]
    return (
        path[:, None]
        + thick * np.cos(angle)[None, :, None] * out[:, None]
        + tall * np.sin(angle)[None, :, None] * [0.0, 1.0, 0.0]
    )


def _visor(rim: np.ndarray, ahead: np.ndarray, color: Color) -> Part:
    """A bent board over the forehead."""
    chosen = np.flatnonzero(ahead < 58)
    base = rim[chosen]
    x = base[:, 0]
    reach = 6.2 * np.clip(1 - (x / np.abs(x).max()) ** 2, 0.02, 1) ** 0.5
    tip = base + np.stack([0 * x, -0.12 * reach - 0.1, reach], 1)
    inside = base - [0, 0, 0.9]
    upper = np.stack([inside, base, 0.5 * (base + tip) + [0, 0.15, 0], tip], 1)
    lower = upper[:, ::-1] - [0, 0.22, 0]
    return Part("visor", loft(np.concatenate([upper, lower], 1)), shaded(color, 0.8))
