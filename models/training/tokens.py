"""The tokenizer of a run: its own, or that of a pretrained text encoder."""

from collections.abc import Callable, Iterable
from pathlib import Path

from ..encoders.pretrained_files import folder_of
from ..encoders.pretrained_folders import PretrainedTokenizer
from ..encoders.tokenizer import Tokenizer
from .config import TrainConfig

AnyTokenizer = Tokenizer | PretrainedTokenizer


def new_tokenizer(config: TrainConfig, texts: Callable[[], Iterable[str]]) -> AnyTokenizer:
    """That of the text encoder's folder, or one that learns from ``texts()``."""
    if config.text_folder is not None:
        return PretrainedTokenizer.from_folder(folder_of(config.text_folder, "text"))
    return Tokenizer.train(texts(), vocabulary=config.text.vocabulary, context=config.text.context)


def read_tokenizer(config: TrainConfig, path: Path) -> AnyTokenizer:
    """That of a run that was begun, kept at ``path``; of a pretrained text encoder its folder's,
    which what is kept is a record of."""
    return Tokenizer.load(path) if config.text_folder is None else new_tokenizer(config, tuple)
