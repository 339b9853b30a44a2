"""Heads on features of frozen encoders that have seen other pictures by the million: one run.

The features of all pictures are there; a run trains the projections and learned scalars of a model
on those of some vendors and retrieves names by the pictures of the others.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spaceforms.datasets import EmojiData
from spaceforms.manifolds import Manifold
from spaceforms.models.encoders.frozen import Features
from spaceforms.models.probvlm.alignment_heads import GivenFeatures, fit_heads
from spaceforms.models.registry import design_of, make_model


@dataclass(frozen=True)
class HeadOptions:
    """One model on the features of frozen encoders; see `Options`."""

    seed: int
    model: str = "meru"
    embed_dim: int = 64
    held_out: str = "emojione"
    epochs: int = 10
    lr: float = 2e-3
    weight_decay: float = 0.1
    layer_norm: bool = False
    """Whether each row of features is normalised too; see `GivenFeatures`."""
    judged: str = ""
    """Of several vendors held out the one whose pictures are judged; all if not given."""
    own: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        design_of(self.model, self.embed_dim, self.own)  # what the model does not have is refused


def Options(**options: Any) -> HeadOptions:
    """Those of a run; what is none of them is an option of the model."""
    known = HeadOptions.__dataclass_fields__.keys() - {"own"}
    own = {key: value for key, value in options.items() if key not in known}
    return HeadOptions(**{k: v for k, v in options.items() if k in known}, own=own)


def points(
    options: HeadOptions, found: Features, data: EmojiData
) -> tuple[Manifold, Tensor, Tensor, NDArray[np.int64], NDArray[np.int64]]:
    """The space, points (N, m) of held-out pictures and (C, m) of names in it, and the pictures'
    concepts (N,) and the names' (C,)."""
    split = data.by_vendor(options.held_out)
    rows, test = split.train, split.tests["vendor"]
    if options.judged:
        test = test[data.vendor[test] == data.vendors.index(options.judged)]
    image, name = torch.from_numpy(found.image), torch.from_numpy(found.text)
    text = name[found.concept[rows]]
    torch.manual_seed(options.seed)
    heads = make_model(
        options.model,
        GivenFeatures(image[rows], layer_norm=options.layer_norm),
        GivenFeatures(text, layer_norm=options.layer_norm),
        embed_dim=options.embed_dim,
        options=options.own,
    )
    fit_heads(
        heads,
        image[rows],
        text,
        torch.from_numpy(data.family[found.concept[rows]]),
        epochs=options.epochs,
        lr=options.lr,
        weight_decay=options.weight_decay,
        seed=options.seed,
    )
    candidates = np.unique(found.concept[test])
    with torch.no_grad():
        images, names = heads.encode_image(image[test]), heads.encode_text(name[candidates])
    return heads.manifold, images, names, found.concept[test], candidates


def retrieval(
    options: HeadOptions, found: Features, data: EmojiData
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Scores (N, C) of held-out pictures and names, larger is nearer; the pictures' concepts (N,)
    and the names' (C,)."""
    manifold, images, names, concept, candidates = points(options, found, data)
    with torch.no_grad():
        distances = manifold.cdist(images.double(), names.double(), matmul=True)
    return -distances.numpy(), concept, candidates
