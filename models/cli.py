"""The commands of the models: train, evaluate, plot, traverse, features, probvlm, shards."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

from ..datasets import (
    CaptionMix,
    Fault,
    emoji_rows,
    load_emoji,
    open_pairs,
    pair_rows,
    write_shards,
)
from .checkpoint import CONFIG, evaluation_file, load_run, read_config
from .config import TrainConfig
from .sizes import Size

T = TypeVar("T")
_STOPPED = 130  # what a shell expects of a command ended by Ctrl-C


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a trained model.

    Retrieval both ways, zero-shot subgroup and group, distance from the root by level; chance
    beside each figure. Printed as a table and written to DIR/evaluation.json, or for other pictures
    or concepts to DIR/evaluation-NAME.json with the name of their file.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run."""
    data: Path | None = None
    """Other pictures of the same format, all taken as one test set; the run's own held-out ones if
    not given."""
    ema: bool = False
    """Measure the averaged weights of a run that was trained with an ema."""
    concepts: Path | None = None
    """Other concepts for the pictures; if not given the packaged ones for other pictures, the run's
    own for its own."""


@dataclass(frozen=True)
class PlotOptions:
    """Draw a trained model: loss curves, the embedding on the disk, distances from the root."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run; the pictures go there too."""
    dpi: int = 150
    """Dots an inch."""


@dataclass(frozen=True)
class FeaturesOptions:
    """Write features by the frozen encoders: EfficientNet-Lite0 for pictures, MiniLM for names.

    The file is an .npz with image (N, 1280), text (C, 384), concept (N,) and vendor (N,): what
    `spaceforms.models.frozen.load_features` reads. Some minutes on a CPU.
    """

    out: Path
    """The file to write."""
    run: Path | None = None
    """Folder of a run, whose two encoders are taken in place of the frozen pair, with their own
    widths; nothing but the run is needed."""
    augmented: int | None = None
    """A seed: features of the test concepts' pictures, moved and coloured at random, as views for
    test-time augmentation in `spaceforms probvlm --views`."""
    data: Path | None = None
    """Pictures, an .npz of the packaged format; the packaged emoji if not given."""
    concepts: Path | None = None
    """Concepts, a .json of the packaged format; the packaged ones if not given."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda if there is one."""


@dataclass(frozen=True)
class TraverseOptions:
    """Walk from pictures to the root of a trained model and name what is met on the way.

    The nearest caption of the run's held-out pictures, groups and subgroups at each step, among
    those whose cone holds the point. Printed, and drawn in DIR/traversal.png.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run; the picture goes there too."""
    image: tuple[str, ...] = ()
    """Names of held-out pictures such as "dog face", or picture files; some of different groups if
    not given."""
    count: int = 5
    """How many pictures if none are given."""
    steps: int = 50
    """Points on each way."""
    dpi: int = 150
    """Dots an inch."""


@dataclass(frozen=True)
class ShardsOptions:
    """Write tar shards for training: the packaged emoji, or a folder of pictures with captions."""

    out: Path
    """Folder for the shards; it must hold none yet."""
    data: Path | None = None
    """A folder of pictures with captions, or shards, whose picture files are taken as they are; or
    an .npz of the packaged format; the packaged emoji if not given."""
    concepts: Path | None = None
    """Emoji: concepts, a .json of the packaged format; the packaged ones if not given."""
    split: Literal["vendor", "concept", "both"] = "vendor"
    """Emoji: what is held out, and not written."""
    held_out: str = "emojione"
    """Emoji: the vendor held out by the splits vendor and both."""
    size: int | None = None
    """Emoji: side of a picture in pixels; the stored one, 64, if not given."""
    per_shard: int = 1000
    """Pairs in a shard."""
    seed: int = 0
    """Of the order of the pairs, and of the captions drawn for emoji."""


def train(argv: Sequence[str]) -> int:
    """``spaceforms train``."""

    def run(config: TrainConfig) -> int:
        from .train import train as train_model

        if not train_model(config):
            return _STOPPED
        print(f"Trained. Next: spaceforms evaluate {config.out}; spaceforms plot {config.out}")
        return 0

    return _command("train", lambda: _parse("train", TrainConfig, argv, _defaults(argv)), run)


@dataclass(frozen=True)
class _Beginning:
    """The options of ``train`` that say what the others are where they are not given."""

    out: Path | None = None
    resume: bool = False
    encoders: Size = "tiny"


def _defaults(argv: Sequence[str]) -> TrainConfig:
    """The options of the run that ``argv`` resumes, or those of a new one with its encoders."""
    words = [word for word in argv if word not in ("-h", "--help")]
    asked, _ = tyro.cli(_Beginning, args=words, prog="spaceforms train", return_unknown_args=True)
    if asked.resume and asked.out is not None and (asked.out / CONFIG).is_file():
        return read_config(asked.out)
    return TrainConfig(out=tyro.MISSING, encoders=asked.encoders)


def evaluate(argv: Sequence[str]) -> int:
    """``spaceforms evaluate``."""

    def run(options: EvaluateOptions) -> int:
        from .evaluate import as_table, evaluate as evaluate_run

        result = evaluate_run(
            load_run(options.folder, ema=options.ema), data=options.data, concepts=options.concepts
        )
        print(as_table(result))
        written = evaluation_file(options.data or options.concepts)
        print(f"Written to {options.folder / written}")
        return 0

    return _command("evaluate", lambda: _parse("evaluate", EvaluateOptions, argv), run)


def plot(argv: Sequence[str]) -> int:
    """``spaceforms plot``."""

    def run(options: PlotOptions) -> int:
        from .figures import draw_run

        for path in draw_run(load_run(options.folder), dpi=options.dpi):
            print(f"Drawn: {path}")
        return 0

    return _command("plot", lambda: _parse("plot", PlotOptions, argv), run)


def features(argv: Sequence[str]) -> int:
    """``spaceforms features``."""

    def run(options: FeaturesOptions) -> int:
        import torch

        from .frozen import extract, save_features
        from .heads import augmented, make_parts, run_features

        device = options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        trained = None if options.run is None else load_run(options.run, device=device)
        size = None if trained is None else trained.config.image.size
        data = load_emoji(options.data, options.concepts, size=size)
        rows = None
        if options.augmented is not None:
            data, rows = augmented(data, options.augmented), make_parts(data).test
        if trained is None:
            try:
                found = extract(data, rows, device=device)
            except ModuleNotFoundError:  # the command line names the extra
                print(
                    "spaceforms features: without the frozen pair, features of your own run do: "
                    "spaceforms train --split concept --out RUN, then "
                    f"spaceforms features --run RUN --out {options.out}",
                    file=sys.stderr,
                )
                raise
        else:
            if trained.config.split == "vendor":
                print(
                    f"spaceforms features: {options.run} was trained on every concept (split "
                    "'vendor'), those that `spaceforms probvlm` tests on too; expected a run of "
                    "the split 'concept' or 'both' for that.",
                    file=sys.stderr,
                )
            found = run_features(trained, data, rows)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        save_features(found, options.out)
        print(f"Written to {options.out}. Next: spaceforms probvlm {options.out} --out DIR")
        return 0

    return _command("features", lambda: _parse("features", FeaturesOptions, argv), run)


def probvlm(argv: Sequence[str]) -> int:
    """``spaceforms probvlm``."""
    from .probvlm_config import ProbVLMConfig
    from .probvlm_run import RESULT, as_table, run as run_probvlm

    def run(config: ProbVLMConfig) -> int:
        print(as_table(run_probvlm(config)))
        print(f"Written to {config.out / RESULT}")
        return 0

    return _command("probvlm", lambda: _parse("probvlm", ProbVLMConfig, argv), run)


def traverse(argv: Sequence[str]) -> int:
    """``spaceforms traverse``."""

    def run(options: TraverseOptions) -> int:
        from .walk import TRAVERSAL, draw, walk

        if options.dpi < 1:
            raise ValueError(f"dpi is {options.dpi}; expected at least 1.")
        trained = load_run(options.folder)
        walks = walk(trained, options.image, count=options.count, steps=options.steps)
        for way in walks:
            print(f"{way.title}: {' > '.join(way.captions)}")
        title = f"{trained.config.model.upper()}: from pictures to the root (% of the way)"
        draw(walks, options.folder / TRAVERSAL, title=title, dpi=options.dpi)
        print(f"Drawn: {options.folder / TRAVERSAL}")
        return 0

    return _command("traverse", lambda: _parse("traverse", TraverseOptions, argv), run)


def shards(argv: Sequence[str]) -> int:
    """``spaceforms shards``."""

    def run(options: ShardsOptions) -> int:
        data, faults = options.data, list[Fault]()
        if data is None or data.suffix == ".npz":
            emoji = load_emoji(data, options.concepts, size=options.size)
            split = emoji.split(options.split, held_out=options.held_out)
            mix = CaptionMix(unspoken=split.unspoken)
            rows = emoji_rows(emoji, split.train, mix=mix, seed=options.seed)
        else:
            # Copies are made of what it names: of nothing outside of it.
            rows = pair_rows(
                open_pairs(data, links=False), seed=options.seed, skipped=faults.append
            )
        written = write_shards(rows, options.out, per_shard=options.per_shard)
        if faults:
            counts = Counter(fault.kind for fault in faults)
            told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
            print(f"Not written, or mended: {told}. The first:", file=sys.stderr)
            print(*(f"  {f.kind}: {f.where}" for f in faults[:5]), sep="\n", file=sys.stderr)
        print(f"Written: {len(written)} shards. Next: spaceforms train --data {options.out}")
        return 0

    return _command("shards", lambda: _parse("shards", ShardsOptions, argv), run)


def _parse(name: str, kind: type[T], argv: Sequence[str], default: T | None = None) -> T:
    words, prog = list(argv), f"spaceforms {name}"
    if default is None:
        return tyro.cli(kind, args=words, prog=prog)
    return tyro.cli(kind, args=words, prog=prog, default=default)


def _command(name: str, parse: Callable[[], T], run: Callable[[T], int]) -> int:
    """Parse, run, and turn what the user can mend into a sentence without a traceback."""
    try:
        return run(parse())
    except SystemExit as done:  # the parser has said what is wrong, or printed its help
        return int(done.code or 0)
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        return 1
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"spaceforms {name}: {_sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"spaceforms {name}: stopped.", file=sys.stderr)
        return _STOPPED


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:  # the system's own words
        return f"{error.filename}: {error.strerror.lower()}."
    return str(error)
