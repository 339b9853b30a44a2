"""Contrastive heads on features that are there already, and which concepts train what.

    features.npz -> heads -> points of one manifold -> coordinates -> ProbVLM

The two encoders of the features need not know of each other: the heads of any model of this package
align them.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets import Augmentation, EmojiData
from ...datasets.augment import to_float
from ...datasets.dataset import mirrorable
from ..encoders.frozen import Features, spread
from ..evaluation.run import CHUNK, Run
from ..image_text import ImageTextModel
from ..training.optim import learning_rate, parameter_groups


class GivenFeatures(nn.Module):
    """The encoder of what is encoded already: features (B, D) -> (B, D), standardised.

    Args:
        features: (N, D), those whose mean becomes 0 and whose variance becomes 1 in each column
            that has any. Only what is trained on belongs here.
        layer_norm: then also each row gets mean 0 and variance 1, as the last layer of a
            transformer gives it. Where a model makes radii of lengths (MERU), the length of a row,
            which says little of what a picture shows, else decides how near the root it lies.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: Tensor, *, layer_norm: bool = False) -> None:
        super().__init__()
        self.layer_norm = layer_norm
        scale, mean = torch.std_mean(features.float(), dim=0, correction=0)
        self.width = int(features.shape[1])
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale.where(scale > 0, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean) / self.scale
        return nn.functional.layer_norm(x, (self.width,)) if self.layer_norm else x


class Parts(NamedTuple):
    """Indices of pictures by what they serve. No family of concepts is in two parts.

    ``heads`` trains the heads and ``adapters`` the adapters on them; ``val`` is for choosing,
    ``test`` for the figures.
    """

    heads: NDArray[np.int64]
    adapters: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


def make_parts(data: EmojiData, *, share: float = 0.5, seed: int = 0) -> Parts:
    """Val and test concepts are the data's own; of the others heads get a share of the families.

    On concepts that the heads have learned, a picture lies nearer to its name than it does
    elsewhere: adapters of the same concepts would learn an uncertainty that is too small.

    Args:
        data: pictures and concepts.
        share: between 0 and 1, of the families of training concepts; the adapters get the rest.
        seed: which families.
    """
    if not 0 < share < 1:
        raise ValueError(f"make_parts: share is {share}; expected a number between 0 and 1.")
    split = data.by_concept()
    family = data.family[data.concept]
    families = np.random.default_rng(seed).permutation(np.unique(family[split.train]))
    first = np.isin(family[split.train], families[: round(share * len(families))])
    parts = {
        "heads": split.train[first],
        "adapters": split.train[~first],
        "val": split.tests.get("concept val", split.train[:0]),
        "test": split.tests.get("concept", split.train[:0]),
    }
    for name, rows in parts.items():
        if not len(rows) and name != "val":  # which nothing here reads
            raise ValueError(f"make_parts: no concepts for {name}; expected some of each part.")
    return Parts(**parts)


def fit_heads(
    model: ImageTextModel,
    image: Tensor,
    text: Tensor,
    family: Tensor,
    *,
    epochs: int = 10,
    batch_size: int = 256,
    lr: float = 2e-3,
    weight_decay: float = 0.1,
    seed: int = 0,
) -> list[float]:
    """Train the projections and learned scalars of a model of :class:`GivenFeatures`.

    Args:
        model: its encoders take the rows of ``image`` and ``text``.
        image, text: features (N, D) and (N, E), row by row a pair.
        family: (N,) integers; pairs of equal family are positives of each other.
        epochs, batch_size, lr, weight_decay: AdamW with a warmup of a tenth and a cosine.
        seed: of the order.

    Returns:
        The mean loss of each epoch.
    """
    count = len(family)
    if count < 2:
        raise ValueError(f"fit_heads: got {count} pairs; expected at least two to contrast.")
    batch_size = min(batch_size, count)
    per_epoch = count // batch_size
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay), lr=lr, betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(seed)
    history = []
    for epoch in range(epochs):
        order = torch.randperm(count, generator=generator)
        total = 0.0
        for k in range(per_epoch):
            step = epoch * per_epoch + k
            rate = learning_rate(step, peak=lr, steps=epochs * per_epoch, warmup=0.1)
            for group in optimizer.param_groups:
                group["lr"] = rate
            rows = order[k * batch_size : (k + 1) * batch_size]
            points = model.encode_image(image[rows]), model.encode_text(text[rows])
            loss = model.loss(*points, family[rows, None] == family[None, rows]).total
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += float(loss.detach())
        history.append(total / per_epoch)
    return history


def coordinates(model: ImageTextModel, points: Tensor) -> Tensor:
    """Numbers (..., d) of points (..., m), of which laws are.

    See :meth:`spaceforms.models.ImageTextModel.coordinates`.
    A law of independent numbers has mass off CLIP's sphere (as in the paper); likelihoods compare
    laws on one space, not spaces.
    """
    return model.coordinates(points)


def augmented(data: EmojiData, seed: int) -> EmojiData:
    """The same pictures, each moved and coloured at random as in training (``Augmentation()``)."""
    move = Augmentation()
    turns = np.asarray([mirrorable(c) for c in data.concepts])[data.concept]
    rows = np.arange(len(data))
    parts = []
    for k in range(0, len(data), CHUNK):
        chunk = rows[k : k + CHUNK]
        images = move(
            to_float(data.images[chunk]), chunk, seed=seed, epoch=0, mirrorable=turns[chunk]
        )
        parts.append((images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return dataclasses.replace(data, images=np.concatenate(parts))


@torch.no_grad()
def run_features(run: Run, data: EmojiData, rows: NDArray[np.int64] | None = None) -> Features:
    """The features of a trained run's two encoders, before its projections, for all of ``data`` or
    for its pictures ``rows``.

    In place of the frozen pair's where that is not installed. A run of the split "concept" has
    seen no val and no test concept.
    """
    rows = np.arange(len(data)) if rows is None else rows
    device = next(run.model.parameters()).device

    def joined(parts: list[Tensor]) -> NDArray[np.float32]:
        return torch.cat(parts).float().cpu().numpy()

    image = [
        run.model.image_encoder(to_float(data.images[rows[k : k + CHUNK]]).to(device))
        for k in range(0, len(rows), CHUNK)
    ]
    text = [
        run.model.text_encoder(run.tokenizer.encode(data.names[k : k + CHUNK]).to(device))
        for k in range(0, len(data.names), CHUNK)
    ]
    return Features(spread(joined(image), rows, len(data)), joined(text), data.concept, data.vendor)
