"""How the certificate calls the operations that are no methods of a manifold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from ... import manifolds
from ...manifolds import (
    Chart,
    ChartManifold,
    Euclidean,
    Klein,
    Lorentz,
    Manifold,
    NormalCoordinates,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    ball_volume,
    busemann,
    convert,
    convert_vector,
    expmap_adjoint,
    expmap_differential,
    expmap_differential_inverse,
    horosphere_distance,
    horosphere_project,
    jacobi_field,
    log_ball_volume,
    log_sphere_area,
    logits,
    logmap_differential,
    logmap_differential_base,
    point_reflection,
    reflection,
    rotation,
    signed_distance,
    sphere_area,
    towards,
    translation,
    volume_density,
)
from ..exact.chart_models import FACTORS

Metric = Literal["l2", "l1", "max"]


def build_chart(name: str, k: float, *, learnable: bool = False) -> ChartManifold:
    """A model by way of the quadric, by the name that the certificate has for it."""
    if name in ("Gnomonic", "Azimuthal"):
        kind = Klein if name == "Gnomonic" else NormalCoordinates
        return kind(k, learnable=learnable)
    made: ChartManifold = getattr(manifolds, name)(k, learnable=learnable)
    return made


def build_product(metric: Metric = "l2") -> Product:
    """The product that is judged."""
    kinds: dict[str, Callable[[float], Manifold]] = {
        "Lorentz": Lorentz, "Sphere": Sphere, "PoincareBall": PoincareBall,
    }  # fmt: skip
    made = [kinds[f[0]](f[3]) if f[0] in kinds else Euclidean() for f in FACTORS]
    return Product(made, dims=[f[4] for f in FACTORS], weights=[f[5] for f in FACTORS],
                   metric=metric)  # fmt: skip


def convert_by_name(source: Any, name: str, arguments: Sequence[Tensor]) -> Tensor:
    """``convert:Klein`` and ``convert_vector:Klein``: to that chart of the same space."""
    kind, _, wanted = name.partition(":")
    k = source.curvature.item()
    plain = wanted in ("Lorentz", "PoincareBall", "Sphere")
    target: Manifold | Chart = getattr(manifolds, wanted)(k) if plain else build_chart(wanted, k)
    if kind == "convert":
        return convert(arguments[0], source, target)
    return convert_vector(arguments[0], arguments[1], source, target)


def _first(number: Tensor) -> Tensor:
    return number[..., 0]


def _of_radius(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda m, r: function(m, r[..., 0], r.shape[-1] - 1)


def _of_pairs(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Of sets: each point with one other."""

    def pairs(m: Any, x: Tensor, y: Tensor) -> Tensor:
        return function(m, x.unsqueeze(-2), y.unsqueeze(-2)).squeeze(-1).squeeze(-1)

    return pairs


def _method(name: str, m: Any, *arguments: Tensor) -> Tensor:
    return getattr(m, name)(*arguments)  # type: ignore[no-any-return]


def least_radius(manifold: Any, least: Tensor) -> float:
    """In units of R; times R where it is a length."""
    k = abs(manifold.curvature.item()) if isinstance(manifold, Stereographic) else 0.0
    return least.flatten()[0].item() * (1 / math.sqrt(k) if k else 1.0)


CALLS: dict[str, Callable[..., Tensor]] = {
    "translation": lambda m, p, q, x: translation(m, p, q)(x),
    "translation.push": lambda m, x, p, q, v: translation(m, p, q).push(x, v),
    "reflection": lambda m, p, x, a: reflection(m, p, a)(x),
    "point_reflection": lambda m, p, x: point_reflection(m, p)(x),
    "rotation": lambda m, x, c: rotation(m, _householder(c))(x),
    "busemann": busemann,
    "horosphere_distance": lambda m, x, i, c: horosphere_distance(m, x, i, _first(c)),
    "horosphere_project": lambda m, x, i, c: horosphere_project(m, x, i, _first(c)),
    "towards": lambda m, x, i, t: towards(m, x, i, _first(t)),
    "signed_distance": lambda m, p, x, a: signed_distance(m, x, p, a),
    "logits": lambda m, p, x, a: logits(m, x, p.unsqueeze(-2), a.unsqueeze(-2)).squeeze(-1),
    "jacobi_field": lambda m, x, v, value, slope, t: jacobi_field(m, x, v, value, slope, _first(t)),
    "expmap_differential": expmap_differential,
    "expmap_adjoint": lambda m, x, v, w: expmap_adjoint(m, x, v, _at_end(m, x, v, w)),
    "expmap_differential_inverse": lambda m, x, v, w: expmap_differential_inverse(
        m, x, v, _at_end(m, x, v, w)
    ),
    "logmap_differential": lambda m, y, x, w: logmap_differential(m, x, y, w),
    "logmap_differential_base": logmap_differential_base,
    "volume_density": volume_density,
    "sphere_area": _of_radius(sphere_area),
    "log_sphere_area": _of_radius(log_sphere_area),
    "ball_volume": _of_radius(ball_volume),
    "log_ball_volume": _of_radius(log_ball_volume),
    "mobius_add": lambda m, x, y: m.mobius_add(x, y),
    "coadd": lambda m, x, y: m.coadd(x, y),
    "gyration": lambda m, x, y, v: m.gyration(x, y, v),
    "mobius_scalar": lambda m, x, r: m.mobius_scalar(_first(r), x),
    "mobius_matvec": lambda m, x, *rows: m.mobius_matvec(_rows(rows), x),
    "product_dist.l1": lambda m, x, y: build_product("l1").dist(x, y),
    "product_dist.max": lambda m, x, y: build_product("max").dist(x, y),
    **{
        f"product_{name}": partial(_method, name)
        for name in (
            "dist",
            "sqdist",
            "norm",
            "inner",
            "expmap",
            "logmap",
            "midpoint",
            "transport",
        )
    },
    "product_geodesic": lambda m, x, y, t: m.geodesic(x, y, _first(t)),
    "mean": lambda m, x, y, z: m.mean(torch.stack([x, y, z], dim=-2)),
    "cinner": _of_pairs(lambda m, x, y: m.cinner(x, y)),
    "cinner.from_0": _of_pairs(lambda m, x, y: m.cinner(x, y)),
    "cdist": _of_pairs(lambda m, x, y: m.cdist(x, y)),
    "cdist.matmul": _of_pairs(lambda m, x, y: m.cdist(x, y, matmul=True)),
    "cones.angle": lambda m, x, y, least: m.cones(x, y, least_radius(m, least))[0][..., 0],
    "cones.aperture": lambda m, x, y, least: m.cones(x, y, least_radius(m, least))[1][..., 0],
    "half_aperture": lambda m, x, least: m.half_aperture(x, least_radius(m, least)),
    "geodesic": lambda m, x, y, t: m.geodesic(x, y, _first(t)),
}
"""(manifold, arguments in the order of the definition) -> result, batched."""


def _householder(c: Tensor) -> Tensor:
    """1 - 2 c c^T/|c|^2, an orthogonal matrix, rounded to the dtype of c."""
    wide = c.double().unsqueeze(-1)
    square = (wide * wide).sum(-2, keepdim=True)
    eye = torch.eye(c.shape[-1], dtype=wide.dtype, device=wide.device)
    return (eye - 2 * wide * wide.mT / square).to(c.dtype)


def _at_end(manifold: Any, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
    """The tangent vector at exp_x(v) that has the free coordinates of w."""
    return manifold.proj_tangent(manifold.expmap(x, v), w)  # type: ignore[no-any-return]


def _rows(rows: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(rows), dim=-2)
