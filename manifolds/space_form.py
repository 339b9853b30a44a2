"""A curvature K, and the way between the space of it and the unit space form."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from .checks import check_bounds, check_coordinates, check_number, expect_finite
from .kernels.arithmetic.vectors import Number, dot, norm
from .learnable_scalar import PositiveScalar
from .own_code import give_own_code, written
from .unit_space_form import UnitSpaceForm


class Context(NamedTuple):
    """What is needed to bring the result of a unit-curvature kernel back to the caller."""

    op: str
    radius: float | Tensor
    dtype: torch.dtype
    curved: dict[str, Any]
    """What kernels are given beside their arguments: see :func:`held`."""

    def in_dtype(self, dtype: torch.dtype) -> "Context":
        """The same for a result of another dtype. (Torch 2.6 compiles no ``_replace``.)"""
        return Context(self.op, self.radius, dtype, self.curved)


class SpaceForm(UnitSpaceForm, nn.Module):
    """The curvature, and the scaling around the kernels of the unit space form.

    :class:`Manifold` has the public methods.
    """

    _family: Literal["unit", "kappa", "product", "chart", "foreign"] = "foreign"
    """Whether the kernels are those of one space form at unit curvature, in coordinates that are
    known here; of one at its own K, which may have any sign; of several; or of one by way of its
    quadric (:class:`ChartManifold`). "foreign", the default, is a class of somebody else: what goes
    by coordinates refuses it (``check_known``)."""
    _checks: bool = False
    """Whether values are looked at; see :func:`Checked`."""
    _takes_curvature: bool = False
    """Whether kernels take ``k``, 1 with the derivative of the curvature; see :func:`held`."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse to override parts of a class that is final: not all of its maps would see it. And
        give the class code of its own for the methods that it inherits."""
        super().__init_subclass__(**options)
        for base in cls.__mro__[1:]:
            if "__final__" not in vars(base):
                continue
            own = [
                name
                for name in dir(base)
                if not name.startswith(("__", "_abc_"))  # the last: of ABC, in every class
                and written(cls, name) is not written(base, name)
            ]
            if own:
                raise TypeError(
                    f"{cls.__name__}: it overrides {', '.join(own)} of {base.__name__}, whose maps "
                    "and losses do not all go by that; expected a class derived from Manifold with "
                    "kernels of its own (see CONTRIBUTING), or one that overrides nothing."
                )
        give_own_code(cls, SpaceForm)

    def __init__(
        self,
        curvature: float,
        *,
        learnable: bool = False,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        name = self._name
        check_number(name, "curvature", curvature, " (learnable=True makes it a parameter)")
        check_bounds(name, bounds)
        curvature = float(curvature)
        if not (math.isfinite(curvature) and self._admits(curvature)):
            raise ValueError(
                f"{name}: curvature is {curvature}; expected the {self._wanted} sectional "
                "curvature of the space (spaceforms has one sign of curvature: K itself, not -K "
                "or -1/K)."
            )
        if bounds is not None and not bounds[0] < curvature < bounds[1]:
            raise ValueError(
                f"{name}: bounds are {bounds} with the curvature {curvature}; expected "
                "low < curvature < high, all three signed sectional curvatures."
            )
        if bounds is not None and not learnable:
            raise ValueError(
                f"{name}: bounds are {bounds}, but learnable is False; they have no effect."
            )
        self._magnitude: PositiveScalar | None = None
        self._hold(curvature, learnable, bounds)

    def _admits(self, curvature: float) -> bool:
        return (curvature > 0) - (curvature < 0) == self.sign

    @property
    def _wanted(self) -> str:
        return {-1: "negative", 0: "zero", 1: "positive"}[self.sign]

    def _hold(self, curvature: float, learnable: bool, bounds: tuple[float, float] | None) -> None:
        """Keep the curvature as what it is: of one sign, the scalar of its size."""
        name = self._name
        if self.sign != 0:
            low_high = None if bounds is None else tuple(sorted(abs(b) for b in bounds))
            if bounds is not None and bounds[0] * bounds[1] <= 0:
                raise ValueError(
                    f"{name}: bounds are {bounds}; expected both on the side of the curvature's "
                    "sign, away from 0."
                )
            self._magnitude = PositiveScalar(
                abs(curvature),
                bounds=low_high,  # type: ignore[arg-type]
                learnable=learnable,
            )
        elif learnable:
            raise ValueError(f"{name}: the curvature is 0 and cannot be learned.")

    # -- curvature ------------------------------------------------------------------------------

    @property
    def curvature(self) -> Tensor:
        """The sectional curvature K, shape (); differentiable if it is learnable."""
        if self._magnitude is None:
            return torch.zeros((), dtype=torch.float64)
        magnitude: Tensor = self._magnitude()
        return self.sign * magnitude

    @property
    def radius(self) -> float | Tensor:
        """1/sqrt(abs(K)), the unit of length: a float if K is fixed; 1 for Euclidean space."""
        if self._magnitude is None:
            return 1.0
        if not self._magnitude.learnable:
            return 1.0 / math.sqrt(self._magnitude.value)
        magnitude: Tensor = self._magnitude()
        return magnitude.rsqrt()

    def __repr__(self) -> str:
        plain = f"{self._name}({self.extra_repr()})"
        return f"Checked({plain})" if self._checks else plain

    def extra_repr(self) -> str:
        """The constructor's arguments, with the current curvature."""
        if self._magnitude is None:
            return ""
        options = ""
        if self._magnitude.learnable:
            options = ", learnable=True"
            if self._magnitude.bounds is not None:
                signed = sorted(self.sign * b for b in self._magnitude.bounds)
                options += f", bounds=({signed[0]:g}, {signed[1]:g})"
        return f"curvature={self.curvature.item():g}{options}"

    # -- of points as they are stored, at the radius R: scaled in and out ------------------------

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        half = norm(self._half_chord(*unit_pair(x, y, radius)))
        return times(self._arc(half), radius, 1)

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        haversine = self._haversine(x, y, radius)
        return times(self._arc_squared(haversine), radius, 2)

    def _haversine(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        """sn(d/2)^2 at unit curvature, to the accuracy of ``dist``."""
        if type(self)._half_chord is SpaceForm._half_chord:
            half = divided(self._dist(x, y, radius), radius) / 2
            return (half.sinh() if self.sign < 0 else half.sin() if self.sign else half).square()
        chord = self._half_chord(*unit_pair(x, y, radius))
        return dot(chord, chord)

    # The same for maps: for a manifold that can do so with fewer passes over the coordinates.

    def _logmap_at(self, x: Tensor, y: Tensor, radius: float | Tensor) -> Tensor:
        return times(self._logmap(*unit_pair(x, y, radius)), radius, 1)

    def _transport_at(self, x: Tensor, y: Tensor, v: Tensor, radius: float | Tensor) -> Tensor:
        return self._transport(*unit_pair(x, y, radius), v)

    def _expmap_at(self, x: Tensor, v: Tensor, call: Context) -> Tensor:
        y = self._expmap(divided(x, call.radius), divided(v, call.radius))
        return times(self._proj(y, call.dtype), call.radius, 1)

    def _proj_at(self, x: Tensor, call: Context) -> Tensor:
        return times(self._proj(divided(x, call.radius), call.dtype), call.radius, 1)

    def _from_normal_at(self, v: Tensor, call: Context) -> Tensor:
        number, curved = self._held(call.radius)
        y = self._from_normal(divided(v, number), **curved)
        return times(self._proj(y, call.dtype, **curved), number, 1)

    def _to_normal_at(self, x: Tensor, radius: float | Tensor) -> Tensor:
        number, curved = self._held(radius)
        return times(self._to_normal(divided(x, number), **curved), number, 1)

    # -- entering and leaving the unit space ----------------------------------------------------

    def _to_unit(
        self,
        op: str,
        points: Sequence[tuple[str, Tensor]],
        tangents: Sequence[tuple[str, Tensor]] = (),
        *,
        scaled: bool = False,
        at_origin: bool = False,
        covector: bool = False,
        unit: bool = True,
        least: torch.dtype = torch.float32,
        hold: bool = False,
    ) -> tuple[list[Tensor], Context]:
        """Check the arguments, promote them to the dtype of the computation, scale them.

        That is the arguments' own or ``least``, whichever is wider; they are checked as given.

        Points are divided by R unless ``unit`` is False. Tangent vectors are divided by R like
        points if ``scaled``; a map that is linear in them leaves them alone. ``hold``: by an R
        without a derivative, the kernels having that of the curvature; see :func:`held`.
        ``at_origin`` (they are tangent there, not at the first point) and ``covector`` (they are
        gradients, tangent to nothing) matter where values are looked at only.
        """
        named = (*points, *tangents)
        check_coordinates(f"{self._name}.{op}", named, 1 + self._extra_coordinates)
        dtype = named[0][1].dtype
        for _, value in named[1:]:
            dtype = torch.promote_types(dtype, value.dtype)
        working = torch.promote_types(dtype, least)
        call = self._call(op, dtype, least=least, hold=hold)
        by = call.radius if unit else 1.0
        values = [divided(v.to(working), by) for _, v in points]
        values += [divided(v.to(working), by if scaled else 1.0) for _, v in tangents]
        if self._checks:
            bases = [] if at_origin else points
            self._check_values(op, points, bases, [] if covector else tangents)
            expect_finite(f"{self._name}.{op}", tangents if covector else [])
        return values, call

    def _pair_to_unit(
        self,
        op: str,
        x: Tensor,
        y: Tensor,
        tangents: Sequence[tuple[str, Tensor]] = (),
        *,
        hold: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor], Context]:
        """x, y, their step, the tangent vectors, and the way back."""
        points = [("x", x), ("y", y)]
        (x, y, *vectors), call = self._to_unit(op, points, tangents, unit=False, hold=hold)
        return *unit_pair(x, y, call.radius), vectors, call

    def _call(
        self,
        op: str,
        dtype: torch.dtype,
        *,
        least: torch.dtype = torch.float32,
        hold: bool = False,
    ) -> Context:
        radius = self._radius_in(torch.promote_types(dtype, least))
        number, curved = self._held(radius, hold)
        return Context(op, number, dtype, curved)

    def _held(self, radius: Number, hold: bool = True) -> tuple[Number, dict[str, Any]]:
        """A number to scale by, and what the kernels are given beside their arguments."""
        if not hold or isinstance(radius, float) or not self._takes_curvature:
            return radius, {}
        number, k = held(radius)
        return number, {"k": k}

    def _from_unit_point(self, x: Tensor, call: Context) -> Tensor:
        point = self._proj(x, call.dtype, **call.curved)
        return self._from_unit_stored(times(point, call.radius, 1), call)

    def _from_unit_stored(self, x: Tensor, call: Context) -> Tensor:
        point = x.to(call.dtype)
        if self._checks:
            self._check_values(call.op, [("the result", point)], [], [])
        return point

    def _from_unit_vector(self, v: Tensor, call: Context, power: int = 0) -> Tensor:
        return self._result(times(v, call.radius, power).to(call.dtype), call.op)

    def _from_unit_scalar(self, s: Tensor, call: Context, power: int = 0) -> Tensor:
        return self._result(times(s.squeeze(-1), call.radius, power).to(call.dtype), call.op)

    def _result(self, value: Tensor, op: str) -> Tensor:
        if self._checks:
            expect_finite(f"{self._name}.{op}", [("the result", value)])
        return value

    @abstractmethod
    def _check_values(
        self,
        op: str,
        points: Sequence[tuple[str, Tensor]],
        bases: Sequence[tuple[str, Tensor]],
        tangents: Sequence[tuple[str, Tensor]],
    ) -> None:
        """Look at values: points are on the manifold, vectors tangent at the first base (or at the
        origin). Of :class:`Manifold`."""

    def _radius_in(self, dtype: torch.dtype) -> float | Tensor:
        radius = self.radius
        return radius.to(dtype) if isinstance(radius, Tensor) else radius

    @property
    def _unchecked(self) -> Self:
        """The manifold, looking at no values: for what is computed from arguments that have been
        checked, in a wider dtype than they came in."""
        if not self._checks:
            return self
        plain = copy(self)
        plain._checks = False
        return plain


def unit_pair(x: Tensor, y: Tensor, radius: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Two points and their step, brought to unit curvature."""
    return divided(x, radius), divided(y, radius), divided(y - x, radius)


def held(radius: Number) -> tuple[Number, Number]:
    """(R as a number to scale by, without a derivative; 1, with that of the curvature by R).

    Scaled by R in and out, the derivative by R is a difference of two numbers of the size of the
    result, which is R^2/r^2 times smaller for points at r from the origin. So a map whose formula
    has the curvature in it, k = 1 in units of R, is scaled by a number and differentiated by k: all
    that depends on the curvature, and nothing else, is multiplied by it.
    """
    if isinstance(radius, float):
        return radius, 1.0
    number = radius.detach()
    return number, (number / radius).square()


def divided(x: Tensor, radius: float | Tensor) -> Tensor:
    return x if isinstance(radius, float) and radius == 1.0 else x / radius


def times(x: Tensor, radius: float | Tensor, power: int) -> Tensor:
    unscaled = power == 0 or (isinstance(radius, float) and radius == 1.0)
    return x if unscaled else x * radius**power
