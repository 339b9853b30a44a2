"""Other people's manifolds in the few words the conformance suite speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ...manifolds import (
    Euclidean,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
)
from .domains import Domain
from .own_points import OwnPoints
from .space_forms import Ball, Flat, Hyperboloid, Hypersphere, Projected

Map = Callable[..., Any]


@dataclass(frozen=True)
class Subject:
    """A manifold under test: a name, where its points are, and those maps that it has.

    A map that is None is missing, and the properties that speak of it are skipped. Base point
    first; coordinates on the last axis; leading axes broadcast.

    Attributes:
        name: for messages.
        domain: where its points are; it makes the examples.
        dist: (x, y) -> distance.
        sqdist: (x, y) -> squared distance.
        expmap: (x, v) -> point.
        logmap: (x, y) -> vector at x.
        transport: (x, y, v) -> vector at y, parallel along the geodesic.
        inner: (x, u, v) -> number.
        norm: (x, v) -> number.
        proj: coordinates -> point.
        proj_tangent: (x, coordinates) -> vector at x.
        egrad2rgrad: (x, gradient of autograd) -> Riemannian gradient at x.
        retraction: (x, v) -> point, equal to expmap to first order.
        is_point: x -> whether it is a point.
        is_tangent: (x, v) -> whether v is tangent at x.
        random_normal: (number, n, std, dtype) -> points of a normal distribution about the origin.
    """

    name: str
    domain: Domain
    dist: Map | None = None
    sqdist: Map | None = None
    expmap: Map | None = None
    logmap: Map | None = None
    transport: Map | None = None
    inner: Map | None = None
    norm: Map | None = None
    proj: Map | None = None
    proj_tangent: Map | None = None
    egrad2rgrad: Map | None = None
    retraction: Map | None = None
    is_point: Map | None = None
    is_tangent: Map | None = None
    random_normal: Map | None = None

    @property
    def maps(self) -> dict[str, Map]:
        """The maps it has."""
        every = {f.name: getattr(self, f.name) for f in fields(self)[2:]}
        return {name: m for name, m in every.items() if m is not None}


def as_subject(manifold: Any) -> Subject:
    """The maps of one of our manifolds, of geoopt's, or of a :class:`Subject` itself.

    Anything else with an attribute ``domain`` (a :class:`Domain`) is taken by the names of its
    methods, which are those of :class:`Subject`.

    Raises:
        TypeError: if it is none of these.
    """
    if isinstance(manifold, Subject):
        return manifold
    if isinstance(manifold, Manifold):
        return _from_spaceforms(manifold)
    if type(manifold).__module__.startswith("geoopt."):
        return from_geoopt(manifold)
    domain = getattr(manifold, "domain", None)
    if not isinstance(domain, Domain):
        raise TypeError(
            f"check_manifold: the manifold is a {type(manifold).__name__}; expected a manifold of "
            "spaceforms or geoopt, a Subject, or an object with those of a Subject's maps that it "
            "has and an attribute domain, such as Hyperboloid(-1.0), that says where its points "
            "are."
        )
    names = [f.name for f in fields(Subject)[2:]]
    maps = {name: getattr(manifold, name, None) for name in names}
    return Subject(str(getattr(manifold, "name", type(manifold).__name__)), domain, **maps)


def _from_spaceforms(manifold: Manifold) -> Subject:
    plain = manifold._unchecked
    if isinstance(plain, Product):
        raise TypeError(
            f"check_manifold: the manifold is {manifold!r}, of no constant curvature; expected its "
            "factors one by one, or a Subject with a Domain that makes its points."
        )
    # The curvature as the maps use it: a learned one is a float32 parameter.
    k = float(torch.as_tensor(manifold.curvature).detach().double())
    kind: dict[type, Callable[[], Domain]] = {
        Lorentz: lambda: Hyperboloid(k),
        PoincareBall: lambda: Ball(k),
        Sphere: lambda: Hypersphere(k),
        Stereographic: lambda: Ball(k) if k < 0 else Projected(k),
        Euclidean: Flat,
    }
    own = (make() for c, make in kind.items() if isinstance(plain, c))
    domain = next(own, None) or OwnPoints(plain, k)

    def random_normal(number: int, n: int, std: float, dtype: torch.dtype) -> Tensor:
        return manifold.random_normal(number, n, std=std, dtype=dtype)

    names = [f.name for f in fields(Subject)[2:] if hasattr(manifold, f.name)]
    maps = {name: getattr(manifold, name) for name in names}
    return Subject(repr(manifold), domain, **{**maps, "random_normal": random_normal})


def from_geoopt(manifold: Any) -> Subject:
    """The maps of geoopt's Euclidean, Sphere, Lorentz, PoincareBall or Stereographic.

    Curvature in geoopt: 1 for the sphere, -1/k for Lorentz, -c for the ball, k for Stereographic.

    Raises:
        TypeError: for any other manifold; build a :class:`Subject` with a domain of your own.
    """
    name = type(manifold).__name__
    domain = _domain_of_geoopt(manifold)
    if domain is None:
        raise TypeError(
            f"from_geoopt: the manifold is a {name}; expected Euclidean (ndim=1), Sphere, Lorentz, "
            "PoincareBall or Stereographic. For another one build a Subject with a Domain that "
            "makes its points."
        )

    def is_point(x: Tensor) -> bool:
        return bool(manifold.check_point_on_manifold(x))

    def is_tangent(x: Tensor, v: Tensor) -> bool:
        return bool(manifold.check_vector_on_tangent(x, v))

    def random_normal(number: int, n: int, std: float, dtype: torch.dtype) -> Tensor:
        # geoopt refuses a dtype that is not its curvature's; and its tensors carry the manifold.
        sample = manifold.random_normal(number, n + domain.extra, std=std)
        return sample.detach().as_subclass(Tensor).to(dtype)  # type: ignore[no-any-return]

    return Subject(
        f"geoopt.{name}({manifold.extra_repr()})",
        domain,
        dist=manifold.dist,
        sqdist=manifold.dist2,
        expmap=manifold.expmap,
        logmap=manifold.logmap,
        transport=manifold.transp,
        inner=manifold.inner,
        norm=manifold.norm,
        proj=manifold.projx,
        proj_tangent=manifold.proju,
        egrad2rgrad=manifold.egrad2rgrad,
        retraction=manifold.retr,
        is_point=is_point,
        is_tangent=is_tangent,
        random_normal=random_normal if hasattr(manifold, "random_normal") else None,
    )


def _domain_of_geoopt(manifold: Any) -> Domain | None:
    kinds = [kind.__name__ for kind in type(manifold).__mro__]
    if "Sphere" in kinds and getattr(manifold, "projector", None) is None:
        return Hypersphere(1.0)
    if "Lorentz" in kinds:
        return Hyperboloid(-1 / float(manifold.k.detach()))
    if "Stereographic" in kinds:
        k = float(manifold.k.detach())
        return Ball(k) if k < 0 else Projected(k)
    return Flat() if "Euclidean" in kinds and manifold.ndim == 1 else None
