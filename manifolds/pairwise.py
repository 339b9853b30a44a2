"""All pairs of two sets: their distances, the form of the space, and either as matrix products."""

import torch
from torch import Tensor

from .kernels.arithmetic.vectors import Number, sqrt0
from .kernels.pairs.form import Kind, PairForm, PairTerm, UnitValue
from .kernels.pairs.products import Products, inner_products, products_on, widest
from .space_form import Context, SpaceForm, divided


def products_for(x: Tensor, y: Tensor) -> Products:
    """Those of all pairs of two sets: of float64 points float64, else by the device."""
    given = torch.float64 in (x.dtype, y.dtype)
    return "float64" if given else products_on(x.device)


def all_distances(
    space: SpaceForm, x: Tensor, y: Tensor, *, squared: bool, matmul: Products | None
) -> Tensor:
    """:meth:`Manifold.cdist`: one by one, or by products of a kind."""
    if matmul is None:
        sets = [("x", x.unsqueeze(-2)), ("y", y.unsqueeze(-3))]
        (x, y), call = space._to_unit("cdist", sets, unit=False)
        pairs = space._sqdist if squared else space._dist
        return space._from_unit_scalar(pairs(x, y, call.radius), call)
    haversine, call = _haversines(space, "cdist", x, y, matmul)
    if squared:
        return space._from_unit_vector(space._arc_squared(haversine, **call.curved), call, 2)
    return space._from_unit_vector(space._arc(sqrt0(haversine), **call.curved), call, 1)


def all_inner(space: SpaceForm, x: Tensor, y: Tensor, *, matmul: Products | None) -> Tensor:
    """:meth:`Manifold.cinner`, in the same way."""
    at_coincidence = space._form_at_coincidence or 0
    if space._form_is_dot:
        dtype = torch.promote_types(x.dtype, y.dtype)
        wide = torch.promote_types(dtype, widest(x.device))
        return inner_products(x.to(wide), y.to(wide), matmul or "float64").to(dtype)
    if matmul is not None:
        haversine, call = _haversines(space, "cinner", x, y, matmul)
        form = at_coincidence / call.curved.get("k", 1) - 2 * haversine
        return space._from_unit_vector(form, call, 2)
    sets = [("x", x.unsqueeze(-2)), ("y", y.unsqueeze(-3))]
    (x, y), call = space._to_unit("cinner", sets, unit=False)
    haversine = space._haversine(x, y, call.radius)
    return space._from_unit_scalar(at_coincidence - 2 * haversine, call, 2)


def _haversines(
    space: SpaceForm, op: str, x: Tensor, y: Tensor, kind: Products
) -> tuple[Tensor, Context]:
    """sn(d/2)^2 of all pairs, and the way back."""
    dtype = torch.promote_types(x.dtype, y.dtype)
    # float64, not for range but because the haversine is a difference of products here: the
    # 29 more bits pay for it. (And autocast and TF32 leave float64 alone.) The features of the
    # points are float64 for other products too, where there is any.
    wide = widest(x.device)
    (xs,), call = space._to_unit(op, [("x", x)], least=wide, hold=True)
    (ys,), _ = space._to_unit(op, [("y", y)], least=wide, hold=True)
    haversine = space._pairwise_haversine(xs, ys, kind, **call.curved)
    return haversine, call.in_dtype(dtype)


def form(space: SpaceForm, kind: Kind, m: int) -> PairForm:
    """:meth:`Manifold.pair_form` of one space form."""
    if kind == "inner" and space._form_is_dot:

        def plain(x: Tensor, number: Number) -> tuple[Tensor, Tensor, Tensor]:
            nothing = torch.zeros_like(x[..., :1])
            return x, nothing, nothing

        term = PairTerm(slice(0, m), plain, UnitValue(kind, space.sign, 0.0), 1.0, 1.0, False)
        return PairForm((term,))

    radius, curved = space._held(space.radius)
    number = curved.get("k", radius)

    def features(x: Tensor, number: Number) -> tuple[Tensor, Tensor, Tensor]:
        if curved:
            return space._pair_features(divided(x, radius), **{"k": number})
        return space._pair_features(divided(x, number))

    at_coincidence = float(space._form_at_coincidence or 0)
    value = UnitValue(kind, space.sign, at_coincidence, bool(curved))
    factor = radius if kind == "dist" else radius * radius
    return PairForm((PairTerm(slice(0, m), features, value, number, factor, kind != "inner"),))
