"""Isometries as objects: they act on points and on vectors, compose and invert."""

from torch import Tensor

from ..base import Manifold
from ..charts.through_quadric import through_quadric
from ..manifold_checks import check_manifold
from .isometries_of_products import factor_by_factor, factorwise as factorwise
from .isometry import Isometry as Isometry
from .isometry_kinds import PointReflection, Reflection, Rotation, Translation
from .isometry_of_charts import Conjugate


@through_quadric("p", "q", give=Conjugate)
def translation(manifold: Manifold, p: Tensor, q: Tensor) -> Isometry:
    r"""The translation along the geodesic from p to q that takes p to q (a boost, a transvection).

    .. math:: g(x) = \exp_q\bigl(P_{p\to q}\log_p x\bigr),\qquad
              Dg_x = P_{q\to g(x)}\,P_{p\to q}\,P_{x\to p}:

    the isometry whose differential along that geodesic is parallel transport (Helgason 1978,
    chapter IV, theorem 3.3). Euclidean: x + q - p. Lorentz: the boost in the plane of p and q.
    PoincareBall: the Möbius translation :math:`q\oplus\mathrm{gyr}[q, -p](-p\oplus x)`. Sphere:
    the rotation in the plane of p and q; at antipodes, along the geodesic that
    :meth:`Manifold.logmap` names. Stereographic: the Möbius translation for every K, smooth in K
    through 0. Product: that of each factor. The identity if p = q. Its inverse takes q to p.

    No matrix and no logarithm's length is formed on hyperbolic space, where the entries of the one
    cancel and the exponential of the other would magnify its rounding by the length itself.

    Args:
        manifold: the space.
        p, q: points (..., m); leading axes make a batch of isometries.

    Raises:
        TypeError, ValueError: p and q are not tensors of points of one space.
    """
    check_manifold("translation", manifold)
    if manifold._family == "product":
        return factor_by_factor("translation", manifold, translation, p=p, q=q)
    return Translation(manifold, p, q)


@through_quadric(give=Conjugate)
def rotation(manifold: Manifold, q: Tensor) -> Isometry:
    """The isometry that fixes the origin and turns normal coordinates by an orthogonal matrix.

    g(from_normal(v)) = from_normal(q v). It multiplies the space part on Lorentz, the last n
    coordinates on Sphere and all coordinates on the other models. det q may be -1.

    Args:
        manifold: the space, but no :class:`Product`: of that see :func:`factorwise`.
        q: orthogonal matrices (..., n, n). That they are orthogonal is not checked, and a matrix
            orthogonal up to rounding is a rotation up to rounding.

    Raises:
        TypeError, ValueError: q is not a tensor of square matrices; a product.
    """
    return Rotation(manifold, q)


@through_quadric("p", vectors={"a": "p"}, give=Conjugate)
def reflection(manifold: Manifold, p: Tensor, a: Tensor) -> Isometry:
    r"""The reflection in the hyperplane through p with normal vector a.

    :math:`g(x) = \exp_p(v - 2\langle v, \hat a\rangle_p\,\hat a)`, :math:`v = \log_p x`, with
    :math:`\hat a = a/\lVert a\rVert_p`. An involution that fixes the points of the hyperplane
    (see :func:`signed_distance`) and no others. With a = 0, which is the normal of nothing, it is
    the identity.

    A product has none: what is orthogonal to a normal with parts in several factors is no totally
    geodesic hypersurface, and no isometry but the identity fixes it. Reflect a factor, by
    :func:`factorwise`.

    Args:
        manifold: the space, but no :class:`Product`.
        p: points (..., m) of the hyperplanes.
        a: tangent vectors (..., m) there, of any length.

    Raises:
        TypeError: a product.
    """
    return Reflection(manifold, p, a)


@through_quadric("p", give=Conjugate)
def point_reflection(manifold: Manifold, p: Tensor) -> Isometry:
    r"""The geodesic symmetry at p, :math:`g(x) = \exp_p(-\log_p x)`: an involution.

    ``point_reflection(m, midpoint(p, q)) @ point_reflection(m, p)`` is ``translation(m, p, q)``
    (Helgason 1978, chapter IV, section 3).

    Args:
        manifold: the space.
        p: points (..., m).
    """
    check_manifold("point_reflection", manifold)
    if manifold._family == "product":
        return factor_by_factor("point_reflection", manifold, point_reflection, p=p)
    return PointReflection(manifold, p)


def recentre(
    manifold: Manifold, x: Tensor, weights: Tensor | None = None
) -> tuple[Tensor, Isometry]:
    """Move a set of points so that its Fréchet mean is the origin.

    Args:
        manifold: the space.
        x: points (..., k, m).
        weights: (..., k), as :meth:`Manifold.mean` takes them.

    Returns:
        The moved points (..., k, m), and the translation of the mean to the origin; of batch shape
        (..., 1), so that it takes sets (..., k', m) as it took x.
    """
    check_manifold("recentre", manifold)
    mean = manifold.mean(x, weights).unsqueeze(-2)
    origin = manifold.origin(
        mean.shape[-1] - manifold._extra_coordinates, dtype=mean.dtype, device=mean.device
    )
    g = translation(manifold, mean, origin)
    return g(x), g
