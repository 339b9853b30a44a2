"""What holds of derivatives: orders of convergence, Gauss's lemma, Jacobi fields."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .example import Situation, readable
from .maps import covector
from .properties import GRADIENTS, VALUES, Broken, agree, holds, log_bound, number

_STEPS = tuple(2.0**-k for k in range(2, 11))
"""Times at which a remainder is looked at."""
_ABOVE = 16.0
"""A remainder counts if it is this many times what rounding may make of it."""


def second_order(what: str, remainder: Callable[[float], float], floor: float) -> None:
    """Raise :class:`Broken` unless remainder(t) = O(t^2), down to the floor of rounding.

    Read off the slopes in a log-log plot: 2 or more if first-order terms are right, 1 if not,
    whatever the constants. The last two slopes above the floor are looked at, because a remainder
    t^2 (a + b t) may have a zero; of two slopes one is then still at least 1.41, when the zero lies
    at the first of the three times.
    """
    sizes = [remainder(t) for t in _STEPS]
    if not all(map(math.isfinite, sizes)):
        raise Broken(f"{what}: the remainder at t = 1/4, 1/8, ... is not finite")
    above = list(itertools.takewhile(lambda r: r > _ABOVE * floor, sizes))
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(above)][-2:]
    if len(slopes) == 2 and max(slopes) < 1.25:
        raise Broken(
            f"{what}: the remainder falls like t^{max(slopes):.2f}, not t^2; "
            f"it is {sizes[0]:.3g} at t = 1/4 and {above[-1]:.3g} at t = "
            f"1/{round(1 / _STEPS[len(above) - 1])}"
        )


def _retracts(name: str, retract: Any, s: Situation, u: float) -> None:
    def remainder(t: float) -> float:
        # In coordinates: that is what "to first order" means, and it needs no other map.
        step = (t * s.v).double()
        y = retract(s.x, t * s.v).detach().double()
        return s.domain.length(s.x, y - s.x.double() - step)

    floor = VALUES * u * (s.domain.grain(s.x) + s.domain.spread(s.x, s.v) + s.domain.radius)
    second_order(f"{name}(x, t v) - x - t v", remainder, floor)


@holds("retraction(x, t v) = x + t v + O(t^2)", "retraction", "xv", corners=False)
def retraction_order(m: Any, s: Situation, u: float) -> None:
    _retracts("retraction", m.retraction, s, u)


@holds("expmap(x, t v) = x + t v + O(t^2)", "expmap", "xv", corners=False)
def exp_order(m: Any, s: Situation, u: float) -> None:
    _retracts("expmap", m.expmap, s, u)


def _curve(s: Situation, name: str, t: Tensor) -> Tensor:
    """A curve through a point or vector of an example: straight in normal coordinates."""
    shift = 0.5 * s.domain.radius * _direction(s, name)
    x = s.normal["x"] + t * 0.5 * s.domain.radius * _direction(s, "x")
    if name in s.normal:
        return s.domain.point(s.normal[name] + t * shift)
    return s.domain.tangent(x, s.frame[name] + t * shift)


def _velocity(s: Situation, name: str) -> Tensor:
    """The curve's derivative at 0: one backward pass for w -> w.p', one more for its gradient."""
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    p = _curve(s, name, t)
    w = torch.zeros_like(p, requires_grad=True)
    (along,) = torch.autograd.grad(p, t, w, create_graph=True)
    return torch.autograd.grad(along, w)[0]


def _direction(s: Situation, name: str) -> Tensor:
    n = len(s.normal["x"])
    z = torch.arange(1, n + 1, dtype=torch.float64) * {"x": 1.0, "y": 2.3, "v": 3.1}[name]
    direction: Tensor = z.cos() / z.cos().norm()
    return direction


def _gradient(name: str, call: Callable[..., Tensor], m: Any, s: Situation, u: float) -> None:
    """Compare differences of c . call along curves of its arguments with autograd's derivative."""
    fields = [f for f in "xyv" if f in s.normal or f in s.frame]

    def at(t: float) -> list[Tensor]:
        time = torch.tensor(t, dtype=torch.float64)
        made = {f: _curve(s, f, time) for f in fields}
        made = {f: p if f == "v" else s.domain.rounded(p, s.dtype) for f, p in made.items()}
        if "v" in made:
            made["v"] = s.domain.rounded_tangent(made["x"], made["v"], s.dtype)
        return list(made.values())

    def value(arguments: list[Tensor]) -> Tensor:
        out = call(*arguments).double()
        return (out * covector(out)).sum() if out.ndim else out

    start = [a.requires_grad_() for a in at(0.0)]
    f0 = value(start)
    gradients = torch.autograd.grad(f0, start, allow_unused=True)
    slope = 0.0
    for f, g in zip(fields, gradients, strict=True):
        if g is not None:
            slope += number((g.double() * _velocity(s, f)).sum())

    def remainder(t: float) -> float:
        with torch.no_grad():
            return abs(number(value(at(t))) - number(f0) - t * slope)

    sizes = sum(float(a.detach().double().norm()) for a in start)
    floor = VALUES * u * (abs(number(f0)) + (1 + s.domain.growth(2 * s.domain.radius)) * sizes)
    second_order(f"the gradient of {name}", remainder, floor)


@holds("dist has its gradient", "dist", "xy", corners=False)
def gradient_of_dist(m: Any, s: Situation, u: float) -> None:
    # The curves move by a quarter of the radius: they do not meet, where dist has a kink.
    apart = float((s.normal["x"] - s.normal["y"]).norm())
    if apart > 0.5 * s.domain.radius:
        _gradient("dist", m.dist, m, s, u)


@holds("sqdist has its gradient", "sqdist", "xy", corners=False)
def gradient_of_sqdist(m: Any, s: Situation, u: float) -> None:
    _gradient("sqdist", m.sqdist, m, s, u)


@holds("expmap has its gradient", "expmap", "xv", corners=False)
def gradient_of_exp(m: Any, s: Situation, u: float) -> None:
    _gradient("expmap", m.expmap, m, s, u)


@holds("logmap has its gradient", "logmap", "xy", corners=False)
def gradient_of_log(m: Any, s: Situation, u: float) -> None:
    _gradient("logmap", m.logmap, m, s, u)


@holds("transport has its gradient", "transport", "xyv", corners=False)
def gradient_of_transport(m: Any, s: Situation, u: float) -> None:
    _gradient("transport", m.transport, m, s, u)


@holds(
    "f(expmap(x, t v)) = f(x) + t <grad f, v>_x + O(t^2)",
    "egrad2rgrad expmap inner",
    "xv",
    corners=False,
)
def riemannian_gradient_order(m: Any, s: Situation, u: float) -> None:
    c = covector(s.x).double()

    def f(p: Tensor) -> float:
        along = number((p.detach().double() * c).sum())
        return along + along**2 / 2

    gradient = (1 + (s.x.double() * c).sum()) * c
    r = m.egrad2rgrad(s.x, gradient.to(s.dtype))
    slope, start = number(m.inner(s.x, r, s.v)), f(s.x)

    def remainder(t: float) -> float:
        return abs(f(m.expmap(s.x, t * s.v)) - start - t * slope)

    size = float(s.x.double().norm() + s.v.double().norm() + 1)
    sharp = s.domain.length(s.x, r) * s.domain.length(s.x, s.v)
    floor = VALUES * u * (float(gradient.norm()) * size + start**2 + sharp)
    second_order("f(expmap(x, t v)) - f(x) - t <grad f, v>", remainder, floor)


@holds(
    "grad of sqdist(x, y)/2 in x is -logmap(x, y)",
    "sqdist egrad2rgrad logmap",
    "xy",
    corners=False,
)
def gradient_is_minus_log(m: Any, s: Situation, u: float) -> None:
    x = s.x.clone().requires_grad_()
    (g,) = torch.autograd.grad(m.sqdist(x, s.y) / 2, x)
    r, v = m.egrad2rgrad(s.x, g).detach(), m.logmap(s.x, s.y).detach()
    bound = log_bound(s, s.x, s.y, v) * (1 + s.domain.grain(s.x) / s.domain.radius)
    what = f"the gradient is {readable(r)} and logmap(x, y) = {readable(v)}"
    agree(what, s.domain.length(s.x, r + v), GRADIENTS * u * bound)


def _jacobian(call: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    result = torch.autograd.functional.jacobian(call, at)  # type: ignore[no-untyped-call]
    return result.double()  # type: ignore[no-any-return]


def _bend(s: Situation, y: Tensor, length: float) -> float:
    """B of D exp_x(v)[w] relative to the length of w."""
    d = s.domain
    return d.growth(length) * (
        1 + (d.grain(s.x) + d.grain(y) + d.spread(s.x, s.v) + length) / d.radius
    )


@holds("<D exp(v)[v], D exp(v)[w]> = <v, w>: the lemma of Gauss", "expmap", "xuv", corners=False)
def gauss_lemma(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    y = m.expmap(s.x, s.v).detach()
    jacobian = _jacobian(lambda v: m.expmap(s.x, v), s.v)
    ray, side = jacobian @ s.v.double(), jacobian @ s.u.double()
    before = number(d.inner(*(t.double() for t in (s.x, s.v, s.u))))
    after = number(d.inner(y.double(), ray, side))
    a, b = d.length(s.x, s.v), d.length(s.x, s.u)
    what = f"<D exp(v)[v], D exp(v)[u]> = {after:.9g} and <v, u> = {before:.9g}"
    bound = (a + d.spread(y, ray)) * (b + d.spread(y, side)) * _bend(s, y, a)
    agree(what, abs(after - before), GRADIENTS * u * bound)


@holds(
    "D exp(v)[w] = sn(|v|)/|v| times the transported w, for w across v",
    "expmap transport",
    "xuv",
    corners=False,
    curved=True,
)
def jacobi_fields(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    x, v, w = (t.double() for t in (s.x, s.v, s.u))
    w = w - d.inner(x, v, w) / d.inner(x, v, v) * v
    w = d.rounded_tangent(s.x, w, s.dtype)
    y = m.expmap(s.x, s.v).detach()
    field = _jacobian(lambda at: m.expmap(s.x, at), s.v) @ w.double()
    moved = m.transport(s.x, y, w).detach().double()
    length = d.length(s.x, v)
    a = length / d.radius
    k = d.curvature or 0.0
    sn = math.sin(a) if k > 0 else math.sinh(a) if k < 0 else a
    error = d.length(y, field - sn / a * moved)
    what = f"D exp(v)[w] = {readable(field)} and sn(|v|)/|v| T w = {readable(sn / a * moved)}"
    bound = (d.length(s.x, w) + d.length(s.x, s.u) + d.spread(s.x, w)) * _bend(s, y, length)
    agree(what, error, GRADIENTS * u * bound)


@holds("expmap in v at 0, and logmap in y at x, have the identity as derivative", "expmap", "xv")
def derivatives_at_zero(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    maps = {"expmap": (lambda v: m.expmap(s.x, v), torch.zeros_like(s.x))}
    if m.logmap is not None:
        maps["logmap"] = (lambda y: m.logmap(s.x, y), s.x.clone())
    w = s.v.double()
    size = float(w.abs().max())
    if size == 0 or size < torch.finfo(s.dtype).smallest_normal:
        return  # a derivative is linear: the direction needs no subnormal length
    w = w / size
    for name, (call, at) in maps.items():
        image = _jacobian(call, at) @ w
        what = f"D {name} maps {readable(w)} to {readable(image)}"
        bound = d.spread(s.x, w) * (1 + d.grain(s.x) / d.radius) ** 2
        agree(what, d.length(s.x, image - w), GRADIENTS * u * bound)
