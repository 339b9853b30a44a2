"""A number that may be learned: curvature, temperature, scale."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from .checks import check_bounds, check_number


class _Scalar(nn.Module, ABC):
    """What a scalar has whatever its range: the exact initial value, the parameter, the state."""

    initial: Tensor
    _least: float
    """What the value and the bounds are above."""
    _range: str
    """In words."""

    def __init__(
        self,
        value: float,
        *,
        bounds: tuple[float, float] | None = None,
        learnable: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_number(name, "value", value, " (learnable=True makes it a parameter)")
        check_bounds(name, bounds)
        value = float(value)
        if not (math.isfinite(value) and value > self._least):
            raise ValueError(f"{name}: value is {value}; expected {self._range} number.")
        if bounds is not None and not self._least < bounds[0] < value < bounds[1]:
            zero = "0 < " if self._least == 0 else ""
            raise ValueError(
                f"{name}: bounds are {bounds} with the value {value}; expected "
                f"{zero}low < value < high, both strictly (at a bound nothing could be learned)."
            )
        self.value = value
        self.bounds = bounds
        self.learnable = learnable
        if learnable:
            # The initial value is state: `raw` means nothing without it, and a checkpoint must
            # give the same number back in a module that was built with another start.
            self.register_buffer("initial", torch.empty((), dtype=torch.float64))
            self.raw = nn.Parameter(torch.empty(()))
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Back to the value given: for a module that was made on ``meta`` and emptied."""
        if self.learnable:
            with torch.no_grad():
                self.initial.fill_(self.value)
                self.raw.zero_()

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        exact = self.initial if self.learnable else None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # A cast of the module is for the parameter; the initial value keeps all its digits.
        if exact is not None and self.initial.dtype != exact.dtype:
            self.initial = exact.to(self.initial.device)
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **options: Any
    ) -> None:
        key = f"{prefix}initial"
        start = state_dict.get(key)
        if self.bounds is not None and isinstance(start, Tensor) and not start.is_meta:
            low, high = self.bounds
            if start.numel() == 1 and not low < start.item() < high:
                errors: list[str] = rest[-1]  # load_state_dict raises them all together
                errors.append(
                    f"{type(self).__name__}: {key} is {start.item():g} in the state and the bounds "
                    f"are {self.bounds}; expected a value strictly between them: build the module "
                    "with the bounds that the state was saved under."
                )
                return
        super()._load_from_state_dict(state_dict, prefix, *rest, **options)

    def forward(self) -> Tensor:
        """The current value, shape ()."""
        if not self.learnable:
            return torch.tensor(self.value, dtype=torch.float64)
        # In float64 whatever the parameter's dtype: it costs nothing, the value given is the value
        # got in every dtype, and a tensor of shape () promotes nothing that it multiplies.
        return self._moved(self.initial.double(), self.raw.double())

    @torch.no_grad()
    def bound_reached(self) -> float | None:
        """The bound that the value is at: where less than a hundredth of the slope at the start is
        left, 1 - tanh² in the formula of the class. None elsewhere, and without bounds."""
        if self.bounds is None or not self.learnable:
            return None
        raw, (down, up) = self.raw.double(), self._reach(self.initial.double())
        slope = 1 - (raw / (up if raw >= 0 else down)).tanh().square()
        return self.bounds[bool(raw >= 0)] if slope < 0.01 else None

    @abstractmethod
    def _reach(self, start: Tensor) -> tuple[Tensor, Tensor]:
        """beta in the formula of the class, below the start and above it."""

    @abstractmethod
    def _moved(self, start: Tensor, raw: Tensor) -> Tensor:
        """The value for a parameter ``raw`` that started at 0."""

    def extra_repr(self) -> str:
        """``value, bounds, learnable`` as the constructor takes them."""
        bounds = "" if self.bounds is None else f", bounds={self.bounds}"
        return f"{self.value:g}{bounds}, learnable={self.learnable}"


class PositiveScalar(_Scalar):
    r"""A positive scalar, fixed or learnable, whose initial value is exactly the one given.

    Learnable, it is :math:`s = s_0\,e^{g(\rho)}` with one parameter :math:`\rho`, ``raw``, that
    starts at 0. Without bounds :math:`g(\rho) = \rho`. With bounds :math:`(a, b)`,

    .. math:: g(\rho) = \beta\tanh(\rho/\beta),\quad
              \beta = \log(b/s_0)\ (\rho \ge 0),\ \ \log(s_0/a)\ (\rho < 0),

    so s stays strictly inside, the slope at the start is 1 on both sides, and the gradient is
    never exactly zero: a clamp written into ``.data`` (MERU) or into the forward pass stops
    learning at the bound instead.

    Args:
        value: the initial value, positive and finite.
        bounds: ``(low, high)`` with ``0 < low < value < high``; ``None`` for no bounds.
        learnable: whether ``raw`` is a parameter. If not, the module has no state at all.

    ``forward()`` returns a float64 tensor of shape ().
    """

    _least, _range = 0.0, "a positive"

    def _moved(self, start: Tensor, raw: Tensor) -> Tensor:
        if self.bounds is None:
            return start * raw.exp()
        return start * _between(raw, *self._reach(start)).exp()

    def _reach(self, start: Tensor) -> tuple[Tensor, Tensor]:
        assert self.bounds is not None
        low, high = self.bounds
        return (start / low).log(), (high / start).log()


class SignedScalar(_Scalar):
    r"""A scalar of either sign, fixed or learnable, whose initial value is exactly the one given.

    :math:`s = s_0 + g(\rho)`, with g as in :class:`PositiveScalar` for the bounds
    :math:`\beta = b - s_0` above and :math:`s_0 - a` below. It goes through 0 like through any
    other number, so its relative rounding there is that of :math:`s_0`.

    Args:
        value: the initial value, finite.
        bounds: ``(low, high)`` with ``low < value < high``; ``None`` for no bounds.
        learnable: whether ``raw`` is a parameter. If not, the module has no state at all.

    ``forward()`` returns a float64 tensor of shape ().
    """

    _least, _range = -math.inf, "a finite"

    def _moved(self, start: Tensor, raw: Tensor) -> Tensor:
        if self.bounds is None:
            return start + raw
        return start + _between(raw, *self._reach(start))

    def _reach(self, start: Tensor) -> tuple[Tensor, Tensor]:
        assert self.bounds is not None
        low, high = self.bounds
        return start - low, high - start


def _between(raw: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """g(raw) in (-down, up), with slope 1 at 0."""
    beta = torch.where(raw >= 0, up, down)
    return beta * (raw / beta).tanh()
