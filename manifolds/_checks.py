"""What is wrong with an argument, in a sentence: what was got, what was expected, where."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def check_coordinates(where: str, tensors: Iterable[tuple[str, Tensor]], minimum: int) -> None:
    """Reject tensors that cannot be points and vectors of one space.

    Looks at types, shapes and devices only, never at values, so it costs no synchronisation with
    an accelerator and is traced away by ``torch.compile``.

    Args:
        where: the operation, as the user wrote it (``"Lorentz.dist"``).
        tensors: pairs of the argument's name and the argument.
        minimum: the least number of coordinates.

    Raises:
        TypeError: not a tensor, or not of a floating-point dtype.
        ValueError: last axes that differ or are too short, leading axes that do not broadcast,
            or several devices.
    """
    first_name, first = "", None
    shape: torch.Size | None = None
    for name, value in tensors:
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{where}: {name} is a {type(value).__name__}; expected a torch.Tensor."
            )
        if not value.is_floating_point():
            raise TypeError(
                f"{where}: {name} has dtype {value.dtype}; expected a floating-point tensor "
                "(float64, float32, bfloat16 or float16)."
            )
        if value.ndim == 0 or value.shape[-1] < minimum:
            raise ValueError(
                f"{where}: {name} has shape {tuple(value.shape)}; expected at least {minimum} "
                f"coordinate{'s' if minimum > 1 else ''} on the last axis."
            )
        if first is None:
            first_name, first, shape = name, value, value.shape[:-1]
            continue
        if value.shape[-1] != first.shape[-1]:
            raise ValueError(
                f"{where}: {name} has shape {tuple(value.shape)} and {first_name} has shape "
                f"{tuple(first.shape)}; expected the same number of coordinates on the last axis."
            )
        if value.device != first.device:
            raise ValueError(
                f"{where}: {name} is on {value.device} and {first_name} is on {first.device}; "
                "expected both on one device."
            )
        _check_leading(where, name, value, shape)
        shape = torch.broadcast_shapes(shape, value.shape[:-1])  # type: ignore[no-untyped-call]


def check_broadcast(where: str, name: str, value: Tensor, other: Tensor) -> None:
    """Reject a tensor whose leading axes do not broadcast with those of another."""
    _check_leading(where, name, value, other.shape[:-1])


def check_sets(where: str, x: Tensor, y: Tensor, minimum: int) -> None:
    """Reject what are not two sets of points (..., p, m) and (..., q, m) of one space."""
    for name, value in (("x", x), ("y", y)):
        check_coordinates(where, [(name, value)], minimum)
    shapes = f"x has shape {tuple(x.shape)} and y has shape {tuple(y.shape)}"
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(
            f"{where}: {shapes}; expected two sets of points, (..., p, m) and (..., q, m)."
        )
    # The rows of one set need not be as many as those of the other.
    check_coordinates(where, [("x", x[..., :1, :]), ("y", y[..., :1, :])], minimum)


def _check_leading(where: str, name: str, value: Tensor, shape: Sequence[int] | None) -> None:
    try:
        torch.broadcast_shapes(shape, value.shape[:-1])  # type: ignore[no-untyped-call]
    except RuntimeError:
        raise ValueError(
            f"{where}: {name} has shape {tuple(value.shape)}, which does not broadcast with "
            f"the leading axes {tuple(shape or ())}; expected leading axes that are equal or 1."
        ) from None
