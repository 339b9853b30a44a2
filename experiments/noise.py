"""Laws that are known: whether adapters find the shape of the noise that made their data.

A text's embedding is its picture's and noise of one scale and shape: that is what the law predicted
from the picture should be. One adapter for each of the shapes.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from spaceforms.distributions import GeneralizedGaussian
from spaceforms.models.probvlm.config import ProbVLMConfig
from spaceforms.models.probvlm.train import train_adapters
from spaceforms.models.probvlm.uncertainty import likelihood_figures

_SHAPES = (0.7, 1.0, 1.5, 2.0, 4.0)


@dataclass(frozen=True)
class Options:
    """One method on synthetic embeddings."""

    method: str
    seed: int
    pairs: int = 4000
    dim: int = 4
    scale: float = 0.5
    epochs: int = 15
    hidden: int = 32
    lr: float = 5e-3


def figures(options: Options) -> dict[str, float]:
    """The median shape and the coverage for each shape of the noise, and the largest error.

    "error of the shape, largest" is |log(predicted/true)| where it is largest.
    """
    found, errors = {}, []
    rows = np.arange(options.pairs)
    for shape in _SHAPES:
        torch.manual_seed(options.seed)
        image = torch.randn(options.pairs, options.dim)
        text = image + GeneralizedGaussian(0.0, options.scale, shape).sample(image.shape)
        config = ProbVLMConfig(
            "-",  # no file: the embeddings are here
            "-",
            epochs=options.epochs,
            hidden=options.hidden,
            lr=options.lr,
            dropout=0.0,
            intra_weight=0.0,
            seed=options.seed,
        )
        model = train_adapters(config, options.method, image, text, torch.from_numpy(rows), rows)
        with torch.no_grad():
            predicted = float(model.law(image, "image").shape.median())
        judged = likelihood_figures(model, image, text)["cross"]["image"]
        found[f"shape for {shape}"] = predicted
        found[f"coverage 90% for {shape}"] = judged["coverage 90%"]
        errors.append(abs(math.log(predicted / shape)))
    return found | {"error of the shape, largest": max(errors)}
