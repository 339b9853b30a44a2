"""A trained run in Python: pictures and texts to points, and what lies near them."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...datasets.augment import to_float
from ...datasets.pictures import decode, square
from ...datasets.share import is_npz
from ...losses import pairwise_logits
from ...manifolds import Manifold
from ..training.checkpoint import Checkpoint, read_checkpoint
from .run_data import known_texts
from .traversal import ROOT, traverse

CHUNK = 512
"""Pictures, and texts, that are encoded at once."""
_EXPECTED = (
    "expected a file, a PIL image, an array (H, W, 3) or a tensor (3, H, W), "
    "of uint8 or of floats in 0..1"
)


class Ranked(NamedTuple):
    """A text, its distance from the picture, and its probability among the texts given."""

    text: str
    distance: float
    probability: float


class Near(NamedTuple):
    """The number of a point among those given, and its distance."""

    number: int
    distance: float


class Met(NamedTuple):
    """A text on the way to the root, and where it is first the nearest: 0 at the picture, 1 at the
    root, whose own text is ``[ROOT]``."""

    text: str
    at: float


@dataclass(frozen=True)
class Run(Checkpoint):
    """What a finished (or stopped) training left: everything to encode pictures and captions.

    Made by :func:`load_run`. Points are on the CPU, wherever the model is.
    """

    @cached_property
    def manifold(self) -> Manifold:
        """The space of the points, on the CPU."""
        return copy.deepcopy(self.model.manifold).cpu()

    @cached_property
    def root(self) -> Tensor:
        """The root, (m,): the origin, or for a model without one the point of the empty text."""
        tokens = self.tokenizer.encode([""])[0]
        with torch.no_grad():
            return self.model.root(tokens.to(self._device)).cpu()

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def encode_images(self, images: Sequence[Any] | Tensor | np.ndarray[Any, Any]) -> Tensor:
        """Points (N, m) of pictures, prepared as those that the run was trained on.

        Args:
            images: a list of pictures, of any size and mixed as you like: paths of files, PIL
                images, arrays (H, W, 3) or tensors (3, H, W), of uint8 or of floats in 0..1; or
                one array or tensor of several.

        Raises:
            ValueError: a picture of another shape, dtype or range, or a file that is none.
            FileNotFoundError: no such file.
        """
        if isinstance(images, (str, bytes, os.PathLike)) or not hasattr(images, "__len__"):
            raise TypeError(
                f"Run.encode_images: got one {type(images).__name__}; expected a list of pictures."
            )
        parts = [torch.empty(0, *self.root.shape)] if not len(images) else []
        for k in range(0, len(images), CHUNK):
            some = [self._prepared(images[i], i) for i in range(k, min(k + CHUNK, len(images)))]
            parts.append(self.encode_prepared(torch.stack(some)))
        return torch.cat(parts)

    @torch.no_grad()
    def encode_prepared(self, images: Tensor) -> Tensor:
        """Points (N, m) of pictures (N, 3, S, S) in [0, 1] of the model's own size."""
        chunks = torch.split(images, CHUNK)
        parts = [self.model.encode_image(some.to(self._device)).cpu() for some in chunks]
        return torch.cat(parts)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Points (N, m) of a list of texts."""
        if isinstance(texts, str):
            raise TypeError(f"Run.encode_texts: got the text {texts!r}; expected a list of texts.")
        parts = [torch.empty(0, *self.root.shape)] if not len(texts) else []
        for k in range(0, len(texts), CHUNK):
            tokens = self.tokenizer.encode(texts[k : k + CHUNK])
            parts.append(self.model.encode_text(tokens.to(self._device)).cpu())
        return torch.cat(parts)

    @torch.no_grad()
    def logits(self, x: Tensor, y: Tensor) -> Tensor:
        """What the model's contrastive loss compares points (N, m) and (M, m) by, (N, M)."""
        contrast = self.model.contrastive
        return pairwise_logits(
            x.double(),
            y.double(),
            manifold=self.manifold,
            scale=float(contrast.scale()),
            logits=contrast.logits,
        )

    @torch.no_grad()
    def distances(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of all pairs of points (N, m) and (M, m), (N, M), in float64."""
        return self.manifold.cdist(x.double(), y.double(), matmul=True)

    def rank(self, image: Any, texts: Sequence[str]) -> list[Ranked]:
        """Texts by their distance from a picture, the nearest first.

        Args:
            image: one picture, of a kind that :meth:`encode_images` takes.
            texts: at least one. Probabilities are those of the training: the softmax of the logits
                of these texts, so they say which of them fits best and not whether any does.
        """
        if isinstance(texts, str) or not len(texts):
            raise ValueError(f"Run.rank: texts is {texts!r}; expected a list of at least one text.")
        x, y = self.encode_images([image]), self.encode_texts(texts)
        distance = self.distances(x, y)[0].tolist()
        probability = self.logits(x, y)[0].softmax(0).tolist()
        rows = zip(texts, distance, probability, strict=True)
        return sorted((Ranked(*row) for row in rows), key=lambda r: r.distance)

    def nearest(
        self, points: Tensor, *, image: Any = None, text: str | None = None, count: int = 5
    ) -> list[Near]:
        """Of points that were encoded, the nearest to a picture or to a text.

        Args:
            points: (N, m), of pictures or of texts.
            image: one picture, of a kind that :meth:`encode_images` takes; or
            text: a text.
            count: how many, at most N.
        """
        if (image is None) == (text is None):
            raise ValueError("Run.nearest: expected a picture or a text, and not both.")
        if points.ndim != 2 or points.shape[1:] != self.root.shape or count < 1:
            raise ValueError(
                f"Run.nearest: points is {tuple(points.shape)} and count {count}; expected "
                f"(N, {len(self.root)}), as encode_images and encode_texts give, and at least 1."
            )
        own = self.encode_images([image]) if text is None else self.encode_texts([text])
        distance = self.distances(own, points.cpu())[0]
        order = distance.argsort(stable=True)[:count].tolist()
        return [Near(k, float(distance[k])) for k in order]

    def to_root(self, image: Any, texts: Sequence[str] | None = None, steps: int = 50) -> list[Met]:
        """The texts on a picture's way to the root, the nearest first; see :func:`traverse`.

        Args:
            image: one picture, of a kind that :meth:`encode_images` takes.
            texts: those that can be met; the captions of the run's held-out pictures, and the texts
                above them, if not given.
            steps: points on the way.
        """
        if texts is None:
            texts = known_texts(self)
        (way,) = traverse(
            self.encode_images([image]),
            self.encode_texts(texts),
            self.root,
            manifold=self.manifold,
            min_radius=self.model.min_radius,
            steps=steps,
        )
        words = ["[ROOT]" if k == ROOT else texts[k] for k in way.texts]
        return [Met(*row) for row in zip(words, way.at, strict=True)]

    def prepare(self, image: Any) -> Tensor:
        """One picture as the encoder takes it, (3, S, S) in [0, 1].

        Of a run on a folder or shards the central square is cut out; of a run on the packaged
        pictures, or others of their format, a picture is set whole on a white square.
        """
        return self._prepared(image, 0)

    def _prepared(self, image: Any, number: int) -> Tensor:
        size, whole = self.config.side, is_npz(self.config.data)
        where = f"Run.encode_images: picture {number}"
        if isinstance(image, (str, os.PathLike)):
            path = Path(image)
            if not path.is_file():
                raise FileNotFoundError(f"{path}: expected a picture, found no such file.")
            try:
                pixels = decode(path.read_bytes(), size, whole=whole)
            except ValueError as error:
                raise ValueError(f"{path}: {error}.") from error
        elif isinstance(image, (np.ndarray, Tensor)):
            values = _checked(image, where)
            if values.shape[1:] == (size, size):
                return values
            from PIL.Image import fromarray

            scaled = (255 * values).round().to(torch.uint8).permute(1, 2, 0).numpy()
            pixels = square(fromarray(scaled), size, whole=whole)
        else:
            from PIL import Image, ImageOps

            if not isinstance(image, Image.Image):
                raise ValueError(f"{where} is of type {type(image).__name__}; {_EXPECTED}.")
            pixels = square(ImageOps.exif_transpose(image), size, whole=whole)
        return to_float(pixels[None])[0]


def load_run(folder: str | os.PathLike[str], *, device: str = "cpu", ema: bool = False) -> Run:
    """Read a run; the model is in evaluation mode.

    Args:
        folder: where ``spaceforms train`` put it.
        device: where the model goes.
        ema: take the averaged weights of a run that was trained with ``--ema``.

    Raises:
        FileNotFoundError: no checkpoint in the folder.
        ValueError: files that are not those of a run.
    """
    return Run(**vars(read_checkpoint(Path(folder), device=device, ema=ema)))


def _checked(image: np.ndarray[Any, Any] | Tensor, where: str) -> Tensor:
    """An array or tensor as (3, H, W) float32 in [0, 1]; ValueError in a sentence if it is none."""
    last = isinstance(image, np.ndarray)
    if isinstance(image, np.ndarray) and image.dtype.kind not in "biuf":
        raise ValueError(f"{where} is of {image.dtype}; {_EXPECTED}.")
    values = torch.from_numpy(np.ascontiguousarray(image)) if last else image.detach().cpu()  # type: ignore[union-attr]
    shape = tuple(values.shape)
    if len(shape) != 3 or shape[2 if last else 0] != 3 or 0 in shape:
        kind = "an array" if last else "a tensor"
        raise ValueError(f"{where} is {kind} of shape {shape}; {_EXPECTED}.")
    if values.dtype == torch.uint8:
        values = values.float() / 255
    elif values.is_floating_point():
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # NaN is no number of this range either
            raise ValueError(f"{where} has floats from {low:g} to {high:g}; {_EXPECTED}.")
        values = values.float()
    else:
        raise ValueError(f"{where} is of {str(image.dtype).removeprefix('torch.')}; {_EXPECTED}.")
    return values.permute(2, 0, 1) if last else values
