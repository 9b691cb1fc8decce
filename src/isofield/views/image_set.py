"""The noun: pictures with their cameras, and what is known about each pixel."""

import io
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from isofield.errors import InputError
from isofield.mesh.color import to_linear, to_srgb
from isofield.render.camera import Camera
from isofield.views.regions import Region, nearest_part, smooth_part
from isofield.views.store import Store

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
TRUTH = (".normal.png", ".mask.png", ".depth.npy")  # what may lie beside PICTURE.png under PICTURE
EXPORT_AGAIN = "make it again, or take it out of the set"


@dataclass(frozen=True)
class World:
    """The scale of a set; None where it is not known.

    radius: of a sphere around the origin that holds the shapes; near, far: bounds of the distance along any ray;
    background: sRGB in [0, 1] behind the shapes, which transparent pictures are laid on.
    """

    radius: float | None = None
    near: float | None = None
    far: float | None = None
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class View:
    """A picture with its camera. name: in the store; region: the part of the file that is shown (all of it), brought to
    the camera's size; flipped: that part is shown mirrored, left to right."""

    name: str
    camera: Camera
    flipped: bool = False
    region: Region | None = None

    @property
    def shape(self) -> str:
        """Of which shape: the folder of the picture."""
        return str(PurePosixPath(self.name).parent)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Views in the order of their file. Nothing but names and cameras is in memory; pictures are read on request.

    kind: the layout it came in; turn: rotation of the world since then, for what the files say in world axes.
    """

    store: Store
    views: tuple[View, ...]
    world: World = field(default_factory=World)
    kind: str = "EG3D"
    turn: Float[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))

    def __len__(self) -> int:
        return len(self.views)

    def picture(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """sRGB, on the world's background. Raises InputError for a damaged file."""
        image = self._image(self.views[index].name)
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            pixels = _laid_on(np.asarray(image), self.world.background)
        else:
            pixels = np.asarray(image.convert("RGB"))
        view, (red, green, blue) = self.views[index], self.world.background
        if view.region is not None:
            fill = (round(255 * red), round(255 * green), round(255 * blue))
            pixels = smooth_part(pixels, view.region, view.camera.width, view.camera.height, fill)
        return np.ascontiguousarray(pixels[:, ::-1]) if view.flipped else pixels

    def depth(self, index: int) -> Float[np.ndarray, "h w"] | None:
        """Distance along the ray, infinite where nothing is hit; None where it is not known. Raises InputError."""
        name = beside(self.views[index].name, ".depth.npy")
        if name not in self.store.names:
            return None
        try:
            depth = np.load(io.BytesIO(self.store.read(name)), allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{self.store.path}/{name}", f"is no array ({error})", EXPORT_AGAIN) from None
        width, height = size_of(self.store, self.views[index].name)
        if depth.shape != (height, width) or depth.dtype.kind != "f":
            fault = f"holds {depth.dtype} {depth.shape}, not floats of {height} rows, {width} columns"
            raise InputError(f"{self.store.path}/{name}", fault, EXPORT_AGAIN)
        return self._shown(index, depth.astype(np.float32), np.inf)

    def normal(self, index: int) -> Float[np.ndarray, "h w 3"] | None:
        """World-space unit normals to 8 bits, near zero where nothing is hit; None where they are not known."""
        name = beside(self.views[index].name, ".normal.png")
        if name not in self.store.names:
            return None
        normal = self._shown(index, np.asarray(self._image(name).convert("RGB")) / 127.5 - 1, 0.0)
        return normal * ([-1, 1, 1] if self.views[index].flipped else 1) @ self.turn.T

    def mask(self, index: int) -> Bool[np.ndarray, "h w"] | None:
        """What is the shape: from its mask, its depth, or its picture's own transparency; None where not known."""
        name = beside(self.views[index].name, ".mask.png")
        if name in self.store.names:
            return self._shown(index, np.asarray(self._image(name).convert("L")) > 127, False)
        depth = self.depth(index)
        if depth is not None:
            return np.isfinite(depth)
        image = self._image(self.views[index].name)
        return self._shown(index, np.asarray(image.getchannel("A")) > 127, False) if "A" in image.getbands() else None

    def shapes(self) -> dict[str, list[int]]:
        """Indices of the views of each shape."""
        groups: dict[str, list[int]] = {}
        for index, view in enumerate(self.views):
            groups.setdefault(view.shape, []).append(index)
        return groups

    def chosen(self, indices: list[int]) -> "ImageSet":
        """Some of the views, in the order given; one may come more than once."""
        return replace(self, views=tuple(self.views[index] for index in indices))

    def _image(self, name: str) -> Image.Image:
        try:
            image = Image.open(io.BytesIO(self.store.read(name)))
            image.load()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{self.store.path}/{name}", f"is no readable picture ({error})", EXPORT_AGAIN) from None
        return image

    def _shown(self, index: int, values: np.ndarray, fill: float | bool) -> np.ndarray:
        """Exact values of a file as the view shows them."""
        view = self.views[index]
        if view.region is not None:
            values = nearest_part(values, view.region, view.camera.width, view.camera.height, fill)
        return np.ascontiguousarray(values[:, ::-1]) if view.flipped else values


def beside(name: str, suffix: str) -> str:
    """The name of the truth that lies beside a picture: heads/000.png -> heads/000.depth.npy."""
    return str(PurePosixPath(name).with_suffix("")) + suffix


def size_of(store: Store, name: str) -> tuple[int, int]:
    """Width and height of a picture, from its head alone; raises InputError."""
    try:
        with Image.open(io.BytesIO(store.read(name))) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "not a picture of any kind" if "cannot identify" in str(error) else str(error)
        raise InputError(f"{store.path}/{name}", f"is no readable picture ({reason})", EXPORT_AGAIN) from None


def _laid_on(rgba: UInt8[np.ndarray, "h w 4"], background: tuple[float, float, float]) -> UInt8[np.ndarray, "h w 3"]:
    """Mixed in linear light."""
    alpha = rgba[..., 3:] / 255.0
    mixed = alpha * to_linear(rgba[..., :3] / 255.0) + (1 - alpha) * to_linear(np.array(background))
    return np.round(to_srgb(np.clip(mixed, 0, 1)) * 255).astype(np.uint8)
