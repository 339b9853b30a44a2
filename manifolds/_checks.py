"""What is wrong with an argument, in a sentence: what was got, what was expected, where."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real

import torch
from torch import Tensor


def check_coordinates(
    where: str, tensors: Iterable[tuple[str, Tensor]], minimum: int, *, sets: bool = False
) -> None:
    """Reject tensors that cannot be points and vectors of one space.

    Looks at types, shapes and devices only, never at values, so it costs no synchronisation with
    an accelerator and is traced away by ``torch.compile``.

    Args:
        where: the operation, as the user wrote it (``"Lorentz.dist"``).
        tensors: pairs of the argument's name and the argument.
        minimum: the least number of coordinates.
        sets: whether they are sets (..., k, m), whose numbers k of rows need not agree.

    Raises:
        TypeError: not a tensor, or not of a floating-point dtype.
        ValueError: last axes that differ or are too short, too few axes, leading axes that do not
            broadcast, or several devices.
    """
    own = 2 if sets else 1  # axes that do not broadcast
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
        if value.ndim < own:
            raise ValueError(
                f"{where}: {name} has shape {tuple(value.shape)}; expected a set of points, "
                "(..., k, m)."
            )
        if first is None:
            first_name, first, shape = name, value, value.shape[:-own]
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
        shape = check_broadcast(where, name, value, value.shape[:-own], shape)


def check_broadcast(
    where: str, name: str, value: Tensor, leading: Sequence[int], others: Sequence[int] | None
) -> torch.Size:
    """The shape that the leading axes of an argument have with those of the others, or an error."""
    try:
        shape: torch.Size = torch.broadcast_shapes(others, leading)  # type: ignore[no-untyped-call]
        return shape
    except RuntimeError:
        raise ValueError(
            f"{where}: {name} has shape {tuple(value.shape)}, which does not broadcast with "
            f"the leading axes {tuple(others or ())}; expected leading axes that are equal or 1."
        ) from None


def check_number(where: str, name: str, value: object) -> None:
    """Reject what is no real number: Python's and NumPy's are, a tensor is not."""
    if not isinstance(value, Real):
        raise TypeError(
            f"{where}: {name} is a {type(value).__name__}; expected a number (learnable=True "
            "makes it a parameter)."
        )


def check_bounds(where: str, bounds: object) -> None:
    """Reject bounds that are neither None nor two finite numbers."""
    if bounds is None or (
        isinstance(bounds, Sequence)
        and len(bounds) == 2
        and all(isinstance(b, Real) and math.isfinite(b) for b in bounds)
    ):
        return
    raise ValueError(f"{where}: bounds are {bounds!r}; expected two finite numbers, (low, high).")
