"""Whether a model says the same of a picture that is moved by some pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .run import Run
from .shares import share_interval

MOST_PIXELS = 4


def shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Pictures (N, 3, S, S) moved by whole pixels, down and right if positive; what comes in
    repeats the edge, which is white on white ground.

    Raises:
        ValueError: a shift by a side or more.
    """
    side = min(images.shape[-2:])
    if max(abs(down), abs(right)) >= side:
        raise ValueError(
            f"shifted: down is {down} and right {right} for pictures of {side} pixels; expected "
            "less than a side."
        )
    if not len(images):
        return images
    height, width = images.shape[-2:]
    pad = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))
    wide = functional.pad(images, pad, mode="replicate")
    top, left = max(-down, 0), max(-right, 0)
    return wide[..., top : top + height, left : left + width]


def shift_figures(
    run: Run,
    images: Tensor,
    classes: Tensor,
    label: NDArray[np.int64],
    cluster: NDArray[Any],
    *,
    pixels: int = MOST_PIXELS,
) -> dict[str, Any]:
    """For shifts of 1 to ``pixels`` in the four directions, how often the nearest class stays what
    it was without ("kept", Azulay & Weiss 2019; Zhang 2019) and how often it is right.

    Args:
        run: a trained run.
        images: (N, 3, S, S) in [0, 1] of the model's own size.
        classes: points (C, m).
        label: (N,), the right class.
        cluster: (N,), which pictures belong together; see :func:`share_interval`.
        pixels: below S.

    Returns:
        By the number of pixels, "0" for the pictures as they are: "accuracy" and "kept", each a
        share with a 95 % interval.
    """
    if pixels < 1:
        raise ValueError(f"shift_figures: pixels is {pixels}; expected at least 1.")

    def nearest(some: Tensor) -> NDArray[np.int64]:
        distance = run.distances(run.encode_prepared(some), classes)
        return np.asarray(distance.argmin(1).numpy(), np.int64)

    def interval(hit: NDArray[np.bool_]) -> dict[str, float]:
        # Four directions of one picture belong together as pictures of one concept do.
        return share_interval(hit.ravel(), np.tile(cluster, len(hit)))._asdict()

    as_it_is = nearest(images)
    result: dict[str, Any] = {"0": {"accuracy": interval((as_it_is == label)[None])}}
    for k in range(1, pixels + 1):
        moves = ((k, 0), (-k, 0), (0, k), (0, -k))
        found = np.stack([nearest(shifted(images, *move)) for move in moves])
        result[str(k)] = {
            "accuracy": interval(found == label),
            "kept": interval(found == as_it_is),
        }
    return result
