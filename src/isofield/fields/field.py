"""What every field can do."""

from abc import ABC, abstractmethod

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Shaped
from torch import Tensor

from isofield.frame import UnitFrame

CHUNK = 1 << 16  # points at a time when a field is asked from numpy


class Field(ABC):
    """A signed distance function of the unit frame: negative inside, positive outside.

    Everything ends in one of these, and one of these ends in a mesh. Subclasses are final: to tweak a field, wrap it.
    """

    frame: UnitFrame = UnitFrame()  # from the unit frame back to the user's coordinates
    # low and high corner
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]] = ((-1.0,) * 3, (1.0,) * 3)
    lipschitz: float | None = None  # a *proven* bound of |f(x) - f(y)| / |x - y|, or None where nothing is known
    has_color: bool = False

    @abstractmethod
    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance at points of the unit frame."""

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """sRGB in [0, 1] at points of the unit frame, for unit view directions (camera to point) if they matter."""
        raise AttributeError(f"{type(self).__name__} has no colour; look at has_color first")

    def mesh(self, resolution: int = 256) -> trimesh.Trimesh:
        """Its surface, closed, in the user's frame: `isofield.extract`, which says more, without what it says."""
        from isofield.meshing.extract import extract

        return extract(self, resolution).mesh


def sdf_numpy(field: Field, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """`field.sdf` for numpy points, in chunks, without gradients; float32 in the field, float64 out."""
    return _chunked(field.sdf, points, (len(points),))


def color_numpy(field: Field, points: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """`field.color` for numpy points, in chunks, without gradients."""
    return _chunked(field.color, points, (len(points), 3))


def gradient(field: Field, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Spatial gradient of the signed distance, by automatic differentiation; differentiable in turn."""
    points = points if points.requires_grad else points.detach().requires_grad_()
    with torch.enable_grad():
        (grad,) = torch.autograd.grad(field.sdf(points).sum(), points, create_graph=True)
    return grad


def _chunked(function, points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    out = np.empty(shape)
    with torch.no_grad():
        for i in range(0, len(points), CHUNK):
            chunk = torch.as_tensor(np.ascontiguousarray(points[i : i + CHUNK], np.float32))
            out[i : i + CHUNK] = function(chunk).cpu().numpy()
    return out
