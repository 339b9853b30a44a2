"""What all losses share: working precision, reduction, and checks of options."""

from typing import Literal

import torch
from torch import Tensor

from ..manifolds import Manifold

Reduction = Literal["none", "mean", "sum"]


def in_float32(where: str, **points: Tensor) -> list[Tensor]:
    """The points in float32, or float64 if some are."""
    working = torch.float32
    for name, x in points.items():
        if not isinstance(x, Tensor) or not x.is_floating_point():
            got = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise TypeError(f"{where}: {name} is {got}; expected a floating-point tensor.")
        working = torch.promote_types(working, x.dtype)
    return [x.to(working) for x in points.values()]


def check_elementwise(where: str, **given: Tensor) -> None:
    """Raises a ValueError unless the shapes broadcast."""
    try:
        torch.broadcast_shapes(*(x.shape for x in given.values()))  # type: ignore[no-untyped-call]
    except RuntimeError:
        shapes = ", ".join(f"{name} {tuple(x.shape)}" for name, x in given.items())
        raise ValueError(f"{where}: got shapes {shapes}; expected shapes that broadcast.") from None


def reduce(loss: Tensor, counted: Tensor | None, reduction: Reduction) -> Tensor:
    """The loss as it is, its sum, or its mean over the entries counted (None: all)."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    count = loss.numel() if counted is None else counted.sum().clamp(min=1)
    if loss.numel() == 0:
        return loss.sum()
    return loss.sum() / count


def check_option(where: str, name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises a ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{where}: {name} is {value!r}; expected one of {', '.join(choices)}.")


def check_manifold(where: str, manifold: object) -> None:
    """Raises a TypeError unless it is a manifold."""
    if not isinstance(manifold, Manifold):
        raise TypeError(
            f"{where}: manifold is {manifold!r}; expected a Manifold such as Lorentz(-1.0)."
        )


def check_one_shape(where: str, **points: Tensor) -> None:
    """Raises a ValueError unless all are batches of points (B, m) of one shape."""
    shapes = {name: tuple(x.shape) for name, x in points.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 2 for shape in shapes.values()):
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{where}: got the shapes {got}; expected one shape (B, m) of all.")
