"""What a repair did, what it guessed and what it left out: counted, and said in sentences."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from isofield.mesh.audit import Audit, edges_of, linked
from isofield.mesh.cleanup import CleanUp
from isofield.mesh.distance import MeshDistance
from isofield.mesh.enclosure import Sides

LITTLE = 1e-3  # shares below a thousandth are not worth a sentence
THIN = 0.01  # every acute edge is thinner than a cell somewhere


@dataclass(frozen=True)
class Fate:
    """Shares of the input's area that are not on the new surface, and why.

    inner: inside the solid (doubled walls, overlaps); sheets: enclose nothing; thin: of parts thinner than a cell,
    which may be torn or lost.
    """

    inner: float = 0.0
    sheets: float = 0.0
    thin: float = 0.0


@dataclass(frozen=True)
class Guesses:
    """What on the new surface the input does not show; lengths and areas in the user's units.

    invented: share of the area farther than a cell from every triangle, in so many patches, at most `farthest` away.
    """

    invented: float = 0.0
    invented_area: float = 0.0
    patches: int = 0
    farthest: float = 0.0


@dataclass(frozen=True)
class Findings:
    """What there is to say.

    before, after: audits of input and result; patched: how many of the holes got a smooth patch; features: vertices put
    on edges and corners; cell: in the user's units.
    """

    before: Audit
    cleaned: CleanUp
    after: Audit
    holes: int
    patched: int
    fate: Fate
    guesses: Guesses
    features: int
    cell: float
    thickness: float | None

    def repaired(self) -> list[str]:
        """One sentence for each kind of fault."""
        before, cleaned = self.before, self.cleaned
        soup = before.boundary_edges == 3 * before.faces
        if self.thickness is not None:
            return [f"a wall {self.thickness:g} thick was built around {_count(before.faces, 'triangle')}"]
        sheets = before.nonmanifold_vertices
        lines = {
            f"{_count(int(cleaned.turned.sum()), 'face')} turned to look outward": cleaned.turned.any(),
            f"{_count(cleaned.repeated, 'repeated face')} dropped": cleaned.repeated,
            f"{_count(cleaned.degenerate, 'face')} without area dropped": cleaned.degenerate,
            f"{_count(before.faces, 'loose triangle')} joined": soup,
            f"{_count(self.holes, 'hole')} closed ({_count(before.boundary_edges, 'boundary edge')}), {self.patched} "
            "with a patch that continues the surface": self.holes and not soup,
            f"{_count(before.nonmanifold_edges, 'edge')} with more than two faces parted": before.nonmanifold_edges,
            f"{_count(sheets, 'vertex', 'vertices')} where several sheets met parted": sheets,
            f"inner walls removed, {_percent(self.fate.inner)} of the input's area": self.fate.inner > LITTLE,
        }
        return [line for line, wanted in lines.items() if wanted] or [
            "nothing was broken: it was closed, manifold and oriented, and is meshed anew all the same"
        ]

    def doubtful(self) -> list[str]:
        """One sentence for each thing that was guessed or is missing."""
        fate, guesses, cell = self.fate, self.guesses, f"{self.cell:.3g}"
        lines = {
            f"{_percent(guesses.invented)} of the new surface (area {guesses.invented_area:.4g}) is invented over "
            f"holes: {_count(guesses.patches, 'patch', 'patches')} farther than a cell ({cell}) from every triangle, "
            f"at most {guesses.farthest:.4g}": guesses.patches,
            f"{_percent(fate.sheets)} of the input's area is sheets that enclose nothing, left out; --thickness T "
            "gives them a wall": fate.sheets > LITTLE,
            f"{_percent(fate.thin)} of the input's area belongs to parts thinner than a cell ({cell}), torn or lost; a "
            "larger --resolution keeps them": fate.thin > THIN,
        }
        return [line for line, wanted in lines.items() if wanted]

    def to_json(self) -> dict[str, Any]:
        """Shares are of areas; `_user`: in the user's units."""
        fate, guesses = self.fate, self.guesses
        return {
            "repaired": self.repaired(),
            "doubtful": self.doubtful(),
            "turned_faces": int(self.cleaned.turned.sum()),
            "repeated_faces": self.cleaned.repeated,
            "degenerate_faces": self.cleaned.degenerate,
            "holes": self.holes,
            "patched_holes": self.patched,
            "boundary_edges": self.before.boundary_edges,
            "nonmanifold_edges": self.before.nonmanifold_edges,
            "inner_share": fate.inner,
            "sheet_share": fate.sheets,
            "thin_share": fate.thin,
            "invented_share": guesses.invented,
            "invented_area_user": guesses.invented_area,
            "invented_patches": guesses.patches,
            "invented_farthest_user": guesses.farthest,
            "feature_vertices": self.features,
            "cell_user": self.cell,
            **asdict(self.after),
        }


def fate(both: Sides, missing: Bool[np.ndarray, " n"], shallow: Bool[np.ndarray, " n"]) -> Fate:
    """What became of samples of the input's area, given the two sides of each.

    missing (n,): those that are not on the new surface; shallow (n,): those with the outside less than a cell behind.
    """
    inner, sheet = missing & both.inner, missing & ~both.inner & ~both.encloses
    thin = (missing & ~inner & ~sheet) | (shallow & both.encloses & ~both.inner)
    return Fate(*(float(share.mean()) for share in (inner, sheet, thin)))


def guesses(source: MeshDistance, new: MeshDistance, cell: float, scale: float) -> Guesses:
    """What the new surface shows beyond the source; both in the unit frame, `scale` user units per unit."""
    corners = new.vertices[new.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area, center = np.linalg.norm(normal, axis=1) / 2, corners.mean(1)
    distance = source.closest(center).distance
    far = distance > cell
    total = area.sum()
    return Guesses(
        invented=float(area[far].sum() / total),
        invented_area=float(area[far].sum() * scale**2),
        patches=_pieces(new.faces[far], len(new.vertices)),
        farthest=float(distance.max() * scale) if far.any() else 0.0,
    )


def _pieces(faces: np.ndarray, vertices: int) -> int:
    """Number of pieces that the faces form across common edges."""
    if not len(faces):
        return 0
    of_corner = edges_of(faces, vertices).of_corner
    order = np.argsort(of_corner, kind="stable")
    same = of_corner[order[1:]] == of_corner[order[:-1]]
    return int(linked(order[1:][same] // 3, order[:-1][same] // 3, len(faces)).max()) + 1


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
