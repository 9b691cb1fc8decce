"""Closed solids, each one piece with its faces looking outward: what the parts of a shape are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int, Shaped

Number = float | int
Place = Sequence[Number] | np.ndarray
Points = Sequence[Place] | np.ndarray
DOME = 0.03  # how far the end of a rod bulges, of its radius: so ends that meet in a point share no vertex


@dataclass(frozen=True, eq=False)
class Solid:
    """A closed surface; axes (3, 3): rows are the directions that its box is aligned to."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    axes: Float[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))

    def moved(self, x: Number = 0.0, y: Number = 0.0, z: Number = 0.0) -> "Solid":
        return replace(self, vertices=self.vertices + np.array([x, y, z]))

    def mapped(self, matrix: Float[np.ndarray, "3 3"], offset: Shaped[np.ndarray, "3"] | None = None) -> "Solid":
        """Turned or mirrored, then moved; `matrix` must be orthogonal."""
        vertices = np.einsum("vk,dk->vd", self.vertices, matrix) + (0.0 if offset is None else offset)
        faces = self.faces[:, ::-1] if np.linalg.det(matrix) < 0 else self.faces
        return Solid(vertices, faces, np.einsum("ak,dk->ad", self.axes, matrix))


def about(axis: int | Sequence[Number], degrees: Number) -> Float[np.ndarray, "3 3"]:
    """Turn by an angle about the x, y or z axis (0, 1, 2) or any direction, counter-clockwise seen from its tip."""
    x, y, z = np.eye(3)[axis] if isinstance(axis, int) else _unit(np.asarray(axis, np.float64))
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return cosine * np.eye(3) + sine * cross + (1 - cosine) * np.outer((x, y, z), (x, y, z))


def outward(vertices: np.ndarray, faces: np.ndarray, axes: np.ndarray | None = None) -> Solid:
    """A solid of a closed, oriented surface, turned inside out where its volume is negative."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    a, b, c = np.moveaxis((vertices - vertices.mean(0))[faces], 1, 0)
    if np.einsum("nd,nd->", a, np.cross(b, c)) < 0:
        faces = faces[:, ::-1]
    return Solid(vertices, faces, np.eye(3) if axes is None else axes)


def loft(rings: Shaped[np.ndarray, "n m 3"], tips: Points | None = None) -> Solid:
    """Surface through closed rings of equally many points; its ends are fans to `tips` (2, 3), by default flat."""
    rings = np.asarray(rings, np.float64)
    count, size, _ = rings.shape
    ends = rings[[0, -1]].mean(1) if tips is None else np.asarray(tips, np.float64)
    around = np.arange(size)
    last, centre = (count - 1) * size, count * size
    caps = [
        np.stack([np.full(size, centre), (around + 1) % size, around], 1),
        np.stack([np.full(size, centre + 1), last + around, last + (around + 1) % size], 1),
    ]
    return outward(
        np.concatenate([rings.reshape(-1, 3), ends]), np.concatenate([_bands(count - 1, size, count), *caps])
    )


def loft_colors(bands: Shaped[np.ndarray, "n m 3"], ends: Shaped[np.ndarray, "2 3"]) -> Float[np.ndarray, "f 3"]:
    """Colour of each face of a `loft`: of the squares between its rings, and of its two ends."""
    size = bands.shape[1]
    cells = np.asarray(bands, np.float64).reshape(-1, 3)
    return np.concatenate([cells, cells, np.repeat(np.asarray(ends, np.float64), size, axis=0)])


def ring(rings: Shaped[np.ndarray, "n m 3"]) -> Solid:
    """The surface through closed rings of which the last is joined to the first: a torus."""
    rings = np.asarray(rings, np.float64)
    count, size, _ = rings.shape
    return outward(rings.reshape(-1, 3), _bands(count, size, count))


def _bands(bands: int, size: int, count: int) -> np.ndarray:
    """Triangles between consecutive rings, the ring after the last of `count` being the first."""
    i, j = (part.reshape(-1) for part in np.mgrid[:bands, :size])
    k, following = (i + 1) % count, (j + 1) % size
    a, b, c, d = i * size + j, i * size + following, k * size + following, k * size + j
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def revolve(profile: Points, segments: int = 24) -> Solid:
    """Turn (radius, height) pairs about the y axis; ends with radius 0 are tips, others become flat."""
    profile = np.asarray(profile, np.float64)
    heights = profile[[0, -1], 1]
    body = profile[int(profile[0, 0] == 0) : len(profile) - int(profile[-1, 0] == 0)]
    return loft(_turned(body, segments), [(0, heights[0], 0), (0, heights[1], 0)])


def revolve_ring(profile: Points, segments: int = 32) -> Solid:
    """Turn a closed outline of (radius, height) pairs about the y axis: a shade open at both ends, a tyre, a hoop."""
    return ring(_turned(np.asarray(profile, np.float64), segments))


def _turned(profile: np.ndarray, segments: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    radius, height = profile[:, :1], profile[:, 1:]
    return np.stack([radius * np.cos(angle), height + 0 * angle, radius * np.sin(angle)], -1)


def ball(radius: Number | Sequence[Number], segments: int = 20) -> Solid:
    """Sphere, or ellipsoid with three radii, around the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    profile = np.stack([np.cos(angle), np.sin(angle)], 1)
    profile[[0, -1], 0] = 0
    solid = revolve(profile, segments)
    return replace(solid, vertices=solid.vertices * np.broadcast_to(radius, 3))


def rounded_box(size: Sequence[Number], radius: Number, steps: int = 1, cells: int = 1) -> Solid:
    """Box around the origin with rounded edges; steps: strips per quarter round; cells: squares along a flat side."""
    half = np.asarray(size, np.float64) / 2
    radius = min(radius, float(half.min()) * 0.999)
    corner = np.linspace(0, 1, steps + 1)
    away = np.concatenate([-corner[::-1], np.zeros(cells - 1), corner])
    inner = np.concatenate([np.full(steps + 1, -1.0), np.linspace(-1, 1, cells + 1)[1:-1], np.full(steps + 1, 1.0)])
    grid, faces = _cube_grid(len(away))
    direction = away[grid]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return outward(inner[grid] * (half - radius) + radius * direction, faces)


def _cube_grid(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (v, 3) of a `count`^3 grid that lie on its border, as indices, and the triangles between them."""
    quads = []
    i, j = (part.reshape(-1) for part in np.mgrid[: count - 1, : count - 1])
    for axis in range(3):
        for side in (0, count - 1):
            flat = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            cells = np.empty((len(i), 4, 3), np.int64)
            for k, (p, q) in enumerate(flat if side else flat[::-1]):
                cells[:, k, axis], cells[:, k, (axis + 1) % 3], cells[:, k, (axis + 2) % 3] = side, p, q
            quads.append(cells)
    corners = np.concatenate(quads).reshape(-1, 3)
    points, index = np.unique(corners, axis=0, return_inverse=True)
    index = index.reshape(-1, 4)
    return points, np.concatenate([index[:, :3], index[:, [0, 2, 3]]])


def sweep(
    path: Points, section: Points, scale: Number | Sequence[Number] | np.ndarray = 1.0, side: Place | None = None
) -> Solid:
    """Carry a flat outline (m, 2) along a path (n, 3), its size times `scale`; flat ends.

    side: direction that the first coordinate of the outline begins in, as near as the path allows.
    """
    path, section = np.asarray(path, np.float64), np.asarray(section, np.float64)
    first, second = _frames(path, np.asarray([1.0, 0.0, 0.0] if side is None else side, np.float64))
    size = np.broadcast_to(scale, len(path))[:, None, None] * section
    rings = path[:, None] + size[..., :1] * first[:, None] + size[..., 1:] * second[:, None]
    dome = DOME * np.abs(size[[0, -1]]).max((1, 2))[:, None] * _unit(path[[0, -1]] - path[[1, -2]])
    solid = loft(rings, path[[0, -1]] + dome)
    along = _unit(path[-1] - path[0])
    across = _unit(first[0] - (first[0] @ along) * along)
    return replace(solid, axes=np.stack([across, np.cross(along, across), along]))


def _frames(path: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two directions across the path at each of its points, twisted as little as possible."""
    steps = _unit(np.diff(path, axis=0))
    along = _unit(np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]]))
    if np.linalg.norm(np.cross(along[0], side)) < 1e-6:
        side = np.roll(side, 1)
    first = np.empty_like(path)
    for k, direction in enumerate(along):
        side = _unit(side - (side @ direction) * direction)
        first[k] = side
    return first, np.cross(along, first)


def tube(path: Points, radius: Number | Sequence[Number] | np.ndarray, sides: int = 10) -> Solid:
    """Round rod along a path, of one radius or one per point."""
    return sweep(path, circle(sides), radius)


def bar(start: Place, end: Place, width: Number, depth: Number, taper: Number = 1.0, bevel: Number = 0.12) -> Solid:
    """Straight piece of rectangular section; taper: size at the end over that at the start; width lies along x."""
    outline = rounded_rectangle(width, depth, bevel * min(width, depth), 1)
    return sweep([start, end], outline, (1.0, taper))


def circle(sides: int) -> Float[np.ndarray, "m 2"]:
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def rounded_rectangle(width: Number, depth: Number, radius: Number, steps: int = 4) -> Float[np.ndarray, "m 2"]:
    radius = min(radius, 0.499 * width, 0.499 * depth)
    quarter = np.linspace(0, np.pi / 2, steps + 1)
    turns = quarter + np.arange(4)[:, None] * np.pi / 2
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    centre = signs * (np.array([width, depth]) / 2 - radius)
    return (centre[:, None] + radius * np.stack([np.cos(turns), np.sin(turns)], -1)).reshape(-1, 2)


def superellipse(width: Number, depth: Number, exponent: Number, sides: int = 40) -> Float[np.ndarray, "m 2"]:
    """abs(2 x / width)^e + abs(2 y / depth)^e = 1: 2 is an ellipse, large values approach a rectangle."""
    unit = circle(sides)
    return np.sign(unit) * np.abs(unit) ** (2 / exponent) * np.array([width, depth]) / 2


def plate(outline: Points, low: Number, high: Number, bevel: Number = 0.0, steps: int = 2) -> Solid:
    """A flat piece between two heights; its outline (m, 2) in (x, z) must be star-shaped; bevel: radius of its rim."""
    outline = np.asarray(outline, np.float64)
    bevel = min(bevel, 0.49 * (high - low))
    turn = np.linspace(0, np.pi / 2, steps + 1) if bevel > 0 else np.array([np.pi / 2])
    inset, rise = bevel * (1 - np.sin(turn)), bevel * (1 - np.cos(turn))
    levels = np.concatenate([low + rise, (high - rise)[::-1]])
    insets = np.concatenate([inset, inset[::-1]])
    reach = np.abs(outline).max(0)
    shrunk = outline * (1 - insets[:, None, None] / reach)
    rings = np.stack([shrunk[..., 0], np.broadcast_to(levels[:, None], shrunk.shape[:2]), shrunk[..., 1]], -1)
    return loft(rings)


def ribbon(path: Points, width: Number | np.ndarray, thickness: Number) -> Solid:
    """A board `width` wide along x, bent along a path (n, 2) in (y, z): bent wood, a moulded shell."""
    path = np.asarray(path, np.float64)
    spine = np.concatenate([np.zeros((len(path), 1)), path], 1)
    widths = np.broadcast_to(width, len(path))
    first, second = _frames(spine, np.array([1.0, 0.0, 0.0]))
    outline = rounded_rectangle(1.0, thickness, thickness * 0.45, 2)
    flat = np.abs(outline[:, 0]) - 0.5  # how far the rounded rim lies within the edge: kept at any width
    x = np.sign(outline[:, 0]) * (widths[:, None] / 2 + flat)
    rings = spine[:, None] + x[..., None] * first[:, None] + outline[None, :, 1:] * second[:, None]
    return loft(rings)


def curve(points: Points, samples: int = 16) -> Float[np.ndarray, "n d"]:
    """A smooth path through points (Catmull-Rom, centripetal enough for gentle turns)."""
    points = np.asarray(points, np.float64)
    padded = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    at = np.linspace(0, len(points) - 1, samples)
    k = np.minimum(at.astype(int), len(points) - 2)
    t = (at - k)[:, None]
    a, b, c, d = padded[k], padded[k + 1], padded[k + 2], padded[k + 3]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
