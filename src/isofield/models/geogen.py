"""GeoGen's generator (Esposito et al. 2024): a latent becomes planes of features, and these a field."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from isofield.fields.density import DENSITIES, Density, restore_density
from isofield.fields.triplane import TriplaneDecoder, TriplaneField, Triplanes
from isofield.frame import UnitFrame
from isofield.models.mapping import Mapping
from isofield.models.presets import Architecture, Recipe
from isofield.models.studio import Studio
from isofield.models.super_resolution import SuperResolution
from isofield.models.synthesis import Synthesis
from isofield.views.eg3d import label_of

LABEL = 25  # numbers of a camera, as EG3D counts them


class GeoGen(nn.Module):
    """noise -> z (and a camera, where it is conditioned) -> w -> planes -> fields.

    frame: from the unit frame to the world of the pictures it was trained on; studio: how these were taken.
    """

    def __init__(
        self,
        architecture: Architecture,
        density: Density,
        frame: UnitFrame | None = None,
        studio: Studio | None = None,
    ):
        super().__init__()
        a = self.architecture = architecture
        self.frame, self.studio = frame or UnitFrame(), studio or Studio()
        self.mapping = Mapping(a.latent, LABEL if a.conditioned else 0, a.latent, a.mapping_depth)
        self.synthesis = Synthesis(a.latent, 3 * a.plane_channels, a.plane_size, base=a.base, most=a.most)
        self.decoder = TriplaneDecoder(
            a.plane_channels, density=density, octaves=a.octaves, width=a.width, outputs=a.features
        )
        self.refine = SuperResolution(a.features, a.raw, a.size, a.latent, a.refine) if a.size > a.raw else None

    def styles(
        self, noise: Float[Tensor, "b latent"], label: Float[Tensor, "b 25"] | None = None, truncation: float = 1.0
    ) -> Float[Tensor, "b latent"]:
        """noise: of N(0, 1); label: needed where the mapping is conditioned, else not looked at."""
        return self.mapping.truncated(self.mapping(self.mapping.latents(noise), label), truncation)

    def scenes(self, w: Float[Tensor, "b latent"], fresh: bool = False) -> Triplanes:
        """What the volume renderer takes. fresh: with new noise in the backbone, as in training."""
        a = self.architecture
        planes = self.synthesis(w, fresh).view(-1, 3, a.plane_channels, a.plane_size, a.plane_size)
        return Triplanes(planes, self.decoder)

    def field(self, w: Float[Tensor, " latent"]) -> TriplaneField:
        """G(w), in the world of the training pictures."""
        return self.scenes(w[None]).field(0, self.frame)

    def spec(self) -> dict[str, Any]:
        """JSON to build it again with `restore`."""
        return {
            "type": "GeoGen",
            "frame": self.frame.to_json(),
            "architecture": asdict(self.architecture),
            "density": self.decoder.density.spec(),
            "studio": asdict(self.studio),
        }

    def tensors(self) -> dict[str, Tensor]:
        """All weights, the mean style and the stored noise, as float32."""
        return {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "GeoGen":
        with torch.random.fork_rng(devices=[]):
            architecture = Architecture.restore(spec["architecture"])
            density, frame = restore_density(spec["density"]), UnitFrame.from_json(spec["frame"])
            generator = cls(architecture, density, frame, Studio.restore(spec.get("studio", {})))
        generator.load_state_dict({name: value.float() for name, value in tensors.items()})
        return generator.eval().requires_grad_(False)

    def latent(
        self, seeds: int | Sequence[int], truncation: float = 1.0, label: Float[Tensor, " 25"] | None = None
    ) -> Float[Tensor, " latent"]:
        """w of the latent that these numbers draw, the same on every device; a single one stands for (it, 0, 0).

        label: the camera that a conditioned mapping is told, by default the one at the front of the studio.
        """
        numbers = (seeds, 0, 0) if isinstance(seeds, int) else seeds
        seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
        noise = torch.randn(1, self.architecture.latent, generator=torch.Generator().manual_seed(seed))
        where = self.mapping.mean
        if label is None and self.architecture.conditioned:
            label = torch.tensor(label_of(self.studio.front()))
        told = None if label is None else label[None].to(where)
        return self.styles(noise.to(where), told, truncation)[0]


def new_density(name: str, recipe: Recipe) -> Density:
    """The density of an architecture, its scale fixed or learned as the recipe begins."""
    if not DENSITIES[name].signed:
        return DENSITIES[name]()
    return restore_density(
        {"type": name, "beta": recipe.beta, "floor": recipe.beta_floor, "learned": recipe.settle == 0}
    )
