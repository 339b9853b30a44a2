"""Jacobi fields, and the differentials of exp and log that are made of them."""

import math

import torch
from torch import Tensor

from ._checks import check_broadcast
from ._numerics import signed_cs, signed_csm1c, signed_sn, signed_snm1c
from .base import Manifold, check_manifold
from .curvature import curvature_at, entered, inner


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
    named = [("x", x), ("v", v), ("value", value), ("slope", slope)]
    (x, v, value, slope), dtype = entered("jacobi_field", manifold, named)
    time = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    check_broadcast("jacobi_field", "t", time, time.shape, v.shape[:-1])
    time = time.unsqueeze(-1)
    v = time * v
    z = _squared(manifold, x, v)
    field = _across(manifold, x, v, value, signed_cs(z), signed_csm1c(z))
    field = field + time * _across(manifold, x, v, slope, signed_sn(z), signed_snm1c(z))
    return _carried(manifold, x, v, field).to(dtype)


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
    (x, v, w), dtype = entered("expmap_differential", manifold, [("x", x), ("v", v), ("w", w)])
    return _carried(manifold, x, v, _stretched(manifold, x, v, w)).to(dtype)


def expmap_adjoint(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    r"""Adjoint of :func:`expmap_differential`: a vector at exp_x(v) brought back to x.

    :math:`\langle (D\exp_x)_v u, w\rangle = \langle u, (D\exp_x)_v^* w\rangle`: the Riemannian
    gradient of f(exp_x(v)) in v from that of f (Bergmann & Gousenbourger 2018, section 3.3).

    Args:
        manifold: the space.
        x, v: as in :func:`expmap_differential`.
        w: tangent vectors (..., m) at ``manifold.expmap(x, v)``.

    Returns:
        (..., m), tangent at x.
    """
    (x, v, w), dtype = entered("expmap_adjoint", manifold, [("x", x), ("v", v), ("w", w)])
    return _stretched(manifold, x, v, _carried_back(manifold, x, v, w)).to(dtype)


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
    named = [("x", x), ("v", v), ("w", w)]
    (x, v, w), dtype = entered("expmap_differential_inverse", manifold, named)
    return _shrunk(manifold, x, v, _carried_back(manifold, x, v, w)).to(dtype)


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
    (x, y, w), dtype = entered("logmap_differential", manifold, [("x", x), ("y", y), ("w", w)])
    v = manifold.logmap(x, y)
    return _shrunk(manifold, x, v, manifold.transport(y, x, w)).to(dtype)


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
    named = [("x", x), ("y", y), ("u", u)]
    (x, y, u), dtype = entered("logmap_differential_base", manifold, named)
    v = manifold.logmap(x, y)
    z = _squared(manifold, x, v)
    near = (signed_csm1c(z) - signed_snm1c(z)) / signed_sn(z.clamp(-1, 1))
    # As cosine over sine, where both are huge, through the logarithm's derivative: t coth t.
    ratio = _cotangent(z)
    return -_across(manifold, x, v, u, ratio, near).to(dtype)


def volume_density(manifold: Manifold, x: Tensor, v: Tensor) -> Tensor:
    r"""Volume change of :math:`\exp_x` at v: :math:`(\mathrm{sn}_K(|v|)/|v|)^{n-1}`, unsigned.

    The exponential of :meth:`Manifold.logdetexp`; 1 at v = 0. It over- and underflows where that
    does not. Shapes: (..., m), (..., m) -> (...).
    """
    check_manifold("volume_density", manifold)
    return manifold.logdetexp(x, v).exp()


# -- the parts of a vector along and across v ---------------------------------------------------


def _across(
    manifold: Manifold, x: Tensor, v: Tensor, w: Tensor, factor: Tensor, slope: Tensor
) -> Tensor:
    """w with its part orthogonal to v multiplied by ``factor``, a function of z = K |v|^2.

    Where abs(z) <= 1 as w + slope (z w - K <v, w> v), slope = (factor - 1)/z: at v = 0 there is no
    direction, but this has every derivative. Beyond, split: for a large factor the sum cancels.
    """
    k = curvature_at(manifold, x)
    square = inner(manifold, x, v, v)
    near = (k * square).abs() <= 1
    short = v.where(near, 0.0)
    z = k * inner(manifold, x, short, short)
    smooth = w + slope.where(near, 0.0) * (z * w - k * inner(manifold, x, short, w) * short)
    size = square.where(~near, 1.0).sqrt()
    direction = v / size
    along = inner(manifold, x, direction, w) * direction
    return torch.where(near, smooth, along + factor * (w - along))


def _stretched(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    z = _squared(manifold, x, v)
    return _across(manifold, x, v, w, signed_sn(z), signed_snm1c(z))


def _shrunk(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    z = _squared(manifold, x, v)
    factor = signed_sn(z)
    return _across(manifold, x, v, w, 1 / factor, -signed_snm1c(z) / factor)


def _cotangent(z: Tensor) -> Tensor:
    """t cs_K(t)/sn_K(t) at z = K t^2."""
    far = z < -1
    t = (-z).where(far, 1.0).sqrt()
    return torch.where(far, t / t.tanh(), signed_cs(z) / signed_sn(z))


def _squared(manifold: Manifold, x: Tensor, v: Tensor) -> Tensor:
    """K |v|^2, (..., 1); for K < 0 not beyond what two points of the dtype can be apart."""
    longest = 56.0 if v.dtype == torch.float32 else 472.0
    # For K > 0 no digit of the sine is left by then, but infinity has none at all.
    turns = 1 / torch.finfo(v.dtype).eps
    return (curvature_at(manifold, x) * inner(manifold, x, v, v)).clamp(-(longest**2), turns**2)


# -- transport along a geodesic given by its velocity -------------------------------------------


def _halfway(manifold: Manifold, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """exp_x(v/2) and exp_x(v), v less its full turns around the sphere.

    A full turn carries a vector to itself, and of two points the transport is along the shorter
    arc: each half of what is left, at most half a turn, is one.
    """
    turn = 2 * math.pi * curvature_at(manifold, x).rsqrt()
    length = manifold.norm(x, v).unsqueeze(-1)
    long = length > turn / 2
    rest = length - turn * (length / turn).detach().round()
    v = torch.where(long, rest / length.where(long, 1.0) * v, v)
    return manifold.expmap(x, v / 2), manifold.expmap(x, v)


def _carried(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    """w at x carried to exp_x(v) along the geodesic of velocity v."""
    if manifold.sign <= 0:
        return manifold.transport(x, manifold.expmap(x, v), w)
    middle, y = _halfway(manifold, x, v)
    return manifold.transport(middle, y, manifold.transport(x, middle, w))


def _carried_back(manifold: Manifold, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    """The inverse of :func:`_carried`."""
    if manifold.sign <= 0:
        return manifold.transport(manifold.expmap(x, v), x, w)
    middle, y = _halfway(manifold, x, v)
    return manifold.transport(middle, x, manifold.transport(y, middle, w))
