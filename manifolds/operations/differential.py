"""Jacobi fields, and the differentials of exp and log that are made of them."""

import torch
from torch import Tensor

from ..base import Manifold
from ..checks import check_amount, check_broadcast
from ..kernels.arithmetic.limits import farthest_apart
from ..kernels.arithmetic.vectors import binary_scale, scale_of
from ..kernels.functions.generalized_trig import sinc_k
from ..kernels.functions.special import signed_cs, signed_csm1c, signed_snm1c
from ..manifold_checks import check_manifold
from .curvature_tensor import curvature_at, entered
from .jacobi import Field, Kept, kept_vectors


def jacobi_field(
    manifold: Manifold, x: Tensor, v: Tensor, value: Tensor, slope: Tensor, t: Tensor | float = 1.0
) -> Tensor:
    r"""Jacobi field along :math:`\gamma(s) = \exp_x(s v)` at time t.

    The solution of :math:`J'' + R(J,\dot\gamma)\dot\gamma = 0` with :math:`J(0)` = ``value`` and
    :math:`J'(0)` = ``slope``: how a geodesic varies with its starting point and velocity. On a
    space form (Lee 2018, proposition 10.12), P the parallel transport along the geodesic,

    .. math:: J(t) = P\bigl(J_0^\parallel + t\,J_0'^\parallel
              + \mathrm{cs}_K(t|v|)\,J_0^\perp + \tfrac{\mathrm{sn}_K(t|v|)}{|v|}\,J_0'^\perp\bigr).

    With ``value`` 0 it is t times :func:`expmap_differential` at t v; with ``slope`` 0 and t = 1
    the differential of exp_x(v) in x, v carried along.

    Args:
        manifold: the space.
        x: points (..., m).
        v: velocities (..., m) at x; zero gives value + t slope.
        value, slope: tangent vectors (..., m) at x.
        t: a number, or a tensor (...); any real value.

    Returns:
        (..., m), tangent at ``manifold.expmap(x, t v)``.
    """
    vectors = [("v", v), ("value", value), ("slope", slope)]
    manifold, (x, v, value, slope), dtype = entered("jacobi_field", manifold, [("x", x)], vectors)
    check_amount("jacobi_field", "t", t)
    time = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    check_broadcast("jacobi_field", "t", time, time.shape, v.shape[:-1])
    time = time.unsqueeze(-1)
    v = time * v
    kept = kept_vectors(manifold)
    both = torch.maximum(scale_of(value), scale_of(slope))  # linear in the two
    a, value, slope = (kept.enter(x, u) for u in (v, value / both, slope / both))
    z = _squared(kept, x, a)
    first = _across(kept, x, a, value, signed_cs(z), signed_csm1c(z))
    second = _across(kept, x, a, slope, sinc_k(z), signed_snm1c(z))
    parts = zip(first[1:], second[1:], strict=True)
    field = Field(first.near, *(p + time * q for p, q in parts))
    return (both * kept.carried(x, v, field)).to(dtype)


def expmap_differential(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    r"""Differential of :math:`\exp_x` at v, applied to w.

    .. math:: (D\exp_x)_v w = P\Bigl(w^\parallel + \frac{\mathrm{sn}_K(|v|)}{|v|}\,w^\perp\Bigr),

    P the parallel transport along the geodesic, parallel and orthogonal to v (Lee 2018, proposition
    10.10 with 10.12); the identity at v = 0. Its determinant is :func:`volume_density`.

    On the sphere it is singular at :math:`|v| = k\pi R`, k = 1, 2, ..., the conjugate points, where
    the orthogonal part is 0 to rounding. Beyond the farthest pair of points of the dtype the factor
    of the orthogonal part is kept at its value there, as the point is.

    Args:
        manifold: the space.
        x: points (..., m).
        v: tangent vectors (..., m) at x, where the differential is taken.
        w: tangent vectors (..., m) at x, what it is applied to.

    Returns:
        (..., m), tangent at ``manifold.expmap(x, v)``.
    """
    vectors = [("v", v), ("w", w)]
    manifold, (x, v, w), dtype = entered("expmap_differential", manifold, [("x", x)], vectors)
    kept, scale = kept_vectors(manifold), scale_of(w)  # linear in w
    moved = _stretched(kept, x, kept.enter(x, v), kept.enter(x, w / scale))
    return (scale * kept.carried(x, v, moved)).to(dtype)


def expmap_adjoint(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    r"""Adjoint of :func:`expmap_differential`: a vector at exp_x(v) brought back to x.

    :math:`\langle (D\exp_x)_v u, w\rangle = \langle u, (D\exp_x)_v^* w\rangle`: the Riemannian
    gradient of f(exp_x(v)) in v from that of f (Bergmann & Gousenbourger 2018).

    Args:
        manifold: the space.
        x, v: as in :func:`expmap_differential`.
        w: tangent vectors (..., m) at ``manifold.expmap(x, v)``.

    Returns:
        (..., m), tangent at x.
    """
    op, vectors = "expmap_adjoint", [("v", v), ("w", w)]
    manifold, (x, v, w), dtype = entered(op, manifold, [("x", x)], vectors, elsewhere=True)
    kept, scale = kept_vectors(manifold), scale_of(w)
    back = kept.carried_back(x, v, w / scale)
    return (scale * kept.leave(x, _stretched(kept, x, kept.enter(x, v), back).whole)).to(dtype)


def expmap_differential_inverse(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    r"""Inverse of :func:`expmap_differential`: the u at x with :math:`(D\exp_x)_v u = w`.

    At the sphere's conjugate points, :math:`|v| = k\pi R`, there is no inverse: the orthogonal part
    is huge there, its size set by rounding (infinite only if the sine is exactly 0).

    Args:
        manifold: the space.
        x, v: as in :func:`expmap_differential`.
        w: tangent vectors (..., m) at ``manifold.expmap(x, v)``.

    Returns:
        (..., m), tangent at x.
    """
    op, vectors = "expmap_differential_inverse", [("v", v), ("w", w)]
    manifold, (x, v, w), dtype = entered(op, manifold, [("x", x)], vectors, elsewhere=True)
    kept, scale = kept_vectors(manifold), scale_of(w)
    back = kept.carried_back(x, v, w / scale)
    return (scale * kept.leave(x, _shrunk(kept, x, kept.enter(x, v), back))).to(dtype)


def logmap_differential(manifold: Manifold, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    r"""Differential of :math:`\log_x` at y, applied to w: how log_x(y) changes with y.

    With d the distance, parallel and orthogonal to the geodesic,

    .. math:: (D\log_x)_y w =
              P_{y\to x}\Bigl(w^\parallel + \frac{d}{\mathrm{sn}_K(d)}\,w^\perp\Bigr),

    the inverse of :func:`expmap_differential` at log_x(y); the identity at y = x. On the sphere
    it grows without bound towards the antipode of x.

    Args:
        manifold: the space.
        x, y: points (..., m).
        w: tangent vectors (..., m) at y.

    Returns:
        (..., m), tangent at x.
    """
    points = [("y", y), ("x", x)]
    manifold, (y, x, w), dtype = entered("logmap_differential", manifold, points, [("w", w)])
    kept = kept_vectors(manifold)
    # Split at y, where w is: carried first, a large orthogonal part would leak into the other.
    scale = scale_of(w)
    back, ratio = kept.log(y, x)
    shrunk = _shrunk(kept, y, back, kept.enter(y, w / scale), ratio)
    return (scale * kept.leave(x, kept.transport(y, x, shrunk))).to(dtype)


def logmap_differential_base(manifold: Manifold, x: Tensor, y: Tensor, u: Tensor) -> Tensor:
    r"""Covariant derivative of :math:`x\mapsto\log_x(y)` along u: how log_x(y) changes with x.

    .. math:: \nabla_u\log_x(y) =
              -u^\parallel - d\,\frac{\mathrm{cs}_K(d)}{\mathrm{sn}_K(d)}\,u^\perp,

    minus the Hessian of half the squared distance to y (Karcher 1977, appendix C); -u at y = x.
    On the sphere it grows without bound towards the antipode of y.

    Args:
        manifold: the space.
        x, y: points (..., m).
        u: tangent vectors (..., m) at x.

    Returns:
        (..., m), tangent at x.
    """
    points = [("x", x), ("y", y)]
    manifold, (x, y, u), dtype = entered("logmap_differential_base", manifold, points, [("u", u)])
    kept = kept_vectors(manifold)
    v, _ = kept.log(x, y)
    z = _squared(kept, x, v)
    near = (signed_csm1c(z) - signed_snm1c(z)) / sinc_k(z.clamp(-1, 1))
    ratio = kept.cotangent(x, y, z)
    scale = scale_of(u)
    change = _across(kept, x, v, kept.enter(x, u / scale), ratio, near)
    return (-scale * kept.leave(x, change.whole)).to(dtype)


def volume_density(manifold: Manifold, x: Tensor, v: Tensor) -> Tensor:
    r"""Volume change of :math:`\exp_x` at v: :math:`(\mathrm{sn}_K(|v|)/|v|)^{n-1}`, unsigned.

    The exponential of :meth:`Manifold.logdetexp`; 1 at v = 0. It over- and underflows where that
    does not. Shapes: (..., m), (..., m) -> (...).
    """
    check_manifold("volume_density", manifold)
    return manifold.logdetexp(x, v).exp()


# -- the parts of a vector along and across v ---------------------------------------------------


def _across(kept: Kept, x: Tensor, v: Tensor, w: Tensor, factor: Tensor, slope: Tensor) -> Field:
    """w with its part orthogonal to v multiplied by ``factor``, a function of z = K |v|^2.

    Where abs(z) <= 1 as w + slope (z w - K <v, w> v), slope = (factor - 1)/z: at v = 0 there is no
    direction, but this has every derivative. Beyond, split: for a large factor the sum cancels, and
    for a small one too.
    """
    k = curvature_at(kept.manifold, x)
    near = _squared(kept, x, v).abs() <= 1
    short = v.where(near, 0.0)
    z, share = (kept.product(x, k * short, u) for u in (short, w))
    smooth = w + slope.where(near, 0.0) * (z * w - share * short)
    largest = binary_scale(v).where(~near, 1.0)  # whose square may overflow
    direction = v / largest
    size = kept.product(x, direction, direction).where(~near, 1.0).sqrt()
    direction = direction / size
    along, aside = kept.parts(x, direction, w)
    aside = factor * aside
    whole = torch.where(near, smooth, along * direction + aside)
    return Field(near, whole, torch.where(near, share, along), aside)


def _stretched(kept: Kept, x: Tensor, v: Tensor, w: Tensor) -> Field:
    z = _squared(kept, x, v)
    return _across(kept, x, v, w, sinc_k(z), signed_snm1c(z))


def _shrunk(kept: Kept, x: Tensor, v: Tensor, w: Tensor, ratio: Tensor | None = None) -> Tensor:
    z = _squared(kept, x, v)
    factor = sinc_k(z)
    inverse = 1 / factor if ratio is None else ratio
    return _across(kept, x, v, w, inverse, -signed_snm1c(z) / factor).whole


def _squared(kept: Kept, x: Tensor, v: Tensor) -> Tensor:
    """K |v|^2, (..., 1); for K < 0 not beyond what two points of the dtype can be apart."""
    longest = farthest_apart(v.dtype)
    # For K > 0 no digit of the sine is left by then, but infinity has none at all.
    turns = 1 / torch.finfo(v.dtype).eps
    return kept.squared(x, v).clamp(-(longest**2), turns**2)
