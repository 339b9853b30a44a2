"""The interface of every manifold: all that follows from its kernels at unit curvature."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from . import pairwise
from .checks import (
    check_amount,
    check_broadcast,
    check_coordinates,
    check_integer,
    check_min_radius,
    expect,
)
from .kernels.arithmetic.custom_vjp import scaled_dot
from .kernels.arithmetic.vectors import atan2_0, norm
from .kernels.pairs.form import Kind, PairForm
from .kernels.pairs.products import Products
from .solvers import sampling
from .solvers.frechet_mean import frechet_mean
from .space_form import SpaceForm, times


class Manifold(SpaceForm):
    r"""A complete simply connected Riemannian manifold of constant sectional curvature K.

    Points ``x, y`` and tangent vectors ``u, v`` are tensors whose last axis holds coordinates; all
    leading axes broadcast, and a function of points returns the broadcast leading axes. The base
    point comes first, options are keyword-only.

    *Precision.* float64 and float32 are computed as they come; bfloat16 and float16 are computed
    in float32 and the result is rounded to the input's dtype, whatever autocast or TF32 say.
    Mixed dtypes promote as torch does.

    *Curvature.* Each kernel is written for the unit space form, K in {-1, 0, 1}. A space of
    curvature K is the unit one seen through a magnifying glass of R = 1/sqrt(abs(K)): points are
    divided by R on the way in, lengths multiplied by R on the way out.

    *Defined everywhere.* No function returns NaN for a point of the manifold. Where a quantity
    is not differentiable (a distance at coincident points, an angle at its vertex) the gradient is
    the documented subgradient, 0 unless said otherwise.

    *Compiled.* Each class has code of its own for every public method, so the compiler counts the
    graphs of ``Lorentz.dist`` apart from those of ``Sphere.dist``. It keeps eight of each in a
    process (``torch._dynamo.config.recompile_limit``): one is taken for the first shape, one for
    all others of as many axes, one for each other number of axes, and again for R = 1, for other
    fixed curvatures together and for learnable ones; from the ninth on it runs eagerly, with a
    warning in the log, or with ``fullgraph=True`` an error. A function of yours that is given many
    manifolds is one function. What replaces ``Manifold.dist`` at run time, as a mock does, is so
    not seen by ``Lorentz.dist``: replace that.
    Leave ``dynamic`` alone: under ``dynamic=True`` torch 2.13 fails in ``geodesic`` of a learned
    curvature (of a number that two kernels have), and the default makes sizes dynamic where they
    change.

    Every public method raises ``TypeError`` for a tensor that is not floating-point and
    ``ValueError`` for last axes that differ or are too short, leading axes that do not broadcast
    and tensors on different devices. Whether a point lies *on* the manifold is not checked here:
    wrap the manifold in :class:`Checked` for that.

    A new manifold gives the abstract methods below (all at unit curvature, all keeping the last
    axis) and inherits the rest; see CONTRIBUTING.
    """

    # -- points ---------------------------------------------------------------------------------

    def ambient_dim(self, n: int) -> int:
        """Number of coordinates of a point of the n-dimensional space.

        n + 1 for Lorentz and Sphere, n for PoincareBall and Euclidean.
        """
        return n + self._extra_coordinates

    def origin(
        self, n: int, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> Tensor:
        """The origin of the n-dimensional space, shape (ambient_dim(n),).

        (R, 0, ..., 0) for Lorentz and Sphere, 0 for PoincareBall and Euclidean.
        """
        check_integer(f"{self._name}.origin", "n", n, 1, "a dimension, an integer")
        dtype = dtype or torch.get_default_dtype()
        origin = self._unit_origin(torch.empty(self.ambient_dim(n), dtype=dtype, device=device))
        return times(origin, self._radius_in(dtype), 1)

    def proj(self, x: Tensor) -> Tensor:
        """A point of the manifold from coordinates that are nearly (or not at all) one.

        Lorentz: keeps the space part, recomputes time. Sphere: divides by the norm (the zero
        vector goes to the origin). PoincareBall: pulls points outside the largest ball that the
        dtype can hold, norm (1 - 3 eps) R, back to its surface. Euclidean: identity. A point of
        the manifold is its own projection up to rounding.

        Shapes: (..., m) -> (..., m).
        """
        (x,), call = self._to_unit("proj", [("x", x)], unit=False)
        return self._from_unit_stored(self._proj_at(x, call), call)

    def is_point(self, x: Tensor) -> Tensor:
        """Whether x is a point of the manifold up to rounding in its dtype: (..., m) -> (...) bool.

        Non-finite coordinates are not points.
        """
        (x_unit,), _ = self._to_unit("is_point", [("x", x)])
        # Every coordinate may carry an error of eps/2 relative to the point's size; a sum of m
        # squares of such errors grows like sqrt(m), and the maps themselves cost a few roundings.
        tolerance = 8 * torch.finfo(x.dtype).eps * math.sqrt(x.shape[-1])
        on = (self._defect(x_unit) <= tolerance).squeeze(-1)
        return on & x.isfinite().all(-1)

    def is_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        """Whether v is tangent at x up to rounding: (..., m), (..., m) -> (...) bool."""
        (x_unit, v_), call = self._to_unit("is_tangent", [("x", x)], [("v", v)])
        off = norm(self._proj_tangent(x_unit, v_) - v_)
        # Tangency is one linear equation with coefficients of size |x|.
        size = norm(v_) * (1 + norm(x_unit)).square() if self._extra_coordinates else norm(v_)
        tolerance = 8 * torch.finfo(call.dtype).eps * math.sqrt(x.shape[-1])
        return (off <= tolerance * size).squeeze(-1) & v.isfinite().all(-1)

    def _check_values(
        self,
        op: str,
        points: Sequence[tuple[str, Tensor]],
        bases: Sequence[tuple[str, Tensor]],
        tangents: Sequence[tuple[str, Tensor]],
    ) -> None:
        # proj, is_point and is_tangent are the ways to deal with what is not a point.
        if op in ("proj", "is_point", "is_tangent"):
            return
        where, space = f"{self._name}.{op}", self._unchecked
        for name, x in points:
            wanted = "points" if name == "the result" else f"points of {space}"
            expect(space.is_point(x), x, f"{where}: {name}", "points off the manifold", wanted)
        for name, v in tangents:
            n = v.shape[-1] - self._extra_coordinates
            base = bases[0][1] if bases else self.origin(n, dtype=v.dtype, device=v.device)
            wrong, wanted = (
                "vectors that are not tangent",
                "finite tangent vectors at the base point",
            )
            expect(space.is_tangent(base, v), v, f"{where}: {name}", wrong, wanted)

    # -- tangent vectors ------------------------------------------------------------------------

    def proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        """A tangent vector at x from ambient coordinates.

        Lorentz: keeps the space part and recomputes the time part, <x, v> = 0; this is the
        identity on tangent vectors and never amplifies rounding, but it is *not* the
        Minkowski-orthogonal projection, which would. Sphere: the orthogonal projection.
        PoincareBall, Euclidean: identity.

        Shapes: (..., m), (..., m) -> (..., m).
        """
        (x, v), call = self._to_unit("proj_tangent", [("x", x)], [("v", v)], covector=True)
        return self._from_unit_vector(self._proj_tangent(x, v), call)

    def inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        r"""Riemannian inner product :math:`\langle u, v\rangle_x`: three (..., m) -> (...).

        Lorentz: the Minkowski product; PoincareBall: :math:`\lambda_x^2\,u\cdot v` with
        :math:`\lambda_x = 2/(1+K|x|^2)`; Sphere, Euclidean: :math:`u\cdot v`.
        """
        (x, u, v), call = self._to_unit("inner", [("x", x)], [("u", u), ("v", v)], hold=True)
        a, b = (self._orthonormal(x, w, **call.curved) for w in (u, v))
        return self._from_unit_scalar(scaled_dot(a, b), call)

    def norm(self, x: Tensor, v: Tensor) -> Tensor:
        """Riemannian norm of v at x: (..., m), (..., m) -> (...); gradient 0 at v = 0."""
        (x, v), call = self._to_unit("norm", [("x", x)], [("v", v)], hold=True)
        return self._from_unit_scalar(self._norm(x, v, **call.curved), call)

    def egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        r"""Riemannian gradient at x from the Euclidean gradient g that autograd gives.

        :math:`G_x^{-1}g` in the free coordinates; Lorentz: with :math:`h = (-g_t, g_s)`,
        :math:`h - K\langle x, h\rangle x` (Nickel & Kiela 2018, algorithm 1). Nothing is changed
        in place. Shapes: (..., m), (..., m) -> (..., m).
        """
        named = [("x", x)], [("g", g)]
        (x, g), call = self._to_unit("egrad2rgrad", *named, covector=True, hold=True)
        return self._from_unit_vector(self._egrad2rgrad(x, g, **call.curved), call)

    # -- distances ------------------------------------------------------------------------------

    def dist(self, x: Tensor, y: Tensor) -> Tensor:
        r"""Geodesic distance: (..., m), (..., m) -> (...).

        Computed as :math:`2R\,\mathrm{asn}(\mathrm{sn}(d/2R))` from a sum of squares that
        vanishes exactly at x = y; never through acosh or acos of an inner product, which lose
        half of the digits of a small distance. dist(x, x) = 0 with gradient 0. Sphere: antipodes
        are at pi R, also with gradient 0.
        """
        (x, y), call = self._to_unit("dist", [("x", x), ("y", y)], unit=False)
        return self._from_unit_scalar(self._dist(x, y, call.radius), call)

    def sqdist(self, x: Tensor, y: Tensor) -> Tensor:
        """Squared geodesic distance, smooth at x = y: (..., m), (..., m) -> (...)."""
        (x, y), call = self._to_unit("sqdist", [("x", x), ("y", y)], unit=False)
        return self._from_unit_scalar(self._sqdist(x, y, call.radius), call)

    def cdist(self, x: Tensor, y: Tensor, *, squared: bool = False, matmul: bool = False) -> Tensor:
        """All distances between two sets: (..., p, m), (..., q, m) -> (..., p, q).

        Args:
            x, y: points.
            squared: squared distances instead.
            matmul: False computes each pair as :meth:`dist` does, with its accuracy, in memory
                of p q m numbers. True goes through matrix products, in memory of p q numbers:
                sn(d/2)^2 then carries an absolute error of at most six units times cs(r_x) cs(r_y),
                a unit as in the table below. With float64 products that is below float32
                rounding unless points closer than about 1e-6 cs(r) are compared; pairs closer
                than that error can resolve count as coincident, distance 0 with gradient 0.

        ========================== =============================================== ==============
        products of float32 points on                                              unit
        ========================== =============================================== ==============
        one of float64             CPU; CUDA devices with float64 at half speed;   1e-16
                                   wherever it is compiled or under ``torch.func``
        three of float32           other CUDA devices (float64 32 to 64 times      2e-10 to 5e-10
                                   slower)
        one of float32             devices without float64 (MPS)                   6e-8
        ========================== =============================================== ==============

        (Three: of the leading b bits and of the rest, by which the unit is 2^-(24 + b), b = 7 for
        512 coordinates and 8 for 128.) The choice is by the device, never by values.

        Of one set with itself, ``cdist(x, x)``, the table is symmetric to the last bit: its upper
        half twice. (That of two objects is not, even if they are equal: a pair is seen from its
        first point, and to see it from both would take twice as long.)
        """
        self._check_sets("cdist", x, y)
        kind = pairwise.products_for(x, y) if matmul else None
        table = self._unchecked._all_distances(x, y, squared=squared, matmul=kind)
        return self._result(table.triu() + table.triu(1).mT if x is y else table, "cdist")

    def _all_distances(
        self, x: Tensor, y: Tensor, *, squared: bool, matmul: Products | None
    ) -> Tensor:
        return pairwise.all_distances(self, x, y, squared=squared, matmul=matmul)

    def cinner(self, x: Tensor, y: Tensor, *, matmul: bool = False) -> Tensor:
        r"""All values of the form that defines the space: (..., p, m), (..., q, m) -> (..., p, q).

        :math:`x\cdot y` on Euclidean and Sphere, the Minkowski product :math:`\langle x, y\rangle`
        on Lorentz and of the corresponding hyperboloid points on PoincareBall. On a curved space
        it is :math:`\cos_K(d)/K`, a monotone function of distance: the cheapest logit. On
        Stereographic it is :math:`(\cos_K(d) - 1)/K`, which has a limit at K = 0, half of -d^2.

        Args:
            x, y: points.
            matmul: as in :meth:`cdist`. False computes each pair by sn(d/2)^2, with the accuracy of
                :meth:`dist`, in memory of p q m numbers. True goes through one matrix product in
                float64, in memory of p q numbers, with an absolute error of at most
                1e-15 R^2 cs(r_x) cs(r_y) beside that of the first: nothing to a loss of points
                within ten R of the origin, all of the value for two at 20 R in about one direction.
                On Euclidean and Sphere, where no term cancels but those of the sum itself, it is
                that product anyway.
        """
        self._check_sets("cinner", x, y)
        kind = pairwise.products_for(x, y) if matmul else None
        return self._result(self._unchecked._all_inner(x, y, matmul=kind), "cinner")

    def _all_inner(self, x: Tensor, y: Tensor, *, matmul: Products | None) -> Tensor:
        return pairwise.all_inner(self, x, y, matmul=matmul)

    def pair_form(self, kind: Kind, m: int) -> PairForm | None:
        r"""``"dist"``, ``"sqdist"`` or ``"inner"`` (as ``cinner``) of all pairs as matrix products.

        What a loss needs that cannot hold the table of all pairs: features :math:`(X, p, q)` of
        each point with :math:`\mathrm{sn}^2(d/2) = h = (p_x q_y + q_x p_y - X_x\cdot X_y)/2`, and
        phi with derivative, so that the function is a sum of phi(h). A product is that of features
        with n + 2 columns; its rounding is at most a few units of its dtype times
        (p_x q_y + q_x p_y)/2, which is about cs(r_x) cs(r_y)/2 on a curved space and
        (|x|^2 + |y|^2)/4 on flat space.

        Args:
            kind: which function.
            m: how many coordinates the points have.

        Returns:
            None where there is no such form: a product with the max metric, or of products.
        """
        return pairwise.form(self, kind, m)

    def _check_sets(self, op: str, x: Tensor, y: Tensor) -> None:
        named = [("x", x), ("y", y)]
        check_coordinates(f"{self._name}.{op}", named, 1 + self._extra_coordinates, sets=True)
        if self._checks:
            self._check_values(op, named, [], [])

    # -- geodesics ------------------------------------------------------------------------------

    def expmap(self, x: Tensor, v: Tensor) -> Tensor:
        """Exponential map: the point at distance |v| from x in direction v.

        expmap(x, 0) is x, with the identity as derivative in v. A result too far out for the
        dtype is pulled back to its edge (Lorentz in float32: distance 28 R from the origin,
        PoincareBall: 15.5 R). Shapes: (..., m), (..., m) -> (..., m).
        """
        (x, v), call = self._to_unit("expmap", [("x", x)], [("v", v)], scaled=True, unit=False)
        return self._from_unit_stored(self._expmap_at(x, v, call), call)

    def logmap(self, x: Tensor, y: Tensor) -> Tensor:
        """Logarithm: the initial velocity at x of the geodesic that reaches y at time 1.

        The inverse of :meth:`expmap`: |logmap(x, y)| = dist(x, y), logmap(x, x) = 0 with the
        identity as derivative in y. Sphere: at antipodes, where every direction leads to y, one of
        them is returned, always the same. Shapes: (..., m), (..., m) -> (..., m).
        """
        (x, y), call = self._to_unit("logmap", [("x", x), ("y", y)], unit=False)
        return self._from_unit_vector(self._logmap_at(x, y, call.radius), call)

    def geodesic(self, x: Tensor, y: Tensor, t: Tensor | float) -> Tensor:
        """The point at time t on the geodesic with x at t = 0 and y at t = 1.

        Args:
            x, y: points (..., m).
            t: a number, or a tensor (...) that broadcasts with the leading axes. Any real value:
                the geodesic goes on beyond its ends, as far as the dtype can hold its points, and
                is pulled back to the edge from there; around a sphere as often as t says. NaN and
                infinity, at which it has no point, give NaN.

        At t = 0 and t = 1 it is x and y themselves, and reversed it is the same: geodesic(x, y, t)
        and geodesic(y, x, 1 - t) differ by rounding only.
        """
        check_amount(f"{self._name}.geodesic", "t", t)
        x, y, step, _, call = self._pair_to_unit("geodesic", x, y, hold=True)
        time = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        check_broadcast(f"{self._name}.geodesic", "t", time, time.shape, step.shape[:-1])
        known = isinstance(t, (int, float)) and 0 <= t <= 1
        kernel = self._between if known else self._geodesic
        time = time.where(time.isfinite(), torch.nan).unsqueeze(-1)
        return self._from_unit_point(kernel(x, y, step, time, **call.curved), call)

    def midpoint(self, x: Tensor, y: Tensor) -> Tensor:
        """The point halfway between x and y: (..., m), (..., m) -> (..., m)."""
        x, y, step, _, call = self._pair_to_unit("midpoint", x, y, hold=True)
        return self._from_unit_point(self._midpoint(x, y, step, **call.curved), call)

    def mean(
        self, x: Tensor, weights: Tensor | None = None, *, start: Tensor | None = None
    ) -> Tensor:
        r"""Fréchet mean of a set: the point that minimises :math:`\sum_i w_i d(m, x_i)^2`.

        Newton's method, safeguarded, on the gradient :math:`\sum_i w_i\log_m x_i`, whose
        derivative on a space form is known in closed form (Karcher 1977, appendix C). The last
        step is taken with gradients and from a point without, which is implicit differentiation:
        the result's derivative in x, in the weights and in the curvature is exact, at the cost of
        one step. The number of steps depends on the points: this one method does not go under
        ``vmap`` or into a full graph.

        Args:
            x: points (..., k, m).
            weights: (..., k), non-negative with a positive sum; equal if None.
            start: (..., m), a point to search from, for speed. On the sphere it decides which of
                several minima is found; elsewhere there is one, and the search begins amid the
                points where that is lower. No gradient flows to it.

        Returns:
            (..., m). On Euclidean and the hyperbolic models the mean is unique and is found from
            any start. On the sphere it is the one in the hemisphere of the points' centroid, if
            they lie in one; for points that balance (two antipodes, a great circle) it is one of
            the points where the search comes to rest.

        Raises:
            ValueError: no points; weights that are negative, not finite or all zero, or of
                another shape.
        """
        (x,), call = self._to_unit("mean", [("x", x)])
        return self._from_unit_point(self._mean(x, weights, start), call)

    def _mean(self, x: Tensor, weights: Tensor | None, start: Tensor | None) -> Tensor:
        return frechet_mean(self, x, weights, start)

    # -- the origin -----------------------------------------------------------------------------

    def expmap0(self, v: Tensor) -> Tensor:
        """expmap at the origin; v is a tangent vector there, in the manifold's own coordinates.

        Lorentz and Sphere: (0, v_1, ..., v_n); PoincareBall: coordinates in which a vector of
        Euclidean norm a has length 2 a. For features of an encoder use :meth:`from_normal`.
        """
        vectors = [("v", v)]
        (v,), call = self._to_unit("expmap0", [], vectors, at_origin=True)
        return self._from_unit_stored(self._from_normal_at(self._drop_tangent0(v), call), call)

    def logmap0(self, x: Tensor) -> Tensor:
        """logmap at the origin: the inverse of :meth:`expmap0`; (..., m) -> (..., m)."""
        (x,), call = self._to_unit("logmap0", [("x", x)], unit=False)
        return self._from_unit_vector(self._lift_tangent0(self._to_normal_at(x, call.radius)), call)

    def from_normal(self, v: Tensor) -> Tensor:
        """The point with normal coordinates v: exp at the origin in the standard frame.

        The same v gives the same point of hyperbolic space on Lorentz and on PoincareBall, and
        dist(origin, from_normal(v)) = |v| everywhere. This is how an encoder's n features become
        a point. from_normal(0) is the origin. Shapes: (..., n) -> (..., ambient_dim(n)).
        """
        check_coordinates(f"{self._name}.from_normal", [("v", v)], 1)
        call = self._call("from_normal", v.dtype)
        v = v.to(torch.promote_types(v.dtype, torch.float32))
        return self._from_unit_stored(self._from_normal_at(v, call), call)

    def to_normal(self, x: Tensor) -> Tensor:
        """Normal coordinates of a point, the inverse of :meth:`from_normal`.

        |to_normal(x)| is the distance from the origin. Shapes: (..., ambient_dim(n)) -> (..., n).
        """
        (x,), call = self._to_unit("to_normal", [("x", x)], unit=False)
        return self._from_unit_vector(self._to_normal_at(x, call.radius), call)

    # -- transport and volume -------------------------------------------------------------------

    def transport(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Parallel transport of v from x to y along their geodesic: three (..., m) -> (..., m).

        A linear isometry of tangent spaces, the identity at x = y. Sphere: at antipodes, along
        the geodesic that :meth:`logmap` names.
        """
        (x, y, v), call = self._to_unit("transport", [("x", x), ("y", y)], [("v", v)], unit=False)
        return self._from_unit_vector(self._transport_at(x, y, v, call.radius), call)

    def transport0(self, y: Tensor, v: Tensor) -> Tensor:
        """Parallel transport from the origin to y: (..., m), (..., m) -> (..., m)."""
        named = [("y", y)], [("v", v)]
        (y, v), call = self._to_unit("transport0", *named, at_origin=True, hold=True)
        origin = self._unit_origin(y)
        moved = self._transport(origin, y, y - origin, v, **call.curved)
        return self._from_unit_vector(moved, call)

    def transport0_inverse(self, x: Tensor, v: Tensor) -> Tensor:
        """Parallel transport from x to the origin: (..., m), (..., m) -> (..., m)."""
        (x, v), call = self._to_unit("transport0_inverse", [("x", x)], [("v", v)], hold=True)
        origin = self._unit_origin(x)
        moved = self._transport(x, origin, origin - x, v, **call.curved)
        return self._from_unit_vector(moved, call)

    def logdetexp(self, x: Tensor, v: Tensor) -> Tensor:
        r"""Logarithm of the volume change of expmap at x: :math:`\log|\det D\exp_x(v)|`.

        :math:`(n-1)\log(\mathrm{sn}_K(|v|)/|v|)` on an n-dimensional space form (Nagano et al.
        2019, for K = -1); 0 at v = 0 and on Euclidean space. Sphere: -inf at
        |v| = pi R, the edge of the injectivity domain, and at its multiples.
        Shapes: (..., m), (..., m) -> (...).
        """
        named = [("x", x)], [("v", v)]
        (x, v), call = self._to_unit("logdetexp", *named, scaled=True, hold=True)
        return self._from_unit_scalar(self._logdetexp(x, v, **call.curved), call)

    # -- cones ----------------------------------------------------------------------------------

    def half_aperture(self, x: Tensor, min_radius: float = 0.1) -> Tensor:
        r"""Half-aperture of the entailment cone at x, in (0, pi/2]: (..., m) -> (...).

        .. math:: \sin\psi(x) = \frac{2\,\mathrm{min\_radius}}{\mathrm{sn}(r/R)},\qquad
                  \mathrm{sn} = \sinh, \mathrm{id}, \sin\ \text{by the sign of } K,

        r the distance from the origin. By Clairaut's relation sn(r) sin(angle) is constant along a
        geodesic, so a cone contains the cones of all its points: entailment is transitive. On the
        hyperboloid this is MERU's aperture (Desai et al. 2023), on the ball Ganea et al.'s (2018,
        "Hyperbolic entailment cones"; their K is min_radius, a radius in ball coordinates, whence
        the factor 2).

        Where sn(r/R) <= 2 min_radius the cone is the half-space: psi = pi/2 with gradient 0.
        Sphere: the apertures shrink with r up to the equator only; keep points in the hemisphere.
        """
        check_min_radius(f"{self._name}.half_aperture", min_radius)
        (x,), call = self._to_unit("half_aperture", [("x", x)], hold=True)
        return self._from_unit_scalar(_aperture(self._warp(x, **call.curved), min_radius), call)

    def exterior_angle(self, x: Tensor, y: Tensor) -> Tensor:
        r"""Angle at x between the outward ray (from the origin through x) and the geodesic to y.

        0 if y lies behind x on the same ray, pi if between the origin and x; y is in the cone at
        x iff exterior_angle(x, y) <= half_aperture(x). By atan2 of the two components of
        log_x(y), never acos (MERU's form, Desai et al. 2023, loses all digits at distance 8 in
        float32). At x = y and at x = origin, where the angle is not defined, it is 0 with
        gradient 0: a point is in its own cone, and the origin's cone is the whole space.

        Shapes: (..., m), (..., m) -> (...), in [0, pi].
        """
        x, y, step, _, call = self._pair_to_unit("exterior_angle", x, y, hold=True)
        across, along = self._log_polar(x, y, step, **call.curved)
        return self._from_unit_scalar(atan2_0(across, along), call)

    def cones(self, x: Tensor, y: Tensor, min_radius: float = 0.1) -> tuple[Tensor, Tensor]:
        r"""The exterior angle of y at x and the half-aperture at x, of each factor of the space.

        On one space form (k = 1) :meth:`exterior_angle` and :meth:`half_aperture`. On
        :class:`Product`, which has no one cone, those of its k factors, each in its own unit of
        length: y is in the cone at x if it is in all k of them, an order that is transitive
        because each of them is (the cones of PHyCLIP, ICLR 2026).

        Shapes: (..., m), (..., m) -> twice (..., k), the aperture's leading axes those of both.
        """
        check_min_radius(f"{self._name}.cones", min_radius)
        x, y, step, _, call = self._pair_to_unit("cones", x, y, hold=True)
        sn, across, along = self._cone_parts(x, y, step, **call.curved).chunk(3, dim=-1)
        angle, aperture = atan2_0(across, along), _aperture(sn, min_radius)
        return self._from_unit_scalar(angle, call), self._from_unit_scalar(aperture, call)

    # -- random points --------------------------------------------------------------------------

    def random_normal(
        self,
        *size: int,
        std: float = 1.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Wrapped normal points: from_normal(std * z), z standard normal of shape ``size``.

        The last entry of ``size`` is the dimension n: the result has shape
        ``(*size[:-1], ambient_dim(n))``. ``std`` is a length on the manifold.
        """
        options = {"generator": generator, "dtype": dtype, "device": device}
        return self.from_normal(sampling.random_normal(self, size, std, **options))

    def random_uniform(
        self,
        *size: int,
        radius: float | None = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Points uniform by volume in the geodesic ball of the given radius about the origin.

        The last entry of ``size`` is the dimension n. ``radius`` is a distance on the manifold,
        1 by default; on the sphere pi R, the whole sphere. The distribution of the distance from
        the origin, proportional to sn(r)^(n-1), is inverted numerically on 4,096 nodes.
        """
        options = {"generator": generator, "dtype": dtype, "device": device}
        return self.from_normal(sampling.random_uniform(self, size, radius, **options))


def _aperture(sn: Tensor, min_radius: float) -> Tensor:
    inside = ~(sn <= 2 * min_radius)  # NaN is not inside anything
    sine = 2 * min_radius / sn.where(inside, 4 * min_radius)
    return torch.where(inside, sine.asin(), math.pi / 2)
