"""Products of manifolds, their equal factors computed together."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from ..base import Manifold
from ..checks import check_broadcast, check_coordinates
from ..kernels.pairs.form import Kind, PairForm
from ..kernels.pairs.products import Products, widest
from ..manifold_checks import check_manifold
from .factors import Metric, checked_dims, checked_weights, grouped
from .kernels import ProductKernels
from .layout import Layout, side_by_side
from .pairwise import all_distances, all_inner, sum_of_forms


@final
class Product(ProductKernels):
    r"""The product of any manifolds :math:`M_1\times\dots\times M_k`.

    A point has the coordinates of its factors side by side on the last axis. Each factor sees
    lengths multiplied by :math:`c_i`, a function of its weight :math:`w_i > 0`; the distance is a
    norm of the factors' distances :math:`d_i`:

    ========== ============================================= =========================
    ``metric`` distance                                      :math:`c_i`
    ========== ============================================= =========================
    ``"l2"``   :math:`\sqrt{\sum_i w_i d_i^2}`               :math:`\sqrt{w_i}`
    ``"l1"``   :math:`\sum_i w_i d_i`                        :math:`w_i`
    ``"max"``  :math:`\max_i w_i d_i`                        :math:`w_i`
    ========== ============================================= =========================

    **l2** is the Riemannian product (do Carmo, "Riemannian Geometry", chapter 1, example 2.7; Gu
    et al. 2019, section 2): :math:`\langle u, v\rangle_x = \sum_i w_i\langle u_i, v_i\rangle`,
    the Riemannian gradient is that of each factor over :math:`w_i`, the mean that of each factor.

    **l1** and **max** come from no inner product. They have the geodesics of l2, which are those of
    each factor at its own constant speed (there are other shortest paths too), so ``expmap``,
    ``logmap``, ``geodesic``, ``midpoint``, ``transport`` and normal coordinates are the same maps;
    ``norm`` is the speed, :math:`\sum_i w_i|v_i|` or :math:`\max_i w_i|v_i|`, and
    dist(x, expmap(x, v)) = norm(x, v) for short v. What needs an inner product (``inner``,
    ``egrad2rgrad``, ``mean``, ``cinner``) raises ``NotImplementedError``: take it from an l2
    product of the same factors, whose points are the same.

    All maps are factor by factor, and equal factors (of one class and dimension: the same object,
    or any curvatures of Euclidean, Sphere, PoincareBall and Lorentz) are one call on (..., k, m),
    not k calls. So ``Product([Lorentz(-1.0)] * 64)`` costs what one Lorentz of 64 times as many
    points does. The same object listed 64 times has one curvature, learnable or not; 64 objects
    have 64. Factors may be products.

    *Normal coordinates* are those of the factors side by side, each divided by :math:`c_i`, so that
    dist(origin, from_normal(v)) is the l2, l1 or max norm of the lengths :math:`|v_i|`.

    *At coincident points* the distance has gradient 0, as on every manifold. Where only some
    factors coincide the gradient is exact; a second derivative of an l2 ``dist`` there lacks those
    factors' part, that of ``sqdist`` has it. At a tie of the max the gradient is that of one of
    the tied factors, or a mean of them. ``sqdist`` is smooth for l2 only.

    *Isometries* are those of the factors, side by side: :func:`translation`, :func:`recentre`,
    :func:`factorwise`. *Logits* are the factors' added up: :func:`logits`.

    *Cones* are those of the factors, side by side: :meth:`cones`. What is of a space of one
    curvature (``half_aperture``, ``exterior_angle``, ``curvature``, ``sign``, ``radius``) raises
    ``NotImplementedError``; see :attr:`curvatures` and :meth:`split`. (With a single factor, which
    may be any, the cones are that factor's.)

    >>> import torch
    >>> from spaceforms.manifolds import Euclidean, Lorentz, Product
    >>> space = Product([Lorentz(-1.0), Euclidean()], dims=[2, 3])
    >>> x, y = space.random_normal(10, 5), space.random_normal(10, 5)
    >>> x.shape, [part.shape for part in space.split(x)]
    (torch.Size([10, 6]), [torch.Size([10, 3]), torch.Size([10, 3])])
    >>> space.dist(x, y).shape
    torch.Size([10])

    Args:
        factors: the manifolds, at least one.
        dims: the dimension of each factor (not its number of coordinates, which is
            ``ambient_dim`` of it). None: all factors have the same dimension, whatever divides the
            last axis evenly: points of ``Product([Lorentz(-1.0)] * 64)`` have 64 (n + 1)
            coordinates for any n.
        metric: ``"l2"``, ``"l1"`` or ``"max"``.
        weights: a positive number for each factor; all 1 if None.

    Raises:
        TypeError: a factor that is no manifold, dims or weights that are no numbers.
        ValueError: no factor; dims, weights or metric out of range; and, from every method, a last
            axis that cannot be divided among the factors.
    """

    _family = "product"

    def __init__(
        self,
        factors: Sequence[Manifold],
        *,
        dims: Sequence[int] | None = None,
        metric: Metric = "l2",
        weights: Sequence[float] | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self._magnitude = None
        if isinstance(factors, nn.Module | str) or not isinstance(factors, Sequence):
            raise TypeError(
                f"Product: factors is a {type(factors).__name__}; expected a list of manifolds."
            )
        if not factors:
            raise ValueError("Product: factors is empty; expected at least one manifold.")
        for factor in factors:
            check_manifold("Product", factor)
        if metric not in ("l2", "l1", "max"):
            raise ValueError(f"Product: metric is {metric!r}; expected one of l2, l1, max.")
        k = len(factors)
        self.metric = metric
        self.weights = checked_weights(weights, k)
        """The weight of each factor, in the metric."""
        self._scales = [math.sqrt(w) if metric == "l2" else w for w in self.weights]
        # Each object once, so that its state is there once.
        objects = {id(f): f for f in factors}
        order = {key: j for j, key in enumerate(objects)}
        self.manifolds = nn.ModuleList(objects.values())
        self._which = [order[id(f)] for f in factors]
        sizes = checked_dims(dims, k) if dims is not None else [None] * k
        self._groups = grouped(factors, sizes)
        self._nested = [i for i, f in enumerate(factors) if isinstance(f, Product)]
        extras = [f._extra_coordinates for f in factors]
        self._layout = Layout(extras, dims, [group.members for group in self._groups])
        for i, (f, n) in enumerate(zip(factors, sizes, strict=True)):
            if n is not None and isinstance(f, Product) and not f._fits(n):
                raise ValueError(
                    f"Product: dims has {n} for factor {i}, {f}; expected {f._expected(False)}."
                )

    # -- factors --------------------------------------------------------------------------------

    @property
    def dims(self) -> tuple[int, ...] | None:
        """The dimension of each factor; None if they share the last axis evenly."""
        return self._layout.dims

    @property
    def curvatures(self) -> Tensor:
        """The sectional curvature of each factor, shape (k,); differentiable where learnable.

        Of the factor by itself: in the product its lengths are multiplied by c_i, which divides
        its curvature by c_i squared. A factor that is a product gives all of its own.
        """
        each = [f.curvatures if isinstance(f, Product) else f.curvature[None] for f in self.factors]
        device = next((c.device for c in each if c.device.type != "cpu"), each[0].device)
        return torch.cat([c.to(device) for c in each])

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """The factors' coordinates of points or tangent vectors: (..., m) -> k times (..., m_i)."""
        self._to_unit("split", [("x", x)])
        return self._split(x)

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """The inverse of :meth:`split`; leading axes broadcast: k times (..., m_i) -> (..., m)."""
        if len(parts) != len(self._which):
            raise ValueError(
                f"Product.join: parts has {len(parts)} tensors; expected {len(self._which)}, one a "
                "factor."
            )
        shape = torch.Size()
        for i, part in enumerate(parts):
            name = f"part {i}"
            check_coordinates("Product.join", [(name, part)], 1)
            shape = check_broadcast("Product.join", name, part, part.shape[:-1], shape)
        x = side_by_side(parts)
        self._check("join", "the joined tensor", x)
        for i, (part, wanted) in enumerate(zip(parts, self._split(x), strict=True)):
            if part.shape[-1] != wanted.shape[-1]:
                raise ValueError(
                    f"Product.join: part {i} has shape {tuple(part.shape)}; expected "
                    f"{wanted.shape[-1]} coordinates, those of {self._factor(i)}."
                )
        return x

    # -- what a space of one curvature has ------------------------------------------------------

    @property
    def curvature(self) -> Tensor:
        """Not one number: see :attr:`curvatures`."""
        self._has_no("curvature", "one curvature; expected curvatures, one a factor")

    @property
    def sign(self) -> int:
        """Not one number."""
        self._has_no("sign", "one sign of curvature; expected curvatures, one a factor")

    @property
    def radius(self) -> float | Tensor:
        """Not one number."""
        self._has_no("radius", "one radius; expected the radius of each of its factors")

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        if len(self.manifolds) == 1 and len(self._which) > 1:
            shown = f"[{self.manifolds[0]!r}] * {len(self._which)}"
        else:
            shown = repr(list(self.factors))
        dims = "" if self.dims is None else f", dims={list(self.dims)}"
        metric = "" if self.metric == "l2" else f", metric={self.metric!r}"
        even = all(w == 1 for w in self.weights)
        return shown + dims + metric + ("" if even else f", weights={list(self.weights)}")

    # -- points ---------------------------------------------------------------------------------

    def origin(
        self,
        n: int | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """The factors' origins side by side; n, the dimension, may be left out if dims are given.

        Shape (ambient_dim(n),).
        """
        if n is None:
            if self.dims is None:
                raise ValueError("Product.origin: n is None; expected a number, as dims is None.")
            n = sum(self.dims)
        if not self._fits(n):
            raise ValueError(f"Product.origin: n is {n}; expected {self._expected(False)}.")
        return super().origin(n, dtype=dtype, device=device)

    def is_point(self, x: Tensor) -> Tensor:
        """Whether each factor's part is a point of it up to rounding: (..., m) -> (...) bool."""
        self._to_unit("is_point", [("x", x)])
        return self._judged("is_point", x)

    def is_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        """Whether each part of v is tangent at x up to rounding: (..., m), (..., m) -> (...) bool.

        Each part is judged by its own length, however long the others are.
        """
        self._to_unit("is_tangent", [("x", x)], [("v", v)])
        return self._judged("is_tangent", x, v)

    def random_uniform(
        self,
        *size: int,
        radius: float | None = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Points whose parts are independent and uniform: see :meth:`Manifold.random_uniform`.

        By volume, in the product of the geodesic balls of the given radius about the factors'
        origins; ``radius`` is a distance on each factor, before its weight, and by default that of
        each factor. The last entry of ``size`` is the dimension of the product.
        """
        n = size[-1] if size else 0
        if not self._fits(n):
            raise ValueError(
                f"Product.random_uniform: size is {size}; expected leading sizes and then "
                f"{self._expected(False)}."
            )

        def some(factor: Manifold, *shape: int) -> Tensor:
            return factor.random_uniform(
                *shape, radius=radius, generator=generator, dtype=dtype, device=device
            )

        parts = []
        for group in self._groups:
            n_each = self._layout.dim(group.members[0], n)
            if group.one_object:
                shape = (*size[:-1], len(group.members), n_each)
                parts.append(some(self._kernels_of(group), *shape))
            else:
                each = [some(self._factor(i), *size[:-1], n_each) for i in group.members]
                parts.append(torch.stack(each, dim=-2))
        return self._join(parts)

    # -- all pairs ------------------------------------------------------------------------------

    def cdist(self, x: Tensor, y: Tensor, *, squared: bool = False, matmul: bool = False) -> Tensor:
        """All distances between two sets: (..., p, m), (..., q, m) -> (..., p, q).

        See :meth:`Manifold.cdist`. The factors' distances are added up one after the other into one
        p q table; there is never one of k p q numbers. For a gradient they are computed again in
        the backward pass, so it keeps no such table either (except under ``torch.func``, whose
        transforms do not allow that).
        """
        return super().cdist(x, y, squared=squared, matmul=matmul)

    def _all_distances(
        self, x: Tensor, y: Tensor, *, squared: bool, matmul: Products | None
    ) -> Tensor:
        dtype = torch.promote_types(x.dtype, y.dtype)
        working = torch.promote_types(dtype, torch.float32)
        if matmul is not None:
            working = torch.promote_types(dtype, widest(x.device))
        (x,), call = self._to_unit("cdist", [("x", x)], least=working)
        (y,), _ = self._to_unit("cdist", [("y", y)], least=working)
        total = all_distances(self, x, y, squared=squared, matmul=matmul)
        return self._from_unit_vector(total, call.in_dtype(dtype))

    def cinner(self, x: Tensor, y: Tensor, *, matmul: bool = False) -> Tensor:
        r"""The factors' ``cinner``, times :math:`w_i`, added up.

        (..., p, m), (..., q, m) -> (..., p, q). The bilinear form of the flat space around the
        product, such as a sum of Minkowski products. Unlike on one space form it is no function
        of the distance. For l2 only.
        """
        self._needs_l2("cinner")
        return super().cinner(x, y, matmul=matmul)

    def _all_inner(self, x: Tensor, y: Tensor, *, matmul: Products | None) -> Tensor:
        dtype = torch.promote_types(x.dtype, y.dtype)
        # float64 for a sum without one form of all pairs as well: its terms have both signs.
        wide = widest(x.device)
        (x,), call = self._to_unit("cinner", [("x", x)], least=wide)
        (y,), _ = self._to_unit("cinner", [("y", y)], least=wide)
        total = all_inner(self, x, y, matmul=matmul)
        return self._from_unit_vector(total, call.in_dtype(dtype))

    def pair_form(self, kind: Kind, m: int) -> PairForm | None:
        """See :meth:`Manifold.pair_form`: the factors' terms, each with its weight."""
        return sum_of_forms(self, kind, m)
