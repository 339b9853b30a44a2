r"""asinh of a space of curvature -k, k = 1, that is learned: what all distances of a table take.

    A(t) = asinh(sqrt(k) t)/sqrt k,    S(q) = asinh(sqrt(k q))^2/k,    m(s) = (1 - tanh(a)/a)/s

    A by t: 1/sqrt(1 + k t^2),            by k: -A^3 m(k A^2)/2
    S by q: a/(sinh a cosh a), a^2 = k S, by k: -S^2 m(k S)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
t, q         t, q                 a sine of half a distance over R, not negative, and its square
k            k                    the float 1.0, or a tensor 1 that has the curvature's derivative
A, S         result               half a distance over R, and its square
m            tanhc_missing        (1 - tanh(a)/a)/s at a = sqrt s, with all digits
============ ==================== ==================================================================

The value is that of k = 1. As differences the derivatives by k, A - t/sqrt(1 + k t^2) the first,
would lose 3/a^2 roundings; and written out they take a third of the time of the operations.

Domain: t, q >= 0, of which the square of t does not overflow.
Bound: 2 units of u (1 + kappa) in value and 8 in gradient.
Proof: validation/symbolic/functions.py, "functions/asinh over a root, by k"
Proof: validation/symbolic/functions.py, "functions/asinh over a root, its square by k"
Certificate: Lorentz.cdist.matmul, PoincareBall.cdist.matmul
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp
from ..arithmetic.ranges import in_forward_mode
from .special import asinh_squared, asinhc, asinhc_halved, tanhc_missing


def _value(t: Tensor, k: Tensor) -> tuple[Tensor]:
    root = k.sqrt()
    if not (in_forward_mode() or torch.is_grad_enabled()):
        return ((root * t).asinh() / root,)
    # Here the operations are differentiated: up to 1 by a form whose derivative by k is one term.
    near = k * t * t <= 1
    far = (root * t.where(~near, 1.0)).asinh() / root
    short = t.where(near, 0.0)
    return (torch.where(near, short * asinhc_halved(k * short * short), far),)


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    (t, k), (result,) = inputs, saved
    square = result * result
    return g / (1 + k * t * t).sqrt(), g * result * square * tanhc_missing(k * square) / -2


def _squared_value(q: Tensor, k: Tensor) -> tuple[Tensor]:
    if not (in_forward_mode() or torch.is_grad_enabled()):
        return (asinh_squared(k * q) / k,)
    near = k * q <= 1
    far = (k * q.where(~near, 1.0)).sqrt().asinh().square() / k
    short = q.where(near, 0.0)
    return (torch.where(near, short * asinhc_halved(k * short).square(), far),)


def _squared_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    (q, k), (result,) = inputs, saved
    product = k * q
    by_k = -g * result * result * tanhc_missing(k * result)
    return g * asinhc(product) / (1 + product).sqrt(), by_k


_asinh_over = custom_vjp(_value, _pull, scaled=0, degree=0)
_asinh_squared_over = custom_vjp(_squared_value, _squared_pull, scaled=0, degree=0)


def asinh_over(t: Tensor, k: float | Tensor) -> Tensor:
    """asinh(sqrt(k) t)/sqrt k."""
    return t.asinh() if isinstance(k, float) else _asinh_over(t, k, 1.0)


def asinh_squared_over(q: Tensor, k: float | Tensor) -> Tensor:
    """asinh(sqrt(k q))^2/k, smooth at 0 where its slope is 1."""
    return asinh_squared(q) if isinstance(k, float) else _asinh_squared_over(q, k, 1.0)
