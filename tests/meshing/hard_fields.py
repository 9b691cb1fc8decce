"""Fields that pruning finds hard, each with the resolution-independent fact that makes it so."""

import torch

from isofield.fields.analytic import Box, Gyroid, Shape, Sphere, Torus

ISLANDS = Sphere(0.4) | Sphere(0.03).translate((0.85, 0.85, 0.85)) | Sphere(0.04).translate((-0.9, 0.8, -0.7))
BODY = Torus(0.5, 0.15).rotate((1.0, 1.0, 0.0), 30) | Sphere(0.1).translate((0.7, 0.7, -0.7))


def unknown(shape: Shape) -> Shape:
    """The same values, without a stated Lipschitz constant."""
    return shape.map(lambda values: values)


def signed_power(power: float):
    return lambda values: values.sign() * values.abs() ** power


def wobble(shape: Shape) -> Shape:
    """A distance with fine, steep noise of small height, as learned fields have it."""
    noise = Gyroid(0.03).map(lambda values: 0.5 * values)
    return Wrapped(lambda points: shape.sdf(points) + noise.sdf(points))


class Wrapped(Shape):
    """Any function of points."""

    def __init__(self, function):
        self.function = function

    def sdf(self, points):
        return self.function(points)


def hard_fields() -> dict[str, Shape]:
    """20 fields."""
    sheet = Box((0.7, 0.02, 0.7)).rotate((1.0, 2.0, 0.5), 25)
    corner = ISLANDS.bounds[1][0]
    return {
        "thin sheet, true distance": sheet,
        "thin sheet, bound unknown": unknown(sheet),
        "far islands, true distance": ISLANDS,
        "far islands, bound unknown": unknown(ISLANDS),
        "far islands, clamped at 0.1": unknown(ISLANDS.clamp(0.1)),
        "far islands, clamped at 0.01": unknown(ISLANDS.clamp(0.01)),
        "far islands, stated bound, clamped at 0.01": ISLANDS.clamp(0.01),
        "far islands, times 10": ISLANDS.map(lambda values: 10 * values),
        "far islands, times 1e-4": ISLANDS.map(lambda values: 1e-4 * values),
        "far islands, tanh 20": ISLANDS.map(lambda values: torch.tanh(20 * values)),
        "far islands, tanh 200": ISLANDS.map(lambda values: torch.tanh(200 * values)),
        "far islands, squared": ISLANDS.map(signed_power(2.0)),
        "far islands, cubed": ISLANDS.map(signed_power(3.0)),
        "far islands, square root": ISLANDS.map(signed_power(0.5)),
        "occupancy": BODY.map(lambda values: values.sign()),
        "quantised": BODY.map(lambda values: (10 * values).round()),
        "sign jumps on an open cap": Wrapped(lambda p: (0.2 - p[:, 1]).sign() * Sphere(0.5).sdf(p).abs()),
        "one island only, nearly constant elsewhere": Sphere(0.05)
        .translate((0.31, -0.52, 0.23))
        .map(lambda values: torch.tanh(60 * values)),
        "fine noise": wobble(BODY),
        "leaves the bounds": unknown(Sphere(0.6).translate((corner, corner - 0.1, 0.0)) | BODY),
    }
