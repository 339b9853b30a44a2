"""Other libraries' conventions: the table of docs/notation.md as functions."""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..base import Manifold
from ..checks import check_coordinates, check_number
from ..euclidean import Euclidean
from ..lorentz import Lorentz
from ..manifold_checks import check_known, check_manifold
from ..poincare_ball import PoincareBall
from ..sphere import Sphere
from .geoopt import geoopt_adapter

Convention = Literal[
    "geoopt.PoincareBall",
    "geoopt.Stereographic",
    "geoopt.Lorentz",
    "MERU",
    "HypLL",
    "HGCN",
    "hyperbolix",
    "manify",
]
"""Whose number for "the curvature" is meant."""

Library = Literal[
    "geoopt", "MERU", "HypLL", "HGCN", "hyperbolix", "manify", "geomstats", "pymanopt",
    "Manifolds.jl",
]  # fmt: skip
"""Whose coordinates of points are meant."""

_SIGNED = ("geoopt.Stereographic", "manify")
_UNIT = ("geomstats", "pymanopt", "Manifolds.jl")  # curvature fixed at -1, 0 or 1


def _negated(value: float) -> float:
    return -value


def _softplus(value: float) -> float:
    return -(max(value, 0.0) + math.log1p(math.exp(-abs(value))))


def _softplus_inverse(curvature: float) -> float:
    # log(e^c - 1) without overflow for large c and without cancellation for small ones.
    return math.log(-math.expm1(curvature)) - curvature


# By convention: K of the parameter, and the parameter of K.
_CURVATURE: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "geoopt.PoincareBall": (_negated, _negated),
    "geoopt.Stereographic": (float, float),
    "geoopt.Lorentz": (lambda k: -1 / k, lambda curvature: -1 / curvature),
    "MERU": (_negated, _negated),
    "HypLL": (_softplus, _softplus_inverse),
    "HGCN": (_negated, _negated),
    "hyperbolix": (_negated, _negated),
    "manify": (float, float),
}


def curvature_from(convention: Convention, value: float) -> float:
    """The sectional curvature K of what another library calls the curvature ``value``.

    ``geoopt.PoincareBall``: c = -K. ``geoopt.Stereographic``: k = K. ``geoopt.Lorentz``: k = -1/K,
    the squared radius. ``MERU``: ``curv.exp()`` = -K (the parameter is the logarithm of that).
    ``HypLL``: ``Curvature(value)`` with softplus(value) = -K. ``HGCN``, ``hyperbolix``: c = -K.
    ``manify``: the signature's K. (geomstats, pymanopt and Manifolds.jl have no such number: their
    spaces are the unit ones.)

    >>> from spaceforms.manifolds import Lorentz, curvature_from
    >>> Lorentz(curvature_from("geoopt.Lorentz", 2.0))
    Lorentz(curvature=-0.5)

    Raises:
        TypeError: value is no number.
        ValueError: an unknown convention, or a value that is no curvature in it.
    """
    to_ours, _ = _convention("curvature_from", convention)
    check_number("curvature_from", "value", value)
    value = float(value)
    free = convention == "HypLL" or convention in _SIGNED
    if not math.isfinite(value) or not (free or value > 0):
        wanted = "finite" if free else "positive"
        raise ValueError(
            f"curvature_from: value is {value}; expected a {wanted} number, as {convention} has."
        )
    return to_ours(value)


def curvature_to(convention: Convention, curvature: float) -> float:
    """What to pass to another library for the space of sectional curvature K.

    The inverse of :func:`curvature_from`.

    Raises:
        TypeError: curvature is no number.
        ValueError: an unknown convention, or a curvature that it does not have.
    """
    _, to_theirs = _convention("curvature_to", convention)
    check_number("curvature_to", "curvature", curvature)
    curvature = float(curvature)
    if not math.isfinite(curvature) or not (convention in _SIGNED or curvature < 0):
        wanted = "finite" if convention in _SIGNED else "negative"
        raise ValueError(
            f"curvature_to: curvature is {curvature}; expected a {wanted} sectional curvature for "
            f"{convention}."
        )
    return to_theirs(curvature)


def _convention(where: str, name: str) -> tuple[Callable[[float], float], Callable[[float], float]]:
    if name not in _CURVATURE:
        raise ValueError(
            f"{where}: convention is {name!r}; expected one of {', '.join(_CURVATURE)}."
        )
    return _CURVATURE[name]


def points_from(library: Library, manifold: Manifold, x: Tensor) -> Tensor:
    """Points of ours from another library's coordinates of the same space: (..., m') -> (..., m).

    ``manifold`` is what the points are to be on; the library's space is the one of its kind and of
    its curvature (see :func:`curvature_to`), or the unit one where the library has no other.

    =============================== ==================================================
    geoopt                          as ours; on its sphere, which is the unit one, x/R
    MERU                            the space part of Lorentz
    HypLL, HGCN, hyperbolix, manify as ours (hyperboloid: time first)
    geomstats, pymanopt             x/R (hyperboloid: time first)
    Manifolds.jl                    x/R, on the hyperboloid with time last
    =============================== ==================================================

    Tangent vectors are converted by the same functions, MERU's excepted (it has none but those at
    the origin): a vector of length R on ours has length 1 on the unit space, whose distances are to
    be multiplied by R.

    Raises:
        TypeError: not a manifold of this library, or no floating-point tensor.
        ValueError: an unknown library, or MERU with another manifold than Lorentz.
    """
    space = _space("points_from", library, manifold)
    extra = space.ambient_dim(0)
    check_coordinates("points_from", [("x", x)], 1 if library == "MERU" else 1 + extra)
    if library == "MERU":
        assert isinstance(space, Lorentz)
        return space.from_space(x)
    if library == "Manifolds.jl" and isinstance(space, Lorentz):
        x = x.roll(1, -1)
    return x * space.radius if _scaled(library, space) else x


def points_to(library: Library, manifold: Manifold, x: Tensor) -> Tensor:
    """Another library's coordinates of our points: the inverse of :func:`points_from`.

    Shapes: (..., m) -> (..., m').
    """
    space = _space("points_to", library, manifold)
    check_coordinates("points_to", [("x", x)], 1 + space.ambient_dim(0))
    if library == "MERU":
        assert isinstance(space, Lorentz)
        return space.space(x)
    if library == "Manifolds.jl" and isinstance(space, Lorentz):
        x = x.roll(-1, -1)
    return x / space.radius if _scaled(library, space) else x


def _scaled(library: str, space: Manifold) -> bool:
    return library in _UNIT or (library == "geoopt" and isinstance(space, Sphere))


def _space(where: str, library: str, manifold: Manifold) -> Manifold:
    check_known(where, manifold)
    if manifold._family == "chart":
        raise TypeError(
            f"{where}: manifold is {manifold}, coordinates that {library} does not have; expected "
            "Lorentz, PoincareBall, Sphere or Euclidean (convert brings points there)."
        )
    if library not in get_args(Library):
        raise ValueError(
            f"{where}: library is {library!r}; expected one of {', '.join(get_args(Library))}."
        )
    space = manifold._unchecked
    if library == "MERU" and not isinstance(space, Lorentz):
        raise ValueError(f"{where}: manifold is {manifold}; MERU's points are those of Lorentz.")
    return space


def from_geoopt(manifold: Any) -> Manifold:
    """Our manifold of the same points as one of geoopt's.

    ``Lorentz(k)`` is Lorentz(-1/k), ``PoincareBall(c)`` and a ``Stereographic(k)`` of k < 0 are
    PoincareBall(-c) and PoincareBall(k), ``Sphere`` is Sphere(1) and ``Euclidean(ndim=1)`` is
    Euclidean(). Coordinates are the same; nothing else has to be converted. If geoopt's curvature
    is learned, ours is too: a new parameter, that starts where geoopt's stands.

    Raises:
        TypeError: a manifold of geoopt's that has no counterpart of the same coordinates.
        ValueError: a curvature of the wrong sign. Where k > 0 the points of a ``Stereographic``
            are those of the chart StereographicPlane(k); at k = 0 its metric is 4 times Euclid's.
        ModuleNotFoundError: geoopt is not installed.
    """
    geoopt = geoopt_adapter("from_geoopt").geoopt
    if isinstance(manifold, geoopt.PoincareBall):
        learned = manifold.isp_c.requires_grad
        return PoincareBall(-float(manifold.c.detach().double()), learnable=learned)
    if isinstance(manifold, geoopt.Stereographic):
        k = float(manifold.k.detach().double())
        if not k < 0:
            raise ValueError(
                f"from_geoopt: k is {k}; expected a negative one, for a PoincareBall. The points "
                "of a positive k are those of the chart StereographicPlane(k); at k = 0 geoopt's "
                "lengths are twice the Euclidean ones."
            )
        return PoincareBall(k, learnable=manifold.k.requires_grad)
    if isinstance(manifold, geoopt.Lorentz):
        k = float(manifold.k.detach().double())
        return Lorentz(curvature_from("geoopt.Lorentz", k), learnable=manifold.k.requires_grad)
    if type(manifold) in (geoopt.Sphere, geoopt.SphereExact) and manifold.projector is None:
        return Sphere(1.0)
    if isinstance(manifold, geoopt.Euclidean) and manifold.ndim == 1:
        return Euclidean()
    raise TypeError(
        f"from_geoopt: manifold is {manifold!r}; expected geoopt's Lorentz, PoincareBall, "
        "Stereographic, Sphere or Euclidean(ndim=1)."
    )


def to_geoopt(manifold: Manifold, *, dtype: torch.dtype | None = None) -> Any:
    """geoopt's own manifold of the same points, the inverse of :func:`from_geoopt`.

    With geoopt's formulas; :func:`as_geoopt` gives geoopt's interface with ours.

    Args:
        manifold: Lorentz, PoincareBall, Sphere(1) or Euclidean.
        dtype: of geoopt's curvature, torch's default if None. A learnable curvature stays
            learnable, as a parameter of geoopt's.

    Raises:
        TypeError: a manifold that geoopt does not have.
        ValueError: a Sphere of another curvature than 1: geoopt has the unit one only; divide by R
            with :func:`points_to`.
        ModuleNotFoundError: geoopt is not installed.
    """
    check_manifold("to_geoopt", manifold)
    geoopt = geoopt_adapter("to_geoopt").geoopt
    space = manifold._unchecked
    dtype = dtype or torch.get_default_dtype()
    curvature = float(space.curvature.detach())
    learned = isinstance(space.radius, Tensor)

    def parameter(value: float) -> Tensor:
        return torch.tensor(value, dtype=dtype)

    if isinstance(space, Lorentz):
        k = curvature_to("geoopt.Lorentz", curvature)
        return geoopt.Lorentz(parameter(k), learnable=learned)
    if isinstance(space, PoincareBall):
        c = curvature_to("geoopt.PoincareBall", curvature)
        return geoopt.PoincareBall(parameter(c), learnable=learned)
    if isinstance(space, Sphere):
        if curvature != 1 or learned:
            raise ValueError(
                f"to_geoopt: manifold is {space}; expected Sphere(1.0), geoopt's only sphere."
            )
        return geoopt.Sphere()
    if isinstance(space, Euclidean):
        return geoopt.Euclidean(ndim=1)
    raise TypeError(
        f"to_geoopt: manifold is {space}; expected Lorentz, PoincareBall, Sphere or Euclidean."
    )
