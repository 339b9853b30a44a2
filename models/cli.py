"""The commands of ``spaceforms``: train, evaluate, plot. Each returns an exit status."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from .config import TrainConfig

T = TypeVar("T")
_STOPPED = 130  # what a shell expects of a command ended by Ctrl-C


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a trained model.

    Retrieval both ways, zero-shot subgroup and group, distance from the root by level; chance
    beside each figure. Printed as a table and written to DIR/evaluation.json.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run."""
    data: Path | None = None
    """Other pictures of the same format, all taken as one test set."""
    concepts: Path | None = None
    """Their concepts."""


@dataclass(frozen=True)
class PlotOptions:
    """Draw a trained model: loss curves, the embedding on the disk, distances from the root."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run; the pictures go there too."""
    dpi: int = 150
    """Dots an inch."""


def train(argv: Sequence[str]) -> int:
    """``spaceforms train``."""

    def run(config: TrainConfig) -> int:
        from .train import train as train_model

        if not train_model(config):
            return _STOPPED
        print(f"Trained. Next: spaceforms evaluate {config.out}; spaceforms plot {config.out}")
        return 0

    return _command("train", TrainConfig, argv, run)


def evaluate(argv: Sequence[str]) -> int:
    """``spaceforms evaluate``."""

    def run(options: EvaluateOptions) -> int:
        from .checkpoint import EVALUATION, load_run
        from .evaluate import as_table, evaluate as evaluate_run

        result = evaluate_run(
            load_run(options.folder), data=options.data, concepts=options.concepts
        )
        print(as_table(result))
        print(f"Written to {options.folder / EVALUATION}")
        return 0

    return _command("evaluate", EvaluateOptions, argv, run)


def plot(argv: Sequence[str]) -> int:
    """``spaceforms plot``."""

    def run(options: PlotOptions) -> int:
        from .checkpoint import load_run
        from .figures import draw_run

        for path in draw_run(load_run(options.folder), dpi=options.dpi):
            print(f"Drawn: {path}")
        return 0

    return _command("plot", PlotOptions, argv, run)


def _command(name: str, kind: type[T], argv: Sequence[str], run: Callable[[T], int]) -> int:
    """Parse, run, and turn what the user can mend into a sentence without a traceback."""
    try:
        options = tyro.cli(kind, args=list(argv), prog=f"spaceforms {name}")
        return run(options)
    except SystemExit as done:  # the parser has said what is wrong, or printed its help
        return int(done.code or 0)
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        return 1
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"spaceforms {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"spaceforms {name}: stopped.", file=sys.stderr)
        return _STOPPED
