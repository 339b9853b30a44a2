"""A positive number that may be learned: curvature, temperature, scale."""

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from ._checks import check_bounds, check_number


class PositiveScalar(nn.Module):
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

    initial: Tensor

    def __init__(
        self,
        value: float,
        *,
        bounds: tuple[float, float] | None = None,
        learnable: bool = True,
    ) -> None:
        super().__init__()
        check_number("PositiveScalar", "value", value)
        check_bounds("PositiveScalar", bounds)
        value = float(value)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"PositiveScalar: value is {value}; expected a positive number.")
        if bounds is not None and not 0 < bounds[0] < value < bounds[1]:
            raise ValueError(
                f"PositiveScalar: bounds are {bounds} with the value {value}; expected "
                "0 < low < value < high, both strictly (at a bound nothing could be learned)."
            )
        self.value = value
        self.bounds = bounds
        self.learnable = learnable
        if learnable:
            # The initial value is state: `raw` means nothing without it, and a checkpoint must
            # give the same number back in a module that was built with another start.
            self.register_buffer("initial", torch.tensor(value, dtype=torch.float64))
            self.raw = nn.Parameter(torch.zeros(()))

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
                    f"PositiveScalar: {key} is {start.item():g} in the state and the bounds are "
                    f"{self.bounds}; expected a value strictly between them: build the module "
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
        raw, start = self.raw.double(), self.initial.double()
        if self.bounds is None:
            return start * raw.exp()
        low, high = self.bounds
        up, down = (high / start).log(), (start / low).log()
        beta = torch.where(raw >= 0, up, down)
        return start * (beta * (raw / beta).tanh()).exp()

    def extra_repr(self) -> str:
        """``value, bounds, learnable`` as the constructor takes them."""
        bounds = "" if self.bounds is None else f", bounds={self.bounds}"
        return f"{self.value:g}{bounds}, learnable={self.learnable}"
