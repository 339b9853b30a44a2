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
from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[[list[list[Any]], Any], list[Any]]
_STEP = 40  # digits by which a step of a difference quotient is smaller than what it varies


@dataclass(frozen=True)
class Argument:
    """A vector of a problem: a coordinate along the axis of the origin, if any, and the rest."""

    time: float | None
    space: NDArray[np.float64]


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
        size = _norm(self.value)
        return float(_norm(self.spread) / size) if size > 0 else math.inf


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
    ) -> None:
        self.scalar, self.output_time = scalar, output_time
        self.arguments, self.cotangent = list(arguments), cotangent
        self.k = mp.mpf(curvature)
        self.digits = _digits(self.arguments, abs(curvature))
        with mp.workdps(self.digits):
            vectors = self.arguments + ([] if cotangent is None else [cotangent])
            spaces = [v.space for v in vectors]
            self._basis, coordinates = _orthonormal(spaces) if turns else _standard(spaces)
            self.n = len(self.arguments[0].space)
            self.m = len(self._basis)
            self.extra = self.m < self.n
            reduced = [
                ([] if v.time is None else [mp.mpf(v.time)]) + c + [mp.mpf(0)] * self.extra
                for v, c in zip(vectors, coordinates, strict=True)
            ]
            self.z = reduced[: len(self.arguments)]
            self.w = reduced[-1] if cotangent is not None else [mp.mpf(1)]
            self._function = function
            self._step = _step_of(self.arguments)
            self.f = function(self.z, self.k)
            self._moved = self._first_differences()
            self._jacobian = [
                [
                    [(b - a) / self._step for a, b in zip(self.f, moved, strict=True)]
                    for moved in row
                ]
                for row in self._moved
            ]
        q = [[_long(c) for c in column] for column in self._basis]
        self._q = np.array(q, dtype=np.longdouble).reshape(self.m, self.n).T

    # -- values ---------------------------------------------------------------------------------

    def value(self) -> Answer:
        """The output."""
        columns = [_longs(j) for j in self._jacobian]  # (inputs, outputs)
        spread = self._zeros(self.output_time, self.scalar)
        for argument, j in zip(self.arguments, columns, strict=True):
            spread = spread + self._spread(j.T, self.output_time, self.scalar, argument)
        return Answer(self._full(_longs([self.f])[0], self.output_time, self.scalar), spread)

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
            slope = [self._without_truncation(row, second[i]) for i, row in enumerate(slope)]
        answers = []
        for i, argument in enumerate(self.arguments):
            has_time = argument.time is not None
            spread = self._zeros(has_time, False)
            for j, other in enumerate(self.arguments):
                spread = spread + self._spread(_longs(second[i][j]), has_time, False, other)
            if self.cotangent is not None:
                by_w = _longs(self._jacobian[i])
                spread = spread + self._spread(by_w, has_time, False, self.cotangent)
            value = self._full(_longs([slope[i]])[0], has_time, False)
            answers.append(Answer(value, spread, smooth[i]))
        spread = self._zeros(False, True)
        for argument, row in zip(self.arguments, mixed, strict=True):
            spread = spread + self._spread(_longs([row]), False, True, argument)
        if self.cotangent is not None:
            spread = spread + self._spread(_longs([jacobian_k]), False, True, self.cotangent)
        # A change of K is one of the unit of length: by Euler's relation its derivative is what
        # rescaling the output does less what rescaling the inputs does. The two cancel where the
        # space is nearly flat, and leave the errors that the output and the gradients may have.
        output = self.value()
        size = _norm(_longs([self.w])[0]) * (_norm(output.value) + _norm(output.spread))
        for argument, answer in zip(self.arguments, answers, strict=True):
            size += _norm(argument.space) * (_norm(answer.value) + _norm(answer.spread))
        answers.append(Answer(_longs([[slope_k]])[0], spread + size, all(smooth)))
        return answers

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

    def _without_truncation(self, forward: list[Any], second: list[Any]) -> list[Any]:
        """Zero for what is no more than the difference quotient's own error."""
        error = 10 * self._step * max(abs(c) for block in second for row in block for c in row)
        return [a if abs(a) > error else a * 0 for a in forward]

    def _phi(self, f: list[Any]) -> Any:
        return mp.fdot(self.w, f)

    def _neighbours(self, i: int, sign: int = 1) -> list[list[list[Any]]]:
        """The arguments, with each coordinate of the i-th moved by one step."""
        return [
            [*self.z[:i], _moved(self.z[i], a, sign * self._step), *self.z[i + 1 :]]
            for a in range(len(self.z[i]))
        ]

    def _first_differences(self) -> list[list[list[Any]]]:
        return [
            [self._function(z, self.k) for z in self._neighbours(i)] for i in range(len(self.z))
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

    def _zeros(self, time: bool, scalar: bool) -> Array:
        return np.zeros(1 if scalar else self.n + time, dtype=np.longdouble)

    def _full(self, reduced: Array, time: bool, scalar: bool) -> Array:
        if scalar:
            return reduced
        space = self._q @ reduced[time : time + self.m]
        return np.concatenate([reduced[:1], space]) if time else space

    def _spread(self, block: Array, time: bool, scalar: bool, argument: Argument) -> Array:
        """abs(J) abs(x) in n dimensions, J the derivative whose reduced form is ``block``."""
        t, q = argument.time is not None, self._q
        size = np.abs(argument.space).astype(np.longdouble)
        start = abs(np.longdouble(argument.time)) if argument.time is not None else 0.0
        m = self.m

        def row(values: Array) -> Any:
            total = np.abs(q @ values[t : t + m]) @ size
            if self.extra:  # not 0 at a kink only, as of an angle at points on one ray
                total = total + abs(values[t + m]) * _norm(size)
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


def _orthonormal(vectors: Sequence[Array]) -> tuple[list[list[Any]], list[list[Any]]]:
    """A basis of the span by Gram-Schmidt, and the vectors' coordinates in it."""
    exact = [[mp.mpf(float(c)) for c in v] for v in vectors]
    basis: list[list[Any]] = []
    tiny = mp.mpf(10) ** (-mp.dps // 2)
    for v in exact:
        rest = v
        for _ in range(2):
            for q in basis:
                share = mp.fdot(q, rest)
                rest = [a - share * b for a, b in zip(rest, q, strict=True)]
        size, whole = mp.sqrt(mp.fdot(rest, rest)), mp.sqrt(mp.fdot(v, v))
        if size > tiny * whole and len(basis) < len(v):
            basis.append([a / size for a in rest])
    return basis, [[mp.fdot(q, v) for q in basis] for v in exact]


def _standard(vectors: Sequence[Array]) -> tuple[list[list[Any]], list[list[Any]]]:
    """The standard basis, and the vectors as they are."""
    n = len(vectors[0])
    basis = [[mp.mpf(i == j) for j in range(n)] for i in range(n)]
    return basis, [[mp.mpf(float(c)) for c in v] for v in vectors]


def _lengths(arguments: Sequence[Argument]) -> list[Any]:
    """Sizes of the vectors, of their differences and sums, and of the boundary's distance."""
    vectors = [a.space.astype(np.longdouble) for a in arguments]
    sizes = [_norm(v) for v in vectors]
    pairs = [(u, v) for p, u in enumerate(vectors) for v in vectors[p + 1 :]]
    sizes += [_norm(u - v) for u, v in pairs] + [_norm(u + v) for u, v in pairs]
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


def _norm(v: Array) -> Any:
    """Euclidean norm in long double: no square of a float64 overflows or vanishes there."""
    v = np.asarray(v, dtype=np.longdouble)
    return np.sqrt((v * v).sum())


def _exact(x: Any) -> Any:
    mantissa, exponent = np.frexp(x)
    return mp.ldexp(mp.mpf(int(mantissa * np.longdouble(2) ** 64)), int(exponent) - 64)


def _long(x: Any) -> Any:
    """A long double of an mpmath number: 64 bits, and exponents that float64 does not have.

    NaN of one that is not real: a step of a difference quotient has left the domain.
    """
    if isinstance(x, mp.mpc):
        return np.longdouble(math.nan)
    mantissa, exponent = mp.frexp(x)
    if abs(exponent) > 16_000:
        return np.longdouble(math.copysign(math.inf, mantissa) if exponent > 0 else 0.0)
    high = float(mantissa)
    return np.ldexp(np.longdouble(high) + np.longdouble(float(mantissa - high)), int(exponent))


def _longs(rows: Sequence[Sequence[Any]]) -> Array:
    return np.array([[_long(c) for c in row] for row in rows], dtype=np.longdouble)
