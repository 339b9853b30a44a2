"""The factors of a product: which go together, and one call for each group of them."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from ..base import Manifold
from ..euclidean import Euclidean
from ..kernels.arithmetic.vectors import Number
from ..lorentz import Lorentz
from ..poincare_ball import PoincareBall
from ..space_form import Context, divided, times
from ..sphere import Sphere
from .layout import Layout, column

# Their kernels are those of the unit space whatever the curvature, so different curvatures go into
# one call, with one radius a factor. Of any other manifold only the same object is one call.
_BY_RADIUS_ALONE = (Euclidean, Lorentz, PoincareBall, Sphere)

Metric = Literal["l2", "l1", "max"]


class Group(NamedTuple):
    """Factors that one call computes: equal ones, or of curvatures that are only a radius."""

    members: tuple[int, ...]
    """Their positions, ascending."""
    one_object: bool
    by_radius: bool
    """Whether the kernels are the same whatever the curvature."""


class Factors(Manifold):
    """What the factors of :class:`Product` are, and one call for each group of equal ones.

    A product is the unit space of itself: its R is 1. ``_each`` takes the groups of factors apart,
    (..., g, m), divides each by its own radii, and calls a kernel of the factors; ``_join`` puts
    the results together again.
    """

    manifolds: nn.ModuleList
    """The factors, each object once."""
    metric: Metric
    _which: list[int]
    """For each factor, which of ``manifolds`` it is."""
    _groups: list[Group]
    weights: tuple[float, ...]
    """The number w_i of each factor, as given."""
    _scales: list[float]
    """The number c that each factor's lengths are multiplied by."""
    _layout: Layout
    _nested: list[int]
    """Which factors are products."""

    def _factor(self, i: int) -> Manifold:
        factor: Manifold = self.manifolds[self._which[i]]  # type: ignore[assignment]
        return factor

    @property
    def factors(self) -> tuple[Manifold, ...]:
        """The manifolds, in order; the same object as often as it was given."""
        return tuple(self._factor(i) for i in range(len(self._which)))

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        n = x.shape[-1] - self._extra_coordinates
        return x.tensor_split([self._layout.start(i, n) for i in range(1, len(self._which))], -1)

    @property
    def _extra_coordinates(self) -> int:  # type: ignore[override]
        return sum(self._layout.extras)

    def _has_no(self, op: str, what: str) -> NoReturn:
        raise NotImplementedError(f"Product.{op}: a product has no {what}.")

    def _needs_l2(self, op: str) -> None:
        if self.metric != "l2":
            self._has_no(
                op,
                f"inner product under the metric {self.metric}; expected metric='l2' (a Product of "
                "the same factors has the same points)",
            )

    def _radius_in(self, dtype: torch.dtype) -> float:
        return 1.0  # each factor is divided by its own, in the kernels

    def _fits(self, n: int) -> bool:
        if not self._layout.fits(n):
            return False
        nested = [(self._factor(i), self._layout.dim(i, n)) for i in self._nested]
        return all(f._fits(own) for f, own in nested if isinstance(f, Factors))

    def _expected(self, ambient: bool) -> str:
        extra = self._extra_coordinates if ambient else 0
        k, what = len(self._which), "coordinates" if ambient else "dimensions"
        dims = self._layout.dims
        if dims is not None:
            return f"{sum(dims) + extra} {what}, for {k} factors of dimensions {dims}"
        return f"{k} n{f' + {extra}' if extra else ''} {what}, for {k} factors of one dimension n"

    def _check(self, op: str, name: str, x: Tensor, *, normal: bool = False) -> None:
        n = x.shape[-1] - (0 if normal else self._extra_coordinates)
        if not self._fits(n):
            raise ValueError(
                f"Product.{op}: {name} has shape {tuple(x.shape)}; expected "
                f"{self._expected(not normal)}, on the last axis."
            )

    def _to_unit(
        self,
        op: str,
        points: Sequence[tuple[str, Tensor]],
        tangents: Sequence[tuple[str, Tensor]] = (),
        **options: Any,
    ) -> tuple[list[Tensor], Context]:
        values, call = super()._to_unit(op, points, tangents, **options)
        self._check(op, *(*points, *tangents)[0])
        return values, call

    # -- one call for each group of equal factors -----------------------------------------------

    def _radius_of(self, group: Group, like: Tensor) -> float | Tensor:
        """The radius of a group's factors: a number, or (g, 1) if they are not the same."""
        if group.one_object:
            return self._factor(group.members[0])._radius_in(like.dtype)
        return column([self._factor(i)._radius_in(like.dtype) for i in group.members], like)

    def _held_of(
        self, group: Group, like: Tensor, hold: bool = True
    ) -> tuple[Number, dict[str, Any]]:
        """``_held`` of their radius, which has a derivative if one of them is learnable."""
        learnable = any(any(True for _ in self._factor(i).parameters()) for i in group.members)
        return self._kernels_of(group)._held(self._radius_of(group, like), hold and learnable)

    def _scale_of(self, group: Group, like: Tensor) -> float | Tensor:
        return column([self._scales[i] for i in group.members], like)

    def _kernels_of(self, group: Group) -> Manifold:
        return self._factor(group.members[0])

    def _each(
        self,
        kernel: str,
        lengths: Sequence[Tensor],
        others: Sequence[Tensor] = (),
        *,
        shared: Sequence[Tensor] = (),
        power: int = 0,
        scale: int = 0,
        hold: bool = False,
    ) -> list[Tensor]:
        """A kernel of every group.

        Args:
            kernel: its name.
            lengths: arguments to divide by R.
            others: arguments to leave as they are.
            shared: (..., 1), the same for all factors.
            power: of R, that the result is multiplied by.
            scale: the power of c that it is multiplied by.
            hold: divide by an R without a derivative, as in ``Manifold._enter``.

        Returns:
            (..., g, *) for each group.
        """
        like = (*lengths, *others)[0]
        scaled = [self._layout.gather(x) for x in lengths]
        plain = [self._layout.gather(x) for x in others]
        common = [x.unsqueeze(-1) for x in shared]
        results = []
        for j, group in enumerate(self._groups):
            radius, curved = self._held_of(group, like, hold)
            values = [divided(x[j], radius) for x in scaled] + [x[j] for x in plain] + common
            result = getattr(self._kernels_of(group), kernel)(*values, **curved)
            result = times(result, radius, power)
            results.append(times(result, self._scale_of(group, like), scale))
        return results

    def _each_at(self, kernel: str, *stored: Tensor, scale: int = 0) -> list[Tensor]:
        """The same for a kernel of tensors as they are stored, which takes R beside them."""
        results = []
        for group, *some in zip(self._groups, *map(self._layout.gather, stored), strict=True):
            radius = self._radius_of(group, some[0])
            result = getattr(self._kernels_of(group), kernel)(*some, radius)
            results.append(times(result, self._scale_of(group, some[0]), scale))
        return results

    def _join(self, groups: Sequence[Tensor]) -> Tensor:
        return self._layout.join(groups)


def grouped(factors: Sequence[Manifold], sizes: Sequence[int | None]) -> list[Group]:
    """Equal factors, of one class and dimension, together; of each group in the first's place."""
    groups: dict[object, list[int]] = {}
    for i, (f, n) in enumerate(zip(factors, sizes, strict=True)):
        kind = type(f) if type(f) in _BY_RADIUS_ALONE else id(f)
        groups.setdefault((kind, n), []).append(i)
    return [
        Group(
            tuple(members),
            len({id(factors[i]) for i in members}) == 1,
            type(factors[members[0]]) in _BY_RADIUS_ALONE,
        )
        for members in groups.values()
    ]


def checked_dims(dims: Sequence[int], k: int) -> list[int]:
    if not isinstance(dims, Sequence) or not all(
        isinstance(n, int) and not isinstance(n, bool) for n in dims
    ):
        raise TypeError(f"Product: dims is {dims!r}; expected a list of whole numbers, or None.")
    if len(dims) != k or not all(n > 0 for n in dims):
        raise ValueError(
            f"Product: dims is {list(dims)} for {k} factors; expected the dimension of each, at "
            "least 1."
        )
    return list(dims)


def checked_weights(weights: Sequence[float] | None, k: int) -> tuple[float, ...]:
    if weights is None:
        return (1.0,) * k
    if not isinstance(weights, Sequence) or not all(isinstance(w, Real) for w in weights):
        raise TypeError(
            f"Product: weights is a {type(weights).__name__}; expected a list of numbers, or None."
        )
    if len(weights) != k or not all(0 < w < math.inf for w in weights):
        raise ValueError(
            f"Product: weights is {list(weights)} for {k} factors; expected a positive, finite "
            "number for each."
        )
    return tuple(float(w) for w in weights)
