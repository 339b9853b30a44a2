"""The domains of the space forms: flat space, sphere, hyperboloid, ball and projected sphere."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .domains import Domain


class Flat(Domain):
    """Euclidean space."""

    name, curvature = "flat space", 0.0

    def reach(self, dtype: torch.dtype) -> float:
        """1e3, 100 in the half types: large against 1, and far from the edge of any dtype."""
        return 1e3 if torch.finfo(dtype).max > 1e5 else 100.0

    def point(self, v: Tensor) -> Tensor:
        """v itself."""
        return v

    def tangent(self, v: Tensor, w: Tensor) -> Tensor:
        """w itself."""
        return w.expand_as(v)

    def inner(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """The dot product."""
        return (u * w).sum(-1)

    def translated(self, x: Tensor, step: float) -> Tensor:
        """x + step e_1."""
        first: Tensor = torch.eye(x.shape[-1], dtype=x.dtype)[0]
        return x + step * first


class Hypersphere(Domain):
    """The sphere of radius 1/sqrt(K) in n + 1 coordinates about the pole (R, 0, ..., 0)."""

    name, extra = "sphere", 1

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature
        self.injectivity = math.pi * self.radius

    def reach(self, dtype: torch.dtype) -> float:
        """Its diameter."""
        return self.injectivity

    def point(self, v: Tensor) -> Tensor:
        """(R cos r, R sin r v/|v|)."""
        r, e = _polar(v)
        a = r / self.radius
        return self.radius * torch.cat([a.cos(), a.sin() * e], dim=-1)

    def tangent(self, v: Tensor, w: Tensor) -> Tensor:
        """What is across the ray stays; what is along it turns with it."""
        r, e = _polar(v)
        a, along = r / self.radius, (w * e).sum(-1, keepdim=True)
        return torch.cat([-along * a.sin(), w + along * (a.cos() - 1) * e], dim=-1)

    def inner(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """The dot product."""
        return (u * w).sum(-1)

    def rounded_tangent(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Projected at the rounded point."""
        x = x.double()
        along: Tensor = (x * w).sum(-1, keepdim=True) / (x * x).sum(-1, keepdim=True)
        return (w - along * x).to(dtype)

    def defect(self, x: Tensor) -> Tensor:
        """| |x| / R - 1 |."""
        ratio: Tensor = x.double().norm(dim=-1) / self.radius
        return (ratio - 1).abs()

    def translated(self, x: Tensor, step: float) -> Tensor:
        """A rotation of the first two coordinates."""
        c, s = math.cos(step / self.radius), math.sin(step / self.radius)
        a, b = x[..., :1], x[..., 1:2]
        return torch.cat([c * a - s * b, s * a + c * b, x[..., 2:]], dim=-1)


class Hyperboloid(Domain):
    """The upper sheet of -t^2 + |s|^2 = 1/K, time first; the space part s is free."""

    name, extra = "hyperboloid", 1

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature

    def reach(self, dtype: torch.dtype) -> float:
        """Where coordinates reach 2^40 R, 2^340 R in float64: their squares are still numbers."""
        largest = 2.0**340 if dtype == torch.float64 else 2.0**40
        r = self.radius
        return 0.99 * r * math.asinh(min(largest, torch.finfo(dtype).max / (4 * max(1.0, r))))

    def point(self, v: Tensor) -> Tensor:
        """(R cosh r, R sinh r v/|v|)."""
        r, e = _polar(v)
        a = r / self.radius
        return self.radius * torch.cat([a.cosh(), a.sinh() * e], dim=-1)

    def tangent(self, v: Tensor, w: Tensor) -> Tensor:
        """What is across the ray stays; what is along it is boosted with it."""
        r, e = _polar(v)
        a, along = r / self.radius, (w * e).sum(-1, keepdim=True)
        return torch.cat([along * a.sinh(), w + along * (a.cosh() - 1) * e], dim=-1)

    def inner(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """From the space parts: across and along the ray apart, so that nothing cancels."""
        s, a, b = x[..., 1:], u[..., 1:], w[..., 1:]
        r, e = _polar(s)
        i, j = (a * e).sum(-1, keepdim=True), (b * e).sum(-1, keepdim=True)
        shrink = (1 + (r / self.radius) ** 2).rsqrt()
        across = ((a - i * e) * (b - j * e)).sum(-1)
        return across + (i * shrink * j * shrink).squeeze(-1)

    def rounded(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Space rounded, time recomputed."""
        s = x[..., 1:].to(dtype).double()
        t = torch.hypot(s.norm(dim=-1, keepdim=True), torch.full_like(s[..., :1], self.radius))
        return torch.cat([t, s], dim=-1).to(dtype)

    def rounded_tangent(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Space rounded, time recomputed: t_w = s.w/t."""
        s, w = x[..., 1:].double(), w[..., 1:].to(dtype).double()
        t = torch.hypot(s.norm(dim=-1, keepdim=True), torch.full_like(s[..., :1], self.radius))
        return torch.cat([(s / t * w).sum(-1, keepdim=True), w], dim=-1).to(dtype)

    def defect(self, x: Tensor) -> Tensor:
        """| t / sqrt(R^2 + |s|^2) - 1 |."""
        x = x.double()
        s = x[..., 1:].norm(dim=-1)
        return (x[..., 0] / torch.hypot(s, torch.full_like(s, self.radius)) - 1).abs()

    def grain(self, x: Tensor) -> float:
        """|s|: a rounding across the ray has its own length, along it less."""
        return float(x[..., 1:].detach().double().norm())

    def spread(self, x: Tensor, w: Tensor) -> float:
        """|w_s|, likewise; up to cosh(r/R) times the length of w."""
        del x
        return float(w[..., 1:].detach().double().norm())

    def translated(self, x: Tensor, step: float) -> Tensor:
        """A boost of the first two coordinates."""
        c, s = math.cosh(step / self.radius), math.sinh(step / self.radius)
        a, b = x[..., :1], x[..., 1:2]
        return torch.cat([c * a + s * b, s * a + c * b, x[..., 2:]], dim=-1)


class Ball(Domain):
    """The open ball of radius 1/sqrt(-K) with the conformal metric."""

    name = "ball"

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature

    def reach(self, dtype: torch.dtype) -> float:
        """Where the distance to the boundary is a few units in the last place."""
        return 0.99 * self.radius * math.log(1 / torch.finfo(dtype).eps)

    def point(self, v: Tensor) -> Tensor:
        """R tanh(r/2) v/|v|."""
        r, e = _polar(v)
        return self.radius * (r / (2 * self.radius)).tanh() * e

    def tangent(self, v: Tensor, w: Tensor) -> Tensor:
        """w divided by the conformal factor."""
        r, _ = _polar(v)
        return w / (2 * (r / (2 * self.radius)).cosh() ** 2)

    def inner(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """The conformal factor squared times the dot product."""
        r = x.norm(dim=-1) / self.radius
        gap = (1 - r).clamp(min=torch.finfo(torch.float64).eps) * (1 + r)
        factor: Tensor = (2 / gap).unsqueeze(-1)
        return (factor * u * factor * w).sum(-1)

    def defect(self, x: Tensor) -> Tensor:
        """0 inside, infinite outside."""
        inside = x.double().norm(dim=-1) < self.radius
        return torch.where(inside, 0.0, math.inf)

    def translated(self, x: Tensor, step: float) -> Tensor:
        """Moebius addition of tanh(step/2) e_1 from the left."""
        a = torch.zeros_like(x)
        a[..., 0] = math.tanh(step / (2 * self.radius))
        x = x / self.radius
        ax, aa, xx = (a * x).sum(-1, True), (a * a).sum(-1, True), (x * x).sum(-1, True)
        return self.radius * ((1 + 2 * ax + xx) * a + (1 - aa) * x) / (1 + 2 * ax + aa * xx)


class Projected(Domain):
    """R^n with the conformal metric 4|dx|^2/(1 + K|x|^2)^2, K >= 0: the sphere projected from the
    antipode of the origin, or flat space in coordinates of half the length."""

    name = "projected sphere"

    def __init__(self, curvature: float) -> None:
        self.curvature = curvature
        if curvature > 0:
            self.injectivity = math.pi * self.radius

    def reach(self, dtype: torch.dtype) -> float:
        """Short of the antipode of the origin, which is at infinity; as flat space for 0.

        By the eps of the dtype, and where a vector of length 1e4 still has coordinates in it.
        """
        if not self.curvature:
            return Flat().reach(dtype)
        info = torch.finfo(dtype)
        return 2 * self.radius * math.atan(min(1 / info.eps, math.sqrt(info.max / 3e4)))

    def point(self, v: Tensor) -> Tensor:
        """R tan(r/2) v/|v|."""
        r, e = _polar(v)
        if not self.curvature:
            return v / 2
        return self.radius * (r / (2 * self.radius)).tan() * e

    def tangent(self, v: Tensor, w: Tensor) -> Tensor:
        """w divided by the conformal factor."""
        r, _ = _polar(v)
        cosine = (r / (2 * self.radius)).cos() if self.curvature else torch.ones_like(r)
        return w / (2 * cosine**2)

    def inner(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """The conformal factor squared times the dot product."""
        factor = 2 / (1 + (self.curvature or 0.0) * (x * x).sum(-1, keepdim=True))
        return (factor * u * factor * w).sum(-1)

    def translated(self, x: Tensor, step: float) -> Tensor:
        """Moebius addition of tan(step/2) e_1 from the left."""
        a = torch.zeros_like(x)
        a[..., 0] = math.tan(step / (2 * self.radius)) if self.curvature else step / 2
        x, k = x / self.radius, 1.0 if self.curvature else 0.0
        ax, aa, xx = (a * x).sum(-1, True), (a * a).sum(-1, True), (x * x).sum(-1, True)
        across = (1 - 2 * k * ax - k * xx) * a + (1 + k * aa) * x
        return self.radius * across / (1 - 2 * k * ax + k * aa * xx)


def _polar(v: Tensor) -> tuple[Tensor, Tensor]:
    """Length, and direction (0 for the zero vector), with derivatives at a nonzero v."""
    zero = (v == 0).all(-1, keepdim=True)
    scale = torch.where(zero, 1.0, v.detach().abs().amax(-1, keepdim=True))  # no square underflows
    size = torch.where(zero, 1.0, v / scale).norm(dim=-1, keepdim=True)
    return torch.where(zero, 0.0, scale * size), v / scale / size
