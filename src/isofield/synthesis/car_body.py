"""The painted shell of a car: a hull with wheel arches cut into it, and a glazed cabin on top."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from isofield.synthesis.palette import Color, shaded
from isofield.synthesis.parts import Part
from isofield.synthesis.solids import Number, loft, loft_colors

PANE = (42, 54, 66)
TRIM = (34, 34, 36)
ARCH = 1.13  # radius of a wheel arch over that of the wheel


@dataclass(frozen=True)
class Body:
    """Lengths in metres; `rear`, `roof_rear`, `roof_front`, `cowl` and `axles`: shares of the length from the tail.

    belt, nose, tail: heights of the lower edge of the windows and of the ends of the hull; clearance: of the floor;
    tumble: width of the roof over that of the belt; pillars: see `_pillars`; blind: no windows behind the first pillar.
    """

    length: float
    width: float
    height: float
    belt: float
    nose: float
    tail: float
    rear: float
    roof_rear: float
    roof_front: float
    cowl: float
    radius: float
    clearance: float
    axles: tuple[float, float]
    roundness: float
    tumble: float
    pillars: tuple[float, ...]
    blind: bool

    def z(self, share: Number) -> float:
        """Place along the car, the nose at +length / 2."""
        return self.length * (share - 0.5)

    def top(self, share: np.ndarray) -> np.ndarray:
        """Height of the hull's upper side in the middle: boot, belt, bonnet."""
        places = [
            0.0,
            0.03,
            max(self.rear, 0.05),
            max(self.rear, 0.05) + 0.03,
            self.cowl - 0.02,
            self.cowl + 0.05,
            0.93,
            1.0,
        ]
        rise = 0.35 * (self.belt - self.nose)
        heights = [
            self.tail - 0.02,
            self.tail,
            self.belt,
            self.belt,
            self.belt,
            self.belt - 0.3 * rise,
            self.nose + 0.5 * rise,
            self.nose - 0.05,
        ]
        if self.cowl + 0.05 > 0.93:
            places, heights = [*places[:5], 1.0], [*heights[:5], self.nose]
        if self.rear > 0.3:  # an open back: low up to the cabin
            places, heights = [0.0, self.rear - 0.05, self.rear, *places[3:]], [self.tail, self.tail, *heights[2:]]
        return np.interp(share, places, heights)

    def half_width(self, share: np.ndarray) -> np.ndarray:
        """Half the width seen from above: narrower towards rounded ends."""
        ahead, behind = np.clip((share - 0.62) / 0.38, 0, 1), np.clip((0.3 - share) / 0.3, 0, 1)
        return self.width / 2 * (1 - 0.17 * self.roundness * ahead**3.2 - 0.11 * self.roundness * behind**3)


def _stations(body: Body) -> Float[np.ndarray, " n"]:
    """Places of the hull's sections: dense at its ends and around the arches."""
    turn = np.linspace(0, np.pi, 26)
    arches = [axle + ARCH * body.radius / body.length * np.cos(turn) for axle in body.axles]
    ends = 0.028 * np.linspace(0, 1, 7) ** 1.7
    shares = np.sort(np.concatenate([ends, 1 - ends, np.linspace(0.03, 0.97, 60), *arches]))
    return shares[np.concatenate([[True], np.diff(shares) > 4e-4])]


def _arch_height(body: Body, share: np.ndarray) -> np.ndarray:
    """Lower edge of the hull's sides: the sill, and circles above the wheels."""
    sill = body.clearance + 0.04
    edge = np.full(share.shape, sill)
    for axle in body.axles:
        reach = (ARCH * body.radius) ** 2 - ((share - axle) * body.length) ** 2
        edge = np.maximum(edge, np.where(reach > 0, body.radius + np.sqrt(np.maximum(reach, 0)), sill))
    return edge


def hull(body: Body, paint: Color) -> Part:
    """The lower body, from bumper to bumper, with sills and arches of dark plastic."""
    share = _stations(body)
    end = np.minimum(share, 1 - share)
    shrink = 1 - 0.16 * (1 - np.clip(end / 0.028, 0, 1)) ** 2.2
    half, edge = body.half_width(share) * shrink, _arch_height(body, share)
    top = body.top(share) - 0.10 * (1 - np.clip(end / 0.028, 0, 1)) ** 2
    floor = body.clearance + 0.10 * (1 - np.clip(end / 0.05, 0, 1)) ** 1.5
    edge = np.minimum(np.maximum(edge, floor + 0.03), top - 0.10)
    shoulder = np.maximum(top - 0.07, edge + 0.05)
    # (half width, height) around the right half of a section, from the middle of the top to that of the floor
    middle = edge + 0.5 * (shoulder - edge)
    profile = [
        (0 * half, top), (0.45 * half, top - 0.004), (0.78 * half, top - 0.016), (0.90 * half, top - 0.032),
        (0.955 * half, shoulder), (0.985 * half, shoulder - 0.25 * (shoulder - edge)), (half, middle),
        (0.995 * half, edge + 0.2 * (shoulder - edge)), (0.98 * half, edge + 0.012), (0.965 * half, edge),
        (0.62 * half, edge + 0.002), (0.60 * half, floor), (0.30 * half, floor - 0.002), (0 * half, floor - 0.003),
    ]  # fmt: skip
    right = np.stack([np.stack([x, y], 1) for x, y in profile], 1)
    left = right[:, -2:0:-1] * [-1, 1]
    rings = np.concatenate([right, left], 1)
    place = np.broadcast_to((body.length * (share - 0.5))[:, None, None], (*rings.shape[:2], 1))
    colors = np.broadcast_to(np.asarray(paint, np.float64), (len(share) - 1, rings.shape[1], 3)).copy()
    dark = [8, 9, 10, 11, 12]
    colors[:, dark + [rings.shape[1] - 1 - k for k in dark]] = TRIM
    return Part("hull", loft(np.concatenate([rings, place], 2)), loft_colors(colors, np.array([paint, paint])))


def _outline(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Right half of the cabin seen from above, front to back, and for each of its pieces whether it is glass.

    Rows: (across: 0 middle, 1 side; along: 0 rear, 1 front; how far a rounded corner draws back).
    """
    points = [(0.0, 1.0, 0.0), (0.5, 1.0, 0.006), (0.86, 1.0, 0.03), (0.95, 1.0, 0.055)]
    glass = [True, True, False, False]
    thick = 0.09 / body.length / (body.cowl - body.rear)
    points.append((1.0, 0.955, 0.0))
    edges = [0.955 - 0.9 * p for p in body.pillars]
    for edge in edges:
        points += [(1.0, edge + thick / 2, 0.0), (1.0, edge - thick / 2, 0.0)]
        glass += [True, False]
    points += [
        (1.0, 0.075, 0.0),
        (1.0, 0.035, 0.0),
        (0.95, 0.0, -0.03),
        (0.86, 0.0, -0.012),
        (0.5, 0.0, 0.0),
        (0.0, 0.0, 0.0),
    ]
    glass += [True, False, False, False, True, True]
    if body.blind:
        first = glass.index(False, 4)
        glass = [pane and (k < first or k > len(glass) - 3) for k, pane in enumerate(glass)]
    return np.array(points), np.array(glass)


def cabin(body: Body, paint: Color, roof: Color) -> Part:
    """Rings from the belt up to the roof, painted where there is no glass."""
    outline, glass = _outline(body)
    low, high = body.belt - 0.07, body.height
    tall = high - body.belt
    levels = np.array([low, body.belt - 0.004, body.belt + 0.05 * tall])
    panes = body.belt + tall * np.linspace(0.05, 0.86, 7)[1:]
    crown = high - tall * np.array([0.075, 0.035, 0.012, 0.0])
    inset = np.array([0.015, 0.055, 0.16, 0.42])  # of the roof, as shares of its size
    rings = []
    for y in (*levels, *panes):
        rings.append(_ring(body, outline, y, min(max((y - body.belt) / tall, -0.1), 1.0), 0.0))
    for y, shrink in zip(crown, inset, strict=True):
        rings.append(_ring(body, outline, y, 1.0, shrink))
    size = rings[0].shape[0]
    colors = np.broadcast_to(np.asarray(paint, np.float64), (len(rings) - 1, size, 3)).copy()
    ring_glass = np.concatenate([glass, glass[::-1]])
    colors[2 : 2 + len(panes), ring_glass] = PANE
    colors[2 + len(panes) :] = roof
    return Part("cabin", loft(np.array(rings)), loft_colors(colors, np.array([shaded(paint, 0.5), roof])))


def _ring(body: Body, outline: np.ndarray, y: Number, rise: Number, shrink: Number) -> np.ndarray:
    """The cabin's outline at a height; rise: 0 at the belt, 1 at the roof; the sides bulge a little."""
    front = body.cowl + (body.roof_front - body.cowl) * rise
    rear = body.rear + (body.roof_rear - body.rear) * rise
    half = 0.475 * body.width * (1 - (1 - body.tumble) * max(rise, 0.0) ** 1.25)
    across, along, back = outline.T
    middle, reach = (front + rear) / 2, (front - rear) / 2 * (1 - shrink)
    z = body.length * (middle + reach * (2 * along - 1) - 0.5) - back * body.roundness * (1 - shrink)
    bend = np.where(along > 0.97, 0.05 * body.roundness * (1 - across**2), 0.0)
    x = half * (1 - 0.9 * shrink) * across
    right = np.stack([x, np.full(len(x), y), z + bend], 1)
    return np.concatenate([right, right[-2:0:-1] * [-1, 1, 1]])
