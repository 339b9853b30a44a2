"""A run on disk: model.safetensors, config.json, tokenizer.json, state.pt, metrics.jsonl; and
ema.safetensors where the weights were averaged."""

import dataclasses
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ...datasets.disk import MOST_TABLE, digest, open_file, read_file, replacing
from ..encoders.transformers import ImageEncoder, TextEncoder
from ..image_text import ImageTextModel
from .config import TrainConfig, build_model, from_json, to_json
from .ema import Ema
from .tokens import AnyTokenizer, read_tokenizer

MODEL, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
EMA = "ema.safetensors"
STATE, METRICS, EVALUATION = "state.pt", "metrics.jsonl", "evaluation.json"
FILES = (CONFIG, MODEL, EMA, TOKENIZER, STATE, METRICS, EVALUATION)
_DIGEST = "digest"  # in the metadata of a file of weights
_NAMED = 3
_MOST_BLOCKS, _MOST_SIDE = 1000, 2**13  # of the encoders of a run that is loaded


@dataclass(frozen=True)
class Checkpoint:
    """What the folder of a run holds."""

    folder: Path
    config: TrainConfig
    model: ImageTextModel
    tokenizer: AnyTokenizer


def read_checkpoint(folder: Path, *, device: str, ema: bool) -> Checkpoint:
    """Read the folder of a run; see :func:`~spaceforms.models.load_run`."""
    missing = [n for n in (MODEL, CONFIG, TOKENIZER) if not (folder / n).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}; expected the folder of a run, which "
            "`spaceforms train --out DIR` writes into DIR."
        )
    config = read_config(folder)
    tokenizer = read_tokenizer(config, folder / TOKENIZER)
    _check_size(config, folder)
    model = build_model(config, len(tokenizer))
    if ema and not config.ema:
        raise ValueError(
            f"{folder} was trained without --ema; expected a run with averaged weights."
        )
    made_with = load_weights(model, folder, EMA if ema else MODEL)
    if made_with.get(TOKENIZER, tokenizer.digest()) != tokenizer.digest():
        raise ValueError(
            f"{folder / TOKENIZER}: expected the tokenizer that the model was trained with, got "
            "another: it was replaced or edited since."
        )
    return Checkpoint(folder, config, model.to(device).eval(), tokenizer)


def _check_size(config: TrainConfig, folder: Path) -> None:
    """Refuse a configuration of a model much larger than the weights beside it, before it is made.

    A few bytes by someone else may ask for all memory there is.
    """
    image, text = config.image, config.text
    blocks, most = sum(image.blocks) + image.layers + text.layers, _MOST_BLOCKS
    if blocks > most or image.size > _MOST_SIDE or len(image.widths) > most:
        raise ValueError(
            f"{folder / CONFIG}: expected encoders of at most {most} blocks for pictures of at "
            f"most {_MOST_SIDE} pixels a side, got {blocks} and {image.size}."
        )
    needed = 0  # at least; what a folder has, it has already
    with torch.device("meta"):
        if config.image_folder is None:
            needed += _count(ImageEncoder(image)) + config.embed_dim * image.widths[-1]
        if config.text_folder is None:
            needed += _count(TextEncoder(text)) + config.embed_dim * text.width
            # The vocabulary of the configuration is the most that it may have, and may be far from
            # full.
            needed -= text.vocabulary * text.width
    with _weights_file(folder / MODEL):
        size = (folder / MODEL).stat().st_size
    if 2 * needed > size:  # two bytes a number at least
        raise ValueError(
            f"{folder / CONFIG}: expected the configuration of the weights in {MODEL}, {size:,} "
            f"bytes, got one of a model of {needed:,} numbers or more."
        )


def _count(encoder: nn.Module) -> int:
    return sum(p.numel() for p in encoder.parameters())


@contextmanager
def _weights_file(path: Path) -> Iterator[Any]:
    """A file of weights, open."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path}: expected the weights of a run, got {error}.") from error


def read_config(folder: Path) -> TrainConfig:
    """The configuration of the run in a folder, neither to resume nor to overwrite it."""
    text = read_file(folder / CONFIG, MOST_TABLE)
    config = from_json(text, where=str(folder / CONFIG))
    return dataclasses.replace(config, out=folder, resume=False, overwrite=False)


def load_weights(model: ImageTextModel, folder: Path, name: str = MODEL) -> dict[str, str]:
    """Put the saved weights into a model of the same configuration; what else their file says.

    Raises:
        ValueError: other weights, weights that are not those that were written (where the file has
            their digest), or that are not finite: of a model with a NaN every figure is wrong, and
            some are perfect.
    """
    path = folder / name
    with _weights_file(path) as file:
        said = dict(file.metadata() or {})
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if _DIGEST in said and said[_DIGEST] != _digest(weights):
        raise ValueError(
            f"{path}: the weights are not those that were written: the file is damaged, or was "
            "changed."
        )
    bad = [key for key, w in weights.items() if not bool(torch.isfinite(w).all())]
    if bad:
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise ValueError(
            f"{path}: expected finite weights, got NaN or infinity in {', '.join(bad[:_NAMED])}"
            f"{more}."
        )
    _fit(model, weights, path)
    return said


def begin_run(
    config: TrainConfig,
    tokenizer: AnyTokenizer,
    model: ImageTextModel,
    optimizer: Optimizer,
    **more: Any,
) -> None:
    """Clear the folder of an earlier run, and of nothing else, and write a checkpoint of step 0.

    ``more`` is as in :func:`save_state`. The configuration is removed first and written last: where
    it is, a whole run is.
    """
    folder = config.out
    for path in (*(folder / name for name in FILES), *folder.glob(evaluation_file(Path("*")))):
        path.unlink(missing_ok=True)
    tokenizer.save(folder / TOKENIZER)
    save_state(folder, model, optimizer, 0, **more)
    write_config(config)


def read_options(folder: Path) -> dict[str, Any]:
    """The options of the run in a folder as its file has them."""
    options: dict[str, Any] = json.loads(read_file(folder / CONFIG, MOST_TABLE))
    return options


def write_config(config: TrainConfig) -> None:
    """Write the configuration of a run into its folder."""
    _write_options(config.out, json.loads(to_json(config)))


def write_places(folder: Path, places: Mapping[str, Path | None]) -> None:
    """Write where the data lie now into the configuration that is there."""
    moved = {name: None if path is None else str(path) for name, path in places.items()}
    _write_options(folder, read_options(folder) | moved)


def _write_options(folder: Path, options: Mapping[str, Any]) -> None:
    text = json.dumps(options, indent=2) + "\n"
    _write(folder / CONFIG, lambda path: path.write_text(text, encoding="utf-8"))


def evaluation_file(other: Path | None) -> str:
    """Where an evaluation goes: that of the run itself, or of other pictures or concepts."""
    return EVALUATION if other is None else f"evaluation-{other.stem}.json"


def save_state(
    folder: Path,
    model: ImageTextModel,
    optimizer: Optimizer,
    step: int,
    *,
    ema: dict[str, Tensor] | None = None,
    data: Tensor | None = None,
    fingerprint: int = 0,
    made: Mapping[str, str] | None = None,
) -> None:
    """Write the weights and what a resumption needs. Each file is replaced at once or not at all.

    The weights are in ``state.pt`` as well: a process killed between the two files leaves a run
    that resumes from one moment.

    Args:
        folder, model, optimizer, step: what is saved where, after how many steps.
        ema: averaged weights.
        data: where the readers of all processes are.
        fingerprint: of the data that they read.
        made: digests of the files that a resumption must find as they are, by name.
    """
    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    state |= {"ema": ema, "data": data, "fingerprint": fingerprint, "made": dict(made or {})}
    known = {TOKENIZER: made[TOKENIZER]} if made and TOKENIZER in made else {}
    _write_weights(folder / MODEL, model.state_dict(), known)
    if ema is not None:
        _write_weights(folder / EMA, ema, known)
    _write(folder / STATE, lambda path: torch.save(state, path))


def load_state(
    folder: Path,
    model: ImageTextModel,
    optimizer: Optimizer,
    *,
    ema: Ema | None = None,
    fingerprint: int = 0,
    made: Mapping[str, str] | None = None,
) -> tuple[int, Tensor | None]:
    """Bring all to where :func:`save_state` left it; the number of steps done, and the readers.

    Raises:
        FileNotFoundError: no state.
        ValueError: another's or a damaged one, or one of a run on other data, with another
            tokenizer or other options.
    """
    path = folder / STATE
    anew = f"Begin the run anew: spaceforms train --out {folder} --overwrite"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {STATE} to go on from. {anew}")
    device = next(model.parameters()).device
    # For a part of a file, a damaged one, another's pickle and another's content torch, zipfile and
    # pickle have errors of all kinds.
    try:
        _check_archive(path)
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        step, weights, moments = int(state["step"]), state["model"], state["optimizer"]
        begun_with = dict(state.get("made", {}))
    except Exception as error:
        raise ValueError(
            f"{path}: expected the state of a run, got something else or a part of one. {anew}"
        ) from error
    for name, found in (made or {}).items():
        if begun_with.get(name, found) != found:
            raise ValueError(
                f"{path}: the run was begun with another {name}: that beside it was replaced or "
                f"edited since, or this state is of another run. Put it back to go on. {anew}"
            )
    # 0 where the checkpoint is older than the fingerprint.
    if state.get("fingerprint", 0) not in (0, fingerprint):
        raise ValueError(
            f"{path}: the run was begun on other data: files or captions have come, gone or "
            f"changed since. {anew}"
        )
    _fit(model, weights, path)
    try:
        if ema is not None:
            ema.load(state["ema"])
        optimizer.load_state_dict(moments)
        data = None if state.get("data") is None else state["data"].cpu()
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, IndexError) as error:
        raise ValueError(
            f"{path}: expected the state of the optimiser and the averages of this run, got those "
            f"of another. {anew}"
        ) from error
    return step, data


def _check_archive(path: Path) -> None:
    """Raise an error if one of the sums that torch wrote beside its tensors, and does not compare,
    is wrong, or if the file would unpack to more than it is."""
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("compressed")
        if damaged := archive.testzip():
            raise ValueError(damaged)


def _digest(weights: Mapping[str, Tensor]) -> str:
    """Of names, types, shapes and numbers."""

    def parts() -> Iterator[bytes]:
        for name in sorted(weights):
            value = weights[name].detach().cpu().contiguous()
            yield f"{name} {value.dtype} {tuple(value.shape)}".encode()
            yield value.reshape(-1).view(torch.uint8).numpy().tobytes()

    return digest(parts())


def read_fingerprint(folder: Path) -> int | None:
    """That of the data that a run was trained on; None if its state does not tell."""
    if not (folder / STATE).is_file():
        return None
    try:
        state = torch.load(folder / STATE, map_location="cpu", weights_only=True, mmap=True)
        return int(state["fingerprint"])
    except Exception:  # of all kinds, for a damaged or another's file: it names no data
        return None


def _fit(model: ImageTextModel, weights: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected the weights of the model that {CONFIG} beside it describes, got "
            "those of another."
        ) from error


def _write_weights(path: Path, weights: dict[str, Tensor], known: Mapping[str, str]) -> None:
    whole = {name: value.detach().contiguous() for name, value in weights.items()}
    said = {**known, _DIGEST: _digest(whole)}

    def write(part: Path) -> None:
        try:
            save_file(whole, part, metadata=said)
        except SafetensorError as error:
            raise OSError(str(error)) from error

    _write(path, write)


def _write(path: Path, write: Callable[[Path], object]) -> None:
    advice = (
        "What was there before is whole; go on from it with: "
        f"spaceforms train --out {path.parent} --resume"
    )
    with replacing(path, advice) as part:
        write(part)
