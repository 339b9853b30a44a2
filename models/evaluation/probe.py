"""A linear probe: what a linear classifier finds in frozen features.

As in Radford et al. 2021, appendix A.3: logistic regression by L-BFGS, its regulariser chosen on a
part of the training data by a search over 12 decades that halves its step, then fitted on all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

COARSE = (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)
"""Logarithms to base 10 of the first regularisers tried."""
FINEST = 1 / 8
"""Of a decade: the last step of the search."""


class LinearProbe(NamedTuple):
    """A fitted classifier of K classes on features of width D."""

    weight: Tensor
    """(K, D), of standardised features."""
    bias: Tensor
    """(K,)."""
    mean: Tensor
    """(D,), of the features it was fitted on."""
    deviation: Tensor
    """(D,), 1 in a column that does not vary."""
    log10_strength: float
    """Of the regulariser that was chosen."""

    def scores(self, features: Tensor) -> Tensor:
        """Logits (N, K) of features (N, D)."""
        x = (features.to(self.mean) - self.mean) / self.deviation
        return x @ self.weight.mT + self.bias


def fit_probe(
    features: Tensor,
    label: Tensor,
    family: NDArray[np.int64] | None = None,
    *,
    classes: int | None = None,
    val_share: float = 0.2,
    most: int = 100,
    seed: int = 0,
) -> LinearProbe:
    r"""Logistic regression on features, with the regulariser chosen on a part of them.

    It minimises :math:`\sum_i -\log p(y_i\mid x_i) + \frac\lambda2\|W\|^2`, the bias free, on
    features of mean 0 and variance 1 in each column (the paper's are as they come, and a
    :math:`\lambda` means something else for each encoder). The exponent of :math:`\lambda` is
    searched as in the paper: from -6 to 6 in steps of 2, then on both sides of the best with steps
    halved down to 1/8; of equal accuracies the larger :math:`\lambda` is taken. Where the classes
    are separable and :math:`\lambda` is small there is next to no minimum, and ``most`` iterations
    end it (1,000 in the paper); each begins where its neighbour ended.

    Args:
        features: (N, D).
        label: (N,), 0 to K - 1.
        family: (N,), what must not be divided between fitting and choosing, as pictures of one
            thing; each row its own if None.
        classes: K; the largest label and one if None.
        val_share: of the families, those that the regulariser is chosen on.
        most: iterations of L-BFGS for each regulariser.
        seed: which families these are.

    Raises:
        ValueError: shapes that do not fit, numbers that are not finite, fewer than two families, or
            a share that leaves a part empty.
    """
    where = "fit_probe"
    if features.ndim != 2 or label.shape != features.shape[:1] or not len(label):
        raise ValueError(
            f"{where}: features have shape {tuple(features.shape)} and label {tuple(label.shape)}; "
            "expected (N, D) and (N,), N > 0."
        )
    if not bool(features.isfinite().all()):
        raise ValueError(f"{where}: features hold numbers that are not finite; expected finite.")
    families = np.arange(len(label)) if family is None else np.asarray(family)
    if families.shape != tuple(label.shape):
        raise ValueError(
            f"{where}: family has shape {families.shape} and label {tuple(label.shape)}; expected "
            "one shape."
        )
    count = int(label.max()) + 1 if classes is None else classes
    if int(label.min()) < 0 or int(label.max()) >= count:
        raise ValueError(
            f"{where}: labels are from {int(label.min())} to {int(label.max())}; expected 0 to "
            f"{count - 1}."
        )
    kinds = np.random.default_rng(seed).permutation(np.unique(families))
    held = np.isin(families, kinds[: round(val_share * len(kinds))])
    if held.all() or not held.any():
        raise ValueError(
            f"{where}: val_share {val_share} of {len(kinds)} families leaves {int(held.sum())} of "
            f"{len(held)} rows to choose on; expected some on both sides."
        )
    val = torch.from_numpy(held)
    x = features.detach().cpu().to(torch.promote_types(features.dtype, torch.float32))
    y = label.cpu().long()
    tried: dict[float, tuple[float, LinearProbe]] = {}

    def accuracy(power: float) -> float:
        if power not in tried:
            near = min(tried, key=lambda other: abs(other - power), default=None)
            start = None if near is None else tried[near][1]
            probe = _fit(x[~val], y[~val], count, power, most, start)
            right = probe.scores(x[val]).argmax(1) == y[val]
            tried[power] = float(right.double().mean()), probe
        return tried[power][0]

    power = searched(accuracy)
    return _fit(x, y, count, power, most, tried[power][1])


def searched(accuracy: Callable[[float], float]) -> float:
    """The power of ten with the highest accuracy, by the search of :func:`fit_probe`."""
    # From the strongest on: a fit that begins at a stronger one's end has little left to do.
    powers = sorted(COARSE, reverse=True)
    step = COARSE[1] - COARSE[0]
    found = max(powers, key=accuracy)
    while step > FINEST:
        step /= 2
        near = [p for p in (found + step, found, found - step) if COARSE[0] <= p <= COARSE[-1]]
        found = max(near, key=accuracy)
    return found


def _fit(
    x: Tensor, y: Tensor, count: int, power: float, most: int, start: LinearProbe | None
) -> LinearProbe:
    deviation, mean = torch.std_mean(x, dim=0, correction=0)
    deviation = deviation.where(deviation > 0, 1.0)
    z = (x - mean) / deviation
    weight, bias = torch.zeros(count, x.shape[1], dtype=x.dtype), torch.zeros(count, dtype=x.dtype)
    if start is not None:
        weight, bias = start.weight.clone(), start.bias.clone()
    weight.requires_grad_()
    bias.requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=most, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        # Over N: L-BFGS' own tolerances are for losses of about 1.
        loss = functional.cross_entropy(z @ weight.mT + bias, y)
        loss = loss + 10**power / (2 * len(y)) * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return LinearProbe(weight.detach(), bias.detach(), mean, deviation, power)
