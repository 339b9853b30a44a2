"""What is wrong with an argument, in a sentence: what was got, what was expected, where."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Protocol, overload

import torch
from torch import Tensor


class Array(Protocol):
    """What NumPy can read: its own arrays, and those that other libraries lend it."""

    def __array__(self) -> Any: ...


ArrayLike = Tensor | Array | Sequence[Any]
"""Numbers that :func:`to_tensor` takes: a tensor, an array, or lists of numbers in lists."""

FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_COUNTABLE = (*FLOATS, *INTEGERS, torch.bool)
_NAMES = {
    FLOATS: "a floating-point tensor (float64, float32, bfloat16 or float16)",
    INTEGERS: "a tensor of integers",
    (torch.bool,): "a boolean tensor",
    _COUNTABLE: "a tensor of real numbers",
}


def check_tensor(
    where: str, name: str, value: object, dtypes: tuple[torch.dtype, ...] = FLOATS
) -> None:
    """Reject what is no dense tensor of one of the dtypes: by default those of coordinates.

    Complex, quantised, sparse, float8 and nested tensors are none. Like all checks here it looks
    at types, shapes and devices only, never at values, so it costs no synchronisation with an
    accelerator and is traced away by ``torch.compile``.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{where}: {name} is a {type(value).__name__}; expected a torch.Tensor.")
    if value.dtype not in dtypes:
        raise TypeError(f"{where}: {name} has dtype {value.dtype}; expected {_NAMES[dtypes]}.")
    if value.layout != torch.strided or value.is_nested:
        kind = "nested" if value.is_nested else f"of layout {value.layout}"
        raise TypeError(
            f"{where}: {name} is {kind}; expected a dense tensor, such as to_dense() gives."
        )


@overload
def to_tensor(where: str, name: str, value: None) -> None: ...


@overload
def to_tensor(where: str, name: str, value: ArrayLike) -> Tensor: ...


def to_tensor(where: str, name: str, value: Any) -> Any:
    """Arrays and lists as tensors of the same kind of numbers; tensors and all else as they are.

    For functions that nobody asks a gradient of, or whose points nobody trains. An array is copied
    in its dtype; numbers with a fraction in lists are float64, as Python has them.

    Raises:
        TypeError: an array of something else than numbers, a list that is no table of them.
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, list | tuple):
        try:
            found = torch.tensor(value)
            whole = not found.is_floating_point()
            return found if whole else torch.tensor(value, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"{where}: {name} is a {type(value).__name__} that is no table of numbers "
                f"({str(error).partition(chr(10))[0][:100]}); expected a torch.Tensor, an array or "
                "rows of numbers, all of one length."
            ) from None
    if not hasattr(value, "__array__"):
        return value
    if hasattr(value, "mask"):
        raise TypeError(
            f"{where}: {name} is a masked array, whose mask would be lost; expected an array of "
            "what is to be used."
        )
    array = value.__array__()
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    except (TypeError, ValueError):
        raise TypeError(
            f"{where}: {name} is an array of dtype {array.dtype}; expected a torch.Tensor or an "
            "array of real numbers."
        ) from None


def check_device(where: str, name: str, value: Tensor, others: Mapping[str, Tensor]) -> None:
    """Reject a tensor that is on another device than the first of the others; numbers may be."""
    for other, first in others.items():
        if value.device != first.device and value.ndim and first.ndim:
            raise ValueError(
                f"{where}: {name} is on {value.device} and {other} is on {first.device}; "
                "expected both on one device."
            )
        return


def check_real(where: str, name: str, value: object) -> None:
    """Reject what is no dense tensor of real numbers, whole ones and booleans among them."""
    check_tensor(where, name, value, _COUNTABLE)


def check_integers(where: str, name: str, value: object) -> None:
    """Reject what is no dense tensor of integers."""
    check_tensor(where, name, value, INTEGERS)


def check_amount(where: str, name: str, value: object) -> None:
    """Reject what is neither a real number nor a tensor of floating-point numbers."""
    if isinstance(value, Tensor):
        check_tensor(where, name, value)
    elif not isinstance(value, Real):
        raise TypeError(
            f"{where}: {name} is a {type(value).__name__}; expected a number or a torch.Tensor."
        )


def check_coordinates(
    where: str, tensors: Iterable[tuple[str, Tensor]], minimum: int, *, sets: bool = False
) -> None:
    """Reject tensors that cannot be points and vectors of one space.

    Args:
        where: the operation, as the user wrote it (``"Lorentz.dist"``).
        tensors: pairs of the argument's name and the argument.
        minimum: the least number of coordinates.
        sets: whether they are sets (..., k, m), whose numbers k of rows need not agree.

    Raises:
        TypeError: see :func:`check_tensor`.
        ValueError: last axes that differ or are too short, too few axes, leading axes that do not
            broadcast, or several devices.
    """
    own = 2 if sets else 1  # axes that do not broadcast
    first_name, first = "", None
    shape: torch.Size | None = None
    for name, value in tensors:
        check_tensor(where, name, value)
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
        check_device(where, name, value, {first_name: first})
        shape = check_broadcast(where, name, value, value.shape[:-own], shape)


def check_broadcast(
    where: str, name: str, value: Tensor, leading: Sequence[int], others: Sequence[int] | None
) -> torch.Size:
    """The shape that the leading axes of an argument have with those of the others, or an error."""
    if others == leading:  # as they nearly always are; torch's answer takes as long as a kernel
        return torch.Size(leading)
    try:
        shape: torch.Size = torch.broadcast_shapes(others, leading)  # type: ignore[no-untyped-call]
        return shape
    except RuntimeError:
        raise ValueError(
            f"{where}: {name} has shape {tuple(value.shape)}, which does not broadcast with "
            f"the leading axes {tuple(others or ())}; expected leading axes that are equal or 1."
        ) from None


def expect(good: Tensor, value: Tensor, what: str, wrong: str, wanted: str) -> None:
    """Refuse values (..., m) that are not good (...), by their number and the first of them."""
    if bool(good.all()):
        return
    index = tuple((~good).nonzero()[0].tolist()) if good.ndim else ()
    value = value.expand(*good.shape, value.shape[-1])
    shown = [round(c, 6) for c in value[index].detach().double().flatten()[:6].tolist()]
    more = "" if value.shape[-1] <= 6 else f" and {value.shape[-1] - 6} more coordinates"
    raise ValueError(
        f"{what} has {int((~good).sum())} of {good.numel()} {wrong}, the first at index "
        f"{index}: {shown}{more}; expected {wanted}."
    )


def expect_finite(where: str, values: Sequence[tuple[str, Tensor]]) -> None:
    """Refuse infinities and NaN."""
    for name, value in values:
        what = f"{where}: {name}"
        good = value.isfinite()
        expect(good, value.unsqueeze(-1), what, "numbers that are not finite", "finite numbers")


def check_number(where: str, name: str, value: object, hint: str = "") -> None:
    """Reject what is no real number: Python's and NumPy's are, a tensor is not."""
    if not isinstance(value, Real):
        raise TypeError(f"{where}: {name} is a {type(value).__name__}; expected a number{hint}.")


def check_integer(where: str, name: str, value: object, least: int, what: str = "") -> None:
    """Reject what is no whole number from ``least`` on: Python's and NumPy's are."""
    if not isinstance(value, Integral) or value < least:
        raise (ValueError if isinstance(value, Real) else TypeError)(
            f"{where}: {name} is {value!r}; expected {what or 'an integer'} of at least {least}."
        )


def check_min_radius(where: str, min_radius: object) -> None:
    """Reject what is no radius about the origin: a positive number."""
    check_number(where, "min_radius", min_radius)
    if not min_radius > 0:  # type: ignore[operator]
        raise ValueError(f"{where}: min_radius is {min_radius}; expected a positive number.")


def check_bounds(where: str, bounds: object) -> None:
    """Reject bounds that are neither None nor two finite numbers."""
    if bounds is None or (
        isinstance(bounds, Sequence)
        and len(bounds) == 2
        and all(isinstance(b, Real) and math.isfinite(b) for b in bounds)
    ):
        return
    raise ValueError(f"{where}: bounds are {bounds!r}; expected two finite numbers, (low, high).")
