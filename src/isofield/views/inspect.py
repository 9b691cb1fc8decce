"""What a set of posed pictures holds, and what is wrong with it."""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from os import PathLike

import numpy as np

from isofield.errors import InputError
from isofield.views.consistency import LEAST, Silhouette, judge, named_fault, odd_ones, silhouette
from isofield.views.image_set import ImageSet
from isofield.views.poses import Poses, bearings, poses_of
from isofield.views.read import scan

BINS = 12
JUDGED, SEEN = 8, 24  # shapes, and views of each, whose silhouettes are compared
LONG = 5  # names that are listed
EVEN = 3  # times the emptiest azimuths, from which a set counts as unbalanced


@dataclass(frozen=True)
class ViewsInspection:
    """Counts, sizes and poses; names of bad pictures; problems: each with its way out.

    sizes: pictures of each "WIDTHxHEIGHT"; focals (in picture widths) and distances (from target) as least and
    largest; target: the point nearest to all optical axes; spread: their mean distance from it; up: an axis or None;
    azimuths: pictures in each 30 degrees from -180; elevations: in each 15 degrees from -90; faults: entries that
    cannot be used; mislabelled: views that contradict the others of their shape; convention: what silhouettes say
    about the cameras, None where they do not object or cannot tell (judged: of how many shapes they were compared).
    """

    file: str
    layout: str
    pictures: int
    shapes: int
    sizes: dict[str, int]
    focals: tuple[float, float]
    distances: tuple[float, float]
    target: tuple[float, float, float]
    spread: float
    up: str | None
    azimuths: tuple[int, ...]
    elevations: tuple[int, ...]
    faults: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    blank: tuple[str, ...]
    mislabelled: tuple[str, ...]
    convention: str | None
    judged: int
    problems: tuple[str, ...]

    def to_json(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        rows = {
            "pictures": f"{self.pictures:,} of {self.shapes:,} shapes, {self.layout}",
            "sizes": ", ".join(f"{size} ({count:,})" for size, count in self.sizes.items()),
            "focal length": f"{_span(self.focals)} picture widths",
            "distance": f"{_span(self.distances)} from ({', '.join(f'{round(x, 6) + 0.0:.3g}' for x in self.target)})",
            "up": self.up or "cannot be told from the cameras",
            "azimuth": _histogram(self.azimuths, -180, 30),
            "elevation": _histogram(self.elevations, -90, 15),
            "silhouettes": _verdict(self),
        }
        body = "\n".join(f"  {name:13} {value}" for name, value in rows.items())
        lines = "\n".join(f"  - {line}" for line in self.problems) or "  - none found"
        return f"{self.file}\n{body}\n  problems\n{lines}"


def inspect_views(path: str | PathLike) -> ViewsInspection:
    """Read and decode every picture and report; raises InputError where there is no set, or not one good entry."""
    views, faults = scan(path)
    if not len(views):
        raise InputError(faults[0].where, faults[0].fault, faults[0].remedy)
    poses = poses_of([view.camera for view in views.views])
    found, bad = _look_at_all(views)
    azimuth, elevation = bearings([view.camera for view in views.views], poses.target, poses.up)
    shapes = [group for group in found.silhouettes.values() if len(group) >= LEAST]
    judged = [group[:: max(1, -(-len(group) // SEEN))] for group in shapes[:: max(1, -(-len(shapes) // JUDGED))]]
    fault = named_fault(judge([[seen for _, seen in group] for group in judged])) if judged else None
    odd = [] if fault else [group[k][0] for group in shapes for k in odd_ones([seen for _, seen in group])]
    mislabelled = tuple(views.views[index].name for index in odd)
    lists = (tuple(map(str, [*faults, *bad])), found.duplicates, found.blank, mislabelled)
    return ViewsInspection(
        str(path),
        views.kind,
        len(views),
        len(views.shapes()),
        dict(Counter(f"{view.camera.width}x{view.camera.height}" for view in views.views).most_common()),
        (float(poses.focals.min()), float(poses.focals.max())),
        (float(poses.distances.min()), float(poses.distances.max())),
        (float(poses.target[0]), float(poses.target[1]), float(poses.target[2])),
        poses.spread,
        poses.up,
        tuple(np.histogram(azimuth, BINS, (-180, 180))[0].tolist()),
        tuple(np.histogram(elevation, BINS, (-90, 90))[0].tolist()),
        *lists,
        fault,
        len(judged),
        tuple(_problems(views, poses, azimuth, lists, fault)),
    )


@dataclass
class _Found:
    duplicates: tuple[tuple[str, ...], ...]
    blank: tuple[str, ...]
    silhouettes: dict[str, list[tuple[int, Silhouette]]]


def _look_at_all(views: ImageSet) -> tuple[_Found, list[InputError]]:
    """Every picture decoded once: what is equal, empty, or damaged; silhouettes, by shape."""
    digests: dict[str, list[str]] = {}
    blank, damaged = [], []
    silhouettes: dict[str, list[tuple[int, Silhouette]]] = {}
    for index, view in enumerate(views.views):
        try:
            picture = views.picture(index)
            seen = silhouette(views, index, picture)
        except InputError as error:
            damaged.append(error)
            continue
        digests.setdefault(hashlib.sha256(picture.tobytes()).hexdigest(), []).append(view.name)
        if (picture == picture[0, 0]).all():
            blank.append(view.name)
        if seen is not None:
            silhouettes.setdefault(view.shape, []).append((index, seen))
    same = tuple(tuple(names) for names in digests.values() if len(names) > 1 and names[0] not in blank)
    return _Found(same, tuple(blank), silhouettes), damaged


def _problems(
    views: ImageSet, poses: Poses, azimuth: np.ndarray, lists: tuple[tuple, ...], fault: str | None
) -> list[str]:
    faults, duplicates, blank, mislabelled = lists
    turns = np.histogram(azimuth, BINS, (-180, 180))[0]
    twins = [" = ".join(names) for names in duplicates]
    sizes = {(view.camera.width, view.camera.height) for view in views.views}
    away = poses.facing < 0.5 and len(views) > 1
    lines = {
        f"{_count(faults, 'entry', 'entries')} cannot be used: {_listed(faults)}": faults,
        f"{_count(duplicates, 'picture')} more than once: {_listed(twins)}": duplicates,
        f"{_count(blank, 'picture')} of one colour: {_listed(blank)}": blank,
        f"{_count(mislabelled, 'view')} against the others, most likely with another picture's camera: "
        f"{_listed(mislabelled)}": mislabelled,
        f"silhouettes fit only if {fault}": fault,
        "cameras look away from what they stand around: perhaps their axes are OpenGL's where OpenCV's are meant": (
            away and not fault
        ),
        f"{poses.up} is up, where EG3D's sets have +y: isofield convert --up z turns it": poses.up == "+z",
        f"{poses.up} is up, where EG3D's sets have +y": poses.up not in (None, "+y", "+z"),
        f"pictures of {len(sizes)} sizes: training wants one": len(sizes) > 1,
        "azimuths are uneven: isofield convert --balance repeats the rare ones": (
            len(views) >= 4 * BINS and turns.max() > EVEN * turns[turns > 0].min()
        ),
        f"nothing is seen from {int((turns == 0).sum())} of {BINS} directions": (
            len(views) >= 4 * BINS and (turns == 0).any()
        ),
    }
    return [line for line, wanted in lines.items() if wanted]


def _verdict(found: ViewsInspection) -> str:
    if not found.judged:
        return f"cannot be compared (no shape has {LEAST} views with a mask or an even background)"
    return f"compared for {found.judged} shapes: {found.convention or 'pictures and cameras belong together'}"


def _histogram(counts: tuple[int, ...], start: int, step: int) -> str:
    """Filled bins with the angle that they begin at."""
    return " ".join(f"{start + step * k:+d}:{count}" for k, count in enumerate(counts) if count)


def _span(values: tuple[float, float]) -> str:
    low, high = (f"{value:.4g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _count(items: tuple, one: str, many: str = "") -> str:
    return f"{len(items):,} {one if len(items) == 1 else many or one + 's'}"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - LONG:,} more" if len(names) > LONG else ""
    return "; ".join(names[:LONG]) + more
