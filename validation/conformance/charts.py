"""What a chart says of itself, before its maps are tried: a wrong one fails everything at once."""

from __future__ import annotations

import torch

from ...manifolds import ChartManifold

_TOLERANCE = 1e-9  # of float64, at points within 2 R of the origin: a slip, not a rounding


def check_chart(model: ChartManifold, n: int) -> None:
    """Reject a chart whose two methods contradict each other, in words.

    Raises:
        ValueError: ``_embed`` gives no points of the sphere or hemisphere, ``_drop`` does not undo
            it, a point is none by ``_holds``, or a derivative of theirs is not finite.
    """
    v = torch.randn(64, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    r = v.norm(dim=-1, keepdim=True)
    length = r.clamp(max=2.0 if model.sign <= 0 else 1.2)
    if model.sign > 0:
        c, d = length.cos(), length.sin() * v / r
    else:
        t, s = (length.cosh(), length.sinh() * v / r) if model.sign else (torch.ones_like(r), v)
        c, d = (1 / t, s / t) if model.sign else (t, s)
    name = type(model).__name__
    x = model._dropped(c, d, c.dtype)
    again, other = model._embedded(x)
    size = (again.square() + other.square().sum(-1, keepdim=True)).squeeze(-1)
    if model.sign and not bool(((size - 1).abs() <= _TOLERANCE).all()):
        worst = int((size - 1).abs().nan_to_num(torch.inf).argmax())
        raise ValueError(
            f"check_manifold: {name}._embed gives c^2 + |d|^2 = {size[worst].item():.6g} at "
            f"x = {x[worst].tolist()}; expected 1, a point of the sphere or hemisphere."
        )
    off = torch.cat([again - c, other - d], dim=-1).abs().amax(-1)
    if not bool((off <= _TOLERANCE).all()):
        worst = int(off.nan_to_num(torch.inf).argmax())
        raise ValueError(
            f"check_manifold: {name}._embed(_drop(c, d)) is {again[worst].item():.6g}, "
            f"{other[worst].tolist()} for c = {c[worst].item():.6g}, d = {d[worst].tolist()}; "
            "expected c and d again."
        )
    model._defect(x)  # raises if what _holds gives is of another shape
    if not bool(model._holds(x).all()):
        worst = int((~model._holds(x)).squeeze(-1).nonzero()[0])
        raise ValueError(
            f"check_manifold: {name}._holds is false at x = {x[worst].tolist()}, which _drop gave; "
            "expected true at every point."
        )
    if model.sign > 0 and not bool(
        model._dropped(-c[:1] / c[:1], 0 * d[:1], c.dtype).isfinite().all()
    ):
        raise ValueError(
            f"check_manifold: {name}._drop(-1, 0) is not finite; expected some coordinates for the "
            "antipode of the origin, far out if it has none."
        )
    zero = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    slopes = torch.autograd.functional.jacobian(model.from_normal, zero)  # type: ignore[no-untyped-call]
    origin = model._unit_origin(x).expand(n, -1)
    frames = model._out_vector(
        model._into(origin), model.quadric._lift_tangent0(torch.eye(n).double())
    )
    if not bool(frames.isfinite().all()) or not bool(slopes.isfinite().all()):
        raise ValueError(
            f"check_manifold: a derivative of {name}._embed or {name}._drop at the origin is not "
            "finite; expected every branch to be fed harmless numbers where it is not used, as in "
            "r.where(r > 0, 1.0)."
        )
