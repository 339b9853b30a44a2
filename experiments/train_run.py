"""A training from the options of an experiment."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plan import merged

if TYPE_CHECKING:
    from spaceforms.models import Run


def train_run(folder: Path, options: dict[str, Any], device: str) -> Run:
    """Train into a folder, whose run is replaced; options are those of `TrainConfig`, in tables."""
    from spaceforms.models.evaluation.run import load_run
    from spaceforms.models.training.config import TrainConfig, from_json, to_json
    from spaceforms.models.training.loop import train

    default = json.loads(to_json(TrainConfig(out=folder)))
    config = from_json(json.dumps(merged(default, options)), where="the experiment's options")
    train(dataclasses.replace(config, device=device, overwrite=True, save_every=10**6))
    return load_run(folder, device=device)
