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
    """name: of the picture in its store; camera: where it was taken from; flipped: shown mirrored, left to right."""

    name: str
    camera: Camera
    flipped: bool = False

    @property
    def shape(self) -> str:
        """Of which shape: the folder of the picture."""
        return str(PurePosixPath(self.name).parent)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Views in the order of their file. Nothing but names and cameras is in memory; pictures are read on request."""

    store: Store
    views: tuple[View, ...]
    world: World = field(default_factory=World)
    kind: str = "EG3D"

    def __len__(self) -> int:
        return len(self.views)

    def picture(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """sRGB, on the world's background. Raises InputError for a damaged file."""
        image = self._image(self.views[index].name)
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            return self._turned(index, _laid_on(np.asarray(image), self.world.background))
        return self._turned(index, np.asarray(image.convert("RGB")))

    def depth(self, index: int) -> Float[np.ndarray, "h w"] | None:
        """Distance along the ray, infinite where nothing is hit; None where it is not known. Raises InputError."""
        name = beside(self.views[index].name, ".depth.npy")
        if name not in self.store.names:
            return None
        try:
            depth = np.load(io.BytesIO(self.store.read(name)), allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{self.store.path}/{name}", f"is no array ({error})", EXPORT_AGAIN) from None
        camera = self.views[index].camera
        if depth.shape != (camera.height, camera.width) or depth.dtype.kind != "f":
            fault = (
                f"holds {depth.dtype} {depth.shape}, not a number for each of {camera.width} x {camera.height} pixels"
            )
            raise InputError(f"{self.store.path}/{name}", fault, EXPORT_AGAIN)
        return self._turned(index, depth.astype(np.float32))

    def normal(self, index: int) -> Float[np.ndarray, "h w 3"] | None:
        """World-space unit normals to 8 bits, near zero where nothing is hit; None where they are not known."""
        name = beside(self.views[index].name, ".normal.png")
        if name not in self.store.names:
            return None
        normal = self._turned(index, np.asarray(self._image(name).convert("RGB")) / 127.5 - 1)
        return normal * [-1, 1, 1] if self.views[index].flipped else normal

    def mask(self, index: int) -> Bool[np.ndarray, "h w"] | None:
        """What is the shape: from its mask, its depth, or its picture's own transparency; None where not known."""
        name = beside(self.views[index].name, ".mask.png")
        if name in self.store.names:
            return self._turned(index, np.asarray(self._image(name).convert("L")) > 127)
        depth = self.depth(index)
        if depth is not None:
            return np.isfinite(depth)
        image = self._image(self.views[index].name)
        return self._turned(index, np.asarray(image.getchannel("A")) > 127) if "A" in image.getbands() else None

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

    def _turned(self, index: int, pixels: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(pixels[:, ::-1]) if self.views[index].flipped else pixels


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
