"""The exact distance to a mesh, as a field."""

from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from isofield.fields.field import Field
from isofield.frame import UnitFrame
from isofield.mesh.cleanup import cleaned
from isofield.mesh.color import barycentric, color_kind, surface_colors
from isofield.mesh.outer import SolidDistance

INSET = 1e-3  # colours are taken so far inside their face, where no other chart of the texture is met
TEXELS, FINEST = 1_000_000, 64  # colours in all of a textured mesh, and along an edge of a face


class ExactField(Field):
    """Signed distance to what triangles given in the unit frame enclose; exact to float32, not differentiable.

    Walls within it, where parts run into each other, are no surface (`SolidDistance`).

    colors: sRGB at m = (k + 1)(k + 2) / 2 points of each face, spread evenly with k steps along its edges: mesh colours
    (Yuksel et al. 2010). They begin at the first corner and run towards the second; k is 1 where corners say it all.
    """

    lipschitz = 1.0  # holds for closed meshes; where the winding number is unsure the sign may jump

    def __init__(
        self,
        vertices: Shaped[np.ndarray, "v 3"],
        faces: Shaped[np.ndarray, "f 3"],
        frame: UnitFrame | None = None,
        colors: UInt8[np.ndarray, "f m 3"] | None = None,
    ):
        self.mesh_distance = SolidDistance(vertices, faces)
        self.frame = frame or UnitFrame()
        self.colors = colors
        self.has_color = colors is not None

    @classmethod
    def of(cls, mesh: trimesh.Trimesh) -> "ExactField":
        """The distance to a mesh in the user's coordinates, its faces cleaned (`clean_faces`).

        Raises InputError where no triangle has an area.
        """
        frame, vertices, faces, done = cleaned(mesh)
        if color_kind(mesh) == "none":
            return cls(vertices, faces, frame)
        corners = np.asarray(mesh.vertices)[faces]
        corners = corners + INSET * (corners.mean(1, keepdims=True) - corners)
        steps = int(np.clip(np.sqrt(2 * TEXELS / len(faces)), 1, FINEST)) if color_kind(mesh) == "texture" else 1
        points = np.einsum("mc,fcd->fmd", lattice(steps), corners)
        colors = surface_colors(mesh, np.repeat(done.kept, points.shape[1]), points.reshape(-1, 3))
        return cls(vertices, faces, frame, np.round(colors * 255).astype(np.uint8).reshape(points.shape))

    def sdf(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        distance = self.mesh_distance.signed(points.detach().cpu().numpy())
        return torch.as_tensor(distance, dtype=points.dtype, device=points.device)

    def color(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        if self.colors is None:
            return super().color(points, directions)
        near = self.mesh_distance.closest(points.detach().cpu().numpy())
        corners = self.mesh_distance.vertices[self.mesh_distance.faces[near.face]]
        index, weights = lattice_weights(barycentric(corners, near.point), steps_of(self.colors.shape[1]))
        mixed = np.einsum("nc,ncd->nd", weights, self.colors[near.face[:, None], index] / 255.0)
        return torch.as_tensor(mixed.clip(0, 1), dtype=points.dtype, device=points.device)

    def spec(self) -> dict[str, Any]:
        """What beside `tensors()` describes this field, as JSON."""
        return {"type": "ExactField", "frame": self.frame.to_json(), "bounds": self.bounds}

    def tensors(self) -> dict[str, Tensor]:
        """Vertices (v, 3), float64 in the unit frame, faces (f, 3), int64, and any colours (f, m, 3), uint8."""
        mesh = self.mesh_distance
        tensors = {"vertices": torch.as_tensor(mesh.vertices), "faces": torch.as_tensor(mesh.faces)}
        return tensors if self.colors is None else {**tensors, "colors": torch.as_tensor(self.colors)}

    @classmethod
    def restore(cls, spec: dict[str, Any], tensors: dict[str, Tensor]) -> "ExactField":
        """The inverse of `spec` and `tensors`."""
        colors = tensors["colors"].numpy() if "colors" in tensors else None
        vertices, faces = tensors["vertices"].numpy(), tensors["faces"].numpy()
        if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
            raise ValueError(f"vertices {vertices.shape} and faces {faces.shape} are no triangles")
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise ValueError(f"its faces use vertex {faces.max()} of {len(vertices)}")
        if colors is not None and (colors.ndim != 3 or colors.shape[::2] != (len(faces), 3) or not colors.size):
            raise ValueError(f"colors {colors.shape} are not those of {len(faces)} faces")
        if colors is not None:
            steps_of(colors.shape[1])
        field = cls(vertices, faces, UnitFrame.from_json(spec["frame"]), colors)
        low, high = spec["bounds"]
        field.bounds = (tuple(low), tuple(high))
        return field


def lattice(steps: int) -> Float[np.ndarray, "m 3"]:
    """Barycentric coordinates of points spread evenly over a triangle, `steps` along each edge, from corner 0 on."""
    along, across = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1))
    inside = along + across <= steps
    second, third = along[inside] / steps, across[inside] / steps
    return np.stack([1 - second - third, second, third], 1)


def steps_of(count: int) -> int:
    """The inverse of len(lattice(steps)). Raises ValueError where there is none."""
    steps = round((np.sqrt(8 * count + 1) - 3) / 2)
    if steps < 1 or (steps + 1) * (steps + 2) != 2 * count:
        raise ValueError(f"{count} colours of a face are no triangle of them")
    return steps


def lattice_weights(
    coordinates: Float[np.ndarray, "n 3"], steps: int
) -> tuple[Int[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """The three points of `lattice` round each place, given by barycentric coordinates, and their linear weights."""
    u, v = coordinates[:, 1] * steps, coordinates[:, 2] * steps
    i = np.clip(u.astype(np.int64), 0, steps - 1)
    j = np.clip(v.astype(np.int64), 0, steps - 1 - i)
    u, v = u - i, v - j
    upper = (u + v > 1) & (i + j < steps - 1)
    first = np.where(upper, _place(i + 1, j + 1, steps), _place(i, j, steps))
    index = np.stack([first, _place(i + 1, j, steps), _place(i, j + 1, steps)], 1)
    weights = np.stack([np.where(upper, u + v - 1, 1 - u - v), np.where(upper, 1 - v, u), np.where(upper, 1 - u, v)], 1)
    return index, weights


def _place(i: np.ndarray, j: np.ndarray, steps: int) -> np.ndarray:
    return j * (steps + 1) - j * (j - 1) // 2 + i
