"""What aeroplanes are put together from: wings, fins, engines, propellers, wheels."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from isofield.synthesis.palette import RUBBER, Color, exact, shaded
from isofield.synthesis.parts import Group, Member, Part, around
from isofield.synthesis.solids import Number, Place, Solid, about, loft, revolve, revolve_ring, tube

Section = tuple[Number, Number, Number, Number, Number]  # x, y and z of the leading edge, chord, thickness over chord


def airfoil(points: int = 15) -> Float[np.ndarray, "m 2"]:
    """(back, up) along a chord of 1 with a thickness of 1: a four-digit NACA outline with a blunt trailing edge."""
    u = (1 - np.cos(np.linspace(0, np.pi, points))) / 2
    half = 5 * (0.2969 * np.sqrt(u) - 0.1260 * u - 0.3516 * u**2 + 0.2843 * u**3 - 0.1015 * u**4) + 0.012 * u
    upper = np.stack([u, 1.15 * half], 1)
    lower = np.stack([u, -0.85 * half], 1)
    return np.concatenate([upper, lower[:0:-1]])


def wing(sections: Sequence[Section]) -> Solid:
    """Through airfoils from the root outwards along x; the front is +z."""
    outline = airfoil()
    rings = []
    for x, y, z, chord, thickness in sections:
        back, up = outline[:, 0] * chord, outline[:, 1] * chord * thickness
        rings.append(np.stack([np.full(len(outline), x), y + up, z - back], 1))
    return loft(np.array(rings))


def fin(sections: Sequence[Section]) -> Solid:
    """The same upright: the second number of a section is its height, the first how far it leans to the side."""
    solid = wing([(y, -x, z, chord, thickness) for x, y, z, chord, thickness in sections])
    return solid.mapped(about(2, 90))


def jet(length: Number, radius: Number) -> list[Part]:
    """Engine along z around the origin: an open nacelle, the core with its cone, the fan behind the lip."""
    r, h = radius, length / 2
    lip = [
        (0.86 * r, h),
        (0.93 * r, h + 0.04 * length),
        (r, 0.8 * h),
        (0.97 * r, 0),
        (0.74 * r, -h),
        (0.7 * r, -h),
        (0.82 * r, 0),
        (0.8 * r, 0.8 * h),
    ]
    core = [
        (0.0, 0.85 * h),
        (0.2 * r, 0.6 * h),
        (0.84 * r, 0.55 * h),
        (0.84 * r, 0.45 * h),
        (0.55 * r, -0.5 * h),
        (0.5 * r, -h),
        (0.0, -1.45 * h),
    ]
    turn = about(0, 90)
    return [
        Part("nacelle", revolve_ring(lip, 28).mapped(turn), exact((206, 210, 214))),
        Part("core", revolve(core, 24).mapped(turn), exact((74, 76, 82))),
    ]


def propeller(radius: Number, blades: int, color: Color) -> Group:
    """Spinner and thin blades, turning about z, the hub at the origin."""
    hub = 0.14 * radius
    spinner = revolve([(hub, -0.1 * radius), (hub, 0), (0.7 * hub, 0.14 * radius), (0.0, 0.26 * radius)], 20)
    sections = [
        (0.5 * hub, 0.0, 0.05 * radius, 0.10 * radius, 0.25),
        (0.5 * radius, 0.0, 0.06 * radius, 0.13 * radius, 0.12),
    ]
    sections += [(radius, 0.0, 0.035 * radius, 0.06 * radius, 0.1)]
    blade = wing(sections).mapped(about(0, 70)).mapped(about(0, -90))
    turned = around("blades", Part("blade", blade, shaded(color, 0.4)), blades)
    return Group("propeller", (Part("spinner", spinner, color), turned)).mapped(about(0, 90))


def wheel(radius: Number, width: Number) -> Solid:
    """About the x axis, around the origin."""
    w = width / 2
    profile = [
        (0.35 * radius, -w),
        (0.8 * radius, -w),
        (radius, -0.5 * w),
        (radius, 0.5 * w),
        (0.8 * radius, w),
        (0.35 * radius, w),
    ]
    return revolve(profile, 22).mapped(about(2, 90))


def gear(top: Place, axle: Place, radius: Number, strut: Number, color: Color) -> list[Member]:
    """A leg and its wheel."""
    x, y, z = np.asarray(axle, np.float64)
    side = 0.0 if abs(x) < 1e-9 else 0.25 * radius * np.sign(x)
    return [
        Part("strut", tube([top, (x, y, z)], strut, 8), color),
        Part("wheel", wheel(radius, 0.5 * radius).moved(x + side, y, z), exact(RUBBER)),
    ]
