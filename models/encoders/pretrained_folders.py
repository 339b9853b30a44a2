"""Encoders from folders that ``save_pretrained`` of transformers wrote, which the user has.

    spaceforms train --image hf:dinov2-small --text hf:bert-base --out RUN

Nothing is fetched: a folder that is not there is refused, and code in a folder is not run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from ...datasets.disk import clean, digest, write_text
from ...manifolds.extras import import_extra
from .adapters import ImageFeatures, Pool, TextFeatures
from .pretrained_files import check_reads, config_of, first_line, pixels_of, transformers_for
from .towers import from_transformers, padding_of

Tuning = Literal["frozen", "lora", "full"]
_MOST_TOKENS = 512  # of a text, where neither the tokenizer nor the model says how many
_LONGEST = 2**15  # characters of a text that are looked at
E = TypeVar("E", ImageFeatures, TextFeatures)


def load_image_folder(folder: Path, tuning: Tuning, rank: int = 8) -> ImageFeatures:
    """The image encoder of a folder: pictures (B, 3, H, W) in [0, 1] -> features (B, width).

    Of CLIP, SigLIP and their kin it is the picture tower up to the features that the pair compares,
    of others the model's own pooled features, or the mean over tokens if it has no weights for
    those.

    Args:
        folder: of an image encoder, or of a pair.
        tuning: what learns: nothing (``"frozen"``), adapters of LoRA on its linear layers
            (``"lora"``), or all (``"full"``).
        rank: of the adapters.

    Raises:
        FileNotFoundError: no such folder, or one without a model.
        ValueError: a model that is no image encoder, or that lacks weights.
        ModuleNotFoundError: transformers, or for LoRA peft, is not installed.
    """
    pixels = pixels_of(folder)
    model, pool = _load(folder)
    if _is_pair(model):
        encoder = from_transformers(model, pixels).image
    else:
        encoder = ImageFeatures(
            model, pool=pool, size=pixels.side, mean=pixels.image_mean, std=pixels.image_std
        )
    side = pixels.side
    picture = torch.linspace(0, 1, 3 * side * side).view(1, 3, side, side)
    with torch.no_grad():
        first, second = encoder(picture), encoder(picture)
        if (first - second).abs().max() > 1e-4 * first.abs().max():
            raise ValueError(
                f"{folder}: {type(model).__name__} gives other features of a picture every time, "
                "as what hides parts of it to be trained does; expected an encoder of pictures."
            )
    return _tuned(encoder, folder, tuning, rank)


def load_text_folder(folder: Path, tuning: Tuning, rank: int = 8) -> TextFeatures:
    """The text encoder of a folder: token ids (B, L) of its tokenizer -> features (B, width).

    Of CLIP, SigLIP and their kin it is the text tower up to the features that the pair compares, of
    others the mean over tokens. Arguments and errors are those of :func:`load_image_folder`.
    """
    check_reads(folder)
    if getattr(config_of(folder), "is_encoder_decoder", False):
        raise ValueError(
            f"{folder}: a {config_of(folder).model_type} of an encoder and a decoder; expected a "
            "text encoder, which save_pretrained of that part alone writes, or a pair."
        )
    model, _ = _load(folder)
    tokens = PretrainedTokenizer.from_folder(folder)
    pair = _is_pair(model)
    encoder = TextFeatures(
        from_transformers(model, pixels_of(folder)).text.module if pair else model,
        pool="own" if pair else "mean",
        padding=padding_of(model, tokens.padding),
        ends_with_padding=tokens.ends_with_padding,
    )
    return _tuned(encoder, folder, tuning, rank)


class PretrainedTokenizer:
    """The tokenizer of a pretrained text encoder, with the methods of
    :class:`~spaceforms.models.Tokenizer`."""

    def __init__(
        self,
        backend: Any,
        *,
        context: int,
        padding: int,
        ends_with_padding: bool,
        one_length: bool,
    ) -> None:
        self._backend, self.context = backend, context
        self.padding, self.ends_with_padding = padding, ends_with_padding
        self.one_length = one_length
        backend.no_padding()  # a file may ask for it, by its own longest text
        backend.enable_truncation(context)

    @classmethod
    def from_folder(cls, folder: Path) -> PretrainedTokenizer:
        """By transformers' AutoTokenizer.

        Raises:
            FileNotFoundError: no such folder.
            ValueError: a folder of a picture encoder, without a tokenizer, or with one that is not
                of `tokenizers`.
        """
        check_reads(folder)
        hf = transformers_for(folder)
        try:
            found = hf.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
            backend = found.backend_tokenizer
        except Exception as error:  # of all kinds, for a file that is missing or another's
            raise ValueError(
                f"{folder}: expected a tokenizer that transformers can read, got "
                f"{first_line(error)}"
            ) from error
        pads = found.pad_token_id if found.pad_token_id is not None else found.eos_token_id
        config = config_of(folder)
        part = getattr(config, "text_config", config)
        longest = getattr(part, "max_position_embeddings", None)
        vocabulary = found.get_vocab()
        if not set(vocabulary) - set(found.all_special_tokens):
            raise ValueError(
                f"{folder}: expected a tokenizer, got none; what transformers makes in its place "
                "knows no word."
            )
        rows = getattr(part, "vocab_size", None)
        if rows is not None and max(vocabulary.values()) >= rows:
            raise ValueError(
                f"{folder}: the tokenizer has ids up to {max(vocabulary.values())} and the model "
                f"{rows} tokens; expected the tokenizer that it was trained with."
            )
        sizes = (found.model_max_length, longest or _MOST_TOKENS)
        return cls(
            backend,
            context=min(int(min(sizes)), _MOST_TOKENS),
            padding=0 if pads is None else pads,
            # CLIP pads with the token that ends a text, whose first one is text.
            ends_with_padding=pads is not None and pads == found.eos_token_id,
            one_length=config.model_type.startswith("siglip"),
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what `tokenizers` writes: a record, for the folder's own is read again."""
        write_text(Path(path), self._backend.to_str(pretty=True))

    def digest(self) -> str:
        """A digest of the vocabulary and of how texts are split."""
        return digest([self._backend.to_str().encode(), str(self.padding).encode()])

    def __len__(self) -> int:
        """Number of tokens."""
        return int(self._backend.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Token ids (B, L) int64: L is the longest text's length, at most the model's; SigLIP's
        always, which reads the last token."""
        if isinstance(texts, str):
            raise TypeError(
                f"PretrainedTokenizer.encode: expected a list of texts, got the text {texts!r}"
            )
        looked_at = [clean(text[:_LONGEST]) for text in texts]
        rows = [encoding.ids for encoding in self._backend.encode_batch(looked_at)]
        # A tokenizer that ends no text has no token for an empty one.
        longest = self.context if self.one_length else max([1, *map(len, rows)])
        shape = (len(rows), longest)
        ids = torch.full(shape, self.padding, dtype=torch.int64)
        for k, row in enumerate(rows):
            ids[k, : len(row)] = torch.tensor(row, dtype=torch.int64)
        return ids

    def decode(self, ids: Tensor) -> list[str]:
        """The texts of ids (B, L), without special tokens."""
        texts = self._backend.decode_batch(ids.tolist(), skip_special_tokens=True)
        return [str(text).strip() for text in texts]


def _is_pair(model: nn.Module) -> bool:
    return hasattr(model, "vision_model") and hasattr(model, "text_model")


def _load(folder: Path) -> tuple[nn.Module, Pool]:
    """The model of a folder, and how its features are pooled."""
    hf = transformers_for(folder)
    config_of(folder)
    try:
        with _quiet(hf):
            model, info = hf.AutoModel.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=torch.float32,
            )
    except Exception as error:  # of all kinds, for weights that are missing or another's
        raise ValueError(
            f"{folder}: expected a model that transformers' AutoModel can read, got "
            f"{first_line(error)}"
        ) from error
    missing = {str(name) for name in info["missing_keys"]}
    pooler = {name for name in missing if "pooler" in name.split(".")}
    if missing - pooler:
        some = ", ".join(sorted(missing - pooler)[:3])
        raise ValueError(
            f"{folder}: the weights have nothing for {some}; expected all of the model, or its "
            "features would be random."
        )
    if pooler:
        model.pooler = None  # at random, and others every time
    return model, "mean" if pooler else "own"


@contextmanager
def _quiet(hf: Any) -> Iterator[None]:
    """Without bars and reports, whose words of missing weights are said here."""
    log = hf.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _tuned(encoder: E, folder: Path, tuning: Tuning, rank: int) -> E:
    """An encoder of which ``tuning`` learns. Parameters that do not learn are left out of its
    state, and a number in their place tells whether they are the same when it is loaded."""
    if tuning == "full":
        return encoder
    known = _fingerprint(encoder.module)
    encoder.register_buffer("fingerprint", torch.tensor(known))
    if tuning == "frozen":
        encoder.frozen = True
        encoder.module.requires_grad_(False)
        encoder.module.eval()
    else:
        peft = import_extra("tuning by LoRA", "peft", "transformers")
        linear = [n for n, part in encoder.module.named_modules() if type(part) is nn.Linear]
        if not linear:
            raise ValueError(
                f"{folder}: tuning is lora, and the model has no linear layers; expected frozen "
                "or full."
            )
        options = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear)
        peft.inject_adapter_in_model(options, encoder.module)

    def leave_out(module: nn.Module, state: dict[str, Any], prefix: str, _: object) -> None:
        for name in _resting(module):
            del state[prefix + name]

    def compare_and_keep(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
        found = state.get(f"{prefix}fingerprint")
        if found is not None and int(found) != known:
            raise ValueError(
                f"{folder}: the weights are not those that the run was trained on; expected the "
                "same folder as then."
            )
        for name, value in _resting(module).items():
            state.setdefault(prefix + name, value)

    encoder.register_state_dict_post_hook(leave_out)  # type: ignore[no-untyped-call]
    encoder.register_load_state_dict_pre_hook(compare_and_keep)  # type: ignore[no-untyped-call]
    return encoder


def _resting(encoder: nn.Module) -> dict[str, Tensor]:
    """Its parameters that do not learn."""
    named = encoder.named_parameters(remove_duplicate=False)
    return {name: p for name, p in named if not p.requires_grad}


def _fingerprint(module: nn.Module) -> int:
    """Of names and numbers of all weights."""

    def parts() -> Iterator[bytes]:
        for name, value in sorted(module.state_dict().items()):
            yield name.encode()
            yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()

    return int(digest(parts())[:15], 16)  # 60 bits: an int64
