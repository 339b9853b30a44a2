"""Encoders by name: tiny, small, base.

tiny learns the packaged pictures in a few CPU minutes. small and base are ViT-S/16 and ViT-B/16
(Dosovitskiy et al. 2021, arXiv 2010.11929) with four strided convolutions in place of the patches
(Xiao et al. 2021, arXiv 2106.14881), for a GPU; base has CLIP's and MERU's text transformer beside
it, of width 512, small one of half the depth.
"""

from typing import Literal

from .transformers import ImageEncoderConfig, TextEncoderConfig

Size = Literal["tiny", "small", "base"]
IMAGE_SIZES: dict[Size, ImageEncoderConfig] = {
    "tiny": ImageEncoderConfig(),
    "small": ImageEncoderConfig(
        size=64, widths=(48, 96, 192, 384), blocks=(0, 0, 0, 0), layers=12, heads=6
    ),
    "base": ImageEncoderConfig(
        size=64, widths=(96, 192, 384, 768), blocks=(0, 0, 0, 0), layers=12, heads=12
    ),
}
TEXT_SIZES: dict[Size, TextEncoderConfig] = {
    "tiny": TextEncoderConfig(),
    "small": TextEncoderConfig(vocabulary=8192, context=32, width=384, layers=6, heads=6),
    "base": TextEncoderConfig(vocabulary=16384, context=77, width=512, layers=12, heads=8),
}

TCL_IMAGE = ImageEncoderConfig(widths=(48, 96, 192), blocks=(0, 0, 0), layers=1)
"""What TCL takes for tiny: a grid of 4 x 4 cells, which are its pictures' parts."""
