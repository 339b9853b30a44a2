r"""Distances to hyperplanes in the kappa-stereographic model.

    sn(delta) = E(x).N,    E(x) = (2/g_x - 1, 2 x/g_x),    N = (-2 p.n/g_p, n - k (2 p.n/g_p) p)
    delta = asn(sn(delta)),    for k > 0 beyond a right angle/2 by its cosine too

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x            x                    a point, (..., n)
p, n         p, normal            a point of the hyperplane, and its unit normal in the conformal
                                  frame at p, (..., n)
delta        signed_length(...)   the signed distance, (..., 1)
E, N         embedding, dual      (..., n + 1): coordinates in which sn(delta) is linear
k, g_x       k, gap               the curvature, (); 1 + k |x|^2: see ``conformal``
============ ==================== ==================================================================

Domain: all k, also 0; x and p up to the edge.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: none, tests/manifolds/test_hyperplanes.py has it by minimisation and against references.
Certificate: Stereographic.signed_distance, Stereographic.logits
"""

import math

import torch
from torch import Tensor

from ..arithmetic.ranges import sign_seen
from ..arithmetic.vectors import dot, norm, sqrt0
from ..functions.generalized_trig import RIGHT_ANGLE
from ..functions.special import asinhc_halved, long_asinh
from .conformal import ROOM, gap, kdot


def signed_length(k: Tensor, sine: Tensor, cosine: Tensor) -> Tensor:
    """The signed length t, from sn(t) and for k > 0 also cs(t) >= 0, (..., 1) each."""
    # Near 0 it is a function of k sine^2, smooth through k = 0. Not far out, where the square in a
    # derivative overflows, and where asin(1 - u) is off by sqrt(2 u), 3e-4 in float32.
    reach = k.detach().abs().sqrt() * sine.detach().abs()
    far = reach > math.sqrt(RIGHT_ANGLE)
    short = sine.where(~far, 0.0)
    largest = torch.finfo(sine.dtype).max * ROOM
    # |k short^2| <= 1/2, where asinc_k is its branch by halving alone.
    near = short * asinhc_halved(-k * short.square().clamp(max=largest))
    if sign_seen(far.to(k.dtype)) < 0:
        return near
    root = k.abs().where(far, 1.0).sqrt()
    long = root * sine.where(far, 1.0)
    if sign := sign_seen(k):
        length = long_asinh(long) if sign < 0 else torch.atan2(long, cosine.where(far, 1.0))
    else:
        angle = torch.atan2(long, cosine.where(far & (k > 0), 1.0))
        length = torch.where(k > 0, angle, long_asinh(long))
    return torch.where(far, length / root, near)


def cosine_from_chord(k: Tensor, chord: Tensor, across: Tensor) -> Tensor:
    """cs of the distance to a hyperplane for k > 0, (..., 1).

    Args:
        chord: a vector of norm sn(d/2), d the distance to a point of the hyperplane.
        across: what of a vector of norm sn(d), towards x, is across the normal.
    """
    root = k.where(k > 0, 1.0).sqrt()
    return norm(torch.cat([1 - 2 * kdot(k, chord, chord), root * across], dim=-1))


def cosine_from_sine(k: Tensor, sine: Tensor) -> Tensor:
    """The same from the sn alone: at the poles a cs below sqrt(u) R cannot be told from 0."""
    sine = k.where(k > 0, 1.0).sqrt() * sine
    return sqrt0((1 - sine) * (1 + sine))


def embedding(k: Tensor, x: Tensor) -> Tensor:
    """E(x) = (2/g - 1, 2x/g), in which sn of the distance to a hyperplane is linear."""
    gap_x = gap(k, x)
    return torch.cat([2 / gap_x - 1, 2 * x / gap_x], dim=-1)


def dual(k: Tensor, p: Tensor, normal: Tensor) -> Tensor:
    """N, that linear form."""
    share = 2 * dot(p, normal) / gap(k, p)
    return torch.cat([-share, normal - k * share * p], dim=-1)
