"""A problem at corners of the box of what rounding may have made its inputs of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .conditioning import Answer, Argument, Array, Problem, norm_of

_CORNERS = 6


class Corners:
    """The problem at corners of the box |dx| <= u|x|, where a first-order bound falls short."""

    def __init__(
        self, problem_at: Any, arguments: list[Argument], cotangent: Argument | None,
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self.u = torch.finfo(dtype).eps / 2
        rng = np.random.default_rng(0)
        vectors = arguments + ([] if cotangent is None else [cotangent])
        self._made: list[Problem] = []

        def signs(number: int) -> list[Array]:
            made = []
            for place, v in enumerate(vectors):
                size = len(v.space) + (v.time is not None)
                one = np.full(size, 1.0 if (number >> place) % 2 else -1.0)
                made.append(self.u * (one if number < 4 else rng.choice([-1.0, 1.0], size=size)))
            return made

        self._problem_at, self._signs = problem_at, signs

    def problems(self) -> list[Problem]:
        """One a corner, made when they are wanted."""
        if not self._made:
            self._made = [self._problem_at(self._signs(number)) for number in range(_CORNERS)]
        return self._made

    def points(self) -> list[Array]:
        """The values there."""
        return [p.full(p.long_value(), p.output_time, p.scalar) for p in self.problems()]

    def torn(self, answer: Answer) -> bool:
        """Whether the value at a corner is far from the value, and no first-order bound says so."""
        most = norm_of(answer.value) / 16
        steady = norm_of(answer.spread) * self.u <= most
        return bool(steady and any(norm_of(p - answer.value) > most for p in self.points()))

    def spread(self, place: int, answer: Answer) -> Array:
        """What the corners say of the value (place -1) or a gradient, if more than first order."""
        best = answer.spread
        ends = (
            self.points() if place < 0 else [problem.slopes()[place] for problem in self.problems()]
        )
        for end in ends:
            change = np.abs(end - answer.value) / self.u
            if np.isfinite(change).all() and norm_of(change) > norm_of(best):
                best = change
        return best
