"""Any function that is negative inside is a field: here a gyroid, filled into a ball."""

import torch

import isofield


class Gyroid(isofield.Field):
    """A wall of the given half thickness around the gyroid of frequency k, inside a ball of radius 0.9."""

    def __init__(self, k: float = 10.0, half_thickness: float = 0.05):
        self.k, self.half_thickness = k, half_thickness

    def sdf(self, points):
        x, y, z = (self.k * points).unbind(-1)
        level = x.sin() * y.cos() + y.sin() * z.cos() + z.sin() * x.cos()
        wall = level.abs() / (1.5 * self.k) - self.half_thickness
        return torch.maximum(wall, points.norm(dim=-1) - 0.9)


result = isofield.extract(Gyroid(), resolution=96)
print(f"{len(result.mesh.faces):,} triangles, closed {result.watertight}, guard {result.guard}")
isofield.write_mesh(result.mesh, "gyroid.stl")
