"""Proof of the geometry: references, the certificate, and a conformance suite for any manifold.

:func:`check_manifold` tries every property of a Riemannian manifold on yours, on geoopt's or on
ours. It needs the extra ``validation``; nothing is imported before it is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ..manifolds.extras import import_extra

if TYPE_CHECKING:
    from .conformance.adapters import Subject as Subject, from_geoopt as from_geoopt
    from .conformance.domains import Domain as Domain
    from .conformance.space_forms import (
        Ball as Ball,
        Flat as Flat,
        Hyperboloid as Hyperboloid,
        Hypersphere as Hypersphere,
        Projected as Projected,
    )
    from .conformance.strategies import (
        point_pairs as point_pairs,
        points as points,
        tangent_vectors as tangent_vectors,
    )
    from .conformance.suite import (
        ConformanceError as ConformanceError,
        Report as Report,
        check_manifold as check_manifold,
    )

_HOMES = {
    "Subject": "conformance.adapters",
    "from_geoopt": "conformance.adapters",
    "ConformanceError": "conformance.suite",
    "Report": "conformance.suite",
    "check_manifold": "conformance.suite",
    "Ball": "conformance.space_forms",
    "Domain": "conformance.domains",
    "Flat": "conformance.space_forms",
    "Hyperboloid": "conformance.space_forms",
    "Hypersphere": "conformance.space_forms",
    "Projected": "conformance.space_forms",
    "point_pairs": "conformance.strategies",
    "points": "conformance.strategies",
    "tangent_vectors": "conformance.strategies",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Import the file of a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_extra(f"spaceforms.validation.{name}", "hypothesis", "validation")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    """The public names, whether their files are imported or not."""
    return sorted({*globals(), *_HOMES})
