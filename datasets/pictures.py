"""A picture file as an array of the size that an encoder wants. Needs Pillow (extra ``train``)."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
"""Of the files that are taken for pictures."""


def decode(content: bytes, size: int) -> NDArray[np.uint8]:
    """The picture in a JPEG, PNG, WebP, BMP or GIF file as (size, size, 3) uint8.

    It is turned as its EXIF data ask, put on white where it is transparent, scaled (bicubic, with
    antialiasing) until its shorter side is ``size``, and cut to its central square. Of an animation
    the first frame is taken.

    Raises:
        ValueError: not a picture, or a part of one.
    """
    from PIL import Image, ImageOps

    try:
        image: Image.Image = Image.open(io.BytesIO(content))
        # A JPEG may be decoded at a half, a quarter or an eighth of its size; twice the size that
        # is wanted leaves the scaling below enough to work with.
        image.draft("RGB", (2 * size, 2 * size))
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):  # convert() would cut at 255, not scale
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.has_transparency_data:
            ground = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(ground, image.convert("RGBA"))
        image = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    # Pillow's errors for what is no picture, is cut short, is broken inside, or is a bomb.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected a picture, but {error or type(error).__name__}") from error
    return np.asarray(image)


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) uint8 as a PNG file, without loss."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
