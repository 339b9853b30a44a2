"""The exponential map of the unit sphere, with its derivative written out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, subtract_scaled
from .special import cot_fraction
from .vectors import dot


def _value(x: Tensor, v: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    """cos(t) X + sin(t)/t V, t = |V|, brought back to the sphere, which X is off by rounding.

    Of a vector so long that its square overflows nothing is known but that it ends on the sphere:
    it is given a t that is longer still, and hardly a derivative.
    """
    length = 1.0 if radius is None else radius
    area, dtype = length * length, x.dtype
    s = (dot(v, v) / area).clamp(max=torch.finfo(dtype).max)
    endless = (s >= torch.finfo(dtype).max / 2).to(dtype)
    short = (s > 0).to(dtype)  # of s = 0 the root has no derivative
    t = (s + (1 - short)).sqrt() * (1 + endless * s.detach().sqrt())
    c = t.cos() * short + (1 - short)
    f = t.sin() / t * short + (1 - short)
    # (cos t - sin(t)/t)/t^2 by a continued fraction where it cancels.
    small = (s <= 1).to(dtype)
    fall = (1 - small - endless) * (c - f) / s.clamp(min=1) - small * f / cot_fraction(
        s.clamp(max=1)
    )
    y = torch.addcmul(x * c, v, f)
    y = y * (length / dot(y, y).sqrt())
    return y, c, f, fall, s


def _pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """Of what of g is along the sphere: by x cos(t) g, by v sin(t)/t g and a part along v."""
    y, c, f, fall, s = kept
    x, v = inputs[0], inputs[1]
    length = 1.0 if len(inputs) < 3 else inputs[2]
    area = length * length
    most = torch.finfo(g.dtype).max  # beyond it only where it counts for nothing, times 0
    g_x, g_v = dot(g, x), dot(g, v).clamp(min=-most, max=most)
    g_y = c * g_x + f * g_v
    slope = fall * (g_v - g_y * f * s) - f * (g_x - g_y * c)
    by_v = subtract_scaled(g * f, y, f * g_y / area)
    return subtract_scaled(g * c, y, c * g_y / area), subtract_scaled(by_v, v, -slope / area)


expmap = custom_vjp(_value, _pull, scaled=2, degree=1)
