"""What an image-text model is beside its encoders: a space and losses on it, checked together.

A model says its options once, as the signature of its ``design``: its constructor takes two
encoders and these, the registry and the command line read them there, and what they make is checked
before anything of the size of a model is made.
"""

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, get_args

import torch
from torch import nn

from ..losses import InfoNCE
from ..losses.entailment.cones import Links
from ..manifolds import Manifold, Product

Lift = Literal["normal", "project"]
P = ParamSpec("P")


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """The arguments of :class:`ImageTextModel`, where they are explained, but for its encoders."""

    embed_dim: int
    manifold: Manifold
    contrastive: InfoNCE
    entailment: nn.Module | None = None
    entail_weight: float = 0.0
    chain_weight: float = 0.0
    exclude_weight: float = 0.0
    links: Links = "consecutive"
    above: nn.Module | None = None
    compositional: bool = False
    lift: Lift = "normal"
    alpha: float | None = None
    learn_alpha: bool = True
    fixed_radius: float | None = None

    def arguments(self) -> dict[str, Any]:
        """The same, by name."""
        return {field.name: getattr(self, field.name) for field in fields(Design)}

    @property
    def uses_general(self) -> bool:
        """Whether the loss takes the texts above the captions."""
        return self.chain_weight > 0 or self.compositional

    @property
    def in_hemisphere(self) -> bool:
        """Whether points are kept in the origin's hemisphere: on the sphere cones need it, and
        normal coordinates reach around it."""
        round_ = not isinstance(self.manifold, Product) and self.manifold.sign > 0
        return self.entailment is not None and round_

    def check_batch(self, batch_size: int) -> None:
        """Raise a ValueError if the model cannot be trained on batches of this size."""

    def check(self, where: str) -> None:
        """Refuse what could not be trained, in a sentence each that begins with ``where``."""
        if self.embed_dim < 1:
            raise ValueError(f"{where}: embed_dim is {self.embed_dim}; expected at least 1.")
        manifold = self.manifold
        if self.lift not in get_args(Lift):
            raise ValueError(f"{where}: lift is {self.lift!r}; expected normal or project.")
        if self.links not in get_args(Links):
            raise ValueError(f"{where}: links is {self.links!r}; expected consecutive or all.")
        for name in ("entail_weight", "chain_weight", "exclude_weight"):
            weight = getattr(self, name)
            if not 0 <= weight < math.inf:
                raise ValueError(f"{where}: {name} is {weight}; expected 0 or more.")
            if weight > 0 and self.entailment is None:
                raise ValueError(
                    f"{where}: {name} is {weight} without cones; expected 0, or a model that has "
                    "them."
                )
        no_inner = isinstance(manifold, Product) and manifold.metric != "l2"
        if no_inner and self.contrastive.logits != "neg_dist":
            raise ValueError(
                f"{where}: logits is {self.contrastive.logits!r} on a product whose metric is no "
                "Riemannian one; expected neg_dist."
            )
        radius = self.fixed_radius
        if radius is not None:
            if self.lift != "normal":
                raise ValueError(
                    f"{where}: fixed_radius is {radius} with the lift {self.lift}, which has one "
                    "radius in any case; expected None."
                )
            top = math.pi / 2 * _radius(manifold) if self.in_hemisphere else math.inf
            if not 0 < radius < top:
                raise ValueError(
                    f"{where}: fixed_radius is {radius}; expected a positive number"
                    + (f" below that of the equator, {top:.4g}, for cones." if top < 9e9 else ".")
                )
        if self.entailment is None:
            return
        if self.lift != "normal":
            raise ValueError(
                f"{where}: entailment with the lift {self.lift}, which puts points beyond the "
                "hemisphere of the origin, where cones mean nothing; expected the lift normal."
            )
        for cones in (self.entailment, self.above or self.entailment):
            widest = _sn_at(manifold, 1.0 if radius is None else radius) / 2
            min_radius = float(getattr(cones, "min_radius", 0.0))
            if not min_radius < widest:
                raise ValueError(
                    f"{where}: min_radius is {min_radius:g}; expected less than {widest:.3g}: at "
                    "the radius where points start, every wider cone is a half-space."
                )


D = TypeVar("D", bound=Design)
F = TypeVar("F", bound=Callable[..., Any])


def designed(
    design: Callable[P, D],
) -> Callable[
    [Callable[[Any, nn.Module, nn.Module, D], None]],
    Callable[Concatenate[Any, nn.Module, nn.Module, P], None],
]:
    """A constructor of two encoders and a design takes in its place what ``design`` takes."""

    def decorate(
        build: Callable[[Any, nn.Module, nn.Module, D], None],
    ) -> Callable[Concatenate[Any, nn.Module, nn.Module, P], None]:
        def __init__(
            self: Any,
            image_encoder: nn.Module,
            text_encoder: nn.Module,
            *args: P.args,
            **options: P.kwargs,
        ) -> None:
            build(self, image_encoder, text_encoder, design(*args, **options))

        functools.update_wrapper(__init__, build)
        own = list(inspect.signature(build).parameters.values())[:3]
        given = list(inspect.signature(design).parameters.values())
        __init__.__signature__ = inspect.Signature([*own, *given])  # type: ignore[attr-defined]
        __init__.__annotations__ = {p.name: p.annotation for p in [*own[1:], *given]}
        return __init__  # type: ignore[return-value]

    return decorate


def passing_on(to: Callable[..., object]) -> Callable[[F], F]:
    """Let a function that gives its ``**options`` to another one say in its signature what these
    are."""

    def decorate(function: F) -> F:
        own = [
            p for p in inspect.signature(function).parameters.values() if p.kind != p.VAR_KEYWORD
        ]
        names = {p.name for p in own}
        more = [
            p
            for p in inspect.signature(to).parameters.values()
            if p.kind == p.KEYWORD_ONLY and p.name not in names
        ]
        function.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        return function

    return decorate


def _radius(manifold: Manifold) -> float:
    return float(torch.as_tensor(manifold.radius).detach())


def _sn_at(manifold: Manifold, radius: float) -> float:
    """sn(r/R), which an aperture's sine is inversely proportional to, at a distance r."""
    if isinstance(manifold, Product):
        return min(_sn_at(factor, radius) for factor in manifold.factors)
    if manifold.sign == 0:
        return radius
    unit = radius / _radius(manifold)
    # Points of the sphere lie in the hemisphere, where the sine grows.
    return math.sinh(unit) if manifold.sign < 0 else math.sin(min(unit, math.pi / 2))
