"""Augmentation of a whole batch at once: shift, scale, turn, mirror, colour, style."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .draws import uniform
from .style import CHANGES, restyle, turn_hue

_STREAMS, _STYLES = (2, 4), (6, 7)
_WHITE = 255.0


@dataclass(frozen=True)
class Augmentation:
    """Half-widths of the uniform laws an augmentation is drawn from; 0 switches one off.

    Pixels from outside the picture are white like its ground, and only brightness changes them.

    Args:
        shift: a share of the side.
        scale: a share of the size.
        stretch: a share of the aspect.
        turn: an angle in degrees.
        mirror: the probability of a left-right flip, only where a mirrored picture keeps its sense.
        brightness: a share of 1.
        contrast: a share of 1, about white.
        saturation: a share of 1.
        hue: an angle in degrees, about the grey axis.
        style: how often the style of drawing is changed: by this share of the chance that each of
            the changes in `spaceforms.datasets.style` has. Helps with styles never seen.
    """

    shift: float = 0.08
    scale: float = 0.12
    stretch: float = 0.08
    turn: float = 8.0
    mirror: float = 0.5
    brightness: float = 0.1
    contrast: float = 0.2
    saturation: float = 0.3
    hue: float = 25.0
    style: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            top = 180.0 if name in ("turn", "hue") else 1.0
            if not 0 <= value <= top:
                raise ValueError(f"Augmentation: expected {name} in [0, {top:g}], got {value}")

    def __call__(
        self,
        images: Tensor,
        items: NDArray[np.int64],
        *,
        seed: int,
        epoch: int,
        mirrorable: NDArray[np.bool_] | None = None,
        view: int = 0,
    ) -> Tensor:
        """Augment `images` (B, 3, S, S) in [0, 1]; row k depends on (seed, epoch, items[k]) alone.

        `mirrorable` (B,) says which pictures keep their meaning in a mirror; all by default. Views
        0 and 1 are independent draws. Returns a new tensor of the same shape and range.
        """
        draws = uniform(items, 10, seed=seed, epoch=epoch, stream=_STREAMS[view])
        if mirrorable is not None:
            draws[:, 0] = np.where(mirrorable, draws[:, 0], 1.0)
        table = torch.from_numpy(draws).to(images)
        if self.style:  # draws of its own: without it all others are what they were
            count = 2 * len(CHANGES)
            draws = uniform(items, count, seed=seed, epoch=epoch, stream=_STYLES[view])
            images = restyle(images, torch.from_numpy(draws).to(images), self.style)
        return self._colour(self._move(images, table), table)

    def _move(self, images: Tensor, table: Tensor) -> Tensor:
        """One affine map a picture, sampled bilinearly."""
        flip = torch.where(table[:, 0] < self.mirror, -1.0, 1.0)
        signed = 2 * table - 1
        dx, dy = 2 * self.shift * signed[:, 1], 2 * self.shift * signed[:, 2]
        scale = torch.exp(math.log1p(self.scale) * signed[:, 3])
        stretch = torch.exp(math.log1p(self.stretch) * signed[:, 4] / 2)
        angle = math.radians(self.turn) * signed[:, 5]
        cos, sin = torch.cos(angle), torch.sin(angle)
        wide, high = scale * stretch, scale / stretch
        rows = torch.stack(
            [flip * cos * wide, -flip * sin * high, dx, sin * wide, cos * high, dy], dim=1
        )
        grid = functional.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
        # Samples outside are 0; with the ground at 0 they are ground.
        return 1 - functional.grid_sample(1 - images, grid, align_corners=False)

    def _colour(self, images: Tensor, table: Tensor) -> Tensor:
        signed = (2 * table - 1)[:, :, None, None, None]
        grey = images.mean(1, keepdim=True)
        colour = images - grey
        if self.hue:
            colour = turn_hue(colour, math.radians(self.hue) * (2 * table[:, 9] - 1))
        images = grey + colour * (1 + self.saturation * signed[:, 6])
        # Contrast about white leaves the ground where it is.
        images = 1 + (images - 1) * (1 + self.contrast * signed[:, 7])
        return (images + self.brightness * signed[:, 8]).clamp(0, 1)


def to_float(images: NDArray[np.uint8]) -> Tensor:
    """Pictures (B, S, S, 3) uint8 -> (B, 3, S, S) float32 in [0, 1], in channels-last memory."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32) / _WHITE
