"""What the laws take: a manifold, points and parameters, checked and of one dtype."""

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import check_amount, check_coordinates
from ..manifolds.manifold_checks import check_manifold


def check_arguments(where: str, manifold: Manifold, loc: Tensor) -> None:
    """Reject what is no manifold, or cannot be points of it."""
    check_space(where, manifold)
    check_coordinates(where, [("loc", loc)], manifold.ambient_dim(1))


def check_space(where: str, manifold: Manifold, *, sphere: bool = False) -> None:
    """Reject what is no manifold, or no sphere where one is needed."""
    check_manifold(where, manifold)
    if sphere and manifold.sign <= 0:
        raise ValueError(f"{where}: manifold is {manifold!r}; expected a sphere, K > 0.")


def as_parameter(where: str, name: str, value: Tensor | float, like: Tensor) -> Tensor:
    """A number or a tensor as a tensor beside ``like``."""
    check_amount(where, name, value)
    if isinstance(value, Tensor):
        return value
    return torch.tensor(float(value), dtype=like.dtype, device=like.device)


def broadcast(where: str, name: str, leading: torch.Size, loc: Tensor) -> torch.Size:
    """The batch shape of a parameter's leading axes with those of loc, or an error."""
    try:
        shape: torch.Size = torch.broadcast_shapes(leading, loc.shape[:-1])  # type: ignore[no-untyped-call]
        return shape
    except RuntimeError:
        raise ValueError(
            f"{where}: {name} has leading axes {tuple(leading)}, which do not broadcast with those "
            f"of loc, {tuple(loc.shape[:-1])}; expected axes that are equal or 1."
        ) from None


def working(*tensors: Tensor) -> tuple[torch.dtype, torch.dtype]:
    """(dtype of the result, dtype to compute in: float32 or float64)."""
    dtype = tensors[0].dtype
    for tensor in tensors[1:]:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype, torch.promote_types(dtype, torch.float32)


def as_stored(manifold: Manifold, x: Tensor, dtype: torch.dtype) -> Tensor:
    """A point in another dtype, pulled back to the edge that it has there.

    A cast alone rounds a point near the rim of a ball onto it: all of bfloat16 beyond 4.4 R.
    """
    if x.dtype == dtype:
        return x
    (unit,), call = manifold._to_unit("proj", [("x", x)])
    return manifold._from_unit_point(unit, call._replace(dtype=dtype))


def check_values(where: str, name: str, value: Tensor, proper: Tensor, expected: str) -> None:
    """Raises a ValueError unless all values are proper; says which is not."""
    if not proper.all():
        first = value[~proper.expand(value.shape)].flatten()[0].item()
        raise ValueError(f"{where}: {name} holds {first:g}; expected {expected}.")
