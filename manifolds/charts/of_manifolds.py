"""The manifolds as charts: their coordinates, embedded and back, and their frames."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ..base import Manifold
from ..euclidean import Euclidean
from ..kernels.arithmetic.limits import brought_within, rim
from ..kernels.arithmetic.vectors import clip_norm, dot, normalize
from ..kernels.stereographic.conformal import gap
from ..lorentz import Lorentz
from ..poincare_ball import PoincareBall
from ..sphere import Sphere
from .chart import (
    Chart,
    Embedded,
    Frame,
    beyond,
    is_far,
    joined,
    lateral,
    outward,
    split,
)


class SpacePartChart(Chart):
    """The space part of the hyperboloid's point."""

    def _embed(self, x: Tensor) -> Embedded:
        s = clip_norm(x, beyond(x.dtype))
        t = (1 + dot(s, s)).sqrt()
        return 1 / t, s / t

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        return d / c

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        return split(t, s, v, torch.ones_like(t), 1 / t, -1 / (t * (1 + t)))

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        return joined(t, s, w, torch.ones_like(t), t, 1 / (1 + t))

    def _reach(self, dtype: torch.dtype, radius: float | Tensor) -> float | Tensor:
        return torch.finfo(dtype).max / 2 / radius


class LorentzChart(SpacePartChart):
    """Time and space part, of which only the second is read."""

    _extra_coordinates = 1

    def _embed(self, x: Tensor) -> Embedded:
        return super()._embed(x[..., 1:])

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        s = super()._drop(c, d, dtype)
        return torch.cat([(1 + dot(s, s)).sqrt(), s], dim=-1)

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        return super()._to_frame(x, t, s, v[..., 1:])

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        _, size = outward(t, s)
        time = torch.where(is_far(t), size * w.along, dot(s, w.across))
        return torch.cat([time, super()._from_frame(t, s, w)], dim=-1)


class BallChart(Chart):
    """d/(1 + c): the Poincaré ball for K < 0, the stereographic plane for K > 0."""

    signs: ClassVar[Sequence[int]] = (-1, 1)

    def _embed(self, x: Tensor) -> Embedded:
        if self.sign > 0:
            x = clip_norm(x, huge(x.dtype))
        factor = 2 / (1 + dot(x, x))
        # On the sphere the other form: far out the derivative of this one would cancel.
        return gap(-1.0, x) * factor / 2 if self.sign < 0 else factor - 1, factor * x

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        if self.sign < 0:
            return brought_within(d / (1 + c), rim(dtype))
        return stereographic(c, d, dtype)

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        # 2/(1 + K |x|^2), the conformal factor; 1 + t is that too but would cancel on the sphere.
        factor = 1 + t if self.sign < 0 else 2 / (1 + dot(x, x))
        return split(t, s, factor * v, torch.ones_like(t), torch.ones_like(t), torch.zeros_like(t))

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        v = joined(t, s, w, torch.ones_like(t), torch.ones_like(t), torch.zeros_like(t))
        if self.sign < 0:
            return v / (1 + t)
        x = stereographic(t, s, s.dtype)
        return (1 + dot(x, x)) / 2 * v


class SphereChart(Chart):
    """The embedding itself."""

    signs = (1,)
    _extra_coordinates = 1

    def _embed(self, x: Tensor) -> Embedded:
        x, _ = normalize(x)
        return x[..., :1], x[..., 1:]

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        return torch.cat([c, d], dim=-1)

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        time, v = v[..., :1], v[..., 1:]
        far = is_far(t)
        direction, size = outward(t, s)
        near = v - time * (s / (1 + t.where(~far, 0.0)))
        along = t * dot(direction, v) - size * time
        return Frame(torch.where(far, lateral(direction, v), near), along.where(far, 0.0))

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        far = is_far(t)
        _, size = outward(t, s)
        time = -torch.where(far, size * w.along, dot(s, w.across))
        excess = -1 / (1 + t.where(~far, 0.0))
        return torch.cat([time, joined(t, s, w, torch.ones_like(t), t, excess)], dim=-1)


class FlatChart(Chart):
    """R^n."""

    signs = (0,)

    def _embed(self, x: Tensor) -> Embedded:
        return torch.ones_like(x[..., :1]), x

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        return d

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        return Frame(v, torch.zeros_like(t))

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        return w.across


def huge(dtype: torch.dtype) -> float:
    """A length that stands for infinity: its square is a number, its inverse below all rounding."""
    if dtype == torch.float16:
        return torch.finfo(dtype).max / 16  # here the inverse is not
    return 2.0**500 if dtype == torch.float64 else 2.0**60


def stereographic(t: Tensor, s: Tensor, dtype: torch.dtype) -> Tensor:
    """s/(1 + t) of the sphere; the antipode of the origin goes far along the first axis."""
    behind = t < 0
    direction, length = normalize(s)
    first = torch.cat([torch.ones_like(t), torch.zeros_like(s[..., 1:])], dim=-1)
    direction = torch.where(length > 0, direction, first)
    length = length.clamp(min=1 / huge(dtype))
    # There 1 + t = |s|^2/(1 - t), of which the left side cancels.
    return torch.where(behind, (1 - t) / length * direction, s / (1 + t.where(~behind, 0.0)))


def chart_of(where: str, name: str, value: object) -> Chart:
    """A chart, or the chart that a manifold's own coordinates are."""
    if isinstance(value, Chart):
        return value
    for kind, chart in _OF.items():
        if isinstance(value, kind):
            return chart(value)
    known = ", ".join(kind.__name__ for kind in _OF)
    raise TypeError(
        f"{where}: {name} is a {type(value).__name__}; expected a Chart or one of the "
        f"manifolds {known}."
    )


_OF: dict[type[Manifold], type[Chart]] = {
    Lorentz: LorentzChart,
    PoincareBall: BallChart,
    Sphere: SphereChart,
    Euclidean: FlatChart,
}
