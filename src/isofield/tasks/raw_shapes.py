"""Shapes of a store whose distances have no sign: where their codes start, and whether they found their sides.

The sign-agnostic loss (see `isofield.tasks.sal`) is the same for a field and its negative, and for the distance without
sign. So a decoder starts as a sphere for every code, then learns for a moment the solids wrapped around what encloses
something; the sign of each shape is tested afterwards.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from isofield import losses
from isofield.fields.space import ShapeSpace
from isofield.mesh.surfels import Surfels
from isofield.samples.store import SampleStore
from isofield.tasks.sal import sign_test
from isofield.tasks.shrink_wrap import CELLS, wrap

SURFACE = 20_000  # surface points that a solid is wrapped around
KEPT = 4096  # its values that a code starts from, at random places
STEPS, SHAPES, BATCH, RATE = 200, 16, 512, 2e-3
TESTED = 5000  # surface points at which the sign is tested


def unsigned_shapes(store: SampleStore) -> list[int]:
    """Numbers of the shapes whose distances have no sign."""
    return [number for number, shape in enumerate(store.shapes) if not shape.signed]


def start_agnostic(space: ShapeSpace, store: SampleStore, seed: int = 0) -> list[str]:
    """Bring a fresh space near the solids wrapped around its unsigned shapes, in place; the same for the same seed.

    Returns the names of those that enclose nothing: scans from one side, sheets. They start as spheres.
    """
    with torch.no_grad():
        for shift in space.decoder.shifts:
            shift.weight.mul_(0.1)  # type: ignore[operator]  # so that codes do not bend the sphere at once
    rng = np.random.default_rng(seed)
    known, places, values, spheres = [], [], [], []
    for number in unsigned_shapes(store):
        if (found := _wrapped(store, number, rng)) is None:
            spheres.append(store.shapes[number].name)
            continue
        known.append(number)
        places.append(found[0])
        values.append(found[1])
    if known:
        _learn(space, torch.tensor(known), torch.from_numpy(np.stack(places)), torch.from_numpy(np.stack(values)), seed)
    return spheres


def _wrapped(
    store: SampleStore, number: int, rng: np.random.Generator
) -> tuple[Float32[np.ndarray, "k 3"], Float32[np.ndarray, " k"]] | None:
    """Points of the grid and the signed distance of the wrap there."""
    surface = Surfels(surface_points(store, number, SURFACE))
    solid = wrap(surface, float(np.median(surface.radius)))
    if solid is None:
        return None
    rows = rng.integers(0, solid.size, KEPT)
    axis = np.linspace(-1, 1, CELLS)
    at = np.stack([axis[index] for index in np.unravel_index(rows, solid.shape)], 1)
    return at.astype(np.float32), solid.flat[rows].astype(np.float32)


def _learn(space: ShapeSpace, shapes: Tensor, places: Tensor, values: Tensor, seed: int) -> None:
    space.train()
    adam = torch.optim.Adam([*space.decoder.parameters(), space.codes], RATE)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        some = torch.randperm(len(shapes), generator=draw)[:SHAPES]
        rows = torch.randint(KEPT, (len(some), BATCH), generator=draw)
        points = torch.take_along_dim(places[some], rows[..., None], 1)
        found = space(points, shapes[some])
        adam.zero_grad()
        losses.l1(found.flatten(), torch.take_along_dim(values[some], rows, 1).flatten()).backward()
        adam.step()


def surface_points(store: SampleStore, number: int, count: int) -> Float32[np.ndarray, "n 3"]:
    """Points of the surface of a shape, as its samples know it."""
    rows = store.rows(number, 0, count)
    return np.unique(rows["closest"], axis=0)


def sign_report(space: ShapeSpace, store: SampleStore) -> dict[str, Any]:
    """Of each unsigned shape what `sign_test` found, and the names of those without an inside."""
    found = dict(_tested(space, store))
    failed = [name for name, test in found.items() if test["inside"] == 0 or test["crossed"] < 0.5]
    return {"signs_failed": failed, "signs": found} if found else {}


def _tested(space: ShapeSpace, store: SampleStore) -> Iterator[tuple[str, dict[str, float]]]:
    for number in unsigned_shapes(store):
        name = store.shapes[number].name
        yield name, asdict(sign_test(space.field(name), surface_points(store, number, TESTED)))
