"""A byte-level BPE vocabulary, trained on the captions and kept with the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tokenizers import Tokenizer as _Backend

PAD, END = "<pad>", "<end>"
_BYTES = 256


class Tokenizer:
    """Texts to token ids and back. Made by `Tokenizer.train` or `Tokenizer.load`.

    Texts are lower-cased and split into bytes before merging (Sennrich et al., arXiv 1508.07909,
    with the byte alphabet of GPT-2), so any text in any language has ids and nothing is unknown.
    Id 0 is padding, id 1 ends every text.

    Needs the package `tokenizers` (extra `train`).
    """

    def __init__(self, backend: _Backend, context: int) -> None:
        if context < 2:
            raise ValueError(f"Tokenizer: expected context >= 2, got {context}")
        if backend.token_to_id(PAD) != 0 or backend.token_to_id(END) != 1:
            raise ValueError(f"Tokenizer: expected {PAD} as token 0 and {END} as token 1")
        self._backend = backend
        self.context = context
        backend.enable_truncation(context)

    @classmethod
    def train(cls, texts: Iterable[str], *, vocabulary: int = 2048, context: int = 24) -> Tokenizer:
        """Learn a vocabulary of at most `vocabulary` tokens; the same texts give the same one.

        `context` is the most tokens of a text, its end token included; longer ones are cut.
        """
        if vocabulary < _BYTES + 2:
            raise ValueError(
                f"Tokenizer.train: expected vocabulary >= {_BYTES + 2} (every byte, padding and "
                f"end), got {vocabulary}"
            )
        from tokenizers import (
            Tokenizer as Backend,
            decoders,
            models,
            normalizers,
            pre_tokenizers,
            processors,
            trainers,
        )

        backend = Backend(models.BPE())
        backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        backend.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", special_tokens=[(END, 1)]
        )
        return cls(backend, context)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Tokenizer:
        """Read what `save` wrote; ValueError if the file is something else."""
        from tokenizers import Tokenizer as Backend

        text = Path(path).read_text(encoding="utf-8")
        try:
            backend = Backend.from_str(text)
        except Exception as error:  # `tokenizers` raises bare Exception
            raise ValueError(f"{path}: expected a tokenizer's JSON file, but {error}") from error
        if not backend.truncation:
            raise ValueError(f"{path}: expected a tokenizer with a maximal length, found none")
        return cls(backend, int(backend.truncation["max_length"]))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the vocabulary, merges and context as one JSON file."""
        Path(path).write_text(self._backend.to_str(pretty=True), encoding="utf-8")

    def __len__(self) -> int:
        """Number of tokens, padding and end included."""
        return int(self._backend.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Token ids (B, L) int64: L is the longest text's length, shorter ones padded with 0.

        Every row ends with the end token (before padding), also where a text was cut.
        """
        if isinstance(texts, str):
            raise TypeError(f"Tokenizer.encode: expected a list of texts, got the text {texts!r}")
        rows = [encoding.ids for encoding in self._backend.encode_batch(list(texts))]
        ids = torch.zeros(len(rows), max(map(len, rows), default=1), dtype=torch.int64)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.tensor(row)
        return ids

    def decode(self, ids: Tensor) -> list[str]:
        """The texts of ids (B, L), lower-cased, without end and padding."""
        texts = self._backend.decode_batch(ids.tolist(), skip_special_tokens=True)
        return [str(text).strip() for text in texts]
