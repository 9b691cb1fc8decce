"""What the fields of oriented points share: whose points, colours and gaps they have, how they are made and kept."""

from abc import abstractmethod
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from isofield.fields.classical.points import OrientedPoints
from isofield.fields.field import Field
from isofield.frame import UnitFrame

Kind = TypeVar("Kind", bound="PointsField")


class PointsField(Field):
    """A field over `cloud`, which gives it its frame, and its colour where the points have one.

    Inside-out normals turn the sign over.
    """

    prefix = ""  # of the names of the cloud's tensors in a file

    def __init__(self, cloud: OrientedPoints):
        self.cloud, self.frame, self.has_color = cloud, cloud.frame, cloud.colors is not None

    @classmethod
    def of(
        cls: type[Kind],
        points: Shaped[np.ndarray, "n 3"],
        normals: Shaped[np.ndarray, "n 3"],
        colors: Shaped[np.ndarray, "n 3"] | None = None,
        *,
        frame: UnitFrame | None = None,
        **options: Any,
    ) -> Kind:
        """From points of the unit frame with outward normals and any sRGB colours in 0 .. 255; options as in `over`.

        Raises InputError for too few points, or numbers that are not finite.
        """
        return cls.over(OrientedPoints.of(points, normals, colors, frame), **options)

    @classmethod
    @abstractmethod
    def over(cls: type[Kind], cloud: OrientedPoints, *arguments: Any, **options: Any) -> Kind:
        """The field of checked points."""

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        return self.cloud.color(points) if self.has_color else super().color(points, directions)

    def seen(self, points: Shaped[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        """Whether points of the cloud are near: elsewhere the surface is invented."""
        return self.cloud.seen(points)

    def spec(self) -> dict[str, Any]:
        """What beside `tensors()` describes this field, as JSON."""
        return {"type": type(self).__name__, "frame": self.frame.to_json(), "bounds": self.bounds}

    def tensors(self) -> dict[str, Tensor]:
        """The cloud's tensors."""
        return {self.prefix + name: value for name, value in self.cloud.tensors().items()}

    @classmethod
    def restored_cloud(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> OrientedPoints:
        """The cloud that `spec` and `tensors` hold."""
        known = {name.removeprefix(cls.prefix): t for name, t in tensors.items() if name.startswith(cls.prefix)}
        return OrientedPoints.restore(spec, known)
