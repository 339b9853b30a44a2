"""What a predicted law holds: the pictures nearest to samples of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..image_text import ImageTextModel
from .model import ProbVLM


class Contents(NamedTuple):
    """Numbers of pictures: nearest to the location of each of Q laws (Q,), and to S samples of each
    (Q, S)."""

    location: Tensor
    samples: Tensor


@torch.no_grad()
def contents(
    model: ProbVLM,
    heads: ImageTextModel,
    x: Tensor,
    modality: str,
    pictures: Tensor,
    *,
    samples: int = 8,
    seed: int = 0,
) -> Contents:
    """The pictures nearest to samples of the laws of embeddings, by distance on the manifold.

    ProbVLM's figure decodes samples by a diffusion model (Upadhyay et al. 2023, figure 6); here
    what there is stands for what could be drawn. A sample of the coordinates is no point of the
    sphere of a model that projects: the nearest point to it is taken.

    Args:
        model: adapters, in evaluation mode.
        heads: whose coordinates the embeddings are.
        x: embeddings (Q, d).
        modality: theirs, "image" or "text".
        pictures: points (N, m) of the heads.
        samples: S.
        seed: of the samples.

    Raises:
        ValueError: no pictures, or fewer than one sample.
    """
    if samples < 1 or pictures.ndim != 2 or not len(pictures):
        raise ValueError(
            f"contents: samples is {samples} and pictures have shape {tuple(pictures.shape)}; "
            "expected at least 1, and (N, m) with N > 0."
        )
    law = model.law(x, modality)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = law.distribution().sample((samples,))

    def nearest(coordinates: Tensor) -> Tensor:
        points = heads.from_coordinates(coordinates)
        flat = points.reshape(-1, points.shape[-1]).double()
        found = heads.manifold.cdist(flat, pictures.double(), matmul=True).argmin(1)
        return found.view(points.shape[:-1])

    return Contents(nearest(law.loc), nearest(drawn).mT)


def contents_figures(
    found: Contents, kind: NDArray[np.int64], of: NDArray[np.int64]
) -> dict[str, float]:
    """How much of a law is of its own kind, and how various it is.

    Args:
        found: of Q laws.
        kind: (N,), what each picture is, such as its family or subgroup.
        of: (Q,), what each law is of.

    Returns:
        "location" and "samples", the shares whose nearest picture is of the law's kind, "chance",
        that of any picture, and "different", the mean share of a law's samples that are another
        picture each.
    """
    samples = found.samples.numpy()
    return {
        "location": float((kind[found.location.numpy()] == of).mean()),
        "samples": float((kind[samples] == of[:, None]).mean()),
        "chance": float((kind[None] == of[:, None]).mean()),
        "different": float(np.mean([len(np.unique(row)) / len(row) for row in samples])),
    }
