"""Files that a mesh file names: only those in its own folder or below are read, and never anything but plain files."""

import io
from pathlib import Path

from PIL import Image

from isofield.errors import InputError
from isofield.files import is_plain


def beside(path: Path, name: str) -> Path | None:
    """The named file, if it lies in the folder of the mesh file or below, links followed."""
    folder = path.parent.resolve()
    try:
        file = (folder / name.replace("\\", "/")).resolve()
    except (OSError, ValueError, RuntimeError):  # names that cannot be, links in a loop
        return None
    return file if file.is_relative_to(folder) and is_plain(file) else None


def picture(where: str | Path, content: Path | bytes) -> Image.Image:
    """An RGB picture; InputError about `where` for one that is damaged, or so large that it can only be a trap."""
    try:
        with Image.open(content if isinstance(content, Path) else io.BytesIO(content)) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 1 << 30):
                raise ValueError(f"it has {image.width} x {image.height} pixels")
            return image.convert("RGB")
    except MemoryError:
        raise
    except Exception as error:  # decoders meet arbitrary bytes
        fault = f"is no readable picture ({' '.join(str(error).split())[:100]})"
        raise InputError(where, fault, "mend or remove the picture") from error
