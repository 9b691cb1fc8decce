"""Which codes are likely, from those of the shapes that a space was trained on."""

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.space import ShapeSpace

SHRINK = 0.2  # of a covariance towards that of all shapes and a round one: there are few codes
Label = str | None


class GaussianPrior:
    """A Gaussian of codes. mean (c,); precision (c, c): the inverse of its covariance."""

    def __init__(self, codes: Float[Tensor, "n c"], pooled: Float[Tensor, "c c"] | None = None):
        """pooled: a covariance to lean on where the codes are few."""
        self.mean = codes.mean(0)
        own = covariance(codes)
        pooled = own if pooled is None else pooled
        size = pooled.diagonal().mean().clamp_min(1e-12)
        steady = (pooled + size * torch.eye(len(own)).to(own)) / 2
        self.precision = torch.linalg.inv((1 - SHRINK) * own + SHRINK * steady)

    def energy(self, code: Float[Tensor, " c"]) -> Float[Tensor, ""]:
        """Squared deviation of the code in units of the standard deviation."""
        away = code - self.mean
        return away @ self.precision @ away


def covariance(codes: Float[Tensor, "n c"]) -> Float[Tensor, "c c"]:
    centered = codes - codes.mean(0)
    return centered.T @ centered / len(codes)


def priors_of(space: ShapeSpace) -> dict[Label, GaussianPrior]:
    """One for each class of the shapes; a single one, under None, where they have none."""
    codes, labels = space.codes.detach(), [member.label for member in space.members]
    kinds = sorted(set(labels), key=str)
    shares = [covariance(codes[_rows(labels, label)]) * (labels.count(label) / len(labels)) for label in kinds]
    within = torch.stack(shares).sum(0)
    return {label: GaussianPrior(codes[_rows(labels, label)], within) for label in kinds}


def _rows(labels: list[Label], label: Label) -> list[int]:
    return [i for i, own in enumerate(labels) if own == label]
