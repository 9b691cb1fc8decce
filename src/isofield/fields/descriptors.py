"""Text as a vector: what tells a decoder that an armchair is nearer to a chair than to a lamp.

`ClassTable.described` takes any function of text to a vector. `Ngrams` needs nothing else and knows spelling alone;
`text_model` loads a language model from a folder of this machine.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from isofield.errors import InputError
from isofield.files import read_json

Describe = Callable[[str], Float[Tensor, " d"]]


@dataclass(frozen=True)
class Ngrams:
    """Words of a text and runs of letters in them, counted in `width` places by hash with random sign.

    Feature hashing (Weinberger et al. 2009) of fastText's pieces of words (Bojanowski et al. 2017), 3 to 5 letters
    with the marks < and > of where a word begins and ends; unit length. Texts are near as far as they share words or
    parts of them: it knows no meaning. "sofa" is as far from "couch" as from "lamp", until descriptions name both.
    """

    width: int = 64
    shortest: int = 3
    longest: int = 5

    def __call__(self, text: str) -> Float[Tensor, " d"]:
        vector = torch.zeros(self.width)
        for word in re.findall(r"\w+", text.lower()):
            pieces = list(self._pieces(f"<{word}>"))
            for piece in pieces:
                place = zlib.crc32(piece.encode())
                vector[(place >> 1) % self.width] += (1 - 2 * (place & 1)) / len(pieces)
        return torch.nn.functional.normalize(vector, dim=0)

    def _pieces(self, word: str) -> Iterator[str]:
        yield word
        for length in range(self.shortest, min(self.longest, len(word) - 1) + 1):
            for start in range(len(word) - length + 1):
                yield word[start : start + length]


def text_model(folder: str | Path) -> Describe:
    """The sentence-transformer, or CLIP's half for text, in a folder of this machine; nothing is fetched.

    Raises InputError where the folder or the package that reads it is missing, or the folder holds neither.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        raise InputError(folder, "holds no text model", "name the folder of a sentence-transformer or CLIP")
    kind = read_json(folder / "config.json") if (folder / "config.json").is_file() else None
    try:
        is_clip = isinstance(kind, dict) and kind.get("model_type") in ("clip", "clip_text_model")
        return _clip(folder) if is_clip and not (folder / "modules.json").is_file() else _sentences(folder)
    except ImportError as error:
        package = "transformers" if error.name == "transformers" else "sentence-transformers"
        raise InputError(folder, f"needs the package {package}", f"pip install {package}") from None
    except (OSError, ValueError) as error:
        raise InputError(folder, f"is no text model ({' '.join(str(error).split())[:80]})", "name another") from None


def _sentences(folder: Path) -> Describe:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
    )
    return lambda text: torch.as_tensor(model.encode(text)).float()


def _clip(folder: Path) -> Describe:
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    tokens = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model = CLIPTextModelWithProjection.from_pretrained(str(folder), local_files_only=True, use_safetensors=True).eval()

    @torch.no_grad()
    def describe(text: str) -> Tensor:
        return model(**tokens(text, return_tensors="pt", truncation=True)).text_embeds[0].float()

    return describe
