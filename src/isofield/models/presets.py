"""Sizes and recipes of generators that are trained from pictures. (Imports no torch.)"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Architecture:
    """The networks. Pictures are `raw` pixels a side as rendered, and `size` after super-resolution, if that is more.

    base, most: channels of the backbone are base / resolution, at most `most`; the critic has its own pair.
    density (name of its class), octaves, width: of the decoder. features: maps that are rendered, the first three RGB.
    refine: channels of the two blocks of super-resolution. conditioned: the mapping is told the camera (EG3D, section
    4.4), for sets whose poses tell of the shape.
    coarse, fine: samples along each ray.
    """

    size: int
    raw: int
    latent: int
    mapping_depth: int
    plane_size: int
    plane_channels: int
    base: int
    most: int
    critic_base: int
    critic_most: int
    critic_depth: int
    width: int = 64
    octaves: int = 4
    density: str = "LaplaceDensity"
    features: int = 3
    refine: tuple[int, int] = (128, 64)
    conditioned: bool = False
    coarse: int = 48
    fine: int = 48

    @classmethod
    def restore(cls, stored: dict[str, Any]) -> "Architecture":
        """The inverse of `asdict`."""
        return cls(**{**stored, "refine": tuple(stored["refine"])})


@dataclass(frozen=True)
class Recipe:
    """How it is trained. Rates are Adam's; spans are in kimg, thousands of pictures made.

    shares: into how many parts a batch is cut, to be done by several processes, or one after another in less memory.
    likeness: weight of the likeness of the set's own shapes to their pictures, with code_rate for their latents; the
    contest is then held in one step of `seldom` (0: in none), and beta is not learned but falls to a small part of a
    pixel of these pictures.
    settle: until then beta is fixed and Eq. 6 has no weight; then beta is learned at `beta_rate`.
    depth, eikonal, minimal, smooth: weights of Eq. 6, of slopes that are not 1, of StyleSDF's minimal surface, and of
    EG3D's smooth density. along: further points of each ray where what Eq. 6 implies is asked for, too. blur: deviation
    in pixels of the blur of all pictures, gone after `sharp`.
    finish: the last share of the run, in which pixels are the mean of several rays and beta falls to a small part of
    one, for a soft one puts outlines outside the surface.
    swap: share of labels that the mapping is not told truly, from `sharp` on. half_life: of the average.
    r1: weight gamma of R1, every `lazy` steps; None: see `adversarial.r1_weight`.
    tick: how often a line of the log, a checkpoint and a sheet are written.
    """

    batch: int
    shares: int = 1
    critic_rate: float = 0.002
    rate: float = 0.0025
    beta: float = 0.1
    beta_floor: float = 1e-3
    beta_rate: float = 1e-4
    settle: float = 10_000.0
    depth: float = 0.1
    along: int | None = None
    eikonal: float = 0.0
    minimal: float = 0.0
    smooth: float = 0.0
    likeness: float = 0.0
    code_rate: float = 0.003
    seldom: int = 8
    blur: float = 10.0
    sharp: float = 200.0
    finish: float = 0.0
    half_life: float = 10.0
    swap: float = 0.5
    lazy: int = 16
    r1: float | None = None
    tick: float = 4.0


@dataclass(frozen=True)
class Preset:
    architecture: Architecture
    recipe: Recipe


PRESETS: dict[str, Preset] = {
    "toy": Preset(
        Architecture(
            size=32, raw=32, latent=64, mapping_depth=2, plane_size=32, plane_channels=12, base=2048, most=64,
            critic_base=1024, critic_most=64, critic_depth=2, width=32, octaves=2, coarse=20, fine=12,
        ),
        Recipe(batch=8, settle=5.0, eikonal=0.5, blur=2.0, sharp=10.0, finish=0.1, half_life=2.5, tick=2.0),
    ),
    "small": Preset(
        Architecture(
            size=64, raw=32, latent=256, mapping_depth=2, plane_size=64, plane_channels=16, base=8192, most=128,
            critic_base=8192, critic_most=256, critic_depth=4, features=16, coarse=24, fine=24,
        ),
        Recipe(batch=16, settle=500.0, blur=2.0, sharp=100.0, half_life=5.0),
    ),
    "paper": Preset(
        Architecture(
            size=512, raw=64, latent=512, mapping_depth=2, plane_size=256, plane_channels=32, base=32768, most=512,
            critic_base=32768, critic_most=512, critic_depth=8, features=32, refine=(256, 128), octaves=6,
            coarse=48, fine=48,
        ),
        Recipe(batch=32),
    ),
}  # fmt: skip

Variant = Literal["geogen", "sdf", "density", "eg3d", "stylesdf"]


def varied(preset: Preset, variant: Variant) -> Preset:
    """A row of GeoGen's Table 2, or StyleSDF, at the sizes of the preset.

    geogen: SDF and Eq. 6; sdf: without Eq. 6; density: no SDF, but the positional code; eg3d: without that, too;
    stylesdf: logistic density learned from the start, eikonal and minimal-surface losses.
    """
    architecture, recipe = preset.architecture, preset.recipe
    if variant == "geogen":
        return preset
    if variant == "sdf":
        return Preset(architecture, replace(recipe, depth=0.0))
    if variant == "stylesdf":
        other = replace(recipe, depth=0.0, settle=0.0, eikonal=0.1, minimal=0.05)
        return Preset(replace(architecture, density="LogisticDensity"), other)
    octaves = architecture.octaves if variant == "density" else 0
    plain = replace(recipe, depth=0.0, eikonal=0.0, smooth=0.25)
    return Preset(replace(architecture, density="SoftplusDensity", octaves=octaves), plain)


def stored(preset: Preset) -> dict[str, Any]:
    """As JSON holds it."""
    return {"architecture": asdict(preset.architecture), "recipe": asdict(preset.recipe)}
