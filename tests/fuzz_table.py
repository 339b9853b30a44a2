"""How to call every public function and class of six rooms: the table of tests/test_fuzz.py.

A row makes valid arguments by name from a draw. A public name without a row fails a test there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from cases import CHARTS, FOREIGN
from torch import Tensor

from spaceforms import distributions, layers, losses, manifolds, search, stats
from spaceforms.losses import distributed, metrics
from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
)

L, B, S, E = Lorentz(-0.7), PoincareBall(-1.3), Sphere(1.5), Euclidean()
HYPERBOLIC: list[Manifold] = [L, B, Stereographic(-0.5)]
OPEN: list[Manifold] = [*HYPERBOLIC, E, Stereographic(0.0)]
KNOWN: list[Manifold] = [*OPEN, S, Stereographic(0.8)]
FORMS: list[Manifold] = [*KNOWN, *FOREIGN.values(), CHARTS["HalfSpace(-0.7)"]]
CURVED: list[Manifold] = [space for space in FORMS if space.sign != 0]
PRODUCT = Product([L, S], dims=[2, 1])
EVERY: list[Manifold] = [*FORMS, PRODUCT]
SPHERES: list[Manifold] = [S, Stereographic(0.8)]

N = 3
"""Dimension of every space."""


@dataclasses.dataclass
class Draw:
    """Random arguments: of one seed, one dtype, and points as far out as the mode says."""

    generator: torch.Generator
    dtype: torch.dtype
    space: Manifold
    far: float = 1.0

    def normal(self, *size: int) -> Tensor:
        """Normal coordinates, or any numbers of size ``far``."""
        return self.far * torch.randn(*size, generator=self.generator, dtype=self.dtype)

    def rand(self, *size: int) -> Tensor:
        """Between 0.1 and 1."""
        return 0.1 + 0.9 * torch.rand(*size, generator=self.generator, dtype=self.dtype)

    def points(self, *size: int) -> Tensor:
        """Points of the space; within the hemisphere of the origin on a sphere."""
        v = self.normal(*size, N)
        if self.curved > 0:
            length = v.norm(dim=-1, keepdim=True)
            v = torch.where(length > 1, v / length.clamp(min=1e-30), v) * 0.9 / self.curved**0.5
        return self.space.from_normal(v).detach()

    @property
    def curved(self) -> float:
        """The largest curvature of a factor."""
        space = self.space._unchecked
        k = space.curvatures if isinstance(space, Product) else space.curvature
        return float(k.detach().max())

    def tangent(self, x: Tensor) -> Tensor:
        """A vector at each of the points."""
        v = torch.randn(*x.shape[:-1], N, generator=self.generator, dtype=self.dtype)
        return self.space.transport0(x, self.space._lift_tangent0(v)).detach()

    def pick(self, *choices: Any) -> Any:
        """One of them."""
        return choices[int(torch.randint(len(choices), (), generator=self.generator))]

    def ids(self, *size: int, of: int = 3) -> Tensor:
        """Integers."""
        return torch.randint(of, size, generator=self.generator)


@dataclasses.dataclass(frozen=True)
class Row:
    """How a name is called."""

    make: Callable[[Draw], dict[str, Any]]
    call: Callable[..., Any]
    spaces: list[Manifold | None]
    smooth: bool = True
    """Whether it has gradients by its floating-point tensors."""
    overflows: bool = False
    """Whether inf is among its documented results."""
    free: frozenset[str] = frozenset()
    """Tensors whose number of rows or coordinates is nobody else's."""
    whole: frozenset[str] = frozenset()
    """Tensors that may be of whole numbers or booleans as well."""
    near: bool = False
    """Whether it is for everyday numbers only (it refuses or documents what is beyond)."""
    ignores: frozenset[str] = frozenset()
    """What may be NaN and not be seen in the result, by its nature."""


ROWS: dict[str, Row] = {}


def row(name: str, call: Callable[..., Any], spaces: Any = (None,), **options: Any) -> Any:
    """Register the maker of a name's arguments."""
    for word in ("free", "ignores", "whole"):
        options[word] = frozenset(options.get(word, "").split())

    def register(make: Callable[[Draw], dict[str, Any]]) -> Callable[[Draw], dict[str, Any]]:
        ROWS[name] = Row(make, call, list(spaces), **options)
        return make

    return register


def _manifold(d: Draw, **named: Any) -> dict[str, Any]:
    return {"manifold": d.space, **named}


# -- manifolds ------------------------------------------------------------------------------------

_M = "manifolds."


def _chart(space: Manifold, x: Tensor, name: str) -> Tensor:
    chart = getattr(manifolds, name)(space)
    return manifolds.convert(x, space, chart)


for _name, _spaces in (
    ("Klein", [L, B]),
    ("HalfSpace", [L, B]),
    ("ProperVelocity", [L, B]),
    ("Hemisphere", [L, B]),
    ("NormalCoordinates", [L, B, S, E]),
    ("StereographicPlane", [S]),
):

    def _call_chart(curvature: Any, x: Tensor, _name: str = _name) -> Tensor:
        chart = getattr(manifolds, _name)(curvature)
        return manifolds.convert(x, chart.manifold, chart)

    row(_M + _name, _call_chart, _spaces, free="x")(
        lambda d: {"curvature": d.space, "x": d.points(4)}
    )

for _name, _k in (
    ("Lorentz", -0.5),
    ("PoincareBall", -0.5),
    ("Sphere", 0.5),
    ("Stereographic", 0.5),
):

    def _call_class(curvature: Any, x: Tensor, _name: str = _name) -> Tensor:
        space = getattr(manifolds, _name)(curvature)
        return space.dist(space.from_normal(x), space.origin(N, dtype=x.dtype))

    row(_M + _name, _call_class, free="x", near=True)(
        lambda d, k=_k: {"curvature": k, "x": d.normal(4, N)}
    )
row(_M + "Euclidean", E.dist)(lambda d: {"x": d.normal(4, N), "y": d.normal(4, N)})
row(_M + "Checked", lambda manifold, x, y: Checked(manifold).dist(x, y), [L, B, S], near=True)(
    lambda d: _manifold(d, x=d.points(4), y=d.points(4))
)
row(
    _M + "Product",
    lambda factors, dims, weights, x: Product(factors, dims=dims, weights=weights).from_normal(x),
    near=True,
    free="x",
)(lambda d: {"factors": [L, S], "dims": [2, 1], "weights": [1.0, 2.0], "x": d.normal(4, N)})
row(_M + "PositiveScalar", lambda value: manifolds.PositiveScalar(value)(), near=True)(
    lambda d: {"value": 0.5}
)
row(_M + "SignedScalar", lambda value: manifolds.SignedScalar(value)(), near=True)(
    lambda d: {"value": -0.5}
)
for _name in (
    "Chart",
    "ChartManifold",
    "Isometry",
    "Manifold",
    "OnManifold",
    "PairForm",
    "PairTerm",
    "as_geoopt",
    "from_geoopt",
    "on_manifold",
):
    # Abstract, made by others, or of a module: nothing to call.
    row(_M + _name, lambda: torch.zeros(()))(lambda d: {})
row(_M + "OnManifold", lambda manifold, v: manifolds.OnManifold(manifold)(v), FORMS, free="v")(
    lambda d: _manifold(d, v=d.pick(*d.rand(4, N)) if False else d.rand(4, N))
)
row(_M + "on_manifold", lambda: torch.zeros(()))(lambda d: {})  # changes a module
row(_M + "to_geoopt", lambda manifold: (manifolds.to_geoopt(manifold), torch.zeros(()))[1], [L, B])(
    _manifold
)
for _name in ("curvature_from", "curvature_to"):
    _value = "value" if _name == "curvature_from" else "curvature"
    row(_M + _name, getattr(manifolds, _name), near=True)(
        lambda d, v=_value: {"convention": "geoopt.Stereographic", v: -0.5}
    )
for _name in ("points_from", "points_to"):
    row(_M + _name, getattr(manifolds, _name), [L, B, S, E], free="x")(
        lambda d: {"library": "geomstats", "manifold": d.space, "x": d.points(4)}
    )
row(_M + "convert", manifolds.convert, [L, B, S, E], free="x")(
    lambda d: {"x": d.points(4), "source": d.space, "target": manifolds.NormalCoordinates(d.space)}
)


@row(_M + "convert_vector", manifolds.convert_vector, [L, B, S])
def _(d: Draw) -> dict[str, Any]:
    x = d.points(4)
    target = manifolds.NormalCoordinates(d.space)
    return {"x": x, "v": d.tangent(x), "source": d.space, "target": target}


for _name in ("diameter", "injectivity_radius"):
    row(_M + _name, getattr(manifolds, _name), FORMS, overflows=True)(_manifold)
row(_M + "scalar_curvature", manifolds.scalar_curvature, FORMS)(lambda d: _manifold(d, n=N))
for _name in ("sphere_area", "ball_volume", "log_sphere_area", "log_ball_volume"):
    row(_M + _name, getattr(manifolds, _name), FORMS, overflows=True, free="radius")(
        lambda d: _manifold(d, radius=d.pick(0.7, d.rand(4)), n=d.pick(1, 2, N))
    )


def _based(d: Draw, point: str, vector: str, **more: Any) -> dict[str, Any]:
    """A point, and a vector there."""
    x = d.points(4)
    return _manifold(d, **{point: x, vector: d.tangent(x)}, **more)


row(
    _M + "Manifold.maps",
    lambda manifold, x, y, v, t: [
        manifold.dist(x, y),
        manifold.geodesic(x, y, t),
        manifold.expmap(x, v),
        manifold.transport(x, y, v),
        manifold.exterior_angle(x, y),
    ],
    FORMS,
)(lambda d: _based(d, "x", "v", y=d.points(4), t=0.3))
row(_M + "Manifold.mean", lambda manifold, x, weights: manifold.mean(x, weights), FORMS, free="x")(
    lambda d: _manifold(d, x=d.points(2, 5), weights=d.rand(2, 5))
)
row(
    _M + "Manifold.cones",
    lambda manifold, x, y, min_radius: manifold.cones(x, y, min_radius),
    EVERY,
)(lambda d: _manifold(d, x=d.points(4), y=d.points(4), min_radius=0.1))
row(
    _M + "Manifold.random_normal",
    lambda manifold, std: manifold.random_normal(4, N, std=std),
    FORMS,
    near=True,
)(lambda d: _manifold(d, std=0.5))
row(
    _M + "Manifold.random_uniform",
    lambda manifold, radius: manifold.random_uniform(4, N, radius=radius),
    FORMS,
    near=True,
)(lambda d: _manifold(d, radius=0.5))
row(_M + "Manifold.origin", lambda manifold, n: manifold.origin(n), FORMS)(
    lambda d: _manifold(d, n=N)
)

for _name, _vectors in (
    ("riemann", "uvw"),
    ("ricci", "uv"),
    ("sectional", "uv"),
    ("expmap_differential", "vw"),
    ("expmap_differential_inverse", "vw"),
    ("expmap_adjoint", "vw"),
    ("volume_density", "v"),
    ("ideal_point", "v"),
):

    def _make(d: Draw, vectors: str = _vectors) -> dict[str, Any]:
        x = d.points(4)
        return _manifold(d, x=x, **{name: d.tangent(x) for name in vectors})

    row(
        _M + _name,
        getattr(manifolds, _name),
        # The density of flat space is 1, and on a sphere its metric is that of the ambient space.
        {"ideal_point": OPEN, "volume_density": CURVED}.get(_name, FORMS),
        overflows=_name in ("volume_density", "expmap_differential"),
        ignores={"sectional": "x u v w", "ricci": "x", "volume_density": "x"}.get(_name, ""),
    )(_make)


row(
    _M + "antipode",
    manifolds.antipode,
    [*SPHERES, CHARTS["StereographicPlane(0.7)"], Product([S, S], dims=[2, 1])],
    free="x",
)(lambda d: _manifold(d, x=d.points(4)))


@row(_M + "jacobi_field", manifolds.jacobi_field, FORMS, overflows=True)
def _(d: Draw) -> dict[str, Any]:
    x = d.points(4)
    v, value, slope = d.tangent(x), d.tangent(x), d.tangent(x)
    return _manifold(d, x=x, v=v, value=value, slope=slope, t=d.pick(0.5, d.rand(4)))


for _name, _last in (("logmap_differential", "w"), ("logmap_differential_base", "u")):

    def _make(d: Draw, last: str = _last) -> dict[str, Any]:
        x, y = d.points(4), d.points(4)
        return _manifold(d, x=x, y=y, **{last: d.tangent(y if last == "w" else x)})

    row(_M + _name, getattr(manifolds, _name), FORMS)(_make)

row(_M + "busemann", manifolds.busemann, OPEN)(
    lambda d: _manifold(d, x=d.points(4), ideal=d.rand(4, N))
)
row(_M + "horosphere_distance", manifolds.horosphere_distance, OPEN)(
    lambda d: _manifold(d, x=d.points(4), ideal=d.rand(4, N), level=d.pick(0.3, d.rand(4)))
)
row(_M + "horosphere_project", manifolds.horosphere_project, OPEN)(
    lambda d: _manifold(d, x=d.points(4), ideal=d.rand(4, N), level=d.pick(0.3, d.rand(4)))
)
row(_M + "towards", manifolds.towards, OPEN)(
    lambda d: _manifold(d, x=d.points(4), ideal=d.rand(4, N), t=d.pick(0.3, d.rand(4)))
)
row(_M + "hyperplane", manifolds.hyperplane, KNOWN, free="direction")(
    lambda d: _manifold(d, direction=d.rand(4, N), offset=d.rand(4))
)
for _name in ("signed_distance", "hyperplane_distance", "reflect"):

    def _make(d: Draw) -> dict[str, Any]:
        p = d.points(4)
        return _manifold(d, x=d.points(4), p=p, a=d.tangent(p))

    row(_M + _name, getattr(manifolds, _name), KNOWN)(_make)


@row(_M + "logits", manifolds.logits, [*KNOWN, Product([L, S], dims=[2, 1])], free="x")
def _(d: Draw) -> dict[str, Any]:
    p = d.points(5)
    return _manifold(d, x=d.points(4), p=p, a=d.tangent(p))


row(_M + "translation", lambda manifold, p, q, x: manifolds.translation(manifold, p, q)(x), KNOWN)(
    lambda d: _manifold(d, p=d.points(4), q=d.points(4), x=d.points(4))
)
row(_M + "rotation", lambda manifold, q, x: manifolds.rotation(manifold, q)(x), KNOWN, free="x")(
    lambda d: _manifold(d, q=torch.eye(N, dtype=d.dtype).roll(1, 0), x=d.points(4))
)
row(
    _M + "reflection",
    lambda manifold, p, a, x: manifolds.reflection(manifold, p, a)(x),
    KNOWN,
)(lambda d: _based(d, "p", "a", x=d.points(4)))
row(
    _M + "point_reflection",
    lambda manifold, p, x: manifolds.point_reflection(manifold, p)(x),
    KNOWN,
)(lambda d: _manifold(d, p=d.points(4), x=d.points(4)))
row(
    _M + "recentre",
    lambda manifold, x, weights: manifolds.recentre(manifold, x, weights)[0],
    KNOWN,
    free="x",
)(lambda d: _manifold(d, x=d.points(5), weights=d.rand(5)))
row(
    _M + "factorwise",
    lambda manifold, isometries, x: manifolds.factorwise(manifold, isometries)(x),
    [PRODUCT],
    free="x",
)(lambda d: _manifold(d, isometries=[None, None], x=d.points(4)))


# -- losses ---------------------------------------------------------------------------------------

_L = "losses."


def _pair(d: Draw, **more: Any) -> dict[str, Any]:
    return {"x": d.points(4), "y": d.points(4), "manifold": d.space, "scale": 2.0, **more}


def _loss(name: str, spaces: Any = EVERY, **options: Any) -> Any:
    return row(_L + name, getattr(losses, name), spaces, **options)


_loss("info_nce")(
    lambda d: _pair(
        d,
        scale=d.pick(2.0, torch.tensor(2.0, dtype=d.dtype)),
        tile=d.pick(None, "auto"),
        label_smoothing=0.1,
        mask=None,
        weights=d.rand(4),
        logits=d.pick("neg_dist", "neg_sqdist", "inner"),
    )
)
_loss("debiased_info_nce")(lambda d: _pair(d, prior=0.1, floor=0.01))
_loss("pairwise_logits", free="x y")(_pair)
_loss("nt_xent")(lambda d: _pair(d, weights=d.rand(4), mask=torch.ones(4, dtype=torch.bool)))
_loss("sigmoid_pairs")(lambda d: _pair(d, bias=0.5, weights=d.rand(4)))
_loss("sigmoid_bias", smooth=False, free="x y")(lambda d: _pair(d, columns=4))
_loss("supervised_contrastive", free="x")(
    lambda d: {
        "x": d.points(4),
        "labels": torch.tensor([0, 0, 1, 1]),
        "manifold": d.space,
        "scale": 2.0,
    }
)
_loss("triplet")(
    lambda d: {
        "anchor": d.points(4),
        "positive": d.points(4),
        "negative": d.points(4),
        "manifold": d.space,
        "margin": 100.0,
    }
)
_FOUR = ("image", "text", "part_image", "part_text")
_loss("compositional_contrastive")(
    lambda d: {**{n: d.points(4) for n in _FOUR}, "manifold": d.space, "scale": 2.0}
)
_loss("compositional_entailment", ignores="x")(
    lambda d: {
        **{n: d.points(4) for n in _FOUR},
        "manifold": d.space,
        "min_radius": 0.1,
        "inter_aperture_scale": 0.7,
        "intra_aperture_scale": 1.2,
    }
)
_loss("chain_contrastive")(
    lambda d: {
        "levels": [d.points(4), d.points(4)],
        "ids": [d.ids(4), d.ids(4)],
        "manifold": d.space,
        "scale": 2.0,
    }
)
_loss("chain_entailment")(
    lambda d: {
        "levels": [d.points(4), d.points(4)],
        "manifold": d.space,
        "weights": [1.0],
        "slack": 0.1,
        "softness": 0.1,
        "min_radius": 0.1,
        "aperture_scale": 1.0,
    }
)
_loss("entailment")(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "manifold": d.space,
        "min_radius": 0.1,
        "aperture_scale": 1.0,
        "slack": 0.1,
        "softness": 0.1,
        "hinge": d.pick("relu", "softplus", "leaky"),
    }
)
_loss("exclusion")(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "manifold": d.space,
        "margin": 0.1,
        "min_radius": 0.1,
        "aperture_scale": 1.0,
    }
)
_loss("entailment_ranking")(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "negative_parent": d.points(4, 2),
        "negative_child": d.points(4, 2),
        "manifold": d.space,
        "margin": 5.0,
    }
)
_loss("cone_nll")(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "scale": d.pick(0.3, d.rand(4)),
        "manifold": d.space,
        "shape": 1.0,
        "min_radius": 0.1,
    }
)
_loss("cone_log_prob", [None])(
    lambda d: {"angle": d.rand(4), "aperture": d.rand(4), "scale": d.rand(4), "shape": 1.5}
)
_loss("order_embedding", [None], near=True)(
    lambda d: {"parent": d.normal(4, N), "child": d.normal(4, N)}
)
_loss("order_ranking", [None], near=True)(
    lambda d: {
        "parent": d.normal(4, N),
        "child": d.normal(4, N),
        "negative_parent": d.normal(4, 2, N),
        "negative_child": d.normal(4, 2, N),
        "margin": 100.0,
    }
)
_loss("shadow_distance", FORMS, near=True)(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "manifold": d.space,
        "shadow": d.pick("umbral", "penumbral"),
        "size": 0.1,
    }
)
_loss("disk_distance")(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "parent_radius": d.rand(4),
        "child_radius": d.rand(4),
        "manifold": d.space,
    }
)
_loss("shadow_ranking", FORMS, near=True)(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "negative_parent": d.points(4, 2),
        "negative_child": d.points(4, 2),
        "manifold": d.space,
        "margin": 9.0,
    }
)
_loss("disk_ranking")(
    lambda d: {
        "parent": d.points(4),
        "child": d.points(4),
        "parent_radius": d.rand(4),
        "child_radius": d.rand(4),
        "negative_parent": d.points(4, 2),
        "negative_child": d.points(4, 2),
        "negative_parent_radius": d.rand(4, 2),
        "negative_child_radius": d.rand(4, 2),
        "manifold": d.space,
        "margin": 9.0,
    }
)
_loss("radial_order")(
    lambda d: {"parent": d.points(4), "child": d.points(4), "manifold": d.space, "margin": 0.3}
)
_loss("bounded_shape", [None], free="raw")(lambda d: {"raw": d.normal(4), "low": 0.3, "high": 8.0})
_LAW = ("loc", "log_scale", "shape")


def _law(d: Draw, end: str = "") -> dict[str, Tensor]:
    return {"loc" + end: d.rand(4), "log_scale" + end: d.rand(4), "shape" + end: d.rand(4) + 0.5}


_loss("generalized_gaussian_nll", [None])(lambda d: {"x": d.rand(4), **_law(d)})
_loss("probvlm_surrogate_nll", [None])(
    lambda d: {"x": d.rand(4), "loc": d.rand(4), "inverse_scale": d.rand(4), "shape": d.rand(4)}
)
_loss("cross_nll", [None])(
    lambda d: {**_law(d, "_v"), **_law(d, "_t"), "z_v": d.rand(4), "z_t": d.rand(4)}
)
_loss("log_overlap", [None])(lambda d: {**_law(d, "_v"), **_law(d, "_t")})
_NORMAL_LAWS = ("loc_x", "log_var_x", "loc_y", "log_var_y")
_loss("gaussian_inclusion", [None])(lambda d: {name: d.normal(4, N) for name in _NORMAL_LAWS})
_loss("inclusion_loss", [None])(
    lambda d: {
        **{name: d.normal(4, N) for name in _NORMAL_LAWS},
        "scale": d.pick(1.0, torch.tensor(2.0)),
    }
)
_loss("match_probability", [None], free="sqdist")(
    lambda d: {"sqdist": d.rand(4, 4), "scale": 5.0, "shift": d.pick(5.0, torch.tensor(5.0))}
)
_loss("match_probability_loss", [None], free="sqdist")(
    lambda d: {
        "sqdist": d.rand(4, 4),
        "scale": 5.0,
        "shift": 5.0,
        "positives": torch.eye(4, dtype=torch.bool),
        "pseudo_weight": 0.1,
    }
)
_loss("pseudo_positives", [None], smooth=False, ignores="similarity")(
    lambda d: {"similarity": d.rand(4, 4), "positives": torch.eye(4, dtype=torch.bool)}
)
_loss("hard_negatives", [None], smooth=False, ignores="similarity")(
    lambda d: {"similarity": d.rand(4, 4), "positives": torch.eye(4, dtype=torch.bool)}
)
_loss("matching_loss", [None])(
    lambda d: {"logits": d.rand(4), "matched": d.ids(4, of=2).bool(), "counted": None}
)
_loss("mask_tokens", [None], smooth=False, free="tokens")(
    lambda d: {
        "tokens": d.ids(4, 5, of=9) + 2,
        "mask_id": 11,
        "vocabulary": 12,
        "special": (0, 1),
        "rate": 0.15,
    }
)
_loss("masked_language_loss", [None])(
    lambda d: {
        "logits": d.rand(4, 5, 7),
        "labels": d.ids(4, 5, of=7),
        "teacher": d.rand(4, 5, 7),
        "weight": 0.4,
    }
)
for _name in ("info_nce_bound", "nwj_bound", "donsker_varadhan_bound", "jensen_shannon_bound"):
    _loss(_name, [None], free="scores")(lambda d: {"scores": d.rand(4, 4)})
_loss("sampled_sqdist", FORMS, free="var_y")(
    lambda d: {
        "mean_x": d.points(4),
        "var_x": d.rand(4, N),
        "mean_y": d.points(4),
        "var_y": d.rand(4, 1),
        "manifold": d.space,
        "method": d.pick("second_order", "monte_carlo"),
        "samples": 3,
    }
)
_loss("distilled_targets", smooth=False, free="keys")(
    lambda d: {
        "query": d.points(4),
        "keys": d.points(5),
        "manifold": d.space,
        "scale": 2.0,
        "weight": d.pick(0.4, torch.tensor(0.4)),
    }
)
_loss("cross_modal_alignment")(
    lambda d: {
        **{n: d.points(4) for n in ("image", "text", "image_keys", "text_keys")},
        "manifold": d.space,
        "scale": 2.0,
        "weight": d.pick(0.4, torch.tensor(0.4)),
        "image_queue": d.points(3),
        "text_queue": d.points(3),
    }
)
_loss("intra_modal_contrastive", free="queue")(
    lambda d: {
        "point": d.points(4),
        "keys": d.points(4),
        "queue": d.points(3),
        "manifold": d.space,
        "scale": 2.0,
    }
)
_loss("local_mutual_information")(
    lambda d: {
        "point": d.points(4),
        "local": d.points(4, 3),
        "manifold": d.space,
        "scale": 2.0,
        "mask": torch.ones(4, 3, dtype=torch.bool),
    }
)
_loss("pool_patches", FORMS, free="points", near=True)(
    lambda d: {"points": d.points(1, 2, 2), "manifold": d.space, "size": 2}
)
_loss("rising_momentum", [None], near=True)(lambda d: {"momentum": 0.9, "step": 3})
row(
    _L + "momentum_update",
    lambda target, source, momentum: losses.momentum_update(target, source, momentum=momentum),
    near=True,
)(
    lambda d: {
        "target": torch.nn.Linear(2, 2),
        "source": torch.nn.Linear(2, 2),
        "momentum": 0.9,
    }
)
_CONTRASTIVE = ("InfoNCE", "NTXent", "SigmoidPairs")
for _name, _args in (
    ("InfoNCE", {"scale": 10.0, "max_scale": 100.0, "tile": "auto", "reduction": "mean"}),
    ("NTXent", {"scale": 10.0, "max_scale": 100.0, "precision": "auto"}),
    ("SigmoidPairs", {"scale": 10.0, "max_scale": 100.0, "bias": 0.5, "logits": "neg_dist"}),
    ("Triplet", {"margin": 1.0, "mining": "hard", "reduction": "mean"}),
    (
        "EntailmentLoss",
        {"min_radius": 0.1, "aperture_scale": 1.0, "slack": 0.1, "softness": 0.1, "hinge": "relu"},
    ),
    ("ConeLikelihood", {"scale": 0.3, "shape": 1.0, "min_radius": 0.1, "plateau": "cone"}),
):
    _pair_names = {"Triplet": ("anchor", "positive")}
    _ends = _pair_names.get(_name, ("x", "y") if _name in _CONTRASTIVE else ("parent", "child"))

    def _call_module(_name: str = _name, _ends: Any = _ends, **options: Any) -> Tensor:
        x, y = (options.pop(end) for end in _ends)
        return getattr(losses, _name)(**options)(x, y)

    row(_L + _name, _call_module, EVERY, near=True, free=" ".join(_ends))(
        lambda d, a=_args, e=_ends: {"manifold": d.space, **{k: d.points(4) for k in e}, **a}
    )
row(
    _L + "SupervisedContrastive",
    lambda x, labels, **options: losses.SupervisedContrastive(**options)(x, labels),
    EVERY,
    near=True,
    free="x",
)(
    lambda d: {
        "manifold": d.space,
        "x": d.points(4),
        "labels": torch.tensor([0, 0, 1, 1]),
        "scale": 10.0,
        "max_scale": 100.0,
    }
)


def _queue(manifold: Manifold, dim: int, size: int, points: Tensor, ids: Tensor) -> Any:
    queue = losses.PointQueue(manifold, dim, size=size)
    queue.push(points, ids)
    queue.positives(ids, ids)
    return queue()[0]


row(_L + "PointQueue", _queue, EVERY, smooth=False, near=True)(
    lambda d: _manifold(d, dim=N, size=7, points=d.points(4), ids=d.ids(4))
)


def _hierarchy(parent: Any, child: Any, nodes: Any, pairs: Any, count: Any) -> Any:
    tree = losses.Hierarchy(parent=parent, child=child, nodes=nodes)
    tree.contains(tree.pairs[:, 0], tree.pairs[:, 1])
    return tree.negatives(pairs, count)


row(_L + "Hierarchy", _hierarchy, smooth=False, free="pairs")(
    lambda d: {
        "parent": [0, 0, 1],
        "child": [1, 2, 3],
        "nodes": 5,
        "pairs": torch.tensor([[0, 1]]),
        "count": 2,
    }
)
for _name in ("distributed", "functional", "metrics"):  # rooms within the room
    row(_L + _name, lambda: torch.zeros(()))(lambda d: {})

_X = "losses.metrics."
row(_X + "Calibration", lambda: torch.zeros(()))(lambda d: {})
row(_X + "aleatoric_variance", metrics.aleatoric_variance)(
    lambda d: {"scale": d.rand(4), "shape": d.rand(4)}
)
row(_X + "epistemic_variance", metrics.epistemic_variance, free="samples")(
    lambda d: {"samples": d.rand(5, 4), "correction": 0}
)
row(_X + "calibration", metrics.calibration, smooth=False)(
    lambda d: {"uncertainty": d.rand(9), "hit": d.rand(9), "bins": 3, "orders": 10, "seed": 0}
)
for _name in ("aurc", "risk_coverage"):
    row(_X + _name, getattr(metrics, _name), smooth=False)(
        lambda d: {"uncertainty": d.rand(9), "loss": d.rand(9)}
    )
row(_X + "pit", metrics.pit)(
    lambda d: {"x": d.rand(4), "loc": d.rand(4), "scale": d.rand(4), "shape": d.rand(4)}
)
row(_X + "interval_coverage", metrics.interval_coverage, smooth=False, free="chances levels")(
    lambda d: {"chances": d.rand(9), "levels": d.rand(3)}
)
row(_L + "distributed.gather", distributed.gather, free="x", whole="x")(
    lambda d: {"x": d.rand(4, N)}
)
row(_L + "distributed.ring_info_nce", distributed.ring_info_nce, FORMS)(
    lambda d: _pair(d, tile=2, label_smoothing=0.1, weights=d.rand(4))
)


# -- distributions --------------------------------------------------------------------------------

_D = "distributions."


def _of_law(name: str) -> Callable[..., Any]:
    def call(value: Any = None, **given: Any) -> Any:
        law = getattr(distributions, name)(**given)
        return [law.log_prob(law.rsample() if value is None else value), law.rsample()]

    return call


for _name, _parameters, _spaces in (
    ("WrappedNormal", ("scale",), FORMS),
    ("WrappedGeneralizedGaussian", ("scale", "shape"), FORMS),
    ("RiemannianNormal", ("scale",), FORMS),
    ("RiemannianGeneralizedGaussian", ("scale", "shape"), OPEN),
    ("VonMisesFisher", ("concentration",), SPHERES),
    ("PowerSpherical", ("concentration",), SPHERES),
):

    def _make(
        d: Draw, parameters: tuple[str, ...] = _parameters, wrapped: bool = "Wrapped" in _name
    ) -> dict[str, Any]:
        size = d.rand(4, 1) if wrapped else d.rand(4)
        given = {p: d.pick(0.7, size) if p != "shape" else 1.5 for p in parameters}
        return _manifold(d, loc=d.points(4), **given)

    free = "loc scale concentration"
    row(_D + _name, _of_law(_name), _spaces, near=True, smooth=False, free=free)(_make)
row(_D + "FromNormal", lambda manifold, v: distributions.FromNormal(manifold)(v), FORMS, free="v")(
    lambda d: _manifold(d, v=d.rand(4, N))
)
row(_D + "GeneralizedGaussian", _of_law("GeneralizedGaussian"), near=True)(
    lambda d: {"loc": d.rand(4), "scale": d.rand(4), "shape": d.rand(4) + 0.5}
)
row(_D + "UniformBall", _of_law("UniformBall"), FORMS, near=True, smooth=False, free="centre")(
    lambda d: _manifold(d, radius=0.6, centre=d.points(4))
)
row(_D + "UniformSphere", _of_law("UniformSphere"), [S], near=True, smooth=False)(
    lambda d: _manifold(d, n=N)
)
for _name in ("Isotropic", "Wrapped", "OnManifold", "monte_carlo_kl"):  # of other laws
    row(_D + _name, lambda: torch.zeros(()))(lambda d: {})


# -- stats ----------------------------------------------------------------------------------------

_S = "stats."
for _name, _spaces in (
    ("geometric_median", FORMS),
    ("frechet_variance", FORMS),
    ("lorentz_centroid", HYPERBOLIC),
    ("einstein_midpoint", HYPERBOLIC),
    ("gyromidpoint", HYPERBOLIC),
):
    row(_S + _name, getattr(stats, _name), _spaces, free="x")(
        lambda d: _manifold(d, x=d.points(5), weights=d.rand(5))
    )


row(
    _S + "centroid",
    stats.centroid,
    [*KNOWN, CHARTS["HalfSpace(-0.7)"], PRODUCT],
    free="x",
)(lambda d: _manifold(d, x=d.points(5), weights=d.rand(5), index=d.ids(5), size=d.pick(3, 4)))


def _table(d: Draw) -> Tensor:
    """Distances of five points on a line."""
    place = d.rand(5)
    return (place[:, None] - place).abs()


row(
    _S + "distortion",
    lambda **given: list(stats.distortion(**given)),
    FORMS,
    smooth=False,
    free="x y",
)(lambda d: {"x": d.points(5), "y": d.points(5), "manifold": d.space})
for _name in ("pga", "tangent_pca"):

    def _call_pca(_name: str = _name, **given: Any) -> Any:
        found = getattr(stats, _name)(**given)
        return [found.mean, found.variances, found.project(given["x"])]

    row(_S + _name, _call_pca, FORMS, smooth=False, near=True, free="x")(
        lambda d: _manifold(d, x=d.points(5), n_components=2, weights=d.rand(5), mean=None)
    )


def _horopca(**given: Any) -> Any:
    found = stats.horopca(**given)
    return [found.mean, found.ideal_points, found.project(given["x"])]


row(
    _S + "horopca",
    _horopca,
    HYPERBOLIC,
    smooth=False,
    near=True,
    free="x",
)(lambda d: _manifold(d, x=d.points(5), n_components=2))
row(_S + "horospherical_projection", stats.horospherical_projection, HYPERBOLIC, free="x")(
    lambda d: _manifold(d, x=d.points(5), ideal_points=d.rand(2, N))
)
row(
    _S + "worst_distortion",
    lambda **given: list(stats.worst_distortion(**given)),
    FORMS,
    smooth=False,
    near=True,
    free="new",
    whole="true",
)(lambda d: {"true": _table(d), "new": d.points(5), "manifold": d.space})
row(_S + "delta_hyperbolicity", stats.delta_hyperbolicity, FORMS, smooth=False, free="distances")(
    lambda d: {"distances": d.points(6), "manifold": d.space, "budget": 10**5}
)
row(_S + "best_curvature", stats.best_curvature, FORMS, smooth=False, near=True, free="distances")(
    lambda d: {"distances": d.points(6), "dim": 2, "manifold": d.space}
)
for _name in ("reconstruction", "mean_rank", "mean_average_precision", "related_ranks"):
    row(_S + _name, getattr(stats, _name), FORMS, smooth=False, free="distances pairs")(
        lambda d: {
            "distances": d.points(5),
            "pairs": torch.tensor([[0, 1], [2, 1], [2, 4]]),
            "manifold": d.space,
        }
    )
for _name in (
    "BestCurvature",
    "Distortion",
    "HoroPCA",
    "Hyperbolicity",
    "PrincipalGeodesics",
    "Reconstruction",
    "WorstDistortion",
):  # results
    row(_S + _name, lambda: torch.zeros(()))(lambda d: {})


# -- search ---------------------------------------------------------------------------------------

row(
    "search.brute_force", search.brute_force, EVERY, smooth=False, near=True, free="points queries"
)(lambda d: _manifold(d, points=d.points(6), queries=d.points(3), k=2))


def _search(queries: Any, k: Any, **given: Any) -> Any:
    return search.build_index(**given).search(queries, k).distances


row("search.build_index", _search, [L, B, S, E], smooth=False, near=True, free="points queries")(
    lambda d: _manifold(
        d, points=d.points(6), factory="Flat", oversample=4, queries=d.points(3), k=2
    )
)
row("search.hubness", search.hubness, smooth=False, free="distances")(
    lambda d: {"distances": _table(d), "k": 2}
)
row("search.csls", search.csls, smooth=False, free="distances")(
    lambda d: {"distances": _table(d), "k": 2}
)
for _name in ("Index", "Neighbours"):
    row("search." + _name, lambda: torch.zeros(()))(lambda d: {})
row("search.load_index", lambda path: torch.zeros(()) if path == "" else search.load_index(path))(
    lambda d: {"path": ""}
)


# -- layers ---------------------------------------------------------------------------------------

_CHARTED = [*KNOWN, CHARTS["HalfSpace(-0.7)"]]
row("layers.hyperplane_scores", layers.hyperplane_scores, _CHARTED, free="x")(
    lambda d: _manifold(d, x=d.points(5), direction=d.rand(4, N), offset=d.normal(4))
)
row("layers.from_signed_distances", layers.from_signed_distances, [*_CHARTED], free="d")(
    lambda d: {"manifold": d.space, "d": d.normal(5, N)}
)


def _layer(name: str) -> Callable[..., Any]:
    def call(manifold: Any, x: Any, **given: Any) -> Any:
        return getattr(layers, name)(manifold, N, **given)(x)

    return call


for _name, _given in (
    ("Linear", {"out": 2}),
    ("MLR", {"classes": 4}),
    ("Norm", {"momentum": 0.5, "eps": 1e-3}),
    ("AttentionPool", {"temperature": 2.0}),
):
    row("layers." + _name, _layer(_name), _CHARTED, near=True, smooth=False, free="x")(
        lambda d, _given=_given: _manifold(d, x=d.points(5), **_given)
    )
row("layers.Pool", lambda manifold, **given: layers.Pool(manifold)(**given), _CHARTED, free="x")(
    lambda d: _manifold(d, x=d.points(5))
)
row(
    "layers.Lift",
    lambda manifold, v, **given: layers.Lift(manifold, N, **given)(v),
    _CHARTED,
    free="v",
)(lambda d: _manifold(d, v=d.normal(5, N), scale=0.5))
row("layers.Tangent", lambda: torch.zeros(()))(lambda d: {})
