"""The bundled basis of faces: shapes of identity and expression, masks of regions, and places on its surface.

Everything is in centimetres, y up, the face looking to +z.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from isofield.data import resource
from isofield.mesh.distance import MeshDistance
from isofield.synthesis.solids import Number, about

BASE = -21.0  # height of the flat foot of the bust
SKIRT = 4  # rings between the open edge of the basis and its foot
SCALP, CHEST = np.array([0.0, 4.5, -0.5]), np.array([0.0, -16.5, -1.5])  # points from which the surface is seen whole
TILT = 20.0  # degrees by which the whorl of the hair lies behind the top of the head
NEAR, STEPS = 1e-3, 100  # a ray has arrived so near to the surface


@dataclass(frozen=True, eq=False)
class Places:
    """Points of the surface in a grid of directions: faces (r, t), weights (r, t, 3); directions are unit vectors."""

    faces: Int[np.ndarray, "r t"]
    weights: Float[np.ndarray, "r t 3"]
    directions: Float[np.ndarray, "r t 3"]

    def on(self, values: Float[np.ndarray, "v d"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "r t d"]:
        """What `values` of the vertices are there."""
        return np.einsum("rtk,rtkd->rtd", self.weights, values[faces[self.faces]])


@dataclass(frozen=True, eq=False)
class Basis:
    """mean (v, 3); identity (60, v, 3) and expression modes; masks of regions in [0, 1]; landmarks: the usual 68.

    faces: closed by a skirt down to a flat foot, whose vertices come after the v of the basis.
    """

    mean: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    edge: Int[np.ndarray, " e"]
    identity: Float[np.ndarray, "k v 3"]
    expressions: dict[str, Float[np.ndarray, "v 3"]]
    masks: dict[str, Float[np.ndarray, " v"]]
    landmarks: Int[np.ndarray, " l"]
    eye_center: Float[np.ndarray, "2 3"]
    eye_radius: Float[np.ndarray, " 2"]
    eye_direction: Float[np.ndarray, "2 3"]
    eye_modes: Float[np.ndarray, "2 k 3"]

    def closed(self, vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "w 3"]:
        """The vertices with those of the skirt and the foot."""
        edge, foot = vertices[self.edge], vertices[self.edge].copy()
        foot[:, 1] = BASE
        foot = foot * [0.94, 1, 0.94]
        t = (np.arange(1, SKIRT + 1) / SKIRT)[:, None, None]
        skirt = edge + (foot - edge) * t
        return np.concatenate([vertices, skirt.reshape(-1, 3), foot.mean(0, keepdims=True)])


@cache
def load_basis() -> Basis:
    """The basis, read once per process."""
    with np.load(resource("head_basis.npz")) as stored:
        data = {name: stored[name] for name in stored.files}
    mean, edge = data["mean"].astype(np.float64), data["neck_loop"].astype(np.int64)
    scaled = {key: data[f"{key}_q"] * data[f"{key}_s"][:, None, None].astype(np.float64) for key in ("id", "ex")}
    return Basis(
        mean=mean,
        faces=_closed_faces(data["faces"].astype(np.int64), edge, len(mean)),
        edge=edge,
        identity=scaled["id"],
        expressions=dict(zip(data["ex_names"].tolist(), scaled["ex"], strict=True)),
        masks=dict(zip(data["mask_names"].tolist(), data["masks"] / 255.0, strict=True)),
        landmarks=data["landmarks"].astype(np.int64),
        **{key: data[key].astype(np.float64) for key in ("eye_center", "eye_radius", "eye_modes")},
        eye_direction=data["eye_dir"].astype(np.float64),
    )


def _closed_faces(faces: np.ndarray, edge: np.ndarray, count: int) -> np.ndarray:
    """The faces, bands from the open edge down to the foot, and a fan under it, all facing outward."""
    size = len(edge)
    rings = np.concatenate([edge[None], count + np.arange(SKIRT * size).reshape(SKIRT, size)])
    a, b = rings[:-1], np.roll(rings[:-1], -1, axis=1)
    c, d = rings[1:], np.roll(rings[1:], -1, axis=1)
    last = rings[-1]
    added = np.concatenate(
        [
            np.stack([a, b, d], -1).reshape(-1, 3),
            np.stack([a, d, c], -1).reshape(-1, 3),
            np.stack([last, np.roll(last, -1), np.full(size, count + SKIRT * size)], 1),
        ]
    )
    directed = set(map(tuple, faces[:, [0, 1]].tolist())) | set(map(tuple, faces[:, [1, 2]].tolist()))
    directed |= set(map(tuple, faces[:, [2, 0]].tolist()))
    same = (int(edge[0]), int(edge[1])) in directed
    return np.concatenate([faces, added[:, ::-1] if same else added])


@cache
def scalp(azimuths: int = 192, polars: int = 61, last: float = 150.0) -> Places:
    """Places of the head around the whorl: row 0 there, the last row `last` degrees away; azimuth 0 is the back."""
    turn = about(0, -TILT)  # the pole leans backwards
    return _seen(SCALP, np.linspace(0, last, polars), azimuths, turn)


@cache
def shoulders(azimuths: int = 128, polars: int = 60, last: float = 112.0) -> Places:
    """Places of neck and shoulders around the vertical through the chest; azimuth 0 is the back."""
    return _seen(CHEST, np.linspace(14, last, polars), azimuths, np.eye(3))


def _seen(centre: np.ndarray, polars: np.ndarray, azimuths: int, turn: np.ndarray) -> Places:
    """The first places that rays from a centre meet."""
    t, p = 2 * np.pi * np.arange(azimuths) / azimuths, np.deg2rad(polars)[:, None]
    local = np.stack([np.sin(p) * np.sin(t), np.cos(p) + 0 * t, -np.sin(p) * np.cos(t)], -1)
    directions = np.einsum("rtk,dk->rtd", local, turn)
    basis = load_basis()
    surface = MeshDistance(basis.closed(basis.mean), basis.faces)
    flat = directions.reshape(-1, 3)
    reach, going = np.zeros(len(flat)), np.arange(len(flat))
    for _ in range(STEPS):
        step = surface.closest(centre + reach[going, None] * flat[going]).distance
        reach[going] += step
        going = going[step > NEAR]
        if not len(going):
            break
    found = surface.closest(centre + reach[:, None] * flat)
    corners = surface.vertices[surface.faces[found.face]]
    weights = _barycentric(found.point, corners)
    shape = directions.shape[:2]
    return Places(found.face.reshape(shape), weights.reshape(*shape, 3), directions)


def _barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    a, b, c = np.moveaxis(corners, 1, 0)
    normal = np.cross(b - a, c - a)
    size = np.einsum("nd,nd->n", normal, normal)
    second = np.einsum("nd,nd->n", np.cross(points - a, c - a), normal) / size
    third = np.einsum("nd,nd->n", np.cross(b - a, points - a), normal) / size
    weights = np.clip(np.stack([1 - second - third, second, third], 1), 0, 1)
    return weights / weights.sum(1, keepdims=True)


def normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Unit normals at the vertices, weighted with area."""
    area = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    total = np.stack([np.bincount(faces.reshape(-1), np.repeat(area[:, k], 3), len(vertices)) for k in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def smoothstep(low: Number, high: Number, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def ripples(rng: np.random.Generator, points: Float[np.ndarray, "*n 3"], scale: Number, octaves: int = 3) -> np.ndarray:
    """Smooth random values, about in [-1, 1], that change over lengths of `scale`: sums of plane waves."""
    total = np.zeros(points.shape[:-1])
    for octave in range(octaves):
        waves = rng.normal(size=(6, 3)) * 2**octave / scale
        phase = rng.uniform(0, 2 * np.pi, 6)
        total += np.sin(np.einsum("...d,kd->...k", points, waves) + phase).sum(-1) / 4 / 1.7**octave
    return total
