"""Zero-shot classes by an ensemble of prompts (Radford et al. 2021, section 3.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets.disk import MOST_TEXT, read_file, to_text
from .retrieval import rank_of
from .run import Run
from .shares import share_interval

PROMPTS = Path(__file__).resolve().parent / "files" / "prompts.txt"
"""The packaged prompts."""
KS = (1, 5)


def read_prompts(path: str | PathLike[str] | None = None) -> tuple[str, ...]:
    """Prompts from a text file: one a line, ``{}`` where a class is named; # begins a comment.

    Args:
        path: the file; the packaged one if None.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no prompts, or one without ``{}`` or with two; the sentence says which line.
    """
    file = PROMPTS if path is None else Path(path)
    text, _ = to_text(read_file(file, MOST_TEXT))
    prompts = []
    for number, line in enumerate(text.splitlines(), 1):
        prompt = line.strip()
        if not prompt or prompt.startswith("#"):
            continue
        if prompt.count("{}") != 1:
            raise ValueError(
                f"{file}: line {number} is {prompt!r}; expected {{}} once, where a class is named."
            )
        prompts.append(prompt)
    if not prompts:
        raise ValueError(f"{file}: expected at least one prompt, got none.")
    return tuple(prompts)


def class_points(run: Run, classes: Sequence[str], prompts: Sequence[str]) -> Tensor:
    r"""One point (C, m) for each class: the mean of its prompts.

    Points of a model that projects (CLIP) are averaged as they are, unit vectors, and projected
    again, :math:`\sum_t x_t/\|\sum_t x_t\|` (Radford et al. 2021); of one that lifts (MERU and its
    kin) in normal coordinates at the origin, :math:`\exp_0\frac1T\sum_t\log_0 x_t`, which is what
    Desai et al. (2023) do before the exponential map. Where the unit vectors of a class cancel to
    nothing, the point is as the manifold's ``proj`` says.

    Args:
        run: a trained run.
        classes: C names.
        prompts: T texts with ``{}`` in the name's place.

    Raises:
        ValueError: no classes or no prompts.
    """
    if not len(classes) or not len(prompts):
        raise ValueError(
            f"class_points: {len(classes)} classes and {len(prompts)} prompts; expected one or "
            "more of each."
        )
    # Not by str.format: a class may have braces of its own.
    texts = [prompt.replace("{}", name) for name in classes for prompt in prompts]
    points = run.encode_texts(texts)
    points = points.view(len(classes), len(prompts), points.shape[-1])
    with torch.no_grad():
        model = run.model
        mean = model.coordinates(points.to(next(model.parameters()).device)).mean(1)
        return model.from_coordinates(mean).cpu()


def top_figures(
    scores: NDArray[np.floating], label: NDArray[np.int64], cluster: NDArray[Any]
) -> dict[str, Any]:
    """Top-1 and top-5 accuracy with 95 % intervals, and each by chance.

    Args:
        scores: (N, C), larger is better. The right class ranks behind others of its score.
        label: (N,), the right column.
        cluster: (N,), which rows belong together; see :func:`share_interval`.
    """
    rank = rank_of(scores, np.arange(scores.shape[1]) == label[:, None])
    return {
        f"top {k}": {
            **share_interval((rank < k).astype(np.float64), cluster)._asdict(),
            "chance": min(k / scores.shape[1], 1.0),
        }
        for k in KS
    }


def zero_shot(
    run: Run,
    images: Tensor,
    classes: Sequence[str],
    label: NDArray[np.int64],
    cluster: NDArray[Any],
    prompts: Sequence[str],
) -> dict[str, Any]:
    """Zero-shot accuracy of points of pictures: by the class's bare name, by the prompts together,
    and the least and the most that a single one of them has.

    Args:
        run: whose points and texts they are.
        images: points (N, m) of pictures.
        classes: C names.
        label: (N,), which of them is right.
        cluster: (N,), which pictures belong together.
        prompts: see :func:`class_points`.
    """

    def figures(some: Sequence[str]) -> dict[str, Any]:
        points = class_points(run, classes, some)
        return top_figures(-run.distances(images, points).numpy(), label, cluster)

    alone = [figures([prompt])["top 1"]["share"] for prompt in prompts]
    return {
        "classes": len(classes),
        "prompts": len(prompts),
        "name alone": figures(["{}"]),
        "ensemble": figures(prompts),
        "single prompts": {"least": min(alone), "most": max(alone)},
    }
