"""Whether one normal law is held by another: the inclusion of ProLIP."""

import torch
from torch import Tensor
from torch.nn import functional

from ..common import (
    Reduction,
    check_elementwise,
    check_positive,
    check_reduction,
    in_float32,
    reduce,
)


def gaussian_inclusion(
    loc_x: Tensor, log_var_x: Tensor, loc_y: Tensor, log_var_y: Tensor
) -> Tensor:
    r"""How far a normal law is held by another rather than holding it, per coordinate.

    .. math:: H(x \subset y) = \log\int p_x^2\,p_y - \log\int p_x\,p_y^2

    (Chun et al. 2025, "Probabilistic language-image pre-training", the inclusion loss.) With means
    m, n, variances s, t, and :math:`h = \tanh\tfrac12\log\tfrac ts = \frac{t-s}{t+s}` it is

    .. math:: H = \tfrac12\log\tfrac ts - \operatorname{artanh}\tfrac h3
              + \frac{4h}{9 - h^2}\,\frac{(m-n)^2}{s+t},

    a sum of terms of one sign, so that nothing cancels: the sign is that of t - s, and
    :math:`H(x\subset y) = -H(y\subset x)`. *It does not look where the laws are*: of a narrow law
    and a wide one it grows with the distance of their means, since far out the wide one's density
    is small and its square smaller still. What keeps them together is another loss's part.

    Args:
        loc_x, log_var_x: m and log s (...).
        loc_y, log_var_y: n and log t (...).

    Returns:
        (...) in float32 (float64 if an input is); over the coordinates of an embedding, sum. It is
        0 for equal variances, and infinite where :math:`(m-n)^2/(s+t)` is beyond the largest
        number.

    Raises:
        TypeError: an argument that is no floating-point tensor.
        ValueError: shapes that do not broadcast.
    """
    where = "gaussian_inclusion"
    given = {"loc_x": loc_x, "log_var_x": log_var_x, "loc_y": loc_y, "log_var_y": log_var_y}
    m, log_s, n, log_t = in_float32(where, **given)
    check_elementwise(where, **given)
    half = (log_t - log_s) / 2
    h = half.tanh()
    apart = (m - n) * (-0.5 * torch.logaddexp(log_s, log_t)).exp()
    return half - (h / 3).atanh() + 4 * h / (9 - h.square()) * apart.square()


def inclusion_loss(
    loc_x: Tensor,
    log_var_x: Tensor,
    loc_y: Tensor,
    log_var_y: Tensor,
    *,
    scale: Tensor | float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Ask that laws x be held by laws y: :math:`-\log\sigma(c\,H(x\subset y))`, row by row.

    (Chun et al. 2025: a picture by its caption, an input by itself with parts
    masked.) H is the sum of :func:`gaussian_inclusion` over the coordinates. Alone it makes x
    narrow, y wide and moves them apart; it goes with a likelihood or a contrastive loss.

    Args:
        loc_x, log_var_x: means and log-variances of the laws to be held (..., d).
        loc_y, log_var_y: of those that should hold them (..., d).
        scale: c > 0; 1/d makes the sum a mean.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Raises:
        TypeError: an argument that is no floating-point tensor.
        ValueError: an unknown reduction, a scale that is not positive, shapes that do not
            broadcast or have no axis of coordinates.
    """
    where = "inclusion_loss"
    check_reduction(where, reduction)
    check_positive(where, "scale", scale)
    each = gaussian_inclusion(loc_x, log_var_x, loc_y, log_var_y)
    if each.ndim == 0:
        raise ValueError(f"{where}: all arguments are scalars; expected (..., d).")
    return reduce(-functional.logsigmoid(scale * each.sum(-1)), None, reduction)
