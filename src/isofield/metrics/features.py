"""What pictures are compared by: a network that turns each into numbers. (Imports torch.)"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from isofield.errors import InputError
from isofield.files import check_exists

BATCH = 64  # pictures at a time
# inception-2015-12-05.pt: Inception-v3 as in Heusel et al. 2017, translated to TorchScript by the authors of StyleGAN2
INCEPTION = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
SIDE, LEVELS, CELLS = 64, 4, 2  # of the random network: pixels, halvings of them, cells a side that are averaged
WIDTHS = (16, 16)
FACE = 112  # pixels a side of the faces that ArcFace takes


@dataclass(frozen=True)
class Features:
    """name: stands in every result that was made with these. of: bytes of pictures -> d numbers each.

    is_inception: they are those by which FID and KID are defined; no other distance may be called so.
    """

    name: str
    of: Callable[[UInt8[Tensor, "b 3 h w"]], Float[Tensor, "b d"]]
    is_inception: bool = False

    @torch.no_grad()
    def __call__(self, pictures: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n d"]:
        batches = torch.from_numpy(pictures).permute(0, 3, 1, 2).split(BATCH)
        return torch.cat([self.of(batch.contiguous()) for batch in batches]).double().cpu().numpy()


def random_features(seed: int = 0) -> Features:
    """Of a network that has learned nothing, so that it is the same everywhere: `random-conv-SEED`.

    Two layers of random convolutions at each of four scales, from 64 pixels a side to 8, averaged in 2 x 2 cells: 256
    numbers. They notice colour, layout, sharpness and texture, and know nothing of what pictures mean: such distances
    order generators of one data set, and have no common scale with FID.
    """
    weights = _random_weights(seed)

    def of(pictures: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        level = _scaled(pictures, SIDE) / 127.5 - 1
        found = []
        for first, second in weights:
            x = F.avg_pool2d(F.relu(F.conv2d(level, first, padding=2)), 2)
            found.append(F.adaptive_avg_pool2d(F.relu(F.conv2d(x, second, padding=1)), CELLS).flatten(1))
            level = F.avg_pool2d(level, 2)
        return torch.cat(found, 1)

    return Features(f"random-conv-{seed}", of)


def script_features(path: Path) -> Features:
    """Of a TorchScript file of the user: bytes (b, 3, h, w) as floats from 0 to 255 -> (b, d).

    The file inception-2015-12-05.pt is known by its SHA-256, and asked for its 2,048 features. Raises InputError for
    what is no TorchScript, or gives something else.
    """
    network, digest = load_script(path)
    known = {"return_features": True} if digest == INCEPTION else {}

    def of(pictures: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        return _checked(path, lambda: network(pictures.float(), **known))

    return Features(path.stem, of, is_inception=digest == INCEPTION)


def face_features(path: Path) -> Features:
    """Of a TorchScript file of ArcFace's kind: (b, 3, 112, 112) from -1 to 1 -> (b, d). Faces are not searched for.

    Raises InputError as `script_features` does.
    """
    network, _ = load_script(path)

    def of(pictures: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        faces = _scaled(pictures, FACE) / 127.5 - 1
        return _checked(path, lambda: network(faces))

    return Features(path.stem, of)


def _random_weights(seed: int) -> list[tuple[Tensor, Tensor]]:
    rng, (one, two) = np.random.default_rng(seed), WIDTHS
    shapes = ((one, 3, 5, 5), (two, one, 3, 3))
    drawn = [[rng.normal(size=s) * np.sqrt(2 / np.prod(s[1:])) for s in shapes] for _ in range(LEVELS)]
    return [(torch.tensor(a, dtype=torch.float32), torch.tensor(b, dtype=torch.float32)) for a, b in drawn]


def _scaled(pictures: UInt8[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 side side"]:
    return F.interpolate(pictures.float(), (side, side), mode="bilinear", antialias=True)


def load_script(path: Path) -> tuple[torch.jit.ScriptModule, str]:
    """A TorchScript file, ready to be called, and its SHA-256. Raises InputError for anything else."""
    check_exists(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself, as which such files are found
            return torch.jit.load(str(path), map_location="cpu").eval(), sha256(path.read_bytes()).hexdigest()
    except (RuntimeError, ValueError, OSError) as error:
        fault = f"is no TorchScript file ({' '.join(str(error).split())[:80]})"
        raise InputError(path, fault, "name one that torch.jit.save wrote") from None


def _checked(path: Path, run: Callable[[], Tensor]) -> Float[Tensor, "b d"]:
    try:
        found = run()
    except (RuntimeError, TypeError) as error:
        fault = f"does not take pictures ({' '.join(str(error).split())[-120:]})"
        raise InputError(path, fault, "name a network (b, 3, h, w) -> (b, d)") from None
    if not isinstance(found, Tensor) or found.ndim != 2 or not torch.isfinite(found).all():
        raise InputError(path, "gives no finite (b, d) features", "name a network (b, 3, h, w) -> (b, d)")
    return found.float()
