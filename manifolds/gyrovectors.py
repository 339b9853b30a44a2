"""The gyrovector operations of a model in which points are vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Manifold
from .checks import check_broadcast, check_coordinates
from .kernels.arithmetic.vectors import Number
from .kernels.hyperboloid.geodesic import multiple
from .space_form import Context, unit_pair


class Gyrovectors(Manifold):
    r"""A manifold whose points x, y can be added, :math:`x\oplus y`, and multiplied by numbers.

    A gyrovector space (Ungar 2008; Bachmann, Bécigneul & Ganea 2020 for every K): the addition
    is not associative, and what is missing is the gyration, a rotation of vectors.
    """

    @abstractmethod
    def _difference(self, x: Tensor, y: Tensor, step: Tensor, *, k: Number = 1.0) -> Tensor:
        """(-x) (+) y, step = y - x."""

    @abstractmethod
    def _gyration(
        self, x: Tensor, y: Tensor, step: Tensor, v: Tensor, *, k: Number = 1.0
    ) -> Tensor:
        """gyr[y, -x] v, step = y - x."""

    @abstractmethod
    def _coadd(self, x: Tensor, y: Tensor, total: Tensor, *, k: Number = 1.0) -> Tensor:
        """The coaddition, total = x + y."""

    def mobius_add(self, x: Tensor, y: Tensor) -> Tensor:
        r"""Möbius addition :math:`x\oplus y`: (..., n), (..., n) -> (..., n).

        .. math:: x\oplus y = \frac{(1 - 2K\,x\cdot y - K|y|^2)\,x + (1 + K|x|^2)\,y}
                  {1 - 2K\,x\cdot y + K^2|x|^2|y|^2}

        (Bachmann et al. 2020), computed from the sum x + y, so that what two points
        nearly opposite add up to keeps its digits: ``mobius_add(-x, x + d)`` has those of d. At K
        = 0 it is x + y; the origin is neutral, and -x + x is exactly the origin. For K > 0 the sum
        of x and of the point antipodal to -x is at infinity: the edge of the chart is returned, in
        the direction of y.
        """
        minus, y_, both, _, call = self._sum_to_unit("mobius_add", x, y)
        total = self._from_unit_point(self._difference(minus, y_, both, **call.curved), call)
        # What the origin is added to, as it is stored: of the quotient, and of a point that is
        # pulled back from an edge where it already was, the last bits differ.
        other = torch.where((minus == 0).all(-1, keepdim=True), y, total)
        other = torch.where((y_ == 0).all(-1, keepdim=True), x, other)
        return total + (other - total).detach()

    def mobius_scalar(self, r: Tensor | float, x: Tensor) -> Tensor:
        r"""Möbius scalar multiplication: the point r times as far from the origin.

        .. math:: r\otimes x = \mathrm{tn}_K(r\,\mathrm{tn}_K^{-1}|x|)\,x/|x|

        (Bachmann et al. 2020). A whole r is :math:`x\oplus x\oplus\dots`; 0 gives the
        origin, -1 gives -x. For K > 0 the ray is a closed geodesic, gone round by a large r.

        Args:
            r: a number, or a tensor (...) that broadcasts with the leading axes.
            x: points (..., n).
        """
        (x,), call = self._to_unit("mobius_scalar", [("x", x)])
        factor = torch.as_tensor(r, dtype=x.dtype, device=x.device)
        where = f"{self._name}.mobius_scalar"
        check_broadcast(where, "r", factor, factor.shape, x.shape[:-1])
        factor = factor.where(factor.isfinite(), torch.nan).unsqueeze(-1)
        normal = self._to_normal(x)
        longer = factor * normal
        # Beyond the dtype the ray is left: a product with a coordinate 0 would be NaN.
        longer = torch.where(longer.isfinite().all(-1, True), longer, multiple(factor, normal))
        return self._from_unit_point(self._from_normal(longer), call)

    def mobius_matvec(self, m: Tensor, x: Tensor) -> Tensor:
        r"""Möbius matrix-vector multiplication :math:`M\otimes x = \exp_0(M\log_0 x)`.

        .. math:: M\otimes x = \mathrm{tn}_K\Big(\frac{|Mx|}{|x|}\,\mathrm{tn}_K^{-1}|x|\Big)
                  \frac{Mx}{|Mx|}

        (Ganea, Bécigneul & Hofmann 2018, eq. 27); the origin where M x = 0.

        Args:
            m: matrices (..., k, n), whose leading axes broadcast with those of x. TF32 and autocast
                apply to it as to any matrix product of the working dtype.
            x: points (..., n).

        Returns:
            (..., k), points of the k-dimensional space of the same curvature.
        """
        where = f"{self._name}.mobius_matvec"
        check_coordinates(where, [("m", m)], 1, sets=True)
        (x_,), call = self._to_unit("mobius_matvec", [("x", x)])
        if m.shape[-1] != x.shape[-1]:
            raise ValueError(
                f"{where}: m has shape {tuple(m.shape)} and x has shape {tuple(x.shape)}; expected "
                f"matrices with as many columns as x has coordinates, (..., k, {x.shape[-1]})."
            )
        check_broadcast(where, "m", m, m.shape[:-2], x.shape[:-1])
        dtype = torch.promote_types(m.dtype, call.dtype)
        working = torch.promote_types(dtype, torch.float32)
        product = (m.to(working) * self._to_normal(x_.to(working)).unsqueeze(-2)).sum(-1)
        return self._from_unit_point(self._from_normal(product), call.in_dtype(dtype))

    def gyration(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        r"""The gyration :math:`\mathrm{gyr}[x, y]\,v`: three (..., n) -> (..., n).

        .. math:: \mathrm{gyr}[x, y]\,v = -(x\oplus y)\oplus(x\oplus(y\oplus v))

        A rotation of the plane of x and y, for vectors and for points alike: linear in v, of the
        same Euclidean norm, and the identity where x and y are parallel and at K = 0. It is not
        computed from the sums, but as v and a correction with the factor K (Ungar 2008),
        for K > 0 also as two reflections. For K > 0 and y antipodal to -x, where it is not defined,
        it is the reflection that swaps the two.
        """
        minus, x, both, (v,), call = self._sum_to_unit("gyration", y, x, [("v", v)])
        return self._from_unit_vector(self._gyration(minus, x, both, v, **call.curved), call)

    def coadd(self, x: Tensor, y: Tensor) -> Tensor:
        r"""Coaddition :math:`x\boxplus y = x\oplus\mathrm{gyr}[x, -y]\,y`, which is commutative.

        .. math:: x\boxplus y = \frac{(1 + K|y|^2)\,x + (1 + K|x|^2)\,y}{1 - K^2|x|^2|y|^2}

        (Ungar 2008). (..., n), (..., n) -> (..., n). For K > 0 it is at infinity where
        |x||y| = 1/K: the edge of the chart is returned; and where the numerator vanishes as well,
        y = -x, the origin.
        """
        minus, y, both, _, call = self._sum_to_unit("coadd", x, y)
        return self._from_unit_point(self._coadd(-minus, y, both, **call.curved), call)

    def cosub(self, x: Tensor, y: Tensor) -> Tensor:
        r"""Cosubtraction :math:`x\boxminus y = x\boxplus(-y)`: (..., n), (..., n) -> (..., n).

        It undoes addition from the right, :math:`(x\boxminus y)\oplus y = x`.
        """
        minus, y, both, _, call = self._sum_to_unit("cosub", x, -y)
        return self._from_unit_point(self._coadd(-minus, y, both, **call.curved), call)

    def _sum_to_unit(
        self, op: str, x: Tensor, y: Tensor, tangents: Sequence[tuple[str, Tensor]] = ()
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor], Context]:
        """-x, y, their sum, the vectors, and the way back. The sum is that of x and y as they are
        stored: of points nearly opposite nothing else has its digits."""
        points = [("x", x), ("y", y)]
        (x, y, *vectors), call = self._to_unit(op, points, tangents, unit=False, hold=True)
        return *unit_pair(-x, y, call.radius), vectors, call
