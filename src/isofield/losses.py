"""Losses of signed distance learning, as pure functions: one formula of one paper each.

Values are signed distances (n,), negative inside; gradients are spatial, (n, 3). Each returns a scalar, the mean over
the points or rays given.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def l1(predicted: Float[Tensor, " n"], true: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """mean |f - s|."""
    return (predicted - true).abs().mean()


def clamped_l1(predicted: Float[Tensor, " n"], true: Float[Tensor, " n"], delta: float = 0.1) -> Float[Tensor, ""]:
    """mean |clamp(f, delta) - clamp(s, delta)|, clamp(x, d) = min(d, max(-d, x)); DeepSDF (Park et al. 2019), Eq. 4."""
    return l1(predicted.clamp(-delta, delta), true.clamp(-delta, delta))


def relative_l1(predicted: Float[Tensor, " n"], true: Float[Tensor, " n"], epsilon: float = 0.01) -> Float[Tensor, ""]:
    """mean |f - s| / (|s| + epsilon): the "MAPE" of Instant-NGP (Müller et al. 2022, section 5.2)."""
    return ((predicted - true).abs() / (true.abs() + epsilon)).mean()


def eikonal(gradients: Float[Tensor, "n 3"]) -> Float[Tensor, ""]:
    """mean (|grad f| - 1)^2; IGR (Gropp et al. 2020), Eq. 2."""
    return (gradients.norm(dim=1) - 1).square().mean()


def normal_alignment(
    gradients: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], tau: Bool[Tensor, " n"] | None = None
) -> Float[Tensor, ""]:
    """mean tau |grad f - n|; IGR, Eq. 3, with the switch of arXiv 2410.12725: tau is 1 where a normal exists, else 0.

    normals: outward unit vectors; where tau is 0 their values, even NaN, have no influence. tau None: all exist.
    """
    if tau is not None:
        normals = torch.where(tau[:, None], normals, gradients.detach())
        gradients = torch.where(tau[:, None], gradients, gradients.detach())
    return (gradients - normals).norm(dim=1).mean()


def siren_off_surface(values: Float[Tensor, "*n"], alpha: float = 100.0) -> Float[Tensor, ""]:
    """mean exp(-alpha |f|): no zeros away from the surface; psi in SIREN (Sitzmann et al. 2020), Eq. 6."""
    return torch.exp(-alpha * values.abs()).mean()


minimal_surface = siren_off_surface  # the same term in StyleSDF (Or-El et al. 2022): as little surface as is seen


def siren_loss(
    values: Float[Tensor, " n"],
    gradients: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    on_surface: Bool[Tensor, " n"],
) -> Float[Tensor, ""]:
    """SIREN, Eq. 6, with the weights and the averaging of the authors' code, which differ from the paper's.

    3000 |f| and 100 (1 - cos(grad f, n)) on the surface, 100 exp(-100 |f|) off it, 50 ||grad f| - 1| everywhere; every
    mean is over all n points. Where on_surface is False the normals are not read.
    """
    surface = values[on_surface].abs().sum()
    misaligned = (1 - torch.cosine_similarity(gradients[on_surface], normals[on_surface])).sum()
    ghosts = torch.exp(-1e2 * values[~on_surface].abs()).sum()
    stretched = (gradients.norm(dim=1) - 1).abs().sum()
    return (3e3 * surface + 1e2 * misaligned + 1e2 * ghosts + 5e1 * stretched) / len(values)


def sal(values: Float[Tensor, " n"], unsigned: Float[Tensor, " n"], degree: float = 1.0) -> Float[Tensor, ""]:
    """mean tau(f, h), tau = ||f| - h|^degree: the same for f and -f; SAL (Atzmon & Lipman 2020), section 3.

    unsigned: h2, the distance to the input; or h0, which is 0 on the input and 1 anywhere else.
    """
    return (values.abs() - unsigned).abs().pow(degree).mean()


def depth_consistency(
    values: Float[Tensor, "*r"], opacity: Float[Tensor, "*r"], gradients: Float[Tensor, "*r 3"] | None = None
) -> Float[Tensor, ""]:
    """mean over all rays of opacity |f|, f at the rendered depth o + d(r) d; GeoGen, Eq. 6, weighted by opacity.

    Unweighted, as printed, a ray that meets nothing is asked for a surface. The weight passes no gradient: fading away
    is no way to agree. Shrinking f and beta together is one, which a weight on gradients stops: where they are given,
    |f| / |grad f| stands for |f|, with a norm that passes no gradient.
    """
    errors = values.abs()
    if gradients is not None:
        errors = errors / gradients.detach().norm(dim=-1).clamp_min(1e-3)
    return (opacity.detach() * errors).mean()


def ray_consistency(
    values: Float[Tensor, "*r k"], offsets: Float[Tensor, "*r k"], opacity: Float[Tensor, "*r"]
) -> Float[Tensor, ""]:
    """mean of opacity e, where e is by how much f, at o + (d(r) + offset) d, is off what can be the distance there.

    GeoGen's Eq. 6 at further points of the ray, which the paper leaves open. The surface at d(r) is not farther away
    than the offset, so that |f| <= |offset|; and the ray met nothing before it, so that f >= 0 where the offset is
    negative. At an offset of zero e is |f|. The weight passes no gradient.
    """
    too_far = (values - offsets.abs()).clamp_min(0) + (-values - offsets.clamp_min(0)).clamp_min(0)
    return (opacity.detach()[..., None] * too_far).mean()
