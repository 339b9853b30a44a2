"""The derivative of the ball's exponential map, at K = -1.

As `manifolds/kernels/stereographic/ball_exp.py` has it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Derivation, K, Proof, equation, euclidean_dot as dot, tn
from .ball import expmap, gap

Form = Callable[..., Any]

x_1, x_2, size = sp.symbols("x_1 x_2 s", positive=True)


def expmap_slopes(x: Any, v: Any, g: Any, length: Any) -> tuple[Any, Any]:
    """Gradients by x and v of g.exp_x(v), from x + w, tanh(t)/t and w = tanh(t)/t v/gap."""
    gap_x = gap(dot, x).subs(K, -1)
    v, t = v / gap_x, length / gap_x
    f = tn(-1, t) / t
    fall = (1 - f) / t**2 - f**2
    w2 = t**2 * f**2
    gap_w = 1 - w2
    both = x + f * v
    d = gap_x * gap_w + dot(both, both)
    y = x + gap_x / d * (f * v + w2 * x)
    g_q = (dot(g, both) - gap_w * dot(g, x)) / d
    by_w = gap_x / d * (g + 2 * dot(g, x) * f * v - 2 * g_q * (both - gap_x * f * v))
    v_h = dot(v, by_w)
    by_x = (1 + gap_x * w2 / d) * g - 2 * g_q * y + 2 * gap_w * v_h / gap_x * x
    return by_x, (f * by_w + fall * v_h * v) / gap_x


def _prove(form: Form) -> Proof:
    """Against the derivative, v along the first axis and x in a plane with it."""
    x, v, g = (sp.Matrix(sp.symbols(f"{name}_1:4", real=True)) for name in "xvg")
    moved = dot(g, expmap(dot, x, v, sp.sqrt(dot(v, v))).subs(K, -1))
    at = {**dict(zip(x, (x_1, x_2, 0), strict=True)), **dict(zip(v, (size, 0, 0), strict=True))}
    found = form(x.subs(at), v.subs(at), g, size)
    residuals = {
        f"by {name}": [moved.diff(c).subs(at) - d for c, d in zip(coordinates, part, strict=True)]
        for name, coordinates, part in zip("xv", (x, v), found, strict=True)
    }
    f, t, w, both, d = sp.symbols("f t w {(x+w)} D")
    g_w, total, gap_x = sp.symbols("g_w g u_x")
    h = sp.Symbol(r"{\langle v/u_x, g_w\rangle}")
    shown = (
        equation(r"\tfrac{f'(t)}{t}", (1 - f) / t**2 - f**2),
        equation(
            "g_w",
            gap_x / d * (total + 2 * sp.Symbol(r"{\langle{g,x}\rangle}") * w)
            - 2 * gap_x / d * sp.Symbol(r"{\langle{g,q}\rangle}") * (both - gap_x * w),
        ),
        equation(
            "g_v", (f * g_w + (1 - f - t**2 * f**2) / t**2 * h * sp.Symbol("v") / gap_x) / gap_x
        ),
    )
    return Proof(shown, residuals)


def derivations() -> Iterator[Derivation]:
    """The exponential map's gradient."""
    yield Derivation(
        "ball/expmap, slopes",
        "The gradient of the exponential map by v and, in the same way, by x: $f = \\tanh(t)/t$ at "
        "$t = |v|/u_x$, $w = f v/u_x$, D its denominator and $q = (w + |w|^2 x)/D$.",
        "every n: two vectors and a gradient span 3 dimensions, checked there",
        expmap_slopes,
        _prove,
    )
