"""Where the surface of a density lies that is no signed distance: at the raw value that pictures show."""

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.density import SoftplusDensity
from isofield.models.geogen import GeoGen
from isofield.models.pictures import photographed

SEEN = 0.5  # opacity from which a ray has met a surface


@torch.no_grad()
def settle_level(generator: GeoGen, w: Float[Tensor, "b latent"], labels: Float[Tensor, "b 25"]) -> None:
    """Make the level of an unsigned density its median raw value at the depth (Eq. 4) of rays that are mostly stopped.

    EG3D takes 10 for all generators; how dense one becomes inside depends on its size and training, and many shapes
    never get there. Signed distances, and pictures in which nothing is seen, are left as they are.
    """
    density = generator.decoder.density
    if not isinstance(density, SoftplusDensity):
        return
    scenes, background = generator.scenes(w), labels.new_tensor(generator.studio.background)
    shots = photographed(generator, scenes, w, labels, background, jitter=False)
    met = scenes.value(shots.rays.at(shots.depth[..., None])[:, :, 0])[shots.opacity > SEEN]
    if met.numel():
        density.level = float(met.median())
