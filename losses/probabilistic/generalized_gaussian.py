"""Fitting generalized Gaussian laws that a network gives, and comparing two of them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...distributions._power_numerics import log_unit_normaliser, power
from ...distributions._power_overlap import log_overlap as overlap_of_two
from ...manifolds.checks import check_number
from ...manifolds.kernels.arithmetic.custom_vjp import custom_vjp
from ..common import Reduction, can_look, check_elementwise, check_reduction, in_float32, reduce


def generalized_gaussian_nll(
    x: Tensor,
    loc: Tensor,
    log_scale: Tensor,
    shape: Tensor,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log likelihood of x under generalized Gaussian laws, in nats.

    .. math:: L = \Bigl(\frac{|x-m|}{a}\Bigr)^b + \log 2a\,\Gamma(1 + 1/b)

    (Upadhyay et al. 2023, "ProbVLM", eq. 1 to 3, where log 2 is dropped; the density is that of
    :class:`spaceforms.distributions.GeneralizedGaussian`.) It takes log a, the output of a network
    as it is; for b see :func:`bounded_shape`.

    All derivatives are defined at x = m, for every shape: 0 by x and m, 1 by log a, and
    :math:`-\psi(1+1/b)/b^2` by b. For b < 1 the slope by m grows without bound near x = m, as the
    density has a cusp there: keep log a from falling without end, or clip gradients.

    Args:
        x: the data (...).
        loc: m (...).
        log_scale: log a (...); the scale is at least 8.7e-78 in float32, whatever is given.
        shape: b > 0 (...).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shapes: all broadcast.

    Returns:
        A scalar in float32 (float64 if an input is), or (...) under ``"none"``. With
        r = :math:`|x-m|/a` it is inf where :math:`r^b` is beyond the largest number: in float32,
        for b = 8, from r = 6.5e4 on. So data should be a few scales from m, as embeddings divided
        by their spread are. The gradient of one entry is the largest number where it is beyond it
        (of the loss at hand, or of a loss that is inf), of the right sign, and never inf or NaN.

    Raises:
        TypeError: an argument that is no floating-point tensor.
        ValueError: an unknown reduction, shapes that do not broadcast, or a b that is not positive
            (looked for on a CPU alone, where that costs no waiting).
    """
    where = "generalized_gaussian_nll"
    check_reduction(where, reduction)
    x, loc, log_scale, shape = in_float32(where, x=x, loc=loc, log_scale=log_scale, shape=shape)
    check_elementwise(where, x=x, loc=loc, log_scale=log_scale, shape=shape)
    _check_shapes(where, shape=shape)
    term = _residual(x - loc, log_scale, shape, 1.0)
    return reduce(term + log_scale + log_unit_normaliser(shape), None, reduction)


def _in_scales(d: Tensor, log_scale: Tensor) -> Tensor:
    """d/a."""
    # 1/a overflows in float32 from log a = -88.7 down, where d/a may be small: it is two factors,
    # the second of which is 1 but there. Each is finite, as inf times d = 0 would be NaN.
    largest = math.log(torch.finfo(d.dtype).max) - 1e-3
    first = (-log_scale).clamp(max=largest)
    rest = (-log_scale - first).clamp(max=largest)
    return d * first.exp() * rest.exp()


def _residual_value(d: Tensor, log_scale: Tensor, shape: Tensor) -> tuple[Tensor]:
    """|d/a|^b."""
    return (power(_in_scales(d, log_scale), shape),)


def _residual_pull(
    inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Made of the value p and no power of its own: b p/d by d, -b p by log a, p log|d/a| by b.

    The chain rule through d/a would give inf times 0 where one of its factors overflows and their
    product does not.
    """
    d, log_scale, shape = inputs
    p, apart = kept[0], d != 0
    size = d.where(apart, 1.0)
    # At d = 0 the derivative is 0; its own, which autograd takes, is that of (d/a)^2 for b = 2.
    # Zeros alone go there (see power).
    zero = _in_scales(_in_scales(d.where(~apart, 0.0), log_scale), log_scale)
    by_d = torch.where(apart, p / size * shape, 2 * (shape == 2).to(d) * zero)
    by_shape = torch.where(apart, p * (size.abs().log() - log_scale), 0.0)
    return _finite(g, by_d), _finite(g, -shape * p), _finite(g, by_shape)


def _finite(g: Tensor, slope: Tensor) -> Tensor:
    """g times a slope, at most the largest number. Of a slope that is inf, g = 0 makes no NaN."""
    most = torch.finfo(slope.dtype).max
    return (g * slope.clamp(-most, most)).clamp(-most, most)


_residual = custom_vjp(_residual_value, _residual_pull, scaled=0, degree=0)


def _check_shapes(where: str, **shapes: Tensor) -> None:
    """Raise a sentence for a b that is not positive, where :func:`can_look`. NaN passes."""
    for name, b in shapes.items():
        if can_look(b) and bool((b <= 0).any()):
            raise ValueError(
                f"{where}: {name} has {float(b[b <= 0].flatten()[0]):g}; expected positive numbers."
            )


def bounded_shape(raw: Tensor, low: float = 0.3, high: float = 8.0) -> Tensor:
    r"""A shape strictly between two bounds from any real number.

    .. math:: b = \mathrm{low}\,(\mathrm{high}/\mathrm{low})^{\sigma(\mathrm{raw})}

    sigma the logistic function: at raw = 0 the geometric mean of the bounds, 1.55 with the default
    ones, between Laplace (1) and normal (2). Up to its ends it has a slope, where a rectifier has
    none. Below 0.3 the gradient of the loss is that of a few data at the cusp; beyond 8 the law is
    uniform but for its edges.

    Args:
        raw: (...).
        low, high: the bounds, 0 < low < high.

    Returns:
        (...) in float32 (float64 for float64 inputs). Rounding reaches the bounds themselves.

    Raises:
        TypeError: raw is no floating-point tensor.
        ValueError: bounds that are no range.
    """
    check_number("bounded_shape", "low", low)
    check_number("bounded_shape", "high", high)
    if not 0 < low < high < math.inf:
        raise ValueError(
            f"bounded_shape: low is {low} and high is {high}; expected 0 < low < high, finite."
        )
    (raw,) = in_float32("bounded_shape", raw=raw)
    # The power is taken by logarithms, whose rounding may step over a bound by the last digit: the
    # clamp takes it back.
    return (math.log(low) + math.log(high / low) * raw.sigmoid()).exp().clamp(low, high)


def probvlm_surrogate_nll(
    x: Tensor,
    loc: Tensor,
    inverse_scale: Tensor,
    shape: Tensor,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""What ProbVLM's published code minimises: *not* the likelihood that its paper states.

    With :math:`c = 1/a + 10^{-4}`, :math:`b' = b + 10^{-4}`,

    .. math:: L = \mathrm{clip}\bigl(|x-m|\,c\,b',\ 10^{-4},\ 10^3\bigr)
              - \log c + \log\Gamma(1/b') - \log b'

    (Upadhyay et al. 2023, ``src/losses.py`` of the authors' repository, MIT licence; the paper's
    eq. 3 has :math:`(|x-m|\,c)^{b'}` for the first term). In :math:`\kappa = c\,b'` this is
    :math:`\kappa|x-m| - \log\kappa + \log\Gamma(1/b')`: a Laplace law's likelihood, and a term of
    the shape alone. So whatever the data, the shape goes to b' = 0.6842, where :math:`\Gamma(1/b')`
    is smallest, and says nothing of them. Here for comparisons with published figures; to fit a law
    take :func:`generalized_gaussian_nll`.

    Args:
        x, loc: the data and m (...).
        inverse_scale: 1/a >= 0 (...), which that code's networks give.
        shape: b >= 0 (...).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
        A scalar in float32 (float64 if an input is), or (...) under ``"none"``.

    Raises:
        TypeError: an argument that is no floating-point tensor.
        ValueError: an unknown reduction, or shapes that do not broadcast.
    """
    where = "probvlm_surrogate_nll"
    check_reduction(where, reduction)
    x, loc, inverse, shape = in_float32(
        where, x=x, loc=loc, inverse_scale=inverse_scale, shape=shape
    )
    check_elementwise(where, x=x, loc=loc, inverse_scale=inverse, shape=shape)
    # The constants and both ends of the clip are those of that code.
    inverse, shape = inverse + 1e-4, shape + 1e-4
    residual = ((x - loc).abs() * inverse * shape).clamp(1e-4, 1e3)
    return reduce(residual - inverse.log() + (1 / shape).lgamma() - shape.log(), None, reduction)


def cross_nll(
    loc_v: Tensor,
    log_scale_v: Tensor,
    shape_v: Tensor,
    loc_t: Tensor,
    log_scale_t: Tensor,
    shape_t: Tensor,
    z_v: Tensor,
    z_t: Tensor,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Each of two laws at the other's datum: :math:`-\log G_V(z_T) - \log G_T(z_V)`.

    ProbVLM's cross-modal loss (Upadhyay et al. 2023, eq. 7; log 2 is kept here, once for each law).
    The paper derives it from the chance that the two agree, :math:`\int G_V G_T` (eq. 4), by
    putting a point mass for one law at a time (eq. 6). What is minimised is an upper bound on

    .. math:: -2\log\tfrac12\bigl(G_V(z_T) + G_T(z_V)\bigr),

    by the means' inequality. It neither bounds nor approximates :func:`log_overlap`, which is
    eq. 4 itself.

    Args:
        loc_v, log_scale_v, shape_v: the law of one modality (...), as in
            :func:`generalized_gaussian_nll`.
        loc_t, log_scale_t, shape_t: that of the other.
        z_v, z_t: the data that they are laws of.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
        A scalar in float32 (float64 if an input is), or (...) under ``"none"``.

    Raises:
        TypeError: an argument that is no floating-point tensor.
        ValueError: an unknown reduction, or shapes that do not broadcast.
    """
    check_reduction("cross_nll", reduction)
    laws = loc_v, log_scale_v, shape_v, loc_t, log_scale_t, shape_t
    _dtype_of("cross_nll", laws, z_v=z_v, z_t=z_t)
    # Each law is taken at the other's datum: V at z_t, T at z_v.
    one = generalized_gaussian_nll(z_t, loc_v, log_scale_v, shape_v, reduction="none")
    other = generalized_gaussian_nll(z_v, loc_t, log_scale_t, shape_t, reduction="none")
    return reduce(one + other, None, reduction)


def log_overlap(
    loc_v: Tensor,
    log_scale_v: Tensor,
    shape_v: Tensor,
    loc_t: Tensor,
    log_scale_t: Tensor,
    shape_t: Tensor,
) -> Tensor:
    r"""log of the integral of the product of two densities, :math:`\log\int G_V(z)\,G_T(z)\,dz`.

    The chance (density) that draws of the two laws agree (Upadhyay et al. 2023, eq. 4), which the
    paper gives up as not scalable: here one quadrature of one variable for each entry, to 1e-12
    for shapes from 0.5 up and 1e-9 from 0.3 up, differentiable in all arguments. For two normal
    laws it is :math:`\mathcal N(m_V - m_T; 0, \sigma_V^2 + \sigma_T^2)`, the mutual likelihood
    score of Shi & Jain (2019). Over the dimensions of an embedding with independent residuals, sum.

    It takes some 5,000 evaluations of the densities for each entry, and again for the gradient: a
    batch of 256 in 512 dimensions is a matter of minutes on a CPU. Between coincident centres
    its slope by them is 0.

    Args:
        loc_v, log_scale_v, shape_v: one law (...), as in :func:`generalized_gaussian_nll`.
        loc_t, log_scale_t, shape_t: the other.

    Returns:
        (...) in float32 (float64 if an input is), computed in float64.

    Raises:
        TypeError: an argument that is no floating-point tensor.
        ValueError: shapes that do not broadcast.
    """
    laws = loc_v, log_scale_v, shape_v, loc_t, log_scale_t, shape_t
    dtype = _dtype_of("log_overlap", laws)
    m, a, b, other_m, c, d = (t.double() for t in laws)
    # The integral depends on the centres by their distance alone.
    return overlap_of_two((m - other_m).abs(), a, b, c, d).to(dtype)


def _dtype_of(where: str, laws: tuple[Tensor, ...], **data: Tensor) -> torch.dtype:
    """The dtype of two laws and their data; rejects what is no tensor or does not broadcast."""
    names = (f"{name}_{law}" for law in "vt" for name in ("loc", "log_scale", "shape"))
    given = dict(zip(names, laws, strict=True)) | data
    dtype = in_float32(where, **given)[0].dtype
    check_elementwise(where, **given)
    _check_shapes(where, shape_v=laws[2], shape_t=laws[5])
    return dtype
