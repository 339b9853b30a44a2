"""A picture file as an array of the size that an encoder wants. Needs Pillow (extra ``train``)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"},
)
"""Of the files that are taken for pictures."""
OTHERS = frozenset(
    {".heic", ".heif", ".avif", ".jxl", ".jp2", ".tif", ".tiff", ".svg", ".psd", ".eps", ".tga"}
    | {".dng", ".cr2", ".nef", ".arw", ".raw", ".ico", ".pcx", ".ppm"}
)
"""Of pictures that are not read: they are counted and named, not passed over."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""Pillow knows forty more, some of which (EPS) start other programs."""
# Declared ones. A few bytes can declare any number, and each is held up to four times in four
# bytes: 0.8 GB at this bound, 2.7 GB at Pillow's own. A JPEG is decoded at a part of its size.
_MOST_PIXELS, _MOST_IN_JPEG = 2**25, 2**26
_MOST_SCANS = 100


def decode(content: bytes, size: int, *, whole: bool = False) -> NDArray[np.uint8]:
    """The picture in a JPEG, PNG, WebP, BMP or GIF file as (size, size, 3) uint8.

    It is turned as its EXIF data ask, put on white where it is transparent, scaled (bicubic, with
    antialiasing) until its shorter side is ``size``, and cut to its central square. Of an animation
    the first frame is taken. A picture that is to stay ``whole`` is not cut: see `square`.

    Raises:
        ValueError: not a picture, a part of one, or one of more than 33 million pixels (JPEG: 67).
    """

    # Decoders raise whatever their parsing meets (struct.error, KeyError, zlib.error, TypeError,
    # AssertionError, MemoryError, ...): none may end a run.
    try:
        image = _opened(content)
        # A JPEG may be decoded at a half, a quarter or an eighth of its size; twice the size that
        # is wanted leaves the scaling below enough to work with.
        image.draft("RGB", (2 * size, 2 * size))
        image.load()
        return square(_turned(image), size, whole=whole)
    except Exception as error:
        raise ValueError(f"expected a picture, but {str(error) or type(error).__name__}") from error


def check_picture(content: bytes) -> None:
    """Raise ValueError if a file does not begin as a picture that `decode` would take."""
    try:
        _opened(content)
    except Exception as error:
        raise ValueError(f"expected a picture, but {str(error) or type(error).__name__}") from error


def _opened(content: bytes) -> Image.Image:
    """A picture of a known format and a bounded number of pixels, none of them decoded yet."""
    from PIL import Image, UnidentifiedImageError

    try:
        image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:  # its words name a place in memory
        raise ValueError(f"it is none of {', '.join(FORMATS)}") from None
    width, height = image.size
    most = _MOST_IN_JPEG if image.format in ("JPEG", "MPO") else _MOST_PIXELS
    # Every scan of a progressive JPEG passes over all of the picture; cameras write about ten. In a
    # scan's own data the marker cannot occur.
    scans = content.count(b"\xff\xda") if image.format in ("JPEG", "MPO") else 0
    if scans > _MOST_SCANS:
        raise ValueError(f"it has {scans:,} scans; expected at most {_MOST_SCANS}")
    if width * height > most:
        raise ValueError(f"it has {width} x {height} pixels; expected at most {most:,}")
    return image


def _turned(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF data ask; as it is where they cannot be read.

    ``ImageOps.exif_transpose`` also writes the data anew, and fails where an entry is of another
    kind than its tag says: a text for a number, as editors leave them.
    """
    from PIL import Image

    turn = Image.Transpose
    try:
        asked = image.getexif().get(0x0112)
    except Exception:
        return image
    turns = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    return image.transpose(turns[asked]) if isinstance(asked, int) and asked in turns else image


def square(image: Image.Image, size: int, *, whole: bool = False) -> NDArray[np.uint8]:
    """A picture as (size, size, 3) uint8, on white where it is transparent.

    Its shorter side is scaled to ``size`` and its centre cut out; or, if it is to stay ``whole``,
    it is set on a white square and that is scaled, by the means of blocks of pixels where it
    shrinks, as the packaged pictures are.
    """
    from PIL import Image, ImageOps

    if image.mode.startswith("I;16"):  # convert() would cut at 255, not scale
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    image = image.convert("RGB")
    if not whole:
        return np.array(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))
    shrinks = max(image.size) >= size
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return np.array(ImageOps.pad(image, (size, size), method, color="white"))


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) uint8 as a PNG file, without loss."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
