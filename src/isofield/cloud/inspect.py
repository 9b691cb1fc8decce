"""What a cloud holds, and what a fit will do about it."""

from dataclasses import asdict, dataclass
from os import PathLike

import numpy as np

from isofield.cloud.clean import FEWEST, MOST, CloudReport, clean, dimensions
from isofield.cloud.cloud import Cloud
from isofield.cloud.orient import with_own_normals
from isofield.cloud.read import read_cloud

FAR_NOISE = 0.02  # noise over extent beyond which detail is lost


@dataclass(frozen=True)
class CloudInspection:
    """Findings, lengths in the file's units, extent and centre without the outliers; plan: what a fit does about each.

    points: rows of the file with finite coordinates; dropped: the other rows; kept: what a fit uses; spacing: median
    distance to the nearest neighbour; noise: standard deviation about the surface.
    """

    file: str
    points: int
    dropped: int
    duplicates: int
    outliers: int
    thinned: int
    kept: int
    spacing: float
    noise: float
    normals: bool
    colors: bool
    sensors: bool
    extent: tuple[float, float, float]
    center: tuple[float, float, float]
    plan: tuple[str, ...]

    def to_json(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        has = [name for name in ("normals", "colors", "sensors") if getattr(self, name)]
        rows = {
            "points": f"{self.points:,}",
            "spacing, noise": f"{self.spacing:.4g}, {self.noise:.4g}",
            "repeated, outliers": f"{self.duplicates:,}, {self.outliers:,}",
            "carries": ", ".join(has).replace("colors", "colours") or "coordinates alone",
            "extent": " x ".join(f"{side:.6g}" for side in self.extent),
            "centre": ", ".join(f"{value:.6g}" for value in self.center),
        }
        body = "\n".join(f"  {name:18} {value}" for name, value in rows.items())
        return f"{self.file}\n{body}\n  a fit will\n" + "\n".join(f"  - {line}" for line in self.plan)


def inspect_cloud(path: str | PathLike) -> CloudInspection:
    """Read the file, clean a copy, and report; raises InputError as `read_cloud` does."""
    cloud = read_cloud(path)
    kept, report = clean(cloud, at_most=MOST)
    low, high = kept.points.min(0), kept.points.max(0)
    return CloudInspection(
        file=str(path),
        points=len(cloud),
        dropped=cloud.dropped,
        duplicates=report.duplicates,
        outliers=report.outliers,
        thinned=report.thinned,
        kept=report.kept,
        spacing=report.spacing,
        noise=report.noise,
        normals=cloud.normals is not None,
        colors=cloud.colors is not None,
        sensors=cloud.sensors is not None,
        extent=_triple(high - low),
        center=_triple(low / 2 + high / 2),
        plan=tuple(_plan(cloud, kept, report, float((high - low).max()))),
    )


def _plan(cloud: Cloud, kept: Cloud, report: CloudReport, extent: float) -> list[str]:
    sides = "towards the sensors" if cloud.sensors is not None else "outward, by their winding number"
    own = with_own_normals(cloud) is not None
    spread, rough = dimensions(kept.points), report.noise > FAR_NOISE * extent
    lines = {
        f"do without {_count(cloud.dropped, 'row')} whose coordinates are not finite": cloud.dropped,
        f"take {_count(report.duplicates, 'repeated point')} once": report.duplicates,
        f"do without {report.thinned:,} of many close together": report.thinned,
        f"leave out {_count(report.outliers, 'outlier')}": report.outliers,
        f"be refused: fewer than {FEWEST} points are left": report.kept < FEWEST,
        "use its normals": own,
        f"estimate normals and turn them {sides}": not own,
        "fit its colour as well": cloud.colors is not None,
        f"smooth much away: the noise is {report.noise:.3g}": rough,
        "find no inside: all points lie in one plane": spread == 2,
        "be refused: all points lie on one line": spread < 2,
    }
    return [line for line, wanted in lines.items() if wanted]


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def _count(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
