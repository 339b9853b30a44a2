"""A run on disk: model.safetensors, config.json, tokenizer.json, state.pt, metrics.jsonl; and
ema.safetensors where the weights were averaged."""

import dataclasses
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from .config import TrainConfig, build_model, from_json, to_json
from .ema import Ema
from .image_text import ImageTextModel
from .tokenizer import Tokenizer

MODEL, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
EMA = "ema.safetensors"
STATE, METRICS, EVALUATION = "state.pt", "metrics.jsonl", "evaluation.json"
FILES = (CONFIG, MODEL, EMA, TOKENIZER, STATE, METRICS, EVALUATION)


@dataclass(frozen=True)
class Run:
    """What a finished (or stopped) training left: everything to encode pictures and captions."""

    folder: Path
    config: TrainConfig
    model: ImageTextModel
    tokenizer: Tokenizer


def load_run(folder: str | os.PathLike[str], *, device: str = "cpu", ema: bool = False) -> Run:
    """Read a run; the model is in evaluation mode.

    Args:
        folder: where ``spaceforms train`` put it.
        device: where the model goes.
        ema: take the averaged weights of a run that was trained with ``--ema``.

    Raises:
        FileNotFoundError: no checkpoint in the folder.
        ValueError: files that are not those of a run.
    """
    folder = Path(folder)
    missing = [n for n in (MODEL, CONFIG, TOKENIZER) if not (folder / n).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}; expected the folder of a run, as "
            f"`spaceforms train --out {folder}` writes it."
        )
    config = read_config(folder)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    model = build_model(config, len(tokenizer))
    if ema and not config.ema:
        raise ValueError(
            f"{folder} was trained without --ema; expected a run with averaged weights."
        )
    load_weights(model, folder, EMA if ema else MODEL)
    return Run(folder, config, model.to(device).eval(), tokenizer)


def read_config(folder: Path) -> TrainConfig:
    """The configuration of the run in a folder, neither to resume nor to overwrite it."""
    text = (folder / CONFIG).read_text(encoding="utf-8")
    config = from_json(text, where=str(folder / CONFIG))
    return dataclasses.replace(config, out=folder, resume=False, overwrite=False)


def load_weights(model: ImageTextModel, folder: Path, name: str = MODEL) -> None:
    """Put the saved weights into a model of the same configuration."""
    path = folder / name
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: expected the weights of a run, got {error}.") from error
    _fit(model, weights, path)


def begin_run(
    config: TrainConfig,
    tokenizer: Tokenizer,
    model: ImageTextModel,
    optimizer: Optimizer,
    **more: Any,
) -> None:
    """Clear the folder of an earlier run, and of nothing else, and write a checkpoint of step 0.

    ``more`` is as in :func:`save_state`. The configuration is removed first and written last: where
    it is, a whole run is.
    """
    folder = config.out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"out is {folder}; expected a folder, or a place to make one in, got "
            f"{(error.strerror or str(error)).lower()}."
        ) from error
    for path in (*(folder / name for name in FILES), *folder.glob(evaluation_file(Path("*")))):
        path.unlink(missing_ok=True)
    tokenizer.save(folder / TOKENIZER)
    save_state(folder, model, optimizer, 0, **more)
    _replace(folder / CONFIG, lambda path: path.write_text(to_json(config), encoding="utf-8"))


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
) -> None:
    """Write the weights and what a resumption needs. Each file is replaced at once or not at all.

    The weights are in ``state.pt`` as well: a process killed between the two files leaves a run
    that resumes from one moment.

    Args:
        folder, model, optimizer, step: what is saved where, after how many steps.
        ema: averaged weights.
        data: where the readers of all processes are.
        fingerprint: of the data that they read.
    """
    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    state |= {"ema": ema, "data": data, "fingerprint": fingerprint}
    _write_weights(folder / MODEL, model.state_dict())
    if ema is not None:
        _write_weights(folder / EMA, ema)
    _replace(folder / STATE, lambda path: torch.save(state, path))


def load_state(
    folder: Path,
    model: ImageTextModel,
    optimizer: Optimizer,
    *,
    ema: Ema | None = None,
    fingerprint: int = 0,
) -> tuple[int, Tensor | None]:
    """Bring all to where :func:`save_state` left it; the number of steps done, and the readers."""
    path = folder / STATE
    anew = f"Begin the run anew: spaceforms train --out {folder} --overwrite"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {STATE} to go on from. {anew}")
    device = next(model.parameters()).device
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        step, weights, moments = int(state["step"]), state["model"], state["optimizer"]
    # What torch raises for a part of a file, an empty one, another's pickle and another's content.
    except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected the state of a run, got something else or a part of one. {anew}"
        ) from error
    if state.get("fingerprint", 0) != fingerprint:
        raise ValueError(
            f"{path}: the run was begun on other data: files or captions have come, gone or "
            f"changed since. {anew}"
        )
    _fit(model, weights, path)
    if ema is not None:
        ema.load(state["ema"])
    optimizer.load_state_dict(moments)
    data = state.get("data")
    return step, None if data is None else data.cpu()


def _fit(model: ImageTextModel, weights: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: expected the weights of the model that {CONFIG} beside it describes, got "
            "those of another."
        ) from error


def _write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    whole = {name: value.detach().contiguous() for name, value in weights.items()}
    _replace(path, lambda path: save_file(whole, path))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_suffix(path.suffix + ".part")
    write(temporary)
    os.replace(temporary, path)
