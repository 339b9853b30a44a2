"""Training of heads and adapters on features, and selection of what to train on by uncertainty."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets import EmojiData
from ..encoders.frozen import Features
from ..image_text import ImageTextModel
from ..registry import design_of, make_model
from ..training.optim import learning_rate
from .alignment_heads import GivenFeatures, Parts, coordinates, fit_heads
from .baselines import PCME, PFE, ProLIP
from .config import ProbVLMConfig
from .last_layer import fit_last_layer, last_layer_variance
from .model import LIKELIHOODS, ProbVLM
from .uncertainty import recalls, retrieval_scores


class Pairs:
    """Features row by row: each picture with the name of its concept, and its family."""

    def __init__(self, features: Features, data: EmojiData) -> None:
        self.image = torch.from_numpy(features.image).float()
        self.names = torch.from_numpy(features.text).float()
        self.concept = features.concept
        self.text = self.names[torch.from_numpy(features.concept)]
        self.family = torch.from_numpy(data.family[features.concept])


def train_heads(config: ProbVLMConfig, pairs: Pairs, rows: NDArray[np.int64]) -> ImageTextModel:
    """The heads of a model, trained on some rows; in evaluation mode."""
    torch.manual_seed(config.seed)
    radial = design_of(config.model, config.embed_dim, {}).lift == "normal"  # lengths are radii
    heads = make_model(
        config.model,
        GivenFeatures(pairs.image[rows], layer_norm=radial),
        GivenFeatures(pairs.text[rows], layer_norm=radial),
        embed_dim=config.embed_dim,
        options={},
    )
    fit_heads(
        heads,
        pairs.image[rows],
        pairs.text[rows],
        pairs.family[rows],
        epochs=config.head_epochs,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    return heads.eval()


def train_adapters(
    config: ProbVLMConfig,
    method: str,
    image: Tensor,
    text: Tensor,
    family: Tensor,
    rows: NDArray[np.int64],
) -> ProbVLM:
    """One method, trained on rows of the embeddings (N, d); in evaluation mode."""
    torch.manual_seed(config.seed)
    image, text, family = image[rows], text[rows], family[rows]
    both = torch.cat([image, text])
    sizes: dict[str, Any] = {
        "hidden": config.hidden,
        "dropout": config.dropout,
        "centre": both.mean(0),
        "spread": float((both - both.mean(0)).square().mean().sqrt()),
    }
    model: ProbVLM
    if method in LIKELIHOODS:
        weights: dict[str, Any] = {
            "intra_weight": config.intra_weight,
            "cross_weight": config.cross_weight,
        }
        model = ProbVLM(image.shape[1], likelihood=method, **weights, **sizes)
    else:
        model = {"pfe": PFE, "pcme": PCME, "prolip": ProLIP}[method](image.shape[1], **sizes)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    generator = torch.Generator().manual_seed(config.seed)
    size = min(config.batch_size, len(rows))
    steps = config.epochs * (len(rows) // size)
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < size:
            order = torch.randperm(len(rows), generator=generator)
        batch, order = order[:size], order[size:]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, peak=config.lr, steps=steps, warmup=0.05)
        same = family[batch, None] == family[None, batch]
        loss = model.loss(image[batch], text[batch], same).total
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    if not bool(loss.isfinite()):
        raise FloatingPointError(f"{method}: the loss is {float(loss)}; expected a finite one.")
    return model.eval()


def last_layer(
    heads: ImageTextModel,
    pairs: Pairs,
    rows: NDArray[np.int64],
    test: NDArray[np.int64],
    candidates: NDArray[np.int64],
) -> dict[str, Tensor]:
    """Variances of pictures ``test`` and names ``candidates`` by the law of the projections that
    rows ``rows`` trained; see :mod:`spaceforms.models.probvlm.last_layer`."""
    asked = {"image": pairs.image[test], "text": pairs.names[candidates]}
    given = {"image": pairs.image[rows], "text": pairs.text[rows]}
    encoders = {"image": heads.image_encoder, "text": heads.text_encoder}
    with torch.no_grad():
        points = {
            "image": heads.encode_image(given["image"]),
            "text": heads.encode_text(given["text"]),
        }
        found = {}
        for modality, other in (("image", "text"), ("text", "image")):
            features = encoders[modality](given[modality])
            law = fit_last_layer(heads, modality, features, points[other])
            inputs = encoders[modality](asked[modality])
            found[modality] = last_layer_variance(heads, modality, law, inputs)
    return found


def selection(
    config: ProbVLMConfig, pairs: Pairs, parts: Parts, data: EmojiData, *, draws: int = 3
) -> dict[str, Any]:
    """Add pictures of the pool to the heads' own: the most uncertain ones, or any.

    The pool is the adapters' part. Each half of its families is judged by adapters of the other
    half, so that nothing is selected by a model that has learned it.

    Returns:
        Recall at 1 of pictures on test concepts with heads trained on their own part ("none"), on
        it and the most uncertain, the least uncertain, or random pictures (mean over ``draws``),
        and on all.
    """
    heads = train_heads(config, pairs, parts.heads)
    with torch.no_grad():
        z_image = coordinates(heads, heads.encode_image(pairs.image))
        z_text = coordinates(heads, heads.encode_text(pairs.text))
    pool = parts.adapters
    family = pairs.family.numpy()
    generator = np.random.default_rng(config.seed)
    one = np.isin(family[pool], generator.permutation(np.unique(family[pool]))[::2])
    doubt = np.zeros(len(pool))
    for half in (one, ~one):
        judge = train_adapters(
            config, "generalized_gaussian", z_image, z_text, pairs.family, pool[~half]
        )
        u = judge.uncertainty(z_image[pool[half]], "image", passes=config.passes, seed=config.seed)
        doubt[half] = u.total.numpy()
    order = np.argsort(-doubt)
    count = min(config.select, len(pool))
    chosen = {
        "none": [pool[:0]],
        "most uncertain": [pool[order[:count]]],
        "least uncertain": [pool[order[-count:]]],
        "random": [generator.choice(pool, count, replace=False) for _ in range(draws)],
        "all": [pool],
    }
    test = parts.test
    candidates = np.unique(pairs.concept[test])
    right = family[test][:, None] == data.family[candidates][None]

    def recall(added: NDArray[np.int64]) -> float:
        model = train_heads(config, pairs, np.concatenate([parts.heads, added]))
        with torch.no_grad():
            image = model.encode_image(pairs.image[test])
            names = model.encode_text(pairs.names[candidates])
        return recalls(retrieval_scores(model, image, names), right)["R@1"]

    return {
        "added": count,
        "pool": len(pool),
        **{name: float(np.mean([recall(rows) for rows in sets])) for name, sets in chosen.items()},
    }
