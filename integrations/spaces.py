"""A space as the few numbers that a configuration in JSON has of it, and back."""

from collections.abc import Mapping
from typing import Any

from ..manifolds import (
    Euclidean,
    HalfSpace,
    Hemisphere,
    Klein,
    Lorentz,
    Manifold,
    PoincareBall,
    PositiveScalar,
    ProperVelocity,
    SignedScalar,
    Sphere,
    Stereographic,
)

_KINDS: dict[str, type[Manifold]] = {
    kind.__name__: kind
    for kind in (
        *(Euclidean, Lorentz, PoincareBall, Sphere, Stereographic),
        *(HalfSpace, Hemisphere, Klein, ProperVelocity),
    )
}


def config_of(space: Manifold) -> dict[str, Any]:
    """``{"space", "curvature", "learnable", "bounds"}`` of a space of constant curvature.

    The curvature is that of now. Where it is learned, the state of the space has it more exactly.

    Raises:
        TypeError: no such space, such as a product or a class of your own.
    """
    kind = type(space)
    if _KINDS.get(kind.__name__) is not kind:
        raise TypeError(
            f"space is a {kind.__name__}; expected one that a configuration can name: "
            f"{', '.join(_KINDS)}."
        )
    scalars = (PositiveScalar, SignedScalar)
    scalar = next((m for m in space.modules() if isinstance(m, scalars)), None)
    learnable = scalar is not None and scalar.learnable
    bounds: Any = scalar.bounds if scalar is not None and learnable else None
    if bounds is not None and kind is not Stereographic:  # a scalar of one sign has the size alone
        bounds = tuple(sorted(space.sign * bound for bound in bounds))
    curvature = float(space.curvature.detach())
    return {
        "space": kind.__name__,
        "curvature": curvature,
        "learnable": learnable,
        "bounds": None if bounds is None else list(bounds),
    }


def space_of(config: Mapping[str, Any]) -> Manifold:
    """The space of :func:`config_of`.

    Raises:
        ValueError: an unknown name, or numbers that are none of its.
    """
    name = config.get("space")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"space is {name!r}; expected one of {', '.join(_KINDS)}.")
    if kind is Euclidean:
        return Euclidean()
    bounds = config.get("bounds")
    options: dict[str, Any] = {"learnable": bool(config.get("learnable", False))}
    if bounds is not None:
        options["bounds"] = tuple(bounds)
    return kind(config["curvature"], **options)
