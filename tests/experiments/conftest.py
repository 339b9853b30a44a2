"""An experiment of a test's own, and results without training anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plan
import pytest

TOML = """
title = "P0. Of the test"
question = "Is it read?"
kind = "train"
seeds = [3, 1]

[options]
epochs = 2
image = { size = 16, group = 8 }

[grid]
embed_dim = [2, 4]
"image.size" = [16, 24]

[variants]
a = { model = "meru", image = { group = 4 } }
"b, other" = { model = "clip" }

[quick]
seeds = [0]
grid = { embed_dim = [4] }
options = { epochs = 1 }
variants = { a = { model = "meru" } }

[[claims]]
source = "a source"
text = "a is ahead"
better = "a"
than = "b, other"
figure = "score"
at = { embed_dim = 4, "image.size" = 16 }

[tables."Scores"]
points = "score"
"""


@pytest.fixture
def toml() -> str:
    """The text of an experiment, for tests to spoil."""
    return TOML


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function (name, text) that writes an experiment where plan.py looks for them."""
    monkeypatch.setattr(plan, "HERE", tmp_path)

    def make(text: str = TOML, name: str = "own") -> None:
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")

    return make


@pytest.fixture
def make_run() -> Callable[..., dict[str, Any]]:
    """A function (variant, seed, values; at, ranks) -> a run as run.py writes it."""

    def make(variant: str, seed: int, ranks: Any = (), at: Any = None, **values: float) -> Any:
        figures = {"values": values, "ranks": dict(ranks)}
        return {"variant": variant, "seed": seed, "at": at or {}, "figures": figures}

    return make
