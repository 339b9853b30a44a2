"""What all losses share: working precision, reduction, and checks of options."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ..manifolds.checks import check_amount, check_device, check_tensor
from ..manifolds.kernels.pairs.products import traced
from ..manifolds.manifold_checks import check_manifold as check_manifold

Reduction = Literal["none", "mean", "sum"]
REDUCTIONS = get_args(Reduction)  # here, as the compiler of torch 2.6 cannot see into ``typing``


def in_float32(where: str, **points: Tensor) -> list[Tensor]:
    """The points in float32, or float64 if some are."""
    # A distance is made of differences of products: of the 3 digits of float16 and bfloat16 none
    # might be left.
    working = torch.float32
    for name, x in points.items():
        check_tensor(where, name, x)
        check_device(where, name, x, points)
        working = torch.promote_types(working, x.dtype)
    return [x.to(working) for x in points.values()]


def check_elementwise(where: str, **given: Tensor) -> None:
    """Raises a ValueError unless the shapes broadcast to one of them.

    Or to a table on purpose, as (4, 1) and (1, 4) do, or (2, 1) and (5,); (4,) and (4, 1) would
    make a table (4, 4) of what was meant as pairs.
    """
    every = [x.shape for x in given.values()]
    shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in given.items())
    try:
        shape = torch.broadcast_shapes(*every)  # type: ignore[no-untyped-call]
    except RuntimeError:
        raise ValueError(f"{where}: got shapes {shapes}; expected shapes that broadcast.") from None
    # `columns` are the lengths of columns such as (4, 1). Beside 4 entries, (4,), one is a list
    # that was unsqueezed once too often: the result is a table that nobody asked for, and its mean
    # a number that looks right.
    columns = {s[-2] for s in every if len(s) > 1 and s[-1] == 1 < s[-2]}
    if shape not in every and any(len(s) == 1 and s[0] in columns for s in every):
        raise ValueError(
            f"{where}: got shapes {shapes}, which broadcast to a table {tuple(shape)}; expected "
            "entries in pairs, or shapes of as many axes."
        )


def reduce(loss: Tensor, counted: Tensor | None, reduction: Reduction) -> Tensor:
    """The loss as it is, its sum, or its mean over the entries counted (None: all)."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    # The count is at least 1: of nothing counted the mean is 0, not 0/0.
    count = loss.numel() if counted is None else counted.sum().clamp(min=1)
    if loss.numel() == 0:
        return loss.sum()
    return loss.sum() / count


def check_option(where: str, name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises a ValueError unless the value is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{where}: {name} is {value!r}; expected one of {', '.join(choices)}.")


def check_reduction(where: str, reduction: object) -> None:
    """Raises a ValueError for a reduction that there is not."""
    check_option(where, "reduction", reduction, REDUCTIONS)


def check_scalar(where: str, name: str, value: Tensor | float) -> None:
    """Raises an error unless it is one number: Python's, or a tensor of shape () or (1,).

    Of its shape alone. A scale (C,) would broadcast along the columns of a table in one way of
    computing it and along nothing in another.
    """
    check_amount(where, name, value)
    if isinstance(value, Tensor) and value.shape not in ((), (1,)):
        raise ValueError(f"{where}: {name} has shape {tuple(value.shape)}; expected one number.")


def check_share(where: str, name: str, value: Tensor | float) -> None:
    """Raises an error unless it is a number in [0, 1], or one of a tensor, which is not seen."""
    check_scalar(where, name, value)
    if not isinstance(value, Tensor) and not 0 <= value <= 1:
        raise ValueError(f"{where}: {name} is {value}; expected a number in [0, 1].")


def check_list(where: str, name: str, value: object) -> None:
    """Raises a TypeError unless it is a list, a tuple, or a tensor along its first axis."""
    rows = isinstance(value, Tensor) and value.ndim > 0
    if not (rows or isinstance(value, Sequence)) or isinstance(value, str):
        raise TypeError(f"{where}: {name} is a {type(value).__name__}; expected a list.")


def check_one_shape(where: str, **points: Tensor) -> None:
    """Raises a ValueError unless all are batches of points (B, m) of one shape."""
    for name, x in points.items():
        check_tensor(where, name, x)
    shapes = {name: tuple(x.shape) for name, x in points.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 2 for shape in shapes.values()):
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{where}: got the shapes {got}; expected one shape (B, m) of all.")


def check_points(where: str, check_finite: bool = False, **points: Tensor) -> None:
    """Raise a sentence unless all are batches (B, m) of points of one width."""
    for name, p in points.items():
        check_tensor(where, name, p)
    shapes = {name: tuple(p.shape) for name, p in points.items()}
    said = " and ".join(f"{name} has shape {shape}" for name, shape in shapes.items())
    if any(len(shape) != 2 for shape in shapes.values()):
        raise ValueError(f"{where}: {said}; expected batches of points, (B, m) and (C, m).")
    if any(shape[0] == 0 for shape in shapes.values()):
        raise ValueError(f"{where}: {said}; expected at least one point in each.")
    if len({shape[1] for shape in shapes.values()}) > 1:
        raise ValueError(
            f"{where}: {said}; expected points of one manifold, with equally many coordinates."
        )
    if check_finite:
        for name, p in points.items():
            bad = ~p.detach().isfinite().all(-1)
            if bool(bad.any()):
                raise ValueError(
                    f"{where}: {name} has {int(bad.sum())} rows of {p.shape[0]} that are not "
                    f"finite, the first is row {int(bad.nonzero()[0])}; expected finite numbers."
                )


def check_positive(where: str, name: str, value: Tensor | float, *, check: bool = False) -> None:
    """Raise a sentence for what is not one number, positive and finite; a tensor's, only where
    :func:`can_look` or told to ``check``. A tensor's NaN passes: it is seen in the loss."""
    check_scalar(where, name, value)
    if isinstance(value, Tensor):
        if not (check or can_look(value)):
            return
        # NaN is neither and passes: it is seen in the loss.
        wrong = (value <= 0) | value.isposinf()
        if not bool(wrong.any()):
            return
        value = float(value)
    if not 0 < value < math.inf:
        raise ValueError(f"{where}: {name} is {value}; expected a positive number, finite.")


def can_look(x: Tensor) -> bool:
    """Whether a tensor's values can be read at no cost: a device would be waited for, and a
    transform has none yet."""
    return x.device.type == "cpu" and not traced()


def public_names(module: dict[str, object], *modules: str) -> list[str]:
    """The functions and classes of a module's namespace, and the modules named.

    A module that only brings names together says each of them once, as ``X as X``, and sets its
    ``__all__`` to this list, by ``globals()["__all__"] =``. (Assigned by name, a list that is
    computed is an empty one to mypy, and every name private.)
    """
    found = {name for name, thing in module.items() if hasattr(thing, "__module__")} | {*modules}
    return sorted(name for name in found if not name.startswith("_"))
