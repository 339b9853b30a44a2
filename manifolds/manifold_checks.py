"""What is wrong with a manifold as an argument, in a sentence."""

from .base import Manifold

_KNOWN = "Lorentz, PoincareBall, Sphere, Euclidean, Stereographic or a Product of these"


def check_known(where: str, value: object) -> None:
    """Reject a class whose coordinates the formulas of an operation were not written for."""
    check_manifold(where, value)
    if value._family == "foreign":  # type: ignore[attr-defined]
        known = {-1: "Lorentz(K)", 0: "Euclidean()", 1: "Sphere(K)"}[value.sign]  # type: ignore[attr-defined]
        raise TypeError(
            f"{where}: manifold is {value!r}, a class whose coordinates are not known here; "
            f"expected {_KNOWN}. Points of another model of the same space can be brought to one "
            f"of these and back: {known}.from_normal(manifold.to_normal(x))."
        )


def check_one(where: str, value: object, why: str) -> None:
    """Reject a product, which does not have what is asked for; ``why`` not, in words."""
    check_manifold(where, value)
    if value._family == "product":  # type: ignore[attr-defined]
        raise TypeError(
            f"{where}: manifold is {value!r}; expected a space of one curvature: {why}."
        )


def check_manifold(where: str, value: object) -> None:
    """Reject what is no manifold, before the first call of a method it does not have."""
    if not isinstance(value, Manifold):
        raise TypeError(
            f"{where}: manifold is a {type(value).__name__}; expected a Manifold such as Lorentz()."
        )
