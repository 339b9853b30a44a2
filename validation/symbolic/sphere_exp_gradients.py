"""The derivative of the sphere's exponential map, at K = 1.

As `manifolds/kernels/sphere/exp.py` has it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, euclidean_dot as dot
from .quadric import expmap

Form = Callable[..., Any]

length = sp.Symbol("t", positive=True)


def expmap_slopes(x: Any, v: Any, g: Any, t: Any) -> tuple[Any, Any]:
    """Gradients by x and v of g.exp_x(v)/|exp_x(v)|: of what of g is along the sphere."""
    c, f = Cs(1, t), Sn(1, t) / t
    y = c * x + f * v
    g_y = dot(g, y)
    slope = (c - f) / t**2 * (dot(g, v) - g_y * f * t**2) - f * (dot(g, x) - g_y * c)
    return c * (g - g_y * y), f * (g - g_y * y) + slope * v


def _prove(form: Form) -> Proof:
    """Against the derivative by all coordinates, at x and v along two axes."""
    x, v, g = (sp.Matrix(sp.symbols(f"{name}_1:4", real=True)) for name in "xvg")
    y = expmap(x, v, sp.sqrt(dot(v, v))).subs(K, 1)
    moved = dot(g, y) / sp.sqrt(dot(y, y))
    at = {**dict(zip(x, (1, 0, 0), strict=True)), **dict(zip(v, (0, length, 0), strict=True))}
    # Cs(1, t)^2 + Sn(1, t)^2, which the root is of, is 1.
    root = {Cs(1, length) ** 2 + Sn(1, length) ** 2: sp.S.One}
    found = form(x.subs(at), v.subs(at), g, length)
    residuals = {
        f"by {name}": [
            moved.diff(c).subs(at).subs(root) - d for c, d in zip(coordinates, part, strict=True)
        ]
        for name, coordinates, part in zip("xv", (x, v), found, strict=True)
    }
    c, f, t, along = sp.symbols(r"c f t {g_{\parallel}}")
    inner = sp.Symbol(r"{\langle g, v\rangle}"), sp.Symbol(r"{\langle g, x\rangle}")
    slope = (c - f) / t**2 * inner[0] - f * inner[1]
    shown = equation("g_x", c * along), equation("g_v", f * along + slope * sp.Symbol("v"))
    return Proof(shown, residuals)


def derivations() -> Iterator[Derivation]:
    """The exponential map's gradient."""
    yield Derivation(
        "quadric/expmap on the sphere, slopes",
        "The gradient of the exponential map of the sphere, $g_\\parallel$ what of a gradient is "
        "along the sphere at the end: $c = \\cos t$ and $f = \\sin(t)/t$ at $t = |v|$.",
        "every n: a point, a vector and a gradient span 3 dimensions",
        expmap_slopes,
        _prove,
    )
