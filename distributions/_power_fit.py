"""Maximum likelihood for the generalized Gaussian law."""

import torch
from torch import Tensor

from ..manifolds.checks import check_tensor
from ._arguments import as_parameter, check_values

# Steps of Newton's method inside of a bracket: about five, and where it never enters its region,
# halvings of a range of e^9 to 1e-9.
_STEPS = 32
_HALVINGS = 48
# Location and shape are uncorrelated for symmetric laws: in turns each needs few.
_TURNS = 6
_NEIGHBOURS = 32


def fit(
    x: Tensor,
    *,
    loc: Tensor | float | None,
    shape: Tensor | float | None,
    weights: Tensor | None,
    dim: int | tuple[int, ...] | None,
    bounds: tuple[float, float],
) -> tuple[Tensor, Tensor, Tensor]:
    """(loc, scale, shape); see ``GeneralizedGaussian.fit``."""
    where = "GeneralizedGaussian.fit"
    low, high = bounds
    if not 0 < low < high < float("inf"):
        raise ValueError(f"{where}: bounds are {bounds}; expected 0 < low < high, finite.")
    with torch.no_grad():
        data, w = _columns(where, x, weights, dim)
        batch = data.shape[:-1]
        known = {"loc": loc, "shape": shape}
        m, b = (_known(where, k, v, x, batch) for k, v in known.items())
        if m is None:
            m = _median(data, w)
            for _ in range(_TURNS):
                now = b if b is not None else _shape(where, data - m, w, low, high)
                m = _location(data, w, m, now)
        r = data - m
        if b is None:
            b = _shape(where, r, w, low, high)
        size, top = _relative(where, r, w)
        mean = (w * size.pow(b)).sum(-1, keepdim=True)
        scale = top * (b * mean).pow(1 / b)
        return tuple(t.squeeze(-1).to(x.dtype) for t in (m, scale, b))  # type: ignore[return-value]


def _columns(
    where: str, x: Tensor, weights: Tensor | None, dim: int | tuple[int, ...] | None
) -> tuple[Tensor, Tensor]:
    """Data and weights of sum 1 in float64, (batch, N)."""
    for name, t in (("x", x), ("weights", x if weights is None else weights)):
        check_tensor(where, name, t)
        check_values(where, name, t, t.isfinite(), "finite numbers")
    w = torch.ones_like(x) if weights is None else weights
    try:
        w = w.broadcast_to(x.shape).double()
    except RuntimeError:
        raise ValueError(
            f"{where}: weights have shape {tuple(w.shape)}; expected one that broadcasts to that "
            f"of x, {tuple(x.shape)}."
        ) from None
    check_values(where, "weights", w, w >= 0, "non-negative numbers")
    given = tuple(range(x.ndim)) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = sorted({axis % max(x.ndim, 1) for axis in given})
    last = list(range(-len(axes), 0))
    columns = [t.movedim(axes, last).flatten(-len(axes)) if axes else t for t in (x, w)]
    data, w = (t.unsqueeze(-1) if not axes else t for t in columns)
    total = w.sum(-1, keepdim=True)
    if not data.shape[-1] or not (total > 0).all():
        raise ValueError(
            f"{where}: x has shape {tuple(x.shape)} with a sum of weights of 0 along dim {dim}; "
            "expected data with a positive weight."
        )
    return data.double(), w / total


def _known(
    where: str, name: str, value: Tensor | float | None, x: Tensor, batch: torch.Size
) -> Tensor | None:
    if value is None:
        return None
    tensor = as_parameter(where, name, value, x.double())
    try:
        tensor = tensor.double().broadcast_to(batch)
    except RuntimeError:
        raise ValueError(
            f"{where}: {name} has shape {tuple(tensor.shape)}; expected one that broadcasts to "
            f"that of the result, {tuple(batch)}."
        ) from None
    if name == "shape":
        proper = (tensor > 0) & tensor.isfinite()
        check_values(where, name, tensor, proper, "positive, finite numbers")
    return tensor.unsqueeze(-1)


def _relative(where: str, r: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """(|r|/top, top), top the largest of positive weight: no power of it overflows."""
    size = r.abs().where(w > 0, 0.0)
    top = size.amax(-1, keepdim=True)
    if not (top > 0).all():
        raise ValueError(
            f"{where}: all data of an entry are equal to loc; expected some that differ."
        )
    return size / top, top


def _shape(where: str, r: Tensor, w: Tensor, low: float, high: float) -> Tensor:
    """The root of the digamma equation, (batch, 1)."""
    size, _ = _relative(where, r, w)
    apart = size > 0
    log = size.where(apart, 1.0).log()
    w = w.where(apart, 0.0)  # zeros count in the sum of weights only

    def equation(b: Tensor) -> tuple[Tensor, Tensor]:
        """(its left side, the derivative of that), both (batch, 1)."""
        parts = w * (b * log).exp()
        mean = parts.sum(-1, keepdim=True)
        share = parts / mean
        first = (share * log).sum(-1, keepdim=True)
        spread = (share * (log - first).square()).sum(-1, keepdim=True)
        side = (1 + 1 / b).digamma() + (b * mean).log() - b * first
        return side, 1 / b - torch.polygamma(1, 1 + 1 / b) / b.square() - b * spread

    def likelihood(b: Tensor) -> Tensor:
        """At the best scale; its derivative by b is the equation's side over b^2."""
        mean = (w * (b * log).exp()).sum(-1, keepdim=True)
        return -(1 + 1 / b).lgamma() - ((b * mean).log() + 1) / b

    ends = [torch.full_like(size[..., :1], end) for end in (low, high)]
    left, right = (end.log() for end in ends)
    y = _by_moments(size, w, left, right)
    for _ in range(_STEPS):
        side, slope = equation(y.exp())
        left, right = torch.where(side > 0, y, left), torch.where(side > 0, right, y)
        step = y - side / (slope * y.exp())
        y = torch.where((step >= left) & (step <= right), step, (left + right) / 2)
    found = [y.exp(), *ends]
    best = torch.cat([likelihood(b) for b in found], -1).argmax(-1, keepdim=True)
    return torch.cat(found, -1).gather(-1, best)


def _by_moments(size: Tensor, w: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """log b from E x^2/(E|x|)^2 = Gamma(1/b) Gamma(3/b)/Gamma(2/b)^2, which falls with b."""
    wanted = (w * size.square()).sum(-1, keepdim=True) / (w * size).sum(-1, keepdim=True).square()
    for _ in range(_STEPS):
        y = (left + right) / 2
        inverse = (-y).exp()
        ratio = inverse.lgamma() + (3 * inverse).lgamma() - 2 * (2 * inverse).lgamma()
        too_small = ratio > wanted.log()
        left, right = torch.where(too_small, y, left), torch.where(too_small, right, y)
    return (left + right) / 2


def _median(data: Tensor, w: Tensor) -> Tensor:
    data, order = data.sort(-1)
    below = w.gather(-1, order).cumsum(-1) < 0.5
    return data.gather(-1, below.sum(-1, keepdim=True).clamp(max=data.shape[-1] - 1))


def _location(data: Tensor, w: Tensor, start: Tensor, b: Tensor) -> Tensor:
    """The m that minimises the sum of w |x - m|^b; for b < 1 among the data around the start."""
    low, high = data.amin(-1, keepdim=True), data.amax(-1, keepdim=True)
    top = (high - low).clamp(min=torch.finfo(data.dtype).tiny)
    for _ in range(_HALVINGS):
        m = (low + high) / 2
        r = (data - m) / top
        pull = (w * r.sign() * r.abs().pow((b - 1).clamp(min=0))).sum(-1, keepdim=True)
        low, high = torch.where(pull > 0, m, low), torch.where(pull > 0, high, m)
    smooth = (low + high) / 2
    ranked = data.sort(-1).values
    middle = (ranked < start).sum(-1, keepdim=True)
    best, least = start, torch.full_like(start, torch.inf)
    for k in range(-_NEIGHBOURS, _NEIGHBOURS + 1):
        m = ranked.gather(-1, (middle + k).clamp(0, data.shape[-1] - 1))
        total = (w * ((data - m) / top).abs().pow(b)).sum(-1, keepdim=True)
        best, least = torch.where(total < least, m, best), torch.minimum(total, least)
    return torch.where(b < 1, best, smooth)
