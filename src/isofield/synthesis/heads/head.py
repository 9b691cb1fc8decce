"""Heads put together."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from isofield.synthesis.chance import maybe, pick, span
from isofield.synthesis.heads.basis import load_basis
from isofield.synthesis.heads.face import Face, eyes, shaped, skin
from isofield.synthesis.heads.hair import Hair, hair
from isofield.synthesis.heads.wear import clothes, earrings, glasses, hat
from isofield.synthesis.palette import METALS, Color, one_of, vivid
from isofield.synthesis.parts import Group, Member, Part, Shape


@dataclass(frozen=True)
class Head:
    """A face, its hair, and what it wears; detail: seed of noise in colours and strands."""

    face: Face
    hair: Hair
    collar: str
    stripes: bool
    cloth: Color
    glasses: str
    glasses_wire: float
    hat: str
    hat_color: Color
    earrings: str
    metal: Color
    detail: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Head":
        face = Face.sample(rng, len(load_basis().identity))
        bearded = face.beard != "none"
        drawn = Hair.sample(rng, face.hair, face.age, bearded)
        low = drawn.style in ("bald", "buzz", "crop", "side part", "receding", "horseshoe", "long", "bob", "wavy")
        return cls(
            face=face,
            hair=drawn,
            collar=pick(rng, {"crew": 3.0, "scoop": 1.5, "v": 2.0, "turtle": 1.2, "none": 0.5}),
            stripes=maybe(rng, 0.15),
            cloth=vivid(rng, (0.1, 0.8)) if maybe(rng, 0.75) else np.full(3, span(rng, 25, 235)),
            glasses=pick(rng, {"none": 4.0, "round": 0.5, "square": 0.6}),
            glasses_wire=span(rng, 0.08, 0.17),
            hat=pick(rng, {"none": 9.0, "beanie": 0.6, "cap": 0.6}) if low else "none",
            hat_color=vivid(rng, (0.2, 0.8)),
            earrings=pick(rng, {"none": 5.0, "stud": 0.7, "hoop": 0.7}) if not bearded and face.age > 14 else "none",
            metal=one_of(rng, METALS),
            detail=int(rng.integers(1 << 31)),
        )


def head(rng: np.random.Generator) -> Shape:
    """A bust of a person who does not exist, 360 degrees."""
    drawn = Head.sample(rng)
    basis, detail = load_basis(), np.random.default_rng(drawn.detail)
    vertices = shaped(basis, drawn.face)
    members: list[Member] = [skin(basis, drawn.face, vertices, detail), eyes(basis, drawn.face, vertices)]
    grown = drawn.hair
    if drawn.hat != "none":
        members.append(hat(basis, vertices, drawn.hat, drawn.hat_color, 0.9 if drawn.hat == "beanie" else 0.5))
        grown = replace(
            grown, top=min(grown.top, 0.3), side=min(grown.side, 0.45), curl=min(grown.curl, 0.1), crest=0.0
        )
    shell = hair(basis, grown, vertices, drawn.face.skin, detail)
    if shell is not None:
        members.append(shell)
    if drawn.collar != "none":
        members.append(clothes(basis, vertices, drawn.collar, drawn.cloth, drawn.stripes))
    if drawn.glasses != "none":
        size = (2.35, 2.2) if drawn.glasses == "round" else (2.6, 1.75)
        members.append(glasses(basis, vertices, *size, drawn.glasses_wire, drawn.metal))
    if drawn.earrings != "none":
        members.append(earrings(basis, vertices, drawn.earrings == "hoop", drawn.metal))
    return Shape("head", _in_metres(Group("head", tuple(members))), asdict(drawn))


def _in_metres(member: Group) -> Group:
    """Centimetres to metres; the planes of symmetry pass through the origin."""

    def scaled(one: Member) -> Member:
        if isinstance(one, Part):
            return replace(one, solid=replace(one.solid, vertices=one.solid.vertices / 100))
        return Group(one.label, tuple(scaled(child) for child in one.members), one.symmetry)

    return Group(member.label, tuple(scaled(child) for child in member.members), member.symmetry)
