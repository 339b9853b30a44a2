"""A run small enough to train in a second: forty concepts at 16 pixels, tiny encoders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaceforms.datasets import Augmentation, emoji_rows, load_emoji, write_shards
from spaceforms.datasets.emoji import FILES
from spaceforms.models.encoders.transformers import ImageEncoderConfig, TextEncoderConfig
from spaceforms.models.evaluation.run import Run, load_run
from spaceforms.models.training.config import TrainConfig
from spaceforms.models.training.loop import train


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files (pictures, concepts) of the packaged format with 40 concepts that all vendors drew."""
    data = load_emoji(size=16)
    drawn = np.bincount(data.concept) == len(data.vendors)
    families = np.unique(data.family[np.flatnonzero(drawn)], return_index=True)[1]
    chosen = np.flatnonzero(drawn)[np.sort(families)][::16][:40]
    rows = np.flatnonzero(np.isin(data.concept, chosen))
    # 16 x 16 pixels have at most 256 colours: each pixel its own entry of the palette.
    index = np.broadcast_to(np.arange(256, dtype=np.uint8).reshape(1, 16, 16), (len(rows), 16, 16))
    folder = tmp_path_factory.mktemp("data")
    np.savez(
        folder / "small.npz",
        index=index,
        palette=data.images[rows].reshape(len(rows), 256, 3),
        vendor=data.vendor[rows],
        concept=np.searchsorted(chosen, data.concept[rows]),
        vendors=np.asarray(data.vendors),
    )
    table = json.loads((FILES / "emoji_concepts.json").read_text(encoding="utf-8"))
    table["concepts"] = [table["concepts"][c] for c in chosen]
    (folder / "small.json").write_text(json.dumps(table), encoding="utf-8")
    return folder / "small.npz", folder / "small.json"


@pytest.fixture(scope="session")
def small_shards(small_data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six shards with the 160 training pictures of ``small_data``."""
    data = load_emoji(*small_data)
    folder = tmp_path_factory.mktemp("shards")
    write_shards(emoji_rows(data, data.by_vendor().train), folder, per_shard=30)
    return folder


@pytest.fixture
def tiny(tmp_path: Path, small_data: tuple[Path, Path]) -> Callable[..., TrainConfig]:
    """A function (folder name, options) -> configuration; 160 pictures, 3 steps an epoch."""

    def make(folder: str = "run", **options: Any) -> TrainConfig:
        return TrainConfig(
            **{
                "out": tmp_path / folder,
                "data": small_data[0],
                "concepts": small_data[1],
                "val_share": 0.0,
                "epochs": 2,
                "batch_size": 48,
                "embed_dim": 8,
                "image": ImageEncoderConfig(size=16, widths=(8, 16), blocks=(0, 0), group=8),
                "text": TextEncoderConfig(vocabulary=300, context=8, width=16, layers=0),
                "augmentation": Augmentation(shift=0.05),
                **options,
            }
        )

    return make


@pytest.fixture
def trained(tiny: Callable[..., TrainConfig]) -> Callable[..., Run]:
    """A function options -> the run of such a training, opened."""

    def make(**options: Any) -> Run:
        config = tiny(**options)
        train(config)
        return load_run(config.out)

    return make
