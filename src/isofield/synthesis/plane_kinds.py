"""Kinds of aeroplanes, and what is drawn for each."""

from dataclasses import dataclass

import numpy as np

from isofield.synthesis.chance import maybe, near, pick, span, whole
from isofield.synthesis.palette import Color, vivid

# length, radius, span, chord, taper, sweep, dihedral, place and height (in radii) of the wing
SIZES: dict[str, tuple[float, ...]] = {
    "airliner": (38, 1.95, 35, 6.4, 0.28, 26, 5, 0.36, -0.75),
    "business": (16, 0.95, 15.5, 2.9, 0.32, 26, 3, 0.45, -0.7),
    "turboprop": (23, 1.3, 25, 2.6, 0.55, 2, 1, 0.37, 0.88),
    "light": (7.8, 0.62, 10.6, 1.6, 0.75, 1, 1.5, 0.24, 0.92),
    "biplane": (7.2, 0.5, 9.0, 1.4, 0.95, 3, 2, 0.2, -0.75),
    "fighter": (15, 0.85, 10, 5.6, 0.22, 42, -1, 0.38, -0.1),
    "warbird": (9, 0.62, 11, 2.3, 0.5, 3, 5, 0.26, -0.72),
    "glider": (7, 0.42, 17, 0.9, 0.4, 0, 3, 0.28, 0.6),
}


@dataclass(frozen=True)
class Plane:
    """Lengths in metres, angles in degrees; places along the fuselage as shares of its length from the nose."""

    kind: str
    length: float
    radius: float
    span: float
    chord: float
    taper: float
    sweep: float
    dihedral: float
    wing_at: float
    wing_height: float
    tail: str
    fin: float
    engines: int
    blades: int
    wheels: bool
    winglets: bool
    stripe: str
    paint: Color
    accent: Color

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Plane":
        kinds = {
            "airliner": 3.0,
            "business": 1.6,
            "turboprop": 1.4,
            "light": 1.8,
            "biplane": 1.2,
            "fighter": 1.5,
            "warbird": 1.2,
            "glider": 0.8,
        }
        kind = pick(rng, kinds)
        length, radius, wide, chord, taper, sweep, dihedral, at, height = SIZES[kind]
        engines = {"airliner": 4 if maybe(rng, 0.25) else 2, "business": 2, "turboprop": 2, "fighter": whole(rng, 1, 2)}
        light = (
            np.full(3, span(rng, 205, 246))
            if kind not in ("fighter", "biplane", "warbird")
            else vivid(rng, (0.15, 0.5))
        )
        tails = {
            "business": {"T": 1.0},
            "glider": {"T": 1.0},
            "turboprop": {"T": 1.0, "low": 1.0},
            "fighter": {"twin": 1.0, "low": 1.0},
        }
        return cls(
            kind=kind,
            length=near(rng, length, 0.09),
            radius=near(rng, radius, 0.06),
            span=near(rng, wide, 0.07),
            chord=near(rng, chord, 0.07),
            taper=near(rng, taper, 0.15),
            sweep=sweep + span(rng, -4, 6) if sweep > 10 else sweep + span(rng, -1, 2),
            dihedral=dihedral + span(rng, -1, 1.5),
            wing_at=at + span(rng, -0.02, 0.02),
            wing_height=height,
            tail=pick(rng, tails.get(kind, {"low": 1.0})),
            fin=span(rng, 0.85, 1.15),
            engines=engines.get(kind, 0 if kind == "glider" else 1),
            blades=whole(rng, 2, 3) if kind in ("light", "biplane") else whole(rng, 3, 5),
            wheels=kind in ("light", "biplane") or (maybe(rng, 0.45) and kind != "glider"),
            winglets=kind in ("airliner", "business") and maybe(rng, 0.6),
            stripe=pick(rng, {"line": 2.0, "belly": 1.5, "none": 1.5, "nose": 0.7}),
            paint=light if maybe(rng, 0.8) else vivid(rng, (0.2, 0.6)),
            accent=vivid(rng, (0.5, 0.95)),
        )

    def z(self, share: float) -> float:
        """The place of a share of the length from the nose, which is at +length / 2."""
        return self.length * (0.5 - share)
