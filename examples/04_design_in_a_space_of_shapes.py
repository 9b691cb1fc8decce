"""Learn a family of shapes, then design in it: of the shapes with a wanted volume, the one most usual in the family."""

from pathlib import Path

import numpy as np
import torch
import trimesh

import isofield
from isofield.cli import main
from isofield.models.priors import Mixture

WANTED = 2.0  # volume, where the ball of radius 1 has 4.2

rng = np.random.default_rng(0)
Path("family").mkdir(exist_ok=True)
for i in range(16):  # pebbles of one length, as high and as deep as they like
    pebble = trimesh.creation.icosphere(3)
    pebble.apply_scale((1.0, *rng.uniform(0.4, 1.0, 2)))
    pebble.export(f"family/{i:02d}.ply")

main(["sample", "family", "-o", "store", "--count", "4000", "--jobs", "1"])
small = ["--code", "4", "--width", "48", "--depth", "3", "--shapes", "16", "--points", "64"]
main(["train", "auto-decoder", "store", "-o", "space", "--steps", "800", "--draw", "0", *small])
space = isofield.ShapeSpace.load("space")

prior = Mixture(1)
prior.fit(space.codes)
frame = space.members[0].frame
points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1  # in the unit frame's box, of volume 8

code = space.codes.mean(0).clone().requires_grad_()
adam = torch.optim.Adam([code], lr=0.02)
for _ in range(150):
    field = space.decode(code)  # differentiable by the code
    inside = torch.sigmoid(-field.sdf(points) / 0.02)  # a soft count of the points inside
    volume = inside.mean() * 8 * frame.scale**3
    loss = 100 * (volume / WANTED - 1) ** 2 - 0.1 * prior.log_density(code[None])[0]
    adam.zero_grad()
    loss.backward()
    adam.step()

mesh = space.decode(code.detach(), frame=frame).mesh(resolution=64)
usual = prior.log_density(torch.stack([code.detach(), *space.codes]))
print(
    f"volume {isofield.audit(mesh).volume:.2f} of {WANTED}, {np.round(np.ptp(mesh.bounds, axis=0), 2)} long, high, deep"
)
print(f"more usual than {int((usual[0] > usual[1:]).sum())} of the {len(space)} shapes of the family")
isofield.write_mesh(mesh, "pebble.ply")
