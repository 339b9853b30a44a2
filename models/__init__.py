"""Reference models: CLIP and MERU, their training and their evaluation (extra ``train``)."""

from .clip import CLIP as CLIP
from .encoders import (
    ImageEncoder as ImageEncoder,
    ImageEncoderConfig as ImageEncoderConfig,
    TextEncoder as TextEncoder,
    TextEncoderConfig as TextEncoderConfig,
)
from .image_text import ImageTextModel as ImageTextModel, Losses as Losses
from .meru import MERU as MERU
from .tokenizer import Tokenizer as Tokenizer

__all__ = [
    "CLIP",
    "MERU",
    "ImageEncoder",
    "ImageEncoderConfig",
    "ImageTextModel",
    "Losses",
    "TextEncoder",
    "TextEncoderConfig",
    "Tokenizer",
]
