"""The way of points and tangent vectors between all charts and manifolds."""

import torch
from torch import Tensor

from ..base import Manifold
from ..checks import check_coordinates
from ..kernels.arithmetic.limits import brought_within
from ..kernels.arithmetic.vectors import scale_of
from ..space_form import divided, times
from .chart import Chart, quadric, within
from .of_manifolds import chart_of


def convert(x: Tensor, source: Manifold | Chart, target: Manifold | Chart) -> Tensor:
    """The point with coordinates x of one model, in those of another: (..., m) -> (..., m').

    The same point of the same space: distances are kept, the origin goes to the origin, the axes
    at the origin to the axes, and the curvature does not change. Every chart goes to the hemisphere
    (the sphere) and from there to the other one, neither with cancellation beyond what the source's
    own coordinates bring, in the value or in the gradient. A point farther out than the
    target's dtype can hold is pulled back along its ray: by source and target to the reach of
    :class:`Lorentz`, on ball and Klein ball to norm (1 - 3 eps) R. Half precision is computed in
    float32.

    =============== ======== ======== ======== =========
    reach, in R     float16  bfloat16 float32  float64
    =============== ======== ======== ======== =========
    Lorentz         11       28       28       236
    HalfSpace       9.0      28       28       236
    Hemisphere      10       28       28       236
    PoincareBall    6.5      4.4      15.5     35.6
    Klein           3.3      2.2      7.8      17.8
    =============== ======== ======== ======== =========

    >>> import torch
    >>> from spaceforms.manifolds import Klein, PoincareBall, convert
    >>> ball = PoincareBall(-1.0)
    >>> convert(torch.tensor([0.0, 0.5]), ball, Klein(ball))
    tensor([0.0000, 0.8000])

    Args:
        x: points in coordinates of ``source``. Whether they are points is not looked at, unless
            the source is :class:`Checked`.
        source: a manifold (Lorentz, PoincareBall, Sphere, Euclidean) or a chart (Klein, HalfSpace,
            Hemisphere, NormalCoordinates, StereographicPlane).
        target: likewise.

    Raises:
        TypeError: a source or target without charts, or x no floating-point tensor.
        ValueError: different curvatures, or too few coordinates.
    """
    if isinstance(source, Manifold) and source._checks:
        source._to_unit("convert", [("x", x)])
    a, b = _both("convert", source, target)
    check_coordinates("convert", [("x", x)], 1 + a._extra_coordinates)
    if type(a) is type(b):
        return x
    radius = a.manifold.radius
    _, c, d = _embedded(x, a, b, x.dtype)
    result = times(b._drop(c, d, x.dtype), radius, 1)
    if a.sign > 0:  # at the edge of Klein or the plane: float16 ends at 65,504, whatever R is
        result = brought_within(result, torch.finfo(x.dtype).max / 2)
    return result.to(x.dtype)


def convert_vector(
    x: Tensor, v: Tensor, source: Manifold | Chart, target: Manifold | Chart
) -> Tensor:
    """A tangent vector v at x, in the coordinates of another model.

    The differential of :func:`convert` at x, in closed form: inner products are kept. It goes
    through the orthonormal frame that is carried from the origin along the ray, so that no chart
    loses to the coordinates of another. The result is tangent at ``convert(x, source, target)``;
    where that one had to be pulled back, it is a vector of the point at the reach of Lorentz. At
    the antipode of a sphere's origin, which no other chart contains, it is not finite, nor need it
    be in ``Klein`` of a sphere for a point of the other half.
    Shapes: (..., m), (..., m) -> (..., m').

    Args:
        x: points in coordinates of ``source``.
        v: tangent vectors at x, in coordinates of ``source``.
        source: as in :func:`convert`.
        target: likewise.

    Raises:
        TypeError: a source or target without charts, or x, v no floating-point tensors.
        ValueError: different curvatures, or shapes that do not agree.
    """
    if isinstance(source, Manifold) and source._checks:
        source._to_unit("convert_vector", [("x", x)], [("v", v)])
    a, b = _both("convert_vector", source, target)
    check_coordinates("convert_vector", [("x", x), ("v", v)], 1 + a._extra_coordinates)
    dtype = torch.promote_types(x.dtype, v.dtype)
    x, v = torch.broadcast_tensors(x, v)  # type: ignore[no-untyped-call]
    if type(a) is type(b):
        return v.to(dtype)
    y, c, d = _embedded(x, a, b, dtype)
    t, s = quadric(a.sign, c, d)
    v = v.to(y.dtype)
    scale = scale_of(v)  # linear in v, whose products with points may be subnormal or overflow
    w = a._to_frame(y, t, s, v / scale)
    return (scale * b._from_frame(t, s, w)).to(dtype)


def _embedded(x: Tensor, a: Chart, b: Chart, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """x at unit curvature in the dtype of the computation, and the embedded point."""
    radius = a.manifold.radius
    y = divided(x.to(torch.promote_types(dtype, torch.float32)), radius)
    c, d = a._embed(y)
    if a.sign < 0:
        c, d = within(c, d, b._reach(dtype, radius))
    return y, c, d


def _both(where: str, source: object, target: object) -> tuple[Chart, Chart]:
    a, b = chart_of(where, "source", source), chart_of(where, "target", target)
    m, k = a.manifold, b.manifold
    shared = m is k or (m._magnitude is not None and m._magnitude is k._magnitude)
    fixed = isinstance(m.radius, float) and isinstance(k.radius, float)
    if not shared and not (fixed and m.sign == k.sign and m.radius == k.radius):
        raise ValueError(
            f"{where}: source is {source} and target is {target}; expected one curvature. Give a "
            "chart the manifold itself, Klein(manifold), to share a curvature that is learned. To "
            "another curvature there is no way that keeps distances; target.from_normal of "
            "source.to_normal keeps those from the origin, to a sphere up to its pi R."
        )
    return a, b
