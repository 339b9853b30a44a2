"""The derivative of the sphere's parallel transport, at K = 1.

As `manifolds/kernels/sphere/transport.py` has it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, euclidean_dot as dot
from .quadric import transport

Form = Callable[..., Any]

t = sp.Symbol("t", positive=True)


def transport_slopes(x: Any, y: Any, v: Any, g: Any, far: bool) -> tuple[Any, Any, Any]:
    """Gradients by x, y and v of g.P v, of points near one another or far apart."""
    step, both = y - x, x + y
    square = dot(both, both)
    alpha = 2 * dot(both if far else step, v) / square
    kappa = 2 * dot(both, g) / square
    w = kappa * v + alpha * g
    if not far:
        common = alpha * kappa * both
        return w - 2 * alpha * g + common, common - w, g - kappa * step
    sigma = dot(w, step) / dot(step, step)
    w = w - sigma * step - dot(w, both) / square * both
    return -w - sigma * both, sigma * both - w, g - kappa * both


def _along(point: Any, gradient: Any) -> Any:
    return gradient - dot(point, gradient) * point


def _prove(form: Form) -> Proof:
    """Against the derivative by all coordinates, at points on a great circle of the first axes.

    Of a point that moves the vector tangent there moves along, so that it stays tangent.
    """
    x, y, v, g = (sp.Matrix(sp.symbols(f"{name}_1:5", real=True)) for name in "xyvg")
    moved = dot(g, transport(dot, x, y, v)).subs(K, 1)
    at = {
        **dict(zip(x, (1, 0, 0, 0), strict=True)),
        **dict(zip(y, (Cs(1, t), Sn(1, t), 0, 0), strict=True)),
        v[0]: 0,
    }
    x0, y0, v0 = (u.subs(at) for u in (x, y, v))
    exact = [sp.Matrix([moved.diff(c) for c in u]).subs(at) for u in (x, y, v)]
    residuals = {}
    for far in (False, True):
        found = form(x0, y0, v0, g, far)
        for name, point, a, b in zip("xyv", (x0, y0, x0), exact, found, strict=True):
            difference = a - b
            if name == "x":
                difference = difference - dot(x0, exact[2] - found[2]) * v0
            residuals[f"by {name}, {'far apart' if far else 'near'}"] = list(
                _along(point, difference)
            )
    kappa, alpha, w, b = sp.symbols(r"kappa alpha w b")
    s, sigma = sp.Symbol("S"), sp.Symbol("sigma")
    shown = (
        equation("g_x", w - 2 * alpha * sp.Symbol("g") + alpha * kappa * b),
        equation("g_y", alpha * kappa * b - w),
        equation("g_v", sp.Symbol("g") - kappa * s),
        equation(r"g_x", -sp.Symbol("w'") - sigma * b),
        equation(r"g_y", sigma * b - sp.Symbol("w'")),
        equation("g_v", sp.Symbol("g") - kappa * b),
    )
    return Proof(shown, residuals)


def derivations() -> Iterator[Derivation]:
    """The transport's gradient."""
    yield Derivation(
        "quadric/transport on the sphere, slopes",
        "The gradient of parallel transport on the sphere, along it: $S = Y - X$, $b = X + Y$, "
        "$\\kappa = 2\\langle b, g\\rangle/|b|^2$, $\\alpha$ the same of $v$ (by S near one "
        "another), $w = \\kappa v + \\alpha g$; the last three far apart, $w'$ being what of $w$ "
        "is across $b$ and $S$, $\\sigma = \\langle w, S\\rangle/|S|^2$.",
        "every n: two points, a vector and a gradient span 4 dimensions",
        transport_slopes,
        _prove,
    )
