"""Exact values and gradients of a map at floating-point inputs, and how well they can be known.

A problem in n dimensions with a few vectors is one in as many dimensions as they span, and one
more: every map commutes with the rotations about the origin. So the vectors are written in an
orthonormal basis of their span, at the working precision; derivatives are difference quotients
there, with steps of 10^-40 and digits to spare; and the Jacobian in all n dimensions is
Q A Q^T + a (I - Q Q^T), the number a read off the additional dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[[list[list[Any]], Any], list[Any]]
_STEP = 40  # digits by which a step of a difference quotient is smaller than what it varies


@dataclass(frozen=True)
class Argument:
    """A vector of a problem: a coordinate along the axis of the origin, if any, and the rest.

    Without a rest it is a number, such as the time of a geodesic.
    """

    time: float | None
    space: NDArray[np.float64]

    @property
    def number(self) -> bool:
        """Whether it is no vector."""
        return self.space.size == 0


@dataclass(frozen=True)
class Answer:
    """What is true of one quantity: its value, and how it moves with the inputs.

    ``spread`` is |Df| |x|, the vector by which rounding every input moves the value, in units of
    the relative rounding; the condition number is its norm over that of the value.
    """

    value: Array
    spread: Array
    smooth: bool = True
    """Whether the derivative exists: false at a kink, as of a distance at coincident points."""

    @property
    def condition(self) -> float:
        """Componentwise condition number."""
        size = norm_of(self.value)
        return float(norm_of(self.spread) / size) if size > 0 else math.inf


class Problem:
    """One map at one tuple of arguments.

    Args:
        function: (reduced arguments, curvature) -> reduced output, in mpmath numbers.
        arguments: the inputs.
        cotangent: the vector that the output is multiplied by for gradients; None for (1,).
        output_time: whether the output has a coordinate along the axis of the origin.
        curvature: K.
        scalar: whether the output is a number.
        turns: whether the function commutes with rotations; if not, all dimensions are worked in.
        corner: relative changes u s of the coordinates of each argument, s = 1 or -1: the same
            problem at a corner of the box of what rounding may have made the inputs of.
    """

    def __init__(
        self,
        function: Function,
        arguments: Sequence[Argument],
        *,
        cotangent: Argument | None,
        output_time: bool,
        curvature: float,
        scalar: bool,
        turns: bool = True,
        corner: Sequence[Array] | None = None,
    ) -> None:
        self.scalar, self.output_time = scalar, output_time
        self.arguments, self.cotangent = list(arguments), cotangent
        self.k = mp.mpf(curvature)
        self.digits = _digits(self.arguments, abs(curvature))
        with mp.workdps(self.digits):
            vectors = self.arguments + ([] if cotangent is None else [cotangent])
            shifts = [None] * len(vectors) if corner is None else corner
            exact = [_exactly(v, shift) for v, shift in zip(vectors, shifts, strict=True)]
            spaces = [v[1] for v in exact]
            self.basis, coordinates = _orthonormal(spaces) if turns else _standard(spaces)
            self.n = len(self.arguments[0].space)
            self.m = len(self.basis)
            self.extra = self.m < self.n
            reduced = [
                time if v.number else time + c + [mp.mpf(0)] * self.extra
                for v, (time, _), c in zip(vectors, exact, coordinates, strict=True)
            ]
            self.z = reduced[: len(self.arguments)]
            self.w = reduced[-1] if cotangent is not None else [mp.mpf(1)]
            self._function = function
            self._step = _step_of(self.arguments)
            self.f = function(self.z, self.k)
        q = [[long_of(c) for c in column] for column in self.basis]
        self._q = np.array(q, dtype=np.longdouble).reshape(self.m, self.n).T

    @cached_property
    def _moved(self) -> list[list[list[Any]]]:
        """The output with each coordinate of each argument moved by one step."""
        with mp.workdps(self.digits):
            return [
                [self._function(z, self.k) for z in self._neighbours(i)] for i in range(len(self.z))
            ]

    @cached_property
    def jacobian(self) -> list[list[list[Any]]]:
        with mp.workdps(self.digits):
            return [
                [
                    [(b - a) / self._step for a, b in zip(self.f, moved, strict=True)]
                    for moved in row
                ]
                for row in self._moved
            ]

    # -- values ---------------------------------------------------------------------------------

    def value(self) -> Answer:
        """The output."""
        columns = [longs_of(j) for j in self.jacobian]  # (inputs, outputs)
        spread = self.zeros(self.output_time, self.scalar)
        for argument, j in zip(self.arguments, columns, strict=True):
            spread = spread + self.spread_of(j.T, self.output_time, self.scalar, argument)
        return Answer(self.full(longs_of([self.f])[0], self.output_time, self.scalar), spread)

    def long_value(self) -> Array:
        """The output in reduced coordinates."""
        return np.asarray(longs_of([self.f])[0])

    # -- gradients ------------------------------------------------------------------------------

    def gradients(self) -> list[Answer]:
        """Of cotangent . output, by each argument; the last one by log|K|."""
        with mp.workdps(self.digits):
            h = self._step
            phi = self._phi(self.f)
            first = [[self._phi(f) for f in row] for row in self._moved]
            slope = [[(a - phi) / h for a in row] for row in first]
            second = self._second_differences(phi, first)
            # By log|K|, its own step relative to K; and its mixed differences with the inputs.
            grown = self.k * (1 + mp.mpf(10) ** -_STEP)
            by_k = self._function(self.z, grown)
            scale = mp.mpf(10) ** _STEP
            slope_k = (self._phi(by_k) - phi) * scale
            mixed = [
                [
                    ((self._phi(self._function(z, grown)) - a) - (self._phi(by_k) - phi))
                    * scale
                    / h
                    for z, a in zip(self._neighbours(i), first[i], strict=True)
                ]
                for i in range(len(self.z))
            ]
            jacobian_k = [(b - a) * scale for a, b in zip(self.f, by_k, strict=True)]
            smooth = [self._is_smooth(i, phi, row, second[i]) for i, row in enumerate(slope)]
            slope = [self._without_truncation(i, row, second[i]) for i, row in enumerate(slope)]
        answers = []
        for i, argument in enumerate(self.arguments):
            has_time, alone = argument.time is not None, argument.number
            spread = self.zeros(has_time, alone)
            for j, other in enumerate(self.arguments):
                spread = spread + self.spread_of(longs_of(second[i][j]), has_time, alone, other)
            if self.cotangent is not None:
                by_w = longs_of(self.jacobian[i])
                spread = spread + self.spread_of(by_w, has_time, alone, self.cotangent)
            value = self.full(longs_of([slope[i]])[0], has_time, alone)
            answers.append(Answer(value, spread, smooth[i]))
        spread = self.zeros(False, True)
        for argument, row in zip(self.arguments, mixed, strict=True):
            spread = spread + self.spread_of(longs_of([row]), False, True, argument)
        if self.cotangent is not None:
            spread = spread + self.spread_of(longs_of([jacobian_k]), False, True, self.cotangent)
        answers.append(Answer(longs_of([[slope_k]])[0], spread, all(smooth)))
        return answers

    def slopes(self) -> list[Array]:
        """The values of :meth:`gradients` alone."""
        with mp.workdps(self.digits):
            phi, scale = self._phi(self.f), mp.mpf(10) ** _STEP
            first = [[(self._phi(f) - phi) / self._step for f in row] for row in self._moved]
            by_k = self._phi(self._function(self.z, self.k * (1 + 1 / scale)))
            by_k = (by_k - phi) * scale
        return [
            *(
                self.full(longs_of([row])[0], argument.time is not None, argument.number)
                for argument, row in zip(self.arguments, first, strict=True)
            ),
            longs_of([[by_k]])[0],
        ]

    def _is_smooth(self, i: int, phi: Any, forward: list[Any], second: list[Any]) -> bool:
        """Whether backward differences agree with the forward ones: they do not at a kink.

        Where the gradient is 0 both are of the size of a step, and differ by a second derivative.
        """
        h = self._step
        back = [
            (phi - self._phi(self._function(z, self.k))) / h for z in self._neighbours(i, sign=-1)
        ]
        change = max(abs(a - b) for a, b in zip(forward, back, strict=True))
        bend = h * max(abs(c) for block in second for row in block for c in row)
        flat = change <= 10 * bend and bend <= mp.mpf(10) ** (-_STEP // 2)
        return bool(flat or change <= max(abs(a) for a in forward) * mp.mpf(10) ** -6)

    def _without_truncation(self, i: int, forward: list[Any], second: list[Any]) -> list[Any]:
        """Less the difference quotient's own error of first order, and 0 for what is no more.

        It counts where a vector is tiny that only its direction matters of: what is across it.
        """
        error = 10 * self._step * max(abs(c) for block in second for row in block for c in row)
        return [
            a - self._step / 2 * second[i][b][b] if abs(a) > error else a * 0
            for b, a in enumerate(forward)
        ]

    def _phi(self, f: list[Any]) -> Any:
        return mp.fdot(self.w, f)

    def _neighbours(self, i: int, sign: int = 1) -> list[list[list[Any]]]:
        """The arguments, with each coordinate of the i-th moved by one step."""
        return [
            [*self.z[:i], _moved(self.z[i], a, sign * self._step), *self.z[i + 1 :]]
            for a in range(len(self.z[i]))
        ]

    def _second_differences(self, phi: Any, first: list[list[Any]]) -> list[list[list[list[Any]]]]:
        """Hessian blocks [i][j][a][b] of phi."""
        places = [(i, a) for i, row in enumerate(first) for a in range(len(row))]
        blocks: list[Any] = [
            [[[None] * len(first[j]) for _ in first[i]] for j in range(len(first))]
            for i in range(len(first))
        ]
        for p, (i, a) in enumerate(places):
            for j, b in places[p:]:
                z = list(self.z)
                z[i] = _moved(z[i], a, self._step)
                z[j] = _moved(z[j], b, self._step)
                both = self._phi(self._function(z, self.k))
                value = (both - first[i][a] - first[j][b] + phi) / self._step**2
                blocks[i][j][a][b] = blocks[j][i][b][a] = value
        return blocks

    # -- back to n dimensions -------------------------------------------------------------------

    def zeros(self, time: bool, scalar: bool) -> Array:
        return np.zeros(1 if scalar else self.n + time, dtype=np.longdouble)

    def full(self, reduced: Array, time: bool, scalar: bool) -> Array:
        if scalar:
            return reduced
        space = self._q @ reduced[time : time + self.m]
        return np.concatenate([reduced[:1], space]) if time else space

    def spread_of(self, block: Array, time: bool, scalar: bool, argument: Argument) -> Array:
        """abs(J) abs(x) in n dimensions, J the derivative whose reduced form is ``block``."""
        t, q = argument.time is not None, self._q
        if argument.number:
            column = np.abs(self.full(block[:, 0], time, scalar))
            return column * abs(np.longdouble(argument.time or 0.0))
        size = np.abs(argument.space).astype(np.longdouble)
        start = abs(np.longdouble(argument.time)) if argument.time is not None else 0.0
        m = self.m

        def row(values: Array) -> Any:
            total = np.abs(q @ values[t : t + m]) @ size
            if self.extra:  # not 0 at a kink only, as of an angle at points on one ray
                total = total + abs(values[t + m]) * norm_of(size)
            return total + abs(values[0]) * start if t else total

        if scalar:
            return np.array([row(block[0])], dtype=np.longdouble)
        inner = block[time : time + m, t : t + m]
        across = block[time + m, t + m] if self.extra else np.longdouble(0)
        # |Q A Q^T + a (I - Q Q^T)| |x|, the diagonal a apart, in blocks of rows for memory.
        full = q @ ((inner - across * np.eye(m, dtype=np.longdouble)) @ q.T)
        full[np.diag_indices(self.n)] += across
        space = np.abs(full) @ size
        if t:
            space = space + np.abs(q @ block[time : time + m, 0]) * start
        return np.concatenate([[row(block[0])], space]) if time else space


def _moved(vector: list[Any], place: int, step: Any) -> list[Any]:
    return [c + step if a == place else c for a, c in enumerate(vector)]


def _exactly(v: Argument, factors: Array | None) -> tuple[list[Any], list[Any]]:
    """The coordinate along the axis, and the rest, in mpmath numbers."""
    numbers = [*([] if v.time is None else [v.time]), *v.space]
    exact = [mp.mpf(float(c)) for c in numbers]
    if factors is not None:
        exact = [c * (1 + mp.mpf(float(s))) for c, s in zip(exact, factors, strict=True)]
    return exact[: v.time is not None], exact[v.time is not None :]


def _orthonormal(exact: Sequence[list[Any]]) -> tuple[list[list[Any]], list[list[Any]]]:
    """A basis of the span by Gram-Schmidt, and the vectors' coordinates in it."""
    basis: list[list[Any]] = []
    tiny = mp.mpf(10) ** (-mp.dps // 2)
    for v in exact:
        rest = v
        for _ in range(2 * bool(v)):
            for q in basis:
                share = mp.fdot(q, rest)
                rest = [a - share * b for a, b in zip(rest, q, strict=True)]
        size, whole = mp.sqrt(mp.fdot(rest, rest)), mp.sqrt(mp.fdot(v, v))
        if size > tiny * whole and len(basis) < len(v):
            basis.append([a / size for a in rest])
    return basis, [[mp.fdot(q, v) for q in basis] if v else [] for v in exact]


def _standard(vectors: Sequence[list[Any]]) -> tuple[list[list[Any]], list[list[Any]]]:
    """The standard basis, and the vectors as they are."""
    n = len(vectors[0])
    basis = [[mp.mpf(i == j) for j in range(n)] for i in range(n)]
    return basis, list(vectors)


def _lengths(arguments: Sequence[Argument]) -> list[Any]:
    """Sizes of the vectors, of their differences and sums, and of the boundary's distance."""
    vectors = [a.space.astype(np.longdouble) for a in arguments if not a.number]
    sizes = [norm_of(v) for v in vectors]
    pairs = [(u, v) for p, u in enumerate(vectors) for v in vectors[p + 1 :]]
    sizes += [norm_of(u - v) for u, v in pairs] + [norm_of(u + v) for u, v in pairs]
    return [s for s in sizes if s > 0]


def _step_of(arguments: Sequence[Argument]) -> Any:
    """10^-40 of the shortest size, less where points are so far out that more would bend there."""
    sizes = [*_lengths(arguments), np.longdouble(1)]
    return _exact(min([*sizes, np.longdouble(2.0) ** -60]) / max(sizes)) * mp.mpf(10) ** -_STEP


def _digits(arguments: Sequence[Argument], magnitude: float) -> int:
    """Digits for second differences of formulas that cancel like the square of the largest size."""
    sizes = [*_lengths(arguments), np.longdouble(1)]
    low, high = float(np.log10(min(sizes))), float(np.log10(max(sizes)))
    spread = abs(math.log10(magnitude)) if magnitude else 0.0
    return int(2 * _STEP + 220 + 6 * (high - low) + 2 * spread)


def norm_of(v: Array) -> Any:
    """Euclidean norm in long double: no square of a float64 overflows or vanishes there."""
    v = np.asarray(v, dtype=np.longdouble)
    return np.sqrt((v * v).sum())


def _exact(x: Any) -> Any:
    mantissa, exponent = np.frexp(x)
    return mp.ldexp(mp.mpf(int(mantissa * np.longdouble(2) ** 64)), int(exponent) - 64)


def long_of(x: Any) -> Any:
    """A long double of an mpmath number: 64 bits, and exponents that float64 does not have.

    NaN of one that is not real: a step of a difference quotient has left the domain.
    """
    if isinstance(x, mp.mpc) or mp.isnan(x):
        return np.longdouble(math.nan)
    if mp.isinf(x):
        return np.longdouble(math.copysign(math.inf, x))
    mantissa, exponent = mp.frexp(x)
    if abs(exponent) > 16_000:
        return np.longdouble(math.copysign(math.inf, mantissa) if exponent > 0 else 0.0)
    high = float(mantissa)
    return np.ldexp(np.longdouble(high) + np.longdouble(float(mantissa - high)), int(exponent))


def longs_of(rows: Sequence[Sequence[Any]]) -> Array:
    return np.array([[long_of(c) for c in row] for row in rows], dtype=np.longdouble)
