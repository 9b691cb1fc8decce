"""What a generator learns from: a set's pictures at one size, with their cameras as EG3D's 25 numbers."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, UInt8

from isofield.errors import InputError
from isofield.views.eg3d import label_of
from isofield.views.image_set import ImageSet, View

HELD = 1 << 30  # bytes of pictures that are kept in memory; sets with more of them are read again and again
OTHERWISE = "bring the set to squares with `isofield convert --crop S`"


class Lessons:
    """Pictures of `size` x `size` pixels, read when first asked for, and their labels (n, 25).

    shapes (n,): the number of the shape that each one shows, counted in order; a folder shows one. finest: pixels a
    side of the smallest picture as it was given.

    The world is scaled by 1 / radius, so that shapes lie in the unit sphere. Raises InputError for pictures that are
    not square, or smaller than asked for.
    """

    def __init__(self, views: ImageSet, size: int):
        self.size, self.background = size, views.world.background
        self.radius = views.world.radius or seen_radius(views)
        where = views.store.path
        for view in views.views:
            camera = view.camera
            if camera.width != camera.height:
                fault = f"is {camera.width} x {camera.height}, not square"
                raise InputError(f"{where}/{view.name}", fault, OTHERWISE)
            if camera.width < size:
                fault = f"has {camera.width} pixels a side, fewer than the {size} to be learned"
                raise InputError(f"{where}/{view.name}", fault, f"give --size {camera.width} or less")
        self.whole = views
        self.views = replace(views, views=tuple(_resized(view, size) for view in views.views))
        self.labels = np.array([label_of(view.camera) for view in self.views.views], np.float32)
        self.labels[:, [3, 7, 11]] /= self.radius
        groups = self.views.shapes()
        self.shapes = np.zeros(len(views), np.int64)
        for number, indices in enumerate(groups.values()):
            self.shapes[indices] = number
        shape = (len(views), size, size, 3)
        self._held = np.zeros(shape, np.uint8) if np.prod(shape) <= HELD else None
        self._there = np.zeros(len(views), bool)
        sizes = [view.camera.width for view in views.views]
        self.finest = min(sizes)
        self._kept: dict[int, UInt8[np.ndarray, "s s 3"]] | None = {} if 3 * np.square(sizes).sum() <= HELD else None

    def __len__(self) -> int:
        return len(self.views)

    def pictures(self, indices: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b size size 3"]:
        """sRGB. Raises InputError for a damaged file."""
        return np.stack([self._picture(int(index)) for index in indices])

    def glimpses(
        self, indices: Int[np.ndarray, " b"], anywhere: Float[np.ndarray, "b r 2"]
    ) -> tuple[Float[np.ndarray, "b r 2"], UInt8[np.ndarray, "b r 3"]]:
        """Pixels of pictures as large as the files hold them: where their centres are, in picture sizes, and sRGB.

        anywhere: in [0, 1); the pixels are those that these places lie in. Raises InputError for a damaged file.
        """
        places, colors = np.empty_like(anywhere), np.empty((*anywhere.shape[:2], 3), np.uint8)
        for row, index in enumerate(indices):
            picture = self._whole_picture(int(index))
            x, y = np.minimum(anywhere[row] * len(picture), len(picture) - 1).astype(np.int64).T
            places[row], colors[row] = (np.stack([x, y], 1) + 0.5) / len(picture), picture[y, x]
        return places, colors

    def _whole_picture(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        if self._kept is None:
            return self.whole.picture(index)
        if index not in self._kept:
            self._kept[index] = self.whole.picture(index)
        return self._kept[index]

    def _picture(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        if self._held is None:
            return self.views.picture(index)
        if not self._there[index]:
            self._held[index], self._there[index] = self.views.picture(index), True
        return self._held[index]


def seen_radius(views: ImageSet) -> float:
    """Radius of the largest sphere around the origin that the median camera has wholly in its picture."""
    radii = []
    for view in views.views:
        camera = view.camera
        half = 0.5 * camera.width / camera.intrinsics[0, 0]
        radii.append(float(np.linalg.norm(camera.eye)) * half / np.hypot(1, half))
    return float(np.median(radii))


def draw(count: int, batch: int, step: int, seed: int) -> Int[np.ndarray, " batch"]:
    """Indices of the step's pictures: all of them once, in random order, then all again; by (seed, step) alone."""
    places = np.arange(step * batch, (step + 1) * batch)
    return np.array([_order(count, seed, int(place // count))[place % count] for place in places])


@lru_cache(2)
def _order(count: int, seed: int, turn: int) -> Int[np.ndarray, " n"]:
    return np.random.default_rng([seed, turn]).permutation(count)


def _resized(view: View, size: int) -> View:
    if view.camera.width == size:
        return view
    region = view.region or (0.0, 0.0, float(view.camera.width), float(view.camera.height))
    return replace(view, camera=view.camera.resized(size, size), region=region)
