"""Cars: eleven body styles, painted, glazed, on wheels with spokes."""

from dataclasses import asdict, dataclass

import numpy as np

from isofield.synthesis.car_body import Body, cabin, hull
from isofield.synthesis.car_fittings import bed, dashboard, fittings, lamps, wheels
from isofield.synthesis.chance import maybe, near, pick, span, whole
from isofield.synthesis.palette import Color, vivid
from isofield.synthesis.parts import Group, Member, Shape

# length, width, height; heights of belt, nose and tail as shares of the height; along the length, as shares from the
# tail: foot of the rear window, roof's end, roof's beginning, foot of the windscreen; radius of the wheels in metres
STYLES: dict[str, tuple[float, ...]] = {
    "sedan": (4.7, 1.84, 1.45, 0.64, 0.50, 0.60, 0.13, 0.27, 0.53, 0.71, 0.33),
    "hatchback": (4.0, 1.76, 1.50, 0.63, 0.50, 0.58, 0.015, 0.11, 0.55, 0.75, 0.31),
    "wagon": (4.75, 1.84, 1.48, 0.64, 0.50, 0.58, 0.012, 0.08, 0.56, 0.73, 0.33),
    "suv": (4.6, 1.92, 1.74, 0.62, 0.53, 0.57, 0.012, 0.07, 0.57, 0.74, 0.38),
    "coupe": (4.45, 1.86, 1.30, 0.66, 0.46, 0.62, 0.09, 0.33, 0.47, 0.68, 0.34),
    "pickup": (5.3, 1.95, 1.80, 0.60, 0.54, 0.56, 0.40, 0.425, 0.585, 0.73, 0.39),
    "van": (4.9, 1.95, 1.98, 0.52, 0.42, 0.50, 0.008, 0.03, 0.71, 0.90, 0.34),
    "bus": (9.5, 2.45, 2.95, 0.42, 0.36, 0.40, 0.003, 0.012, 0.965, 0.985, 0.48),
    "roadster": (4.1, 1.76, 1.22, 0.70, 0.50, 0.64, 0.36, 0.40, 0.52, 0.66, 0.32),
    "mini": (3.3, 1.62, 1.52, 0.60, 0.50, 0.58, 0.015, 0.10, 0.60, 0.84, 0.28),
    "limousine": (6.2, 1.88, 1.48, 0.64, 0.51, 0.60, 0.10, 0.20, 0.66, 0.79, 0.33),
}  # fmt: skip
SHARES = {"sedan": 2.0, "hatchback": 2.0, "wagon": 1.3, "suv": 2.0, "coupe": 1.4, "pickup": 1.2, "van": 1.1, "bus": 0.5}
SHARES |= {"roadster": 0.8, "mini": 1.0, "limousine": 0.3}


@dataclass(frozen=True)
class Car:
    """Body, and what is bolted to it."""

    style: str
    body: Body
    paint: Color
    roof: Color
    spokes: int
    lamp: str
    grille: float
    extra: str
    taxi: bool

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Car":
        style = pick(rng, SHARES)
        paint = _paint(rng)
        return cls(
            style=style,
            body=_body(rng, style),
            paint=paint,
            roof=_paint(rng) if style in ("mini", "suv", "van") and maybe(rng, 0.25) else paint,
            spokes=whole(rng, 5, 10),
            lamp=pick(rng, {"round": 1.0, "slim": 1.6, "block": 1.2}),
            grille=span(rng, 0.35, 0.85),
            extra=pick(rng, {"none": 3.0, "rails": 1.0, "spoiler": 1.0, "antenna": 1.2, "rack": 0.5}),
            taxi=style in ("sedan", "wagon", "hatchback") and maybe(rng, 0.08),
        )


def car(rng: np.random.Generator) -> Shape:
    """A car of any style; its nose looks to +z."""
    c = Car.sample(rng)
    members: list[Member] = [hull(c.body, c.paint), wheels(c.body, c.spokes), lamps(c.body, c.lamp, c.grille, c.paint)]
    if c.style == "roadster":
        members.append(dashboard(c.body))
    else:
        members.append(cabin(c.body, c.paint, c.roof))
    if c.style == "pickup":
        members.append(bed(c.body, c.paint))
    members += fittings(c.body, c.style, c.extra, c.taxi, c.paint)
    return Shape("car", Group("car", tuple(members)), asdict(c))


def _paint(rng: np.random.Generator) -> Color:
    """Any hue, evenly; now and then white, silver or black."""
    if maybe(rng, 0.75):
        return vivid(rng, (0.45, 0.95))
    grey = pick(rng, {238.0: 2.0, 186.0: 1.0, 110.0: 0.7, 34.0: 1.0})
    return np.clip(grey + rng.normal(0, 4, 3), 16, 250)


def _body(rng: np.random.Generator, style: str) -> Body:
    length, width, height, belt, nose, tail, *places, radius = STYLES[style]
    length, width, height = near(rng, length, 0.04), near(rng, width, 0.02), near(rng, height, 0.03)
    radius = near(rng, radius, 0.05)
    slack = 0.012 if style not in ("van", "bus") else 0.003
    rear, roof_rear, roof_front, cowl = (place + span(rng, -slack, slack) for place in places)
    front_axle = 1 - (0.19 if style != "bus" else 0.25) * near(rng, 1.0, 0.04)
    return Body(
        length=length,
        width=width,
        height=height,
        belt=height * near(rng, belt, 0.02),
        nose=height * near(rng, nose, 0.03),
        tail=height * near(rng, tail, 0.03),
        rear=max(rear, 0.002),
        roof_rear=max(roof_rear, rear + 0.004),
        roof_front=roof_front,
        cowl=cowl,
        radius=radius,
        clearance=radius * span(rng, 0.45, 0.68) + (0.05 if style in ("suv", "pickup") else 0.0),
        axles=(0.19 * near(rng, 1.0, 0.05) if style != "bus" else 0.24, front_axle),
        roundness=span(rng, 0.5, 1.0) if style not in ("bus", "van") else span(rng, 0.25, 0.5),
        tumble=span(rng, 0.74, 0.84) if style not in ("van", "bus") else span(rng, 0.9, 0.95),
        pillars=_pillars(rng, style),
        blind=style == "van" and maybe(rng, 0.5),
    )


def _pillars(rng: np.random.Generator, style: str) -> tuple[float, ...]:
    """Places of the uprights between the side windows, as shares from the front corner of the cabin to the rear one."""
    if style == "bus":
        return tuple(np.linspace(0, 1, 9)[1:-1].tolist())
    if style == "limousine":
        return (0.2, 0.42, 0.62, 0.82)
    middle = span(rng, 0.40, 0.48)
    two_doors = style in ("coupe", "mini", "pickup")
    if style == "pickup":
        return () if maybe(rng, 0.5) else (0.55,)
    return (span(rng, 0.52, 0.6),) if two_doors else (middle, span(rng, 0.74, 0.8))
