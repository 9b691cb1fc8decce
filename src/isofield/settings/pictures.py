"""Pictures with cameras."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from isofield.errors import InputError
from isofield.settings.common import Output, check_at_least


@dataclass(frozen=True)
class RenderSettings:
    """Turn meshes into posed pictures with exact depth, normals and masks, labelled as EG3D wants them.

    Running the same command again goes on where it stopped, and adds what meshes have come to the folder.
    """

    input: Positional[Path]
    """Mesh file, or a folder: every mesh below it is rendered."""
    output: Output
    """Folder to write: dataset.json, and a sub-folder of pictures for each shape."""
    views: int | None = None
    """Pictures of each shape (10), spread all around by chance."""
    size: int = 128
    """Pixels along each side."""
    azimuth: tuple[float, float] = (-180.0, 180.0)
    """Degrees to the right of the front, which is +z: from, to."""
    elevation: tuple[float, float] = (-20.0, 40.0)
    """Degrees above: from, to."""
    distance: float = 9.0
    """Of the camera from the origin; shapes lie inside the unit sphere."""
    focal: float = 4.2647
    """Focal length in picture widths; with the distance of 9 the unit sphere fits the picture with a margin."""
    cameras: Path | None = None
    """Take all cameras of this dataset.json, transforms.json or set of pictures instead."""
    frame: Literal["unit", "own"] = "unit"
    """unit: centre each shape and scale it into the unit sphere; own: leave it where it is."""
    up: Literal["y", "z"] = "y"
    """What is up in the mesh files; z is turned to y."""
    light: Literal["studio", "varied", "flat"] = "studio"
    """Fixed in the world. varied: another environment for each shape; flat: colours as they are stored."""
    background: str = "white"
    """Name of a colour, or "#rrggbb"."""
    samples: int = 3
    """Per pixel along each side, odd."""
    color_only: bool = False
    """Write no depth, normals and masks: EG3D's own loader takes every picture in the folder for a labelled one."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What draws: a processor, or a GPU."""
    jobs: int | None = None
    """Processes at a time; by default one per core, and one on a GPU."""
    seed: int = 0
    """Seed of every random number."""
    restart: bool = False
    """Remove the pictures in the output folder and begin anew."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, views=1, size=2, samples=1, jobs=1)
        if self.samples % 2 == 0:
            raise InputError(
                "--samples", f"{self.samples} is even", "give an odd number: one lies at the pixel's centre"
            )
        if self.views is not None and self.cameras is not None:
            raise InputError("--views, --cameras", "both say how many pictures", "choose one")
        for name, (low, high), most in (("azimuth", self.azimuth, 360), ("elevation", self.elevation, 90)):
            if not -most <= low <= high <= most:
                raise InputError(f"--{name}", f"{low:g} to {high:g} is no range", f"give two angles up to {most}")
        for name, value in (("distance", self.distance), ("focal", self.focal)):
            if not 0 < value < float("inf"):
                raise InputError(f"--{name}", f"{value} is no length", "give a positive one")


@dataclass(frozen=True)
class ConvertSettings:
    """Bring a set of posed pictures into another layout, mirrored, balanced or cropped on the way."""

    input: Positional[Path]
    """Folder or uncompressed .zip with a dataset.json (EG3D), transforms.json (NeRF) or COLMAP text model."""
    output: Output
    """Folder to write, or a file that ends in .zip."""
    format: Literal["eg3d", "nerf", "colmap"] = "eg3d"
    """eg3d: dataset.json; nerf: transforms.json; colmap: a text model in sparse/0, pictures in images."""
    up: Literal["y", "z"] = "y"
    """What is up in the set; z, as in Blender's, is turned to y."""
    crop: int | None = None
    """Crop each picture to its shape's mask, square, and bring it to so many pixels."""
    mirror: bool = False
    """Add the mirror image of each picture, with the camera for which it is true."""
    balance: bool = False
    """Repeat pictures from rare azimuths, so that all weigh about alike."""
    color_only: bool = False
    """Leave out depth, normals and masks, as EG3D's own loader wants it."""
    seed: int = 0
    """Seed of every random number."""
    json: bool = False
    """Print one JSON object on stdout, and nothing else there."""
    debug: bool = False
    """Show the traceback of an error."""

    def __post_init__(self) -> None:
        check_at_least(self, crop=2)
