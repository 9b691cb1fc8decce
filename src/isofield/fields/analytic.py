"""Shapes by formula: primitives and their combinations, in the unit frame, y up.

    part = (Sphere(0.5) & Box((0.4, 0.4, 0.4))) - Cylinder(0.2, 1.0).rotate((1, 0, 0), 90)

Primitives are exact distances except `Gyroid`. Rigid motions, uniform scaling and, outside, `offset` keep exactness;
`|` is exact outside and `&` inside, elsewhere they bound the distance from below; `-`, `smooth_union` and `clamp` are
bounds. Each states its proven Lipschitz constant, so that meshing stays safe. Formulas: Hart, "Sphere tracing"
(1996); smooth minimum: the quadratic one.
"""

from collections.abc import Callable
from math import cos, radians, sin, tau

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.field import Field

Real = float | int
Vector = tuple[Real, Real, Real]
Points = Float[Tensor, "n 3"]
Values = Float[Tensor, " n"]
GREY = (0.8, 0.8, 0.8)  # of an uncoloured part beside coloured ones


class Shape(Field):
    """A field that can be combined: union `a | b`, intersection `a & b`, difference `a - b`, and the methods below."""

    def __or__(self, other: "Shape") -> "Shape":
        return Union(self, other)

    def __and__(self, other: "Shape") -> "Shape":
        return Intersection(self, other)

    def __sub__(self, other: "Shape") -> "Shape":
        return Intersection(self, Complement(other))

    def smooth_union(self, other: "Shape", blend: Real) -> "Shape":
        """Union with a fillet where the two distances differ by less than `blend`."""
        return SmoothUnion(self, other, blend)

    def translate(self, by: Vector) -> "Shape":
        return Moved(self, torch.eye(3), torch.tensor(by, dtype=torch.float32))

    def rotate(self, axis: Vector, degrees: Real) -> "Shape":
        """Counter-clockwise about an axis through the origin."""
        return Moved(self, rotation(axis, degrees), torch.zeros(3))

    def scale(self, factor: Real) -> "Shape":
        """Larger by a positive factor, about the origin."""
        return Scaled(self, factor)

    def offset(self, by: Real) -> "Shape":
        """Grown by a distance, with rounded edges; shrunk where negative."""
        return Mapped(self, lambda values: values - by, self.lipschitz)

    def shell(self, thickness: Real) -> "Shape":
        """A skin of this thickness on both sides of the surface together."""
        return Mapped(self, lambda values: values.abs() - thickness / 2, self.lipschitz)

    def clamp(self, limit: Real) -> "Shape":
        """Values cut off at +-limit, as DeepSDF trains them."""
        return Mapped(self, lambda values: values.clamp(-limit, limit), self.lipschitz)

    def map(self, function: Callable[[Values], Values], lipschitz: float | None = None) -> "Shape":
        """Values passed through a function; `lipschitz` is that of the result, where it is proven."""
        return Mapped(self, function, lipschitz)

    def colored(self, red: Real, green: Real, blue: Real) -> "Shape":
        """One sRGB colour, 0 to 1."""
        return Colored(self, (red, green, blue))


class Sphere(Shape):
    lipschitz = 1.0

    def __init__(self, radius: Real = 0.5):
        self.radius = radius

    def sdf(self, points: Points) -> Values:
        return _length(points) - self.radius


class Box(Shape):
    """Axis-aligned, centred, of the given half sizes."""

    lipschitz = 1.0

    def __init__(self, half: Vector = (0.5, 0.5, 0.5)):
        self.half = half

    def sdf(self, points: Points) -> Values:
        beyond = points.abs() - points.new_tensor(self.half)
        return _length(beyond.clamp(min=0)) + beyond.amax(1).clamp(max=0)


class Torus(Shape):
    """A ring about the y axis."""

    lipschitz = 1.0

    def __init__(self, major: Real = 0.5, minor: Real = 0.2):
        self.major, self.minor = major, minor

    def sdf(self, points: Points) -> Values:
        ring = _length(points[:, [0, 2]]) - self.major
        return _length(torch.stack([ring, points[:, 1]], 1)) - self.minor


class Cylinder(Shape):
    """Along the y axis, with flat ends at +-half_height."""

    lipschitz = 1.0

    def __init__(self, radius: Real = 0.3, half_height: Real = 0.5):
        self.radius, self.half_height = radius, half_height

    def sdf(self, points: Points) -> Values:
        beyond = torch.stack([_length(points[:, [0, 2]]) - self.radius, points[:, 1].abs() - self.half_height], 1)
        return _length(beyond.clamp(min=0)) + beyond.amax(1).clamp(max=0)


class Capsule(Shape):
    """All points within a radius of a segment."""

    lipschitz = 1.0

    def __init__(self, start: Vector, end: Vector, radius: Real):
        self.start, self.end, self.radius = start, end, radius

    def sdf(self, points: Points) -> Values:
        start = points.new_tensor(self.start)
        along, to = points.new_tensor(self.end) - start, points - start
        place = (to @ along / (along @ along).clamp(min=1e-12)).clamp(0, 1)
        return _length(to - place[:, None] * along) - self.radius


class Plane(Shape):
    """The half-space where normal . x < height, for a normal of any length but zero."""

    lipschitz = 1.0

    def __init__(self, normal: Vector = (0.0, 1.0, 0.0), height: Real = 0.0):
        self.normal, self.height = normal, height

    def sdf(self, points: Points) -> Values:
        normal = points.new_tensor(self.normal)
        return points @ (normal / normal.norm()) - self.height


class Gyroid(Shape):
    """sin x cos y + sin y cos z + sin z cos x, divided by its largest slope: not a distance, but nowhere more than one.

    Each partial derivative is cos cos - sin sin of two angles each, so at most 1: the slope is at most sqrt 3 times
    the frequency.
    """

    lipschitz = 1.0

    def __init__(self, period: Real = 0.5):
        self.frequency = tau / period

    def sdf(self, points: Points) -> Values:
        angle = self.frequency * points
        return (angle.sin() * angle.cos().roll(-1, 1)).sum(1) / (3**0.5 * self.frequency)


class Union(Shape):
    def __init__(self, a: Shape, b: Shape):
        self.a, self.b = a, b
        self.lipschitz, self.has_color = _larger(a.lipschitz, b.lipschitz), a.has_color or b.has_color

    def sdf(self, points: Points) -> Values:
        return torch.minimum(self.a.sdf(points), self.b.sdf(points))

    def color(self, points: Points, directions: Points | None = None) -> Points:
        return _pick(self.a.sdf(points) <= self.b.sdf(points), self.a, self.b, points, directions)


class Intersection(Shape):
    def __init__(self, a: Shape, b: Shape):
        self.a, self.b = a, b
        self.lipschitz, self.has_color = _larger(a.lipschitz, b.lipschitz), a.has_color or b.has_color

    def sdf(self, points: Points) -> Values:
        return torch.maximum(self.a.sdf(points), self.b.sdf(points))

    def color(self, points: Points, directions: Points | None = None) -> Points:
        return _pick(self.a.sdf(points) >= self.b.sdf(points), self.a, self.b, points, directions)


class Complement(Shape):
    """Inside and outside exchanged."""

    def __init__(self, shape: Shape):
        self.shape, self.lipschitz, self.has_color = shape, shape.lipschitz, shape.has_color

    def sdf(self, points: Points) -> Values:
        return -self.shape.sdf(points)

    def color(self, points: Points, directions: Points | None = None) -> Points:
        return self.shape.color(points, directions)


class SmoothUnion(Shape):
    """min(a, b) - h^2 blend / 4, h = max(1 - |a - b| / blend, 0): both partial derivatives are in [0, 1], sum 1."""

    def __init__(self, a: Shape, b: Shape, blend: Real):
        self.a, self.b, self.blend = a, b, blend
        self.lipschitz, self.has_color = _larger(a.lipschitz, b.lipschitz), a.has_color or b.has_color

    def sdf(self, points: Points) -> Values:
        a, b = self.a.sdf(points), self.b.sdf(points)
        near = (1 - (a - b).abs() / self.blend).clamp(min=0)
        return torch.minimum(a, b) - near**2 * (self.blend / 4)

    def color(self, points: Points, directions: Points | None = None) -> Points:
        return _pick(self.a.sdf(points) <= self.b.sdf(points), self.a, self.b, points, directions)


class Moved(Shape):
    """rotation @ x + shift for every x of the shape."""

    def __init__(self, shape: Shape, rotation: Float[Tensor, "3 3"], shift: Float[Tensor, "3"]):
        self.shape, self.rotation, self.shift = shape, rotation, shift
        self.lipschitz, self.has_color = shape.lipschitz, shape.has_color

    def sdf(self, points: Points) -> Values:
        return self.shape.sdf(self._back(points))

    def color(self, points: Points, directions: Points | None = None) -> Points:
        turned = None if directions is None else directions @ self.rotation.to(directions)
        return self.shape.color(self._back(points), turned)

    def _back(self, points: Points) -> Points:
        return (points - self.shift.to(points)) @ self.rotation.to(points)


class Scaled(Shape):
    def __init__(self, shape: Shape, factor: Real):
        self.shape, self.factor = shape, factor
        self.lipschitz, self.has_color = shape.lipschitz, shape.has_color

    def sdf(self, points: Points) -> Values:
        return self.shape.sdf(points / self.factor) * self.factor

    def color(self, points: Points, directions: Points | None = None) -> Points:
        return self.shape.color(points / self.factor, directions)


class Mapped(Shape):
    """function(f)."""

    def __init__(self, shape: Shape, function: Callable[[Values], Values], lipschitz: float | None):
        self.shape, self.function, self.lipschitz, self.has_color = shape, function, lipschitz, shape.has_color

    def sdf(self, points: Points) -> Values:
        return self.function(self.shape.sdf(points))

    def color(self, points: Points, directions: Points | None = None) -> Points:
        return self.shape.color(points, directions)


class Colored(Shape):
    has_color = True

    def __init__(self, shape: Shape, rgb: Vector):
        self.shape, self.rgb, self.lipschitz = shape, rgb, shape.lipschitz

    def sdf(self, points: Points) -> Values:
        return self.shape.sdf(points)

    def color(self, points: Points, directions: Points | None = None) -> Points:
        return points.new_tensor(self.rgb).expand(len(points), 3)


def rotation(axis: Vector, degrees: Real) -> Float[Tensor, "3 3"]:
    """Rodrigues' rotation matrix, counter-clockwise about the axis, acting on column vectors."""
    unit = torch.tensor(axis, dtype=torch.float64)
    x, y, z = (unit / unit.norm()).tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    turn = (
        torch.eye(3, dtype=torch.float64) + sin(radians(degrees)) * cross + (1 - cos(radians(degrees))) * cross @ cross
    )
    return turn.float()


def _length(vectors: Float[Tensor, "n d"]) -> Values:
    """Norm of each row; its derivative at zero is zero, not NaN."""
    return torch.linalg.vector_norm(vectors, dim=1)


def _larger(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else max(a, b)


def _pick(first: Tensor, a: Shape, b: Shape, points: Points, directions: Points | None) -> Points:
    return torch.where(first[:, None], _color(a, points, directions), _color(b, points, directions))


def _color(shape: Shape, points: Points, directions: Points | None) -> Points:
    if shape.has_color:
        return shape.color(points, directions)
    return points.new_tensor(GREY).expand(len(points), 3)
