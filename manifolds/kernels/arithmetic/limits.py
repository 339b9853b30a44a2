r"""How far a dtype reaches: the farthest points, the longest vectors, and what is beyond them.

    brought_within(x, l) = x if |x| <= l, else l x/|x|

=================== ========================= ========= ========= ===============================
limit               of                        float32   float64   what fails beyond it
=================== ========================= ========= ========= ===============================
farthest            |X| on the hyperboloid    2^40      2^340     a product of three such numbers
longest             |V| before sinh           43        350       sinh^2, from 45.1 and 355.6
farthest_apart      d of any two points       57        472.8     e^(3 d/2); their d is 56.8, 472.7
longest_before_tanh |V| before tanh           32        64        nothing: tanh is 1 from 9.0, 19.1
rim                 |x| in a ball of radius 1 1 - 3 eps 1 - 3 eps a stored point is outside
=================== ========================= ========= ========= ===============================

Domain: float32 or float64; for what is stored also bfloat16 and float16.
Bound: 1 unit of u: one quotient, one product.
Proof: none, each limit is derived where it is defined.
Certificate: Lorentz.proj, PoincareBall.proj, Stereographic.proj
"""

import torch
from torch import Tensor

from .custom_vjp import direction
from .ranges import all_below
from .vectors import norm


def farthest(dtype: torch.dtype) -> float:
    """|X| = sinh r of the farthest points of the hyperboloid: r is 28.4 in float32, 236.4 in
    float64.

    A transport's rounding error is a product of three factors of this size, and 2^128 and 2^1024
    overflow.
    """
    return 2.0**40 if dtype == torch.float32 else 2.0**340


def longest(dtype: torch.dtype) -> float:
    """The longest vector whose sinh is taken: longer than the way from the origin to the farthest
    point, and short enough that sinh^2 does not overflow."""
    return 43.0 if dtype == torch.float32 else 350.0


def farthest_apart(dtype: torch.dtype) -> float:
    """Farther apart than any two points can be, twice the distance of the farthest, 56.8 in float32
    and 472.72 in float64; e to 3/2 of it does not overflow."""
    return 57.0 if dtype == torch.float32 else 472.8


def longest_before_tanh(dtype: torch.dtype) -> float:
    """A length whose tanh is 1 to rounding, which it is from 9.01 in float32 and 19.06 in float64,
    and whose cosh^2 does not overflow."""
    return 32.0 if dtype == torch.float32 else 64.0


def rim(dtype: torch.dtype) -> float:
    """The largest norm of a point of a ball of radius 1, in a dtype.

    What is stored must be inside whoever looks at it. Norm, quotient, product with R, rounding to
    the dtype and division by R are half an eps each at the worst, together 5/2 eps; at 1 - 2 eps
    one point in 15,000 of float32 was outside.
    """
    return 1 - 3 * torch.finfo(dtype).eps


def brought_within(x: Tensor, limit: float | Tensor) -> Tensor:
    """x, or where it is longer than ``limit`` the vector of that length in its direction.

    Its derivative there is that of the point it is brought to, limit/abs(x) times the projection
    across x. By the quotient limit/abs(x) autograd would take it as the difference of two terms of
    that size times x.g/abs(x): for a float32 x of length 2^61 and the gradient 2^40 of an inner
    product both overflow, and the difference is NaN.
    """
    length = norm(x.detach())
    if all_below(length / limit, 1.0):
        return x.clone()  # not x itself: whether a result is its argument may not depend on values
    beyond = length > limit
    ray = direction(x.where(beyond, 1.0))
    # By the length of the direction as it was rounded: next to the rim of a ball its last digits
    # decide what is inside.
    return torch.where(beyond, ray * (limit / norm(ray.detach())), x)
