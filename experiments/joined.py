"""Points of several models side by side, in the product of their spaces: one run.

A part is an image-text model trained on the pictures ("own") or heads on the features of the frozen
pair ("frozen"). Each is trained by itself; then a picture's point is its points of all parts, a
name's too, and the product's distance is the root of the sum of their squared distances.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import heads
import numpy as np
import torch
from torch import Tensor
from train_run import train_run

from spaceforms.datasets import EmojiData, load_emoji
from spaceforms.manifolds import Manifold, Product
from spaceforms.models.encoders.frozen import Features


@dataclass(frozen=True)
class Options:
    """Which parts, on what they are tested, and how each is trained."""

    seed: int
    parts: list[str]
    model: str = "clip"
    held_out: str = "emojione"
    own: dict[str, Any] = field(default_factory=dict)
    """Options of a training, of the parts that are called so."""
    frozen: dict[str, Any] = field(default_factory=dict)
    """Options of heads."""

    def __post_init__(self) -> None:
        unknown = set(self.parts) - {"own", "frozen"}
        if unknown or not self.parts:
            raise ValueError(f"parts is {self.parts}; expected a list of own and frozen.")
        self.heads(self.seed)  # what heads do not have is refused before the other parts train

    def heads(self, seed: int) -> heads.HeadOptions:
        """Those of a frozen part."""
        return heads.Options(seed=seed, model=self.model, held_out=self.held_out, **self.frozen)


@dataclass(frozen=True)
class Part:
    """A space, and points (N, m) of pictures and (C, m) of names in it."""

    manifold: Manifold
    images: Tensor
    names: Tensor


def retrieval(
    folder: Path, options: Options, found: Features | None, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (N, C), larger is nearer; the held-out pictures' concepts (N,) and the names' (C,)."""
    data = load_emoji()
    index = data.by_vendor(options.held_out).tests["vendor"]
    concept = data.concept[index]
    candidates = np.unique(concept)
    parts = []
    for k, kind in enumerate(options.parts):
        seed = options.seed + 1000 * k  # parts of one kind differ
        if kind == "own":
            part = _own(folder / f"part{k}", options, seed, index, candidates, device)
        else:
            assert found is not None
            part = _frozen(options.heads(seed), found, data)
        parts.append(part)
    space = parts[0].manifold if len(parts) == 1 else Product([p.manifold for p in parts])
    images = torch.cat([p.images.double() for p in parts], -1)
    names = torch.cat([p.names.double() for p in parts], -1)
    with torch.no_grad():
        distances = space.cdist(images, names, matmul=True)
    return -distances.numpy(), concept, candidates


def _own(
    folder: Path,
    options: Options,
    seed: int,
    index: np.ndarray,
    candidates: np.ndarray,
    device: str,
) -> Part:
    from spaceforms.models.evaluation import evaluate

    given = {"model": options.model, "held_out": options.held_out, "seed": seed, **options.own}
    run = train_run(folder, given, device)
    data, _ = evaluate.held_out(run)
    images = evaluate.image_points(run, data, index)
    return Part(
        run.model.manifold.cpu(),
        images,
        evaluate.text_points(run, [data.names[c] for c in candidates]),
    )


def _frozen(options: heads.HeadOptions, found: Features, data: EmojiData) -> Part:
    manifold, images, names, _, _ = heads.points(options, found, data)
    return Part(manifold, images, names)
