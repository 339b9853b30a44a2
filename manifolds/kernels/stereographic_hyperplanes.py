"""Distances to hyperplanes in the kappa-stereographic model: see ``stereographic_points``."""

import math

import torch
from torch import Tensor

from .generalized_trig import RIGHT_ANGLE, asinc_k
from .stereographic_points import gap, kdot
from .vectors import dot, norm, sqrt0


def arc(k: Tensor, sine: Tensor, cosine: Tensor) -> Tensor:
    """The length of this sn; for k > 0 by its cs >= 0 too, since asin loses digits at the poles.

    Near 0 as a function of k sine^2; not far out, where the square in a derivative overflows.
    """
    reach = k.detach().abs().sqrt() * sine.detach().abs()
    far = reach > math.sqrt(RIGHT_ANGLE)
    short = sine.where(~far, 0.0)
    largest = torch.finfo(sine.dtype).max * 2.0**-20  # as in kdot
    near = short * asinc_k(k * short.square().clamp(max=largest))
    root = k.abs().where(far, 1.0).sqrt()
    long = root * sine.where(far, 1.0)
    angle = torch.atan2(long, cosine.where(far & (k > 0), 1.0))
    large = long.abs() > 4 / torch.finfo(sine.dtype).eps  # where asinh is a logarithm to rounding
    huge, moderate = long.where(large, 1.0), long.where(~large, 0.0)
    stretch = torch.where(large, huge.sign() * (huge.abs().log() + math.log(2)), moderate.asinh())
    return torch.where(far, torch.where(k > 0, angle, stretch) / root, near)


def cosine(k: Tensor, chord: Tensor, across: Tensor) -> Tensor:
    """cs of the distance to a hyperplane for k > 0, from a chord of the distance to a point of it
    and what the sn of that has across the normal."""
    root = k.where(k > 0, 1.0).sqrt()
    return norm(torch.cat([1 - 2 * kdot(k, chord, chord), root * across], dim=-1))


def cosine_of(k: Tensor, sine: Tensor) -> Tensor:
    """The same from the sn alone, which says little of it at the poles."""
    sine = k.where(k > 0, 1.0).sqrt() * sine
    return sqrt0((1 - sine) * (1 + sine))


def embedding(k: Tensor, x: Tensor) -> Tensor:
    """(2/g - 1, 2x/g), coordinates in which sn of the distance to a hyperplane is linear."""
    gap_x = gap(k, x)
    return torch.cat([2 / gap_x - 1, 2 * x / gap_x], dim=-1)


def dual(k: Tensor, p: Tensor, normal: Tensor) -> Tensor:
    """That linear form, of the hyperplane through p with a unit normal in the conformal frame."""
    share = 2 * dot(p, normal) / gap(k, p)
    return torch.cat([-share, normal - k * share * p], dim=-1)
