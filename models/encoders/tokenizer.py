"""A byte-level BPE vocabulary, trained on the captions and kept with the checkpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...datasets.disk import MOST_TABLE, clean, digest, read_file, write_text
from ...datasets.pair import parse

if TYPE_CHECKING:
    from tokenizers import Tokenizer as _Backend

PAD, END = "<pad>", "<end>"
_BYTES = 256
_MOST = 2**20
"""Tokens of a vocabulary and of a text: a trainer sets memory aside for what it is asked for."""
_LONGEST = 2**14  # characters of a text that are looked at; more, if the context is longer
# Learning takes a time that goes with the square of a word's length: a minute for one of a quarter
# of a megabyte. Longer words are learned from in pieces.
_WORD = re.compile(r"\S{64}(?=\S)")


class Tokenizer:
    """Texts to token ids and back. Made by `Tokenizer.train` or `Tokenizer.load`.

    Texts are lower-cased and split into bytes before merging (Sennrich et al., arXiv 1508.07909,
    with the byte alphabet of GPT-2), so any text in any language has ids and nothing is unknown.
    Id 0 is padding, id 1 ends every text; a text that spells one of them, "<pad>", is text. Lone
    surrogates are read as U+FFFD.

    Needs the package `tokenizers` (extra `train`).
    """

    def __init__(self, backend: _Backend, context: int) -> None:
        if context < 2:
            raise ValueError(f"Tokenizer: expected context >= 2, got {context}")
        if context > _MOST:
            raise ValueError(f"Tokenizer: expected context of at most {_MOST:,}, got {context}")
        if backend.token_to_id(PAD) != 0 or backend.token_to_id(END) != 1:
            raise ValueError(f"Tokenizer: expected {PAD} as token 0 and {END} as token 1")
        self._backend = backend
        self.context = context
        backend.enable_truncation(context)
        backend.encode_special_tokens = True  # in a text they are text

    @classmethod
    def train(cls, texts: Iterable[str], *, vocabulary: int = 2048, context: int = 24) -> Tokenizer:
        """Learn a vocabulary of at most `vocabulary` tokens; the same texts give the same one.

        `context` is the most tokens of a text, its end token included; longer ones are cut.
        """
        if not _BYTES + 2 <= vocabulary <= _MOST:
            raise ValueError(
                f"Tokenizer.train: expected vocabulary >= {_BYTES + 2} (every byte, padding and "
                f"end) and at most {_MOST:,}, got {vocabulary}"
            )
        from tokenizers import pre_tokenizers, trainers

        backend = _backend()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator((_WORD.sub(r"\g<0> ", clean(t)) for t in texts), trainer)
        _end_texts(backend)
        return cls(backend, context)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Tokenizer:
        """Read what `save` wrote; ValueError if the file is something else.

        Vocabulary, merges and context are taken from the file; how a text is normalised and split
        is this class's own, and a file that says otherwise is refused.
        """
        from tokenizers import models, pre_tokenizers

        # `tokenizers` raises bare Exception, and what is no such file anything.
        try:
            content = parse(read_file(path, MOST_TABLE))
            vocabulary, merges = content["model"]["vocab"], content["model"]["merges"]
            if len(vocabulary) > _MOST or sorted(vocabulary.values()) != [*range(len(vocabulary))]:
                raise ValueError("its ids are not 0, 1, 2 and so on")
            missing = set(pre_tokenizers.ByteLevel.alphabet()) - vocabulary.keys()
            if missing:
                raise ValueError(f"{len(missing)} of the {_BYTES} bytes are missing")
            if not content["truncation"]:
                raise ValueError("it has no maximal length")
            context = int(content["truncation"]["max_length"])
            pairs: list[Any] = [tuple(m.split(" ") if isinstance(m, str) else m) for m in merges]
            backend = _backend(models.BPE(vocab=vocabulary, merges=pairs))
            backend.add_special_tokens([PAD, END])
            _end_texts(backend)
            if len(vocabulary) != backend.get_vocab_size():
                raise ValueError(f"{PAD} or {END} is missing")
            ours = json.loads(backend.to_str())
            for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "padding"):
                if not _agree(content.get(part), ours[part]):
                    raise ValueError(f"its {part} is another")
            return cls(backend, context)
        except OSError:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise ValueError(
                f"{path}: expected a tokenizer's JSON file, as `spaceforms train` writes it, but "
                f"{reason[:200]}"
            ) from error

    def save(self, path: str | PathLike[str]) -> None:
        """Write the vocabulary, merges and context as one JSON file."""
        write_text(Path(path), self._backend.to_str(pretty=True))

    def digest(self) -> str:
        """A digest of all that `save` writes."""
        return digest([self._backend.to_str().encode()])

    def __len__(self) -> int:
        """Number of tokens, padding and end included."""
        return int(self._backend.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Token ids (B, L) int64: L is the longest text's length, shorter ones padded with 0.

        Every row ends with the end token (before padding), also where a text was cut.
        """
        if isinstance(texts, str):
            raise TypeError(f"Tokenizer.encode: expected a list of texts, got the text {texts!r}")
        longest = max(_LONGEST, 64 * self.context)
        looked_at = [clean(text[:longest]) for text in texts]
        rows = [encoding.ids for encoding in self._backend.encode_batch(looked_at)]
        ids = torch.zeros(len(rows), max(map(len, rows), default=1), dtype=torch.int64)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.tensor(row)
        return ids

    def decode(self, ids: Tensor) -> list[str]:
        """The texts of ids (B, L), lower-cased, without end and padding."""
        texts = self._backend.decode_batch(ids.tolist(), skip_special_tokens=True)
        return [str(text).strip() for text in texts]


def _backend(model: Any = None) -> _Backend:
    """How texts are normalised, split and put together again, about a vocabulary to be learned."""
    from tokenizers import Tokenizer as Backend, decoders, models, normalizers, pre_tokenizers

    backend = Backend(models.BPE() if model is None else model)
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    return backend


def _end_texts(backend: _Backend) -> None:
    from tokenizers import processors

    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, 1)]
    )


def _agree(theirs: Any, ours: Any) -> bool:
    """Whether two parts of a file are the same where both versions that wrote them have a word."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return all(_agree(theirs[key], ours[key]) for key in theirs.keys() & ours.keys())
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(_agree, theirs, ours))
    return bool(theirs == ours)
