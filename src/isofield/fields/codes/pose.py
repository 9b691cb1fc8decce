"""Similarities that take a scan into the frame of a space."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Pose(NamedTuple):
    """x -> scale rotation x + shift."""

    rotation: Float[Tensor, "3 3"]
    scale: float
    shift: Float[Tensor, "3"]

    @classmethod
    def identity(cls) -> "Pose":
        return cls(torch.eye(3), 1.0, torch.zeros(3))

    def apply(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        return self.scale * points @ self.rotation.T.to(points) + self.shift.to(points)

    def moved(self, change: Float[Tensor, "7"]) -> "Pose":
        """Turned by the rotation vector change[:3] and scaled by exp(change[3]), both about where the scan's origin
        lies, and shifted by change[4:]."""
        turn = torch.linalg.matrix_exp(cross_matrix(change[:3].to(self.rotation)))
        scale = self.scale * float(change[3].clamp(-1, 1).exp())
        return Pose(turn @ self.rotation, scale, self.shift + change[4:].to(self.shift))

    def slopes(self, points: Float[Tensor, "n 3"], gradient: Float[Tensor, "n 3"]) -> Float[Tensor, "n 7"]:
        """Of a function of the points in the space with this gradient there, by `change`."""
        placed = points @ self.rotation.T.to(points) * self.scale
        turned = torch.linalg.cross(placed, gradient)
        return torch.cat([turned, (placed * gradient).sum(1, keepdim=True), gradient], 1)


def cross_matrix(w: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """The matrix of v -> w x v."""
    x, y, z = w
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
