"""Vectors for the classes of shapes, which a decoder is given beside the code of a shape."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from isofield.errors import InputError


class ClassTable(nn.Module):
    """A vector (d,) for each label; learned ones are trained with the decoder."""

    vectors: Tensor

    def __init__(self, labels: Sequence[str], vectors: Float[Tensor, "n d"], learned: bool = False):
        super().__init__()
        self.labels, self.learned = tuple(labels), learned
        if len(self.labels) != len(vectors):
            raise ValueError(f"{len(self.labels)} labels and {len(vectors)} vectors")
        if learned:
            self.vectors = nn.Parameter(vectors)
        else:
            self.register_buffer("vectors", vectors)

    @classmethod
    def one_hot(cls, labels: Sequence[str]) -> "ClassTable":
        """Aoki et al., "Improving Generalization of DeepSDF", section 3.2."""
        return cls(labels, torch.eye(len(labels)))

    @classmethod
    def embedded(cls, labels: Sequence[str], width: int = 8) -> "ClassTable":
        """Vectors that are learned, drawn from torch's global generator."""
        return cls(labels, torch.randn(len(labels), width) / width**0.5, learned=True)

    @classmethod
    def described(cls, labels: Sequence[str], describe: Callable[[str], Float[Tensor, " d"]]) -> "ClassTable":
        """Descriptors of the labels as text, scaled to unit length; describe: any function of text to a vector."""
        vectors = torch.stack([describe(label).detach().float() for label in labels])
        return cls(labels, nn.functional.normalize(vectors, dim=1))

    @property
    def width(self) -> int:
        return self.vectors.shape[1]

    def forward(self, classes: Int[Tensor, " s"]) -> Float[Tensor, "s d"]:
        return self.vectors[classes]

    def vector(self, label: str | None) -> Float[Tensor, " d"]:
        """Raises InputError for a label that is missing or unknown."""
        if label not in self.labels:
            fault = "is missing" if label is None else f"{label!r} is unknown here"
            raise InputError("--class", fault, f"name one of {', '.join(self.labels)}, or auto")
        return self.vectors[self.labels.index(label)]

    def spec(self) -> dict[str, Any]:
        return {"labels": list(self.labels), "width": self.width, "learned": self.learned}

    @classmethod
    def restore(cls, spec: dict[str, Any]) -> "ClassTable":
        return cls(spec["labels"], torch.zeros(len(spec["labels"]), spec["width"]), spec["learned"])
