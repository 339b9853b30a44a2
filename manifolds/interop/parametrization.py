"""Points as parameters that any optimiser of torch trains: their normal coordinates."""

from typing import TypeVar

from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..base import Manifold
from ..checks import check_coordinates
from ..manifold_checks import check_manifold

M = TypeVar("M", bound=nn.Module)


class OnManifold(nn.Module):
    """A parametrization by which a tensor of a module is points of a manifold.

    What is trained is their normal coordinates v, (..., n), every one of which is a point's:
    reading the tensor gives ``manifold.from_normal(v)``, (..., m), and assigning points to it sets
    v = ``manifold.to_normal(points)``. So AdamW, SGD, weight decay (towards the origin), clipping
    and schedules do what they do elsewhere, and no point leaves the manifold. :func:`on_manifold`
    sets it up; the manifold is a submodule, and a learnable curvature a parameter of the module.

    Args:
        manifold: the space, or a product.
    """

    def __init__(self, manifold: Manifold) -> None:
        super().__init__()
        check_manifold("OnManifold", manifold)
        self.manifold = manifold
        self._takes_coordinates = False  # while on_manifold registers it

    def forward(self, v: Tensor) -> Tensor:
        """The points of normal coordinates: (..., n) -> (..., m)."""
        return self.manifold.from_normal(v)

    def right_inverse(self, x: Tensor) -> Tensor:
        """The normal coordinates of points that are assigned: (..., m) -> (..., n).

        Raises:
            ValueError: what is assigned is not on the manifold: a weight as it was initialised, of
                which one would else not know that it was moved.
        """
        if self._takes_coordinates:
            return x
        if not x.is_meta:  # which has no values to look at
            on = self.manifold.is_point(x.detach())
            if not bool(on.all()):
                raise ValueError(
                    f"OnManifold: {int((~on).sum()):,} of {on.numel():,} rows are no points of "
                    f"{self.manifold!r}; expected points. To take a module's weight for their "
                    "normal coordinates, call on_manifold(module, name, manifold)."
                )
        return self.manifold.to_normal(x)


def on_manifold(module: M, name: str, manifold: Manifold) -> M:
    """Make a parameter of a module points of a manifold: its rows become their normal coordinates.

    >>> import torch
    >>> from spaceforms.manifolds import Lorentz, on_manifold
    >>> table = on_manifold(torch.nn.Embedding(100, 8), "weight", Lorentz())
    >>> table(torch.tensor([3, 7])).shape
    torch.Size([2, 9])
    >>> optimiser = torch.optim.AdamW(table.parameters(), lr=0.1)

    The values stay as they were initialised: an ``Embedding``'s normal numbers are points at a
    distance of about sqrt(n) from the origin, so scale them where that is far, beforehand: of a
    parametrized tensor ``reset_parameters`` and ``nn.init`` change a copy. Each reading of the
    tensor lifts all its rows; ``torch.nn.utils.parametrize.cached()`` lifts them once a step, and a
    table of which a step uses few rows is cheaper as a plain parameter whose gathered rows are
    lifted, ``manifold.from_normal(v[rows])``. ``parametrize.remove_parametrizations(module, name)``
    leaves the points as a plain parameter.

    Args:
        module: it is changed.
        name: of a parameter (..., n) that holds numbers of any size; its last axis is the
            dimension.
        manifold: the space, registered as a submodule.

    Returns:
        The module.

    Raises:
        TypeError: no module, no manifold, or a parameter that is not floating-point.
        ValueError: there is no parameter of this name, or it is parametrized already; a table with
            ``sparse`` or ``max_norm``.
    """
    check_manifold("on_manifold", manifold)
    if not isinstance(module, nn.Module):
        raise TypeError(f"on_manifold: module is a {type(module).__name__}; expected a Module.")
    known = dict(module.named_parameters(recurse=False))
    if name not in known:
        again = parametrize.is_parametrized(module, name)
        has = f"one of {', '.join(known)}" if known else "a module that has parameters of its own"
        raise ValueError(
            f"on_manifold: {name} of {type(module).__name__} is "
            f"{'parametrized already' if again else 'no parameter of it'}; expected {has}."
        )
    check_coordinates("on_manifold", [(name, known[name])], 1)
    if getattr(module, "sparse", False) or getattr(module, "max_norm", None) is not None:
        raise ValueError(
            f"on_manifold: {type(module).__name__} has sparse or max_norm, which would read or "
            "rescale points row by row; expected neither. A table with sparse gradients holds "
            "coordinates: lift the rows that it gives, manifold.from_normal(table(rows))."
        )
    # The parameter stays the same object, for optimisers and modules that have it already. unsafe:
    # on a hyperboloid or a sphere a point has one coordinate more than its coordinates v.
    layer = OnManifold(manifold)
    layer._takes_coordinates = True
    parametrize.register_parametrization(module, name, layer, unsafe=True)
    layer._takes_coordinates = False
    return module
