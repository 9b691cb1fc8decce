"""A shape as a tree of labelled parts, with the symmetries by which they were made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from isofield.frame import UnitFrame
from isofield.synthesis.solids import Number, Solid, about


@dataclass(frozen=True)
class Reflection:
    """At the plane through `point` across `normal`."""

    point: tuple[float, float, float]
    normal: tuple[float, float, float]

    def matrix(self) -> Float[np.ndarray, "3 3"]:
        return np.eye(3) - 2 * np.outer(self.normal, self.normal)

    def offset(self) -> Float[np.ndarray, "3"]:
        return 2 * float(np.dot(self.point, self.normal)) * np.array(self.normal)


@dataclass(frozen=True)
class Rotation:
    """About `axis` through `point`, by a full turn over `order`, counter-clockwise seen from the tip of the axis."""

    point: tuple[float, float, float]
    axis: tuple[float, float, float]
    order: int

    def matrix(self) -> Float[np.ndarray, "3 3"]:
        return about(self.axis, 360 / self.order)

    def offset(self) -> Float[np.ndarray, "3"]:
        return np.array(self.point) - np.einsum("dk,k->d", self.matrix(), np.array(self.point))


@dataclass(frozen=True)
class Translation:
    """By `vector`."""

    vector: tuple[float, float, float]

    def matrix(self) -> Float[np.ndarray, "3 3"]:
        return np.eye(3)

    def offset(self) -> Float[np.ndarray, "3"]:
        return np.array(self.vector)


Symmetry = Reflection | Rotation | Translation


@dataclass(frozen=True, eq=False)
class Part:
    """One closed piece; colors: sRGB in 0 .. 255, one (3,), one per face (f, 3) or, if `smooth`, per vertex (v, 3)."""

    label: str
    solid: Solid
    colors: Shaped[np.ndarray, "*n 3"]
    smooth: bool = False

    def mapped(self, matrix: np.ndarray, offset: np.ndarray | None = None) -> "Part":
        return replace(self, solid=self.solid.mapped(matrix, offset))

    @property
    def parts(self) -> "tuple[Part, ...]":
        return (self,)


@dataclass(frozen=True, eq=False)
class Group:
    """Parts that belong together; symmetry: takes each member to the next one."""

    label: str
    members: "tuple[Part | Group, ...]"
    symmetry: Symmetry | None = None

    def mapped(self, matrix: np.ndarray, offset: np.ndarray | None = None) -> "Group":
        """Turned or mirrored, then moved."""
        moved = np.zeros(3) if offset is None else offset
        members = tuple(member.mapped(matrix, offset) for member in self.members)
        return Group(self.label, members, _mapped(self.symmetry, matrix, moved))

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for member in self.members for part in member.parts)


Member = Part | Group


def mirrored(label: str, member: Member, point: Number = 0.0, axis: int = 0) -> Group:
    """A member and its reflection at the plane where the coordinate `axis` is `point`."""
    place, normal = np.zeros(3), np.eye(3)[axis]
    place[axis] = point
    return _pair(label, member, Reflection(_triple(place), _triple(normal)))


def repeated(label: str, member: Member, step: tuple[Number, Number, Number], count: int) -> Group:
    """A member `count` times, each `step` further."""
    vector = np.array(step, np.float64)
    members = tuple(member.mapped(np.eye(3), k * vector) for k in range(count))
    return Group(label, members, Translation(_triple(vector)) if count > 1 else None)


def around(label: str, member: Member, count: int, point: tuple[Number, Number, Number] = (0.0, 0.0, 0.0)) -> Group:
    """A member `count` times around the vertical through `point`."""
    symmetry = Rotation(point, (0.0, 1.0, 0.0), count)
    members = [member]
    for _ in range(count - 1):
        members.append(members[-1].mapped(symmetry.matrix(), symmetry.offset()))
    return Group(label, tuple(members), symmetry if count > 1 else None)


def _pair(label: str, member: Member, symmetry: Symmetry) -> Group:
    return Group(label, (member, member.mapped(symmetry.matrix(), symmetry.offset())), symmetry)


@dataclass(frozen=True, eq=False)
class Shape:
    """What a family makes of a seed: label of its class, tree of parts in metres (y up, front +z), how it was drawn."""

    label: str
    root: Group
    parameters: dict[str, Any]

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.root.parts

    def frame(self) -> UnitFrame:
        return UnitFrame.of(np.concatenate([part.solid.vertices for part in self.parts]))

    def in_unit_frame(self) -> "Shape":
        """The same in the unit frame, coordinates rounded to what a float32 holds."""
        frame = self.frame()
        return replace(self, root=_in_frame(self.root, frame))


def _in_frame(member: Any, frame: UnitFrame) -> Any:
    if isinstance(member, Part):
        vertices = frame.to_unit(member.solid.vertices).astype(np.float32).astype(np.float64)
        return replace(member, solid=replace(member.solid, vertices=vertices))
    members = tuple(_in_frame(one, frame) for one in member.members)
    return Group(member.label, members, _scaled(member.symmetry, frame))


def _scaled(symmetry: Symmetry | None, frame: UnitFrame) -> Symmetry | None:
    if isinstance(symmetry, Translation):
        return Translation(_triple(np.array(symmetry.vector) / frame.scale))
    if symmetry is None:
        return None
    return replace(symmetry, point=_triple(frame.to_unit(np.array([symmetry.point]))[0]))


def _mapped(symmetry: Symmetry | None, matrix: np.ndarray, offset: np.ndarray) -> Symmetry | None:
    def turn(vector: tuple[Number, Number, Number]) -> np.ndarray:
        return np.einsum("dk,k->d", matrix, np.array(vector))

    if isinstance(symmetry, Reflection):
        return Reflection(_triple(turn(symmetry.point) + offset), _triple(turn(symmetry.normal)))
    if isinstance(symmetry, Rotation):
        axis = np.sign(np.linalg.det(matrix)) * turn(symmetry.axis)  # a mirror image turns the other way
        return Rotation(_triple(turn(symmetry.point) + offset), _triple(axis), symmetry.order)
    return Translation(_triple(turn(symmetry.vector))) if symmetry else None


def _triple(vector: np.ndarray) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])


def walk(root: Group) -> Iterator[Group]:
    """All groups of a tree, the root first."""
    yield root
    for member in root.members:
        if isinstance(member, Group):
            yield from walk(member)


Builder = Callable[[np.random.Generator], Shape]
