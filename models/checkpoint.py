"""A run on disk: model.safetensors, config.json, tokenizer.json, state.pt, metrics.jsonl."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.optim import Optimizer

from .config import TrainConfig, build_model, from_json, to_json
from .image_text import ImageTextModel
from .tokenizer import Tokenizer

MODEL, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
STATE, METRICS, EVALUATION = "state.pt", "metrics.jsonl", "evaluation.json"
FILES = (MODEL, CONFIG, TOKENIZER, STATE, METRICS, EVALUATION)


@dataclass(frozen=True)
class Run:
    """What a finished (or stopped) training left: everything to encode pictures and captions."""

    folder: Path
    config: TrainConfig
    model: ImageTextModel
    tokenizer: Tokenizer


def load_run(folder: str | os.PathLike[str], *, device: str = "cpu") -> Run:
    """Read a run; the model is in evaluation mode.

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
    config = from_json((folder / CONFIG).read_text(), where=str(folder / CONFIG))
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    model = build_model(config, len(tokenizer))
    load_weights(model, folder)
    return Run(folder, config, model.to(device).eval(), tokenizer)


def load_weights(model: ImageTextModel, folder: Path) -> None:
    """Put the saved weights into a model of the same configuration."""
    try:
        model.load_state_dict(load_file(folder / MODEL))
    except RuntimeError as error:
        raise ValueError(
            f"{folder / MODEL} does not fit the model of {folder / CONFIG}: {error}"
        ) from error


def save_run_head(folder: Path, config: TrainConfig, tokenizer: Tokenizer) -> None:
    """Write what does not change during a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(to_json(config), encoding="utf-8")
    tokenizer.save(folder / TOKENIZER)


def save_state(folder: Path, model: ImageTextModel, optimizer: Optimizer, step: int) -> None:
    """Write the weights and what a resumption needs. Each file is replaced at once or not at all.

    The weights are in ``state.pt`` as well: a process killed between the two files leaves a run
    that resumes from one moment.
    """
    weights = {name: value.detach().contiguous() for name, value in model.state_dict().items()}
    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    _replace(folder / MODEL, lambda path: save_file(weights, path))
    _replace(folder / STATE, lambda path: torch.save(state, path))


def load_state(folder: Path, model: ImageTextModel, optimizer: Optimizer) -> int:
    """Bring model and optimizer to where :func:`save_state` left them; the number of steps done."""
    path = folder / STATE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {STATE}; expected a run to go on with.")
    device = next(model.parameters()).device
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_suffix(path.suffix + ".part")
    write(temporary)
    os.replace(temporary, path)
