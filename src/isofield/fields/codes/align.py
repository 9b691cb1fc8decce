"""Where a scan lies in the frame of a space, and its code, at once."""

from itertools import permutations, product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from isofield.fields.codes.fit import FEW, MANY, CodeFit, Options, Search, candidates, check_observed
from isofield.fields.codes.observations import Observations
from isofield.fields.codes.pose import Pose
from isofield.fields.codes.prior import Label
from isofield.fields.codes.problem import State
from isofield.fields.space import ShapeSpace

TURNS = 16  # rotations about y to begin with, beside those that keep a cube
SCALES = (1.0, 0.85)  # of a scan in its own unit frame: a part of a shape is smaller than it
SHAPES, EACH = 24, 2  # to rank rotations by; of all shapes, to start from in each rotation that is left
PROBES = 128  # observations to rank by
WARM, STEPS = 10, 30  # iterations from each start, and from the best ones
TRIED, FINALISTS = 3, 4  # rotations for each start asked for; ends that are gone on with


def fit_code_and_pose(space: ShapeSpace, seen: Observations, options: Options | None = None) -> CodeFit:
    """The pose and the code that explain observations best, which lie in a unit frame of their own.

    Rotations about y and those of a cube are ranked by what a few of the trained shapes leave unexplained; in each of
    the best, from the best of all trained shapes, Levenberg-Marquardt improves pose and code together, few observations
    first. Residuals are lengths of the scan: in those of the space, shrinking a scan into a point of a surface would
    explain it. Raises as `fit_code` does.
    """
    options = options or Options()
    check_observed(seen)
    search = Search(space, seen, options)
    starts = _starts(search, TRIED * max(options.starts, 1))
    ends = search.solve(seen.take(FEW, search.generator), starts, WARM)
    many = seen.take(MANY, search.generator)
    best = search.solve(many, [(end.state, end.label) for end in ends[:FINALISTS]], STEPS)[0]
    for _ in range(options.passes):
        best = search.refined(best)
    return search.found(best, ends)


def rotations() -> Float[Tensor, "r 3 3"]:
    """About y in equal steps, then the others of the 24 that keep a cube."""
    angles = 2 * np.pi * np.arange(TURNS) / TURNS
    about = [[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]] for a in angles]
    turned = (np.eye(3)[list(p)] * s for p in permutations(range(3)) for s in product((1, -1), repeat=3))
    cube = [m for m in turned if np.linalg.det(m) > 0 and m[1, 1] != 1]
    return torch.tensor(np.array([*about, *cube]), dtype=torch.float32)


def _starts(search: Search, count: int) -> list[tuple[State, Label]]:
    """In each of so many rotations the best of the trained shapes; of a class that has none of these its best in the
    best rotation."""
    seen = search.seen.take(PROBES, search.generator)
    shapes = candidates(search.space, search.priors)
    few = _spread_out(shapes)
    turns = sorted(rotations(), key=lambda rotation: _ranked(search, seen, rotation, few)[0][0])[:count]
    ranked = [_ranked(search, seen, rotation, shapes) for rotation in turns]
    starts = [entry[1:] for entries in ranked for entry in entries[:EACH]]
    left_out = set(search.priors) - {label for _, label in starts}
    return starts + [next(entry[1:] for entry in ranked[0] if entry[2] == label) for label in sorted(left_out, key=str)]


def _ranked(
    search: Search, seen: Observations, rotation: Float[Tensor, "3 3"], shapes: list[tuple[Tensor, Label]]
) -> list[tuple[float, State, Label]]:
    """These shapes, in every scale, by what they cost; the best first."""
    found = []
    for scale, (code, label) in product(SCALES, shapes):
        problem, state = search.problem(seen, label), State(code, Pose(rotation, scale, torch.zeros(3)))
        found.append((problem.cost(problem.values(state), state), state, label))
        search.evaluations += problem.evaluations
    return sorted(found, key=lambda entry: entry[0])


def _spread_out(shapes: list[tuple[Tensor, Label]]) -> list[tuple[Tensor, Label]]:
    """The first, then always the code farthest from those taken."""
    codes = torch.stack([code for code, _ in shapes])
    distance, taken = torch.full((len(codes),), torch.inf), [0]
    while len(taken) < min(SHAPES, len(codes)):
        distance = torch.minimum(distance, (codes - codes[taken[-1]]).norm(dim=1))
        taken.append(int(distance.argmax()))
    return [shapes[i] for i in taken]
