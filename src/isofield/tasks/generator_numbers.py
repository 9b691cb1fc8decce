"""What a generator draws, in numbers: its pictures against real ones, its surfaces, its shapes against true ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, UInt8
from torch import Tensor

from isofield.errors import IsofieldError
from isofield.frame import UnitFrame
from isofield.mesh.area import sample_surface
from isofield.meshing.extract import extract
from isofield.metrics.consistency import bulge, depth_gap, hollow_fraction, view_consistency
from isofield.metrics.features import Features
from isofield.metrics.picture_sets import frechet_distance, kernel_distance
from isofield.metrics.sets import compare_sets, diversity, pairwise_chamfer
from isofield.metrics.surface import referenced_frame
from isofield.models.geogen import GeoGen
from isofield.models.pictures import photographed
from isofield.progress import progress
from isofield.render.camera import Camera, orbit
from isofield.render.rasterize import rasterize
from isofield.views.eg3d import from_label, label_of
from isofield.views.lessons import Lessons

BATCH = 16  # pictures rendered at a time
PAIRS = 200  # shapes that are seen from two sides
LATTICE, PIXELS, CLOUD = 96, 64, 1024  # points along a side of the meshes; pixels of depths; points of each cloud
SEEN = 0.5  # opacity from which a pixel has a depth
Pictures = UInt8[np.ndarray, "n s s 3"]
Labels = Float[np.ndarray, "n 25"]


@dataclass(frozen=True, eq=False)
class Shape:
    """A latent, and the mesh of its zero level in the unit frame, in which its pictures are taken; None: has none."""

    style: Float[Tensor, " latent"]
    mesh: trimesh.Trimesh | None


def picture_numbers(
    generator: GeoGen, lessons: Lessons, count: int, features: Features, identity: Features | None = None, seed: int = 0
) -> dict[str, Any]:
    """Distances of `count` drawn pictures to as many real ones, at most half of those there are, by the same cameras.

    The floors are the same distances between other real pictures and these. identity: of faces, for GeoGen's ID.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(lessons))
    count = min(count, len(lessons) // 2)
    asked = lessons.labels[order[:count]]
    styles = latents(generator, asked, seed)
    fake = drawn_pictures(generator, styles, asked, lessons.background)
    again = drawn_pictures(generator, styles[:PAIRS], rng.permutation(asked)[:PAIRS], lessons.background)
    real, other = (lessons.pictures(part) for part in (order[:count], order[count : 2 * count]))
    of_fake, of_real, of_other = (features(pictures) for pictures in (fake, real, other))
    frechet, kernel = ("fid", "kid") if features.is_inception else ("frechet_distance", "kernel_distance")
    center, both = of_real.mean(0), real_pairs(lessons, rng)
    found = {
        "pictures": count,
        "features": features.name,
        frechet: frechet_distance(of_fake, of_real),
        f"{frechet}_floor": frechet_distance(of_other, of_real),
        kernel: kernel_distance(of_fake, of_real, seed=seed),
        f"{kernel}_floor": kernel_distance(of_other, of_real, seed=seed),
        "view_consistency": view_consistency(of_fake[:PAIRS], features(again), center),
        "view_consistency_real": view_consistency(features(both[0]), features(both[1]), center) if both else None,
    }
    if identity is not None:
        found["identity_features"] = identity.name
        found["identity"] = view_consistency(identity(fake[:PAIRS]), identity(again))
        found["identity_real"] = view_consistency(identity(both[0]), identity(both[1])) if both else None
    return found


@torch.no_grad()
def surface_numbers(generator: GeoGen, shapes: list[Shape], labels: Labels, seed: int = 0) -> dict[str, Any]:
    """How many have no surface; depth gap, by a random camera of the set each; hollow faces, from the front."""
    chosen = labels[np.random.default_rng(seed).integers(0, len(labels), len(shapes))]
    gaps = [
        depth_gap(rendered_depth(generator, shape.style, label), mesh_depth(shape.mesh, label))
        for shape, label in zip(shapes, chosen, strict=True)
        if shape.mesh is not None
    ]
    known = [found.gap for found in gaps if np.isfinite(found.gap)]
    return {
        "shapes": len(shapes),
        "empty": len(shapes) - len(gaps),
        "depth_gap": float(np.mean(known)) if known else None,
        "depth_missed": float(np.mean([found.missed for found in gaps])) if gaps else None,
        "hollow": hollow(meshes_of(shapes)),
    }


def set_numbers(generated: list[trimesh.Trimesh], real: list[trimesh.Trimesh]) -> dict[str, Any]:
    """The numbers of `compare_sets`, each mesh in a unit frame of its own; diversity alone where nothing is real."""
    g, r = clouds(generated), clouds(real)
    if len(g) < 2:
        return {}
    if len(r) < 2:
        return {"diversity": diversity(pairwise_chamfer(g, g))}
    return compare_sets(g, r) | {"hollow_real": hollow(real)}


def hollow(meshes: list[trimesh.Trimesh]) -> float | None:
    """Share of the meshes that are hollow, seen from +z in a unit frame of their own."""
    front = np.array(label_of(orbit(0, 0)), np.float32)
    share = hollow_fraction(np.array([bulge(mesh_depth(in_own_frame(mesh), front)) for mesh in meshes]))
    return share if np.isfinite(share) else None


@torch.no_grad()
def drawn_shapes(generator: GeoGen, count: int, seed: int, truncation: float = 1.0) -> list[Shape]:
    """Of the latents that `isofield generate` draws by this seed."""
    made: list[Shape] = []
    with progress("shapes", count) as advance:
        for index in range(count):
            w = generator.latent((seed, index, 0), truncation)
            made.append(Shape(w, _mesh(generator, w)))
            advance(index + 1)
    return made


def meshes_of(shapes: list[Shape]) -> list[trimesh.Trimesh]:
    return [shape.mesh for shape in shapes if shape.mesh is not None]


@torch.no_grad()
def latents(generator: GeoGen, labels: Labels, seed: int) -> Float[Tensor, "n latent"]:
    """w of as many latents as cameras; each is told of its camera where the generator is."""
    return torch.stack([generator.latent((seed, k, 0), 1.0, label) for k, label in enumerate(torch.as_tensor(labels))])


@torch.no_grad()
def drawn_pictures(
    generator: GeoGen, styles: Float[Tensor, "n latent"], labels: Labels, background: tuple[float, float, float]
) -> Pictures:
    """One picture of each latent, by the camera beside it."""
    drawn: list[Tensor] = []
    behind = torch.tensor(background)
    with progress("pictures", len(styles)) as advance:
        for w, label in zip(styles.split(BATCH), torch.as_tensor(labels).split(BATCH), strict=True):
            shots = photographed(generator, generator.scenes(w), w, label, behind, jitter=False)
            drawn.append(((shots.picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1))
            advance(sum(map(len, drawn)))
    return torch.cat(drawn).contiguous().numpy()


def real_pairs(lessons: Lessons, rng: np.random.Generator) -> tuple[Pictures, Pictures] | None:
    """Two pictures of each of some shapes that have so many; None where there are no such shapes."""
    several = [indices for indices in lessons.views.shapes().values() if len(indices) > 1]
    some = [several[k] for k in rng.permutation(len(several))[:PAIRS]]
    chosen = np.array([rng.choice(indices, 2, replace=False) for indices in some], np.int64)
    return (lessons.pictures(chosen[:, 0]), lessons.pictures(chosen[:, 1])) if len(chosen) else None


def clouds(meshes: list[trimesh.Trimesh]) -> list[Float[np.ndarray, "n 3"]]:
    return [np.asarray(sample_surface(in_own_frame(mesh), CLOUD, 0)[0], np.float64) for mesh in meshes]


def in_own_frame(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(referenced_frame(mesh).to_unit(mesh.vertices), mesh.faces, process=False)


@torch.no_grad()
def rendered_depth(generator: GeoGen, style: Tensor, label: Float[np.ndarray, " 25"]) -> Float[np.ndarray, "h w"]:
    """By volume rendering (Eq. 4); infinite where less than half of the light is stopped."""
    scenes, behind = generator.scenes(style[None]), torch.ones(3)
    shots = photographed(generator, scenes, style[None], torch.as_tensor(label)[None], behind, jitter=False, raw=PIXELS)
    depth = torch.where(shots.opacity > SEEN, shots.depth, torch.inf)
    return depth[0].view(PIXELS, PIXELS).numpy()


def mesh_depth(mesh: trimesh.Trimesh, label: Float[np.ndarray, " 25"]) -> Float[np.ndarray, "h w"]:
    """Of a mesh in the frame of the camera, infinite where it is not."""
    camera = _camera(label)
    vertices, faces = torch.as_tensor(np.array(mesh.vertices)), torch.as_tensor(np.array(mesh.faces, np.int64))
    return rasterize(vertices, faces, camera).depth.numpy()


def _camera(label: Float[np.ndarray, " 25"]) -> Camera:
    return from_label("camera", label.tolist(), PIXELS, PIXELS)


def _mesh(generator: GeoGen, style: Tensor) -> trimesh.Trimesh | None:
    try:
        return extract(generator.scenes(style[None]).field(0, UnitFrame()), LATTICE).mesh
    except IsofieldError:  # it has none
        return None
