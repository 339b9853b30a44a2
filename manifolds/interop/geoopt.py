"""The way to geoopt's optimisers."""

import warnings
from importlib import import_module
from typing import Any

from ..base import Manifold
from ..extras import import_extra
from ..manifold_checks import check_manifold


def as_geoopt(manifold: Manifold) -> Any:
    """A ``geoopt.Manifold`` whose geometry is ``manifold``'s (extra ``optim``).

    For ``geoopt.ManifoldParameter`` and all of ``geoopt.optim``: ``RiemannianAdam``,
    ``RiemannianSGD``, their sparse variants and ``RiemannianLineSearch`` then step along exact
    geodesics of ours. The retraction is the exponential map, and the gradient conversion changes
    nothing in place. A learnable curvature is a parameter of the
    adapter; assign it (or the manifold) to a module for an optimiser to see it, and keep it fixed
    while points are optimised on it: a change of curvature moves the manifold under its points.

    ``geoopt.samplers`` run on ``Euclidean`` and ``Sphere``, where what they do is right, and refuse
    the hyperbolic models, where it would not be: they take ambient coordinates for orthonormal
    ones. There, sample normal coordinates v as a plain parameter: of a density p by volume the
    logarithm in v is ``log p(x) + logdetexp(origin, logmap0(x))``, x = from_normal(v).

    >>> import geoopt, torch
    >>> from spaceforms.manifolds import Lorentz, as_geoopt
    >>> space = Lorentz()
    >>> start = space.from_normal(torch.tensor([1.0, 2.0]))
    >>> point = geoopt.ManifoldParameter(start, manifold=as_geoopt(space))
    >>> optimiser = geoopt.optim.RiemannianSGD([point], lr=0.25)
    >>> for _ in range(40):
    ...     optimiser.zero_grad()
    ...     space.sqdist(point, space.origin(2)).backward()
    ...     optimiser.step()
    >>> bool(space.dist(point, space.origin(2)) < 1e-6)
    True

    Raises:
        TypeError: not a manifold of this library.
        ModuleNotFoundError: geoopt is not installed.
    """
    check_manifold("as_geoopt", manifold)
    geoopt_adapter("as_geoopt")  # or a sentence that says how to get geoopt
    return import_module(".geoopt_gyrovectors", __package__).adapter(manifold)


def geoopt_adapter(where: str) -> Any:
    """The module that has imported geoopt, or a sentence that says how to get it."""
    with warnings.catch_warnings():
        # geoopt 0.5.1 decorates with torch.jit.script at import; nothing of ours uses those.
        warnings.filterwarnings("ignore", message=r".*torch\.jit.*")
        import_extra(where, "geoopt", "optim")
    return import_module(".geoopt_adapter", __package__)
