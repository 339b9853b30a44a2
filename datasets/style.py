"""Changes of the style in which pictures are drawn, of a whole batch at once.

Vendors draw one thing in other colours, flat or shaded, with or without an outline, with thin or
thick strokes. A model that is to know a thing in a style it has never seen (split "vendor") can be
shown each picture in styles that nobody drew. What is drawn stays where it is.

Every change takes pictures (n, 3, S, S) in [0, 1] on white and a number in [0, 1) for each (n,),
which says how strongly, or which way, it is changed; it returns a new tensor of the same shape and
range. All but `ground` leave white ground as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Change = Callable[[Tensor, Tensor], Tensor]


def restyle(images: Tensor, draws: Tensor, strength: float) -> Tensor:
    """Pictures (B, 3, S, S) in [0, 1], each changed by a few of `CHANGES`, drawn at random.

    Args:
        images: on white.
        draws: (B, 2 len(CHANGES)) in [0, 1): of each change whether, then how.
        strength: in [0, 1], by which the chance of every change is multiplied; 0 changes nothing.

    Returns:
        A new tensor of the same shape and range.
    """
    images = images.clone(memory_format=torch.contiguous_format)
    if strength > 0:
        for k, (change, chance) in enumerate(CHANGES.items()):
            rows = torch.nonzero(draws[:, 2 * k] < strength * chance).squeeze(1)
            if len(rows):
                images[rows] = change(images[rows], draws[rows, 2 * k + 1])
    return images


def turn_hue(colour: Tensor, angle: Tensor) -> Tensor:
    """Colours less their grey, (n, 3, S, S), turned about the grey axis by angles (n,) in radians.

    Rodrigues' formula about (1, 1, 1) / sqrt 3, for vectors at right angles to it: cos v + sin
    (axis x v), where axis x v takes differences of the other two channels.
    """
    across = (colour.roll(1, 1) - colour.roll(-1, 1)) / math.sqrt(3)
    return colour * torch.cos(_each(angle)) + across * torch.sin(_each(angle))


def recolour(images: Tensor, how: Tensor) -> Tensor:
    """The hue turned by any angle, from -180 to 180 degrees."""
    flat = images.mean(1, keepdim=True)
    return (flat + turn_hue(images - flat, math.pi * (2 * how - 1))).clamp(0, 1)


def grey(images: Tensor, how: Tensor) -> Tensor:
    """Colour taken away, at least half of it."""
    flat = images.mean(1, keepdim=True)
    return flat + (images - flat) * _each(how) / 2


def tone(images: Tensor, how: Tensor) -> Tensor:
    """Lighter or darker, black and white kept: a power from 0.5 to 2."""
    return images.clamp(min=1e-3) ** _each(2 ** (2 * how - 1))


def posterise(images: Tensor, how: Tensor) -> Tensor:
    """Each channel rounded to 2, 3, 4 or 5 levels."""
    steps = _each((4 * how).floor() + 1)
    return (images * steps).round() / steps


def shade(images: Tensor, how: Tensor) -> Tensor:
    """What is not white lit from one side, any, as flat drawings are not: by up to 0.3."""
    side = images.shape[-1]
    place = torch.linspace(-0.3, 0.3, side, dtype=images.dtype, device=images.device)
    angle = _each(2 * math.pi * how)
    light = torch.cos(angle) * place + torch.sin(angle) * place[:, None]
    ink = 1 - images.amin(1, keepdim=True)
    return (images + light * ink).clamp(0, 1)


def soften(images: Tensor, how: Tensor) -> Tensor:
    """Details and texture blurred: mixed with the mean over 3 x 3 pixels."""
    return torch.lerp(images, _around(images, lambda x, y, z: (x + y + z) / 3), _each(how))


def coarsen(images: Tensor, how: Tensor) -> Tensor:
    """As drawn at half the size: mixed with the means of blocks of 2 x 2, scaled up again."""
    side = images.shape[-1]
    small = functional.avg_pool2d(images, 2, ceil_mode=True)
    large = functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
    return torch.lerp(images, large, _each(how))


def thicken(images: Tensor, how: Tensor) -> Tensor:
    """Dark strokes made thicker (how above 1/2) or thinner: mixed with the darkest or lightest of
    3 x 3 pixels, by up to 0.8."""
    strength = _each(1.6 * (how - 0.5))
    dark, light = _darkest(images), _lightest(images)
    return torch.lerp(images, torch.where(strength > 0, dark, light), strength.abs())


def outline(images: Tensor, how: Tensor) -> Tensor:
    """Edges drawn dark, by as much as the brightness differs within 3 x 3 pixels."""
    return images * (1 - edges(images) * _each(how))


def draft(images: Tensor, how: Tensor) -> Tensor:
    """Lines for colours: mixed, by at least half, with the edges alone, dark on white."""
    return torch.lerp(images, (1 - edges(images)).expand_as(images), _each((1 + how) / 2))


def ground(images: Tensor, how: Tensor) -> Tensor:
    """White that is seen from the border, along a row or a column, in a light colour."""
    white = ((images.amin(1, keepdim=True) - 0.8) / 0.2).clamp(0, 1)
    seen = torch.stack([_from_start(white, axis) for axis in (-2, -1)]).amax(0)
    phase = 2 * math.pi * (how[:, None] + torch.arange(3, device=how.device) / 3)
    colour = (0.7 + 0.3 * torch.cos(phase)).to(images)[:, :, None, None]
    return images * (1 - seen * (1 - colour))


def edges(images: Tensor) -> Tensor:
    """(n, 1, S, S) in [0, 1]: the largest range of a channel within 3 x 3 pixels."""
    return (_lightest(images) - _darkest(images)).amax(1, keepdim=True)


CHANGES: dict[Change, float] = {
    recolour: 0.3,
    grey: 0.2,
    tone: 0.3,
    shade: 0.3,
    posterise: 0.15,
    soften: 0.2,
    coarsen: 0.2,
    thicken: 0.3,
    outline: 0.15,
    draft: 0.05,
    ground: 0.1,
}
"""Each change with its chance at full strength, in the order in which they are made."""


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _around(images: Tensor, of_three: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    """A function of 3 x 3 pixels that is one of three rows of one of three columns.

    At the border the outermost pixels count twice. Slices: pooling takes ten times as long.
    """
    for axis in (-1, -2):
        size = images.shape[axis]
        first, last = images.narrow(axis, 0, 1), images.narrow(axis, size - 1, 1)
        before = torch.cat([first, images.narrow(axis, 0, size - 1)], axis)
        after = torch.cat([images.narrow(axis, 1, size - 1), last], axis)
        images = of_three(before, images, after)
    return images


def _lightest(images: Tensor) -> Tensor:
    return _around(images, lambda x, y, z: torch.maximum(torch.maximum(x, y), z))


def _darkest(images: Tensor) -> Tensor:
    return _around(images, lambda x, y, z: torch.minimum(torch.minimum(x, y), z))


def _from_start(white: Tensor, axis: int) -> Tensor:
    """What is seen from either end of an axis: products from there on."""
    there = white.cumprod(axis)
    back = white.flip(axis).cumprod(axis).flip(axis)
    return torch.maximum(there, back)
